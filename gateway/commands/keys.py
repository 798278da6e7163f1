"""The commands `keys list`, `rotate`, `backup`, `restore` and `drop`: the keys with which calls are encrypted.

May import: gateway, protocols, store, rich, typer, the standard library.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import noted, store_or_exit
from gateway.commands.console import FAILED, WRONG_SETTING, err, out, print_faults
from gateway.settings import variable_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from protocols.sealing import KeyRing

keys_app = typer.Typer(no_args_is_help=True)


@keys_app.command("list")
def list_keys() -> None:
    """List the keys of TIELINE_ENCRYPTION_KEY by their ids, with how many keys of calls each wraps; exit with 1 if one
    that is needed is missing.
    """
    from store.data_keys import DataKeys, ring_of

    with store_or_exit() as engine:
        counts, ring = DataKeys(engine).counts(), ring_of(engine)
    ids = () if ring is None else ring.ids
    for number, each in enumerate(ids):
        what = "wraps new keys" if not number else "in use" if each in counts else "wraps none"
        out.print(f"{each}  {counts.get(each, 0)} keys of calls  {what}")
    missing = [each for each in counts if each not in ids]
    for each in missing:
        out.print(f"{each}  {counts[each]} keys of calls  [red]missing[/red]")
    if not ids and not missing:
        out.print("Nothing is encrypted")
    if missing:
        raise typer.Exit(FAILED)


@keys_app.command()
def rotate() -> None:
    """Wrap the keys of all calls by the first of TIELINE_ENCRYPTION_KEY; what they encrypt stays as it is.

    Afterwards the others may be taken out of it. Exits with 1 while a process serves that does not have the first.
    """
    from store.data_keys import DataKeys
    from store.retention import pause_after_s

    with _with_ring() as (engine, ring):
        if without := [node for node, has in _nodes(engine, ring.ids[0]) if not has]:
            err.print(f"[red]not rotated[/red] key {ring.ids[0]} is not known to {escape(', '.join(without))}")
            raise typer.Exit(FAILED)
        noted(engine, "rotated keys", ring.ids[0])
        with _damaged_named(engine):
            done, began_s = 0, time.monotonic()
            for number in DataKeys(engine).rotate(ring):
                done += number
                time.sleep(pause_after_s(time.monotonic() - began_s))
                began_s = time.monotonic()
            out.print(f"{done} keys of calls are wrapped by {ring.ids[0]} now")


@keys_app.command()
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write; one that is there is replaced once this is whole.")],
) -> None:
    """Write the keys of calls, wrapped as they are, to a file of their own: `db backup` leaves them out."""
    from store.backup import whole_file
    from store.data_keys import DataKeys

    with store_or_exit() as engine:
        noted(engine, "copied the keys")
        with _damaged_named(engine):
            try:
                with whole_file(path, replace=True) as new, new.open("w", encoding="utf-8") as file:
                    count = 0
                    for count, row in enumerate(DataKeys(engine).rows(), 1):  # noqa: B007 - it is their number
                        file.write(json.dumps(row) + "\n")
            except OSError as error:
                err.print(escape(f"{path} cannot be written: {error.strerror}"))
                raise typer.Exit(FAILED) from None
            out.print(escape(f"{count} keys of calls written to {path}"))


@keys_app.command()
def restore(path: Annotated[Path, typer.Argument(help="A file that `keys backup` has written.")]) -> None:
    """Add the keys of calls in a file to those that are there. Those of calls that were erased since come back too."""
    from store.data_keys import DataKeys

    with store_or_exit() as engine:
        try:
            rows = [_row(line) for line in path.read_text("utf-8").splitlines()]
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no file of keys"
            err.print(escape(f"{path} cannot be read: {why}"))
            raise typer.Exit(FAILED) from None
        noted(engine, "restored keys", keys=len(rows))
        added = DataKeys(engine).put_back(rows)
    out.print(f"{added} keys of calls added, {len(rows) - added} were there")


@keys_app.command()
def drop(
    key: Annotated[str, typer.Argument(help="The id of a key of the deployment, as `keys list` has it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete them: nobody will read again what they encrypt.")] = False,
) -> None:
    """Delete the keys of calls that a key wraps which is lost, so that processes start without it."""
    from store.data_keys import DataKeys

    with store_or_exit() as engine:
        keys = DataKeys(engine)
        if having := [node for node, has in _nodes(engine, key) if has]:
            err.print(f"[red]not dropped[/red] {escape(', '.join(having))} has it, and may have calls that need it")
            raise typer.Exit(FAILED)
        number = keys.counts().get(key, 0)
        if not yes:
            err.print(escape(f"not dropped: {number} keys of calls are wrapped by {key}; repeat it with --yes"))
            raise typer.Exit(FAILED)
        noted(engine, "dropped keys", key, keys=number)
        out.print(f"{keys.drop(key)} keys of calls deleted")


def _row(line: str) -> dict[str, str]:
    row = json.loads(line)
    return {name: str(row[name]) for name in ("conversation_id", "what", "kek", "sealed")}


def _nodes(engine: Engine, key: str) -> list[tuple[str, bool]]:
    """The processes that serve, each with whether it has a key."""
    from store.database import reading
    from store.fleet import fleet

    with reading(engine) as connection:
        told = [(each.node, each.facts.get("keys")) for each in fleet(connection) if each.lives]
    return [(node, isinstance(keys, list) and key in keys) for node, keys in told]


@contextmanager
def _damaged_named(engine: Engine) -> Iterator[None]:
    """Go through all rows; those that cannot be read are named at the end, and then it exits with 1."""
    from store.rows import report_unreadable

    damaged: set[str] = set()
    report_unreadable(engine, lambda row: damaged.add(str(row)))
    yield
    for each in sorted(damaged):
        err.print(f"[red]damaged[/red] its row cannot be read: {escape(each)}")
    if damaged:
        raise typer.Exit(FAILED)


@contextmanager
def _with_ring() -> Iterator[tuple[Engine, KeyRing]]:
    """The store and the keys of the settings; or exit with 2 without any, with 1 if one that is needed is missing."""
    from protocols.sealing import KeyMissing
    from store.data_keys import ring_of

    with store_or_exit() as engine:
        ring = ring_of(engine)
        if ring is None:
            print_faults([f"{variable_of('encryption_key')}: is not set"])
            raise typer.Exit(WRONG_SETTING)
        try:
            yield engine, ring
        except KeyMissing as error:
            err.print(f"[red]not finished[/red] {escape(str(error))}")
            raise typer.Exit(FAILED) from None
