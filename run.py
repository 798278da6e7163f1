"""The command line: the product's commands, and the laboratory's demo, engine and call.

The product's commands are in gateway/commands/, the laboratory's are here. Only this module of the product imports
`lab`, and only inside the commands that need it: `.[lab]` is an extra.
"""

from __future__ import annotations

import sys

if sys.argv[1:2] == ["serve"]:  # before what takes long to import
    from gateway.signals import leave_at_once

    leave_at_once()

import os
import platform
import random
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.metadata import version
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.audit import audit_app
from gateway.commands.bots import OfBots, bots_app, record
from gateway.commands.calls import calls_app, why
from gateway.commands.console import FAILED, WRONG_SETTING, err, importing, out
from gateway.commands.daemon import check, serve
from gateway.commands.database import database_app
from gateway.commands.effects import effects_app
from gateway.commands.fleet import fleet
from gateway.commands.keys import keys_app
from gateway.commands.outbox import outbox_app
from gateway.commands.people import erase, hold_app, subject
from gateway.commands.retention import retention_app
from gateway.commands.tasks import agents
from gateway.commands.tools import tools_app
from gateway.commands.traces import traces_app

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from appointments.bookings import Appointment
    from lab.caller import CallReport
    from lab.script import Script
    from lab.stories import Story

HELP = "Tieline's daemon, and its laboratory: demo, engine, call, load and probe need the extra `.[lab]`."

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=escape(HELP))
for command in (serve, check, agents, why, fleet, erase, subject):
    app.command()(command)
app.add_typer(bots_app, name="bots", help="The bots in files: check, schema, diff, show, new, clips.")
app.add_typer(tools_app, name="tools", help="The tools of bots: try one.")
app.add_typer(calls_app, name="calls", help="The calls of all processes: list, show, export, cost, slow.")
app.add_typer(traces_app, name="traces", help="The traces of calls: send.")
app.add_typer(effects_app, name="effects")
app.add_typer(outbox_app, name="outbox")
app.add_typer(retention_app, name="retention", help="What is kept no longer: show it, delete it now.")
app.add_typer(hold_app, name="hold", help="What may not be deleted: add, list, release.")
app.add_typer(audit_app, name="audit", help="Who did what with people's data: list, verify.")
app.add_typer(
    keys_app, name="keys", help="The keys with which calls are encrypted: list, rotate, backup, restore, drop."
)
app.add_typer(
    database_app, name="db", help="The tables of the database: status, upgrade, downgrade, prune-bots, backup."
)

DEMO_WAV = Path("out/demo.wav")
OPS_URL = "http://127.0.0.1:8060"
# What the caller's side has seen, by the report's outcome.
ENDS = {
    "bot-disconnected": "the bot hung up",
    "client-disconnected": "the caller hung up",
    "transferred": "the bot transferred the call",
    "refused": "the bot refused the call",
    "error": "an error ended the call",
}
SAY_HELP = (
    "What to say and do, in order: WAV files, text:WORDS, interrupt:FILE@MS, dtmf:12, wait:MS, drop, hangup; "
    "write:WORDS in a chat."
)
SCRIPT_HELP = "What the model does, as rules in a TOML file; see docs/lab.md."
SELF_SIGNED_HELP = "Serve wss with a certificate made for this run; clients find it in this file, to trust it."
LANGUAGE_HELP = "The language of text:WORDS, as de or en-GB."


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


