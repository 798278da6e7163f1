"""What is printed of the calls, and which of them break the bars."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from typer.testing import CliRunner

from tests.talk.__main__ import app, bars, table, told
from tests.talk.stage import Verdict

WELL = Verdict(
    scenario="book_plain",
    kind="booking",
    about="every value is asked for",
    voice="slt",
    condition="clear",
    blame="",
    differences=(),
    findings=(),
    no_yes=0,
    silence_s=3.0,
    stored=("2026-11-26 10:30",),
    outcome="bot-disconnected",
    story=("0.0 bot Hello",),
    took_s=5.0,
)
MISHEARD = replace(WELL, voice="awb", blame="ears", differences=("stored is nothing",), findings=("ears: x",) * 5)
BROKEN = replace(WELL, condition="noise 10 dB", blame="product", findings=("product: it crashed",), no_yes=1)


def test_the_table_has_success_by_voice_line_and_kind() -> None:
    console = Console(width=120)
    with console.capture() as printed:
        console.print(table([WELL, MISHEARD, BROKEN]))
    lines = [" ".join(line.split()) for line in printed.get().splitlines()]
    assert "awb 1 0 (0 %) 1 3 s" in lines
    assert "slt 2 1 (50 %) 1 3 s" in lines
    assert "noise 10 dB 1 0 (0 %) 1 3 s" in lines
    assert "booking 3 1 (33 %) 1 1 3 s" in lines
    assert "all 3 1 (33 %) 1 1 3 s" in lines


def test_each_bar_is_judged_by_its_own_figures() -> None:
    assert [kept for _, kept in bars([WELL, MISHEARD])] == [True, True, True]
    assert [kept for _, kept in bars([WELL, BROKEN])] == [False, True, False]
    assert [kept for _, kept in bars([WELL, replace(WELL, silence_s=21.0)])] == [True, False, True]
    assert [kept for _, kept in bars([WELL] * 50 + [replace(BROKEN, no_yes=0)])] == [True, True, True]


def test_a_product_fault_is_printed_in_full_and_another_in_short() -> None:
    assert len(list(told(WELL, verbose=False))) == 1
    assert len(list(told(MISHEARD, verbose=False))) == 4
    full = "\n".join(told(BROKEN, verbose=False))
    assert "it crashed" in full
    assert "Hello" in full


def test_scenarios_are_listed_by_name_pattern_and_kind() -> None:
    listed = CliRunner().invoke(app, ["--list", "book_*", "keys"])
    assert listed.exit_code == 0
    assert "book_plain" in listed.output
    assert "yes_by_key" in listed.output
    assert "human_at_once" not in listed.output
    assert CliRunner().invoke(app, ["no_such_scenario"]).exit_code == 2
    assert CliRunner().invoke(app, ["--voice", "nobody"]).exit_code == 2
