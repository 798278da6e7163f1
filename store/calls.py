"""The calls of all processes that share a store: those that have ended, by what became of them, and those in progress.

May import: protocols, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ScalarSelect,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import tuple_ as row_of

from store import schema
from store.database import moment, reading, reading_long
from store.figures import OTHER, OUTCOMES
from store.leases import lives
from store.rows import DAMAGE, readable

# Of those in progress; more are counted nowhere, and a page with so many is read by nobody.
MOST_LIVE = 1000
# What is kept of a call's errors to be found by.
ERRORS_CHARS = 2000
OPEN = "open"


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are meant; "" and None for any. outcome: or OTHER. caller: as in the record. task: a task's name, in
    any of its states. error: a part of one of its errors. since, until: from when, and before when it began.
    """

    outcome: str = ""
    bot: str = ""
    caller: str = ""
    task: str = ""
    error: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that has ended. key: see store/call_keys.py. tasks: names and results, in order. errors: short texts.

    cost_usd: None where nothing that it used has a price. unpriced: models that have none, and are not in it. Of a call
    that an earlier release has written tasks and errors are not known: None.
    """

    key: str
    bot: str
    caller: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    tasks: tuple[tuple[str, str], ...] | None
    errors: tuple[str, ...] | None
    cost_usd: float | None = None
    unpriced: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The error that came last, which is the one that ended a call that failed."""
        return self.errors[-1] if self.errors else ""


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call in progress. task, state: of the task that took the last step, "" if there was none. node: its process.

    held: that process shows that it lives; else the call waits for another one, or for its end to be written.
    """

    key: str
    bot: str
    caller: str
    started_at: datetime
    task: str
    state: str
    node: str
    held: bool


# Where a page ends: the beginning and the key of its last call.
Cursor = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Calls that have ended, the newest first. following: where the next page begins; None if there is none."""

    calls: list[EndedCall]
    following: Cursor | None


def tasks_text(tasks: Iterable[tuple[str, str]]) -> str:
    """Names and results as the column `tasks` has them."""
    return "".join(f" {name}={result}" for name, result in tasks)


def errors_text(errors: Iterable[str], key: str) -> str:
    """Errors as the column `errors` has them: a line each, without what only this call has, so that they are counted as
    one. key: the call's.
    """
    return "\n".join(each.partition(key)[0].rstrip(": ") or each for each in errors)[:ERRORS_CHARS]


class Calls:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ended(self, which: CallFilter, limit: int, after: Cursor | None = None) -> Page:
        """A page of calls that have ended. after: where the one before has ended."""
        column = _COLUMN
        meant = conditions(which)
        if after is not None:
            began = literal(after[0], column.started_at.type)
            meant.append(row_of(column.started_at, column.conversation_id) < row_of(began, literal(after[1])))
        order = column.started_at.desc(), column.conversation_id.desc()
        keys = select(column.conversation_id).where(*meant).order_by(*order)
        calls: list[EndedCall] = []
        passed = 0
        with reading(self._engine) as connection:
            # On past a page of which nothing can be read: others follow.
            while len(calls) <= limit:
                # By their keys, which can be read whatever else a row holds; one that is no text is no call's.
                found = connection.scalars(keys.offset(passed).limit(limit + 1)).all()
                passed += len(found)
                named = [key for key in found if isinstance(key, str)]
                rows = select(*_SHOWN).where(column.conversation_id.in_(named)).order_by(*order)
                calls += readable(connection, schema.call, rows, _ended)
                if len(found) <= limit:
                    break
        more, calls = len(calls) > limit, calls[:limit]
        return Page(calls, (calls[-1].started_at, calls[-1].key) if more and calls else None)

    def counts(self, which: CallFilter) -> dict[tuple[str, str], int]:
        """How many calls have ended, by outcome and the last error, "" for none; the most frequent first."""
        # Not the column itself: SQLite would read the whole table by the index of outcomes.
        outcome = func.coalesce(_COLUMN.outcome, "")
        meant = conditions(which)
        query = select(outcome, _COLUMN.errors, func.count()).where(*meant).group_by(outcome, _COLUMN.errors)
        counted: dict[tuple[str, str], int] = {}
        with reading_long(self._engine) as connection:
            for became, errors, number in connection.execute(query):
                if not isinstance(became, str) or not isinstance(errors, str | None):
                    continue  # damaged
                key = became, (errors or "").rpartition("\n")[2]
                counted[key] = counted.get(key, 0) + number
        return dict(sorted(counted.items(), key=lambda each: (-each[1], each[0])))

    def nowhere(self, which: CallFilter) -> list[str]:
        """The fields of a filter that no call in the store meets, whatever the others ask for: a name that was spelt
        otherwise, or that of a bot without calls yet. Only those with an index.
        """
        given = ((name, getattr(which, name)) for name in ("outcome", "bot", "caller"))
        alone = ((name, CallFilter(**{name: value})) for name, value in given if value)
        return [name for name, each in alone if not self.ended(each, 1).calls and not self.live(each)]

    def live(self, which: CallFilter) -> list[LiveCall]:
        """The calls in progress, the oldest first; none where an outcome or an error is asked for."""
        if which.outcome not in ("", OPEN) or which.error:
            return []
        with reading(self._engine) as connection:
            leases = readable(connection, schema.lease, _leases(connection.dialect.name), _Lease)
            began = _rows(connection, 1)
            steps = _rows(connection, _last_step(schema.lease.c.conversation_id))
        calls = [_live(each, began.get(each.conversation_id), steps.get(each.conversation_id)) for each in leases]
        return sorted(filter(_matcher(which), calls), key=lambda each: (each.started_at, each.key))


