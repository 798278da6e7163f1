"""How long calls are kept, and the deletion of what is older: a little at a time, so that no call waits for it.

SQLite has one writer at a time, so a transaction deletes as many rows as take BUDGET_S, by what others took: what
is left of a call is deleted by the next one. A call at which another transaction is, as an erasure, is left to the next
round. Never touched: calls in progress, effects without an outcome, letters that wait, what is held. Ages are by the
database's clock.
May import: protocols, SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Float,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy import tuple_ as row_of

from store import schema
from store.calls import has_no_record
from store.data_keys import delete_keys, delete_keys_of_effects
from store.database import moment, reading, unsynced
from store.effect_log import SETTLED
from store.holds import Held, held
from store.journal import TurnRecord
from store.leases import delete_leases
from store.package_tables import PersonalTable, personal_tables
from store.rows import DAMAGE, distinct, readable
from store.sealed_words import emptied

# What a transaction should take, by dialect, and the fewest and most rows that it tries in that time. Nobody waits for
# PostgreSQL's: its budget is for the processor, which calls need too, and against the cost of each transaction.
BUDGET_S = {"sqlite": 0.003, "postgresql": 0.02}
LEAST_ROWS, MOST_ROWS = 16, 2_000
# A call costs statements of its own, beside its rows: it counts as so many.
ROWS_OF_CALL = 16
# Of the time, the part that others have the database alone; and the pauses between two transactions that come of it.
OTHERS_SHARE = 0.9
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 1.0
# Calls and effects that are looked up at a time; and leases that are looked through for what belongs to no call.
PAGE = 200
WINDOW = 2_000
DAY_S = 86_400.0

What = Literal["words", "record", "effects", "strays"]


@dataclass(frozen=True, slots=True)
class KeptFor:
    """How many days after a call's end its parts are kept; 0: for ever. What the record has is deleted with it at last.

    audio: its recordings. words: all that was said, and the journal. record: the rest. effects: after their outcome.
    """

    audio: int = 0
    words: int = 0
    record: int = 0
    effects: int = 0

    @property
    def strays(self) -> int:
        """Of what belongs to a call that has no record."""
        return min(filter(None, (self.words, self.record)), default=0)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction has deleted. things: calls or effects that it has finished. rows: all that it changed.

    held: calls or effects that are kept because of a hold. seconds: how long others could not write to SQLite.
    worked_s: how long it took with all that led to it, waiting included.
    """

    what: What
    bot: str
    things: int = 0
    rows: int = 0
    held: int = 0
    seconds: float = 0.0
    worked_s: float = 0.0

    @property
    def pause_s(self) -> float:
        """For how long others have the database now."""
        return min(max(SHORTEST_PAUSE_S, pause_after_s(self.worked_s)), LONGEST_PAUSE_S)


def pause_after_s(worked_s: float) -> float:
    """For how long others have the database alone, after work that nobody waits for."""
    return worked_s * OTHERS_SHARE / (1 - OTHERS_SHARE)


