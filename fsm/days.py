"""A day as it is named in any language, in parts: "Thursday", "the 26th", "next week"; and the dates that it may mean.

Pure. May import: the standard library.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Day:
    """The named parts of a day. weeks: added to the weekday ("Thursday next week": 1); None if ambiguous."""

    exact: date | None = None
    weekday: int | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None
    weeks: int | None = 0

    def with_(self, other: Day) -> Day | None:
        """The parts of both; None if they contradict each other."""
        changes: dict[str, object] = {}
        for name in ("exact", "weekday", "day", "month", "year"):
            theirs, ours = getattr(other, name), getattr(self, name)
            if theirs is not None and ours is not None and theirs != ours:
                return None
            if theirs is not None:
                changes[name] = theirs
        if other.weekday is not None:
            changes["weeks"] = other.weeks
        return replace(self, **changes)  # type: ignore[arg-type]

    def meant(self, today: date) -> frozenset[date]:
        if self.exact is not None:
            return frozenset({self.exact}) if self._fits(self.exact) else frozenset()
        if self.day is None:
            return self._weekday(today)
        # The next such day. If weekday and date contradict each other, it is years away and matches no value.
        found = (day for day in self._candidates(today) if self._fits(day) and (day >= today or self.year is not None))
        if self.year is not None:
            return frozenset(found)
        return frozenset([next(found, date.min)])

    def _candidates(self, today: date) -> Iterator[date]:
        """That day of each month of the named year, or of the next eight."""
        assert self.day is not None
        years = range(today.year, today.year + 9) if self.year is None else (self.year,)
        for year in years:
            for month in range(1, 13) if self.month is None else (self.month,):
                if 1 <= self.day <= monthrange(year, month)[1]:
                    yield date(year, month, self.day)

    def _fits(self, day: date) -> bool:
        return (
            self.weekday in (None, day.weekday())
            and self.day in (None, day.day)
            and self.month in (None, day.month)
            and self.year in (None, day.year)
        )

    def _weekday(self, today: date) -> frozenset[date]:
        assert self.weekday is not None
        first = today + timedelta(days=(self.weekday - today.weekday()) % 7)
        week = timedelta(days=7)
        if self.weeks is None:  # "next Thursday"
            return frozenset({first, first + week}) - {today}
        if self.weeks:
            monday = today - timedelta(days=today.weekday())
            return frozenset({first + week, monday + week + timedelta(days=self.weekday)})
        # "Thursday" on a Thursday may be meant for today.
        return frozenset({first, first + week}) if first == today else frozenset({first})