_COLUMN = schema.call.c
_SHOWN = (
    _COLUMN.conversation_id, _COLUMN.bot, _COLUMN.caller, _COLUMN.started_at, _COLUMN.ended_at, _COLUMN.outcome,
    _COLUMN.tasks, _COLUMN.errors, _COLUMN.unpriced, _COLUMN.cost_usd,
)  # fmt: skip


def conditions(which: CallFilter) -> list[ColumnElement[bool]]:
    """Of the calls in the table `call` that are meant."""
    exact = (_COLUMN.bot, which.bot), (_COLUMN.caller, which.caller)
    meant = [column == wanted for column, wanted in exact if wanted]
    if which.outcome:
        is_other = _COLUMN.outcome.not_in(OUTCOMES)
        meant.append(is_other if which.outcome == OTHER else _COLUMN.outcome == which.outcome)
    if which.task:
        meant.append(_COLUMN.tasks.contains(f" {which.task}=", autoescape=True))
    if which.error:
        meant.append(_COLUMN.errors.icontains(which.error, autoescape=True))
    if which.since is not None:
        meant.append(_COLUMN.started_at >= which.since)
    if which.until is not None:
        meant.append(_COLUMN.started_at < which.until)
    return meant


def _ended(
    conversation_id: str, outcome: str | None, tasks: str | None, errors: str | None, unpriced: str | None, **more: Any
) -> EndedCall:
    parts = None if tasks is None else tuple(each.rpartition("=")[::2] for each in tasks.split())
    texts = None if errors is None else tuple(errors.splitlines())
    models = tuple((unpriced or "").splitlines())
    return EndedCall(key=conversation_id, outcome=outcome or "", tasks=parts, errors=texts, unpriced=models, **more)


def started_at(engine: Engine, key: str) -> datetime | None:
    """When a call began; of one without a record about when. None for one of which nothing is there."""
    event, lease = schema.call_event.c, schema.lease.c
    with reading(engine) as connection:
        for at, call in (
            (_COLUMN.started_at, _COLUMN.conversation_id),
            (func.min(event.at), event.conversation_id),
            (lease.touched_at, lease.conversation_id),
        ):
            began: datetime | None = connection.scalar(select(at).where(call == key))
            if began is not None:
                return began
    return None


def caller_of(connection: Connection, key: str) -> str:
    """The number of a call's caller as it was sent, also of a call without a record; "" if nothing tells it."""
    lease, event = schema.lease.c, schema.call_event.c
    for number, where in (
        (_COLUMN.caller, _COLUMN.conversation_id == key),
        (lease.opening["caller"].as_string(), lease.conversation_id == key),
        (event.body["caller"].as_string(), and_(event.conversation_id == key, event.kind == "call")),
    ):
        found: str | None = connection.scalar(select(number).where(where).limit(1))
        if found is not None:
            return found
    return ""


