"""The commands `erase`, `subject` and `hold`: what the law gives people about whom there is data.

May import: gateway, protocols, store, rich, typer, the standard library.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from gateway.commands.calls import noted, store_or_exit
from gateway.commands.console import FAILED, WRONG_SETTING, err, operator, out, print_away
from gateway.settings import read_store_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from store.erasure import People, Subject

hold_app = typer.Typer(no_args_is_help=True)

Caller = Annotated[str, typer.Option(help="A caller's number, best with its country's code, as +4930555010.")]
Call = Annotated[str, typer.Option(help="One call, by its conversation id.")]
Region = Annotated[
    str, typer.Option(envvar="TIELINE_REGION", help="Country (ISO 3166) of numbers without a country's code.")
]
Reason = Annotated[str, typer.Option(help="Why. It is kept: without anything personal.")]


def erase(
    caller: Caller = "",
    call: Call = "",
    reason: Reason = "",
    region: Region = "",
    needed_too: Annotated[
        bool, typer.Option("--needed-too", help="Also what is not over, as a booking to come.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the rows, and erase nothing.")] = False,
) -> None:
    """Erase all there is of a caller or a call, and print a receipt, as JSON. A call in progress is refused."""
    from store.erasure import NotErased

    with store_or_exit() as engine:
        people, subject = _meant(engine, caller, call, region)
        if dry_run:
            try:
                refused = people.why_not(subject, needed_too=needed_too)
                counted = {"calls": len(subject.calls), "rows": people.counts(subject)}
                _print(counted | ({"refused": refused} if refused else {}))
            except OSError as error:
                print_away(error)
                raise typer.Exit(FAILED) from None
            return
        try:
            receipt = people.erase(subject, operator(), reason, needed_too=needed_too)
        except NotErased as why:
            err.print(f"[red]not erased[/red] {escape(str(why))}")
            raise typer.Exit(FAILED) from None
    _print(asdict(receipt))


def subject(
    number: Annotated[str, typer.Argument(help="A caller's number, best with its country's code.")],
    region: Region = "",
) -> None:
    """Write all there is of a caller to the standard output, one row a line, as JSON: for a person who asks for it."""
    from store.erasure import UNREAD

    with store_or_exit() as engine:
        people, found = _meant(engine, number, "", region)
        noted(engine, "exported a subject", calls=len(found.calls))
        unread = ""
        for table, row in _rows(people, found):
            unread = unread or str(row.get(UNREAD, ""))
            sys.stdout.write(json.dumps({"table": table, "row": row}, ensure_ascii=False, default=_plain) + "\n")
    if unread:
        err.print(f"[red]not all[/red] some of it is encrypted and cannot be read: {escape(unread)}")
        raise typer.Exit(FAILED)


@hold_app.command("add")
def add_hold(caller: Caller = "", call: Call = "", reason: Reason = "", region: Region = "") -> None:
    """Keep a call, or all of a caller, whatever its age and whoever wants it erased."""
    _change_hold(caller, call, region, "held", reason)


@hold_app.command("release")
def release_hold(caller: Caller = "", call: Call = "", region: Region = "") -> None:
    """Hold it no longer."""
    _change_hold(caller, call, region, "released", "")


@hold_app.command("list")
def list_holds() -> None:
    """List what is held, the oldest first."""
    from store.holds import Holds

    with store_or_exit() as engine:
        holds = Holds(engine).all()
        if holds:
            noted(engine, "listed holds")
    for each in holds:
        out.print(escape(f"{each.key}  since {each.at:%Y-%m-%d %H:%M} UTC  {each.reason}"))
    if not holds:
        out.print("Nothing is held")


def _change_hold(caller: str, call: str, region: str, what: str, reason: str) -> None:
    from protocols.caller_id import e164, is_withheld
    from store.audit import note
    from store.holds import CALL, CALLER, Holds

    _one(caller, call)
    if not call and what == "held" and is_withheld(caller):
        err.print("[red]nobody is meant[/red] a withheld number is nobody's: hold each call, by its id")
        raise typer.Exit(WRONG_SETTING)
    key = f"{CALL}{call}" if call else f"{CALLER}{e164(caller, region.upper()) or caller}"
    with store_or_exit() as engine:
        if call and what == "held":
            _meant(engine, "", call, region)
        holds = Holds(engine)
        with engine.begin() as connection:
            done = holds.add(connection, key, reason) if what == "held" else holds.release(connection, key)
            if done:
                note(connection, operator(), what, call, {"what": "call" if call else "caller", "reason": reason})
    if not done:
        err.print(f"[red]not {what}[/red] {'it is held already' if what == 'held' else 'nothing of it is held'}")
        raise typer.Exit(FAILED)
    out.print(escape(f"{what} {key}"))


def _meant(engine: Engine, caller: str, call: str, region: str) -> tuple[People, Subject]:
    """Who is meant; or exit with 1 if there is nothing of it."""
    from gateway.retention import recordings_of
    from store.erasure import Nobody, People

    _one(caller, call)
    people = People(engine, region.upper(), recordings_of(read_store_settings()))
    try:
        found = people.caller(caller) if caller else people.call(call)
    except Nobody as why:
        err.print(f"[red]nobody is meant[/red] {escape(str(why))}")
        raise typer.Exit(WRONG_SETTING) from None
    if next(_rows(people, found), None) is None:
        err.print("[red]nothing is there[/red] of this " + ("call" if call else "number; write it as +4930555010"))
        raise typer.Exit(FAILED)
    return people, found


def _rows(people: People, subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """As `People.rows`; or exit with 1 where recordings cannot be looked for."""
    try:
        yield from people.rows(subject)
    except OSError as error:
        print_away(error)
        raise typer.Exit(FAILED) from None


def _one(caller: str, call: str) -> None:
    if bool(caller) == bool(call):
        err.print("[red]who is meant?[/red] say either --caller NUMBER or --call ID")
        raise typer.Exit(WRONG_SETTING)


def _print(what: object) -> None:
    out.file.write(json.dumps(what, indent=2, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
