"""Messages to the JournalWriter (JournalMessage), and the state from which another process resumes a call."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from actors.bots import Bot
from actors.messages.call import Parked
from actors.messages.journal_rows import JournalEntry
from actors.system.address import Address
from store.journal import CallRecord, JournalRow


class CallOpening(BaseModel):
    """What a call's lease stores for the process that takes it over.

    media: the name of the negotiated format. text: the bot answers in writing. address: of the peer that opened it.
    bot, bot_digest: which answers, and in which version.

    As in the rows of the journal, new fields have defaults, and unknown ones are ignored.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    bot: str = ""
    bot_digest: str = ""
    caller: str = ""
    media: str = ""
    text: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class AppendRow:
    """One control-plane event for the journal."""

    entry: JournalEntry


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write a call's final record, and end its lease."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class DraftRecord:
    """Write the preliminary record of a call that only waits for a task's step; a WriteRecord follows."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class HeldUp:
    """What a writer that has ended could not write of one call, for the next one. tries: how often that was in vain.

    key: the call's in the store, under which the rows and the record are; its id may be a later call's by now.
    leaves: the call has left this process, which lets go of its lease when this is written.
    """

    key: str
    rows: tuple[JournalRow, ...]
    record: CallRecord | None
    tries: int
    leaves: bool


@dataclass(frozen=True, slots=True)
class OpenLease:
    """Take the lease of a call that begins here. opening: for a process that takes it over. others: see Peer."""

    conversation_id: str
    credential: str = field(repr=False)
    opening: CallOpening
    others: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ClaimCall:
    """Take over a call that is resumed here and not known to this process. Answered with CallClaimed.

    others: see Peer. until_s: monotonic; then its socket is closed, the call may be resumed elsewhere, and this message
    is not carried out or answered any more.
    """

    conversation_id: str
    credential: str = field(repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)
    until_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Park:
    """A call leaves this process. Answered with Parked once everything sent before is written.

    call: told Parked; it may still write until another process has taken the call over. None: nothing more is written.
    """

    conversation_id: str
    call: Address[Parked] | None


@dataclass(frozen=True, slots=True)
class RenewLeases:
    """Renew the leases of this process, and end calls whose process died and that were not resumed."""


@dataclass(frozen=True, slots=True)
class ResumeState:
    """A call's state, as another process left it.

    rows: its journal, in order, as far as it can be read. acted: runs whose confirmed effect that process had begun,
    after the last row. last_seq: of the whole journal. bot: the version in which it began, None if it cannot be had.
    """

    opening: CallOpening
    rows: tuple[JournalEntry, ...]
    acted: frozenset[str] = frozenset()
    last_seq: int = 0
    bot: Bot | None = None


JournalMessage = AppendRow | WriteRecord | DraftRecord | HeldUp | OpenLease | ClaimCall | Park | RenewLeases
