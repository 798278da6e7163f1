"""Whether this process lives, and whether it wants new calls: what the ops port and VAIC's port both answer.

May import: actors, pykka, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pykka

from actors.messages.switchboard import GetStatus, SwitchboardStatus
from actors.process.switchboard import Switchboard
from actors.system.actor import LoopFuture

ANSWER_LIMIT_S = 1.0
# The paths of GET requests that anybody may send: they tell nothing but yes or no.
LIVE, READY = "/livez", "/readyz"
# What an answer to READY begins with where it is no; the reason follows.
NOT_READY = "not ready: "
# Reasons that are not the switchboard's.
KEYS_MISSING, NO_SWITCHBOARD = "the issuer's keys are missing", "the switchboard does not answer"


class Health:
    """For the loop's thread. alive: whether the actor tree can do its work, or is still to be started."""

    def __init__(self, alive: Callable[[], bool]) -> None:
        self._alive = alive
        self._switchboard: pykka.ActorRef[Switchboard] | None = None
        self._lets_in: Callable[[], bool] = lambda: True

    def begin(self, switchboard: pykka.ActorRef[Switchboard], lets_in: Callable[[], bool]) -> None:
        """From now on calls are taken. lets_in: whether a peer's token can be checked."""
        self._switchboard, self._lets_in = switchboard, lets_in

    async def status(self) -> SwitchboardStatus | None:
        """The switchboard's status, or None if it does not answer."""
        status = await self.ask(self._switchboard, GetStatus())
        return status if isinstance(status, SwitchboardStatus) else None

    async def failed(self) -> bool:
        """Whether only another process can help. Asked on the loop, so an answer also shows that the loop runs."""
        status = await self.status() if self._alive() else None
        return not self._alive() or (status is not None and status.writer_hangs)

    async def not_ready(self) -> str:
        """Why no new calls are wanted; "" if they are."""
        if self._switchboard is None:
            return "starting"
        if not self._lets_in():
            return KEYS_MISSING
        status = await self.status()
        return NO_SWITCHBOARD if status is None else status.not_ready

    @staticmethod
    async def ask(actor: pykka.ActorRef[Any] | None, message: object) -> object:
        """The answer of a loop actor, or None if there is none within ANSWER_LIMIT_S."""
        if actor is None:
            return None
        future = actor.ask(message, block=False)
        assert isinstance(future, LoopFuture)
        try:
            return await future.answer(ANSWER_LIMIT_S)
        except (TimeoutError, pykka.ActorDeadError):
            return None
