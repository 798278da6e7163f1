"""Where in its row a cell stands.

An arrow's cells form a block with one axis, so that it runs straight past everything between its two nodes; only where
arrows cross each other is a block cut. The initial dot, its arrow and the start are one block too. Blocks are drawn
towards their neighbours as far as the rows' order allows.
May import: fsm.chart, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations

from fsm.chart.layers import START, Cell

GAP_PX = 16.0
NODE_GAP_PX = 28.0
# An arrow may leave a node's side anywhere but this near to its corner; two arrows keep this distance.
PORT_PX = 14.0
ROUNDS, REFINEMENTS = 80, 6
# How much a node wants to stand in the middle of its arrows, beside their being straight.
CENTRING = 0.25
# What a bend costs, in px of distance.
BEND_PX = 400.0


@dataclass(slots=True, eq=False)
class _Block:
    """Cells on one axis. before, after: blocks beside it in some row, with the least distance of the axes."""

    cells: list[Cell]
    x: float = 0.0
    before: dict[_Block, float] = field(default_factory=dict)
    after: dict[_Block, float] = field(default_factory=dict)


def place(rows: Sequence[list[Cell]]) -> None:
    """Gives every cell its x, in whole px; cells of a row keep their order and their distance."""
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
    """Rows of nodes that no arrow leads to begin where the others do."""
    begin = min((of[cell].x - cell.left for row in rows for cell in row if cell.up or cell.down), default=0.0)
    for row in rows:
        if row and not any(cell.up or cell.down for cell in row):
            shift = begin - of[row[0]].x + row[0].left
            for cell in row:
                of[cell].x += shift


def spread(wanted: Sequence[float], least: float, most: float) -> list[float]:
    """Places for arrows at a node's side, in their order, PORT_PX apart and as near to those wanted as they can be."""
    pools: list[tuple[float, int]] = []  # mean without the distances, how many
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
    """The blocks, each after those to its left."""
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
    """In an order in which each comes after those to its left, as far as there is one."""
    waits = {block: len(block.before) for block in blocks}
    ready = [block for block in blocks if not waits[block]]
    for block in ready:
        for each in block.after:
            waits[each] -= 1
            if not waits[each]:
                ready.append(each)
    return ready


def _cut(groups: list[list[Cell]], free: set[Cell], rows: Sequence[list[Cell]]) -> list[list[Cell]]:
    """Cuts one of the blocks that stand left of each other in a circle: where it changes sides, else in the middle."""
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
    """The first cell of a group that is on another side of the other than the cell before; 0 for none."""
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
    """Of each neighbour above and below its axis, and how far off an arrow is still straight."""
    first, last = block.cells[0], block.cells[-1]
    return [(of[each].x, _reach(first, each)) for each in first.up] + [
        (of[each].x, _reach(last, each)) for each in last.down
    ]


def _reach(one: Cell, two: Cell) -> float:
    """How far apart two axes may be with a straight arrow between them."""
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
    """Halfway between pushing all that is too near to the right, and to the left: both keep every distance."""
    right: dict[_Block, float] = {}
    for block in blocks:
        right[block] = max([wanted[block], *(right[each] + distance for each, distance in block.before.items())])
    left: dict[_Block, float] = {}
    for block in reversed(blocks):
        left[block] = min([wanted[block], *(left[each] - distance for each, distance in block.after.items())])
        block.x = (left[block] + right[block]) / 2


def _refine(block: _Block, of: Mapping[Cell, _Block]) -> None:
    """Moves one block to where, the others being where they are, it has the fewest bends and the shortest ways."""
    least = max((each.x + distance for each, distance in block.before.items()), default=float("-inf"))
    most = min((each.x - distance for each, distance in block.after.items()), default=float("inf"))
    near = _ends(block, of)
    if not near:
        # Nothing holds it: beside what is there.
        block.x = least if block.before else most if block.after else block.x
        return
    places = [block.x, *(x + side * reach for x, reach in near for side in (-1, 0, 1))]

    def cost(x: float) -> float:
        ways = ((abs(x - each), reach) for each, reach in near)
        return sum((BEND_PX if way > reach + 0.5 else 0) + way for way, reach in ways)

    block.x = min((min(max(x, least), most) for x in places), key=lambda x: (round(cost(x), 3), x))
