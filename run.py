"""The command line: serve, check, and the laboratory's demo, engine and call.

Only here does the product meet the laboratory, and only inside the commands that need it: `.[lab]` is an extra.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gateway.settings import Settings, SettingsError, read_settings, unknown_variables, variable_of

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

WRONG_SETTING, FAILED = 2, 1

Port = Annotated[int | None, typer.Option(help="Port of the VAIC endpoint (default 8050).")]
OpsPort = Annotated[int | None, typer.Option(help="Port of the ops endpoint, on loopback (default 8060).")]


def settings_or_exit(**overrides: object) -> Settings:
    """The settings, or an end in words: every fault with its variable, exit code 2."""
    try:
        return read_settings(**overrides)
    except SettingsError as error:
        for fault in error.faults:
            err.print(f"[red]wrong setting[/red] {fault}", soft_wrap=True)
        raise typer.Exit(WRONG_SETTING) from None


@app.command()
def serve(
    port: Port = None,
    ops_port: OpsPort = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: all with a token).")] = None,
) -> None:
    """Be the daemon: take calls from VoiceAI Connect until told to stop."""
    from gateway.daemon import run
    from gateway.daemon import serve as serve_calls
    from gateway.logs import set_up_logs
    from protocols.errors import MisuseError

    settings = settings_or_exit(port=port, ops_port=ops_port, host=host)
    set_up_logs(settings.log_level)
    if not settings.vaic_token.get_secret_value():
        err.print("No TIELINE_VAIC_TOKEN is set: calls are taken from this machine only.")
    try:
        run(serve_calls(settings))
    except MisuseError as error:
        err.print(f"[red]wrong setting[/red] TIELINE_DATABASE_URL: {error}", soft_wrap=True)
        raise typer.Exit(WRONG_SETTING) from None
    except OSError as error:
        err.print(f"[red]cannot listen[/red] {error}", soft_wrap=True)
        raise typer.Exit(WRONG_SETTING) from None


@app.command()
def check() -> None:
    """Print the settings in force, secrets hidden, and what is wrong with them."""
    try:
        settings, faults = read_settings(), []
    except SettingsError as error:
        settings, faults = None, error.faults
    if settings is not None:
        table = Table("variable", "value", "what it is", box=None, pad_edge=False)
        for name, field in Settings.model_fields.items():
            variable = variable_of(name)
            value = getattr(settings, name)
            origin = "" if variable in os.environ else " [dim](default)[/dim]"
            table.add_row(variable, f"{value}{origin}", field.description or "")
        out.print(table)
    for name in unknown_variables():
        err.print(f"[yellow]unknown[/yellow] {name}: no setting has this name")
    for fault in faults:
        err.print(f"[red]wrong setting[/red] {fault}", soft_wrap=True)
    if faults:
        raise typer.Exit(WRONG_SETTING)


@app.command()
def engine(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9050,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Be the embedded realtime engine alone: hears and speaks the Realtime protocol, without any key."""
    from gateway.logs import set_up_logs
    from lab.engine import EngineSettings
    from lab.engine import serve as serve_engine

    set_up_logs(os.environ.get("TIELINE_LOG_LEVEL", "INFO"))
    serve_engine(EngineSettings(host=host, port=port))


def main() -> None:
    """Entry point. `--say a.wav b.wav` is allowed to take several values."""
    app(args=spread(sys.argv[1:]))


def spread(args: list[str]) -> list[str]:
    """Repeat `--say` before each of its values, as the option parser wants it."""
    spreadout: list[str] = []
    saying = False
    for arg in args:
        if arg.startswith("--"):
            saying = arg == "--say"
            if not saying:
                spreadout.append(arg)
        elif saying:
            spreadout += ["--say", arg]
        else:
            spreadout.append(arg)
    return spreadout


if __name__ == "__main__":
    main()
