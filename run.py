"""The command line: serve, check, agents, effects, and the laboratory's demo, engine and call.

Only this module of the product imports `lab`, and only inside the commands that need it: `.[lab]` is an extra.
"""

from __future__ import annotations

import os
import platform
import random
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from fsm.spec import AgentSpec, End
from fsm.states import DerivedArrow
from gateway.settings import (
    Settings,
    SettingsError,
    read_settings,
    read_store_settings,
    settings_as_given,
    unknown_variables,
    variable_of,
)
from protocols.errors import MisuseError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gateway.effects import EffectRunner
    from lab.caller import CallReport
    from lab.stories import Story
    from store.appointments import Appointment

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=escape(__doc__))
# No emoji: rich would find one in "wait:soon: is no number".
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

WRONG_SETTING, FAILED = 2, 1
DEMO_WAV = Path("out/demo.wav")
OPS_URL = "http://127.0.0.1:8060"
SAY_HELP = "What to say and do, in order: WAV files, interrupt:FILE@MS, dtmf:12, wait:MS, drop, hangup."

Port = Annotated[int | None, typer.Option(help="Port of the VAIC endpoint (default 8050).")]
OpsPort = Annotated[int | None, typer.Option(help="Port of the ops endpoint, on loopback (default 8060).")]


def print_version(wanted: bool) -> None:
    """Print the versions of the installed package (from setup.cfg) and of the interpreter, and exit."""
    if wanted:
        out.print(f"tieline {version('tieline')}, Python {platform.python_version()}")
        raise typer.Exit


