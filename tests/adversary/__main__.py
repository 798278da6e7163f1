"""`python -m tests.adversary [NAME …]`: play scenes, several at a time, and print the story of each call.

May import: tests.adversary, rich, typer, loguru, the standard library.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.adversary.known import KNOWN
from tests.adversary.pool import JOBS, chosen, played
from tests.adversary.stage import SPEED, Verdict

out = Console(highlight=False, soft_wrap=True, emoji=False)
WRONG_NAME, FAILED = 2, 1


def judged(verdict: Verdict) -> tuple[str, bool]:
    """The word for it, and whether it is as expected: faults that are known are, and one that is gone is not."""
    known = verdict.scene in KNOWN
    if verdict.faults:
        return ("known", True) if known else ("FAULT", False)
    return ("GONE", False) if known else ("ok", True)


def told(verdict: Verdict, *, verbose: bool) -> Iterator[str]:
    word, expected = judged(verdict)
    colour = {"ok": "green", "known": "yellow"}.get(word, "red")
    why = "; ".join(verdict.faults) or (f"no longer: {KNOWN[verdict.scene]}" if word == "GONE" else "")
    yield f"[{colour}]{word:5}[/{colour}] {verdict.scene:34} {escape(why)}"
    if verbose or not expected:
        if verdict.doc:
            yield f"      [italic]{escape(verdict.doc)}[/italic]"
        yield from (f"      [dim]{escape(each)}[/dim]" for each in verdict.story)
        yield from (f"      note {escape(each)}" for each in verdict.notes)
    if verbose:
        stored, outcome = ", ".join(verdict.stored) or "nothing", verdict.outcome or "talking"
        times = f"longest silence {verdict.silence_s:.1f} s; took {verdict.took_s:.1f} s"
        yield f"      stored {stored}; {outcome}; {times}"


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Scenes, patterns like 'yes_*', or kinds.")] = None,
    speed: Annotated[float, typer.Option(help="Times real time.")] = SPEED,
    jobs: Annotated[int, typer.Option(help="Scenes at a time.")] = JOBS,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write all verdicts.")] = None,
    log: Annotated[str, typer.Option(help="Level of the daemon's log to print; nothing by default.")] = "",
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print the story of every call.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="A line a scene, also for faults.")] = False,
    list_all: Annotated[bool, typer.Option("--list", help="List the scenes, and play none.")] = False,
) -> None:
    """Play scenes with a model that misbehaves; ends with 1 where one did not end as it must."""
    scenes = chosen(names or [])
    if not scenes:
        out.print("no such scene; see --list")
        raise typer.Exit(WRONG_NAME)
    if list_all:
        for each in scenes:
            out.print(f"{each.kind.name.lower():10} {each.name:34} {escape(each.doc)}")
        return
    began_s, verdicts = time.monotonic(), []
    for verdict in played(scenes, speed, jobs, log):
        verdicts.append(verdict)
        for number, line in enumerate(told(verdict, verbose=verbose)):
            if number == 0 or not quiet:
                out.print(line)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(each) for each in verdicts], indent=1))
    out.print(by_kind(verdicts))
    expected = sum(judged(each)[1] for each in verdicts)
    out.print(f"{expected} of {len(verdicts)} scenes ended as expected, in {time.monotonic() - began_s:.0f} s")
    if expected < len(verdicts):
        raise typer.Exit(FAILED)


def by_kind(verdicts: list[Verdict]) -> Table:
    table = Table("kind", "scenes", "ok", "known", "FAULT", "longest silence", box=None, pad_edge=False)
    for kind in dict.fromkeys(each.kind for each in verdicts):
        of_kind = [each for each in verdicts if each.kind == kind]
        words = [judged(each)[0] for each in of_kind]
        silence_s = max(each.silence_s for each in of_kind)
        counts = [
            str(words.count("ok")),
            str(words.count("known")),
            str(len(words) - words.count("ok") - words.count("known")),
        ]
        table.add_row(kind, str(len(of_kind)), *counts, f"{silence_s:.0f} s")
    return table


if __name__ == "__main__":
    typer.run(main)
