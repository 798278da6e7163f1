"""The log of effects: the intent and the outcome of each, by key.

Functions that change it take the connection of a transaction; for a call with a lease, a `leases.fenced` one.
May import: protocols, SQLAlchemy, the standard library. Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, select

from protocols.sealing import DataKey, KeyMissing, NotUnsealed
from store import schema
from store.data_keys import keys_to_seal, ring_of
from store.database import insert
from store.rows import readable, readable_one, unreadable
from store.sealed_words import WordsKey, effect_of, seal_request, seal_result

# intended: the outcome is not known yet. unclear: only a human can find it out.
Status = Literal["intended", "ok", "refused", "failed", "unclear", "undone"]
SETTLED: tuple[Status, ...] = ("ok", "refused", "failed", "undone")
_STATUSES = frozenset(get_args(Status))


@dataclass(frozen=True, slots=True)
class LoggedEffect:
    """One effect.

    slots: the confirmed values. facts: what the task knew. values: the result. All three are JSON.
    say: what the caller is told about a refusal or failure. intended_at: aware. epoch: of the lease under which it was
    last intended, 0 without one. settled_at: of the outcome; without one, when the effect was last taken over or kept.
    bot, bot_digest: the version that declares it; "" if the release before has written it.
    """

    key: str
    name: str
    conversation_id: str
    run_id: str
    caller: str
    slots: Mapping[str, Any]
    facts: Mapping[str, Any]
    intended_at: datetime
    status: Status = "intended"
    values: Mapping[str, Any] = field(default_factory=dict)
    say: str = ""
    epoch: int = 0
    settled_at: datetime | None = None
    bot: str = ""
    bot_digest: str = ""

    def __post_init__(self) -> None:
        if self.status not in _STATUSES:
            raise ValueError(self.status)


def find(connection: Connection, key: str) -> LoggedEffect | None:
    """The effect under a key, or None. Raises: UnreadableRow; then nobody can tell whether it was done."""
    return readable_one(connection, schema.effect, _select(schema.effect.c.key == key), _opener(connection))


def intend(connection: Connection, effect: LoggedEffect) -> bool:
    """Log that an effect is about to be carried out. False if its key exists already.

    Waits for a transaction that has written the same key and is still open.
    """
    row = {name: getattr(effect, name) for name in LoggedEffect.__dataclass_fields__}
    key = _key_to_seal(connection, effect.conversation_id)
    row |= seal_request(key, effect.key, effect.slots, effect.facts)
    row |= seal_result(key, effect.key, effect.values, effect.say) if effect.values else {}
    statement = (
        insert(connection.dialect.name, schema.effect).values(row).on_conflict_do_nothing(index_elements=["key"])
    )
    # Not by rowcount, which PostgreSQL's driver does not set for an INSERT.
    return connection.scalar(statement.returning(schema.effect.c.key)) is not None


def take_over(connection: Connection, known: LoggedEffect, at: datetime, epoch: int = 0) -> bool:
    """Take over an effect that another process intended. False if it is settled, or was taken over meanwhile.

    known: the effect as it was found. at: aware; its new settled_at. Its age still counts from the first intent.
    epoch: the new one.
    """
    column = schema.effect.c
    untouched = column.settled_at.is_(None) if known.settled_at is None else column.settled_at == known.settled_at
    statement = (
        schema.effect.update()
        .where(column.key == known.key, column.status == "intended", column.intended_at == known.intended_at, untouched)
        .values(settled_at=at, epoch=epoch)
    )
    return connection.execute(statement).rowcount == 1


def keep(connection: Connection, keys: Collection[str], at: datetime) -> None:
    """Mark effects as still being carried out, so that no other process takes them over."""
    column = schema.effect.c
    ours = column.key.in_(keys) & (column.status == "intended")
    connection.execute(schema.effect.update().where(ours).values(settled_at=at))


def settle(connection: Connection, key: str, status: Status, values: Mapping[str, Any], say: str, at: datetime) -> None:
    """Log an outcome. The first one stays, except that an unclear one may still be settled."""
    column, mine = schema.effect.c, schema.effect.c.key == key
    sealing: DataKey | None = None
    call = None if ring_of(connection) is None else connection.scalar(select(column.conversation_id).where(mine))
    if call is not None:
        sealing = _key_to_seal(connection, call)
    told = seal_result(sealing, key, values, say)
    changes = {"status": status, **told, "settled_at": at}
    open_still = column.status.in_(("intended", "unclear"))
    connection.execute(schema.effect.update().where(mine, open_still).values(changes))


def take_back(connection: Connection, key: str, at: datetime) -> bool:
    """Log that an effect is undone. False if it was not done, or was undone before."""
    column = schema.effect.c
    statement = schema.effect.update().where(column.key == key, column.status == "ok")
    return connection.execute(statement.values(status="undone", settled_at=at)).rowcount == 1


def of_call(connection: Connection, conversation_id: str) -> list[LoggedEffect]:
    """The effects that a call has begun and that can be read, in that order."""
    return _readable(connection, schema.effect.c.conversation_id == conversation_id)


def count_of_call(connection: Connection, conversation_id: str) -> int:
    """How many effects of a call have been carried out, or may have been."""
    return _count(connection, schema.effect.c.conversation_id == conversation_id)


def count_of_caller(connection: Connection, caller: str, since: datetime) -> int:
    """The same for a caller's number, since a moment (aware)."""
    column = schema.effect.c
    return _count(connection, (column.caller == caller) & (column.intended_at >= since))


