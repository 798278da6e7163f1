"""What the clients written in Python have in common: their scenes one after the other, and what is printed of each.

Runs in a client's own environment: imports the standard library only.
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

URL = os.environ["ENGINE_URL"]  # ws://127.0.0.1:PORT/v1/realtime
TLS_URL = os.environ["ENGINE_TLS_URL"]  # the same, wss
MCP_URL = os.environ["MCP_URL"]
KEY = "any"
MODEL = "gpt-realtime"
LIMIT_S = 60.0

HOURS = "nine to five"
WEATHER = "sunny in paris"
INSTRUCTIONS = "You answer the telephone of a shop."

Scene = Callable[[], Awaitable[None]]


def speech() -> bytes:
    """A caller asks for the opening hours, and is silent for a second: s16le at 24 kHz."""
    return Path(os.environ["SPEECH"]).read_bytes()


def pieces(audio: bytes, ms: int = 100) -> list[bytes]:
    width = 48 * ms
    return [audio[start : start + width] for start in range(0, len(audio), width)]


def run(*scenes: Scene) -> None:
    """Play each scene; print its name, and why it failed if it did. Exits with 1 if one did."""
    sys.exit(asyncio.run(_all(scenes)))


async def _all(scenes: tuple[Scene, ...]) -> int:
    wanted = sys.argv[1:]
    failed = 0
    for scene in scenes:
        if wanted and scene.__name__ not in wanted:
            continue
        try:
            await asyncio.wait_for(scene(), LIMIT_S)
        except BaseException as error:  # noqa: BLE001 - whatever a client raises
            failed = 1
            traceback.print_exc()
            print(f"failed {scene.__name__} {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
        else:
            print(f"passed {scene.__name__}", flush=True)
    return failed
