"""The sensitive zone of a call: while a task asks for what nobody may hear, only keys are taken.

The caller's audio is silence to the model and to our recording, what the caller writes is not read, and VAIC pauses its
own recording and masks its log. It ends with the question, however that ends.
Not an actor: a part of a call's supervisor. May import: actors, protocols, the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import assert_never

from actors.call.activities import CallActivities
from actors.messages.journal_rows import ActivityRow, JournalEntry
from actors.messages.vaic import CallerUnheard, VaicSocketMessage
from actors.system.address import Address
from actors.vaic.leg import CallerLeg
from protocols.activities import Action, PauseCallRecording, ResumeCallRecording, SensitiveInfo
from protocols.transitions import Table, go, rows, stay

# Of the keys of its activities: the number of the zone in its call, and the activity's within it.
_KEY = "sensitive:"


class Zone(Enum):
    OPEN = "open"  # the caller is heard
    CLOSED = "closed"


class ZoneEvent(Enum):
    KEYS_ASKED = "a secret is asked for"
    NO_KEYS_ASKED = "no secret is asked for"


class ZoneAction(Enum):
    NOTHING = "nothing"
    CLOSE = "close"
    OPEN = "open"


ZONE: Table[Zone, ZoneEvent, ZoneAction] = Table(
    "sensitive zone",
    Zone.OPEN,
    rows(
        go(Zone.OPEN, ZoneEvent.KEYS_ASKED, Zone.CLOSED, ZoneAction.CLOSE),
        stay(Zone.OPEN, ZoneEvent.NO_KEYS_ASKED, ZoneAction.NOTHING),
        go(Zone.CLOSED, ZoneEvent.NO_KEYS_ASKED, Zone.OPEN, ZoneAction.OPEN),
        stay(Zone.CLOSED, ZoneEvent.KEYS_ASKED, ZoneAction.NOTHING),
    ),
    rows(),
)
_ENTERED: tuple[Action, ...] = (PauseCallRecording(), SensitiveInfo(on=True))
_LEFT: tuple[Action, ...] = (SensitiveInfo(on=False), ResumeCallRecording())


class SensitiveZone:
    """vaic: the stable address of the session."""

    def __init__(self, activities: CallActivities, leg: CallerLeg, vaic: Address[VaicSocketMessage]) -> None:
        self._activities = activities
        self._leg = leg
        self._vaic = vaic
        self._zone = ZONE.start
        self._changes = 0

    @property
    def closed(self) -> bool:
        return self._zone is Zone.CLOSED

    def look(self, *, asked: bool, told: bool, away: bool) -> None:
        """asked: whether a task asks for a secret. told: VAIC may still be asked. away: the caller has no socket."""
        self._zone, action = ZONE.step(self._zone, ZoneEvent.KEYS_ASKED if asked else ZoneEvent.NO_KEYS_ASKED)
        match action:
            case ZoneAction.NOTHING:
                return
            case ZoneAction.CLOSE:
                actions = _ENTERED
            case ZoneAction.OPEN:
                actions = _LEFT
            case _:
                assert_never(action)
        self._unheard()
        self._changes += 1
        if told:
            wanted = {f"{_KEY}{self._changes}:{number}": each for number, each in enumerate(actions)}
            self._activities.ask(wanted, away=away)

    def restore(self, rows: Sequence[JournalEntry]) -> None:
        """Go on where another process has left it; `look` follows."""
        keys = [entry.row.key for entry in rows if isinstance(entry.row, ActivityRow)]
        numbers = [int(key.split(":")[1]) for key in keys if key.startswith(_KEY)]
        self._changes = max(numbers, default=0)
        self._zone = Zone.CLOSED if self._changes % 2 else Zone.OPEN
        self._unheard()

    def _unheard(self) -> None:
        self._leg.unheard = self.closed
        self._vaic.tell(CallerUnheard(unheard=self.closed))
