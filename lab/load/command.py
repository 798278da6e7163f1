"""`tieline load`: runs the generator in a process of its own, shows its figures, and reports faults.

May import: lab.load, typer, rich, the standard library; matplotlib by way of lab.load.plot.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from lab.load.figures import DirectionFigures, LoadReport, Stretch
from lab.load.generator import command_line
from lab.load.run_state import LoadSettings
from protocols.media import RAW

FAILED, WRONG_OPTION = 1, 2
FORMATS = [each.name for each in RAW]
FILES_A_CALL = 2  # sockets of one call in the generator
FILES_BESIDE = 64  # other files of the generator
COLUMNS = (
    "calls", "messages/s", "up p50", "p99", "max ms", "down p50", "p99", "max ms", "sent", "passed", "late p99", "CPU",
    "µs/message", "MB",
)  # fmt: skip

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@app.command()
def load(
    to: Annotated[str, typer.Option(help="URL of the bot.")] = "ws://127.0.0.1:8050",
    model_port: Annotated[int, typer.Option(help="Port of the fake model, to which the bot must connect.")] = 9050,
    calls: Annotated[int, typer.Option(min=1, help="Concurrent calls.")] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to measure (each step of the ramp).")] = 10,
    ramp: Annotated[int, typer.Option(min=0, help="Calls to add with each step; 0: all at once.")] = 0,
    rate: Annotated[float, typer.Option(min=0.1, help="Most new calls per second.")] = 100,
    chunk_ms: Annotated[int, typer.Option(min=10, max=500, help="Length of a chunk of audio.")] = 20,
    media: Annotated[str, typer.Option("--format", help=f"Their format: {', '.join(FORMATS)}.")] = "raw/lpcm16_24",
    token: Annotated[str, typer.Option(help="Bearer token to send.")] = "",
    call_seconds: Annotated[float, typer.Option(min=0, help="Length of a call, after which another follows.")] = 0,
    turn_seconds: Annotated[float, typer.Option(min=0, help="Time between barge-ins of a caller.")] = 0,
    silent: Annotated[bool, typer.Option(help="Calls without any audio.")] = False,
    transcripts: Annotated[bool, typer.Option(help="The model also sends transcripts of its speech.")] = False,
    plain: Annotated[bool, typer.Option(help="The program under test only relays bytes, without protocols.")] = False,
    patient: Annotated[bool, typer.Option(help="Do not spin while waiting: send up to a millisecond late.")] = False,
    pid: Annotated[int, typer.Option(help="The bot's process, for its CPU and memory; Linux only.")] = 0,
    model_cert: Annotated[str, typer.Option(help="PEM file, for a model behind TLS.")] = "",
    model_key: Annotated[str, typer.Option(help="Its key, if in a separate file.")] = "",
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the report.")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG file: histogram of delays, and capacity with --ramp.")] = None,
) -> None:
    """Act as many callers and the model, with one clock, and measure the delays and losses of a bot between them.

    Works with any bot for VoiceAI Connect's streaming mode and the OpenAI Realtime API: point it at --model-port.
    """
    if media not in FORMATS:
        err.print(f"[red]unknown format[/red] {media}: known are {', '.join(FORMATS)}")
        raise typer.Exit(WRONG_OPTION)
    settings = LoadSettings(
        url=to, model_port=model_port, calls=calls, seconds=seconds, step=ramp, rate=rate, chunk_ms=chunk_ms,
        media=media, token=token, call_s=call_seconds, turn_s=turn_seconds, silent=silent, transcripts=transcripts,
        plain=plain, patient=patient, pid=pid, certificate=model_cert, key=model_key,
    )  # fmt: skip
    report = show(settings)
    keep(report, json_file, plot)
    if judge(report):
        raise typer.Exit(FAILED)


def keep(report: LoadReport, json_file: Path | None, picture: Path | None) -> None:
    """Write the report and the picture, if asked for."""
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(report.model_dump_json(indent=2))
    if picture is not None:
        draw(report, picture)


def allow_files(calls: int) -> None:
    """Raise the limit of open files, which the generator inherits; warn if it is still too low."""
    needed = calls * FILES_A_CALL + FILES_BESIDE
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < needed:
        err.print(f"[yellow]too few files[/yellow] {calls} calls need {needed} open files, {most} are allowed")


def show(settings: LoadSettings) -> LoadReport:
    """Run the generator and show its figures every second; return the report."""
    allow_files(settings.calls)
    process = subprocess.Popen(command_line(settings), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    report: LoadReport | None = None
    try:
        with Live(console=out, auto_refresh=False, transient=True) as live:
            for told in _told(process.stdout):
                if isinstance(told, LoadReport):
                    report = told
                elif out.is_terminal:
                    live.update(table([told]), refresh=True)
                else:
                    out.print(" ".join(f"{name}={cell}" for name, cell in zip(COLUMNS, cells(told), strict=True)))
    except KeyboardInterrupt:  # the generator gets the signal too, and reports what it has
        report = next((each for each in _told(process.stdout) if isinstance(each, LoadReport)), None)
    finally:
        process.wait()
    if report is None:
        err.print("[red]the generator ended without a report[/red]")
        raise typer.Exit(FAILED)
    out.print(table(report.stretches))
    return report


def _told(lines: Iterable[str]) -> Iterator[Stretch | LoadReport]:
    for line in lines:
        yield LoadReport.model_validate_json(line) if '"stretches"' in line else Stretch.model_validate_json(line)


def table(stretches: tuple[Stretch, ...] | list[Stretch]) -> Table:
    """One row for each stretch."""
    shown = Table(*COLUMNS, box=None, pad_edge=False)
    for each in stretches:
        shown.add_row(*cells(each))
    return shown


def cells(stretch: Stretch) -> list[str]:
    def way(of: DirectionFigures) -> list[str]:
        return [f"{of.delays.p50_ms:.2f}", f"{of.delays.p99_ms:.2f}", f"{of.delays.max_ms:.1f}"]

    process = ["-", "-", "-"]
    if stretch.pid is not None:
        process = [f"{stretch.pid.core_share:.0%}", f"{stretch.cpu_us or 0:.1f}", f"{stretch.pid.rss_mb:.0f}"]
    sent = stretch.up.sent + stretch.down.sent
    counted = [f"{sent}", f"{stretch.messages}", f"{stretch.late_p99_ms:.2f}"]
    head = [f"{stretch.calls}", f"{stretch.messages_per_s:.0f}"]
    return [*head, *way(stretch.up), *way(stretch.down), *counted, *process]


def judge(report: LoadReport) -> bool:
    """Print the other figures and the faults. Returns whether there were faults."""
    for name, delays in (("set-up", report.set_up), ("first audio", report.first_audio), ("barge-in", report.barge_in)):
        if delays.count:
            told = f"p50 {delays.p50_ms:.2f} ms, p99 {delays.p99_ms:.2f} ms, max {delays.max_ms:.1f} ms"
            out.print(f"{name:<12}{told} ({delays.count} times)")
    if report.bottleneck:
        err.print("[yellow]the generator itself was late[/yellow] so the delays are its own: give it a free core")
    misplaced = sum(each.up.misplaced + each.down.misplaced for each in report.stretches)
    faults = [
        f"{count} {what}"
        for count, what in (
            (report.lost_up, "chunks lost on the way up"),
            (report.lost_down, "chunks lost on the way down"),
            (misplaced, "chunks of another call, or out of order"),
            (report.failed, "calls failed"),
        )
        if count
    ]
    for fault in [*faults, *report.faults]:
        err.print(f"[red]wrong[/red]       {fault}")
    return bool(faults or report.faults)


def draw(report: LoadReport, target: Path) -> None:
    try:
        from lab.load.plot import plot
    except ImportError as error:
        err.print(f"[red]no plot[/red] {error.name} is missing: pip install 'tieline[lab]'")
        raise typer.Exit(FAILED) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    plot(report, target)
    out.print(f"drawn       {target}")
