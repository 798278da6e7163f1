"""The command `retention run`: deletes what is kept no longer, or shows it.

May import: actors, gateway, store, rich, typer, the standard library.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import noted, store_or_exit
from gateway.commands.console import FAILED, err, operator, out
from gateway.settings import read_store_settings

retention_app = typer.Typer(no_args_is_help=True)


@retention_app.callback()
def retention() -> None:
    """What is kept no longer."""


def _left(error: OSError) -> None:
    err.print(f"[yellow]not deleted[/yellow] {escape(str(error))}: its call is kept")


@retention_app.command("run")
def run_retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted, and delete nothing.")] = False,
) -> None:
    """Delete now what bots and TIELINE_RETENTION keep no longer; `serve` does it by itself every six hours."""
    from actors.process.retention_sweeper import JOB
    from gateway.retention import KeptRules, RecordingExpiry, recordings_of
    from store.bot_versions import BotVersions
    from store.jobs import Job
    from store.retention import JobLost, Retention

    with store_or_exit() as engine:
        settings = read_store_settings()
        rules, recordings = KeptRules(BotVersions(engine), settings.retention), recordings_of(settings)
        if dry_run:
            for each in Retention(engine, rules.of).due():
                rule = rules.of(each.bot)
                days = 0 if rule is None else getattr(rule, each.what)
                kept = f"older than {days} days" if days else "kept for ever"
                held = f"  {each.held} more are held" if each.held else ""
                out.print(f"{escape(each.bot or '(no bot)')}  {each.what}  {kept}  {each.things} to be deleted{held}")
            return
        job = Job(engine, JOB, f"{operator()} {uuid.uuid4().hex[:8]}")
        if not job.begin(0.0):
            err.print("[red]not now[/red] another process is at it")
            raise typer.Exit(FAILED)
        done, gone = False, Counter[str]()
        try:
            for folder in recordings:
                RecordingExpiry(engine, folder, rules, lambda: datetime.now(UTC), _left).look()
            for batch in Retention(engine, rules.of, job.keep, recordings, _left).sweep():
                gone[batch.what] += batch.things
                time.sleep(batch.pause_s)
            done = True
        except JobLost:
            err.print("[red]not finished[/red] another process is at it")
            raise typer.Exit(FAILED) from None
        finally:
            job.leave(done=done)
            noted(engine, "retention", deleted={what: things for what, things in gone.items() if things})
        for what in ("words", "record", "effects", "strays"):
            out.print(f"{what}  {gone[what]} deleted")
