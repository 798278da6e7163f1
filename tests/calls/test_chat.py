"""Whole calls in writing: VAIC expects no audio, and the same bot as on the telephone reads and writes."""

from __future__ import annotations

from datetime import time
from pathlib import Path

from lab.caller import Drop, Wait, Write
from tests.calls.live import BOOKED, practice, said_on
from tests.paced_loop import run_paced


def test_a_chat_books_what_was_written_and_the_record_has_both_sides_words(tmp_path: Path) -> None:
    async def chat() -> None:
        async with practice(tmp_path, tapped=True) as services:
            report = await services.call(
                Write("I would like to book an appointment for tomorrow."),
                Write("Half past ten, please."),
                Wait(3000),
                Drop(),
                Write("My name is Richard Stallman."),
                Write("Yes, that is correct."),
                Write("Thank you, goodbye."),
                chat=True,
            )
            record = await services.record()

            [appointment] = services.appointments()
            assert appointment.starts_at in said_on(record, 1, time(10, 30))
            assert (report.outcome, report.errors, report.media_format) == ("bot-disconnected", (), "")
            assert [(task.agent, task.states, task.result) for task in report.tasks] == [
                ("book_appointment", BOOKED, "booked"),
                ("end_call", ("HungUp",), "hangup"),
            ]
            assert (record.outcome, record.errors) == ("completed", ())
            assert [(turn.role, turn.text) for turn in record.turns] == [
                (turn.role, turn.text) for turn in report.turns
            ]

    run_paced(chat())
