"""The versions of bots whole, for a process that goes on with a call which began in one that it has no files of.

May import: protocols, SQLAlchemy, the standard library. Rules from: docs/architecture.md 5.1.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select

from store import schema
from store.database import insert, reading
from store.rows import readable_one


class BotVersions:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def write(self, bot: str, digest: str, files: Mapping[str, bytes], at: datetime) -> None:
        """Store a version, unless it is there. files: contents by path within the bot's folder. at: aware."""
        column = schema.bot_version.c
        mine = (column.bot == bot) & (column.digest == digest)
        with reading(self._engine) as connection:  # most are there, and need no lock
            if connection.execute(select(column.bot).where(mine)).first() is not None:
                return
        row = {
            "bot": bot,
            "digest": digest,
            "files": {path: b64encode(content).decode("ascii") for path, content in sorted(files.items())},
            "written_at": at,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(connection.dialect.name, schema.bot_version).values(row).on_conflict_do_nothing())

    def files(self, bot: str, digest: str) -> dict[str, bytes] | None:
        """The files of a version, by path; None if it is not there. Raises: UnreadableRow."""
        column = schema.bot_version.c
        query = select(column.files).where(column.bot == bot, column.digest == digest)
        with reading(self._engine) as connection:
            return readable_one(connection, schema.bot_version, query, _decoded)


def _decoded(files: Mapping[str, Any]) -> dict[str, bytes]:
    return {path: b64decode(content, validate=True) for path, content in files.items()}
