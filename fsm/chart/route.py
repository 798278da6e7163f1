"""Routes of arrows between two rows: down, across on a track of its own, down.

The space between two rows holds only arrows, so routes inside it cross no node and no label.
May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TRACK_PX = 9.0  # distance of two tracks
NEAR_PX = 7.0  # lines nearer to each other than this look like one
_OVERLAP = 100  # the cost of two overlapping lines, in crossings


@dataclass(frozen=True, slots=True)
class Crossing:
    """A step of an arrow from x `top` in the upper row to x `bottom` in the lower one, in px."""

    top: float
    bottom: float

    @property
    def straight(self) -> bool:
        return abs(self.top - self.bottom) < 0.5

    @property
    def left(self) -> float:
        return min(self.top, self.bottom)

    @property
    def right(self) -> float:
        return max(self.top, self.bottom)

    def meets(self, other: Crossing) -> bool:
        """Whether both need the same stretch of a track."""
        return self.left - NEAR_PX < other.right and other.left - NEAR_PX < self.right


def tracks(crossings: Sequence[Crossing]) -> tuple[list[int | None], int]:
    """The track of each crossing, counted from above, and the number of the last track.

    None for a straight line: vertical if both ends have the same x, else slanted, for two arrows that swap places and
    would overlap in any order of tracks.
    """
    bent = [number for number, each in enumerate(crossings) if not each.straight]
    order = sorted(bent, key=lambda number: (crossings[number].right, crossings[number].left, number))
    for _ in bent:
        before = order
        for number in bent:
            order = _best_place(number, order, crossings)
        if order == before:
            break
    level = [number for number in order if not _runs_on(number, order, crossings)]
    aslant = len(level) < len(order)
    found: list[int | None] = [None] * len(crossings)
    for index, number in enumerate(level):
        above = [found[each] for each in level[:index] if crossings[each].meets(crossings[number])]
        found[number] = max((each for each in above if each is not None), default=int(aslant) - 1) + 1
    return found, max((each for each in found if each is not None), default=0) + int(aslant)


def _runs_on(number: int, order: list[int], crossings: Sequence[Crossing]) -> bool:
    """Whether its lower end overlaps the upper end of one on a lower track."""
    below = order[order.index(number) + 1 :]
    return any(abs(crossings[each].top - crossings[number].bottom) < NEAR_PX for each in below)


def _best_place(number: int, order: list[int], crossings: Sequence[Crossing]) -> list[int]:
    rest = [each for each in order if each != number]
    here = order.index(number)
    costs = []
    for place in range(len(order)):
        cost = sum(_cost(crossings[each], crossings[number]) for each in rest[:place])
        cost += sum(_cost(crossings[number], crossings[each]) for each in rest[place:])
        costs.append((cost, abs(place - here), place))
    place = min(costs)[2]
    return [*rest[:place], number, *rest[place:]]


def _cost(upper: Crossing, lower: Crossing) -> int:
    """The crossings of two arrows if `upper` has the upper track, plus the cost of an overlap."""
    cost = int(upper.left < lower.top < upper.right) + int(lower.left < upper.bottom < lower.right)
    return cost + (_OVERLAP if abs(lower.top - upper.bottom) < NEAR_PX else 0)
