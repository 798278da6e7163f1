"""Writes journal and call records in batches, and holds the leases of calls, on its own thread.

No call waits for a disk. While the database is unavailable, rows and records wait here.
May import: actors, store, pydantic, SQLAlchemy, loguru, the standard library.
Rules from: docs/specs/reliability.md 5.2, 5.4.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar, assert_never

from loguru import logger
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from actors.bots import Bot, Bots
from actors.call.replay import end_row, left_record
from actors.messages.call import Parked
from actors.messages.journal import (
    AppendRow,
    CallOpening,
    ClaimCall,
    DraftRecord,
    JournalMessage,
    OpenLease,
    Park,
    RenewLeases,
    ResumeState,
    WriteRecord,
)
from actors.messages.journal_rows import CallRow, JournalEntry, UnreadRow, decode, encode, unknown_fields
from actors.messages.switchboard import CallClaimed, CallsForgotten, CallsLost, StoreTried, Unwritten
from actors.metrics import FORGOTTEN, IDS_REPEATED, LOST_ROWS, PASSED_OVER, UNREADABLE
from actors.system.actor import ThreadActor
from actors.system.address import Address, ParentLink, send
from actors.tasks.replay import keys_ahead
from protocols.errors import ClaimOverdue, Fenced
from store.call_keys import call_key, conversation_of
from store.journal import CallRecord, Journal, JournalRow
from store.leases import Lease, LeaseRefused, Leases, Orphan

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
_UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout)
T = TypeVar("T")


class JournalWriter(ThreadActor):
    """Receives: JournalMessage. What arrives while a batch is written becomes the next batch.

    A row that the database refuses is counted, logged and left out; while the database is unavailable everything waits.
    bots: for the version of a call that is taken over.
    switchboard: receives the calls that other processes have taken over, the answers to claims, and unwritten messages.
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
    ) -> None:
        super().__init__(parent_link)
        self._journal = journal
        self._leases = leases
        self._bots = bots
        self._switchboard = switchboard
        self._rows: list[JournalEntry] = []
        self._ended: list[CallRecord] = []
        self._told_s, self._told = -math.inf, True  # when the switchboard was told of the store last, and what
        self._written: dict[str, int] = {}  # by key, the last row of a call of this process
        self._gathered = False  # the current batch has waited GATHER_S

    def on_stop(self) -> None:
        self._write()

    def on_failure(self, *_: object) -> None:
        for entry in self._rows:
            self.on_unread(AppendRow(entry))
        for record in self._ended:
            self.on_unread(WriteRecord(record))

    def on_unread(self, message: JournalMessage) -> None:
        """Return it to the switchboard, for the next writer."""
        send(self._switchboard, Unwritten(message))

    def on_receive(self, message: JournalMessage) -> None:
        match message:
            case AppendRow():
                self._rows.append(message.entry)
            case WriteRecord():
                self._ended.append(message.record)
            case DraftRecord():
                self._write()
                record, _ = self._keyed(message.record)
                self._write_fenced(lambda epoch: self._journal.draft(record, epoch), "record", record.conversation_id)
            case OpenLease():
                if any(each.conversation_id == message.conversation_id for each in self._ended):
                    self._write()
                self._open(message)
            case ClaimCall():
                self._write()
                self._claim(message)
            case Park():
                self._write()
                self._park(message)
            case RenewLeases():
                self._write()
                try:
                    self._renew()
                except Exception:  # noqa: BLE001 - a damaged table: the next round may go better, and rows are still written
                    logger.exception("the leases cannot be renewed")
                    self._tell_of_store(answered=False)
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
        (rows, ended), leases = (self._rows, self._ended), self._leases
        self._rows, self._ended, self._gathered = [], [], False
        if not rows and not ended:
            return
        records = [self._keyed(record) for record in ended]
        try:
            # Serialised on this thread, to keep the cost off the loop.
            stored = [self._encoded(entry) for entry in rows]
            left_out = self._retrying(lambda: self._journal.append(stored, records))
        except Exception:  # noqa: BLE001 - one of them was refused: write each alone, so the others are not lost
            left_out = [each for entry in rows for each in self._append_one(entry)]
            for record, _ in records:
                self._close(record)
        else:
            self._written |= {row.conversation_id: row.seq for row in stored if row not in left_out}
            for record, _ in records:
                leases.forget(record.conversation_id)
        if kept := self._fenced(row.conversation_id for row in left_out):
            again = {(row.conversation_id, row.seq) for row in left_out if row.conversation_id in kept}
            for entry in rows:
                if (self._leases.key(entry.conversation_id), entry.seq) in again:
                    self._append_one(entry)

    def _encoded(self, entry: JournalEntry) -> JournalRow:
        """The entry of a call of this process, under the call's key."""
        key = self._leases.key(entry.conversation_id)
        return encode(replace(entry, conversation_id=key), self._leases.epoch(key))

    def _keyed(self, record: CallRecord) -> tuple[CallRecord, int]:
        """The record of a call of this process, under the call's key; and the epoch for it."""
        key = self._leases.key(record.conversation_id)
        return record.model_copy(update={"conversation_id": key}), self._leases.epoch(key)

    def _append_one(self, entry: JournalEntry) -> list[JournalRow]:
        left_out = self._try(
            lambda: self._journal.append([self._encoded(entry)]), entry.row.kind, entry.conversation_id
        )
        return left_out or []

    def _close(self, record: CallRecord) -> None:
        key = record.conversation_id
        self._write_fenced(lambda epoch: self._journal.finish(record, epoch), "record", key)
        self._leases.forget(key)

    def _write_fenced(self, write: Callable[[int], None], kind: str, key: str) -> bool:
        """Write for a call, under the epoch of its lease. Returns whether it still is this process's."""
        for _ in range(2):  # again if the store has forgotten its lease
            try:
                self._try(lambda: write(self._leases.epoch(key)), kind, key)
            except Fenced:
                if not self._fenced((key,)):
                    return False
            else:
                return True
        return False

    def _try(self, write: Callable[[], T], kind: str, conversation_id: str) -> T | None:
        try:
            return self._retrying(write)
        except (ClaimOverdue, Fenced):
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise errors of their own
            LOST_ROWS.inc()
            # Not the error's text: it may hold callers' words.
            log = logger.bind(conversation=conversation_id)
            log.error("a row cannot be written to the journal", kind=kind, reason=type(error).__name__)
            return None

    def _retrying(self, write: Callable[[], T]) -> T:
        """Repeat while the database is unavailable. Raises: any other error of `write`."""
        delay_s = 0.0
        while True:
            try:
                result = write()
            except _UNAVAILABLE as error:
                self._tell_of_store(answered=False)
                if not delay_s:
                    logger.error("the journal waits for its database", reason=type(error).__name__)
                delay_s = min(max(2 * delay_s, FIRST_RETRY_S), LONGEST_RETRY_S)
                time.sleep(delay_s)
            else:
                if delay_s:
                    logger.warning("the journal has its database again")
                self._tell_of_store(answered=True)
                return result

    def _tell_of_store(self, *, answered: bool) -> None:
        now_s = time.monotonic()
        if answered != self._told or now_s - self._told_s >= TELL_EVERY_S:
            self._told_s, self._told = now_s, answered
            send(self._switchboard, StoreTried(answered))

    # --- leases ---

    def _open(self, message: OpenLease) -> None:
        conversation_id = message.conversation_id
        opening = message.opening.model_dump(mode="json")
        lease = self._try(
            lambda: self._leases.open(conversation_id, message.credential, opening, message.others),
            "lease",
            conversation_id,
        )
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

    def _claim(self, message: ClaimCall) -> None:
        conversation_id = message.conversation_id
        ours = conversation_id, message.credential, message.others, message.until_s
        try:
            lease = self._try(lambda: self._leases.claim(*ours), "lease", conversation_id)
        except ClaimOverdue:
            logger.bind(conversation=conversation_id).warning("too late to take this call over: it is left as it is")
            return
        if lease is None or isinstance(lease, LeaseRefused):
            send(self._switchboard, CallClaimed(message, None, lease.reason if lease else "failed"))
            return
        try:
            resume_state = self._resume_state(lease)
            ahead = keys_ahead(lease.key, resume_state.rows)
            acted = frozenset(ahead[key] for key in self._retrying(lambda: self._journal.begun(ahead)))
        except Exception:  # noqa: BLE001 - whatever its rows hold, it costs this call and no other
            self._set_aside(lease.key)
            self._leases.forget(lease.key)
            send(self._switchboard, CallClaimed(message, None, "its journal cannot be read"))
            return
        bot = self._version(resume_state.opening)
        send(self._switchboard, CallClaimed(message, replace(resume_state, acted=acted, bot=bot)))

    def _version(self, opening: CallOpening) -> Bot | None:
        """The version in which a call began. Here, because it may have to be read and compiled."""
        try:
            return self._bots.version(opening.bot, opening.bot_digest)
        except Exception:  # noqa: BLE001 - code of tasks, or the database: the call goes on in the present version
            logger.exception("a version of a bot cannot be made", bot=opening.bot, digest=opening.bot_digest)
            return None

    def _park(self, message: Park) -> None:
        key = self._leases.key(message.conversation_id)
        if not self._leases.epoch(key) and message.call is None:  # no lease of ours is left
            return
        if not self._write_fenced(lambda epoch: self._leases.park(key, epoch), "lease", key):
            return
        if message.call is None:
            self._leases.forget(key)
        else:
            send(message.call, Parked())

    def _renew(self) -> None:
        held = self._leases.held
        if held:
            self._fenced(self._retrying(lambda: self._leases.renew(held)))
        self._look_for_rows()
        for orphan in self._retrying(self._leases.orphans):
            try:
                self._end_orphan(orphan)
            except Exception:  # noqa: BLE001 - whatever its rows hold, the others are ended
                self._set_aside(orphan.key)
                self._leases.leave_out(orphan.key)
                self._leases.forget(orphan.key)

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
        except Exception:  # noqa: BLE001 - as for a claim; its rows stay for whoever looks
            self._set_aside(key)
            record = end = None
        if record is None:
            self._write_fenced(lambda epoch: self._leases.end(key, epoch), "lease", key)
            self._leases.forget(key)
            return
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
    first = rows[0].row if rows else None
    if not isinstance(first, CallRow):
        return CallOpening()
    return CallOpening(bot=first.bot, bot_digest=first.bot_digest, caller=first.caller, media=first.media)
