"""The commands `serve` and `check`.

May import: gateway, protocols, store, rich, typer, loguru, the standard library.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from gateway.commands.console import (
    DATABASE,
    FAILED,
    WRONG_SETTING,
    err,
    importing,
    misuse,
    out,
    print_faults,
)
from gateway.prices import read_prices
from gateway.settings import (
    Settings,
    SettingsError,
    given_tool_secrets,
    is_given,
    read_settings,
    ring_of,
    settings_as_given,
    unknown_variables,
    variable_of,
)
from protocols.errors import MisuseError, TielineError

# The command line, which each worker is started with.
RUN = Path(__file__).parents[2] / "run.py"

CERTIFICATE = "TIELINE_TLS_CERTIFICATE"
# How long `check` waits for the database's answer: somebody waits for it.
LOOK_LIMIT_S = 3.0

Port = Annotated[int | None, typer.Option(help="Port of the VAIC endpoint (default 8050).")]
OpsPort = Annotated[int | None, typer.Option(help="Port of the ops endpoint (default 8060).")]


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
        from gateway.signals import take_no_more
        from gateway.workers import serve as serve_calls

    # Until the settings are read; then with the secrets that they name.
    as_json = os.environ.get(variable_of("log_format")) == "json"
    if as_json:
        set_up_logs("INFO", "json")
    try:
        settings = read_settings(port=port, ops_port=ops_port, host=host, workers=workers)
        secrets = (*settings.secrets(), *given_tool_secrets())
        set_up_logs(settings.log_level, settings.log_format, settings.log_levels, secrets)
        if not as_worker:
            for name in unknown_variables():
                logger.warning("no setting has this name", variable=name)
            if not settings.asks_for_token:
                logger.warning("no TIELINE_VAIC_TOKEN is set: calls are taken from this machine only")
        command = [sys.executable, str(RUN), "serve", "--as-worker"]

        async def to_the_end() -> int:
            try:
                return await serve_calls(settings, command, as_worker)
            finally:
                take_no_more(asyncio.get_running_loop())

        code = run(to_the_end())
    except SettingsError as error:
        wrong = [("wrong setting", fault) for fault in error.faults]
    except MisuseError as error:
        wrong = [misuse(error)]
    except OSError as error:
        wrong = [("cannot listen", str(error))]
    else:
        raise typer.Exit(code)
    for what, why in wrong:
        if as_json:
            logger.critical(what, reason=why)
        else:
            err.print(f"[red]{what}[/red] {escape(why)}")
    raise typer.Exit(WRONG_SETTING)


def check(
    offline: Annotated[bool, typer.Option("--offline", help="Do not look at the database.")] = False,
) -> None:
    """Print what is wrong with the settings, the certificate and the database, then the settings, secrets hidden.

    Exits with 2 if something must be changed, with 1 if the database cannot be reached now. Writes nothing.
    """
    given, faults, expiry, away, found = settings_as_given(), list[str](), "", "", ""
    try:
        settings = read_settings()
    except SettingsError as error:
        faults = error.faults
    else:
        given |= {variable_of(name): str(getattr(settings, name)) for name in Settings.model_fields}
        try:
            read_prices(settings)
        except SettingsError as error:
            faults += error.faults
        faults += _missing(settings)
        now = datetime.now(UTC)
        if settings.tls is not None and (outlook := settings.tls.outlook(now)):
            if settings.tls.is_refused(now):
                faults.append(f"{CERTIFICATE}: {outlook}")
            else:
                expiry = outlook
        if not offline:
            try:
                found = _look_at_database(settings)
            except SettingsError as error:
                faults += error.faults
            except MisuseError as error:
                faults.append(f"{DATABASE}: {error}")
            except TielineError as error:
                away = str(error)
    print_faults(faults)
    if away:
        err.print(f"[red]not now[/red] {DATABASE}: {escape(away)}")
    if expiry:
        err.print(f"[yellow]{CERTIFICATE}[/yellow] {escape(expiry)}")
    print_unknown()
    out.print(_table(given, {fault.partition(":")[0] for fault in faults}))
    if found:
        out.print(escape(found))
    if faults or away:
        raise typer.Exit(WRONG_SETTING if faults else FAILED)


def _missing(settings: Settings) -> list[str]:
    """What is set and needs packages that are not installed, or a folder that is not there."""
    from gateway.traces import sender

    missing = [sender.missing_extra(settings)]
    if settings.recordings:
        from gateway import recordings

        missing.append(recordings.fault_of(settings))
    return [each for each in missing if each]


def _look_at_database(settings: Settings) -> str:
    """What there is, in a line. Raises: WrongDatabase, DatabaseAway; SettingsError, where keys are missing."""
    from gateway.keys import check_keys
    from store.database import look, shown

    url = settings.database_url
    tables = look(url, LOOK_LIMIT_S, lambda connection: check_keys(connection, ring_of(settings)))
    if tables is None:
        return f"{shown(url)} is not there yet: `serve` makes it"
    added = f"; `serve` adds {', '.join(tables.pending)}" if tables.pending else ""
    return f"{shown(url)}  revision {tables.revision or 'none'}, here {tables.known[-1]}{added}"


def _table(given: Mapping[str, str], wrong: Container[str]) -> Table:
    """The settings. given: by variable. wrong: variables."""
    from gateway.logs import without_query, without_secrets

    # Fold long values: a truncated one cannot be checked.
    names, values = Column("variable", no_wrap=True), Column("value", overflow="fold", min_width=24)
    table = Table(names, values, "what it is", box=None, pad_edge=False)
    for name, field in Settings.model_fields.items():
        variable = variable_of(name)
        if variable in wrong:  # not as it stands there: nobody can tell where a secret in it begins
            value = "[red]wrong, see above[/red]"
        else:
            origin = "" if is_given(name) else " [dim](default)[/dim]"
            value = f"{escape(without_secrets(without_query(given[variable])))}{origin}"
        table.add_row(variable, value, escape(field.description or ""))
    return table


def print_unknown() -> None:
    for name in unknown_variables():
        err.print(f"[yellow]unknown[/yellow] {escape(name)}: no setting has this name")
