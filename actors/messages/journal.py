"""What the journal's keeper is told: JournalMessage; and what a call leaves for whoever takes it over."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from actors.messages.call import Parked
from actors.messages.journal_rows import JournalEntry
from actors.system.address import Address
from store.journal import CallRecord


class CallOpening(BaseModel):
    """What the lease of a call tells the process that takes it over. media: the format that was agreed on.

    As with the rows of the journal, what is new has a default, and what is not known is ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    bot: str = ""
    caller: str = ""
    media: str = ""


@dataclass(frozen=True, slots=True)
class AppendRow:
    """One control-plane event for the journal."""

    entry: JournalEntry


@dataclass(frozen=True, slots=True)
class Close:
    """A call's record, final."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class OpenLease:
    """A call has begun here: nobody else is to write for it. opening: for the process that takes it over."""

    conversation_id: str
    credential: str = field(repr=False)
    opening: CallOpening


@dataclass(frozen=True, slots=True)
class ClaimCall:
    """A call is resumed that is not here. Answered with CallClaimed."""

    conversation_id: str
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Park:
    """A call leaves this process. Answered with Parked once all that was told before is written.

    call: still writes for it while nobody else has taken it over. None: nobody here has anything to write any more.
    """

    conversation_id: str
    call: Address[Parked] | None


@dataclass(frozen=True, slots=True)
class RenewLeases:
    """The leases are to last longer; and who has left calls behind for good, has them ended."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """A call as another process left it. rows: its journal, in order. acted: runs whose yes was carried out since."""

    opening: CallOpening
    rows: tuple[JournalEntry, ...]
    acted: frozenset[str] = frozenset()


JournalMessage = AppendRow | Close | OpenLease | ClaimCall | Park | RenewLeases
