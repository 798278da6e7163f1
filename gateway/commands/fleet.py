"""The command `fleet`: the processes that share the store, and the calls they have.

It reads the store, so that it works from any machine that reaches it.
May import: gateway, store, rich, typer, the standard library.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import store_or_exit
from gateway.commands.console import out

if TYPE_CHECKING:
    from pydantic import JsonValue

    from store.fleet import FleetMember


def fleet(as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False) -> None:
    """List the processes that share the database: release, calls, since when, whether they leave; and their sum."""
    from store.database import reading
    from store.fleet import fleet as processes

    with store_or_exit() as engine:
        with reading(engine) as connection:
            found = processes(connection)
        now = datetime.now(UTC)
        if as_json:
            for each in found:
                sys.stdout.write(json.dumps(_object(each, now)) + "\n")
            return
        for each in found:
            out.print(_line(each, now))
        living = [each for each in found if each.lives]
        room = sum(each.room for each in living)
        many = f"{len(living)} {'process' if len(living) == 1 else 'processes'}"
        calls = sum(each.calls for each in found)
        out.print(f"{many}, {calls} {'call' if calls == 1 else 'calls'}, room for {room} more")


def _object(process: FleetMember, now: datetime) -> dict[str, JsonValue]:
    ours: dict[str, JsonValue] = {"node": process.node, "lives": process.lives, "calls": process.calls}
    return {**process.facts, **ours, "seen_s_ago": round((now - process.seen_at).total_seconds(), 1)}


def _line(process: FleetMember, now: datetime) -> str:
    facts = process.facts
    if not process.lives:
        how = f"[red]not seen for {(now - process.seen_at).total_seconds():.0f} s[/red]"
    elif facts.get("leaving"):
        how = "[yellow]leaving[/yellow]"
    else:
        why = facts.get("not_ready")
        how = f"[red]wants no calls: {escape(str(why))}[/red]" if why else "serves"
    bots = facts.get("bots")
    versions = ", ".join(f"{name} {str(digest)[:8]}" for name, digest in bots.items()) if isinstance(bots, dict) else ""
    calls = f"{process.calls} of {facts.get('max_calls', '?')} calls"
    release, began = facts.get("release", "an earlier release"), facts.get("started_at")
    since = f"{str(began)[:16]}Z" if began else "?"
    told = f"{calls}  {release}  since {since}  {facts.get('ops', '')}  {versions}"
    return f"[bold]{escape(process.node)}[/bold]  {how}  {escape(told)}"
