"""The outbox: what is to be told of calls that have ended, written in one transaction with their records.

A letter is claimed for a while before it is sent, so that one process at a time sends it; one whose process died is
claimed again by another. It may therefore arrive more than once, always with the same key. Times are by the database's
clock. May import: protocols, SQLAlchemy, the standard library. Rules from: docs/architecture.md 5.4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select

from protocols.sealing import DataKey
from store import schema
from store.database import insert, moment, reading
from store.rows import readable
from store.sealed_words import WordsKey, facts_of, seal_facts

LetterStatus = Literal["due", "sent", "dead"]
# For how long a letter is tried, a dead one is kept, and a sent one is remembered, without what it said.
TRIED_S, DEAD_KEPT_S, SENT_KEPT_S = 86_400.0, 30 * 86_400.0, 86_400.0
MOST_AT_ONCE = 64
UNREADABLE = "its row cannot be read"
TRANSCRIPT = "transcript"
# The names of what a letter says, besides caller, conversation and key.
FACTS = ("bot", "version", "outcome", "started", "ended", "seconds", "tasks", "effects", TRANSCRIPT)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is told of one call. key: the same for every try. conversation_id: the call's key.

    bot, bot_digest: whose hook tells it. caller: as VAIC has it. facts: JSON, by FACTS.
    """

    key: str
    conversation_id: str
    bot: str
    bot_digest: str
    caller: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WaitingLetter(Letter):
    """A letter that has not arrived. tries: so far, with the one that is under way. reason: of the last failure.

    status: due, or dead if it is tried no more. due_at: of the next try.
    """

    status: LetterStatus = "due"
    tries: int = 0
    reason: str = ""
    written_at: datetime | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """How many letters there are. due: to be sent, or being sent. dead: given up."""

    due: int
    dead: int


def put(connection: Connection, letters: Sequence[Letter], keys: Mapping[str, DataKey]) -> None:
    """Put letters in, with the effects of their calls as they are in this transaction; one that is there stays.

    keys: as `keys_to_seal` has them, of the words of their calls.
    """
    dialect = connection.dialect.name
    for letter in letters:
        column = schema.effect.c
        of_call = column.conversation_id == letter.conversation_id
        found = connection.execute(select(column.key, column.name, column.status).where(of_call).order_by(column.key))
        effects = [{"key": key, "effect": name, "status": status} for key, name, status in found]
        row = {name: getattr(letter, name) for name in Letter.__dataclass_fields__} | {
            "facts": seal_facts({**letter.facts, "effects": effects}, keys.get(letter.conversation_id), letter.key),
            "status": "due",
            "tries": 0,
            "reason": "",
            "written_at": moment(dialect),
            "due_at": moment(dialect),
        }
        connection.execute(insert(dialect, schema.outbox).values(row).on_conflict_do_nothing())


def _opener(connection: Connection) -> Callable[..., WaitingLetter]:
    """Makes letters of rows, what they tell as it was. Raises: KeyMissing."""

    def made(key: str, conversation_id: str, facts: dict[str, Any], **row: Any) -> WaitingLetter:
        told = facts_of(facts, WordsKey(connection, conversation_id), key)
        return WaitingLetter(key=key, conversation_id=conversation_id, facts=told, **row)

    return made


def _key_of(key: str, **times: datetime) -> str:
    return key


