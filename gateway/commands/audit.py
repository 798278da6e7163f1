"""The commands `audit list` and `audit verify`: who did what with people's data.

May import: gateway, store, rich, typer, the standard library.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import store_or_exit
from gateway.commands.console import FAILED, WRONG_SETTING, err, out

audit_app = typer.Typer(no_args_is_help=True)


@audit_app.command("list")
def list_audit(
    limit: Annotated[int, typer.Option(min=1, help="So many of the last rows.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="All rows, one a line, as JSON.")] = False,
) -> None:
    """List who did what, the oldest first."""
    from store.audit import Audit

    with store_or_exit() as engine:
        audit = Audit(engine)
        for row in audit.rows() if as_json else audit.last(limit):
            facts = json.dumps(row.facts, ensure_ascii=False, sort_keys=True)
            if as_json:
                whole = asdict(row) | {"at": row.at.isoformat()}
                sys.stdout.write(json.dumps(whole, ensure_ascii=False) + "\n")
            else:
                about = f"  {row.about}" if row.about else ""
                told = f"  {facts}" if row.facts else ""
                out.print(escape(f"{row.seq}  {row.at:%Y-%m-%d %H:%M:%S} UTC  {row.who}  {row.what}{about}{told}"))


@audit_app.command("verify")
def verify_audit(
    noted: Annotated[
        str, typer.Option("--noted", help="SEQ:HASH of a row, as a receipt or an earlier verify has it.")
    ] = "",
) -> None:
    """Say whether all rows are as they were written; if not, exit with 1. Note what it says, to find lost rows."""
    from store.audit import Audit

    seq, _, head = noted.partition(":")
    if noted and not (seq.isdecimal() and head):
        err.print("[red]not understood[/red] --noted: must be as 17:5f2c…, number and hash of a row")
        raise typer.Exit(WRONG_SETTING)
    with store_or_exit() as engine:
        found = Audit(engine).verify(int(seq or 0), head)
    if found.fault:
        err.print(f"[red]not as it was written[/red] {escape(found.fault)}")
        raise typer.Exit(FAILED)
    out.print(f"{found.rows} rows, as they were written  {found.rows}:{found.head}")
