"""Leases: which process may write for a call. The epoch of a lease, a fencing token, rises with every takeover.

Time is not the fence: a process that was frozen does not know that its lease has expired, but its writes carry an epoch
that is no longer the call's, and are rejected. Nor does time alone end a call: nobody can renew a lease while the
database is away, and a clock that is set makes all of them look old. Nor does one row: a process also renews a row of
its own, and while it does, an open call of its is nobody else's, though another transaction may hold that call's lease.
A call without a lease has epoch 0. Times are by the database's clock.
May import: protocols, pydantic, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import JsonValue
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import ReturningInsert

from protocols.errors import ClaimOverdue, Fenced
from store import schema
from store.call_keys import call_key, conversation_of
from store.database import insert, moment, reading
from store.proof import prove
from store.rows import DAMAGE, UnreadableRow, report
from store.watch import Watch

# parked: its holder has released it, for the process at which the call is resumed.
Status = Literal["open", "parked", "ended"]
_OPEN = ("open", "parked")
Refusal = Literal["unknown", "ended", "held", "credential"]
Lock = Literal["shared", "shared free", "change", "change free", "none"]
# A process that has not shown itself for this long may have died; it does so every five seconds.
NODE_TTL_S = 20.0
# The part of the renewal interval that one renewal may take, when it is tried in parts; the last try may take longer.
RENEWAL_BUDGET = 0.5
# How long the row of a process that has died is kept.
_NODE_KEPT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for a call. key: the call's in the store. epoch: to be given with every write.

    opening: what the process that opened the call stored for others; empty if it cannot be read. last_seq: of the
    journal, 0 if it is empty; no row of an earlier epoch will follow it.
    """

    key: str
    epoch: int
    opening: Mapping[str, Any]
    last_seq: int


@dataclass(frozen=True, slots=True)
class LeaseRefused:
    """No lease. reason: for our log; the peer is not told whether the call exists."""

    reason: Refusal


@dataclass(frozen=True, slots=True)
class Orphan:
    """A call that nobody renews, by its key. mark: what each change of its lease changes, and its process."""

    key: str
    mark: tuple[object, ...]


# --- the fence ---


@contextmanager
def fenced(engine: Engine, conversation_id: str, epoch: int) -> Iterator[Connection]:
    """A transaction of a call; it is rolled back if another process has taken the call over.

    Raises: Fenced, at the end.
    """
    with engine.begin() as connection:
        yield connection
        # Last: a process frozen before this line does not block a takeover.
        _check(epochs_of(connection, (conversation_id,)), conversation_id, epoch)


def epochs_of(connection: Connection, conversation_ids: Iterable[str], lock: Lock = "shared") -> dict[str, int]:
    """Read the epochs of calls that have leases, and lock them until the transaction ends.

    lock: shared, to change them, or none; "free": only those that nobody else has locked, the others are left out.
    """
    rows = connection.execute(_epochs(lock), {"calls": list(conversation_ids)})
    return {row.conversation_id: row.epoch for row in rows}


def let_go(connection: Connection, conversation_id: str, epoch: int, status: Literal["parked", "ended"]) -> None:
    """Release a lease. Its former holder may still write, until another process takes the call over.

    Raises: Fenced.
    """
    _check(epochs_of(connection, (conversation_id,), "change"), conversation_id, epoch)
    connection.execute(_letting_go(connection.dialect.name), {"of_call": conversation_id, "new_status": status})


def delete_leases(connection: Connection, where: ColumnElement[bool]) -> list[str]:
    """Delete those of calls that are over. Returns their keys.

    That of an id which several calls have had says which keys are taken: it stays, without what it tells of its call.
    """
    table = schema.lease
    connection.execute(table.update().where(where, table.c.calls > 1).values(opening={}))
    gone = table.delete().where(where, table.c.calls <= 1)
    return list(connection.scalars(gone.returning(table.c.conversation_id)))


def living(connection: Connection) -> list[str]:
    """The processes that have shown themselves within NODE_TTL_S; none if there is no table of them."""
    if not connection.dialect.has_table(connection, schema.node.name):
        return []
    column = schema.node.c
    return list(connection.scalars(select(column.node).where(lives(connection.dialect.name)).order_by(column.node)))


