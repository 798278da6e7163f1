"""A yes counts when it came after the read-back was heard to its end; facts arrive in any order."""

from __future__ import annotations

from itertools import permutations

from actors.tasks.consent import ReadbackConsent
from protocols.ledger import ItemHeard

WHOLE = ItemHeard("i-1", heard_ms=2000, generated_ms=2000, began_ms=5000, complete=True)
CUT = ItemHeard("i-1", heard_ms=900, generated_ms=2000, began_ms=5000, complete=False)


def read_back(item: ItemHeard = WHOLE, *, completed: bool = True) -> ReadbackConsent:
    consent = ReadbackConsent()
    consent.asked("t1", "call-1")
    consent.spoken(["call-1"], ("i-1",), completed)
    consent.heard(item)
    return consent


def test_it_holds_for_a_caller_who_heard_it_out_whatever_order_the_facts_came_in() -> None:
    for order in permutations(range(3)):
        consent = ReadbackConsent()
        facts = (
            lambda it: it.asked("t1", "call-1"),
            lambda it: it.spoken(["call-1"], ("i-1",), True),
            lambda it: it.heard(WHOLE),
        )
        for each in order:
            assert not consent.holds("t1", 7000)
            facts[each](consent)
        assert consent.holds("t1", 7000)


def test_it_does_not_hold_for_who_began_to_speak_before_the_end() -> None:
    assert not read_back().holds("t1", 6999)


def test_it_does_not_hold_for_who_said_nothing_since_the_call_began() -> None:
    assert not read_back().holds("t1", None)


def test_it_does_not_hold_for_what_was_talked_over() -> None:
    assert not read_back(CUT).holds("t1", 9000)


def test_it_does_not_hold_for_a_response_that_was_broken_off() -> None:
    assert not read_back(completed=False).holds("t1", 9000)


def test_what_is_said_in_a_later_response_is_not_the_read_back() -> None:
    consent = read_back(CUT)
    consent.spoken(["call-1"], ("i-2",), True)
    consent.heard(ItemHeard("i-2", 1000, 1000, 9000, complete=True))
    assert not consent.holds("t1", 11000)


def test_said_again_it_holds_for_the_second_time() -> None:
    consent = read_back(CUT)
    consent.asked("t1", "call-2")
    consent.spoken(["call-2"], ("i-2",), True)
    consent.heard(ItemHeard("i-2", 1000, 1000, 9000, complete=True))
    assert consent.holds("t1", 10000)


def test_all_of_what_was_said_must_have_been_heard() -> None:
    consent = ReadbackConsent()
    consent.asked("t1", "call-1")
    consent.spoken(["call-1"], ("i-1", "i-2"), True)
    consent.heard(WHOLE)
    assert not consent.holds("t1", 9000)
    consent.heard(ItemHeard("i-2", 1000, 1000, 7000, complete=True))
    assert consent.holds("t1", 9000)


def test_each_run_has_its_own_and_one_that_asked_nothing_has_none() -> None:
    consent = read_back()
    consent.asked("t2", "call-2")
    assert not consent.holds("t2", 9000)
    assert not consent.holds("t3", 9000)
    assert consent.holds("t1", 9000)


def test_a_step_is_known_by_the_part_of_its_name_that_a_fresh_session_keeps() -> None:
    consent = ReadbackConsent()
    consent.asked("t1", "c" * 40)
    consent.spoken(["c" * 32], ("i-1",), True)
    consent.heard(WHOLE)
    assert consent.holds("t1", 7000)
