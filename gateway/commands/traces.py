"""The command `traces send`: the traces of calls that have ended, from the store, once more.

May import: gateway, store, rich, typer, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.calls import Since, all_ended, filter_or_exit, not_found, noted, store_or_exit
from gateway.commands.console import FAILED, WRONG_SETTING, err, out, print_faults
from gateway.settings import SettingsError, read_trace_settings, traces_url, variable_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gateway.settings import TraceSettings
    from gateway.traces.sender import Export

traces_app = typer.Typer(no_args_is_help=True)


@traces_app.callback()
def traces() -> None:
    """The traces of calls."""


@traces_app.command("send")
def send_traces(
    since: Since = "",
    call: Annotated[str, typer.Option(help="Of this call only: its id, as lists and logs have it.")] = "",
) -> None:
    """Send the traces of calls that have ended to TIELINE_OTLP_URL, also those that were sent before: their ids are the
    same. Exits with 1 if the collector does not take one.
    """
    from gateway.logs import without_query, without_secrets

    if bool(since) == bool(call):
        err.print("[red]which?[/red] write --since, or --call")
        raise typer.Exit(WRONG_SETTING)
    with _collector_or_exit() as (settings, export), store_or_exit() as engine:
        noted(engine, "sent traces", call, words=settings.trace_words)
        keys = [call] if call else (each.key for each in all_ended(engine, filter_or_exit({"since": since})))
        sent = _send(engine, settings, export, keys)
    if call and not sent:
        not_found(call)
    out.print(f"{sent} sent to {escape(without_secrets(without_query(traces_url(settings))))}")


def _send(engine: Engine, settings: TraceSettings, export: Export, keys: Iterable[str]) -> int:
    """Send them in batches; exits with 1 at the first that is not taken. Returns how many calls were sent."""
    from gateway.traces.sender import BATCH_SPANS, TraceReader
    from gateway.traces.spans import Trace
    from protocols.sealing import KeyMissing
    from store.data_keys import KeyGone
    from store.rows import UnreadableRow

    reader, sent, batch = TraceReader.of(settings, engine), 0, list[Trace]()

    def flush() -> int:
        if batch and (refused := export.send(batch)):
            err.print(f"[red]not taken[/red] {escape(refused)}; {sent} were sent before")
            raise typer.Exit(FAILED)
        number = len(batch)
        batch.clear()
        return number

    for key in keys:
        try:
            trace = reader.trace(key)
        except UnreadableRow as error:
            err.print(f"[yellow]left out[/yellow] {escape(key)}: its row cannot be read: {escape(str(error))}")
            continue
        except (KeyMissing, KeyGone) as error:
            err.print(f"[yellow]left out[/yellow] {escape(key)}: it is encrypted: {escape(str(error))}")
            continue
        batch += [] if trace is None else [trace]
        if sum(len(each.spans) for each in batch) >= BATCH_SPANS:
            sent += flush()
    return sent + flush()


@contextmanager
def _collector_or_exit() -> Iterator[tuple[TraceSettings, Export]]:
    """The settings and the collector that they name; or exit with 2."""
    from gateway.traces.sender import export_of

    try:
        settings = read_trace_settings()
        if not settings.otlp_url:
            raise SettingsError([f"{variable_of('otlp_url')}: is needed: where traces are sent"])
        export = export_of(settings)
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None
    try:
        yield settings, export
    finally:
        export.stop()
