"""A scenario: what a caller wants and how they answer, and the expected result.

May import: tests.talk, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.talk.line import Condition

# Every call is on Wednesday 2026-11-25, 10:00 UTC.
NOW = "2026-11-25T10:00:00"
CALLER = "+4930555010"
RECEPTION, BILLING = "tel:+4930555020", "tel:+4930555021"


class Kind(Enum):
    """What a scenario is about."""

    BOOK = "booking"
    CORRECT = "corrections"
    DIGRESS = "digressions"
    REFUSED = "refused times"
    MOVE = "moving"
    CANCEL = "cancelling"
    HUMAN = "humans"
    SILENCE = "silences"
    KEYS = "keys"
    INTERRUPT = "barge-in, hang-up"
    NAMES = "names"
    UNSURE = "unsure callers"


class Act(Enum):
    """What a sentence of the caller's is meant to do, beside giving values."""

    GIVES = "gives values"
    YES = "agrees to what was read back"
    NO = "does not agree to it"
    BOOK = "wants an appointment"
    MOVE = "wants one moved"
    CANCEL = "wants one cancelled"
    GIVE_UP = "wants no more of it"
    HUMAN = "wants a human"
    BYE = "says goodbye"
    CHATS = "asks, waits or says something else: nothing is to be done"


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the caller's. values: what it gives, by slot, as JSON. by_other: somebody else says it.

    coughs: the speaker coughs before it.
    """

    text: str
    act: Act = Act.GIVES
    values: Mapping[str, str] = field(default_factory=dict)
    by_other: bool = False
    coughs: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """Presses keys."""

    keys: str
    act: Act = Act.GIVES
    values: Mapping[str, str] = field(default_factory=dict)


class Deed(Enum):
    """What a caller does without words."""

    NOTHING = "says nothing until the bot speaks again"
    HANGS_UP = "hangs up"
    COUGHS = "coughs"


Answer = Line | Keys | Deed


class Asked(Enum):
    """What the bot has asked, or said last; the values of the first few are the slots asked for."""

    DAY = "day"
    AT = "at"
    NAME = "name"
    WHICH = "which"
    WHICH_AT = "which_at"
    WHOM = "to"
    READ_BACK = "whether that is right"
    CHANGE = "what to change"
    MORE = "what else there is to do"
    AGAIN = "to say it again"
    THERE = "whether the caller is there"
    PARTING = "nothing: it says goodbye"
    NOTHING = "nothing"


class End(Enum):
    """How the call ended."""

    HUNG_UP = "bot-disconnected"
    TRANSFERRED = "transferred"
    CALLER_HUNG_UP = "client-disconnected"


@dataclass(frozen=True, slots=True)
class StoredAppointment:
    """An appointment that is stored before the call. at: "2026-11-26 10:30" in UTC."""

    at: str
    name: str = "John Smith"
    caller: str = CALLER


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What must be true after the call.

    stored: the times of all appointments there are then. names: of whom they are, in that order; None: not judged.
    end: how it ended, any of these. to: whom the caller was put through to.
    """

    stored: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    end: tuple[End, ...] = (End.HUNG_UP,)
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One caller.

    says: to "what can I do for you" and "anything else", one after the other, and then goodbye. answers: to what is
    asked, one after the other; without one the caller says what `wants` has. interrupts: said into the bot's sentence
    that asks that, once. wants: what the caller is after, by slot, as it will have to be read back; what is read back
    otherwise is corrected. voice, condition: of the line; None: the next in turn.
    """

    name: str
    kind: Kind
    about: str
    says: tuple[Answer, ...]
    ends: Ends
    answers: Mapping[Asked, tuple[Answer, ...]] = field(default_factory=dict)
    interrupts: Mapping[Asked, Line] = field(default_factory=dict)
    wants: Mapping[str, str] = field(default_factory=dict)
    others: tuple[StoredAppointment, ...] = ()
    goodbye: str = "No, thank you very much. Goodbye."
    voice: str | None = None
    condition: Condition | None = None
