"""The keys of calls: with one the words of a call are sealed where they are stored, with others its recordings and
its effects, each of which is kept for its own time.

A row holds a key, wrapped by a key of the deployment, which the store never has. Once a row is deleted, nobody reads
again what was sealed with its key, wherever there is a copy of it; a copy of the row itself is the key's.
The ring is an engine's, so that whoever reads or writes by it need not be told. Without one nothing is sealed.
May import: protocols, SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Iterator, Mapping
from functools import cache
from typing import Literal

from sqlalchemy import Connection, Engine, Select, Tuple, bindparam, func, literal, select
from sqlalchemy import tuple_ as row_of

from protocols.errors import TielineError
from protocols.sealing import KEY_BYTES, NONCE_BYTES, DataKey, KeyMissing, KeyRing, WrappedKey, place
from store import schema
from store.database import insert, moment, reading, reading_long
from store.rows import DAMAGE, UnreadableRow, distinct, readable, report

What = Literal["words", "audio", "effects"]
_RING = "tieline_ring"
# Keys that are read at once; and that are wrapped anew in one transaction, which takes 10 ms.
PAGE = 500
ROTATED_AT_ONCE = 30
_KEY = schema.data_key.c


class KeyGone(TielineError):
    """What was sealed can be read by nobody any more: its key was deleted, or is in no backup."""

    def __init__(self) -> None:
        super().__init__("its key is deleted")


class WrongKeys(TielineError):
    """The store has keys that a ring cannot open. The text says which are missing."""


def use_ring(engine: Engine, ring: KeyRing | None) -> None:
    """Have all that is written by an engine from now on sealed, and what is sealed read."""
    engine.update_execution_options(**{_RING: ring})


def ring_of(used: Connection | Engine) -> KeyRing | None:
    ring: KeyRing | None = used.get_execution_options().get(_RING)
    return ring


def keys_to_seal(connection: Connection, calls: Collection[str], what: What) -> Mapping[str, DataKey]:
    """The keys of calls, in a transaction; those that have none get one. Empty without a ring.

    Raises: KeyMissing, NotUnsealed.
    """
    ring = ring_of(connection)
    if ring is None or not calls:
        return {}
    asked: dict[str, object] = {"calls": list(calls), "of_what": what}
    found = _found(connection, asked)
    # In order, to prevent deadlocks between transactions that add the same ones.
    if new := sorted({*calls} - found.keys()):
        rows = [_row(ring, call, what) for call in new]
        adding = insert(connection.dialect.name, schema.data_key).values(made_at=moment(connection.dialect.name))
        connection.execute(adding.on_conflict_do_nothing(), rows)
        found |= _found(connection, {"calls": new, "of_what": what})
    return {call: ring.unwrap(wrapped, _place(call, what)) for call, wrapped in found.items()}


def key_to_read(connection: Connection, call: str, what: What) -> DataKey:
    """The key of a call. Raises: KeyGone, KeyMissing, NotUnsealed."""
    row = connection.execute(_wrapped(), {"calls": [call], "of_what": what}).first()
    if row is None:
        raise KeyGone
    if (ring := ring_of(connection)) is None:
        raise KeyMissing(row.kek)
    return ring.unwrap(WrappedKey(row.kek, row.sealed), _place(call, what))


def delete_keys(connection: Connection, calls: Collection[str], what: What | None = None) -> int:
    """Delete those of calls, or one of each. Returns how many there were."""
    mine = (_KEY.conversation_id.in_(calls), *(() if what is None else (_KEY.what == what,)))
    return connection.execute(schema.data_key.delete().where(*mine)).rowcount


def delete_keys_of_effects(connection: Connection, calls: Collection[str]) -> int:
    """Delete those of calls that have no effects any more. Returns how many there were."""
    left = select(schema.effect.c.key).where(schema.effect.c.conversation_id == _KEY.conversation_id).exists()
    mine = (_KEY.conversation_id.in_(calls), _KEY.what == "effects", ~left)
    return connection.execute(schema.data_key.delete().where(*mine)).rowcount


def missing_keys(connection: Connection, ring: KeyRing | None) -> list[str]:
    """The ids of keys that the store's rows need, and a ring has not."""
    known = () if ring is None else ring.ids
    return [kek for kek in distinct(connection, _KEY.kek) if kek not in known]


def check_ring(connection: Connection, ring: KeyRing | None) -> None:
    """Raises: WrongKeys, if something in the store could not be read."""
    if not connection.dialect.has_table(connection, schema.data_key.name):  # of an earlier release
        return
    if missing := missing_keys(connection, ring):
        there = f"has {', '.join(ring.ids)}, and not" if ring else "is not set, and calls are encrypted by key"
        raise WrongKeys(f"{there} {', '.join(missing)}, which the store needs: add it (docs/operations.md)")


