"""The commands `db status`, `upgrade` and `downgrade`: the tables, release by release; `db prune-bots` and `db backup`.

May import: gateway, protocols, store, rich, typer, the standard library.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import noted
from gateway.commands.console import FAILED, err, out, usable_or_exit
from gateway.settings import read_store_settings
from protocols.errors import MisuseError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from store.migration import Tables

_KEYS = "tieline keys backup FILE"
database_app = typer.Typer(no_args_is_help=True)


@database_app.command()
def status() -> None:
    """Show the revision of the tables, and whether this release works with them; if it does not, exit with 1."""
    from store import migration
    from store.database import reading

    with _database() as engine, reading(engine) as connection:
        _print(engine, migration.tables(connection))


@database_app.command()
def upgrade() -> None:
    """Add what this release needs, as `serve` does when it starts. Earlier releases go on working with the tables."""
    from store import migration, package_tables
    from store.database import open_database, reading

    with _database(create=True) as engine:
        with reading(engine) as connection:
            found = migration.tables(connection)
        # Only now: a database of another version is shown, and not opened.
        pending = _print(engine, found)
        # Also where nothing is: the tables of a package that was installed since may be missing.
        open_database(read_store_settings().database_url).dispose()
        package_tables.check()
        if pending:
            out.print("upgraded")


@database_app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="The revision to go back to; what came later is taken away.")],
    yes: Annotated[bool, typer.Option("--yes", help="Take it away, with what is in it.")] = False,
) -> None:
    """Take away the tables and columns that came after a revision, with what is in them. No process may use them."""
    from store import migration
    from store.database import shown
    from store.leases import in_progress, living

    with _database() as engine:
        with engine.begin() as connection:
            later = migration.later(connection, revision)
            if calls := in_progress(connection):
                err.print(f"[red]not downgraded[/red] {calls} calls are in progress: stop the processes that have them")
                raise typer.Exit(FAILED)
            if nodes := living(connection):
                err.print(f"[red]not downgraded[/red] in use by {escape(', '.join(nodes))}: stop these processes")
                raise typer.Exit(FAILED)
            if not yes:
                for each in later:
                    out.print(escape(f"  to be taken away, with what is in it: {each} {migration.meaning(each)}"))
                err.print("[red]not downgraded[/red] repeat it with --yes to take this away")
                raise typer.Exit(FAILED)
            found = migration.downgrade(connection, revision)
        out.print(f"{escape(shown(engine.url))}  {found.revision}, now {revision}")


@database_app.command(name="prune-bots")
def prune_bots(
    days: Annotated[int, typer.Option(min=2, max=36500, help="Versions that were in use since then are kept.")] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show them, and delete nothing.")] = False,
) -> None:
    """Delete the versions of bots that nobody uses any more, but for those of calls in progress and of open effects."""
    from datetime import UTC, datetime, timedelta

    from store import migration
    from store.bot_versions import BotVersions
    from store.database import reading

    with _database() as engine:
        with reading(engine) as connection:
            if _pending(migration.tables(connection)):
                err.print("[red]not now[/red] the tables are of an earlier release; say: tieline db upgrade")
                raise typer.Exit(FAILED)
        count = 0
        before = datetime.now(UTC) - timedelta(days=days)
        for bot, digest in BotVersions(engine).prune(before, dry_run=dry_run):
            out.print(escape(f"{bot}  {digest[:12]}"))
            count += 1
        out.print(f"{count} versions {'would be ' if dry_run else ''}deleted")


@database_app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write; there must be none of this name.")],
) -> None:
    """Copy SQLite's database while processes use it; of PostgreSQL, say what to run, and exit with 1."""
    from sqlalchemy import inspect

    from store.backup import back_up
    from store.data_keys import DataKeys
    from store.database import shown

    with _database() as engine:
        if engine.dialect.name != "sqlite":
            # Without the password, which pg_dump asks for or finds in ~/.pgpass; `set` would keep it.
            url = engine.url._replace(drivername="postgresql", password=None).render_as_string()
            line = shlex.join(["pg_dump", "--format=custom", "--exclude-table-data=data_key", f"--file={path}", url])
            err.print(escape(f"PostgreSQL is backed up by its own means: {line}; keys of encryption: {_KEYS}"))
            raise typer.Exit(FAILED)
        if inspect(engine).has_table("audit"):  # not of an earlier release's, before it is migrated
            noted(engine, "copied the database")
        try:
            size = back_up(engine, path)
        except MisuseError as error:
            err.print(f"[red]not copied[/red] {escape(str(error))}")
            raise typer.Exit(FAILED) from None
        out.print(escape(f"{shown(engine.url)}  copied to {path}, {size} bytes"))
        if inspect(engine).has_table("data_key") and DataKeys(engine).counts():
            err.print(f"[yellow]note[/yellow] the keys of encrypted calls are not in it: {_KEYS}")


def _pending(found: Tables) -> tuple[str, ...]:
    """What is to be added; or exit with 1, if the tables are not for this release."""
    try:
        return tuple(found.pending)
    except MisuseError as error:
        err.print(f"[red]not for this release[/red] {escape(str(error))}")
        raise typer.Exit(FAILED) from None


def _print(engine: Engine, found: Tables) -> bool:
    """Print what there is. Returns whether something is to be added."""
    from store.database import shown
    from store.migration import meaning

    out.print(f"{escape(shown(engine.url))}  revision {found.revision or 'none'}, here {found.known[-1]}")
    pending = _pending(found)
    for each in pending:
        out.print(escape(f"  to be added: {each} {meaning(each)}"))
    if found.newer:
        out.print("of a later release; this one works with it and changes none of its tables")
    elif not pending:
        out.print("up to date")
    return bool(pending)


@contextmanager
def _database(*, create: bool = False) -> Iterator[Engine]:
    """The database of the settings as it is, or exit with 2 if it cannot be used. Needs no other setting."""
    from store.database import connect, faults_named

    with usable_or_exit():
        engine = connect(read_store_settings().database_url, create=create)
        with faults_named(engine):
            yield engine
        engine.dispose()
