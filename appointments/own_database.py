"""A database of a bot's own, beside the store: effects in it are done once all the same.

There an effect and its outcome, under the effect's key, are one transaction. The store has the intent before it and the
outcome after it, as for every remote effect, and a process that takes over asks by the key what became of it.
May import: appointments, fsm, store, SQLAlchemy, loguru, the standard library.
Rules from: docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from loguru import logger
from sqlalchemy import Connection, Engine, select

from appointments import schema
from fsm.effects import EffectRequest, EffectResult, Failed, Local, NotSent, Ok, Refused, Remote
from store.database import DatabaseAway, insert, open_database, reading
from store.rows import UnreadableRow, report_unreadable

# How long an outcome can be asked for; effects that are older are left to a human long before.
KEPT = timedelta(days=30)
_STATUS: dict[type[EffectResult], str] = {Ok: "ok", Refused: "refused", Failed: "failed"}


class OwnDatabase:
    """One database, for all threads. It is opened when it is first needed: a daemon starts without it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._tries = 0
        self._away: DatabaseAway | None = None  # of the last try to open it

    def effect(self, local: Local) -> Remote:
        """An effect of the store as one of this database. None of the practice's has an undo, so there is none here."""
        assert local.undo is None
        if local.reads_only:
            tally = None if local.tally is None else partial(self._tally, local.tally)
            return Remote(partial(self._look, local.do), reads_only=True, tally=tally)
        return Remote(
            partial(self._do, local.do), recover=self.outcome, drops_duplicates=True, on_hang_up=local.on_hang_up
        )

    def outcome(self, request: EffectRequest) -> EffectResult | None:
        """What became of an effect, None if it was not carried out. Raises: DatabaseAway, or as SQLAlchemy does."""
        with reading(self._opened()) as connection:
            return _outcome(connection, request.key)

    def _do(self, do: Callable[[EffectRequest, Any], EffectResult], request: EffectRequest) -> EffectResult:
        committing = False
        try:
            with self._opened().begin() as connection:
                result = _once(connection, do, request)
                committing = True
        except Exception as error:
            if committing:
                raise  # it may have been done
            raise NotSent(type(error).__name__, why=type(error).__name__) from error
        return result

    def _look(self, do: Callable[[EffectRequest, Any], EffectResult], request: EffectRequest) -> EffectResult:
        with reading(self._opened()) as connection:
            return do(request, connection)

    def _tally(
        self,
        tally: Callable[[EffectRequest, EffectResult, Any], str],
        request: EffectRequest,
        result: EffectResult,
    ) -> str:
        with self._opened().begin() as connection:
            return tally(request, result, connection)

    def _opened(self) -> Engine:
        """Raises: WrongDatabase, DatabaseAway."""
        tries = self._tries
        with self._opening:
            if self._engine is not None:
                return self._engine
            # A server that does not answer takes seconds: whoever has waited for one try does not make another.
            if self._away is not None and self._tries != tries:
                raise DatabaseAway(str(self._away))
            self._away = None
            try:
                self._engine = open_database(self._url, tables=schema.prepare)
            except DatabaseAway as away:
                self._away = away
                raise
            finally:
                self._tries += 1
            report_unreadable(self._engine, _teller())
            # With the last version of a bot that uses it.
            weakref.finalize(self, self._engine.dispose)
            return self._engine


def _teller() -> Callable[[UnreadableRow], None]:
    """Tells of each unreadable row once. It does not know the OwnDatabase, which its engine must not keep alive."""
    told: set[str] = set()

    def tell(row: UnreadableRow) -> None:
        if str(row) not in told:
            told.add(str(row))
            logger.error("a row cannot be read", table=row.table, key=row.key)

    return tell


_known: weakref.WeakValueDictionary[str, OwnDatabase] = weakref.WeakValueDictionary()
_knowing = threading.Lock()


def own_database(url: str) -> OwnDatabase:
    """The database of a URL: one for all tasks and versions of bots, which so share its connections."""
    with _knowing:
        found = _known.get(url)
        if found is None:
            found = _known[url] = OwnDatabase(url)
        return found


def _once(
    connection: Connection, do: Callable[[EffectRequest, Any], EffectResult], request: EffectRequest
) -> EffectResult:
    """Do it and keep its outcome; return the one that is kept already."""
    table, at = schema.appointment_effect, request.context.now()
    row = {"key": request.key, "status": "", "values": {}, "say": "", "at": at}
    statement = insert(connection.dialect.name, table).values(row).on_conflict_do_nothing().returning(table.c.key)
    # Waits for a transaction that has written the same key and is still open.
    if connection.scalar(statement) is None and (known := _outcome(connection, request.key)) is not None:
        return known
    savepoint = connection.begin_nested()
    result = do(request, connection)
    # A refused or failed effect must have changed nothing.
    (savepoint.commit if isinstance(result, Ok) else savepoint.rollback)()
    values, say = (dict(result.values), "") if isinstance(result, Ok) else ({}, result.say)
    kept = {"status": _STATUS[type(result)], "values": values, "say": say}
    connection.execute(table.update().where(table.c.key == request.key).values(kept))
    connection.execute(table.delete().where(table.c.at < at - KEPT))
    return result


def _outcome(connection: Connection, key: str) -> EffectResult | None:
    table = schema.appointment_effect
    row = connection.execute(select(table).where(table.c.key == key)).mappings().first()
    if row is None:
        return None
    match row["status"]:
        case "ok":
            return Ok(row["values"])
        case "refused":
            return Refused(row["say"])
        case _:
            return Failed(row["say"])
