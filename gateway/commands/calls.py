"""The commands `calls list`, `show`, `export`, `cost`, `slow`, and `why`: what became of the calls of all nodes.

They read the store, so that they work while no process serves.
May import: actors, gateway, store, rich, typer, the standard library.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.markup import escape

from gateway.commands.console import FAILED, WRONG_SETTING, err, operator, out, usable_or_exit
from gateway.settings import read_store_settings, ring_of

if TYPE_CHECKING:
    from pydantic import JsonValue
    from sqlalchemy import Engine

    from store.calls import CallFilter, Calls, EndedCall
    from store.costs import DayOfBot
    from store.journal import CallRecord

calls_app = typer.Typer(no_args_is_help=True)

Outcome = Annotated[str, typer.Option(help="As failed, completed, lost; open: those in progress.")]
OfBot = Annotated[str, typer.Option(help="A bot's name.")]
Caller = Annotated[str, typer.Option(help="The caller's number, whole.")]
Task = Annotated[str, typer.Option(help="A task's name, whatever became of it.")]
Error = Annotated[str, typer.Option(help="A part of an error's text.")]
Since = Annotated[str, typer.Option(help="Begun since then: 90m, 24h, 7d, today, or 2026-11-30T03:00 (UTC).")]
Until = Annotated[str, typer.Option(help="Begun before then, told likewise.")]
Unmasked = Annotated[bool, typer.Option("--unmasked", help="Show callers' numbers.")]
Id = Annotated[str, typer.Argument(help="The conversation id, as lists and logs have it.")]


@calls_app.command("list")
def list_calls(  # noqa: PLR0913, PLR0917 - options of a command
    outcome: Outcome = "",
    bot: OfBot = "",
    caller: Caller = "",
    task: Task = "",
    error: Error = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many that have ended, at most.")] = 50,
    live: Annotated[bool, typer.Option("--live", help="Only those in progress.")] = False,
    count: Annotated[bool, typer.Option("--count", help="How many there are, by outcome and reason.")] = False,
    unmasked: Unmasked = False,
) -> None:
    """List calls: those in progress, then those that have ended, the newest first."""
    from gateway.call_queries import ended_row, live_row, masker
    from store.calls import MOST_LIVE, OPEN, Calls

    which, now = filter_or_exit(locals()), datetime.now(UTC)
    if live and (which.outcome not in ("", OPEN) or which.error):
        _not_understood("live: calls in progress have no outcome and no error yet")
    live = live or which.outcome == OPEN
    mask = masker(unmasked=unmasked)
    with store_or_exit() as engine:
        calls = Calls(engine)
        if unmasked:
            noted(engine, "listed", unmasked=unmasked)
        in_progress = calls.live(which)
        counts = calls.counts(which) if count and not live else {}
        if not live and count and not (in_progress or counts):
            _print_nothing(calls, which)
            return
        if count:
            _print_counts(len(in_progress), counts)
            return
        for each in in_progress:
            row = live_row(each, mask, now)
            doing = f"  {each.task}: {each.state}" if each.task else ""
            where = each.node if each.held else f"nobody has it, last {each.node}"
            out.print(
                f"[bold]{escape(each.key)}[/bold]  on the line  {_lasted(row['seconds'])}  {escape(each.bot)}"
                f"  {row['caller'] or 'withheld'}{escape(doing)}  [dim]{escape(where)}[/dim]"
            )
        if len(in_progress) == MOST_LIVE:
            out.print(f"[yellow]and more[/yellow]: of those in progress the oldest {MOST_LIVE} are shown")
        if live:
            if not in_progress:
                out.print("Nobody is on the line")
            return
        shown = 0
        for call in all_ended(engine, which, limit + 1):
            if (shown := shown + 1) <= limit:
                out.print(_in_a_line(ended_row(call, mask)))
        if shown > limit:
            out.print(f"[yellow]and more[/yellow]: the newest {limit} are shown; --limit, or --count for how many")
        if not shown and not in_progress:
            _print_nothing(calls, which)


@calls_app.command("show")
def show_call(conversation_id: Id, unmasked: Unmasked = False) -> None:
    """Print the record of a call that has ended, as JSON; `tieline why` tells it in words."""
    from gateway.call_queries import record_json
    from store.call_reports import VaicReports
    from store.journal import Journal

    with store_or_exit() as engine:
        record = Journal(engine).record(conversation_id)
        report = VaicReports(engine).of_call(conversation_id)
        if record is not None:
            noted(engine, "read", conversation_id, unmasked=unmasked)
    if record is None:
        not_found(conversation_id)
    text = record_json(record, report, unmasked=unmasked)
    out.file.write(json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n")


@calls_app.command("recording")
def copy_recording(
    conversation_id: Id,
    to: Annotated[Path, typer.Option(help="The folder to copy it to; its files must not be there yet.")],
) -> None:
    """Copy the files of a call's recording, decrypted, from this machine's folder and the store for recordings."""
    from gateway.retention import recordings_of
    from protocols.errors import TielineError
    from store.calls import started_at
    from store.data_keys import DataKeys

    count = bad = 0
    with store_or_exit() as engine:
        keys, began = DataKeys(engine), started_at(engine, conversation_id)
        noted(engine, "listened", conversation_id)
        try:
            for each in recordings_of(read_store_settings()):
                for name, wrong in each.copy(conversation_id, began, to, lambda call: keys.to_read(call, "audio")):
                    count += wrong is None
                    bad += wrong is not None
                    out.print(escape(f"{to / name}" if wrong is None else f"{name}: not copied: {wrong}"))
        except (OSError, TielineError) as error:
            err.print(f"[red]not copied[/red] {escape(str(error))}")
            raise typer.Exit(FAILED) from None
    if not count + bad:
        err.print(f"[red]no recording[/red] of {escape(conversation_id)} is here")
    if bad or not count:
        raise typer.Exit(FAILED)


def why(conversation_id: Id, unmasked: Unmasked = False) -> None:
    """Tell why a call went as it did: turn by turn, what was slow, what broke, what was tried again, how it ended."""
    from actors.call.replay import left_record, opening_in
    from actors.messages.journal import ResumeState
    from actors.messages.journal_rows import decode
    from gateway.why import OPEN
    from gateway.why import why as told
    from protocols.sealing import KeyMissing
    from store import effect_log
    from store.call_reports import VaicReports
    from store.calls import CallFilter, Calls
    from store.data_keys import KeyGone
    from store.database import reading
    from store.journal import Journal
    from store.rows import UnreadableRow

    with store_or_exit() as engine:
        journal = Journal(engine)
        try:
            entries = tuple(decode(row) for row in journal.rows(conversation_id))
        except (KeyMissing, KeyGone) as unread:
            err.print(f"[yellow]note[/yellow] its journal is encrypted and cannot be read: {escape(str(unread))}")
            entries = ()
        try:
            record = journal.record(conversation_id)
        except UnreadableRow:
            err.print("[yellow]note[/yellow] its record cannot be read: this is what the journal has")
            record = None
        if record is None:  # in progress, or nobody could write it
            is_live = any(call.key == conversation_id for call in Calls(engine).live(CallFilter()))
            record = left_record(
                conversation_id, ResumeState(opening_in(entries), entries), *([OPEN] if is_live else [])
            )
        with reading(engine) as connection:
            effects = effect_log.of_call(connection, conversation_id)
        report = VaicReports(engine).of_call(conversation_id)
        if record is not None:
            noted(engine, "read", conversation_id, unmasked=unmasked)
    if record is None:
        not_found(conversation_id)
    for line in told(record, entries, effects, report, unmasked=unmasked):
        out.print(escape(line))


@calls_app.command("export")
def export_calls(  # noqa: PLR0913, PLR0917 - options of a command
    outcome: Outcome = "",
    bot: OfBot = "",
    caller: Caller = "",
    task: Task = "",
    error: Error = "",
    since: Since = "",
    until: Until = "",
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format", help="One object a line, or a table.")] = "jsonl",
    unmasked: Unmasked = False,
) -> None:
    """Write all calls that have ended and are like that to the standard output, the newest first."""
    from gateway.call_queries import COLUMNS, ended_row, masker

    which, mask = ended_or_exit(locals()), masker(unmasked=unmasked)
    with store_or_exit() as engine:
        noted(engine, "exported", unmasked=unmasked)
        rows = (ended_row(call, mask) for call in all_ended(engine, which))
        if form == "jsonl":
            for row in rows:
                sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: _cell(value) for name, value in row.items()})


def noted(engine: Engine, what: str, about: str = "", **facts: JsonValue) -> None:
    """Note it in the audit; where data is shown, before it is: what cannot be noted is not shown."""
    from store.audit import Audit

    Audit(engine).note(operator(), what, about, facts)


@calls_app.command("cost")
def cost_of_calls(
    since: Annotated[str, typer.Option(help="Begun since then: today, 7d, or 2026-11-30 (UTC).")] = "7d",
    until: Until = "",
    outcome: Outcome = "",
    bot: OfBot = "",
    caller: Caller = "",
    task: Task = "",
    error: Error = "",
) -> None:
    """What calls that have ended cost, by the day of their beginning (UTC) and by bot, in US dollars."""
    from store.calls import Calls
    from store.costs import costs_by_day

    which = ended_or_exit(locals())
    with store_or_exit() as engine:
        days = costs_by_day(engine, which)
        if not days:
            _print_nothing(Calls(engine), which)
            return
    for each in days:
        out.print(f"{each.day}  [bold]{escape(each.bot)}[/bold]  {_costs([each])}{_part(each.day, which)}")
    out.print(f"in all  {_costs(days)}")
    if models := sorted(frozenset[str]().union(*(each.models for each in days))):
        out.print(f"[yellow]no price[/yellow] for {escape(', '.join(models))}: see TIELINE_PRICES")


def _part(day: date, which: CallFilter) -> str:
    """Which part of a day is meant, where it is not all of it."""
    since, until = which.since, which.until
    begun = f"  from {since:%H:%M}Z" if since and since.date() == day and since.time() != time() else ""
    return begun + (f"  before {until:%H:%M}Z" if until and until.date() == day else "")


def _costs(days: Sequence[DayOfBot]) -> str:
    """In all. A sum that lacks a price is a lower bound."""
    calls, unpriced, partly = (sum(getattr(each, name) for each in days) for name in ("calls", "unpriced", "partly"))
    cost_usd, lower = sum(each.cost_usd for each in days), any(each.models for each in days)
    mean = f", {cost_usd / (calls - unpriced):.4f} a call" if calls > unpriced else ""
    without = f"  [yellow]{unpriced} without a cost[/yellow]" if unpriced else ""
    part = f"  [yellow]{partly} priced in part[/yellow]" if partly else ""
    sums = f"{cost_usd:.2f} USD{' or more' if lower else ''}"
    return f"{calls} {'call' if calls == 1 else 'calls'}  {sums}{mean}{without}{part}"


@calls_app.command("slow")
def slow_answers(
    since: Annotated[str, typer.Option(help="Of calls begun since then: 90m, 24h, 7d, or a date (UTC).")] = "24h",
    until: Until = "",
    outcome: Outcome = "",
    bot: OfBot = "",
    caller: Caller = "",
    task: Task = "",
    error: Error = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many of the slowest answers.")] = 10,
) -> None:
    """How long callers have waited for answers, and at which stage; then the slowest answers, for `tieline why`."""
    from gateway.answer_times import HIGH, answer_times, quantile
    from gateway.why import clock, seconds, stages_told
    from store.calls import Calls

    which = ended_or_exit(locals())
    with store_or_exit() as engine:
        times = answer_times(_records(engine, which), limit)
        if not times.calls:
            _print_nothing(Calls(engine), which)
            return
    if not times.answers_ms:
        out.print(f"No answer in {times.calls} calls")
        return
    out.print(f"{len(times.answers_ms)} answers in {times.calls} calls")
    for name, lengths_ms in (("answer", times.answers_ms), *times.stages_ms.items()):
        if lengths_ms:
            median, high = (seconds(quantile(lengths_ms, share)) for share in (0.5, HIGH))
            of = "" if len(lengths_ms) == len(times.answers_ms) else f", of {len(lengths_ms)}"
            out.print(f"  {name:<12} median {median:>7}, {HIGH:.0%} below {high:>7}{of}")
    for each in times.slowest:
        at = clock(each.answer.quiet_ms, fine=True)
        told = f"{seconds(each.answer.answer_ms)}: {stages_told(each.answer)}"
        out.print(f"[bold]{escape(each.call)}[/bold]  at {at}  {escape(each.bot)}  {told}")


def _records(engine: Engine, which: CallFilter) -> Iterator[CallRecord]:
    """The records of calls that have ended; a row that cannot be read is left out."""
    from store.journal import Journal
    from store.rows import UnreadableRow

    journal = Journal(engine)
    for call in all_ended(engine, which):
        try:
            record = journal.record(call.key)
        except UnreadableRow as error:
            err.print(f"[yellow]left out[/yellow] {escape(call.key)}: {escape(str(error))}")
            continue
        if record is not None:
            yield record


def all_ended(engine: Engine, which: CallFilter, limit: int | None = None) -> Iterator[EndedCall]:
    """Calls that have ended, page by page, so that an export of any size needs little memory."""
    from gateway.call_queries import MOST_ON_PAGE
    from store.calls import Calls

    calls, left, after = Calls(engine), limit, None
    while left is None or left > 0:
        page = calls.ended(which, MOST_ON_PAGE if left is None else min(left, MOST_ON_PAGE), after)
        yield from page.calls
        if (after := page.following) is None:
            return
        left = None if left is None else left - len(page.calls)


def _in_a_line(row: dict[str, JsonValue]) -> str:
    tasks = _cell(row["tasks"])
    parts = [
        f"[bold]{escape(str(row['id']))}[/bold]",
        f"{str(row['started_at'])[:16].replace('T', ' ')}Z",
        _lasted(row["seconds"]),
        escape(str(row["bot"])),
        escape(str(row["caller"] or "withheld")),
        escape(str(row["outcome"])),
        escape(tasks),
        _cost(row),
        f"[red]{escape(str(row['reason']))}[/red]" if row["reason"] else "",
    ]
    return "  ".join(filter(None, parts))


def _cost(row: dict[str, JsonValue]) -> str:
    """What a call has cost, as far as it has a price."""
    cost = f"{row['cost_usd']:.4f} USD" if isinstance(row["cost_usd"], float) else ""
    without = f"without {escape(_cell(row['unpriced']))}" if row["unpriced"] else ""
    return f"{cost} {without}".strip()


def _cell(value: JsonValue) -> str:
    """A value of a row in a table's cell. What a spreadsheet would take for a formula begins with an apostrophe."""
    match value:
        case None:
            return ""
        case list():
            return "; ".join(
                f"{each['task']} {each['result']}" if isinstance(each, dict) else str(each) for each in value
            )
        case str() if value[:1] in ("=", "-", "@") or (value[:1] == "+" and not value[1:].replace("…", "").isdigit()):
            return f"'{value}"
        case _:
            return str(value)


