"""The commands `outbox`, `outbox retry` and `outbox drop`: what was to be told of calls and has not arrived.

May import: gateway, store, rich, typer, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import noted, store_or_exit
from gateway.commands.console import WRONG_SETTING, err, out
from gateway.settings import read_store_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from store.outbox import Outbox

outbox_app = typer.Typer(no_args_is_help=False, invoke_without_command=True)
Key = Annotated[str, typer.Argument(help="The letter's key, as the list has it.")]


@outbox_app.callback()
def outbox(context: typer.Context) -> None:
    """List what was to be told of calls that have ended and has not arrived, or deal with what was given up."""
    if context.invoked_subcommand is None:
        list_letters()


@outbox_app.command("list")
def list_letters() -> None:
    """List what has not arrived: of which call, why, and since when. What was given up comes first."""
    from store.database import shown

    with outbox_or_exit() as (letters, _):
        waiting = letters.waiting()
    for each in waiting:
        since = f"{each.written_at:%Y-%m-%d %H:%M} UTC" if each.written_at else "?"
        state = "given up" if each.status == "dead" else f"next try {each.due_at:%H:%M:%S}" if each.tries else "waits"
        out.print(f"[bold]{escape(each.key)}[/bold]  {state}  {escape(each.bot)}  {since}  tries {each.tries}")
        if each.reason:
            out.print(escape(f"  {each.reason}"))
    if not waiting:
        out.print(f"Everything has arrived, in {escape(shown(read_store_settings().database_url))}")


@outbox_app.command("retry")
def retry_letter(
    key: Key = "",
    everything: Annotated[bool, typer.Option("--all", help="All that was given up.")] = False,
) -> None:
    """Have something that was given up sent again, for another day."""
    if bool(key) == everything:
        err.print("[red]which?[/red] write a letter's key, or --all")
        raise typer.Exit(WRONG_SETTING)
    with outbox_or_exit() as (letters, engine):
        number = letters.retry_all() if everything else _found(letters.retry(key), key)
        noted(engine, "sent letters again", key, letters=number)
    if everything:
        out.print(f"{number} are sent again by the daemon")
        return
    out.print(f"{escape(key)}  is sent again by the daemon")


@outbox_app.command("drop")
def drop_letter(key: Key) -> None:
    """Forget something that was given up."""
    with outbox_or_exit() as (letters, engine):
        _found(letters.drop(key), key)
        noted(engine, "dropped a letter", key)
    out.print(f"{escape(key)}  dropped")


def _found(there: bool, key: str) -> int:
    """Returns 1, for the one; or exits with 2."""
    if not there:
        err.print(f"[red]unknown letter[/red] {escape(key)}: nothing that was given up has this key")
        raise typer.Exit(WRONG_SETTING)
    return 1


@contextmanager
def outbox_or_exit() -> Iterator[tuple[Outbox, Engine]]:
    """The outbox of the settings' database, or exit with 2 if it cannot be opened. Needs no other setting."""
    from store.outbox import Outbox

    with store_or_exit() as engine:
        yield Outbox(engine), engine