def in_progress(connection: Connection) -> int:
    """How many calls a process holds; 0 if there is no table of leases."""
    if not connection.dialect.has_table(connection, schema.lease.name):
        return 0
    held = is_held(connection.dialect.name)
    return connection.scalar(select(func.count()).select_from(schema.lease).where(held)) or 0


def lives(dialect: str) -> ColumnElement[bool]:
    """Of a row of `node`: its process has shown itself within NODE_TTL_S, and not in time to come."""
    return schema.node.c.seen_at.between(moment(dialect, -NODE_TTL_S), moment(dialect, NODE_TTL_S))


def is_held(dialect: str) -> ColumnElement[bool]:
    """Of a row of `lease`: a process has the call, and renews it."""
    column = schema.lease.c
    return and_(column.status == "open", column.lease_until > moment(dialect))


def _check(epochs: Mapping[str, int], conversation_id: str, epoch: int) -> None:
    if epochs.get(conversation_id, 0) != epoch:
        raise Fenced(conversation_id)


# --- cached statements: building one costs more than executing it ---

_LAST_SEQ = select(func.coalesce(func.max(cast(schema.call_event.c.seq, Integer)), 0)).where(
    schema.call_event.c.conversation_id == bindparam("of_call")
)

# What every renewal and every takeover changes; as text, which can be read whatever the row holds.
_RENEWED = (schema.lease.c.epoch, cast(schema.lease.c.lease_until, Text), cast(schema.lease.c.touched_at, Text))


@cache
def _mark(node: str) -> tuple[ColumnElement[Any], ...]:
    """What changes while a call's process lives. node: this process, which knows itself whether it has the call."""
    seen, lease = schema.node.c, schema.lease.c
    # One that is parked has no process.
    theirs = and_(seen.node == lease.node, seen.node != node, lease.status == "open")
    return (*_RENEWED, select(cast(seen.seen_at, Text)).where(theirs).scalar_subquery().label("seen_at"))


@cache
def _epochs(lock: Lock) -> Select[tuple[str, int]]:
    column = schema.lease.c
    query = select(column.conversation_id, column.epoch)
    query = query.where(column.conversation_id.in_(bindparam("calls")))
    if lock == "none":
        return query
    # A row lock, or PostgreSQL would allow a claim between this and the next write.
    # In order, to prevent deadlocks between transactions that lock the same rows.
    query = query.order_by(column.conversation_id)
    shared = lock.startswith("shared")
    return query.with_for_update(read=shared, key_share=not shared, skip_locked=lock.endswith("free"))


@cache
def _letting_go(dialect: str) -> Update:
    column = schema.lease.c
    held = and_(column.conversation_id == bindparam("of_call"), column.status != "ended")
    return schema.lease.update().where(held).values(status=bindparam("new_status"), lease_until=moment(dialect))


def _lasting(dialect: str, ttl_s: float) -> dict[str, ColumnElement[datetime]]:
    """The columns that extend a lease from now on."""
    return {"lease_until": moment(dialect, ttl_s), "touched_at": moment(dialect)}


@cache
def _opening(dialect: str, ttl_s: float) -> ReturningInsert[int]:
    column = schema.lease.c
    held = _lasting(dialect, ttl_s)
    statement = insert(dialect, schema.lease).values(held)
    new = statement.excluded
    taken = {name: new[name] for name in ("node", "status", "credential", "opening")}
    return statement.on_conflict_do_update(
        index_elements=["conversation_id"],
        set_=taken | held | {"epoch": _next(column.epoch)},
        where=_may_open(dialect, new.node),
    ).returning(column.epoch)


