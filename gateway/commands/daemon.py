"""The commands `serve` and `check`.

May import: gateway, protocols, rich, typer, loguru, the standard library.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from gateway.commands.console import WRONG_SETTING, err, importing, out, print_faults, print_misuse, settings_or_exit
from gateway.settings import (
    Settings,
    SettingsError,
    given_tool_secrets,
    is_given,
    read_settings,
    settings_as_given,
    unknown_variables,
    variable_of,
)
from protocols.errors import MisuseError

# The command line, which each worker is started with.
RUN = Path(__file__).parents[2] / "run.py"

Port = Annotated[int | None, typer.Option(help="Port of the VAIC endpoint (default 8050).")]
OpsPort = Annotated[int | None, typer.Option(help="Port of the ops endpoint, on loopback (default 8060).")]


def serve(
    port: Port = None,
    ops_port: OpsPort = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: all with a token).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share port and calls (default 1).")] = None,
    as_worker: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Run the daemon: take calls from VoiceAI Connect until told to stop."""
    with importing():
        from loguru import logger

        from gateway.daemon import run
        from gateway.logs import set_up_logs
        from gateway.workers import serve as serve_calls

    settings = settings_or_exit(port=port, ops_port=ops_port, host=host, workers=workers)
    set_up_logs(
        settings.log_level, settings.log_format, settings.log_levels, (*settings.secrets(), *given_tool_secrets())
    )
    if not as_worker:
        for name in unknown_variables():
            logger.warning("no setting has this name", variable=name)
        if not settings.asks_for_token:
            logger.warning("no TIELINE_VAIC_TOKEN is set: calls are taken from this machine only")
    try:
        code = run(serve_calls(settings, [sys.executable, str(RUN), "serve", "--as-worker"], as_worker))
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None
    except MisuseError as error:
        print_misuse(error)
        raise typer.Exit(WRONG_SETTING) from None
    except OSError as error:
        err.print(f"[red]cannot listen[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None
    raise typer.Exit(code)


def check() -> None:
    """Print the settings in force, secrets hidden, and what is wrong with them."""
    from gateway.logs import without_query, without_secrets

    given, expiry = settings_as_given(), ""
    try:
        settings, faults = read_settings(), []
        expiry = settings.tls.outlook(datetime.now(UTC)) if settings.tls is not None else ""
        given |= {variable_of(name): str(getattr(settings, name)) for name in Settings.model_fields}
    except SettingsError as error:
        faults = error.faults
    wrong = {fault.partition(":")[0] for fault in faults}
    # Fold long values: a truncated one cannot be checked.
    names, values = Column("variable", no_wrap=True), Column("value", overflow="fold", min_width=24)
    table = Table(names, values, "what it is", box=None, pad_edge=False)
    for name, field in Settings.model_fields.items():
        variable = variable_of(name)
        if variable in wrong:  # not as it stands there: nobody can tell where a secret in it begins
            value = "[red]wrong, see below[/red]"
        else:
            origin = "" if is_given(name) else " [dim](default)[/dim]"
            value = f"{escape(without_secrets(without_query(given[variable])))}{origin}"
        table.add_row(variable, value, escape(field.description or ""))
    out.print(table)
    print_unknown()
    if expiry:
        err.print(f"[yellow]TIELINE_TLS_CERTIFICATE[/yellow] {escape(expiry)}")
    print_faults(faults)
    if faults:
        raise typer.Exit(WRONG_SETTING)


def print_unknown() -> None:
    for name in unknown_variables():
        err.print(f"[yellow]unknown[/yellow] {escape(name)}: no setting has this name")
