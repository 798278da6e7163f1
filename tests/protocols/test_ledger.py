"""The heard ledger: what was generated, sent and heard of each item, to the millisecond."""

from __future__ import annotations

import pytest

from protocols.ledger import HeardLedger, ItemHeard, words_heard


def ledger(
    length_ms: float = 1000, sent_ms: float | None = None, from_ms: float = 0, ended: bool = True
) -> HeardLedger:
    """One item, i-1: so much generated, so much of it sent, heard from `from_ms` on."""
    found = HeardLedger()
    found.generated("i-1", length_ms)
    if sent_ms != 0:
        found.sent("i-1", length_ms if sent_ms is None else sent_ms, from_ms)
    if ended:
        found.all_generated("i-1")
    return found


# --- a cut ---


@pytest.mark.parametrize(
    ("now_ms", "heard_ms", "complete"),
    [(0, 0, False), (400, 400, False), (879, 879, False), (880, 1000, True), (1000, 1000, True), (5000, 1000, True)],
)
def test_the_last_moment_need_not_be_heard(now_ms: int, heard_ms: int, complete: bool) -> None:
    (item,) = ledger().cut(now_ms)
    assert (item.heard_ms, item.complete) == (heard_ms, complete)


@pytest.mark.parametrize(("now_ms", "complete"), [(29, False), (30, True)])
def test_of_a_short_item_half_must_be_heard(now_ms: int, complete: bool) -> None:
    (item,) = ledger(length_ms=60).cut(now_ms)
    assert item.complete is complete
    assert item.heard_ms == (60 if complete else now_ms)


def test_what_is_not_generated_to_its_end_was_not_heard_to_its_end() -> None:
    assert ledger(ended=False).cut(5000) == [ItemHeard("i-1", 1000, 1000, 0, complete=False)]


def test_what_was_not_sent_was_not_heard() -> None:
    assert ledger(sent_ms=300).cut(5000) == [ItemHeard("i-1", 300, 1000, 0, complete=False)]
    assert ledger(sent_ms=0).cut(5000) == [ItemHeard("i-1", 0, 1000, None, complete=False)]


@pytest.mark.parametrize(("now_ms", "began_ms"), [(499, None), (500, 500), (501, 500)])
def test_an_item_has_begun_once_its_first_sound_plays(now_ms: float, began_ms: int | None) -> None:
    (item,) = ledger(from_ms=500).cut(now_ms)
    assert item.began_ms == began_ms


def test_its_beginning_is_that_of_its_first_piece_and_its_end_that_of_its_last() -> None:
    found = ledger(sent_ms=400)
    found.sent("i-1", 600, plays_from_ms=2000)
    assert found.next_end_ms() == 2600
    assert found.cut(2100) == [ItemHeard("i-1", 500, 1000, 0, complete=False)]


def test_an_item_was_first_sent_when_its_first_play_stream_was_opened() -> None:
    found = HeardLedger()
    found.generated("i-1", 1000)
    assert found.cut(0)[0].sent_ms is None
    found.generated("i-1", 1000)
    found.stream_opens("i-1", 190)
    found.stream_opens("i-1", 900)
    assert found.cut(2000)[0].sent_ms == 190


def test_a_cut_takes_every_item_out_in_order() -> None:
    found = ledger()
    found.generated("i-2", 100)
    assert [item.item_id for item in found.cut(0)] == ["i-1", "i-2"]
    assert found.cut(0) == []
    assert found.ended == 0


# --- heard to its end ---


def test_an_item_is_finished_at_its_last_sound_and_told_of_once() -> None:
    found = ledger(from_ms=100)
    assert found.next_end_ms() == 1100
    assert found.pop_finished(1099) == []
    assert found.pop_finished(1100) == [ItemHeard("i-1", 1000, 1000, 100, complete=True)]
    assert found.pop_finished(1100) == []
    assert found.next_end_ms() is None


def test_an_item_that_may_grow_or_waits_to_be_sent_is_not_finished() -> None:
    for found in (ledger(ended=False), ledger(sent_ms=999)):
        assert found.next_end_ms() is None
        assert found.pop_finished(9000) == []


def test_of_several_the_next_to_end_is_told_and_only_what_has_ended_leaves() -> None:
    found = ledger()
    found.generated("i-2", 500)
    found.sent("i-2", 500, plays_from_ms=1000)
    found.all_generated("i-2")
    assert found.next_end_ms() == 1000
    assert [item.item_id for item in found.pop_finished(1000)] == ["i-1"]
    assert found.next_end_ms() == 1500


def test_the_end_of_an_item_counts_once_and_that_of_an_unknown_one_not_at_all() -> None:
    found = ledger()
    found.all_generated("i-1")
    found.all_generated("i-9")
    assert found.ended == 1
    found.pop_finished(1000)
    assert found.ended == 0


@pytest.mark.parametrize(
    ("heard_ms", "complete", "words"),
    [(1000, True, "one two three four"), (950, True, "one two three four"), (400, False, "one two"), (0, False, "")],
)
def test_the_words_that_were_heard_are_as_many_as_the_share_of_the_audio(
    heard_ms: int, complete: bool, words: str
) -> None:
    assert words_heard("one two three four", ItemHeard("i-1", heard_ms, 1000, 0, complete)) == words


def test_no_more_words_were_heard_than_can_be_spoken_in_the_time() -> None:
    cut = [ItemHeard("i-1", heard_ms, 900, 0, complete=False) for heard_ms in (239, 240)]
    assert [words_heard(" ".join(["word"] * 40), each) for each in cut] == ["word word", "word word word"]


def test_of_an_item_without_audio_all_words_count() -> None:
    assert words_heard("one two", ItemHeard("i-1", 0, 0, None, complete=False)) == "one two"


def test_an_item_that_the_model_did_not_finish_was_heard_but_is_not_complete() -> None:
    ledger = HeardLedger()
    ledger.generated("i-1", 500)
    ledger.sent("i-1", 500, plays_from_ms=0)
    ledger.all_generated("i-1", cut_off=True)
    assert ledger.pop_finished(500) == [ItemHeard("i-1", 500, 500, 0, complete=False)]