class Outbox:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bots(self) -> list[str]:
        """The bots of which letters are due."""
        column = schema.outbox.c
        with reading(self._engine) as connection:
            return list(connection.scalars(select(column.bot).where(*self._due()).distinct().order_by(column.bot)))

    def due(self, bot: str) -> list[WaitingLetter]:
        """A bot's letters whose time has come, the least tried and then the oldest first; MOST_AT_ONCE at most.

        So those that never arrive, however many, do not hold up the others. One that cannot be read is given up.
        """
        column = schema.outbox.c
        order = column.tries, column.due_at, column.key
        # Sorted by themselves: with them goes all that was said in the calls.
        first = select(column.key).where(*self._due(), column.bot == bot).order_by(*order).limit(MOST_AT_ONCE)
        with reading(self._engine) as connection:
            keys = list(connection.scalars(first))
        query = select(schema.outbox).where(column.key.in_(keys)).order_by(*order)
        with reading(self._engine) as connection:
            found = readable(connection, schema.outbox, query, _opener(connection))
        self._bury({*keys} - {letter.key for letter in found})
        return found

    def _due(self) -> tuple[ColumnElement[bool], ...]:
        column = schema.outbox.c
        now, never = moment(self._dialect), moment(self._dialect, TRIED_S)
        # No try is put off for as long as all of them may take: that is of a clock that was set back since.
        return column.status == "due", or_(column.due_at <= now, column.due_at > never)

    def claim(self, letter: WaitingLetter, hold_s: float) -> WaitingLetter | None:
        """Claim a letter to send it. hold_s: after that another process may. None: another one has it, or had it."""
        column = schema.outbox.c
        mine = column.key == letter.key
        free = schema.outbox.update().where(mine, column.tries == letter.tries, *self._due())
        held = {"tries": letter.tries + 1, "due_at": moment(self._dialect, hold_s)}
        with self._engine.begin() as connection:
            if not connection.execute(free.values(held)).rowcount:
                return None
            claimed = readable(connection, schema.outbox, select(schema.outbox).where(mine), _opener(connection))
        return claimed[0] if claimed else None

    def arrived(self, letter: WaitingLetter) -> None:
        """The far side has a claimed letter: only that it was sent is kept."""
        self._settle(letter, {"status": "sent", "facts": {}, "caller": "", "reason": ""})

    def failed(self, letter: WaitingLetter, reason: str, again_s: float) -> LetterStatus:
        """A try of a claimed letter was in vain. again_s: until the next. Returns "dead" after TRIED_S."""
        column, dialect = schema.outbox.c, self._dialect
        over = column.written_at <= moment(dialect, again_s - TRIED_S)
        with reading(self._engine) as connection:
            key = connection.scalar(select(column.key).where(column.key == letter.key, over))
        if key is not None:
            self.give_up(letter, reason)
            return "dead"
        self._settle(letter, {"reason": reason, "due_at": moment(dialect, again_s)})
        return "due"

    def give_up(self, letter: WaitingLetter, reason: str) -> None:
        """A claimed letter is never taken."""
        self._settle(letter, {"status": "dead", "reason": reason, "due_at": moment(self._dialect)})

    def waiting(self) -> list[WaitingLetter]:
        """All that have not arrived, dead ones first. Of one that cannot be read only its key and status are told.

        facts: as they are stored, sealed or not.
        """
        column = schema.outbox.c
        there = column.status.in_(("dead", "due"))
        with reading(self._engine) as connection:
            keys = connection.execute(select(column.key, column.status).where(there)).all()
        query = select(schema.outbox).where(there).order_by(column.status, column.due_at)
        with reading(self._engine) as connection:
            found = readable(connection, schema.outbox, query, WaitingLetter)
        known = {letter.key for letter in found}
        lost = [WaitingLetter(key, "", "", "", "", {}, status, reason=UNREADABLE) for key, status in keys]
        return [*(letter for letter in lost if letter.key not in known), *found]

    def retry(self, key: str) -> bool:
        """Have a dead letter sent again, for another TRIED_S. Returns whether there is such a letter."""
        return bool(self._send_again(schema.outbox.c.key == key))

    def retry_all(self) -> int:
        """The same for all dead letters. Returns how many there are."""
        return self._send_again()

    def _send_again(self, *which: ColumnElement[bool]) -> int:
        now, table = moment(self._dialect), schema.outbox
        again = {"status": "due", "due_at": now, "written_at": now}
        with self._engine.begin() as connection:
            return connection.execute(table.update().where(table.c.status == "dead", *which).values(again)).rowcount

    def drop(self, key: str) -> bool:
        """Forget a dead letter. Returns whether there is such a letter."""
        column = schema.outbox.c
        with self._engine.begin() as connection:
            gone = schema.outbox.delete().where(column.key == key, column.status == "dead")
            return bool(connection.execute(gone).rowcount)

    def count(self) -> OutboxCount:
        """How many letters there are."""
        column = schema.outbox.c
        query = (
            select(column.status, func.count().label("letters"))
            .where(column.status.in_(("due", "dead")))
            .group_by(column.status)
        )
        with reading(self._engine) as connection:
            found = {row.status: row.letters for row in connection.execute(query)}
        return OutboxCount(found.get("due", 0), found.get("dead", 0))

    def clear(self) -> None:
        """Delete what is kept no longer, and give up what is never due because its times cannot be read."""
        column = schema.outbox.c
        due = column.status == "due"
        with reading(self._engine) as connection:
            keys = set(connection.scalars(select(column.key).where(due)))
            times = select(column.key, column.written_at, column.due_at).where(due)
            known = set(readable(connection, schema.outbox, times, _key_of))
        self._bury(keys - known)
        with self._engine.begin() as connection:
            for status, kept_s in (("sent", SENT_KEPT_S), ("dead", DEAD_KEPT_S)):
                old = column.due_at <= moment(self._dialect, -kept_s)
                connection.execute(schema.outbox.delete().where(column.status == status, old))

    @property
    def _dialect(self) -> str:
        return self._engine.dialect.name

    def _settle(self, letter: WaitingLetter, values: Mapping[str, Any]) -> None:
        """Write what came of a try, unless another process has claimed the letter meanwhile."""
        column = schema.outbox.c
        mine = (column.key == letter.key, column.tries == letter.tries, column.status == "due")
        with self._engine.begin() as connection:
            connection.execute(schema.outbox.update().where(*mine).values(dict(values)))

    def _bury(self, keys: Collection[str]) -> None:
        """Give up letters that cannot be read. They stay where they are, as what is damaged does."""
        if not keys:
            return
        column = schema.outbox.c
        values = {"status": "dead", "reason": UNREADABLE, "due_at": moment(self._dialect)}
        with self._engine.begin() as connection:
            mine = schema.outbox.update().where(column.key.in_(keys), column.status == "due")
            connection.execute(mine.values(values))
