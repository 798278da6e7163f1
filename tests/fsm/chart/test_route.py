"""Arrows between two rows of nodes: tracks that do not run on one another."""

from __future__ import annotations

from fsm.chart.route import Crossing, tracks


def test_two_arrows_that_change_places_do_not_run_on_one_another() -> None:
    lanes, last = tracks([Crossing(0, 100), Crossing(100, 0), Crossing(40, 60), Crossing(200, 200)])
    assert lanes[:2].count(None) == 1  # one of them goes aslant
    assert lanes[3] is None
    assert all(0 < lane < last for lane in lanes if lane is not None)


def test_arrows_that_do_not_meet_share_a_track_and_those_that_do_have_their_own() -> None:
    assert tracks([Crossing(0, 50), Crossing(100, 150)]) == ([0, 0], 0)
    lanes, last = tracks([Crossing(0, 100), Crossing(50, 150)])
    assert lanes == [1, 0]  # the right one turns first, so that neither crosses the other
    assert last == 1
