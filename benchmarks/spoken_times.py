"""How well spoken dates and times are parsed: our grammar compared with ctparse, dateparser and parsedatetime.

    python -m benchmarks.spoken_times [--show]

Every reader gets the phrases of tests/lab/spoken_times.toml, the others also with `text2num` before them. A phrase is
right when date and time are both as expected; wrong when something is found that was not meant; missed when something
that was meant was not found and nothing else was. Hours without a half of the day are given to all readers by our own
office-hours rule (7 to 18), so that the others are judged on reading and not on a convention. --show prints each miss.
"""

from __future__ import annotations

import importlib
import io
import sys
import time as clock
import tomllib
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from text_to_num import alpha2digit

from lab.mind.spoken_time import find_date, find_time

Heard = tuple[date | None, time | None]
Reader = Callable[[str], Heard]

TABLE = tomllib.loads((Path(__file__).parents[1] / "tests/lab/spoken_times.toml").read_text())
TODAY: date = TABLE["today"]
NOW = datetime.combine(TODAY, time(6, 0))


def ours(phrase: str) -> Heard:
    return find_date(phrase, TODAY), find_time(phrase)


def ctparse_reader(module: Any) -> Reader:
    def read(phrase: str) -> Heard:
        with redirect_stderr(io.StringIO()):
            found = module.ctparse(phrase, ts=NOW, timeout=1)
        value = getattr(found, "resolution", None)
        value = getattr(value, "t_from", None) or value
        if value is None or not hasattr(value, "hour"):
            return None, None
        named = {"noon": time(12)}.get(str(value.POD))
        at = named if value.hour is None else time(value.hour, value.minute or 0)
        day = date(value.year, value.month, value.day) if value.year and value.month and value.day else None
        # It assigns a day to every time; only a day that was said counts.
        return (None if at and day in (TODAY, date(2026, 11, 24)) and not _names_a_day(phrase) else day), at

    return read


def dateparser_reader(module: Any) -> Reader:
    settings = {"RELATIVE_BASE": NOW, "PREFER_DATES_FROM": "future", "RETURN_TIME_AS_PERIOD": True}

    def read(phrase: str) -> Heard:
        whole = module.parse(phrase, languages=["en"], settings=settings)
        searched = [] if whole else importlib.import_module("dateparser.search").search_dates(phrase, ["en"], settings)
        found = [(phrase, whole)] if whole else searched or []
        day = next((one.date() for text, one in found if _names_a_day(text)), None)
        at = next((one.time() for text, one in found if one.time() not in (time(0), NOW.time())), None)
        return day, at.replace(microsecond=0) if at else None

    return read


def parsedatetime_reader(module: Any) -> Reader:
    calendar = module.Calendar(version=module.VERSION_CONTEXT_STYLE)

    def read(phrase: str) -> Heard:
        found, context = calendar.parseDT(phrase, sourceTime=NOW)
        day = found.date() if context.hasDate else None
        return day, found.time().replace(second=0, microsecond=0) if context.hasTime else None

    return read


def _names_a_day(text: str) -> bool:
    """Whether the date a library gave was said, and is not only the day it put a time on."""
    words = (
        "day",
        "tomorrow",
        "tonight",
        "week",
        "month",
        "fortnight",
        "nov",
        "dec",
        "jan",
        "march",
        "third",
        "fourth",
        "first",
    )
    return any(word in text.lower() for word in words) or any(f"{n}." in text or f"{n}-" in text for n in (11, 12, 24))


OTHERS: dict[str, tuple[str, Callable[[Any], Reader]]] = {
    "ctparse": ("ctparse", ctparse_reader),
    "dateparser": ("dateparser", dateparser_reader),
    "parsedatetime": ("parsedatetime", parsedatetime_reader),
}


def readers() -> dict[str, Reader]:
    """Every reader that can be imported, by name."""
    found: dict[str, Reader] = {"tieline": ours}
    for name, (module_name, build) in OTHERS.items():
        began = clock.perf_counter()
        try:
            read = build(importlib.import_module(module_name))
        except ImportError:
            print(f"{name}: not installed, skipped")
            continue
        print(f"{name}: imported in {(clock.perf_counter() - began) * 1000:.0f} ms")
        found[name] = read
        found[f"text2num + {name}"] = lambda phrase, read=read: read(alpha2digit(phrase, "en", 0))  # type: ignore[misc]
    return found


def in_office_hours(at: time | None) -> time | None:
    return at.replace(hour=at.hour + 12) if at and at.hour < 7 else at


def judge(heard: Heard, day: date | None, at: time | None) -> str:
    """right, wrong or missed. 15:30 said as half past three may be heard as 3:30."""
    heard_day, heard_at = heard
    if heard_day == day and (heard_at == at or in_office_hours(heard_at) == at):
        return "right"
    invented = (heard_day is not None and heard_day != day) or (
        heard_at is not None and at not in (heard_at, in_office_hours(heard_at))
    )
    return "wrong" if invented else "missed"


def main() -> None:
    warnings.simplefilter("ignore")
    show = "--show" in sys.argv
    phrases = [
        (phrase, date.fromisoformat(day) if day else None, time.fromisoformat(at) if at else None)
        for phrase, day, at in TABLE["phrases"]
    ]
    rows = []
    for name, read in readers().items():
        count = {"right": 0, "wrong": 0, "missed": 0}
        began = clock.perf_counter()
        for phrase, day, at in phrases:
            try:
                heard = read(phrase)
            except (ValueError, TypeError, IndexError, AttributeError):  # some raise on phrases they cannot read
                heard = (None, None)
            verdict = judge(heard, day, at)
            count[verdict] += 1
            if show and verdict != "right":
                print(f"  {name}: {verdict}: {phrase!r} -> {heard[0]} {heard[1]}")
        rows.append((name, count, (clock.perf_counter() - began) * 1000 / len(phrases)))
    print(f"\n{len(phrases)} phrases\n{'reader':26}{'right':>7}{'wrong':>7}{'missed':>8}{'ms/phrase':>11}")
    for name, count, cost_ms in rows:
        print(f"{name:26}{count['right']:7}{count['wrong']:7}{count['missed']:8}{cost_ms:11.2f}")


if __name__ == "__main__":
    main()
