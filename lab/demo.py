"""The demonstration: a call is placed, and one line told for each turn while it goes on.

The command line starts the daemon and the engine; this room knows only their URLs.
May import: lab, aiohttp, the standard library.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from lab.caller import CallReport, CallSettings, place_call
from lab.caller.script import Step

LOOK_EVERY_S = 0.25
START_LIMIT_S = 60.0


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_until_listening(port: int, alive: Callable[[], bool]) -> None:
    """Until somebody listens on a port of loopback; both our servers are ready when they do.

    Raises: TimeoutError, or ConnectionError when what is waited for has ended.
    """
    async with asyncio.timeout(START_LIMIT_S):
        while alive():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                writer.close()
                return
    raise ConnectionError(f"port {port}: ended while starting")


async def call_and_tell(settings: CallSettings, script: Sequence[Step], tell: Callable[[str], None]) -> CallReport:
    """Place the call; tell a line for each turn and each step of a task as the daemon's ops endpoint shows them."""
    watching = asyncio.create_task(_watch(f"{settings.ops_url}/calls/{settings.conversation_id}", tell))
    try:
        return await place_call(settings, script)
    finally:
        # The record in the books ends the watch; a call that left none ends it here.
        done, _ = await asyncio.wait({watching}, timeout=2)
        if not done:
            watching.cancel()


async def _watch(url: str, tell: Callable[[str], None]) -> None:
    """Tell what is new in a call's record, until the call is over."""
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
            await asyncio.sleep(LOOK_EVERY_S)


def _lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to tell, each with a key by which it is told once."""
    lines = []
    for turn in record.get("turns", []):
        # A bot's turn is told once it is heard: only then is it known how much of it was.
        if turn["text"] and (turn["role"] == "caller" or turn["ended_ms"] is not None):
            at_s = (turn["began_ms"] or 0) / 1000
            lines.append((turn["item_id"], f"{at_s:6.1f} s  {turn['role']:<6}  {turn['text']}"))
    for task in record.get("tasks", []):
        states = " → ".join(task["states"])
        lines.append((f"{task['run_id']} {states}", f"          task    {task['agent']}: {states} ({task['result']})"))
    return lines