class SweepPace:
    """How many rows a transaction deletes, so that it takes about budget_s: fewer soon, more by and by.

    By a quarter, because what takes long is often the machine.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self.rows = LEAST_ROWS

    @property
    def calls(self) -> int:
        """And of how many calls."""
        return max(1, self.rows // ROWS_OF_CALL)

    def took(self, seconds: float) -> None:
        """A transaction of so many rows took so long."""
        if seconds > self._budget_s:
            self.rows = max(LEAST_ROWS, self.rows * 3 // 4)
        elif seconds < self._budget_s / 2:
            self.rows = min(MOST_ROWS, self.rows + LEAST_ROWS)


class Outside(Protocol):
    """What is kept of calls outside the database, as recordings are. Blocks.

    A call is named by its key, and when it began; None if that is not known. Raises: OSError.
    """

    @property
    def name(self) -> str: ...

    def delete(self, call: str, began: datetime | None) -> int:
        """Delete all of a call. Returns how many things that were."""
        ...

    def listed(self, call: str, began: datetime | None) -> list[str]:
        """What there is of a call: names of files."""
        ...


class JobLost(Exception):
    """Another process does it by now."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """A call or an effect whose time is over."""

    key: str
    at: datetime
    call: str
    caller: str


_UNKNOWN = datetime.min.replace(tzinfo=UTC)
# Deletes of things, by their keys, at most so many rows of journals. Returns how many rows that were, and how many
# things are finished; None: there is more of them.
Step = Callable[[Connection, Sequence[str], int], tuple[int, int | None]]
Cursor = tuple[datetime, str] | None
Query = Callable[[str, str, int, Cursor], Select[Any]]  # of what is over, by dialect, bot and days
Stage = tuple[What, int, Query, Step]  # the days are 0 where it is kept for ever


class Retention:
    """For one thread. rule_of: by a bot's name; None: not known now, so all of it is kept.

    keep: said in each transaction; False ends the sweep, because another process has the job. failed: told what is
    outside and could not be deleted, so that its call is kept.
    Raises: SQLAlchemy's OperationalError if the database is unavailable.
    """

    def __init__(
        self,
        engine: Engine,
        rule_of: Callable[[str], KeptFor | None],
        keep: Callable[[Connection], bool] = lambda _: True,
        outside: Sequence[Outside] = (),
        failed: Callable[[OSError], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._rule_of = rule_of
        self._keep = keep
        self._outside = outside
        self._failed = failed
        self._personal: list[PersonalTable] = []
        self._pace = SweepPace(BUDGET_S[engine.dialect.name])

    def bots(self) -> list[str]:
        """The bots of which there are calls or effects."""
        with reading(self._engine) as connection:
            return sorted({*distinct(connection, schema.call.c.bot), *distinct(connection, schema.effect.c.bot)})

    def sweep(self) -> Iterator[Batch]:
        """Delete all whose time is over; yields after each transaction. Raises: JobLost."""
        began_s = time.monotonic()
        for batch in self._batches():
            yield replace(batch, worked_s=time.monotonic() - began_s)
            began_s = time.monotonic()

    def _batches(self) -> Iterator[Batch]:
        with reading(self._engine) as connection:
            self._personal = [each for each in personal_tables(connection) if each.with_record]
        bots = self.bots()
        for bot in bots:
            for what, days, query, step in self._stages(self._rule_of(bot)):
                if days:
                    yield from self._delete(what, bot, days, query, step)
        # That looks through whole tables: not where all is kept.
        if any(rule is not None and rule.strays for rule in map(self._rule_of, ("", *bots))):
            yield from self._strays()

    def due(self) -> Iterator[Batch]:
        """What `sweep` would delete now of calls and effects that are on record; nothing is changed."""
        for bot in self.bots():
            for what, days, query, _ in self._stages(self._rule_of(bot)):
                things = kept = 0
                for page in self._pages(query, bot, days) if days else ():
                    with reading(self._engine) as connection:
                        holds = held(connection)
                    of_page = sum(holds.covers(each.call, each.caller) for each in page)
                    things, kept = things + len(page) - of_page, kept + of_page
                yield Batch(what, bot, things, held=kept)

    # --- what is over ---

    def _stages(self, rule: KeptFor | None) -> tuple[Stage, ...]:
        """What is deleted of a bot, in this order; nothing where its rule is not known."""
        if rule is None:
            return ()
        return (
            ("words", rule.words, _calls_with_words, self._words_of),
            ("record", rule.record, _calls, self._record_of),
            ("effects", rule.effects, _effects, _settled),
        )

    def _pages(self, query: Query, bot: str, days: int) -> Iterator[list[_Thing]]:
        after: Cursor = None
        while True:
            with reading(self._engine) as connection:
                asked = query(connection.dialect.name, bot, days, after)
                page = readable(connection, schema.effect if query is _effects else schema.call, asked, _Thing)
            if not page:
                return
            yield page
            before, after = after, (page[-1].at, page[-1].key)
            if after == before:  # its key is no text, and another one once it was read: it is found again and again
                return

    def _delete(self, what: What, bot: str, days: int, query: Query, step: Step) -> Iterator[Batch]:
        for page in self._pages(query, bot, days):
            over = self._without_files(page) if what == "record" else page
            yield from self._work(what, bot, over, step)

    def _without_files(self, page: Sequence[_Thing]) -> Sequence[_Thing]:
        """Delete what is outside, before the record by which it would be found again. Returns those that it left."""
        if not self._outside:
            return page
        with reading(self._engine) as connection:
            holds = held(connection)
        over = []
        for each in page:
            try:
                if not holds.covers(each.call, each.caller):
                    for outside in self._outside:
                        outside.delete(each.call, None if each.at == _UNKNOWN else each.at)
            except OSError as error:  # the next round tries it again
                self._failed(error)
            else:
                over.append(each)
        return over

    def _work(self, what: What, bot: str, page: Sequence[_Thing], step: Step) -> Iterator[Batch]:
        left = deque(page)
        while left:
            kept, chosen, limit = 0, list[_Thing](), self._pace.rows
            with unsynced(self._engine) as connection:
                began_s = time.monotonic()
                if not self._keep(connection):
                    raise JobLost
                holds: Held = held(connection)
                while left and len(chosen) < self._pace.calls:
                    each = left.popleft()
                    if holds.covers(each.call, each.caller):
                        kept += 1
                    else:
                        chosen.append(each)
                rows, things = step(connection, [each.key for each in chosen], limit) if chosen else (0, 0)
                # Before the commit, after which SQLite may write its log back: nobody waits for that.
                seconds = time.monotonic() - began_s
            if chosen:
                self._pace.took(seconds)
            if things is None:
                left.extendleft(reversed(chosen))
            yield Batch(what, bot, things or 0, rows, kept, seconds)

    # --- how it is deleted, as a Step ---

    def _words_of(self, connection: Connection, keys: Sequence[str], limit: int) -> tuple[int, int | None]:
        """The journals of calls, then the words in their records."""
        if (rows := _some_events(connection, keys, limit)) == limit:
            return rows, None
        texts: dict[str, str] = dict(connection.execute(_free_calls(keys, cast(_CALL.record, Text))).all())
        if texts:
            new = [{"of_call": key, "new_record": without_words(text)} for key, text in texts.items()]
            connection.execute(_wordless(connection.dialect.name), new)
            delete_keys(connection, texts, "words")
        return rows + len(texts) + _letters(connection, texts), len(texts)

    def _record_of(self, connection: Connection, keys: Sequence[str], limit: int) -> tuple[int, int | None]:
        """Calls with all that belongs to them, but their effects."""
        if (rows := _some_events(connection, keys, limit)) == limit:
            return rows, None
        free = list(connection.scalars(_free_calls(keys)))
        return rows + self._rest(connection, free), len(free)

    def _stray(self, connection: Connection, keys: Sequence[str], limit: int) -> tuple[int, int | None]:
        """The same of calls that have no record, which would say that nobody else is at them."""
        if (rows := _some_events(connection, keys, limit)) == limit:
            return rows, None
        return rows + self._rest(connection, keys), len(keys)

    def _rest(self, connection: Connection, keys: Collection[str]) -> int:
        """What there is of calls beside journals. Returns how many rows that were."""
        if not keys:
            return 0
        rows = _letters(connection, keys)
        for personal in self._personal:
            mine = personal.table.c[personal.call].in_(keys)
            rows += connection.execute(personal.table.delete().where(mine)).rowcount
        report = schema.call_report
        rows += connection.execute(report.delete().where(report.c.conversation_id.in_(keys))).rowcount
        rows += len(delete_leases(connection, and_(_LEASE.conversation_id.in_(keys), _LEASE.status == "ended")))
        rows += sum(delete_keys(connection, keys, what) for what in ("words", "audio"))
        rows += delete_keys_of_effects(connection, keys)
        return rows + connection.execute(schema.call.delete().where(_CALL.conversation_id.in_(keys))).rowcount

    # --- what belongs to no call that has a record ---

    def _strays(self) -> Iterator[Batch]:
        for look in (_lost_leases, _lost_rows):
            after: str | None = ""
            while after is not None:
                rule_of = cache(self._rule_of)  # many of them are of one bot
                with reading(self._engine) as connection:
                    before = after
                    after, found = look(connection, after)
                    due = [
                        _Thing(key, _UNKNOWN, key, caller)
                        for key, bot, caller, days_old in map(_told_by, found)
                        if (rule := rule_of(bot)) is not None and 0 < rule.strays <= days_old
                    ]
                yield from self._work("strays", "", self._without_files(due), self._stray)
                yield Batch("strays", "")  # nobody waits long behind a table of ten million rows
                if after == before:  # as in `_pages`
                    break


_CALL, _LEASE, _EVENT, _EFFECT = schema.call.c, schema.lease.c, schema.call_event.c, schema.effect.c


def without_words(record: str | None) -> dict[str, Any] | None:
    """A record, as it is stored, without what was said in the call; None if it cannot be read.

    What a later release has written into a turn is left out too: it may be words.
    """
    try:
        whole = emptied(json.loads(record or ""))
        turns = [
            {name: value for name, value in turn.items() if name in TurnRecord.model_fields} for turn in whole["turns"]
        ]
    except (*DAMAGE, AttributeError):
        return None
    return {**whole, "turns": turns}


def not_in_progress(call: ColumnElement[str]) -> ColumnElement[bool]:
    """Nobody has the call, or will resume it."""
    lease = schema.lease.alias()
    return ~select(lease.c.conversation_id).where(lease.c.conversation_id == call, lease.c.status != "ended").exists()


def _calls(dialect: str, bot: str, days: int, after: Cursor) -> Select[Any]:
    limit = moment(dialect, -days * DAY_S)
    # By its beginning, which has an index, and its end.
    over = (_CALL.bot == bot, _CALL.started_at < limit, func.coalesce(_CALL.ended_at, _CALL.started_at) < limit)
    key = _CALL.conversation_id
    query = select(key.label("key"), _CALL.started_at.label("at"), key.label("call"), _CALL.caller)
    query = query.where(*over, not_in_progress(key), *_behind(_CALL.started_at, key, after))
    return query.order_by(_CALL.started_at, key).limit(PAGE)


def _calls_with_words(dialect: str, bot: str, days: int, after: Cursor) -> Select[Any]:
    return _calls(dialect, bot, days, after).where(_CALL.words_gone_at.is_(None))


def _effects(dialect: str, bot: str, days: int, after: Cursor) -> Select[Any]:
    over = (_EFFECT.bot == bot, _EFFECT.settled_at < moment(dialect, -days * DAY_S), _EFFECT.status.in_(SETTLED))
    query = select(_EFFECT.key, _EFFECT.settled_at.label("at"), _EFFECT.conversation_id.label("call"), _EFFECT.caller)
    query = query.where(*over, not_in_progress(_EFFECT.conversation_id))
    query = query.where(*_behind(_EFFECT.settled_at, _EFFECT.key, after))
    return query.order_by(_EFFECT.settled_at, _EFFECT.key).limit(PAGE)


def _behind(at: Any, key: Any, after: Cursor) -> tuple[ColumnElement[bool], ...]:
    return () if after is None else (row_of(at, key) > row_of(literal(after[0], at.type), literal(after[1])),)


def _settled(connection: Connection, keys: Sequence[str], _: int) -> tuple[int, int | None]:
    """Effects, as a Step."""
    free = select(_EFFECT.key).where(_EFFECT.key.in_(keys), _EFFECT.status.in_(SETTLED))
    gone = schema.effect.delete().where(_EFFECT.key.in_(free.with_for_update(skip_locked=True)))
    calls = connection.scalars(gone.returning(_EFFECT.conversation_id)).all()
    delete_keys_of_effects(connection, {*calls})
    return len(calls), len(calls)


def _some_events(connection: Connection, keys: Sequence[str], limit: int) -> int:
    """Delete so many rows of the calls' journals, by where they are: the key is looked up once. Returns how many."""
    on_postgresql = connection.dialect.name == "postgresql"
    place: ColumnElement[Any] = literal_column("ctid" if on_postgresql else "rowid")
    some = select(place).select_from(schema.call_event).where(_EVENT.conversation_id.in_(keys)).limit(limit)
    if on_postgresql:  # as an array, by which it goes to each place, whatever it guesses of the number of rows
        some = some.with_for_update(skip_locked=True)
        mine = place == func.any(func.array(some.scalar_subquery()))
    else:
        mine = place.in_(some)
    return connection.execute(schema.call_event.delete().where(mine)).rowcount


