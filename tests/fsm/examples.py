"""How tests of each language write their tables of examples."""

from __future__ import annotations

from datetime import date, time

from fsm.consent import Readback


def nov(*days: int) -> set[date]:
    return {date(2026, 11, day) for day in days}


def both(hour: int, minute: int = 0) -> set[time]:
    """A time of which nobody has said whether it is in the morning."""
    return {time(hour, minute), time(hour + 12, minute)}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def cases(table: dict[str, tuple[Readback, str]]) -> list[tuple[Readback, str]]:
    """Each line of a table with its read-back."""
    return [(readback, line) for readback, text in table.values() for line in lines(text)]
