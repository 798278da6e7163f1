"""How calls end: the bot hangs up once its farewell was heard, and a caller may hang up whenever it likes."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

from lab.caller import HangUp
from tests.calls.live import practice
from tests.paced_loop import run_paced

SPEED = 4.0
# 24 kHz, 16 bit.
BYTES_PER_MS = 48
# 30 ms of the clock, for the ticks of the ear and a busy machine: far less than VAIC is kept ahead of the ear.
EAR_MS = 30 * SPEED


def test_the_bot_hangs_up_only_when_its_last_sentence_was_heard(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path, speed=SPEED, tapped=True) as services:
            report = await services.call("slt_goodbye", formats=("raw/lpcm16_24",))

            assert (report.outcome, report.errors) == ("bot-disconnected", ())
            pending_hangup = report.turns[-1]
            assert (pending_hangup.role, pending_hangup.text) == ("bot", "Thank you for calling. Goodbye.")
            assert pending_hangup.heard_ms >= pending_hangup.sent_ms - EAR_MS

            # The same on the wire: the hangup waits for the time it takes to play what was sent.
            frames = services.line.of("daemon", "vaic")
            [hangup] = [each for each in frames if each.kind == "hangup"]
            began = [each for each in frames if each.kind == "playStream.start"][-1]
            chunks = [
                each.frame["audioChunk"]
                for each in frames
                if each.kind == "playStream.chunk" and each.frame["streamId"] == began.frame["streamId"]
            ]
            length_ms = sum(len(b64decode(chunk)) for chunk in chunks) / BYTES_PER_MS
            assert length_ms > 1000
            assert (hangup.at_ms - began.at_ms) * SPEED > length_ms - EAR_MS
            assert frames[-1] is hangup

    run_paced(call())


def test_a_caller_who_hangs_up_in_the_middle_of_a_task_leaves_a_record_and_no_appointment(tmp_path: Path) -> None:
    async def call() -> None:
        async with practice(tmp_path) as services:
            report = await services.call("slt_book", "slt_hours", HangUp())

            assert (report.outcome, report.errors) == ("client-disconnected", ())
            assert services.appointments() == []
            record = await services.record()
            assert record.outcome == "client-disconnected"
            assert [(task.agent, task.states, task.result) for task in record.tasks] == [
                ("book_appointment", ("CollectDate", "CollectTime"), "abandoned")
            ]
            assert [(turn.role, turn.text) for turn in record.turns][:3] == [
                ("bot", "Hello, this is the Linden practice. How can I help you?"),
                ("caller", report.turns[1].text),
                ("bot", "At what time?"),
            ]
            assert await services.daemon.live_calls() == ()

    run_paced(call())
