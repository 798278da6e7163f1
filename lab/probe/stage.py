"""Plays scenes, a few beside each other; one that cannot connect is noted, and the others go on.

May import: lab.probe, the standard library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from lab.probe.ledger import ProbeLedger
from lab.probe.settings import ProbeSettings
from lab.probe.wire import NO_SOCKET

_Probe = TypeVar("_Probe")


async def play_scenes(
    probe: _Probe, scenes: Iterable[Callable[[_Probe], Awaitable[None]]], ledger: ProbeLedger, settings: ProbeSettings
) -> None:
    """Play those that the settings name, by their functions' names."""
    room = asyncio.Semaphore(settings.at_once)

    async def play(scene: Callable[[_Probe], Awaitable[None]]) -> None:
        async with room:
            try:
                await scene(probe)
            except NO_SOCKET as error:
                ledger.broken("connects", f"in {scene.__name__}: {error or type(error).__name__}")

    async with asyncio.TaskGroup() as tasks:
        for scene in scenes:
            if not settings.scenes or scene.__name__ in settings.scenes:
                tasks.create_task(play(scene))
