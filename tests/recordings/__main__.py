"""Records calls of the simulated caller through the real daemon and engine: `python -m tests.recordings [NAME …]`.

What VAIC and the model sent goes into NAME.jsonl.gz beside this file, and what a call replayed from it sends into
NAME.sent, the golden file. With `--golden` only that is written again: look at what differs before it is kept.
May import: tests, lab.caller, the standard library.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.caller import Drop, Dtmf, HangUp, Interrupt, Say, ScriptStep, Wait, Write
from tests.calls.live import practice, recording
from tests.paced_loop import run_paced
from tests.recordings.replay import RECORDINGS, Received, replayed, write

HOURS = recording("slt_hours")
CALLS: Mapping[str, tuple[Sequence[ScriptStep], Mapping[str, Any]]] = {
    "question": ((Say(HOURS), Wait(2000), HangUp()), {"formats": ("raw/mulaw",)}),
    "interruption": ((Interrupt(HOURS, 600), Wait(1500), HangUp()), {"formats": ("raw/mulaw",)}),
    "resumed": ((Wait(800), Drop(200), Say(HOURS), Wait(1000), HangUp()), {"formats": ("raw/mulaw",)}),
    "half-duplex": ((Say(HOURS), Wait(2000), HangUp()), {"formats": ("raw/mulaw",), "half_duplex": True}),
    "chat": ((Write("What are your opening hours?"), Dtmf("1"), HangUp()), {"chat": True, "send_dtmf": True}),
}


def main() -> None:
    """Record the calls that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.recordings")
    parser.add_argument("name", nargs="*", choices=[*CALLS, []])
    parser.add_argument("--golden", action="store_true", help="write only what a replay sends")
    wanted = parser.parse_args()
    for name in wanted.name or CALLS:
        if not wanted.golden:
            write(name, _recorded(name))
        (RECORDINGS / f"{name}.sent").write_text("".join(f"{line}\n" for line in replayed(name)))


def _recorded(name: str) -> list[Received]:
    steps, settings = CALLS[name]

    async def call() -> list[Received]:
        with tempfile.TemporaryDirectory() as folder:
            async with practice(Path(folder), tapped=True) as services:
                await services.call(*steps, suppress_silence=True, **settings)
                passed = [each for each in services.line.passed if each.to == "daemon" or each.sender == "vaic"]
                began_ms = passed[0].at_ms
                ports = {side: list(dict.fromkeys(each.port for each in passed if each.sender == side)) for side in
                         ("vaic", "model")}  # fmt: skip
                return [
                    Received(
                        round((each.at_ms - began_ms) * services.speed),
                        each.sender,
                        ports[each.sender].index(each.port),
                        each.frame,
                    )
                    for each in passed
                    if each.sender in ports
                ]

    return run_paced(call())


if __name__ == "__main__":
    main()
