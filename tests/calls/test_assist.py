"""A call between two people, whom a bot hears on streams of their own: real daemon, real engine, real speech."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from gateway.daemon import Daemon
from lab.caller.audio import payloads, read_recording, silent_payload
from lab.engine import Engine, EngineSettings
from protocols.media import LPCM16
from store.journal import CallRecord
from tests.calls.live import LIMIT_S, SPEED, recording
from tests.calls.settings import daemon_settings
from tests.gateway.daemons import Vaic, socket, until
from tests.paced_loop import loop_time_s, run_paced

BOT = """\
[bot]
mode = "assist"
instructions = "You know the practice's rules: no appointments on Sundays."
"""


async def says(vaic: Vaic, participant: str, name: str) -> None:
    """One party says a recording, and is silent for a second."""
    spoken = [*payloads(read_recording(recording(name)), LPCM16), *[silent_payload(LPCM16)] * 50]
    for each in spoken:
        await vaic.says("userStream.chunk", conversationId="c-1", participant=participant, audioChunk=each)


async def told(vaic: Vaic, frames: list[dict[str, Any]]) -> dict[str, Any]:
    """The frames until the next advice, whose value is returned."""
    while True:
        heard = await vaic.hears_until("activities")
        frames += heard
        for each in heard[-1]["activities"]:
            if each["name"] == "sendMetaData":
                advice: dict[str, Any] = each["value"]
                return advice


async def stored(daemon: Daemon) -> CallRecord | None:
    await daemon.live_calls()
    return daemon.journal.record("c-1")


def test_both_are_transcribed_by_name_the_agent_is_advised_and_nobody_is_spoken_to(tmp_path: Path) -> None:
    (tmp_path / "bots" / "desk").mkdir(parents=True)
    (tmp_path / "bots" / "desk" / "bot.toml").write_text(BOT)

    async def call() -> None:
        async with asyncio.timeout(LIMIT_S), Engine(EngineSettings(port=0, speed=SPEED)) as engine:
            settings = daemon_settings(engine.url, f"sqlite:///{tmp_path}/practice.sqlite3")
            settings = settings.model_copy(update={"bots": tmp_path / "bots"})
            async with (
                Daemon(settings, SPEED, clock_s=loop_time_s) as daemon,
                socket(daemon, path="/bots/desk") as vaic,
            ):
                await vaic.calls("c-1", supportedMediaFormats=["raw/lpcm16"])
                parties = [{"participant": "caller"}, {"participant": "callee"}]
                start = {"type": "event", "name": "start", "parameters": {"participants": parties}}
                await vaic.says("activities", conversationId="c-1", activities=[start])
                for participant in ("caller", "callee"):
                    await vaic.says("userStream.start", conversationId="c-1", participant=participant)
                frames: list[dict[str, Any]] = []
                await says(vaic, "caller", "rms_book")
                advice = [await told(vaic, frames)]
                await says(vaic, "callee", "slt_yes_correct")
                advice.append(await told(vaic, frames))
                await vaic.ends("c-1")
                record = await until(partial(stored, daemon))

        words = {each["participant"]: each["alternatives"][0]["text"].lower() for each in frames
                 if each["type"] == "userStream.speech.recognition"}  # fmt: skip
        assert "appointment" in words["caller"]
        assert words["callee"]
        assert all(each["advice"] for each in advice)
        kinds = {each["type"] for each in frames}
        assert not kinds & {"playStream.start", "playStream.chunk"}
        assert {each["participant"] for each in frames if each["type"] == "userStream.speech.started"} == {
            "caller",
            "callee",
        }
        said = [turn.text for turn in record.turns if turn.role == "caller"]
        assert [text.partition(": ")[0] for text in said] == ["caller", "callee"]

    run_paced(call())
