"""Writes journal and call records in batches, and opens and claims the leases of calls, on its own thread.

No call waits for a disk. While the database is unavailable, rows and records wait here. If it is there and does not
take what one call has written, that call's rows wait by themselves, and those of the others are written.
May import: actors, store, pydantic, SQLAlchemy, loguru, the standard library.
Rules from: docs/specs/reliability.md 5.2, 5.4.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar, assert_never

from loguru import logger
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from actors.bots import Bot, Bots
from actors.call.recorder import count_end_for_another, log_end
from actors.call.replay import end_row, left_record, opening_in
from actors.messages.call import Parked
from actors.messages.journal import (
    AppendRow,
    CallOpening,
    ClaimCall,
    DraftRecord,
    HeldUp,
    JournalMessage,
    OpenLease,
    Park,
    RenewLeases,
    ResumeState,
    WriteRecord,
)
from actors.messages.journal_rows import JournalEntry, UnreadRow, decode, encode, unknown_fields
from actors.messages.switchboard import CallClaimed, CallsForgotten, CallsLost, StoreTried, Unwritten
from actors.metrics import FENCED_ROWS, FORGOTTEN, HELD_ROWS, IDS_REPEATED, LOST_ROWS, PASSED_OVER, UNREADABLE
from actors.process.outbox_delivery import letter_of, version_of
from actors.process.store_health import NO_ANSWER
from actors.system.actor import ThreadActor
from actors.system.address import Address, ParentLink, send
from actors.tasks.replay import keys_ahead
from protocols.errors import ClaimOverdue, Fenced, TielineError
from protocols.sealing import KeyMissing
from store.call_keys import call_key, conversation_of
from store.causes import code_of
from store.database import may_pass
from store.journal import CallRecord, Journal, JournalRow
from store.leases import Lease, LeaseRefused, Leases, Orphan
from store.outbox import Letter

# Most rows and records in one transaction. Batched, because each transaction takes the interpreter lock from the loop a
# dozen times.
BATCH_ROWS = 256
# How long the first row of a batch waits for others.
GATHER_S = 0.02
# Messages that may wait for the database, or for a writer: a minute of two hundred busy calls.
JOURNAL_CAPACITY = 50_000
# The delay before the database is tried again doubles from one to the other.
FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 1.0
# How often the switchboard is told at most that the store was used, with the same result.
TELL_EVERY_S = 1.0
# Errors that may be the database's fault, or the row's.
_SUSPECT = (OperationalError, InterfaceError, PoolTimeout, ProgrammingError, InternalError)
# How often something is tried before the fault is looked for in it, and not in the database.
MOST_TRIES = 3
# How often what is held up is tried, at each renewal of the leases: two minutes. A lock may be left open that long.
MOST_HELD_TRIES = 24
# Rows and records that are held up; with more, the call that waits longest is given up.
MOST_HELD = 20_000
# For what is held up, at each renewal, and for the calls of a batch that failed: each try may take as long as the
# server waits for a lock.
HELD_BUDGET_S = 2.0
# Rows of one call, one after the other, that the database does not take in time: then the others are not tried alone.
MOST_WAITS = 3
# The last attempts to write, when the process ends.
GIVE_UP_S = 3.0
LOCKED = "its lease is locked"
RECORD = "record"  # what a call's record is called among the kinds of rows
T = TypeVar("T")


class _GivenUp(TielineError):
    """The process ends, and the database is not there."""


def _passes(error: Exception) -> bool:
    """Whether it is the database's, for now."""
    # Another process may have the key that is missing here.
    return isinstance(error, _GivenUp | KeyMissing) or (isinstance(error, _SUSPECT) and may_pass(error))


def _succeeds(prove: Callable[[], None]) -> bool:
    """Whether the database takes what it is asked to."""
    try:
        prove()
    except Exception:  # noqa: BLE001 - whatever it is, it is not a call's
        return False
    return True


@dataclass(slots=True)
class _OfCall:
    """What there is to write of one call, by its key. tries: how often that was in vain.

    leaves: the call has left this process, which lets go of its lease when this is written.
    """

    rows: list[JournalRow] = field(default_factory=list)
    record: CallRecord | None = None
    tries: int = 0
    leaves: bool = False

    @property
    def size(self) -> int:
        """Its rows, and the record."""
        return len(self.rows) + (self.record is not None)


