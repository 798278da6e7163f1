"""Which rows have stayed as they were through a window in which they could have been changed.

A row that its owner renews tells nothing about the owner while nobody can write, or when a clock has been set: only
what this process has seen itself, look by look, does.
Pure. May import: the standard library. Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Row = TypeVar("Row", bound=Hashable)


class Watch(Generic[Row]):
    """Not for several threads at once.

    window_s: how long a row must have been the same. longest_gap_s: between two looks; after a longer one, or if the
    clock went back, the window begins anew for all rows, because nobody knows what was possible meanwhile.
    """

    def __init__(self, window_s: float, longest_gap_s: float) -> None:
        self._window_s = window_s
        self._longest_gap_s = longest_gap_s
        self._looked_s = -math.inf
        self._since: dict[Row, float] = {}

    def look(self, now_s: float, rows: Iterable[Row]) -> list[Row]:
        """Those of the rows that were there in all looks for `window_s`, in their order.

        rows: all in question, each with what its owner changes when it renews the row. now_s: by any clock.
        """
        gap_s, self._looked_s = now_s - self._looked_s, now_s
        before = self._since if 0 <= gap_s <= self._longest_gap_s else {}
        self._since = {row: before.get(row, now_s) for row in rows}
        return [row for row, since_s in self._since.items() if now_s - since_s >= self._window_s]