@app.callback()
def for_all_commands(
    _version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


def lab_or_exit() -> None:
    """Exit with an error if the `lab` extra is not installed: one of its packages shows that."""
    if find_spec("text_to_num") is None:
        err.print("[red]not installed[/red] the laboratory: " + escape("pip install 'tieline[lab]'"))
        raise typer.Exit(WRONG_SETTING)


def settings_or_exit(**overrides: object) -> Settings:
    """Read the settings, or exit with 2 after printing every fault with its variable."""
    try:
        return read_settings(**overrides)
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None


@app.command()
def serve(
    port: Port = None,
    ops_port: OpsPort = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (default: all with a token).")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share port and calls (default 1).")] = None,
    as_worker: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Run the daemon: take calls from VoiceAI Connect until told to stop."""
    from loguru import logger

    from gateway.daemon import run
    from gateway.logs import set_up_logs
    from gateway.workers import serve as serve_calls

    settings = settings_or_exit(port=port, ops_port=ops_port, host=host, workers=workers)
    set_up_logs(settings.log_level, settings.log_format, settings.log_levels, settings.secrets())
    if not as_worker:
        for name in unknown_variables():
            logger.warning("no setting has this name", variable=name)
        if not settings.vaic_token.get_secret_value():
            logger.warning("no TIELINE_VAIC_TOKEN is set: calls are taken from this machine only")
    try:
        code = run(serve_calls(settings, [sys.executable, __file__, "serve", "--as-worker"], as_worker))
    except MisuseError as error:
        print_faults([f"TIELINE_DATABASE_URL: {error}"])
        raise typer.Exit(WRONG_SETTING) from None
    except OSError as error:
        err.print(f"[red]cannot listen[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None
    raise typer.Exit(code)


@app.command()
def check() -> None:
    """Print the settings in force, secrets hidden, and what is wrong with them."""
    from gateway.logs import without_secrets

    given = settings_as_given()
    try:
        settings, faults = read_settings(), []
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
            origin = "" if variable in os.environ else " [dim](default)[/dim]"
            value = f"{escape(without_secrets(given[variable]))}{origin}"
        table.add_row(variable, value, escape(field.description or ""))
    out.print(table)
    print_unknown()
    print_faults(faults)
    if faults:
        raise typer.Exit(WRONG_SETTING)


@app.command()
def agents(
    name: Annotated[str | None, typer.Argument(help="A task.")] = None,
    diagram: Annotated[Path | None, typer.Option(help="Draw its state chart into this SVG file.")] = None,
) -> None:
    """List the tasks, or show one of them."""
    from fsm.registry import load_agents

    try:
        known = load_agents()
        if name is None:
            columns = Column("task", no_wrap=True), "asks for", "ends as", "what it is for"
            table = Table(*columns, box=None, pad_edge=False)
            for spec in known.values():
                table.add_row(spec.name, *map(escape, described(spec)))
            out.print(table)
        elif name not in known:
            err.print(f"[red]unknown task[/red] {escape(name)}: there is {', '.join(known)}")
            raise typer.Exit(2)
        else:
            show_agent(known[name], diagram)
    except MisuseError as error:
        err.print(f"[red]wrong table[/red] {escape(str(error))}")
        raise typer.Exit(2) from None


effects_app = typer.Typer(no_args_is_help=False, invoke_without_command=True)
app.add_typer(effects_app, name="effects")


@effects_app.callback()
def effects(context: typer.Context) -> None:
    """List the effects of tasks whose outcome is not known, or settle one."""
    if context.invoked_subcommand is None:
        list_effects()


@effects_app.command("list")
def list_effects() -> None:
    """List the effects whose outcome is not known: what may have been done, for whom, and since when."""
    with effects_or_exit() as runner:
        left = runner.unsettled()
    for each in left:
        since = f"{each.intended_at:%Y-%m-%d %H:%M} UTC"
        out.print(f"[bold]{escape(each.key)}[/bold]  {each.status}  {escape(each.name)}  {since}")
        values = ", ".join(f"{name}={value}" for name, value in each.slots.items())
        out.print(escape(f"  caller {each.caller or 'withheld'}; {values}"))
        if each.say:
            out.print(escape(f"  {each.say}"))
    if not left:
        out.print("No effect is unsettled.")


@effects_app.command("settle")
def settle_effect(
    key: Annotated[str, typer.Argument(help="The effect's key, as the list has it.")],
    outcome: Annotated[
        Literal["done", "undone", "retry"],
        typer.Argument(help="done: it stands. undone: it does not. retry: carry it out now."),
    ],
) -> None:
    """Write down what came of an effect, or carry it out again."""
    with effects_or_exit() as runner:
        try:
            status = runner.decide(key, outcome)
        except Exception as error:  # noqa: BLE001 - code of a task and a remote system
            err.print(f"[red]not settled[/red] {type(error).__name__}: {escape(str(error))}")
            raise typer.Exit(FAILED) from None
    if status is None:
        err.print(f"[red]unknown effect[/red] no unsettled effect has the key {escape(key)}")
        raise typer.Exit(WRONG_SETTING)
    out.print(f"{escape(key)}  {status}")


@contextmanager
def effects_or_exit() -> Iterator[EffectRunner]:
    """The effects in the database of the settings, or exit with 2 if it cannot be opened. Needs no other setting."""
    from gateway.effects import effect_runner
    from gateway.logs import set_up_logs

    set_up_logs("WARNING")
    try:
        with effect_runner(read_store_settings().database_url) as runner:
            yield runner
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None
    except MisuseError as error:
        print_faults([f"TIELINE_DATABASE_URL: {error}"])
        raise typer.Exit(WRONG_SETTING) from None


@app.command()
def engine(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9050,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    fault: Annotated[list[str] | None, typer.Option(help="A fault to inject, as NAME=VALUE; see docs/lab.md.")] = None,
) -> None:
    """Run the embedded realtime engine alone: a Realtime API that recognises and synthesises speech, without a key."""
    lab_or_exit()
    from gateway.logs import set_up_logs
    from lab.engine import EngineSettings, Faults
    from lab.engine import serve as serve_engine

    set_up_logs(os.environ.get("TIELINE_LOG_LEVEL", "INFO"))
    try:
        faults = Faults.parse(fault or [])
    except ValueError as error:
        err.print(f"[red]wrong fault[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None
    try:
        serve_engine(EngineSettings(host=host, port=port, faults=faults))
    except OSError as error:
        err.print(f"[red]cannot listen[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None


@app.command()
def call(
    to: Annotated[str, typer.Option(help="URL of the bot.")] = "ws://127.0.0.1:8050",
    token: Annotated[str, typer.Option(help="Bearer token to present.")] = "",
    say: Annotated[list[str] | None, typer.Option(help=SAY_HELP)] = None,
    out_wav: Annotated[Path | None, typer.Option("--out", help="Stereo WAV: caller left, bot right.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the call report.")] = None,
    ops: Annotated[str, typer.Option(help="The daemon's ops endpoint, for texts and tasks in the report.")] = OPS_URL,
    media: Annotated[list[str] | None, typer.Option("--format", help="Media formats to offer, best first.")] = None,
    speed: Annotated[float, typer.Option(help="A multiple of real time; the bot must keep up.")] = 1.0,
) -> None:
    """Run the simulated caller alone: VoiceAI Connect's end of the wire, and a person with a telephone."""
    from gateway.logs import set_up_logs
    from lab.caller import CallSettings, ScriptError, parse_script, run_call

    set_up_logs("WARNING")
    try:
        settings = CallSettings(
            url=to,
            conversation_id=str(uuid.uuid4()),
            token=token,
            out_wav=out_wav,
            ops_url=ops or None,
            speed=speed,
            **({"formats": tuple(media)} if media else {}),  # type: ignore[arg-type]
        )
        report = run_call(settings, parse_script(say or []))
    except ScriptError as error:
        err.print(f"[red]wrong script[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None
    if json_file is not None:
        json_file.write_text(report.model_dump_json(indent=2))
    print_report(report)
    if report.outcome in ("refused", "error"):
        raise typer.Exit(FAILED)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def load(context: typer.Context) -> None:
    """Run many callers and the model in one process, and measure a bot between them; see load --help."""
    from lab.load.command import app as load_app

    load_app(args=context.args, prog_name=context.command_path)


@app.command()
def demo(
    name: Annotated[str, typer.Option("--story", help="What happens in the call; see --list.")] = "book",
    list_all: Annotated[bool, typer.Option("--list", help="List the stories, without a call.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the call report.")] = None,
    out_wav: Annotated[Path, typer.Option("--out", help="Stereo WAV: caller left, bot right.")] = DEMO_WAV,
) -> None:
    """Place a phone call to a daemon started for it: recorded speech in, the right appointments in a database."""
    lab_or_exit()
    from gateway.daemon import run
    from gateway.logs import set_up_logs
    from lab.stories import STORIES

    if list_all:
        for each in STORIES.values():
            out.print(f"{each.name:<16}{each.about}")
        return
    if name not in STORIES:
        err.print(f"[red]wrong story[/red] there is no {name!r}; there are {', '.join(STORIES)}")
        raise typer.Exit(WRONG_SETTING)
    set_up_logs("WARNING")
    today = datetime.now(UTC).date()
    with tempfile.TemporaryDirectory() as folder:
        report, appointments = run(demo_call(STORIES[name], today, Path(folder), out_wav))
    if json_file is not None:
        json_file.write_text(report.model_dump_json(indent=2))
    print_report(report)
    for each in appointments:
        out.print(f"stored     {each.resource}, {each.starts_at:%A %Y-%m-%d %H:%M} UTC, {each.duration_min} min")
    out.print(f"listen     {out_wav}")
    faults = STORIES[name].faults(report, [each.starts_at for each in appointments], today, UTC)
    for fault in faults:
        err.print(f"[red]wrong result[/red]  {fault}")
    if faults:
        raise typer.Exit(FAILED)


async def demo_call(story: Story, today: date, folder: Path, out_wav: Path) -> tuple[CallReport, list[Appointment]]:
    """Start engine and daemon as processes, call, and read what is booked for the caller."""
    from lab.caller import CallSettings
    from lab.demo import call_and_tell, free_port, wait_until_listening
    from lab.stories import CALLER
    from store.database import open_database

    database_url = f"sqlite:///{folder}/demo.sqlite3"
    engine_port, port, ops_port = free_port(), free_port(), free_port()
    ops_url = f"http://127.0.0.1:{ops_port}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TIELINE_", "OPENAI_"))} | {
        "TIELINE_OPENAI_URL": f"ws://127.0.0.1:{engine_port}",
        "TIELINE_VAIC_TOKEN": (token := uuid.uuid4().hex),
        "TIELINE_HOST": "127.0.0.1",
        "TIELINE_DATABASE_URL": database_url,
        "TIELINE_LOG_LEVEL": "WARNING",
        **story.settings,
    }
    database = open_database(database_url)
    prepare_bookings(story, today, database)
    with (
        running(environment, "engine", "--port", str(engine_port)) as engine_alive,
        running(environment, "serve", "--port", str(port), "--ops-port", str(ops_port)) as daemon_alive,
    ):
        await wait_until_listening(engine_port, engine_alive)
        await wait_until_listening(ops_port, daemon_alive)
        settings = CallSettings(
            url=f"ws://127.0.0.1:{port}",
            token=token,
            conversation_id=str(uuid.uuid4()),
            caller=CALLER,
            ops_url=ops_url,
            out_wav=out_wav,
        )
        report = await call_and_tell(settings, story.script(random.Random()), out.print)
    appointments = booked_for(CALLER, database)
    database.dispose()
    return report, appointments