def _lasted(seconds: JsonValue) -> str:
    if not isinstance(seconds, int | float):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _print_nothing(calls: Calls, which: CallFilter) -> None:
    """No call was found: say so, and of a name that is in no call at all that it may be another one."""
    from store.figures import OTHER, OUTCOMES

    out.print("No call is like that")
    for name in calls.nowhere(which):
        known = ""
        if name == "outcome" and which.outcome not in (*OUTCOMES, OTHER):
            known = f"; there are {', '.join(sorted(OUTCOMES))}, and what VoiceAI Connect names besides ({OTHER})"
        out.print(
            f"[yellow]note[/yellow] no call in the store at all has --{name} {escape(getattr(which, name))}{known}"
        )


def _print_counts(in_progress: int, counts: dict[tuple[str, str], int]) -> None:
    from store.calls import MOST_LIVE

    if in_progress or not counts:
        out.print(f"{in_progress:6}  on the line{' or more' if in_progress == MOST_LIVE else ''}")
    for (outcome, reason), number in counts.items():
        out.print(f"{number:6}  {escape(outcome)}{'  ' if reason else ''}[red]{escape(reason)}[/red]")


def filter_or_exit(options: Mapping[str, object]) -> CallFilter:
    """The calls that a command's options mean; or exit with 2. What is no part of a filter is not looked at."""
    from gateway.call_queries import FILTERS, WrongQuestion, filter_of

    asked = {name: str(options[name]) for name in FILTERS if name in options}
    try:
        return filter_of(asked, datetime.now(UTC))
    except WrongQuestion as wrong:
        _not_understood(str(wrong))