def _free_calls(keys: Sequence[str], *columns: ColumnElement[Any]) -> Select[Any]:
    """Those of the calls that no other transaction has locked, nor a row of their journals; locks them."""
    rows = ~select(_EVENT.seq).where(_EVENT.conversation_id == _CALL.conversation_id).exists()
    query = select(_CALL.conversation_id, *columns).where(_CALL.conversation_id.in_(keys), rows)
    return query.with_for_update(of=schema.call, skip_locked=True)


@cache
def _wordless(dialect: str) -> Update:
    values = {"record": bindparam("new_record", type_=_CALL.record.type), "words_gone_at": moment(dialect)}
    return schema.call.update().where(_CALL.conversation_id == bindparam("of_call")).values(values)


def _letters(connection: Connection, keys: Collection[str]) -> int:
    """Those that have arrived, or were given up."""
    column = schema.outbox.c
    gone = schema.outbox.delete().where(column.conversation_id.in_(keys), column.status != "due")
    return connection.execute(gone).rowcount


def _age(dialect: str, at: Any) -> ColumnElement[float]:
    """In days."""
    if dialect == "postgresql":
        seconds: ColumnElement[float] = cast(func.extract("epoch", moment(dialect) - at), Float)
        return seconds / DAY_S
    return func.julianday("now", type_=Float()) - func.julianday(at, type_=Float())