def prepare_bookings(story: Story, today: date, database: Engine) -> None:
    """Book the appointments that exist before a story begins."""
    from fsm.agents.practice import LENGTH_MIN, RESOURCE
    from lab.stories import CALLER, NAME
    from store.appointments import book

    whose = [(CALLER, NAME, slot) for slot in story.own] + [("", "", slot) for slot in story.others]
    with database.begin() as connection:
        for number, (caller, name, slot) in enumerate(whose):
            book(
                connection,
                resource=RESOURCE,
                starts_at=slot.on(today, UTC),
                duration_min=LENGTH_MIN,
                caller=caller,
                conversation_id="before",
                effect_key=f"before-{number}",
                name=name,
            )


def booked_for(caller: str, database: Engine) -> list[Appointment]:
    """The appointments booked under a caller's number."""
    from store.appointments import AppointmentBook

    return [each for each in AppointmentBook(database).all() if each.caller == caller]


@contextmanager
def running(environment: dict[str, str], *command: str) -> Iterator[Callable[[], bool]]:
    """Run one of our own commands as a process; yields a check whether it still runs. Ended with the block."""
    process = subprocess.Popen([sys.executable, __file__, *command], env=environment)
    try:
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()


def described(spec: AgentSpec) -> tuple[str, str, str]:
    """A task in one line: what it asks for, how it may end, what it is for."""
    asked = ", ".join(name for name, slot in spec.slots.items() if slot.asked) or "-"
    ends = ", ".join(state.outcome for state in spec.states.values() if isinstance(state, End))
    return asked, ends, spec.description.partition(". ")[0].rstrip(".")