def ended_or_exit(options: Mapping[str, object]) -> CallFilter:
    """The same, of calls that have ended."""
    from store.calls import OPEN

    which = filter_or_exit(options)
    if which.outcome == OPEN:
        _not_understood("outcome: calls in progress have no record yet; tieline calls list --live has them")
    return which


def _not_understood(why: str) -> NoReturn:
    err.print(f"[red]not understood[/red] --{escape(why)}")
    raise typer.Exit(WRONG_SETTING)


def not_found(conversation_id: str) -> NoReturn:
    err.print(f"[red]no such call[/red] {escape(conversation_id)}")
    raise typer.Exit(FAILED)


@contextmanager
def store_or_exit() -> Iterator[Engine]:
    """The database of the settings, or exit with 2 if it cannot be opened. Needs no other setting."""
    from gateway.logs import set_up_logs
    from store.data_keys import use_ring
    from store.database import faults_named, open_database
    from store.rows import UnreadableRow

    set_up_logs("WARNING")
    with usable_or_exit():
        settings = read_store_settings()
        engine = open_database(settings.database_url, create=False)
        use_ring(engine, ring_of(settings))
        try:
            with faults_named(engine):
                yield engine
        except UnreadableRow as error:
            err.print(f"[red]damaged[/red] its row cannot be read: {escape(str(error))}")
            raise typer.Exit(FAILED) from None
        finally:
            engine.dispose()
