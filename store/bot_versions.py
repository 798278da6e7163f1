"""The versions of bots whole, for a process that goes on with a call which began in one that it has no files of.

May import: protocols, SQLAlchemy, the standard library. Rules from: docs/architecture.md 5.1.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, select

from store import effect_log, schema
from store.database import insert, reading
from store.rows import readable, readable_one

# Rows deleted in one transaction: each holds the files of a bot.
BATCH = 20


class BotVersions:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, bot: str, digest: str, files: Mapping[str, bytes], at: datetime) -> None:
        """Store a version, unless it is there. files: contents by path within the bot's folder. at: aware."""
        with reading(self._engine) as connection:  # most are there, and need no lock
            if connection.execute(select(schema.bot_version.c.bot).where(_is(bot, digest))).first() is not None:
                return
        row = {
            "bot": bot,
            "digest": digest,
            "files": {path: b64encode(content).decode("ascii") for path, content in sorted(files.items())},
            "written_at": at,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(connection.dialect.name, schema.bot_version).values(row).on_conflict_do_nothing())

    def seen(self, versions: Collection[tuple[str, str]], at: datetime) -> None:
        """Note that these versions, (bot, digest) each, are in use. at: aware."""
        earlier = schema.bot_version.update().where(schema.bot_version.c.written_at < at).values(written_at=at)
        with self._engine.begin() as connection:
            for bot, digest in sorted(versions):
                connection.execute(earlier.where(_is(bot, digest)))

    def prune(self, before: datetime, *, dry_run: bool = False) -> Iterator[tuple[str, str]]:
        """Delete the versions that nobody has used since, and that no call, effect or letter needs; yield each.

        before: aware. dry_run: delete nothing. A call that is not over may be resumed in its version, an effect
        without an outcome is looked up by it, and what has not arrived may be sent by it.
        """
        column = schema.bot_version.c
        with reading(self._engine) as connection:
            needed = {*_of_calls(connection), *_of_effects(connection), *_of_letters(connection)}
            query = select(column.bot, column.digest).where(column.written_at < before)
            unused = [(row.bot, row.digest) for row in connection.execute(query.order_by(column.bot, column.digest))]
        unused = [each for each in unused if each not in needed]
        for start in range(0, len(unused), BATCH):
            batch = unused[start : start + BATCH]
            if not dry_run:
                self._delete(batch, before)
            yield from batch

    def _delete(self, unused: Collection[tuple[str, str]], before: datetime) -> None:
        # Looked at once more, because a process may have come to use one meanwhile.
        still = schema.bot_version.delete().where(schema.bot_version.c.written_at < before)
        with self._engine.begin() as connection:
            for bot, digest in unused:
                connection.execute(still.where(_is(bot, digest)))

    def newest(self, bot: str) -> dict[str, bytes] | None:
        """The files of the version that was in use last, by path; None if there is none. Raises: UnreadableRow."""
        column = schema.bot_version.c
        query = select(column.digest).where(column.bot == bot).order_by(column.written_at.desc()).limit(1)
        with reading(self._engine) as connection:
            digest = connection.scalar(query)
        return None if digest is None else self.files(bot, digest)

    def files(self, bot: str, digest: str) -> dict[str, bytes] | None:
        """The files of a version, by path; None if it is not there. Raises: UnreadableRow."""
        query = select(schema.bot_version.c.files).where(_is(bot, digest))
        with reading(self._engine) as connection:
            return readable_one(connection, schema.bot_version, query, _decoded)


def _is(bot: str, digest: str) -> ColumnElement[bool]:
    column = schema.bot_version.c
    return and_(column.bot == bot, column.digest == digest)


def _of_calls(connection: Connection) -> list[tuple[str, str]]:
    """The versions of calls that are not over. A damaged lease names none: its call goes on in the present version."""
    query = select(schema.lease.c.opening).where(schema.lease.c.status != "ended")
    return readable(connection, schema.lease, query, lambda opening: (opening.get("bot"), opening.get("bot_digest")))


def _of_effects(connection: Connection) -> list[tuple[str, str]]:
    """The versions of effects whose outcome is not known."""
    column = schema.effect.c
    query = select(column.bot, column.bot_digest).where(effect_log.unsettled())
    return readable(connection, schema.effect, query, lambda bot, bot_digest: (bot, bot_digest))


def _of_letters(connection: Connection) -> list[tuple[str, str]]:
    """The versions of letters that have not arrived: by theirs they are sent where the bot is gone."""
    column = schema.outbox.c
    query = select(column.bot, column.bot_digest).where(column.status.in_(("due", "dead")))
    return readable(connection, schema.outbox, query.distinct(), lambda bot, bot_digest: (bot, bot_digest))


def _decoded(files: Mapping[str, Any]) -> dict[str, bytes]:
    return {path: b64decode(content, validate=True) for path, content in files.items()}