def show_agent(spec: AgentSpec, diagram: Path | None) -> None:
    if diagram is not None:
        from fsm.diagram import draw

        diagram.parent.mkdir(parents=True, exist_ok=True)
        diagram.write_text(draw(spec))
        out.print(f"[green]drawn[/green] {escape(str(diagram))}")
        return
    table = Table("state", "event", "leads to", box=None, pad_edge=False)
    for state in spec.states:
        for event, arrow in spec.arrows_from(state):
            about = f" ({arrow.about})" if isinstance(arrow, DerivedArrow) and arrow.about else ""
            table.add_row(state, event + about, arrow.to, style="dim" if arrow.derived else "")
    out.print(table)


def print_faults(faults: list[str]) -> None:
    for fault in faults:
        err.print(f"[red]wrong setting[/red] {escape(fault)}")


def print_unknown() -> None:
    for name in unknown_variables():
        err.print(f"[yellow]unknown[/yellow] {escape(name)}: no setting has this name")


def print_report(report: CallReport) -> None:
    """Print the call's outcome, latencies, tasks and errors."""
    latencies = [each for each in report.first_audio_ms if each is not None]
    out.print(f"outcome    {report.outcome}, {len(report.turns)} turns, {report.barge_ins} barge-ins")
    if latencies:
        out.print(
            f"latency    {', '.join(f'{each} ms' for each in latencies)} from the caller's last word to the bot's first"
        )
    for task in report.tasks:
        out.print(f"task       {task.agent}: {' → '.join(task.states)} ({task.result})")
    for error in report.errors:
        err.print(f"[yellow]error[/yellow]      {escape(error)}")


def main() -> None:
    """Entry point. `--say a.wav b.wav` is allowed to take several values."""
    app(args=spread(sys.argv[1:]))


def spread(args: list[str]) -> list[str]:
    """Repeat `--say` before each of its values, as the option parser needs it."""
    repeated: list[str] = []
    saying = False
    for arg in args:
        if arg.startswith("--"):
            saying = arg == "--say"
            if not saying:
                repeated.append(arg)
        elif saying:
            repeated += ["--say", arg]
        else:
            repeated.append(arg)
    return repeated


if __name__ == "__main__":
    main()
