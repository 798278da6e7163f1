"""Who may write for a call: one lease a call, whose epoch goes up whenever another process takes the call over.

The epoch is the fence, and time is not: a process that was frozen does not know that its lease has run out, but what
it writes bears an epoch that is no longer the call's. A call without a lease has the epoch 0. All moments are those of
the database's clock.
May import: protocols, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, Select, Update, and_, bindparam, func, or_, select
from sqlalchemy.sql.dml import ReturningInsert

from protocols.errors import Fenced
from store import schema
from store.database import insert, moment, reading

# parked: its holder has let go of it, for whoever the caller's side comes back to.
Status = Literal["open", "parked", "ended"]
Refusal = Literal["unknown", "ended", "held", "credential", "too_late"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for a call. epoch: what all that is written must bear.

    opening: what whoever opened the call has left for others to go on with. last_seq: of its journal, 0 if it is empty;
    no row of an earlier epoch will come after it.
    """

    conversation_id: str
    epoch: int
    opening: Mapping[str, Any]
    last_seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No lease. reason: for our own log; whoever has asked is not told whether there is such a call."""

    reason: Refusal


# --- the fence ---


@contextmanager
def fenced(engine: Engine, conversation_id: str, epoch: int) -> Iterator[Connection]:
    """A transaction of a call: all that is written in it is undone where another process has taken the call over.

    Raises: Fenced, at the end.
    """
    with engine.begin() as connection:
        yield connection
        # Last of all: who is frozen before this keeps nobody from taking the call over.
        _check(epochs_of(connection, (conversation_id,)), conversation_id, epoch)


def epochs_of(connection: Connection, conversation_ids: Iterable[str], *, to_change: bool = False) -> dict[str, int]:
    """The epochs of calls that have leases; nobody changes them before the transaction ends.

    to_change: but this transaction does.
    """
    rows = connection.execute(_epochs(to_change), {"calls": list(conversation_ids)})
    return {row.conversation_id: row.epoch for row in rows}


def let_go(connection: Connection, conversation_id: str, epoch: int, status: Literal["parked", "ended"]) -> None:
    """Nobody holds the call any more. Whoever has held it may still write, until another one takes it over.

    Raises: Fenced.
    """
    _check(epochs_of(connection, (conversation_id,), to_change=True), conversation_id, epoch)
    connection.execute(_letting_go(connection.dialect.name), {"of_call": conversation_id, "new_status": status})


def _check(epochs: Mapping[str, int], conversation_id: str, epoch: int) -> None:
    if epochs.get(conversation_id, 0) != epoch:
        raise Fenced(conversation_id)


# --- statements of every call: to build one costs more than to have it carried out ---

_LAST_SEQ = select(func.coalesce(func.max(schema.call_event.c.seq), 0)).where(
    schema.call_event.c.conversation_id == bindparam("of_call")
)


@cache
def _epochs(to_change: bool) -> Select[tuple[str, int]]:
    column = schema.lease.c
    query = select(column.conversation_id, column.epoch)
    query = query.where(column.conversation_id.in_(bindparam("calls", expanding=True)))
    # A share of each row, or PostgreSQL would let a claim in between this and what is written next.
    # In order, or two that want the same rows might each wait for the other.
    return query.order_by(column.conversation_id).with_for_update(read=not to_change, key_share=to_change)


@cache
def _letting_go(dialect: str) -> Update:
    column = schema.lease.c
    held = and_(column.conversation_id == bindparam("of_call"), column.status != "ended")
    return schema.lease.update().where(held).values(status=bindparam("new_status"), lease_until=moment(dialect))


def _lasting(dialect: str, ttl_s: float) -> dict[str, ColumnElement[datetime]]:
    """What says that a lease is held from now on."""
    return {"lease_until": moment(dialect, ttl_s), "touched_at": moment(dialect)}


@cache
def _opening(dialect: str, ttl_s: float) -> ReturningInsert[int]:
    column = schema.lease.c
    held = _lasting(dialect, ttl_s)
    statement = insert(dialect, schema.lease).values(held)
    new = statement.excluded
    free = or_(column.status == "ended", column.lease_until <= moment(dialect), column.node == new.node)
    taken = {name: new[name] for name in ("node", "status", "credential", "opening")}
    return statement.on_conflict_do_update(
        index_elements=["conversation_id"],
        set_=taken | held | {"epoch": column.epoch + 1},
        where=and_(column.credential == new.credential, free),
    ).returning(column.epoch)


# --- taking and keeping ---


class Leases:
    """The leases of one process, for all its threads. Raises: SQLAlchemy's OperationalError where there is no database.

    node: names the process, and no other one. ttl_s: how long a lease lasts that is not renewed. window_s: for how long
    after the end of its lease a call may be resumed.
    """

    def __init__(self, engine: Engine, node: str, ttl_s: float = 15.0, window_s: float = 60.0) -> None:
        self._engine = engine
        self._node = node
        self._ttl_s = ttl_s
        self._window_s = window_s
        self._epochs: dict[str, int] = {}
        # Of those, the ones that anybody may take over; until somebody does, we may still write for them.
        self._parked: set[str] = set()

    @property
    def renew_every_s(self) -> float:
        """So that two renewals may fail."""
        return self._ttl_s / 3

    @property
    def held(self) -> dict[str, int]:
        """The epochs of the calls that this process holds, by conversation; of a parked one it only has the epoch."""
        return {each: epoch for each, epoch in dict(self._epochs).items() if each not in self._parked}

    def epoch(self, conversation_id: str) -> int:
        """What is written for a call must bear this; 0 where we have no lease for it."""
        return self._epochs.get(conversation_id, 0)

    def forget(self, conversation_id: str) -> None:
        """Another process has taken the call over, or it is over."""
        self._epochs.pop(conversation_id, None)
        self._parked.discard(conversation_id)

    def open(self, conversation_id: str, credential: str, opening: Mapping[str, Any]) -> Lease | Refused:
        """A new call. Its epoch is 1, or the next one where the same credential has used the conversation's id before.

        credential: what the call came with; a digest of it is kept. opening: as JSON has it.
        Refused as "held": another process has such a call, or another credential had.
        """
        row = {"conversation_id": conversation_id, "epoch": 1, "node": self._node, "status": "open"}
        row |= {"credential": _digest(credential), "opening": dict(opening)}
        with self._engine.begin() as connection:
            epoch = connection.scalar(_opening(connection.dialect.name, self._ttl_s), row)
            if epoch is None:
                return Refused("held")
            lease = Lease(conversation_id, epoch, opening, _last_seq(connection, conversation_id))
        self._hold(conversation_id, epoch)
        return lease

    def claim(self, conversation_id: str, credential: str) -> Lease | Refused:
        """Take over a call that is resumed here, whoever holds it; from now on nobody else writes for it.

        credential: what it is resumed with, which must be what it was opened with.
        """
        digest, column = _digest(credential), schema.lease.c
        if (refusal := self._objection(conversation_id, digest)) is not None:
            return Refused(refusal)
        with self._engine.begin() as connection:
            in_time = column.lease_until > moment(connection.dialect.name, -self._window_s)
            values = self._held(connection) | {"status": "open"}
            lease = self._take(connection, conversation_id, and_(column.status != "ended", in_time), values)
        if lease is not None:
            self._hold(conversation_id, lease.epoch)
        return lease or Refused(self._objection(conversation_id, digest) or "too_late")

    def renew(self, held: Mapping[str, int]) -> set[str]:
        """Hold leases for longer, all at once. held: epochs by conversation. Returns the conversations lost."""
        column = schema.lease.c
        with self._engine.begin() as connection:
            epochs = epochs_of(connection, held, to_change=True)
            mine = [each for each, epoch in held.items() if epochs.get(each) == epoch]
            still_open = and_(column.conversation_id.in_(mine), column.status == "open")
            connection.execute(schema.lease.update().where(still_open).values(self._held(connection)))
        return held.keys() - set(mine)

    def park(self, conversation_id: str, epoch: int) -> None:
        """Leave a call to whoever it is resumed at. Should it end before, we write its record. Raises: Fenced."""
        with self._engine.begin() as connection:
            let_go(connection, conversation_id, epoch, "parked")
        self._parked.add(conversation_id)

    def end(self, conversation_id: str, epoch: int) -> None:
        """A call is over that leaves no record; of one that does, the record ends the lease. Raises: Fenced."""
        with self._engine.begin() as connection:
            let_go(connection, conversation_id, epoch, "ended")

    # --- what dead processes leave ---

    def orphans(self, at_most: int = 16) -> list[str]:
        """Calls that nobody holds and nobody can resume any more, and that were never ended: the oldest ones."""
        column = schema.lease.c
        with reading(self._engine) as connection:
            query = select(column.conversation_id).where(column.status != "ended", self._left(connection))
            return list(connection.scalars(query.order_by(column.lease_until).limit(at_most)))

    def adopt(self, conversation_id: str) -> Lease | Refused:
        """Take over what is left of a call, to bring it to its end; it cannot be resumed.

        Refused as "held" while somebody may still go on with it, or is at it: it is then left alone for ttl_s.
        """
        column = schema.lease.c
        with self._engine.begin() as connection:
            values = {"node": self._node, "touched_at": moment(connection.dialect.name)}
            lease = self._take(connection, conversation_id, self._left(connection), values)
            known = connection.scalar(select(column.epoch).where(column.conversation_id == conversation_id))
        if lease is not None:
            self._hold(conversation_id, lease.epoch)
            return lease
        return Refused("unknown" if known is None else "held")

    # --- inside ---

    def _hold(self, conversation_id: str, epoch: int) -> None:
        self._epochs[conversation_id] = epoch
        self._parked.discard(conversation_id)

    def _held(self, connection: Connection) -> dict[str, Any]:
        return {"node": self._node, **_lasting(connection.dialect.name, self._ttl_s)}

    def _left(self, connection: Connection) -> ColumnElement[bool]:
        column = schema.lease.c
        too_late = column.lease_until <= moment(connection.dialect.name, -self._window_s)
        return and_(too_late, column.touched_at <= moment(connection.dialect.name, -self._ttl_s))

    def _take(
        self, connection: Connection, conversation_id: str, where: ColumnElement[bool], values: Mapping[str, Any]
    ) -> Lease | None:
        column = schema.lease.c
        statement = schema.lease.update().where(column.conversation_id == conversation_id, where)
        taken = statement.values({**values, "epoch": column.epoch + 1}).returning(column.epoch, column.opening)
        row = connection.execute(taken).one_or_none()
        if row is None:
            return None
        return Lease(conversation_id, row.epoch, row.opening, _last_seq(connection, conversation_id))

    def _objection(self, conversation_id: str, digest: str) -> Refusal | None:
        """Why a call can never be resumed so. Only read: whoever has no right to a call keeps no writer waiting."""
        column = schema.lease.c
        with reading(self._engine) as connection:
            query = select(column.status, column.credential).where(column.conversation_id == conversation_id)
            row = connection.execute(query).one_or_none()
        if row is None:
            return "unknown"
        if not hmac.compare_digest(row.credential, digest):
            return "credential"
        return "ended" if row.status == "ended" else None


def _digest(credential: str) -> str:
    # A header that is no UTF-8 is still a credential, and like no other.
    return hashlib.sha256(credential.encode(errors="surrogateescape")).hexdigest()


def _last_seq(connection: Connection, conversation_id: str) -> int:
    return int(connection.scalar(_LAST_SEQ, {"of_call": conversation_id}) or 0)
