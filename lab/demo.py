"""The demo: places a call and prints one line for each turn while it goes on.

The command line starts the daemon and the engine; this module knows only their URLs.
May import: lab, aiohttp, the standard library.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from lab.caller import CallReport, CallSettings, place_call
from lab.caller.script import ScriptStep

POLL_S = 0.25
START_LIMIT_S = 60.0  # for the engine to load its models


def free_port() -> int:
    """A loopback port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_until_listening(port: int, alive: Callable[[], bool]) -> None:
    """Wait until a loopback port accepts connections; both our servers are ready when they listen.

    alive: whether the process still runs. Raises: TimeoutError; ConnectionError if the process has ended.
    """
    async with asyncio.timeout(START_LIMIT_S):
        while alive():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(POLL_S)
            else:
                writer.close()
                return
    raise ConnectionError(f"port {port}: ended while starting")


async def call_and_tell(
    settings: CallSettings, script: Sequence[ScriptStep], tell: Callable[[str], None]
) -> CallReport:
    """Place the call; pass `tell` a line for each turn and each task state that the daemon's ops endpoint shows."""
    watching = asyncio.create_task(_watch(f"{settings.ops_url}/calls/{settings.conversation_id}", tell))
    try:
        return await place_call(settings, script)
    finally:
        # The call's final record ends the watch; cancel it for a call that left none.
        done, _ = await asyncio.wait({watching}, timeout=2)
        if not done:
            watching.cancel()


async def _watch(url: str, tell: Callable[[str], None]) -> None:
    """Print what is new in a call's record, until the call is over."""
    told: set[str] = set()
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as answer:
                record: dict[str, Any] = await answer.json() if answer.status == 200 else {}
            for key, line in _lines(record):
                if key not in told:
                    told.add(key)
                    tell(line)
            if record.get("outcome", "open") != "open":
                return
            await asyncio.sleep(POLL_S)


def _lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines of a record, each with a key by which it is printed once."""
    lines = []
    for turn in record.get("turns", []):
        # A bot's turn is printed after it was heard: before that, it is unknown how much of it was.
        if turn["text"] and (turn["role"] == "caller" or turn["ended_ms"] is not None):
            at_s = (turn["began_ms"] or 0) / 1000
            lines.append((turn["item_id"], f"{at_s:6.1f} s  {turn['role']:<6}  {turn['text']}"))
    for task in record.get("tasks", []):
        states = " → ".join(task["states"])
        lines.append((f"{task['run_id']} {states}", f"          task    {task['agent']}: {states} ({task['result']})"))
    return lines
