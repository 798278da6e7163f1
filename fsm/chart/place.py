"""The x of each cell in its row.

An arrow's cells form a block with one axis, so that it runs straight between its two nodes; a block is cut only where
arrows cross. The initial dot, its arrow and the start are one block too. Blocks are moved towards their neighbours as
far as the rows' order allows.
May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations

from fsm.chart.layers import START, Cell

GAP_PX = 16.0
NODE_GAP_PX = 28.0
PORT_PX = 14.0  # least distance of an arrow from a node's corner, and of two arrows at one side
ROUNDS = 80  # of moving all blocks at once
REFINEMENTS = 6  # rounds of moving single blocks after that
CENTRING = 0.25  # weight of a node's being centred on its arrows, relative to their being straight
BEND_PX = 400.0  # the cost of a bend, as px of distance


@dataclass(slots=True, eq=False)
class _Block:
    """Cells with one axis. before, after: blocks next to it in some row, with the least distance of the axes."""

    cells: list[Cell]
    x: float = 0.0
    before: dict[_Block, float] = field(default_factory=dict)
    after: dict[_Block, float] = field(default_factory=dict)


def place(rows: Sequence[list[Cell]]) -> None:
    """Set the x of every cell, in whole px; cells of a row keep their order and least distance."""
    blocks = _blocks(rows)
    of = {cell: block for block in blocks for cell in block.cells}
    _project(blocks, dict.fromkeys(blocks, 0.0))
    for _ in range(ROUNDS):
        _project(blocks, {block: _wanted(block, of) for block in blocks})
    for _ in range(REFINEMENTS):
        for block in blocks:
            _refine(block, of)
    _line_up_loose(rows, of)
    least = {block: round(block.x) for block in blocks}
    for block in blocks:
        block.x = max([float(least[block]), *(each.x + distance for each, distance in block.before.items())])
        for cell in block.cells:
            cell.x = block.x


def _line_up_loose(rows: Sequence[list[Cell]], of: Mapping[Cell, _Block]) -> None:
    """Align rows of unconnected nodes with the left edge of the others."""
    begin = min((of[cell].x - cell.left for row in rows for cell in row if cell.up or cell.down), default=0.0)
    for row in rows:
        if row and not any(cell.up or cell.down for cell in row):
            shift = begin - of[row[0]].x + row[0].left
            for cell in row:
                of[cell].x += shift


def spread(wanted: Sequence[float], least: float, most: float) -> list[float]:
    """Positions at a node's side, in order and at least PORT_PX apart, as near to the wanted ones as possible."""
    pools: list[tuple[float, int]] = []  # (mean position less the distances, number of arrows)
    for index, want in enumerate(wanted):
        pool = (min(max(want, least), most) - index * PORT_PX, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, count = pools.pop()
            together = count + pool[1]
            pool = ((mean * count + pool[0] * pool[1]) / together, together)
        pools.append(pool)
    flat = [mean for mean, count in pools for _ in range(count)]
    last = len(flat) - 1
    return [
        min(max(mean, least), most - last * PORT_PX) + index * PORT_PX if most - least >= last * PORT_PX else mean
        for index, mean in enumerate(flat)
    ]


def _gap(one: Cell, two: Cell) -> float:
    return one.right + two.left + (NODE_GAP_PX if one.node and two.node else GAP_PX)


def _blocks(rows: Sequence[list[Cell]]) -> list[_Block]:
    """The blocks in an order in which each comes after those to its left."""
    first = next(cell for cell in rows[0] if cell.node == START)
    lead = [first]
    while not lead[-1].node or lead[-1] is first:
        lead.append(lead[-1].down[0])
    rest = [[cell] for row in rows for cell in row if cell.node and cell not in lead]
    groups = [lead, *rest, *(chain for chain in _chains(rows) if chain[0] not in lead)]
    while True:
        blocks = [_Block(group) for group in groups]
        of = {cell: block for block in blocks for cell in block.cells}
        for row in rows:
            for one, two in pairwise(row):
                distance = max(_gap(one, two), of[one].after.get(of[two], 0.0))
                of[one].after[of[two]] = of[two].before[of[one]] = distance
        ordered = _left_to_right(blocks)
        if len(ordered) == len(blocks):
            return ordered
        groups = _cut(groups, {cell for block in ordered for cell in block.cells}, rows)


def _chains(rows: Sequence[list[Cell]]) -> Iterator[list[Cell]]:
    """The cells of each arrow between its nodes."""
    for row in rows:
        for cell in row:
            for first in cell.down if cell.node else ():
                chain, each = [], first
                while not each.node:
                    chain.append(each)
                    each = each.down[0]
                if chain:
                    yield chain


def _left_to_right(blocks: Sequence[_Block]) -> list[_Block]:
    """The blocks in such an order; those in a cycle are left out."""
    waits = {block: len(block.before) for block in blocks}
    ready = [block for block in blocks if not waits[block]]
    for block in ready:
        for each in block.after:
            waits[each] -= 1
            if not waits[each]:
                ready.append(each)
    return ready


def _cut(groups: list[list[Cell]], free: set[Cell], rows: Sequence[list[Cell]]) -> list[list[Cell]]:
    """Cut one block of a cycle of left-of relations: where it changes sides, else in the middle."""
    index_of = {cell: index for row in rows for index, cell in enumerate(row)}
    tied = [number for number, group in enumerate(groups) if len(group) > 1 and group[0] not in free]
    sides = [
        (-len(groups[number]), number, at)
        for number, other in permutations(tied, 2)
        if (at := _changes_sides(groups[number], groups[other], index_of))
    ]
    if sides:
        _, number, at = min(sides)
    else:
        number = max(tied, key=lambda each: len(groups[each]))
        at = len(groups[number]) // 2
    return [*groups[:number], groups[number][:at], groups[number][at:], *groups[number + 1 :]]


def _changes_sides(group: list[Cell], other: list[Cell], index_of: Mapping[Cell, int]) -> int:
    """The index of the first cell that is on another side of `other` than the cell before it; 0 if none."""
    beside = {cell.row: index_of[cell] for cell in other}
    side: bool | None = None
    for number, cell in enumerate(group):
        if cell.row in beside:
            now = index_of[cell] < beside[cell.row]
            if side is not None and now != side:
                return number
            side = now
    return 0


def _ends(block: _Block, of: Mapping[Cell, _Block]) -> list[tuple[float, float]]:
    """For each neighbour above and below: its axis, and the distance within which an arrow is still straight."""
    first, last = block.cells[0], block.cells[-1]
    return [(of[each].x, _reach(first, each)) for each in first.up] + [
        (of[each].x, _reach(last, each)) for each in last.down
    ]


def _reach(one: Cell, two: Cell) -> float:
    """The largest distance of two axes with a straight arrow between them."""
    return max(0.0, _half(one) - PORT_PX, _half(two) - PORT_PX)


def _half(cell: Cell) -> float:
    return min(cell.left, cell.right) if cell.node else 0.0


def _wanted(block: _Block, of: Mapping[Cell, _Block]) -> float:
    total = weight = 0.0
    for x, reach in _ends(block, of):
        total += min(max(block.x, x - reach), x + reach) + CENTRING * x
        weight += 1 + CENTRING
    return total / weight if weight else block.x


def _project(blocks: Sequence[_Block], wanted: Mapping[_Block, float]) -> None:
    """Keep all least distances: average the solutions of pushing blocks right and of pushing them left."""
    right: dict[_Block, float] = {}
    for block in blocks:
        right[block] = max([wanted[block], *(right[each] + distance for each, distance in block.before.items())])
    left: dict[_Block, float] = {}
    for block in reversed(blocks):
        left[block] = min([wanted[block], *(left[each] - distance for each, distance in block.after.items())])
        block.x = (left[block] + right[block]) / 2


def _refine(block: _Block, of: Mapping[Cell, _Block]) -> None:
    """Move one block to where it has the fewest bends and the shortest arrows, with the others fixed."""
    least = max((each.x + distance for each, distance in block.before.items()), default=float("-inf"))
    most = min((each.x - distance for each, distance in block.after.items()), default=float("inf"))
    near = _ends(block, of)
    if not near:
        # No arrows: put it next to its neighbour.
        block.x = least if block.before else most if block.after else block.x
        return
    places = [block.x, *(x + side * reach for x, reach in near for side in (-1, 0, 1))]

    def cost(x: float) -> float:
        ways = ((abs(x - each), reach) for each, reach in near)
        return sum((BEND_PX if way > reach + 0.5 else 0) + way for way, reach in ways)

    block.x = min((min(max(x, least), most) for x in places), key=lambda x: (round(cost(x), 3), x))
