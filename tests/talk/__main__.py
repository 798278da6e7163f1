"""`python -m tests.talk [NAME …]`: have callers call, several at a time, and print how it went and who was to blame.

May import: tests.talk, rich, typer, loguru, the standard library.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.talk.blame import SILENCE_S, Blame
from tests.talk.line import Condition
from tests.talk.pool import JOBS, chosen, played
from tests.talk.scenarios import line_of
from tests.talk.speech import VOICES, FliteMissing, flite
from tests.talk.stage import SPEED, Verdict

out = Console(highlight=False, soft_wrap=True, emoji=False)
app = typer.Typer(add_completion=False)
WRONG_NAME, FAILED = 2, 1
CONDITIONS = [each.value for each in Condition]
# Of all calls: no more may be the product's fault.
PRODUCT_FAULTS = 0.02
_MOST_FINDINGS = 3  # of a call, unless all is told
_COLOURS = {"": "green", Blame.PRODUCT.value: "red"}


def told(verdict: Verdict, *, verbose: bool) -> Iterator[str]:
    """A line for a call, and what led to it if it was the product's fault."""
    colour = _COLOURS.get(verdict.blame, "yellow")
    line = f"{verdict.voice}, {verdict.condition}"
    why = "; ".join(verdict.differences)
    yield f"[{colour}]{verdict.blame or 'ok':7}[/{colour}] {verdict.scenario:26} {line:22} {escape(why)}"
    if verdict.blame:
        found = verdict.findings if verbose else verdict.findings[:_MOST_FINDINGS]
        yield from (f"        {escape(each)}" for each in found)
    if verbose or verdict.blame == Blame.PRODUCT.value:
        yield f"        [italic]{escape(verdict.about)}[/italic]"
        yield from (f"        [dim]{escape(each)}[/dim]" for each in verdict.story)
        stored = ", ".join(verdict.stored) or "nothing"
        times = f"longest silence {verdict.silence_s:.1f} s; took {verdict.took_s:.1f} s"
        yield f"        stored {stored}; {verdict.outcome or 'no end'}; {times}"


def table(verdicts: Sequence[Verdict]) -> Table:
    """Success by voice, by line and by what the scenarios are about, and who was to blame for the rest."""
    shown = Table(
        "", "calls", "went well", *(each.value for each in Blame), "longest silence", box=None, pad_edge=False
    )
    groups: tuple[Callable[[Verdict], str], ...] = (
        lambda each: each.voice,
        lambda each: each.condition,
        lambda each: each.kind,
        lambda _: "all",
    )
    for group in groups:
        for key in dict.fromkeys(sorted(map(group, verdicts))):
            shown.add_row(key, *_row([each for each in verdicts if group(each) == key]))
        shown.add_section()
    return shown


def _row(verdicts: Sequence[Verdict]) -> list[str]:
    well = sum(not each.blame for each in verdicts)
    blame = [sum(each.blame == who.value for each in verdicts) for who in Blame]
    share = f"{well} ({100 * well / len(verdicts):.0f} %)"
    silence_s = max(each.silence_s for each in verdicts)
    return [str(len(verdicts)), share, *(str(each or "") for each in blame), f"{silence_s:.0f} s"]


def bars(verdicts: Sequence[Verdict]) -> list[tuple[str, bool]]:
    """The limits of a run, and whether this one kept to them."""
    no_yes = sum(each.no_yes for each in verdicts)
    silences = sum(each.silence_s > SILENCE_S for each in verdicts)
    faults = sum(each.blame == Blame.PRODUCT.value for each in verdicts)
    share = faults / max(len(verdicts), 1)
    return [
        (f"{no_yes} effects without a heard and worded yes (at most 0)", no_yes == 0),
        (f"{silences} calls with a silence over {SILENCE_S:.0f} s (at most 0)", silences == 0),
        (
            f"{faults} of {len(verdicts)} calls spoiled by the product: {100 * share:.1f} %"
            f" (less than {100 * PRODUCT_FAULTS:.0f} %)",
            share < PRODUCT_FAULTS,
        ),
    ]


@app.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(help="Scenarios, patterns like 'book_*', or kinds.")] = None,
    voice: Annotated[str | None, typer.Option(help=f"Of all callers: {', '.join(VOICES)}.")] = None,
    line: Annotated[
        str | None, typer.Option(help=f"Of all calls: {', '.join(each.value for each in Condition)}.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Times real time.")] = SPEED,
    jobs: Annotated[int, typer.Option(help="Calls at a time.")] = JOBS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write all verdicts.")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print the story of every call.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the scenarios, and play none.")] = False,
) -> None:
    """Have callers with synthetic voices call; exits with 1 if a bar is missed."""
    scenarios = chosen(names or [])
    if not scenarios or voice not in (None, *VOICES) or line not in (None, *CONDITIONS):
        out.print("no such scenario, voice or line; see --list and --help")
        raise typer.Exit(WRONG_NAME)
    if list_all:
        for each in scenarios:
            of_voice, on_line = line_of(each)
            about = f"{of_voice:6} {on_line.value:13} {escape(each.about)}"
            out.print(f"{each.kind.name.lower():10} {each.name:26} {about}")
        return
    try:
        flite()
    except FliteMissing as missing:
        out.print(str(missing))
        raise typer.Exit(FAILED) from None
    began_s, verdicts = time.monotonic(), []
    condition = None if line is None else Condition(line)
    for verdict in played(scenarios, speed=speed, voice=voice, condition=condition, jobs=jobs):
        verdicts.append(verdict)
        for each_line in told(verdict, verbose=verbose):
            out.print(each_line)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(each) for each in verdicts], indent=1))
    out.print(table(verdicts))
    kept = bars(verdicts)
    for text, good in kept:
        out.print(f"[{'green' if good else 'red'}]{'ok' if good else 'NOT KEPT':8}[/] {text}")
    out.print(f"{len(verdicts)} calls in {time.monotonic() - began_s:.0f} s")
    if not all(good for _, good in kept):
        raise typer.Exit(FAILED)


if __name__ == "__main__":
    app()
