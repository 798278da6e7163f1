"""How a call leaves a process that is told to end, for another one: at a moment at which nobody speaks.

Not an actor: a part of a call's supervisor. May import: actors, the standard library.
Rules from: docs/specs/reliability.md 4.1.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.call import CallTimer, CallTimerKey, MoveCall, Parked
from actors.messages.journal import JournalMessage, Park
from actors.system.address import Address, send
from actors.system.timeouts import NamedTimers

# Runs from when the bot was heard out until the caller speaks, or a task has something to do.
QUIET = CallTimer.SILENCE
SERVICE_RESTART = 1012


class DrainHandover:
    """timers: the call's, which know when it is quiet. call: is told Parked when it may go.

    leaves: called before, to write the last row.
    """

    def __init__(
        self,
        conversation_id: str,
        journal: Address[JournalMessage],
        timers: NamedTimers[CallTimerKey],
        call: Address[Parked],
        leaves: Callable[[], None],
    ) -> None:
        self._conversation_id = conversation_id
        self._journal = journal
        self._timers = timers
        self._call = call
        self._leaves = leaves
        self._wanted = self._begun = False

    def wanted(self, move: MoveCall, away: bool) -> None:
        """The call is to leave. away: its caller has no socket just now, and comes back elsewhere."""
        self._wanted = True
        self.look(move.now or away)

    def look(self, now: bool = False) -> None:
        """Leave if that is wanted and the moment is right."""
        if self._wanted and not self._begun and (now or QUIET in self._timers):
            self._begun = True
            self._leaves()
            send(self._journal, Park(self._conversation_id, self._call))
