"""Arrows at a node's side: in order, at their distance, where they want to go if there is room."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fsm.chart.place import PORT_PX, spread


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
