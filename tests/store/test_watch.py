"""What counts as seen unchanged: a whole window, in looks that follow one another."""

from __future__ import annotations

import pytest

from store.watch import Watch


def test_a_row_that_stays_the_same_for_the_window_is_returned_and_one_that_changes_is_not() -> None:
    watch = Watch[tuple[str, int]](window_s=20, longest_gap_s=15)
    assert watch.look(0, [("old", 1), ("renewed", 1)]) == []
    assert watch.look(10, [("old", 1), ("renewed", 2), ("new", 1)]) == []
    assert watch.look(20, [("new", 1), ("old", 1), ("renewed", 2)]) == [("old", 1)]
    assert watch.look(30, [("new", 1), ("old", 1)]) == [("new", 1), ("old", 1)], "in the order given"


def test_a_row_that_was_away_for_a_look_begins_its_window_again() -> None:
    watch = Watch[str](window_s=20, longest_gap_s=15)
    assert watch.look(0, ["a"]) == watch.look(10, []) == watch.look(20, ["a"]) == watch.look(30, ["a"]) == []
    assert watch.look(40, ["a"]) == ["a"]


@pytest.mark.parametrize("gap_s", [15.1, 3_600, -0.1, -3_600])
def test_after_an_outage_or_a_clock_that_was_set_the_window_begins_again(gap_s: float) -> None:
    watch = Watch[str](window_s=20, longest_gap_s=15)
    assert watch.look(0, ["a"]) == watch.look(15, ["a"]) == []
    now_s = 15 + gap_s
    assert watch.look(now_s, ["a"]) == watch.look(now_s + 15, ["a"]) == []
    assert watch.look(now_s + 20, ["a"]) == ["a"]


def test_a_window_of_no_length_needs_one_look() -> None:
    assert Watch[str](window_s=0, longest_gap_s=0).look(5, ["a"]) == ["a"]
