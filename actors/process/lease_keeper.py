"""Keeps a process's calls its own: renews their leases, and shows other processes that it lives.

On a thread and by connections of its own. A journal that waits for a lock, or for a table, must not let the leases run
out: other processes would end the calls.
May import: actors' messages, addresses, store, SQLAlchemy, loguru, the standard library.
Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from loguru import logger
from sqlalchemy import Engine

from actors.messages.switchboard import LeasesKept
from actors.system.address import Address, send
from store.causes import code_of
from store.database import DATABASE_ERRORS, may_pass
from store.leases import Leases
from store.proof import prove, refusal


class LeaseKeeper:
    """A job that is done at each `renew_every_s` of the leases. engine: of its own connections.

    The switchboard is told each time whether the store takes what this release writes, and that there is a keeper.
    """

    def __init__(self, engine: Engine, leases: Leases, switchboard: Address[LeasesKept]) -> None:
        self._engine = engine
        self._leases = leases
        self._switchboard = switchboard
        self._left = False
        self._round = threading.Lock()
        self._failing: dict[str, str] = {}  # by what is done, the code of its error
        # From now on it is missed: one that hangs in its first round has not said anything yet.
        send(switchboard, LeasesKept(answered=False))

    def keep(self) -> None:
        """One round. Each part is done whatever becomes of the others."""
        with self._round:
            if not self._left:
                self._keep()

    def _keep(self) -> None:
        self._do("life cannot be shown", self._leases.show_life)
        if held := self._leases.held:
            self._do("the leases cannot be renewed", lambda: self._leases.renew(held))
        error = self._do("the store takes nothing", lambda: prove(self._engine))
        if isinstance(error, DATABASE_ERRORS):
            away = may_pass(error)
            fault = "" if away else refusal(self._engine, error)
        else:
            away, fault = error is not None, ""
        send(self._switchboard, LeasesKept(answered=not away, fault=fault))

    def leave(self) -> None:
        """The process ends: nobody need wait until it seems dead."""
        with self._round:
            self._left = True
            if not self._failing:  # else it would take long, and say no more
                self._do("its row cannot be taken away", self._leases.leave)

    def _do(self, what: str, work: Callable[[], object]) -> Exception | None:
        """Returns the error, which is logged when it begins or changes."""
        try:
            work()
        except DATABASE_ERRORS as error:
            code = code_of(error)
            if self._failing.get(what) != code:
                logger.error(what, reason=code)
            self._failing[what] = code
            return error
        except Exception as error:  # noqa: BLE001 - the other parts must be done, and next time this one
            if self._failing.get(what) != type(error).__name__:
                logger.exception(what)
            self._failing[what] = type(error).__name__
            return error
        if self._failing.pop(what, ""):
            logger.warning(f"{what}: it is over")
        return None