def _may_open(dialect: str, node: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the holder of a credential may open a call with the id of this one."""
    column = schema.lease.c
    # The end of a call that is over may lie ahead, by a clock that was set back since.
    free = or_(column.status == "ended", column.lease_until <= moment(dialect), column.node == node)
    return and_(column.credential.in_(bindparam("credentials")), free)


# --- taking and renewing ---


class Leases:
    """The leases of one process, for any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable.

    node: a unique name of the process. ttl_s: how long a lease lasts without renewal. window_s: how long this process
    must have seen an expired lease unchanged, in looks at most ttl_s apart, before it ends the call. renewing: the same
    database by connections of its own, so that no renewal waits for one that other statements have. facts: what this
    process tells of itself, for `store.fleet`.
    """

    def __init__(
        self,
        engine: Engine,
        node: str,
        ttl_s: float = 15.0,
        window_s: float = 60.0,
        renewing: Engine | None = None,
        facts: Callable[[], Mapping[str, JsonValue]] = dict,
    ) -> None:
        self._engine = engine
        self._facts = facts
        self._renewing = renewing or engine
        self._node = node
        self._ttl_s = ttl_s
        self._watch: Watch[Orphan] = Watch(window_s, longest_gap_s=ttl_s)
        # By key: its epoch, and whether it is parked: until somebody takes it over, we may still write for it.
        self._epochs: dict[str, tuple[int, bool]] = {}
        self._keys: dict[str, str] = {}  # by conversation
        self._left_out: set[str] = set()  # keys that are no orphans
        self._parts: list[list[str]] = []  # keys that the last renewal had no time for, and those that were refused

    @property
    def renew_every_s(self) -> float:
        """The renewal interval: two renewals may fail."""
        return self._ttl_s / 3

    @property
    def held(self) -> dict[str, int]:
        """The epochs of the calls that this process holds, by key; of a parked one it only has the epoch."""
        return {each: epoch for each, (epoch, parked) in dict(self._epochs).items() if not parked}

    def key(self, conversation_id: str) -> str:
        """The key of the call that this process has under an id; the id's first call if it has none."""
        return self._keys.get(conversation_id) or call_key(conversation_id)

    def epoch(self, key: str) -> int:
        """The epoch for writes to a call; 0 if this process has no lease for it."""
        return self._epochs.get(key, (0, False))[0]

    def lease_of(self, conversation_id: str) -> tuple[str, int]:
        """The key of the call that this process has under an id, and the epoch for writes to it, as above."""
        key = self.key(conversation_id)
        return key, self.epoch(key)

    def has(self, key: str) -> bool:
        """Whether this process has a call, though the database may have forgotten its lease."""
        return key in self._epochs

    def forget(self, key: str) -> None:
        """Drop the lease of a call that has ended, or that another process has taken over."""
        self._epochs.pop(key, None)
        if self._keys.get(conversation := conversation_of(key)) == key:
            del self._keys[conversation]

    def open(
        self,
        conversation_id: str,
        credential: str,
        opening: Mapping[str, Any],
        others: Sequence[str] = (),
        unwritten: Collection[str] = (),
    ) -> Lease | LeaseRefused:
        """Open a new call. It gets a key of its own if a call with this conversation id has left rows.

        credential: the call's; a digest of it is stored. opening: JSON. others: the peer's other credentials.
        unwritten: keys of calls whose rows are still to be written.
        Refused as "held": another process has such a call, or it belonged to another credential.
        """
        row = {"epoch": 1, "node": self._node, "status": "open", "credential": _digest(credential)}
        row |= {"opening": dict(opening), "credentials": [_digest(each) for each in (credential, *others)]}
        with self._engine.begin() as connection:
            key = row["conversation_id"] = _key_to_open(connection, conversation_id, row, unwritten)
            epoch = connection.scalar(_opening(connection.dialect.name, self._ttl_s), row)
            if epoch is None:
                return LeaseRefused("held")
        self._hold(key, epoch)
        self._keys[conversation_id] = key
        return Lease(key, epoch, opening, last_seq=0)

    def claim(
        self, conversation_id: str, credential: str, others: Sequence[str] = (), until_s: float = math.inf
    ) -> Lease | LeaseRefused:
        """Take over a call that is resumed here, from any holder; no other process can write for it from now on.

        credential, others: of the resuming socket; one must equal the one that the call was opened with.
        until_s: monotonic; later nothing is taken, because the call may be in progress elsewhere. Raises: ClaimOverdue.
        """
        _in_time(until_s)
        digests, column = [_digest(each) for each in (credential, *others)], schema.lease.c
        key, refusal = self._to_resume(conversation_id, digests)
        if refusal is not None:
            return LeaseRefused(refusal)
        with self._engine.begin() as connection:
            values = self._held(connection) | {"status": "open"}
            # However long ago it expired: a call that nobody has ended goes on.
            lease = self._take(connection, key, column.status != "ended", values)
            _in_time(until_s)  # it may have waited for a lock
        if lease is None:
            return LeaseRefused(self._to_resume(conversation_id, digests)[1] or "ended")
        self._hold(key, lease.epoch)
        self._keys[conversation_id] = key
        return lease

    def renew(self, held: Mapping[str, int]) -> None:
        """Renew the leases that have their epochs. held: epochs by key.

        Those that another transaction has locked are left for the next time. Raises: the database's last error, once
        all others are renewed, or after RENEWAL_BUDGET of the interval; then the next one goes on with those parts.
        """
        until_s = time.monotonic() + RENEWAL_BUDGET * self.renew_every_s
        left = [[key for key in part if key in held] for part in self._parts]
        apart = {key for part in left for key in part}
        parts = deque(filter(None, ([key for key in held if key not in apart], *left)))
        refused: list[list[str]] = []
        raised: DBAPIError | None = None
        while parts and (raised is None or time.monotonic() < until_s):
            keys = parts.popleft()
            try:
                self._renew({key: held[key] for key in keys})
            except DBAPIError as error:
                # Without a statement nothing was sent: there is no connection.
                if error.connection_invalidated or error.statement is None:
                    raise
                raised, middle = error, len(keys) // 2
                # One row may be refused: the others are renewed without it.
                if middle:
                    parts += (keys[:middle], keys[middle:])
                else:
                    refused.append(keys)
        self._parts = [*parts, *refused]
        if raised is not None:
            raise raised

    def _renew(self, held: Mapping[str, int]) -> None:
        column = schema.lease.c
        with self._renewing.begin() as connection:
            epochs = epochs_of(connection, held, "change free")
            mine = [each for each, epoch in held.items() if epochs.get(each) == epoch]
            still_open = and_(column.conversation_id.in_(mine), column.status == "open")
            connection.execute(schema.lease.update().where(still_open).values(self._held(connection)))

    def locked(self, keys: Collection[str]) -> set[str]:
        """Those of the keys whose lease another transaction has locked now. Waits for no lock."""
        with reading(self._engine) as connection:
            return epochs_of(connection, keys, "none").keys() - epochs_of(connection, keys, "shared free").keys()

    def prove(self) -> None:
        """Find out whether the database takes leases. Raises: the driver's error, as SQLAlchemy has it."""
        prove(self._engine, (schema.lease,))

    def lost(self, held: Mapping[str, int]) -> set[str]:
        """Those of the keys that do not have their epoch any more. held: epochs by key. Waits for no lock."""
        with reading(self._engine) as connection:
            epochs = epochs_of(connection, held, "none")
        return {key for key, epoch in held.items() if epochs.get(key) != epoch}

    def show_life(self) -> None:
        """Show other processes that this one lives: while it does, they end none of its calls."""
        column, facts = schema.node.c, dict(self._facts())
        with self._renewing.begin() as connection:
            dialect = connection.dialect.name
            told = {"seen_at": moment(dialect), "facts": facts}
            row = insert(dialect, schema.node).values(node=self._node, **told)
            connection.execute(row.on_conflict_do_update(index_elements=["node"], set_=told))
            # One of time to come, by a clock that was set back since, or that is none would stay for ever.
            kept = column.seen_at.between(moment(dialect, -_NODE_KEPT_S), moment(dialect, _NODE_KEPT_S))
            connection.execute(schema.node.delete().where(not_(kept)))

    def leave(self) -> None:
        """Take this process's row away: it ends."""
        with self._renewing.begin() as connection:
            connection.execute(schema.node.delete().where(schema.node.c.node == self._node))

    def keep(self, key: str) -> bool:
        """Go on with a call that the database has forgotten, by its key. Returns whether it still is this process's.

        As after a failover to a copy that was behind. Without its lease the call goes on with epoch 0, and nobody can
        take it over. If only this process's takeover is not there, it is written again: a lower epoch writes no more.
        """
        ours, parked = self._epochs.get(key, (0, False))
        column = schema.lease.c
        with self._engine.begin() as connection:
            stored = epochs_of(connection, (key,), "change").get(key)
            # One that is damaged may have been higher.
            if stored is not None and (not isinstance(stored, int) or stored > ours):
                return False
            if stored is not None and stored < ours:
                status = "parked" if parked else "open"
                values = self._held(connection) | {"epoch": ours, "status": status}
                connection.execute(schema.lease.update().where(column.conversation_id == key).values(values))
        if stored is None and ours:
            self._epochs[key] = 0, True  # its key is kept, and nothing is left to renew
        return True

    def park(self, conversation_id: str, epoch: int) -> None:
        """Release a call, to be resumed elsewhere. If it ends first, this process writes its record. Raises: Fenced."""
        with self._engine.begin() as connection:
            let_go(connection, conversation_id, epoch, "parked")
        self._epochs[conversation_id] = epoch, True

    def end(self, conversation_id: str, epoch: int) -> None:
        """End the lease of a call without a record; otherwise Journal.finish does. Raises: Fenced."""
        with self._engine.begin() as connection:
            let_go(connection, conversation_id, epoch, "ended")

    # --- calls of dead processes ---

    def leave_out(self, key: str) -> None:
        """Do not look at an orphan again: it cannot be ended here, and must not be in the way of others."""
        self._left_out.add(key)

    def orphans(self, at_most: int = 16) -> list[Orphan]:
        """Calls whose leases have expired and were seen unchanged by this process for window_s: the oldest ones.

        None that a process holds which shows itself, and none that this one holds.

        To be called at each renewal.
        """
        column, ours = schema.lease.c, self.held
        with reading(self._engine) as connection:
            now = moment(connection.dialect.name)
            # One that ends later than any lease can was renewed before the clock was set back.
            held = and_(column.lease_until > now, column.lease_until <= moment(connection.dialect.name, self._ttl_s))
            # As ranges, which the index finds: a damaged status too is to be found.
            ended_not = or_(column.status < "ended", column.status > "ended")
            query = select(column.conversation_id, column.status, *_mark(self._node)).where(ended_not, ~held)
            expired: list[Orphan] = []
            for key, status, *mark in connection.execute(query.order_by(column.lease_until)):
                if key in self._left_out or key in ours:
                    continue
                if isinstance(key, str) and status in _OPEN:
                    expired.append(Orphan(key, (*mark,)))
                else:
                    report(connection, UnreadableRow("lease", str(key)))
            looked_at = connection.scalars(select(now)).one()
        return self._watch.look(looked_at.timestamp(), expired)[:at_most]

    def adopt(self, orphan: Orphan) -> Lease | LeaseRefused:
        """Take over an orphan, to end it.

        Refused as "held" if anybody has taken or changed it since it was seen, or has it locked.
        """
        key = orphan.key
        open_still = schema.lease.c.status.in_(_OPEN)
        with self._engine.begin() as connection:
            now = select(*_mark(self._node)).where(schema.lease.c.conversation_id == key)
            lease = None
            # Compared here: what a damaged row holds may differ from itself when it is sent back.
            seen = connection.execute(now.with_for_update(of=schema.lease, skip_locked=True)).one_or_none()
            if seen is None and connection.execute(now).one_or_none() is not None:
                return LeaseRefused("held")  # whoever has it locked may be its process
            if seen is None:  # what was read as its key is not what the row holds
                report(connection, UnreadableRow("lease", key))
                self.leave_out(key)
            elif seen == orphan.mark:
                values = {"node": self._node, "touched_at": moment(connection.dialect.name)}
                lease = self._take(connection, key, open_still, values)
        if lease is None:
            return LeaseRefused("held")
        self._hold(key, lease.epoch)
        return lease

    # --- internals ---

    def _hold(self, conversation_id: str, epoch: int) -> None:
        self._epochs[conversation_id] = epoch, False

    def _held(self, connection: Connection) -> dict[str, Any]:
        return {"node": self._node, **_lasting(connection.dialect.name, self._ttl_s)}

    def _take(
        self, connection: Connection, key: str, where: ColumnElement[bool], values: Mapping[str, Any]
    ) -> Lease | None:
        column = schema.lease.c
        statement = schema.lease.update().where(column.conversation_id == key, where)
        # As text: one that cannot be read must not prevent the takeover.
        opening = cast(column.opening, Text).label("opening")
        taken = statement.values({**values, "epoch": _next(column.epoch)}).returning(column.epoch, opening)
        row = connection.execute(taken).one_or_none()
        if row is None:
            return None
        try:
            opened = dict(json.loads(row.opening))
        except DAMAGE:
            report(connection, UnreadableRow("lease", key))
            opened = {}
        return Lease(key, row.epoch, opened, _last_seq(connection, key))

    def _to_resume(self, conversation_id: str, digests: Sequence[str]) -> tuple[str, Refusal | None]:
        """The key of an id's newest call, and why it cannot be resumed with these credentials; None if it can.

        Read-only: a foreign socket must not block writers.
        """
        column, key = schema.lease.c, call_key(conversation_id)
        query = select(column.status, column.credential, cast(column.calls, Integer).label("calls"))
        with reading(self._engine) as connection:
            row = connection.execute(query.where(column.conversation_id == key)).one_or_none()
            if row is not None and row.calls > 1:
                newest = call_key(conversation_id, row.calls)
                last = connection.execute(query.where(column.conversation_id == newest)).one_or_none()
                # An earlier release gives the first call's lease to the next one.
                if last is not None and (last.status != "ended" or row.status == "ended"):
                    key, row = newest, last
        if row is None:
            return key, "unknown"
        stored = str(row.credential).encode()
        if not any(hmac.compare_digest(stored, each.encode()) for each in digests):
            return key, "credential"
        return key, "ended" if row.status == "ended" else None


def _key_to_open(
    connection: Connection, conversation_id: str, row: Mapping[str, Any], unwritten: Collection[str]
) -> str:
    """The key of a call to be opened. row: of its lease.

    That of the id's newest call if that one was only opened: a process that opens it again did not learn that it was.
    Also if it may not be opened with this credential, or now.
    """
    column, first = schema.lease.c, call_key(conversation_id)
    of_first = column.conversation_id == first
    calls = connection.scalar(select(cast(column.calls, Integer)).where(of_first).with_for_update(key_share=True)) or 1
    newest = call_key(conversation_id, calls)
    if newest not in unwritten and not _has_rows(connection, newest):
        return newest
    may_open = _may_open(connection.dialect.name, literal(row["node"]))
    mine = select(column.epoch).where(column.conversation_id == newest, may_open)
    if connection.scalar(mine, {"credentials": row["credentials"]}) is None:
        return newest
    connection.execute(schema.lease.update().where(of_first).values(calls=calls + 1))
    return call_key(conversation_id, calls + 1)


def _has_rows(connection: Connection, key: str) -> bool:
    """Whether a call has a journal or a record."""
    call = schema.call.c.conversation_id
    return _last_seq(connection, key) > 0 or connection.scalar(select(call).where(call == key)) is not None


def _in_time(until_s: float) -> None:
    if time.monotonic() >= until_s:
        raise ClaimOverdue


def _digest(credential: str) -> str:
    # A header that is not UTF-8 is a credential too.
    return hashlib.sha256(credential.encode(errors="surrogateescape")).hexdigest()


def _next(epoch: ColumnElement[int]) -> ColumnElement[int]:
    # SQLite stores anything; what is returned must be a number that can be compared with.
    return cast(epoch, Integer) + 1


def _last_seq(connection: Connection, conversation_id: str) -> int:
    return int(connection.scalar(_LAST_SEQ, {"of_call": conversation_id}) or 0)
