"""All that the store has about a person or a call: found, listed, erased.

A person is known by a number. A call's caller is kept as the telephone system has sent it, so stored numbers are read
as E.164 before they are compared. What others have said about the person in calls of theirs is not found.
Each call is erased in a transaction of its own, so that no call in progress waits; one that is cut short is repeated.
May import: protocols, SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, Text, cast, func, or_, select

from protocols.caller_id import e164, is_withheld
from protocols.errors import TielineError
from protocols.sealing import KeyMissing
from store import schema
from store.audit import note
from store.calls import caller_of, has_no_record, may_be_recorded, started_at
from store.data_keys import KeyGone
from store.database import reading, reading_long
from store.effect_log import unsettled
from store.holds import held
from store.leases import delete_leases
from store.package_tables import PersonalTable, check, personal_tables
from store.retention import Outside
from store.rows import DAMAGE
from store.sealed_words import WordsKey, body_of, effect_of, facts_of, record_of

# Keys in one IN; SQLite takes 32,766.
AT_ONCE = 500
# What an erasure here does not reach, for the receipt.
NOT_REACHED = (
    "backups",
    "logs",
    "databases of bots' own",
    "the model's provider",
    "VoiceAI Connect",
    "systems of tools",
)


# What a row says that is encrypted and cannot be read.
UNREAD = "cannot_be_read"


class NotErased(TielineError):
    """It may not be erased now. Its text says why, without a number."""


class Nobody(TielineError):
    """A number that is no single person's: a withheld one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is meant: the caller of a number, or one call. numbers: as stored. calls: their keys."""

    number: str
    numbers: frozenset[str]
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, without personal data. rows: by table. calls: how many. digest: of all rows' tables and keys.

    Whoever still has the rows, as in a backup, can show by the digest which were meant; nobody can read them from it.
    audit_seq, audit_hash: the row of the audit that tells of it, by which the audit's end is known.
    """

    id: str
    at: datetime
    what: str
    reason: str
    calls: int
    rows: Mapping[str, int]
    digest: str
    audit_seq: int
    audit_hash: str
    not_reached: Sequence[str] = field(default=NOT_REACHED)


class People:
    """For one thread. region: for numbers without a country's code, as for `e164`. outside: what files there are.

    Raises: SQLAlchemy's OperationalError if the database is unavailable.
    """

    def __init__(self, engine: Engine, region: str = "", outside: Sequence[Outside] = ()) -> None:
        self._engine = engine
        self._region = region
        self._outside = outside

    def caller(self, number: str) -> Subject:
        """All of a number: its calls, also those in progress, and what is kept by the number alone.

        Raises: Nobody.
        """
        if is_withheld(number):
            raise Nobody("a withheld number is nobody's: name each call, by its id")
        wanted = e164(number, self._region) or number
        with reading_long(self._engine) as connection:
            tables = _with_callers(connection)
            numbers = {wanted, number} | {
                stored
                for table in tables
                for stored in connection.scalars(select(table.caller).distinct())
                if stored and e164(stored, self._region) == wanted
            }
            calls: set[str] = set()
            for each in tables:
                for some in _parts(sorted(numbers)):
                    calls |= set(connection.scalars(select(each.call).where(each.caller.in_(some)).distinct()))
            calls |= set(self._without_record(connection, wanted, numbers))
        # Rows may name no call: a booking that was entered by hand.
        return Subject(wanted, frozenset(numbers), tuple(sorted(calls - {""})))

    def call(self, key: str) -> Subject:
        """One call, with what its caller has done in it."""
        return Subject("", frozenset(), (key,))

    def _without_record(self, connection: Connection, wanted: str, numbers: Collection[str]) -> Iterator[str]:
        """The calls of a number that have no record: in progress, or it could not be written."""
        lease = schema.lease.c
        rows = select(lease.conversation_id, lease.opening["caller"].as_string())
        rows = rows.where(has_no_record(lease.conversation_id))
        for key, caller in connection.execute(rows):
            if caller and (caller in numbers or e164(caller, self._region) == wanted):
                yield key

    def _has_others(self, connection: Connection, subject: Subject) -> bool:
        """Whether there is a call of the number that was not there when the subject was looked for."""
        if set(self._without_record(connection, subject.number, subject.numbers)) - {*subject.calls}:
            return True
        known, column = {*subject.calls}, schema.call.c
        return any(
            not known.issuperset(connection.scalars(select(column.conversation_id).where(column.caller.in_(some))))
            for some in _parts(sorted(subject.numbers))
        )

    # --- access ---

    def rows(self, subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every row about a person, with its table's name; then the names of files."""
        with reading_long(self._engine) as connection:
            key_of = cache(partial(WordsKey, connection))  # a journal has many rows
            for each in _places(connection):
                if each.table is schema.data_key:  # nothing of the person's: it opens what is
                    continue
                for where in _wheres(each, subject):
                    for row in connection.execute(select(each.table).where(where)).mappings():
                        plain = _opened(key_of, each.table, dict(row))
                        yield each.table.name, {k: v for k, v in plain.items() if k != "credential"}
        yield from self._files(subject)

    def counts(self, subject: Subject) -> dict[str, int]:
        """How many rows an erasure would delete, by table, and how many files."""
        counted: Counter[str] = Counter()
        with reading_long(self._engine) as connection:
            for each in _places(connection):
                for where in _wheres(each, subject):
                    found = select(func.count()).select_from(each.table).where(where)
                    counted[each.table.name] += connection.scalar(found) or 0
        counted.update(name for name, _ in self._files(subject))
        return {name: number for name, number in sorted(counted.items()) if number}

    def why_not(self, subject: Subject, *, needed_too: bool = False) -> str:
        """Why it would not be erased now, as far as the store tells; "" if it would."""
        with reading_long(self._engine) as connection:
            try:
                self._check(connection, _places(connection), subject, needed_too)
            except NotErased as why:
                return str(why)
        return ""

    def _files(self, subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
        for outside in self._outside:
            for call in subject.calls:
                for name in outside.listed(call, self._began(call)):
                    yield outside.name, {"conversation_id": call, "file": name}

    # --- erasure ---

    def erase(self, subject: Subject, who: str, reason: str, *, needed_too: bool = False) -> Receipt:
        """Erase all of it, and note that in the audit.

        needed_too: also what is not over, as a booking to come. Raises: NotErased for a call in progress, an
        effect without an outcome, what is held, and what is not over; then nothing was erased, or only whole calls.
        """
        with reading(self._engine) as connection:
            places = _places(connection)
            self._check(connection, places, subject, needed_too)
        receipt = uuid.uuid4().hex
        what: dict[str, Any] = {"what": "caller" if subject.number else "call", "calls": len(subject.calls)}
        with self._engine.begin() as connection:
            # Before the first row is gone: one that is cut short finds nothing to tell of when it is said again.
            note(connection, who, "erases", receipt, what | {"reason": reason})
        gone: Counter[str] = Counter()
        digest: list[str] = []
        for outside in self._outside:
            try:
                for call in subject.calls:
                    gone[outside.name] += outside.delete(call, self._began(call))
            except OSError as error:
                raise NotErased(f"{error}: say it again") from None
        # The record last: by it the call is found again, if this is cut short.
        parts = [Subject("", frozenset(), (call,)) for call in subject.calls]
        for part in [*parts, Subject(subject.number, subject.numbers, ())]:
            with self._engine.begin() as connection:
                self._check(connection, places, part, needed_too)
                for each in reversed(places):
                    for where in _wheres(each, part):
                        keys = _delete(connection, each.table, where)
                        gone[each.table.name] += len(keys)
                        digest += keys
        _forget_log(self._engine)
        rows = {name: number for name, number in sorted(gone.items()) if number}
        told = what | {
            "rows": rows,
            "digest": hashlib.sha256("\n".join(sorted(digest)).encode()).hexdigest(),
        }
        with self._engine.begin() as connection:
            written = note(connection, who, "erased", receipt, told | {"reason": reason})
        known: dict[str, Any] = {"reason": reason, "audit_seq": written.seq, "audit_hash": written.hash}
        if gone[schema.data_key.name]:
            known["not_reached"] = (f"{NOT_REACHED[0]}, but for what was encrypted", *NOT_REACHED[1:])
        return Receipt(receipt, datetime.now(UTC), **known, **told)

    def _began(self, call: str) -> datetime | None:
        return started_at(self._engine, call)

    def _check(
        self, connection: Connection, places: Sequence[PersonalTable], subject: Subject, needed_too: bool
    ) -> None:
        """Raises: NotErased."""
        holds, lease, now = held(connection), schema.lease.c, datetime.now(UTC)
        if subject.number and holds.covers_caller(subject.number):
            raise NotErased("the caller is held: tieline hold list")
        if subject.number and self._has_others(connection, subject):
            raise NotErased("the caller has called meanwhile: say it again when that call has ended")
        for some in _parts(subject.calls):
            if holds.calls & {*some}:
                raise NotErased("a call is held: tieline hold list")
            if (holds.callers or holds.unread) and any(
                holds.covers(each, caller_of(connection, each)) for each in some
            ):
                raise NotErased("the caller is held: tieline hold list")
            live = select(lease.conversation_id).where(lease.conversation_id.in_(some), lease.status != "ended")
            # Whoever takes the call over waits for the end of this transaction.
            if (key := connection.scalar(live.limit(1))) is not None:
                raise NotErased(f"call {key} is in progress: erase it when it has ended")
            if not self._outside and (recorded := may_be_recorded(connection, some)):
                raise NotErased(f"call {min(recorded)} may be recorded: set TIELINE_RECORDINGS as the daemon has it")
        for where in _wheres(PersonalTable(schema.effect), subject):
            if connection.scalar(select(schema.effect.c.key).where(where, unsettled()).limit(1)) is not None:
                raise NotErased("an effect has no outcome yet: tieline effects")
        for each in places:
            if each.needed is not None and not needed_too:
                for where in _wheres(each, subject):
                    query = select(each.table).where(where, each.needed(now)).limit(1)
                    if connection.execute(query).first() is not None:
                        raise NotErased(f"a row of {each.table.name} is not over: cancel it first, or say --needed-too")


def _opened(key_of: Callable[..., WordsKey], table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row with what is sealed in it as it was; with UNREAD, and why, where that cannot be read."""
    try:
        if table is schema.call_event and isinstance(row["body"], dict):
            return {**row, "body": body_of(row, key_of(row["conversation_id"]))}
        if table is schema.call and isinstance(row["record"], dict):
            return {**row, "record": record_of(row["record"], key_of(row["conversation_id"]))}
        if table is schema.effect and isinstance(row["slots"], dict) and isinstance(row["values"], dict):
            return effect_of(row, key_of(row["conversation_id"], "effects"))
        if table is schema.outbox and isinstance(row["facts"], dict):
            return {**row, "facts": facts_of(row["facts"], key_of(row["conversation_id"]), row["key"])}
    except (KeyMissing, KeyGone, *DAMAGE) as why:
        return {**row, UNREAD: str(why)}
    return row


def _delete(connection: Connection, table: Table, where: ColumnElement[bool]) -> list[str]:
    """Returns the table's name and the key of each row that is gone."""
    if table is schema.lease:
        return [f"{table.name}/{key}" for key in delete_leases(connection, where)]
    keys = [cast(column, Text) for column in table.primary_key.columns]
    found = connection.execute(table.delete().where(where).returning(*keys))
    return ["/".join((table.name, *map(str, row))) for row in found]


@dataclass(frozen=True, slots=True)
class _Columns:
    call: Any
    caller: Any


def _places(connection: Connection) -> list[PersonalTable]:
    """The tables about callers, with the call's own before those that belong to it.

    Raises: WrongTables if those of an installed package cannot be had: what they hold would be left out.
    """
    check()
    ours: list[tuple[Table, str]] = [
        (schema.call, "caller"), (schema.lease, ""), (schema.call_event, ""), (schema.outbox, "caller"),
        (schema.effect, "caller"), (schema.call_report, ""), (schema.data_key, ""),
    ]  # fmt: skip
    return [*(PersonalTable(table, caller=caller) for table, caller in ours), *personal_tables(connection)]


def _with_callers(connection: Connection) -> list[_Columns]:
    return [_Columns(each.table.c[each.call], each.table.c[each.caller]) for each in _places(connection) if each.caller]


def _wheres(place: PersonalTable, subject: Subject) -> Iterator[ColumnElement[bool]]:
    """The conditions of the rows of a table that are a subject's, one a statement; no row is met twice."""
    call, numbers = place.table.c[place.call], sorted(subject.numbers)
    of_calls = list(_parts(subject.calls))
    for some in of_calls:
        yield call.in_(some)
    if place.caller and numbers:
        yield place.table.c[place.caller].in_(numbers) & (
            ~or_(*(call.in_(some) for some in of_calls)) if of_calls else call.is_not(None)
        )


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))


def _forget_log(engine: Engine) -> None:
    """SQLite's write-ahead log has the rows as they were, until it is begun anew; where nobody reads, at once."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
