"""Arrows at a node's side: in order, at their distance, where they want to go if there is room."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fsm.chart.layers import START, Cell, link
from fsm.chart.place import PORT_PX, _Block, _refine, place, spread


@given(st.lists(st.floats(-50, 250), min_size=1, max_size=12))
def test_arrows_at_a_side_keep_their_order_and_their_distance_and_stay_between_its_corners(wanted: list[float]) -> None:
    found = spread(sorted(wanted), 0, 11 * PORT_PX)
    assert len(found) == len(wanted)
    assert all(two - one >= PORT_PX - 1e-6 for one, two in pairwise(found))
    assert found[0] >= -1e-6
    assert found[-1] <= 11 * PORT_PX + 1e-6


def test_an_arrow_that_has_room_goes_where_it_wants_to() -> None:
    assert spread([10, 40, 90], 0, 100) == [10, 40, 90]
    assert spread([50, 50, 50], 0, 100) == [50 - PORT_PX, 50, 50 + PORT_PX]


def node(row: int, name: str, half_px: float = 20) -> Cell:
    return Cell(row, half_px, half_px, 30, node=name)


def test_a_row_without_arrows_begins_where_the_widest_of_the_others_does() -> None:
    dot, top, left, right = node(0, START, 5), node(1, "top"), node(2, "left", 80), node(2, "right", 80)
    loose = [node(3, "one"), node(3, "two", 30)]
    link([dot, top])
    link([top, left])
    link([top, right])
    place([[dot], [top], [left, right], loose])
    assert left.x - left.left < top.x - top.left
    assert loose[0].x - loose[0].left == left.x - left.left
    assert loose[1].x > loose[0].x


def test_a_node_goes_to_where_all_its_arrows_are_straight_and_as_short_as_can_be() -> None:
    one, two, between, three = node(1, "one", 39), node(1, "two", 39), node(2, "between", PORT_PX), node(3, "three", 44)
    link([one, between])
    link([two, between, three])
    of = {cell: _Block([cell], x) for cell, x in ((one, 0), (two, 0), (between, 25), (three, 50))}
    _refine(of[between], of)
    assert of[between].x == 20, "of 25 px beside the two above, and 30 beside the one below"


def test_of_two_arrows_that_cross_one_bends_once_where_they_do() -> None:
    dot, one, two = node(0, START, 5), node(1, "one"), node(1, "two")
    down, across = ([Cell(row, 8, 8, 10) for row in range(2, 8)] for _ in range(2))
    three, four = node(8, "three"), node(8, "four")
    link([dot, one])
    link([one, *across, four])
    link([two, *down, three])
    place([[dot], [one, two], [across[0], down[0]], *map(list, zip(down[1:], across[1:], strict=True)), [three, four]])
    assert len({cell.x for cell in down}) == 1
    assert len({cell.x for cell in across[1:]}) == 1
    assert across[0].x < down[0].x < across[1].x
    assert four.x - four.left < across[-1].x < four.x + four.right, "straight on into its node"
