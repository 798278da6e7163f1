"""Which tables a database has, which a release works with, and the way from one to the other.

A release also works with tables that are newer than its own, up to the next major revision: a migration only adds what
the release before can live with, and tests/store/test_migration.py holds it to that. So processes of two releases share
a database while one follows the other, in either direction, and no table is changed for the older one.
Functions take the connection of a transaction. Most starts find nothing to add: Alembic, a tenth of what the daemon
imports, is imported by those that do.
May import: protocols, store.migrations, SQLAlchemy, Alembic, the standard library.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from protocols.errors import MisuseError
from store import schema
from store.package_tables import may_idle, prepare, unlimited, wait_for_others

if TYPE_CHECKING:
    from alembic.config import Config

# Revisions are numbers. One that takes away or changes what an earlier release needs begins the next thousand.
MAJOR = 1_000

VERSIONS = Path(__file__).parent / "migrations" / "versions"

# Alembic keeps the running migration in a module global: one at a time in a process.
_alembic = threading.Lock()


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a database. revision: theirs, "" for none. known: the revisions of this release, in order."""

    revision: str
    known: tuple[str, ...]

    @property
    def newer(self) -> bool:
        """They are of a later release, and this one works with them."""
        return self.revision not in ("", *self.known) and _major(self.revision) == _major(self.known[-1])

    @property
    def pending(self) -> tuple[str, ...]:
        """The revisions that this release would add. Raises: MisuseError if it cannot work with these tables."""
        if self.newer:
            return ()
        if self.revision not in ("", *self.known):
            raise MisuseError(f"its tables are of another version (revision {self.revision}, here {self.known[-1]})")
        return self.known[self.known.index(self.revision) + 1 :] if self.revision else self.known


def tables(connection: Connection) -> Tables:
    """The tables of the database."""
    return Tables(_revision(connection), known_revisions())


def known_revisions() -> tuple[str, ...]:
    """The revisions of this release, in order: a migration's file begins with its own."""
    return tuple(sorted(file.name.partition("_")[0] for file in VERSIONS.glob("[0-9]*.py")))


def _revision(connection: Connection) -> str:
    """What Alembic has written of the tables. Raises: MisuseError if that is not one revision."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return ""
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    if len(found) > 1:
        raise MisuseError(f"its tables are of several versions at once ({', '.join(sorted(found))})")
    return str(found[0]) if found else ""


def meaning(revision: str) -> str:
    """What a migration of this release does, in its own words."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    script = ScriptDirectory.from_config(_config()).get_revision(revision)
    return (script.doc or "") if script is not None else ""


def upgrade(connection: Connection) -> Tables:
    """Add what this release and its packages need and the database does not have. Returns the tables as found.

    Raises: MisuseError if this release cannot work with them.
    """
    # Most starts find nothing to add: they wait for no other process, and no longer for the server than calls do.
    if (found := tables(connection)).pending:
        found = _upgrade(connection)
    prepare(connection)
    return found


def _upgrade(connection: Connection) -> Tables:
    with _alone(connection) as config:
        from alembic import command  # noqa: PLC0415 - see above

        found = tables(connection)
        if found.pending:
            with unlimited(connection):
                if found.revision:
                    command.upgrade(config, "head")
                else:  # without the tables that were the store's once
                    schema.metadata.create_all(connection, checkfirst=False)
                    command.stamp(config, "head")
    return found


def downgrade(connection: Connection, revision: str) -> Tables:
    """Take away what came after a revision, with what is in it. Returns the tables as they were found.

    Raises: MisuseError if the revision is not an earlier one.
    """
    with _alone(connection) as config:
        from alembic import command  # noqa: PLC0415 - see above

        found = tables(connection)
        _later(found, revision)
        with unlimited(connection):
            command.downgrade(config, revision)
    return found


def later(connection: Connection, revision: str) -> tuple[str, ...]:
    """The revisions of the database that came after one. Raises: MisuseError if it is not an earlier one."""
    return _later(tables(connection), revision)


def _later(found: Tables, revision: str) -> tuple[str, ...]:
    if found.newer:
        raise MisuseError(f"revision {found.revision} is of a later release: use its `tieline db downgrade`")
    there = found.known[: len(found.known) - len(found.pending)]
    if revision not in there[:-1]:
        raise MisuseError(f"{revision!r} is no earlier revision: there is {', '.join(there[:-1]) or 'none'}")
    return there[there.index(revision) + 1 :]


@contextmanager
def _alone(connection: Connection) -> Iterator[Config]:
    """Only one process and thread migrates at a time; the others wait."""
    may_idle(connection)  # another thread may migrate for longer than that
    with _alembic:
        wait_for_others(connection)
        from alembic.util import CommandError  # noqa: PLC0415 - see above

        config = _config()
        config.attributes["connection"] = connection
        try:
            yield config
        except CommandError as error:
            raise MisuseError(f"its tables are of another version ({error})") from None


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", "store:migrations")
    return config


def _major(revision: str) -> int | None:
    return int(revision) // MAJOR if revision.isdecimal() else None
