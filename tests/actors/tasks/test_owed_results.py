"""What was done is told: it stays owed until the caller has heard of it, in whatever words."""

from __future__ import annotations

from datetime import date, time

import pytest

from actors.messages.call import BotHeard, BotSaid, CallerSaid
from actors.messages.journal_rows import OwedRow
from actors.tasks.owed_results import OwedResults
from fsm.claims import Deed, Done
from fsm.english import English
from protocols.ledger import ItemHeard

TODAY = date(2026, 11, 25)
SAY = "Your appointment on Thursday 26 November at 10:00 is booked."
DONE = Done(frozenset({Deed.BOOKED}), frozenset({date(2026, 11, 26)}), frozenset({time(10)}), SAY)


@pytest.fixture
def owed() -> OwedResults:
    results = OwedResults(English())
    results.ended("t1", DONE, TODAY)
    return results


def heard(item: str, heard_ms: int = 1000) -> BotHeard:
    return BotHeard(ItemHeard(item, heard_ms, 1000, 0, complete=heard_ms == 1000), barged_in=heard_ms < 1000)


@pytest.mark.parametrize("words", [SAY, "Great, that is booked for tomorrow at ten.", "You're all set, it's booked."])
def test_a_result_is_told_by_any_words_that_state_it_and_were_heard(owed: OwedResults, words: str) -> None:
    owed.note(BotSaid("i-1", words))
    still = owed.open
    owed.note(heard("i-1"))
    assert (still, owed.open, owed.tell()) == (True, False, "")


@pytest.mark.parametrize(
    "words", ["I am still here.", "Sorry, what was that?", "It is booked for Friday at nine.", "It has been cancelled."]
)
def test_a_result_is_not_told_by_words_that_state_something_else(owed: OwedResults, words: str) -> None:
    owed.note(BotSaid("i-1", words))
    owed.note(heard("i-1"))
    owed.note(CallerSaid("u-1", "It is booked."))
    assert owed.tell() == SAY


def test_a_result_is_not_told_by_a_sentence_cut_before_it(owed: OwedResults) -> None:
    owed.note(BotSaid("i-1", SAY))
    owed.note(heard("i-1", 300))
    assert owed.open


def test_a_transcript_that_comes_after_it_was_heard_counts_too(owed: OwedResults) -> None:
    owed.note(heard("i-1"))
    owed.note(BotSaid("i-1", SAY))
    assert not owed.open


def test_a_result_is_requested_at_most_twice(owed: OwedResults) -> None:
    assert [owed.tell(), owed.tell(), owed.tell()] == [SAY, SAY, ""]


def test_the_oldest_of_several_results_is_told_first(owed: OwedResults) -> None:
    other = Done(frozenset({Deed.CANCELLED}), frozenset(), frozenset(), "Your appointment is cancelled.")
    owed.ended("t2", other, TODAY)
    owed.note(BotSaid("i-1", SAY))
    owed.note(heard("i-1"))
    assert owed.tell() == other.say


def test_why_something_failed_is_told_in_those_words() -> None:
    owed = OwedResults(English())
    owed.failed("t1", "The oven is broken.", "The oven is broken. Anything else?", TODAY)
    owed.note(BotSaid("i-1", "Take the bus."))
    owed.note(heard("i-1"))
    assert owed.tell() == "The oven is broken. Anything else?"
    owed.note(BotSaid("i-2", "I am sorry: the oven is broken!"))
    owed.note(heard("i-2"))
    assert not owed.open


def test_what_is_left_is_the_same_after_the_journal(owed: OwedResults) -> None:
    owed.failed("t2", "The oven is broken.", "The oven is broken. Anything else?", TODAY)
    owed.tell()
    row = OwedRow(results=owed.left())
    after = OwedResults(English())
    after.restore(OwedRow.model_validate_json(row.model_dump_json()).results)
    assert after.left() == owed.left()
    after.note(BotSaid("i-1", "It is booked for Friday at nine."))
    after.note(heard("i-1"))
    assert [each.run for each in after.left()] == ["t1", "t2"]
    after.note(BotSaid("i-2", "That is booked for tomorrow at ten. And the oven is broken."))
    after.note(heard("i-2"))
    assert not after.open
