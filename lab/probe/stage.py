"""Plays a probe's scenes, a few beside each other; one that cannot connect, or is flooded, is noted and the others
go on.

May import: lab.probe, websockets, the standard library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from websockets.exceptions import InvalidStatus

from lab.probe.ledger import ProbeLedger, ProbeReport
from lab.probe.settings import ProbeSettings, Unreachable
from lab.probe.wire import NO_SOCKET, Flooded, ProbeSocket


class Probe(Protocol):
    """All scenes with one peer."""

    settings: ProbeSettings
    ledger: ProbeLedger


_Probe = TypeVar("_Probe", bound=Probe)


async def graded(
    probe: _Probe,
    first: AbstractAsyncContextManager[object],
    scenes: Iterable[Callable[[_Probe], Awaitable[None]]],
    spec: str,
) -> ProbeReport:
    """Play the scenes that the settings name, by their functions' names.

    first: a socket of the peer's, before the first scene. Raises: Unreachable, if there is none.
    """
    settings, ledger = probe.settings, probe.ledger
    try:
        async with first:
            pass
    except NO_SOCKET as error:
        raise Unreachable(str(error) or type(error).__name__) from None
    except Flooded as flood:
        _flooded(ledger, "connect", flood)
    room = asyncio.Semaphore(settings.at_once)

    async def play(scene: Callable[[_Probe], Awaitable[None]]) -> None:
        async with room:
            try:
                await scene(probe)
            except NO_SOCKET as error:
                ledger.broken("connects", f"in {scene.__name__}: {error or type(error).__name__}")
            except Flooded as flood:
                _flooded(ledger, scene.__name__, flood)
            else:
                ledger.kept("no_flood")

    async with asyncio.TaskGroup() as tasks:
        for scene in scenes:
            if not settings.scenes or scene.__name__ in settings.scenes:
                tasks.create_task(play(scene))
    return ProbeReport(settings.url, spec, ledger.findings())


def _flooded(ledger: ProbeLedger, scene: str, flood: Flooded) -> None:
    ledger.broken("no_flood", f"in {scene}: floods {flood}", flood.message)


async def judge_refusal(
    ledger: ProbeLedger, rule: str, socket: AbstractAsyncContextManager[ProbeSocket], statuses: Container[int]
) -> None:
    """Judge that the upgrade of this socket is refused with one of these HTTP statuses."""
    try:
        async with socket as line:
            ledger.broken(rule, "the upgrade succeeds", *line.seen[:1])
    except InvalidStatus as error:
        status = error.response.status_code
        ledger.judge(rule, status in statuses, f"HTTP {status}")
    except NO_SOCKET as error:
        ledger.broken(rule, f"no HTTP status: {type(error).__name__}")