@app.command()
def engine(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 9050,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    fault: Annotated[list[str] | None, typer.Option(help="A fault to inject, as NAME=VALUE; see docs/lab.md.")] = None,
    script: Annotated[Path | None, typer.Option(help=SCRIPT_HELP)] = None,
    azure: Annotated[bool, typer.Option("--azure", help="Be reached as Azure OpenAI is: path and api-key.")] = False,
    cert: Annotated[Path | None, typer.Option(help="Serve wss with this certificate (PEM); with --key.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    self_signed: Annotated[Path | None, typer.Option(help=SELF_SIGNED_HELP)] = None,
) -> None:
    """Run the embedded realtime engine alone: a Realtime API that recognises and synthesises speech, without a key."""
    lab_or_exit()
    with importing():
        from pydantic import ValidationError

        from gateway.bots.faults import message_of, unknown_name
        from gateway.logs import set_up_logs
        from lab.engine import EngineSettings, Faults
        from lab.engine import serve as serve_engine

    set_up_logs(os.environ.get("TIELINE_LOG_LEVEL", "INFO"))
    scripted = None if script is None else script_or_exit(script)
    try:
        faults = Faults.parse(fault or [])
    except ValidationError as error:
        for each in error.errors():
            name, known = str(each["loc"][0]), Faults.model_fields
            told = message_of(each, each["loc"], Faults) if name in known else unknown_name(name, known)
            err.print(f"[red]wrong fault[/red] {escape(name)}: {escape(told)}")
        raise typer.Exit(WRONG_SETTING) from None
    try:
        settings = EngineSettings(
            host=host, port=port, faults=faults, azure=azure, tls_cert=cert, tls_key=key, self_signed=self_signed
        )
    except ValidationError as error:
        err.print(f"[red]wrong option[/red] {escape(error.errors()[0]['msg'])}")
        raise typer.Exit(WRONG_SETTING) from None
    try:
        serve_engine(settings, scripted)
    except OSError as error:
        err.print(f"[red]cannot listen[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None


def script_or_exit(file: Path) -> Script:
    """The script of a file, or exit with 2 after printing every fault with its line."""
    from loguru import logger

    from gateway.bots.faults import BotFault, BotFaults, checked, parse_toml
    from lab.mouth import load_synthesis
    from lab.script import ScriptTable, script_of

    try:
        try:
            source = parse_toml(str(file), file.read_bytes())
        except OSError as error:
            raise BotFaults([BotFault(str(file), 0, "", f"cannot be read: {error.strerror}")]) from None
        table = checked(ScriptTable, source)
        try:
            load_synthesis(table.language)
        except OSError as error:
            raise BotFaults([source.fault(("language",), str(error))]) from None
    except BotFaults as wrong:
        for fault in wrong.faults:
            err.print(f"[red]wrong[/red] {escape(str(fault))}")
        raise typer.Exit(WRONG_SETTING) from None
    if table.heard is not None:
        logger.info("the engine does not listen: the caller is heard by script only", language=table.language)
    return script_of(table, lambda number: f"{file}:{source.line(('rule', number))}", logger.log)


@bots_app.command()
def clips(
    name: Annotated[str, typer.Argument(help="A bot's name, or its folder.")],
    root: OfBots = None,
) -> None:
    """Record the sentences that are played without the model, in the bot's voice: by the model if there is a key.

    Without OPENAI_API_KEY by the laboratory's synthesis. Words of your own go into clips/NAME.txt first.
    """

    def lab_voice(voice: str, speed: float, language: str) -> Callable[[str], bytes]:
        lab_or_exit()
        from lab.mouth import load_synthesis

        return lambda words: load_synthesis(language).synthesize(words, voice=voice, speed=speed)

    record(name, root, lab_voice)


@app.command()
def call(  # noqa: PLR0913, PLR0917 - options of a command
    to: Annotated[str, typer.Option(help="URL of the bot.")] = "ws://127.0.0.1:8050",
    token: Annotated[str, typer.Option(help="Bearer token to present.")] = "",
    say: Annotated[list[str] | None, typer.Option(help=SAY_HELP)] = None,
    out_wav: Annotated[Path | None, typer.Option("--out", help="Stereo WAV: caller left, bot right.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the call report.")] = None,
    ops: Annotated[str, typer.Option(help="The daemon's ops endpoint, for texts and tasks in the report.")] = OPS_URL,
    ops_token: Annotated[str, typer.Option(envvar="TIELINE_OPS_TOKEN", help="Bearer token for that.")] = "",
    media: Annotated[list[str] | None, typer.Option("--format", help="Media formats to offer, best first.")] = None,
    speed: Annotated[float, typer.Option(help="A multiple of real time; the bot must keep up.")] = 1.0,
    language: Annotated[str, typer.Option(help=LANGUAGE_HELP)] = "en",
    chat: Annotated[bool, typer.Option("--chat", help="Chat: no audio, both sides write.")] = False,
    half_duplex: Annotated[bool, typer.Option("--half-duplex", help="Barge-in is off, and locked.")] = False,
    suppress_silence: Annotated[bool, typer.Option("--suppress-silence", help="Send no audio of silence.")] = False,
    start: Annotated[list[str] | None, typer.Option(help="NAME=VALUE: one more parameter of `start`.")] = None,
    transfer: Annotated[list[str] | None, typer.Option(help="What becomes of each transfer: answered, busy, …")] = None,
) -> None:
    """Run the simulated caller alone: VoiceAI Connect's end of the wire, and a person with a telephone."""
    with importing():
        from gateway.logs import set_up_logs
        from lab.caller import CallSettings, ScriptError, parse_script, parse_start, run_call

    set_up_logs("WARNING")

    def speaker(folder: str) -> Callable[[str], Path]:
        lab_or_exit()
        from lab.caller.typed import record_text

        return lambda words: record_text(words, language, Path(folder))

    try:
        settings = CallSettings(
            url=to,
            conversation_id=str(uuid.uuid4()),
            token=token,
            out_wav=out_wav,
            ops_url=ops or None,
            ops_token=ops_token,
            speed=speed,
            chat=chat,
            half_duplex=half_duplex,
            suppress_silence=suppress_silence,
            start=parse_start(start or []),
            transfers=tuple(transfer or ()),
            **({"formats": tuple(media)} if media else {}),  # type: ignore[arg-type]
        )
        with tempfile.TemporaryDirectory() as folder:
            spoken = any(word.startswith("text:") for word in say or [])
            report = run_call(settings, parse_script(say or [], speaker(folder) if spoken else None))
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
    with importing():
        from lab.load.command import app as load_app

    load_app(args=context.args, prog_name=context.command_path)


@app.command()
def probe(  # noqa: PLR0913, PLR0917 - options of a command
    to: Annotated[str, typer.Option(help="URL of a bot, as VAIC would call it.")] = "",
    token: Annotated[str, typer.Option(help="Bearer token to present to the bot.")] = "",
    realtime: Annotated[str, typer.Option(help="URL of a Realtime server, in place of a bot.")] = "",
    key: Annotated[str, typer.Option(envvar="OPENAI_API_KEY", help="The server's key.")] = "",
    model: Annotated[str, typer.Option(help="The model to ask the server for.")] = "gpt-realtime",
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the report.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="Play only this scene; repeatable.")] = None,
    patience: Annotated[float, typer.Option(min=0.1, help="Seconds in which an answer must come.")] = 10.0,
    speed: Annotated[float, typer.Option(min=0.1, help="A multiple of real time; the peer must keep up.")] = 1.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print the messages that prove each rule.")] = False,
) -> None:
    """Grade any bot that VAIC could call, or any Realtime server, by the rules of the wire. See docs/probe.md.

    Exit code 0: nothing failed; 1: a rule did; 2: wrong options, or there is nothing to connect to.
    """
    with importing():
        from gateway.logs import set_up_logs
        from lab.probe.command import probe_and_print

    set_up_logs("WARNING")
    raise typer.Exit(
        probe_and_print(
            to,
            realtime,
            token=token,
            key=key,
            model=model,
            json_file=json_file,
            scenes=scene or [],
            patience_s=patience,
            speed=speed,
            verbose=verbose,
        )
    )


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
    log_file = out_wav.with_suffix(".log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    out.print("Starting the engine and the daemon, then calling …")
    with tempfile.TemporaryDirectory() as folder, log_file.open("wb") as log:
        try:
            report, appointments = run(demo_call(STORIES[name], today, Path(folder), out_wav, log))
        except (ConnectionError, TimeoutError) as error:
            err.print(
                f"[red]not started[/red] {escape(str(error) or 'no answer in time')}; see {escape(str(log_file))}"
            )
            raise typer.Exit(FAILED) from None
    if json_file is not None:
        json_file.write_text(report.model_dump_json(indent=2))
    print_report(report)
    for each in appointments:
        out.print(f"stored     {each.resource}, {each.starts_at:%A %Y-%m-%d %H:%M} UTC, {each.duration_min} min")
    out.print(f"listen     {out_wav}")
    out.print(f"log        {log_file}")
    faults = STORIES[name].faults(report, [each.starts_at for each in appointments], today, UTC)
    for fault in faults:
        err.print(f"[red]wrong result[/red]  {fault}")
    if faults:
        raise typer.Exit(FAILED)


async def demo_call(
    story: Story, today: date, folder: Path, out_wav: Path, log: IO[bytes]
) -> tuple[CallReport, list[Appointment]]:
    """Start engine and daemon as processes, call, and read what is booked for the caller.

    log: receives what the processes print. Raises: ConnectionError or TimeoutError if one does not start.
    """
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
        **story.settings,
    }
    database = open_database(database_url)
    prepare_bookings(story, today, database)
    with (
        running(environment, log, "engine", "--port", str(engine_port)) as engine_alive,
        running(environment, log, "serve", "--port", str(port), "--ops-port", str(ops_port)) as daemon_alive,
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
    from appointments.bookings import book
    from appointments.practice import Practice
    from lab.stories import CALLER, NAME

    whose = [(CALLER, NAME, slot) for slot in story.own] + [("", "", slot) for slot in story.others]
    with database.begin() as connection:
        for number, (caller, name, slot) in enumerate(whose):
            book(
                connection,
                resource=Practice().resource,
                starts_at=slot.on(today, UTC),
                duration_min=Practice().length_min,
                caller=caller,
                conversation_id="before",
                effect_key=f"before-{number}",
                name=name,
            )


def booked_for(caller: str, database: Engine) -> list[Appointment]:
    """The appointments booked under a caller's number."""
    from appointments.bookings import AppointmentBook

    return [each for each in AppointmentBook(database).all() if each.caller == caller]


@contextmanager
def running(environment: dict[str, str], log: IO[bytes], *command: str) -> Iterator[Callable[[], bool]]:
    """Run one of our own commands as a process; yields a check whether it still runs. Ended with the block.

    log: receives what it prints.
    """
    process = subprocess.Popen([sys.executable, __file__, *command], env=environment, stdout=log, stderr=log)
    try:
        yield lambda: process.poll() is None
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()


def print_report(report: CallReport) -> None:
    """Print how the call ended on the caller's side and in the daemon's record; latencies, tasks and errors."""
    latencies = [each for each in report.first_audio_ms if each is not None]
    seen = ENDS.get(report.outcome, report.outcome)
    out.print(f"caller     {seen} ({report.outcome}), {len(report.turns)} turns, {report.barge_ins} barge-ins")
    out.print(f"record     {report.recorded_outcome or 'none found at the ops endpoint'}")
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal has no character for is shown by its code
            stream.reconfigure(errors="backslashreplace")
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