@dataclass(slots=True)
class _Unleased:
    """A call whose lease could not be written yet. What it has written waits: its key is known with its lease.

    refused: the database takes no lease, rather than not now, or not this one.
    """

    message: OpenLease
    refused: bool
    rows: list[JournalEntry] = field(default_factory=list)
    record: CallRecord | None = None
    tries: int = 1


class JournalWriter(ThreadActor):
    """Receives: JournalMessage. What arrives while a batch is written becomes the next batch.

    A row that the database refuses is counted, logged and left out; while the database is unavailable everything waits.
    bots: for the version of a call that is taken over.
    switchboard: receives the calls that other processes have taken over, the answers to claims, and unwritten messages.
    leaving: set when the process ends; then what cannot be written is given back after GIVE_UP_S.
    """

    max_messages = JOURNAL_CAPACITY
    droppable = (AppendRow,)
    dropped = LOST_ROWS

    def __init__(
        self,
        parent_link: ParentLink,
        journal: Journal,
        leases: Leases,
        bots: Bots,
        switchboard: Address[CallClaimed | CallsForgotten | CallsLost | StoreTried | Unwritten],
        leaving: threading.Event | None = None,
    ) -> None:
        super().__init__(parent_link)
        self._journal = journal
        self._leases = leases
        self._bots = bots
        self._switchboard = switchboard
        self._rows: list[JournalEntry] = []
        self._ended: list[CallRecord] = []
        self._leaving = leaving or threading.Event()
        self._give_up_s = math.inf  # monotonic
        self._told_s, self._told = -math.inf, (True, 0)  # when the switchboard was told of the store last, and what
        self._held_up: dict[str, _OfCall] = {}  # by key, the one that was tried least recently first
        self._unleased: dict[str, _Unleased] = {}  # by conversation
        self._not_looked_after = ""  # the error of the last round
        self._reported: set[str] = set()  # keys of calls of which something is not written
        self._written: dict[str, int] = {}  # by key, the last row of a call of this process
        self._gathered = False  # the current batch has waited GATHER_S

    def on_stop(self) -> None:
        self._write()
        self._try_unleased()
        self._write()
        self._try_held_up(HELD_BUDGET_S)
        self._give_back()

    def on_failure(self, *_: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        """Give what is not written to the next writer, or whoever counts it."""
        rows, ended = self._rows, self._ended
        for key, held in self._held_up.items():
            self.on_unread(HeldUp(key, tuple(held.rows), held.record, held.tries, held.leaves))
        for unleased in self._unleased.values():
            self.on_unread(unleased.message)
            rows = rows + unleased.rows
            ended = ended + ([unleased.record] if unleased.record is not None else [])
        self._rows, self._ended, self._held_up, self._unleased = [], [], {}, {}
        for entry in rows:
            self.on_unread(AppendRow(entry))
        for record in ended:
            self.on_unread(WriteRecord(record))

    def on_unread(self, message: JournalMessage) -> None:
        """Return it to the switchboard, for the next writer."""
        send(self._switchboard, Unwritten(message))

    def on_receive(self, message: JournalMessage) -> None:  # noqa: PLR0915 - one flat match, a case a message
        match message:
            case AppendRow():
                self._rows.append(message.entry)
            case WriteRecord():
                self._ended.append(message.record)
            case HeldUp():
                held = _OfCall([*message.rows], message.record, message.tries, message.leaves)
                self._hold_up(message.key, held)
            case DraftRecord():
                self._write()
                self._draft(message.record)
            case OpenLease():
                if any(each.conversation_id == message.conversation_id for each in self._ended):
                    self._write()
                self._without_lease(message.conversation_id)  # of an earlier call with this id
                self._open(message)
            case ClaimCall():
                self._write()
                self._claim(message)
            case Park():
                self._write()
                self._park(message)
            case RenewLeases():
                self._write()
                self._try_unleased()
                self._try_held_up(HELD_BUDGET_S)
                try:
                    self._look_after_leases()
                except _GivenUp:
                    pass
                except Exception as error:  # noqa: BLE001 - a damaged table: the next round may go better, and rows are still written
                    if code_of(error) != self._not_looked_after:
                        logger.exception("the leases cannot be looked after")
                    self._not_looked_after = code_of(error)
                    self._tell_of_store(answered=False)
                else:
                    self._not_looked_after = ""
            case _:
                assert_never(message)
        if self._rows or self._ended:
            self._gather()

    # --- rows and records ---

    def _gather(self) -> None:
        """Write the batch if it is full, or no more messages wait after GATHER_S."""
        if self.actor_inbox.empty() and not self._gathered:
            self._gathered = True
            time.sleep(GATHER_S)
        if self.actor_inbox.empty() or len(self._rows) + len(self._ended) >= BATCH_ROWS:
            self._write()

    def _write(self) -> None:
        rows, ended = self._rows, self._ended
        self._rows, self._ended, self._gathered = [], [], False
        if self._unleased:
            rows = [entry for entry in rows if not self._waits_for_lease(entry)]
            ended = [record for record in ended if not self._ends_without_lease(record)]
        if rows or ended:
            # Serialised on this thread, to keep the cost off the loop.
            self._put_down([self._encoded(entry) for entry in rows], [self._keyed(record) for record in ended])

    def _put_down(self, rows: Sequence[JournalRow], ended: Sequence[CallRecord]) -> None:
        """Write rows and records, which are under the calls' keys."""
        if self._held_up:  # what comes after something that waits, waits
            rows = [row for row in rows if not self._joins(row.conversation_id, [row])]
            ended = [record for record in ended if not self._joins(record.conversation_id, [], record)]
        if not rows and not ended:
            return
        try:
            left_out = self._retrying(lambda: self._append(rows, ended))
        except Exception as error:  # noqa: BLE001 - one of them was refused: write each call's alone, so the others are not lost
            self._by_call(rows, ended, given_up=isinstance(error, _GivenUp))
            return
        self._appended(rows, ended, left_out)
        self._write_left_out(left_out)

    def _append(self, rows: Sequence[JournalRow], ended: Sequence[CallRecord]) -> list[JournalRow]:
        """Write rows and records, and what is to be told of these calls, as `Journal.append` does."""
        records = [(record, self._leases.epoch(record.conversation_id)) for record in ended]
        return self._journal.append(rows, records, self._letters(ended))

    def _appended(
        self, rows: Sequence[JournalRow], ended: Sequence[CallRecord], left_out: Sequence[JournalRow]
    ) -> None:
        """Note what was written."""
        self._wrote([row for row in rows if row not in left_out] if left_out else rows)
        for record in ended:
            self._leases.forget(record.conversation_id)

    def _write_left_out(self, rows: Sequence[JournalRow]) -> None:
        """Write the rows that were left out because the store had forgotten their lease, not because another has it."""
        kept = self._fenced(row.conversation_id for row in rows)
        for key in dict.fromkeys(row.conversation_id for row in rows):
            of_call = _OfCall([row for row in rows if row.conversation_id == key])
            if key in kept:
                self._write_call(key, of_call, again=False)
            else:
                self._drop(key, of_call.size)

    def _by_call(self, rows: Sequence[JournalRow], ended: Sequence[CallRecord], *, given_up: bool) -> None:
        """Write what is of each call alone, as far as there is time."""
        calls: dict[str, _OfCall] = {}
        for row in rows:
            calls.setdefault(row.conversation_id, _OfCall()).rows.append(row)
        for record in ended:
            calls.setdefault(record.conversation_id, _OfCall()).record = record
        answers, locked = not given_up, set() if given_up else self._locked(calls)
        until_s = time.monotonic() + HELD_BUDGET_S
        for key, of_call in calls.items():
            if key in locked:
                self._hold_up(key, of_call, LOCKED)
            elif not answers or time.monotonic() > until_s:
                # All wait: trying each would take the longer the more calls there are.
                self._hold_up(key, of_call)
            else:
                self._write_call(key, of_call)
                answers = key not in self._held_up or self._takes_rows()

    def _write_call(self, key: str, of_call: _OfCall, *, again: bool = True) -> None:
        """Write what there is of one call, once; what cannot be written now is held up.

        again: once more if the store has forgotten its lease.
        """
        rows = [self._stamped(row) for row in of_call.rows]
        ended = [] if of_call.record is None else [of_call.record]
        try:
            left_out = self._append(rows, ended)
        except Fenced:
            if again and self._fenced((key,)):
                self._write_call(key, of_call, again=False)
            else:
                self._drop(key, of_call.size)
            return
        except Exception as error:  # noqa: BLE001 - drivers raise errors of their own
            if isinstance(error, _SUSPECT) and (may_pass(error) or not self._takes_rows()):
                self._hold_up(key, of_call, code_of(error))
            else:
                self._one_by_one(key, of_call)
            return
        self._appended(rows, ended, left_out)
        if again:
            self._write_left_out(left_out)
        elif left_out:
            self._drop(key, len(left_out))

    def _one_by_one(self, key: str, of_call: _OfCall) -> None:
        """Write each row of a call alone; those that are not taken are lost."""
        left_out: list[JournalRow] = []
        waits, last = 0, Exception()
        for row in of_call.rows:
            if waits >= MOST_WAITS:
                self._lose(key, row.kind, last)
                continue
            try:
                left_out += self._journal.append([self._stamped(row)])
            except Exception as error:  # noqa: BLE001 - drivers raise errors of their own
                waits, last = waits + may_pass(error), error
                self._lose(key, row.kind, error)
            else:
                waits = 0
                self._wrote([row])
        self._write_left_out(left_out)
        if of_call.record is not None:
            self._close(of_call.record)

    # --- what is held up ---

    def _hold_up(self, key: str, of_call: _OfCall, reason: str = "") -> None:
        """Have it wait, before what waits of the same call. reason: why a try was in vain; "" if there was none."""
        if not of_call.tries and reason:
            log = logger.bind(conversation=key)
            log.error("rows of this call wait: the database does not take them now", reason=reason)
        of_call.tries += bool(reason)
        if (later := self._held_up.pop(key, None)) is not None:
            record, leaves = later.record or of_call.record, later.leaves or of_call.leaves
            of_call = _OfCall(of_call.rows + later.rows, record, of_call.tries, leaves)
        self._held_up[key] = of_call
        self._count_held()

    def _joins(self, key: str, rows: list[JournalRow], record: CallRecord | None = None) -> bool:
        """Put rows of a call behind those of it that wait, if any do. Returns whether any do."""
        held = self._held_up.get(key)
        if held is None:
            return False
        held.rows += rows
        held.record = record or held.record
        if self._count_held() > MOST_HELD:
            self._try_call(next(iter(self._held_up)), give_up=True)
        return True

    def _try_held_up(self, limit_s: float) -> None:
        """Try what is held up again, each call's once, and give up what was tried often enough."""
        until_s, locked = time.monotonic() + limit_s, self._locked(self._held_up)
        for key in list(self._held_up):
            give_up = self._held_up[key].tries >= MOST_HELD_TRIES
            if key in locked and not give_up:
                self._hold_up(key, self._held_up.pop(key), LOCKED)
            elif time.monotonic() > until_s or self._given_up or not self._takes_rows():
                break
            else:
                self._try_call(key, give_up=give_up)
        self._count_held()

    def _try_call(self, key: str, *, give_up: bool = False) -> None:
        """Try what is held up of one call again. give_up: what is not taken now is lost."""
        held = self._held_up.pop(key)
        (self._one_by_one if give_up else self._write_call)(key, held)
        if key in self._held_up:
            return
        logger.bind(conversation=key).warning("rows of this call wait no more", given_up=give_up)
        if held.leaves and self._leases.has(key):
            self._let_go(key)

    def _locked(self, keys: Iterable[str]) -> set[str]:
        """Those of the calls whose lease somebody has locked: trying each would take a second."""
        try:
            return self._leases.locked(list(keys))
        except Exception:  # noqa: BLE001 - whatever it is, the tries will tell
            return set()

    def _count_held(self) -> int:
        waiting = sum(each.size for each in self._held_up.values())
        HELD_ROWS.set(waiting)
        return waiting

    def _takes_rows(self) -> bool:
        """Whether the database takes rows of the journal, as far as one row of no call can tell."""
        return _succeeds(self._journal.prove)

    # --- single rows and statements ---

    def _wrote(self, rows: Sequence[JournalRow]) -> None:
        self._written |= {row.conversation_id: row.seq for row in rows}

    def _encoded(self, entry: JournalEntry) -> JournalRow:
        """The entry of a call of this process, under the call's key."""
        key = self._leases.key(entry.conversation_id)
        return encode(replace(entry, conversation_id=key), self._leases.epoch(key))

    def _stamped(self, row: JournalRow) -> JournalRow:
        """A row under the epoch that its call has by now; under its own if this process does not have the call."""
        key = row.conversation_id
        return replace(row, epoch=self._leases.epoch(key)) if self._leases.has(key) else row

    def _keyed(self, record: CallRecord) -> CallRecord:
        """The record of a call of this process, under the call's key."""
        return record.model_copy(update={"conversation_id": self._leases.key(record.conversation_id)})

    def _draft(self, record: CallRecord) -> None:
        keyed = self._keyed(record)
        if record.conversation_id not in self._unleased and keyed.conversation_id not in self._held_up:
            self._write_fenced(lambda epoch: self._journal.draft(keyed, epoch), RECORD, keyed.conversation_id)

    def _close(self, record: CallRecord) -> None:
        key = record.conversation_id
        self._write_fenced(lambda epoch: self._journal.finish(record, epoch, self._letters([record])), RECORD, key)
        self._leases.forget(key)

    def _letters(self, ended: Sequence[CallRecord]) -> list[Letter]:
        """What is to be told of calls that have ended. Raises: SQLAlchemy's OperationalError, as `_version` does."""
        letters = []
        for record in ended:
            bot = version_of(self._bots, record.bot, record.bot_digest, _passes) or self._bots.present(record.bot)
            if bot is not None and bot.profile.after_call is not None:
                letters.append(letter_of(record, words=bot.profile.after_call.words))
        return letters

    def _write_fenced(self, write: Callable[[int], None], kind: str, key: str) -> bool:
        """Write for a call, under the epoch of its lease. Returns whether it still is this process's."""
        for _ in range(2):  # again if the store has forgotten its lease
            try:
                self._try(lambda: write(self._leases.epoch(key)), kind, key)
            except Fenced:
                if self._fenced((key,)):
                    continue
                if kind == RECORD:
                    self._drop(key, 1)
                return False
            else:
                return True
        return False

    def _try(self, write: Callable[[], T], kind: str, key: str) -> T | None:
        try:
            return self._retrying(write)
        except (ClaimOverdue, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise errors of their own
            self._lose(key, kind, error)
            return None

    def _drop(self, key: str, dropped: int) -> None:
        """Count what is the other process's to tell, which has taken the call over, and log it once for each call."""
        if not dropped:
            return
        FENCED_ROWS.inc(dropped)
        if self._is_first(key):
            log = logger.bind(conversation=key)
            log.warning("rows of a call that another process has are not written; more of it are counted", rows=dropped)

    def _is_first(self, key: str) -> bool:
        """Whether nothing was reported yet that is not written of this call."""
        if key in self._reported:
            return False
        if len(self._reported) >= MOST_HELD:
            self._reported.clear()
        self._reported.add(key)
        return True

    def _lose(self, key: str, kind: str, error: Exception) -> None:
        """Count what cannot be written, and log it once for each call."""
        LOST_ROWS.inc()
        if not self._is_first(key):
            return
        # Not the error's text: it may hold callers' words.
        log = logger.bind(conversation=key)
        log.error(
            "a row cannot be written to the journal; more of this call are counted", kind=kind, reason=code_of(error)
        )

    def _retrying(self, write: Callable[[], T]) -> T:
        """Repeat while the database is unavailable, or takes no rows at all.

        Raises: any other error of `write`; one that may pass, if it stays while the database takes rows of others.
        """
        tries, delay_s, logged = 0, 0.0, False
        while True:
            if self._given_up:
                raise _GivenUp
            try:
                result = write()
            except _SUSPECT as error:
                tries += 1
                self._tell_of_store(answered=False)  # before the next attempt, which may take as long
                if tries >= MOST_TRIES or not may_pass(error):
                    if self._takes_rows():
                        self._tell_of_store(answered=True)
                        raise
                    if not logged:
                        logger.error("the journal waits for its database", reason=code_of(error))
                    logged = True
                    self._tell_of_store(answered=False)
                delay_s = min(max(2 * delay_s, FIRST_RETRY_S), LONGEST_RETRY_S)
                time.sleep(delay_s)
            else:
                if logged:
                    logger.warning("the journal has its database again")
                self._tell_of_store(answered=True)
                return result

    @property
    def _given_up(self) -> bool:
        """Whether the process has been ending for GIVE_UP_S."""
        if self._leaving.is_set():
            self._give_up_s = min(self._give_up_s, time.monotonic() + GIVE_UP_S)
        return time.monotonic() > self._give_up_s

    def _tell_of_store(self, *, answered: bool) -> None:
        now_s, what = time.monotonic(), (answered, sum(each.refused for each in self._unleased.values()))
        if what != self._told or now_s - self._told_s >= TELL_EVERY_S:
            self._told_s, self._told = now_s, what
            send(self._switchboard, StoreTried(*what))

    # --- leases ---

    def _open(self, message: OpenLease) -> None:
        try:
            lease = self._retrying(partial(self._opened, message))
        except Exception as error:  # noqa: BLE001 - drivers raise errors of their own
            self._not_opened(message, error)
        else:
            self._have_lease(message, lease)

    def _opened(self, message: OpenLease) -> Lease | LeaseRefused:
        opening = message.opening.model_dump(mode="json")
        call = message.conversation_id, message.credential
        return self._leases.open(*call, opening, message.others, self._held_up.keys())

    def _not_opened(self, message: OpenLease, error: Exception) -> None:
        """Try again later, if that may help."""
        conversation_id = message.conversation_id
        if not isinstance(error, (*_SUSPECT, _GivenUp)):
            self._lose(conversation_id, "lease", error)
            return
        self._unleased[conversation_id] = _Unleased(message, refused=self._refuses_leases(error))
        log = logger.bind(conversation=conversation_id)
        log.error("the lease of this call cannot be written: it is tried again", reason=code_of(error))
        self._tell_of_store(answered=True)

    def _refuses_leases(self, error: Exception) -> bool:
        """Whether a lease was refused, and that of another call would be too."""
        return not may_pass(error) and not _succeeds(self._leases.prove)

    def _have_lease(self, message: OpenLease, lease: Lease | LeaseRefused) -> None:
        conversation_id = message.conversation_id
        log = logger.bind(conversation=conversation_id)
        match lease:
            case LeaseRefused():
                log.error("another process, or another credential, has this conversation's lease")
                send(self._switchboard, CallsLost((conversation_id,)))
            case Lease() if lease.key != call_key(conversation_id):
                IDS_REPEATED.inc()
                log.warning("this conversation id was used before: the call has a key of its own", key=lease.key)
            case _:
                pass

    def _waits_for_lease(self, entry: JournalEntry) -> bool:
        if (unleased := self._unleased.get(entry.conversation_id)) is None:
            return False
        unleased.rows.append(entry)
        return True

    def _ends_without_lease(self, record: CallRecord) -> bool:
        if (unleased := self._unleased.get(record.conversation_id)) is None:
            return False
        unleased.record = record
        return True

    def _try_unleased(self) -> None:
        """Try to write the leases again that could not be written."""
        until_s = time.monotonic() + HELD_BUDGET_S
        for conversation_id, unleased in list(self._unleased.items()):
            if time.monotonic() > until_s or self._given_up:
                break
            try:
                lease = self._opened(unleased.message)
            except Exception as error:  # noqa: BLE001 - drivers raise errors of their own
                unleased.tries += 1
                unleased.refused = self._refuses_leases(error)
                overdue = unleased.tries > MOST_HELD_TRIES and unleased.record is not None
                if not isinstance(error, _SUSPECT) or (overdue and self._takes_rows()):
                    self._lose(conversation_id, "lease", error)
                    self._without_lease(conversation_id)
                continue
            del self._unleased[conversation_id]
            logger.bind(conversation=conversation_id).warning("the lease of this call is written")
            self._have_lease(unleased.message, lease)
            self._take_up(unleased)
        if self._told[1]:
            self._tell_of_store(answered=True)

    def _without_lease(self, conversation_id: str) -> None:
        """Write what there is of a call that gets no lease any more."""
        if (unleased := self._unleased.pop(conversation_id, None)) is not None:
            self._take_up(unleased)

    def _take_up(self, unleased: _Unleased) -> None:
        self._rows = unleased.rows + self._rows
        self._ended += [] if unleased.record is None else [unleased.record]
        self._write()

    def _claim(self, message: ClaimCall) -> None:
        conversation_id = message.conversation_id
        ours = conversation_id, message.credential, message.others, message.until_s
        try:
            lease = self._try(lambda: self._leases.claim(*ours), "lease", conversation_id)
        except ClaimOverdue:
            logger.bind(conversation=conversation_id).warning("too late to take this call over: it is left as it is")
            return
        if lease is None or isinstance(lease, LeaseRefused):
            # A lease that cannot be written says nothing of the call: VAIC may try again.
            send(self._switchboard, CallClaimed(message, None, lease.reason if lease else NO_ANSWER))
            return
        try:
            resume_state = self._resume_state(lease)
            ahead = keys_ahead(lease.key, resume_state.rows)
            acted = frozenset(ahead[key] for key in self._retrying(lambda: self._journal.begun(ahead)))
            bot = self._version(resume_state.opening)
        except Exception as error:  # noqa: BLE001 - whatever its rows hold, it costs this call and no other
            passes = _passes(error)
            if isinstance(error, KeyMissing):
                logger.bind(conversation=lease.key).error("a call cannot be taken over here", reason=str(error))
            if passes:  # it says nothing of the call: VAIC may try again, here or elsewhere
                with suppress(*_SUSPECT):
                    self._leases.park(lease.key, lease.epoch)
            else:
                self._set_aside(lease.key)
            self._leases.forget(lease.key)
            send(self._switchboard, CallClaimed(message, None, NO_ANSWER if passes else "its journal cannot be read"))
            return
        send(self._switchboard, CallClaimed(message, replace(resume_state, acted=acted, bot=bot)))

    def _version(self, opening: CallOpening) -> Bot | None:
        """The version in which a call began; the present one stands for one that cannot be made.

        Here, because it may have to be read and compiled.
        Raises: SQLAlchemy's OperationalError, or that it was given up, where the store cannot say.
        """
        return self._retrying(lambda: version_of(self._bots, opening.bot, opening.bot_digest, _passes))

    def _park(self, message: Park) -> None:
        self._without_lease(message.conversation_id)
        key = self._leases.key(message.conversation_id)
        if key in self._held_up and not self._given_up:
            self._try_call(key)
        if not self._leases.epoch(key) and message.call is None:  # no lease of ours is left
            return
        if message.call is None:
            if (held := self._held_up.get(key)) is None:
                self._let_go(key)
            else:  # without its lease it could not be written any more
                held.leaves = True
        elif self._write_fenced(lambda epoch: self._leases.park(key, epoch), "lease", key):
            send(message.call, Parked())

    def _let_go(self, key: str) -> None:
        """Release the lease of a call of which nothing more is written here."""
        if self._write_fenced(lambda epoch: self._leases.park(key, epoch), "lease", key):
            self._leases.forget(key)

    def _look_after_leases(self) -> None:
        """Find the calls of this process that others have, and those of processes that have died.

        The leases are renewed by the LeaseKeeper.
        """
        held = self._leases.held
        if held:
            self._fenced(self._retrying(lambda: self._leases.lost(held)))
        self._look_for_rows()
        for orphan in self._retrying(self._leases.orphans):
            try:
                self._end_orphan(orphan)
            except Exception as error:  # noqa: BLE001 - whatever its rows hold, the others are ended
                self._leases.forget(orphan.key)
                if _passes(error):  # it says nothing of the call, whose record a later round writes
                    log = logger.bind(conversation=orphan.key)
                    log.warning("a call whose process died cannot be ended now", reason=code_of(error))
                    continue
                self._set_aside(orphan.key)
                self._leases.leave_out(orphan.key)

    def _look_for_rows(self) -> None:
        """Report the calls whose last row the store does not have any more."""
        held = self._leases.held
        written = self._written = {key: seq for key, seq in self._written.items() if key in held}
        if not written:
            return
        if gone := self._retrying(lambda: self._journal.missing(written)):
            for key in gone:
                del written[key]
                FORGOTTEN.inc()
                logger.bind(conversation=key).error("the store has lost rows of this call that it had")
            send(self._switchboard, CallsForgotten(tuple(conversation_of(key) for key in gone)))

    def _end_orphan(self, orphan: Orphan) -> None:
        """Write the record of a call whose process died and that was not resumed, from its journal."""
        key = orphan.key
        lease = self._retrying(lambda: self._leases.adopt(orphan))
        if isinstance(lease, LeaseRefused):
            return
        logger.bind(conversation=key).warning("a call whose process died was not resumed: it is ended")
        try:
            left = self._resume_state(lease)
            record = left_record(key, left)
            end = None if record is None else end_row(record, left)
        except Exception as error:  # as for a claim; its rows stay for whoever looks
            if _passes(error):
                raise
            self._set_aside(key)
            record = end = None
        if record is None:
            self._write_fenced(lambda epoch: self._leases.end(key, epoch), "lease", key)
            self._leases.forget(key)
            return
        count_end_for_another(record)
        log_end(record, logger.bind(conversation=key))
        if end is not None:  # whoever reads the journal finds how the call ended
            last = encode(end, lease.epoch)
            self._try(lambda: self._journal.append([last]), last.kind, key)
        self._close(record)

    def _set_aside(self, key: str) -> None:
        UNREADABLE.labels("journal of a call").inc()
        log = logger.bind(conversation=key)
        log.opt(exception=True).error("the journal of a call cannot be read: it is set aside")

    def _resume_state(self, lease: Lease) -> ResumeState:
        """A call's state from its lease and its journal. What this release cannot read is counted and skipped."""
        log = logger.bind(conversation=lease.key)
        stored = self._retrying(lambda: self._journal.rows(lease.key))
        rows = tuple(decode(row) for row in stored)
        unread = [entry.row for entry in rows if isinstance(entry.row, UnreadRow)]
        fields = {f"{row.kind}.{name}" for row in stored for name in unknown_fields(row)}
        PASSED_OVER.labels("unknown kind").inc(sum(not row.known for row in unread))
        PASSED_OVER.labels("cannot be read").inc(sum(row.known for row in unread))
        PASSED_OVER.labels("unknown field").inc(sum(len(unknown_fields(row)) for row in stored))
        if unread or fields:
            kinds = sorted({row.kind for row in unread})
            log.warning("another release wrote this journal: some of it is skipped", rows=kinds, fields=sorted(fields))
        return ResumeState(_opening_of(lease, rows), rows, last_seq=lease.last_seq)

    def _fenced(self, keys: Iterable[str]) -> set[str]:
        """Tell the switchboard of calls that do not have their leases. Returns those that go on nevertheless."""
        kept: set[str] = set()
        told: dict[bool, list[str]] = {True: [], False: []}  # by whether it goes on
        for key in dict.fromkeys(keys):
            conversation_id, log = conversation_of(key), logger.bind(conversation=key)
            goes_on = bool(self._try(partial(self._leases.keep, key), "lease", key))
            if self._leases.key(conversation_id) == key:  # else the id is that of a later call by now
                told[goes_on].append(conversation_id)
            if goes_on:
                kept.add(key)
                self._written.pop(key, None)  # what else the store has lost of it is no news
                FORGOTTEN.inc()
                log.error("the store has lost the lease of this call that it had")
                continue
            if self._leases.epoch(key):  # else it was logged before
                log.warning("another process has taken this call over")
            self._leases.forget(key)
            if (held := self._held_up.pop(key, None)) is not None:  # it is the other one's to tell
                self._drop(key, held.size)
        if told[True]:
            send(self._switchboard, CallsForgotten(tuple(told[True])))
        if told[False]:
            send(self._switchboard, CallsLost(tuple(told[False])))
        return kept


def _opening_of(lease: Lease, rows: Sequence[JournalEntry]) -> CallOpening:
    """What the lease keeps of the call; if that cannot be read, what the journal's first row does."""
    try:
        if lease.opening:
            return CallOpening.model_validate(lease.opening)
    except ValidationError:
        logger.bind(conversation=lease.key).error("the lease's opening cannot be read")
    return opening_in(rows)