def may_be_recorded(connection: Connection, keys: Collection[str]) -> frozenset[str]:
    """Of some calls those that a bot wanted recorded, by a process with a folder for that."""
    call, event = schema.call.c, schema.call_event.c
    # As JSON is written, and as no text within it can be; so it is seen in a record that cannot be read, too.
    told = cast(call.record, Text).like('%"recording": [{%')
    ended = select(call.conversation_id).where(call.conversation_id.in_(keys), told)
    begun = select(event.conversation_id).where(event.conversation_id.in_(keys), event.kind == "recording")
    return frozenset(connection.scalars(ended.union(begun)))


def has_no_record(call: ColumnElement[str]) -> ColumnElement[bool]:
    """Of a row with a call's key: it has not ended, or its record could not be written."""
    return ~exists().where(_COLUMN.conversation_id == call)


# --- in progress ---

_IN_PROGRESS = and_(
    schema.lease.c.status.in_(("open", "parked")),
    # A caller has left, but a task is in the middle of a step: nobody is on the line.
    has_no_record(schema.lease.c.conversation_id),
)


class _Lease(NamedTuple):
    """Of a call in progress. opening: JSON."""

    conversation_id: str
    node: str
    opening: str
    touched_at: datetime
    held: bool


def _leases(dialect: str) -> Select[Any]:
    lease, node = schema.lease.c, schema.node.c
    shows = exists().where(node.node == lease.node, lives(dialect))
    held = and_(lease.status == "open", or_(lease.lease_until > moment(dialect), shows))
    # As text: a call whose opening is damaged is in progress all the same.
    opening = cast(lease.opening, Text).label("opening")
    columns = lease.conversation_id, lease.node, opening, lease.touched_at, held.label("held")
    return select(*columns).where(_IN_PROGRESS).order_by(lease.touched_at).limit(MOST_LIVE)


def _last_step(of_call: ColumnElement[str]) -> ScalarSelect[int]:
    """The last row of a call's tasks. For each call by itself: all together PostgreSQL would read the whole journal."""
    event = schema.call_event.alias()
    return (
        select(func.max(event.c.seq))
        .where(event.c.conversation_id == of_call, event.c.kind == "task")
        .correlate(schema.lease)
        .scalar_subquery()
    )


def _rows(connection: Connection, seq: ScalarSelect[int] | int) -> dict[str, tuple[datetime, Mapping[str, Any]]]:
    """When it was written, and what it says: one row of the journal of each call in progress."""
    table, column = schema.call_event, schema.call_event.c
    rows = schema.lease.join(table, and_(column.conversation_id == schema.lease.c.conversation_id, column.seq == seq))
    query = select(column.conversation_id, column.at, column.body).select_from(rows).where(_IN_PROGRESS)
    found = readable(connection, table, query, lambda conversation_id, at, body: (conversation_id, (at, body)))
    return dict(found)


def _live(
    lease: _Lease,
    began: tuple[datetime, Mapping[str, Any]] | None,
    step: tuple[datetime, Mapping[str, Any]] | None,
) -> LiveCall:
    try:
        opening = dict(json.loads(lease.opening))
    except DAMAGE:
        opening = {}
    body: Mapping[str, Any] = {} if step is None else step[1]
    result = str(body.get("result", OPEN))
    return LiveCall(
        key=lease.conversation_id,
        bot=str(opening.get("bot", "")),
        caller=str(opening.get("caller", "")),
        started_at=lease.touched_at if began is None else began[0],
        task=str(body.get("agent", "")),
        state=str(body.get("state", "")) if result == OPEN else result,
        node=lease.node,
        held=bool(lease.held),
    )


def _matcher(which: CallFilter) -> Any:
    def is_meant(call: LiveCall) -> bool:
        asked: Collection[tuple[str, str]] = (
            (which.bot, call.bot), (which.caller, call.caller), (which.task, call.task),
        )  # fmt: skip
        begins = which.since is None or call.started_at >= which.since
        early = which.until is None or call.started_at < which.until
        return begins and early and all(wanted in ("", value) for wanted, value in asked)

    return is_meant
