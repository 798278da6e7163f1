"""`tieline probe`: what it prints, and its exit code.

May import: lab.probe, rich, the standard library.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lab.probe.ledger import ProbeReport, RuleVerdict
from lab.probe.realtime import REALTIME_SCENES, probe_realtime
from lab.probe.settings import ProbeSettings, Unreachable
from lab.probe.vaic import VAIC_SCENES, probe_bot

GOOD, FAILED, NOT_GRADED = 0, 1, 2
_COLOURS = {RuleVerdict.PASS: "green", RuleVerdict.WARN: "yellow", RuleVerdict.FAIL: "red", RuleVerdict.NOT_SEEN: "dim"}

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def probe_and_print(  # noqa: PLR0913 - the options of a command
    to: str,
    realtime: str,
    *,
    token: str,
    key: str,
    model: str,
    json_file: Path | None,
    scenes: Sequence[str],
    patience_s: float,
    speed: float,
    verbose: bool,
) -> int:
    """Grade one peer and print the report.

    to, realtime: the URL of a bot, or of a Realtime server. Returns the exit code.
    """
    if bool(to) == bool(realtime):
        err.print("[red]wrong option[/red] give --to URL for a bot, or --realtime URL for a Realtime server")
        return NOT_GRADED
    if not (url := to or realtime).startswith(("ws://", "wss://")):
        err.print(f"[red]wrong option[/red] {escape(url)} is no URL of ws:// or wss://")
        return NOT_GRADED
    known = [each.__name__ for each in (VAIC_SCENES if to else REALTIME_SCENES)]
    if unknown := [name for name in scenes if name not in known]:
        err.print(f"[red]wrong option[/red] there is no scene {escape(unknown[0])}; there are {', '.join(known)}")
        return NOT_GRADED
    settings = ProbeSettings(
        url=url,
        token=token if to else key,
        scenes=tuple(scenes),
        patience_s=patience_s,
        speed=speed,
        model=model,
    )
    try:
        report = asyncio.run(probe_bot(settings) if to else probe_realtime(settings))
    except Unreachable as error:
        err.print(f"[red]not connected[/red] {escape(str(error))}")
        return NOT_GRADED
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n")
    print_probe(report, verbose=verbose)
    return FAILED if report.grade is RuleVerdict.FAIL else GOOD


def print_probe(report: ProbeReport, *, verbose: bool) -> None:
    """Print every rule; of those that were broken how, and the messages that prove it."""
    out.print(f"{escape(report.url)} by {report.spec}\n")
    for each in report.findings:
        rule, colour = each.rule, _COLOURS[each.verdict]
        mark = f"[{colour}]{each.verdict:<8}[/{colour}]"
        out.print(f"{mark} {escape(rule.name):<26} {rule.section:<6} {escape(rule.text)}")
        for detail in each.details:
            out.print(f"{'':<9}{escape(detail)}")
        if verbose or each.details:
            for line in each.proof:
                out.print(f"{'':<11}[dim]{escape(line)}[/dim]")
    counts = ", ".join(f"{len(report.of(verdict))} {verdict}" for verdict in RuleVerdict)
    out.print(f"\ngrade [{_COLOURS[report.grade]}]{report.grade}[/{_COLOURS[report.grade]}]: {counts}")