class DataKeys:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def to_seal(self, call: str, what: What) -> DataKey | None:
        """A call's key, made if it has none; None without a ring."""
        with self._engine.begin() as connection:
            return keys_to_seal(connection, [call], what).get(call)

    def to_read(self, call: str, what: What) -> DataKey:
        """Raises: KeyGone, KeyMissing, NotUnsealed."""
        with reading(self._engine) as connection:
            return key_to_read(connection, call, what)

    def delete(self, call: str, what: What) -> None:
        """Delete a key of a call, such that nobody finds it again in the database's file."""
        with self._engine.begin() as connection:
            delete_keys(connection, [call], what)

    def counts(self) -> dict[str, int]:
        """How many keys of calls each key of the deployment wraps."""
        with reading_long(self._engine) as connection:
            counted = select(_KEY.kek, func.count()).group_by(_KEY.kek).order_by(_KEY.kek)
            return {row[0]: row[1] for row in connection.execute(counted)}

    def rotate(self, ring: KeyRing) -> Iterator[int]:
        """Wrap all keys by the first of a ring; what they seal stays as it is. Yields, by transaction, how many were.

        Rows that are damaged are reported, and stay as they are. Raises: KeyMissing; what was done is done.
        """
        first = ring.ids[0]
        with reading(self._engine) as connection:
            others = [kek for kek in distinct(connection, _KEY.kek) if kek != first]
        for kek in others:
            # Again, where a process has added some meanwhile that this key still wraps.
            while (yield from self._wrap_all(ring, kek)):
                pass

    def _wrap_all(self, ring: KeyRing, kek: str) -> Generator[int, None, int]:
        """Those that a key wraps, in one walk. Returns how many were wrapped anew."""
        every, after = 0, ("", "")
        while page := self._wrap_page(ring, kek, after):
            done, last = page
            if done:
                yield done
            every += done
            if last == after or not isinstance(last[0], str):  # what is no text comes last
                break
            after = last
        return every

    def _wrap_page(self, ring: KeyRing, kek: str, after: tuple[str, str]) -> tuple[int, tuple[str, str]] | None:
        """Some of them, after a row. Returns how many, and the last row; None if there are none."""
        columns = (_KEY.conversation_id, _KEY.what, _KEY.sealed)
        mine = (_KEY.kek == kek, _KEY.conversation_id >= after[0], row_of(*columns[:2]) > _row_value(after))
        some = select(*columns).where(*mine).order_by(*columns[:2]).limit(ROTATED_AT_ONCE).with_for_update()
        done = 0
        with self._engine.begin() as connection:
            rows = connection.execute(some).all()
            for row in rows:
                try:
                    where = _place(row.conversation_id, row.what)
                    new = ring.wrap(ring.unwrap(WrappedKey(kek, row.sealed), where), where, os.urandom(NONCE_BYTES))
                except DAMAGE:
                    report(connection, UnreadableRow(schema.data_key.name, f"{row.conversation_id}/{row.what}"))
                    continue
                this = (_KEY.conversation_id == row.conversation_id, _KEY.what == row.what)
                connection.execute(schema.data_key.update().where(*this).values(kek=new.kek, sealed=new.sealed))
                done += 1
        return (done, (rows[-1].conversation_id, rows[-1].what)) if rows else None

    def drop(self, kek: str) -> int:
        """Delete all keys that a key of the deployment wraps. Returns how many there were."""
        with self._engine.begin() as connection:
            return connection.execute(schema.data_key.delete().where(_KEY.kek == kek)).rowcount

    def rows(self) -> Iterator[dict[str, str]]:
        """All rows, to be kept elsewhere: keys stay wrapped. Those that cannot be read are reported."""
        after = ("", "")
        columns = (_KEY.conversation_id, _KEY.what, _KEY.kek, _KEY.sealed)
        in_order = select(*columns).order_by(*columns[:2]).limit(PAGE)
        while True:
            page = in_order.where(row_of(*columns[:2]) > _row_value(after))
            with reading(self._engine) as connection:
                keys = connection.execute(page.with_only_columns(*columns[:2])).all()
                # The last one again: a key that is no text is another one once it was read.
                if not keys or (last := (keys[-1].conversation_id, keys[-1].what)) == after:
                    return
                rows: list[dict[str, str]] = readable(connection, schema.data_key, page, dict)
            yield from rows
            after = last

    def put_back(self, rows: Collection[Mapping[str, str]]) -> int:
        """Add rows that were kept elsewhere; one that is there stays. Returns how many were added."""
        with self._engine.begin() as connection:
            dialect = connection.dialect.name
            new = insert(dialect, schema.data_key).values(made_at=moment(dialect))
            adding = new.on_conflict_do_nothing().returning(_KEY.what)
            return len(connection.execute(adding, [dict(row) for row in rows]).all()) if rows else 0


def _found(connection: Connection, asked: dict[str, object]) -> dict[str, WrappedKey]:
    rows = connection.execute(_wrapped(), asked)
    return {row.conversation_id: WrappedKey(row.kek, row.sealed) for row in rows}


def _row_value(after: tuple[str, str]) -> Tuple:
    return row_of(literal(after[0]), literal(after[1]))


def _row(ring: KeyRing, call: str, what: What) -> dict[str, object]:
    new = ring.wrap(DataKey(os.urandom(KEY_BYTES)), _place(call, what), os.urandom(NONCE_BYTES))
    return {"conversation_id": call, "what": what, "kek": new.kek, "sealed": new.sealed}


def _place(call: str, what: str) -> bytes:
    return place("key", call, what)


@cache  # building a statement costs more than executing it
def _wrapped() -> Select[tuple[str, str, str]]:
    mine = (_KEY.conversation_id.in_(bindparam("calls", expanding=True)), _KEY.what == bindparam("of_what"))
    return select(_KEY.conversation_id, _KEY.kek, _KEY.sealed).where(*mine)
