"""Ranks and order: the row of each node, and its position in the row.

Nodes are in even rows, labels in odd rows. Every edge is a chain of cells, one in each row it passes, so that it has a
position of its own there: this keeps arrows off nodes and labels.
May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 12  # rounds of sorting rows by their neighbours; a small graph converges within a few
START = "(start)"  # the name of the initial dot among the nodes


@dataclass(slots=True, eq=False)
class Cell:
    """An entry of a row: a node, a label, or an edge that passes through.

    left, right: its extent from its axis, in px. height: in px. label: whether it carries its edge's label.
    """

    row: int
    left: float
    right: float
    height: float
    node: str = ""
    label: bool = False
    x: float = 0.0
    up: list[Cell] = field(default_factory=list)
    down: list[Cell] = field(default_factory=list)


def leading_back(start: str, nodes: Sequence[str], pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that close a cycle on a path from the start, and all edges to the start, which is the top node."""
    onward: dict[str, list[str]] = {name: [] for name in nodes}
    back: set[tuple[str, str]] = set()
    for source, target in pairs:
        if target == start:
            back.add((source, target))
        else:
            onward[source].append(target)
    seen: set[str] = set()
    for root in (start, *nodes):
        if root in seen:
            continue
        seen.add(root)
        path, ways = [root], [iter(onward[root])]
        while path:
            for target in ways[-1]:
                if target in path:
                    back.add((path[-1], target))
                elif target not in seen:
                    seen.add(target)
                    path.append(target)
                    ways.append(iter(onward[target]))
                    break
            else:
                path.pop()
                ways.pop()
    return back


def ranks(
    nodes: Sequence[str], downward: Sequence[tuple[str, str]], widths: Mapping[str, float], limit_px: float
) -> dict[str, int]:
    """A rank for each node so that every edge leads down, edges are short, and no rank is wider than `limit_px`.

    nodes: the initial dot first, then the start.
    """
    # The initial dot has the first row to itself, with the start below it.
    rank = _longest(nodes, downward, {name: int(number > 0) for number, name in enumerate(nodes)})
    linked = {name for pair in downward for name in pair}
    for _ in nodes:
        if not _shorten(nodes[2:], downward, rank):
            break
    last = max(rank.values(), default=0)
    for name in nodes:
        if name not in linked:
            rank[name] = last
    for level in range(4 * len(nodes)):
        row = [name for name in nodes if rank[name] == level]
        while len(row) > 1 and sum(widths[name] for name in row) > limit_px:
            rank[row.pop()] += 1
            rank = _longest(nodes, downward, rank)
    return rank


def _longest(nodes: Sequence[str], downward: Sequence[tuple[str, str]], least: Mapping[str, int]) -> dict[str, int]:
    rank = dict(least)
    for _ in nodes:
        moved = False
        for upper, lower in downward:
            if rank[lower] <= rank[upper]:
                rank[lower], moved = rank[upper] + 1, True
        if not moved:
            break
    return rank


def _shorten(nodes: Sequence[str], downward: Sequence[tuple[str, str]], rank: dict[str, int]) -> bool:
    """Move nodes with more edges below than above down, and others up. Returns whether any moved."""
    moved = False
    for name in nodes:
        above = [rank[upper] for upper, lower in downward if lower == name]
        below = [rank[lower] for upper, lower in downward if upper == name]
        if above and below and len(below) > len(above) and min(below) - 1 > rank[name]:
            rank[name], moved = min(below) - 1, True
        elif above and len(above) > len(below) and max(above) + 1 < rank[name]:
            rank[name], moved = max(above) + 1, True
        elif not above and below and min(below) - 1 > rank[name]:
            rank[name], moved = min(below) - 1, True
    return moved


def link(chain: Sequence[Cell]) -> None:
    """Link the cells of an edge, from the upper node's to the lower one's."""
    for upper, lower in pairwise(chain):
        upper.down.append(lower)
        lower.up.append(upper)


def ordered(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The rows, each ordered so that few edges cross."""
    best: list[list[Cell]] = []
    least: tuple[int, int] | None = None
    for mirrored in (False, True):
        rows = _first_order(cells, mirrored)
        for sweep in range(SWEEPS):
            _sort_by_neighbours(rows, downward=sweep % 2 == 0)
            _swap_neighbours(rows)
            cost = sum(_crossings(rows, number) for number in range(len(rows))), _spread(rows)
            if least is None or cost < least:
                least, best = cost, [list(row) for row in rows]
    return best


def _first_order(cells: Sequence[Cell], mirrored: bool) -> list[list[Cell]]:
    rows: list[list[Cell]] = [[] for _ in range(max(cell.row for cell in cells) + 1)]
    seen: set[Cell] = set()
    for root in cells:
        stack = [root]
        while stack:
            cell = stack.pop()
            if cell in seen:
                continue
            seen.add(cell)
            rows[cell.row].append(cell)
            stack.extend(cell.down if mirrored else reversed(cell.down))
    return rows


def _sort_by_neighbours(rows: list[list[Cell]], downward: bool) -> None:
    for number in range(len(rows)) if downward else reversed(range(len(rows))):
        row = rows[number]
        place = _places(rows, number - 1 if downward else number + 1)
        middle: dict[Cell, float] = {}
        for index, cell in enumerate(row):
            near = sorted(place[each] for each in (cell.up if downward else cell.down))
            middle[cell] = sum(near) / len(near) if near else _scaled(index, len(row), len(place))
        row.sort(key=lambda cell: middle[cell])


def _scaled(index: int, of: int, to: int) -> float:
    return index * to / of if to else index


def _places(rows: list[list[Cell]], number: int) -> dict[Cell, int]:
    return {cell: index for index, cell in enumerate(rows[number])} if 0 <= number < len(rows) else {}


def _swap_neighbours(rows: list[list[Cell]]) -> None:
    for _ in range(SWEEPS):
        swapped = False
        for number, row in enumerate(rows):
            above, below = _places(rows, number - 1), _places(rows, number + 1)
            for index in range(len(row) - 1):
                one, two = row[index], row[index + 1]
                kept = _cross(one.up, two.up, above) + _cross(one.down, two.down, below)
                turned = _cross(two.up, one.up, above) + _cross(two.down, one.down, below)
                if turned < kept:
                    row[index], row[index + 1] = two, one
                    swapped = True
        if not swapped:
            return


def _cross(left: list[Cell], right: list[Cell], place: Mapping[Cell, int]) -> int:
    return sum(place[one] > place[two] for one in left for two in right)


def _crossings(rows: list[list[Cell]], number: int) -> int:
    below = _places(rows, number + 1)
    ends = [below[each] for cell in rows[number] for each in sorted(cell.down, key=lambda each: below[each])]
    return sum(one > two for index, one in enumerate(ends) for two in ends[index + 1 :])


def _spread(rows: list[list[Cell]]) -> int:
    total = 0
    for number, row in enumerate(rows):
        below = _places(rows, number + 1)
        total += sum(abs(index - below[each]) for index, cell in enumerate(row) for each in cell.down)
    return total
