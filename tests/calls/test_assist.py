"""A call between two people, whom a bot hears on streams of their own: real daemon, real engine, real speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.caller.audio import payloads, read_recording, silent_payload
from protocols.media import LPCM16
from tests.calls.live import practice, recording
from tests.gateway.bots.folders import written
from tests.gateway.daemons import Vaic, socket
from tests.paced_loop import run_paced

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


def test_both_are_transcribed_by_name_the_agent_is_advised_and_nobody_is_spoken_to(tmp_path: Path) -> None:
    bots = tmp_path / "bots"
    written(bots, "desk", BOT)

    async def call() -> None:
        async with practice(tmp_path, bots=bots) as services, socket(services.daemon, path="/bots/desk") as vaic:
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
            record = await services.record()

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
