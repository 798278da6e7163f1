"""The longest silence of a call."""

from __future__ import annotations

from tests.silence import longest_silence_s


def test_a_silence_is_between_the_sounds_of_both_sides() -> None:
    assert longest_silence_s([(0, 1000), (9000, 10_000)], [(4000, 5000)], 12_000) == 4


def test_a_silence_at_the_end_of_the_call_counts() -> None:
    assert longest_silence_s([(500, 1000)], [], 31_000) == 30


def test_a_bot_that_never_speaks_is_silent_all_the_time() -> None:
    assert longest_silence_s([], [(1000, 2000)], 8000) == 8


def test_sounds_may_overlap() -> None:
    assert longest_silence_s([(0, 5000), (6000, 7000)], [(1000, 2000)], 7000) == 1