def _count(connection: Connection, where: Any) -> int:
    done = schema.effect.c.status.in_(("intended", "ok", "unclear"))
    return connection.scalar(select(func.count()).select_from(schema.effect).where(where, done)) or 0


def decide(connection: Connection, known: LoggedEffect, status: Status, at: datetime, say: str = "") -> bool:
    """Set a status, whatever the present one. say: why. False if the status is no longer as it was found."""
    column = schema.effect.c
    as_found = (column.key == known.key) & (column.status == known.status)
    statement = schema.effect.update().where(as_found).values(status=status, say=say, settled_at=at)
    return connection.execute(statement).rowcount == 1


def damaged(connection: Connection) -> list[str]:
    """The keys of the effects that cannot be read, unless their status says that they are settled."""
    return unreadable(connection, schema.effect, _select(unsettled()), _opener(connection))


def decide_damaged(connection: Connection, key: str, status: Status, at: datetime) -> bool:
    """Set the status of an effect that cannot be read, and of which no more is known than its key."""
    # As text: what was read as its key may be of another type.
    row = (cast(schema.effect.c.key, Text) == key) & unsettled()
    return connection.execute(schema.effect.update().where(row).values(status=status, settled_at=at)).rowcount == 1


def unsettled() -> ColumnElement[bool]:
    """The condition of effects that are not settled, as far as their status can be read."""
    return cast(schema.effect.c.status, Text).not_in(SETTLED)


def intended(connection: Connection) -> list[LoggedEffect]:
    """The effects without an outcome, whoever is at them."""
    return _readable(connection, schema.effect.c.status == "intended")


def unclear(connection: Connection) -> list[LoggedEffect]:
    """The effects that may have been done."""
    return _readable(connection, schema.effect.c.status == "unclear")


def _readable(connection: Connection, where: Any) -> list[LoggedEffect]:
    return readable(connection, schema.effect, _select(where), _opener(connection))


def _key_to_seal(connection: Connection, call: str) -> DataKey | None:
    """That of a call's effects, in a transaction. Raises: KeyMissing, NotUnsealed."""
    return keys_to_seal(connection, [call], "effects").get(call)


def _opener(connection: Connection) -> Callable[..., LoggedEffect]:
    """Makes effects of rows, what is sealed in them as it was.

    One that was sealed with a key which is not here is as one that is damaged: whoever has the key goes on with it.
    """
    key_of = cache(partial(WordsKey, connection, what="effects"))

    def made(**row: Any) -> LoggedEffect:
        try:
            return LoggedEffect(**effect_of(row, key_of(row["conversation_id"])))
        except KeyMissing as missing:
            raise NotUnsealed(str(missing)) from None

    return made


def _select(where: Any) -> Select[Any]:
    columns = [schema.effect.c[name] for name in LoggedEffect.__dataclass_fields__]
    return select(*columns).where(where).order_by(schema.effect.c.intended_at)