# The key after which there is more to look through, None at the end; and what belongs to no call that has a record, as
# key, what it tells of its call, and age in days.
Lost = tuple[str | None, Sequence[Any]]


def _lost_leases(connection: Connection, after: str) -> Lost:
    """Those of calls that have ended and have no record, with what they say of them."""
    key = _LEASE.conversation_id
    page = select(key).where(key > after).order_by(key).limit(WINDOW)
    until: object = connection.scalar(select(func.max(page.subquery().c[0])))
    if isinstance(until, bytes):  # in SQLite what is no text comes behind all texts
        until = max((each for each in connection.scalars(page) if isinstance(each, str)), default=None)
    if not isinstance(until, str):
        return None, ()
    # One that only counts the calls of its id stays.
    ended = (_LEASE.status == "ended", _LEASE.calls <= 1, has_no_record(key))
    query = select(key, cast(_LEASE.opening, Text), _age(connection.dialect.name, _LEASE.touched_at))
    return until, connection.execute(query.where(key > after, key <= until, *ended)).all()


def _lost_rows(connection: Connection, after: str) -> Lost:
    """The journals of calls that have neither record nor lease, with how they began."""
    walked = list(connection.scalars(_calls_with_rows(), {"after": after, "calls": PAGE}))
    keys = [each for each in walked if isinstance(each, str)]
    known = {
        each for key in (_CALL.conversation_id, _LEASE.conversation_id)
        for each in connection.scalars(select(key).where(key.in_(keys)))
    }  # fmt: skip
    found: list[Any] = []
    for lost in filter(lambda each: each not in known, keys):
        rows = schema.call_event.alias()
        age = select(_age(connection.dialect.name, func.max(rows.c.at))).where(rows.c.conversation_id == lost)
        query = select(_EVENT.conversation_id, cast(_EVENT.body, Text), age.scalar_subquery())
        found += connection.execute(query.where(_EVENT.conversation_id == lost).order_by(_EVENT.seq).limit(1)).all()
    return (keys[-1] if keys and len(walked) == PAGE else None), found


@cache
def _calls_with_rows() -> Select[str]:
    """The keys of the next calls that have rows: a look-up of the index for each, however many rows it has."""

    def following(key: ColumnElement[str]) -> ColumnElement[str]:
        rows = schema.call_event.alias()
        column = rows.c.conversation_id
        return select(column).where(column > key).order_by(column).limit(1).scalar_subquery()

    walk = select(following(bindparam("after")).label("key"), literal(1).label("nth")).cte("walk", recursive=True)
    further = select(following(walk.c.key), walk.c.nth + 1).where(
        walk.c.key.is_not(None), walk.c.nth < bindparam("calls")
    )
    walk = walk.union_all(further)
    return select(walk.c.key).where(walk.c.key.is_not(None)).order_by(walk.c.nth)


def _told_by(row: Any) -> tuple[str, str, str, float]:
    """Key, bot, caller, and age in days."""
    key, text, age = row
    try:
        told = json.loads(text)
        bot, caller = str(told.get("bot", "")), str(told.get("caller", ""))
    except (*DAMAGE, AttributeError):
        bot = caller = ""
    return key, bot, caller, float(age or 0)
