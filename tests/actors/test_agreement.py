"""A yes counts when it came after the read-back was heard to its end; facts arrive in any order."""

from __future__ import annotations

from itertools import permutations

from actors.agreement import Agreement
from protocols.ledger import ItemHeard

WHOLE = ItemHeard("i-1", heard_ms=2000, generated_ms=2000, began_ms=5000, complete=True)
CUT = ItemHeard("i-1", heard_ms=900, generated_ms=2000, began_ms=5000, complete=False)


def read_back(item: ItemHeard = WHOLE, *, completed: bool = True) -> Agreement:
    agreement = Agreement()
    agreement.asked("t1", "call-1")
    agreement.spoken(["call-1"], ("i-1",), completed)
    agreement.heard(item)
    return agreement


def test_it_holds_for_a_caller_who_heard_it_out_whatever_order_the_facts_came_in() -> None:
    for order in permutations(range(3)):
        agreement = Agreement()
        facts = (
            lambda it: it.asked("t1", "call-1"),
            lambda it: it.spoken(["call-1"], ("i-1",), True),
            lambda it: it.heard(WHOLE),
        )
        for each in order:
            assert not agreement.holds("t1", 7000)
            facts[each](agreement)
        assert agreement.holds("t1", 7000)


def test_it_does_not_hold_for_who_began_to_speak_before_the_end() -> None:
    assert not read_back().holds("t1", 6999)


def test_it_does_not_hold_for_who_said_nothing_since_the_call_began() -> None:
    assert not read_back().holds("t1", None)


def test_it_does_not_hold_for_what_was_talked_over() -> None:
    assert not read_back(CUT).holds("t1", 9000)


def test_it_does_not_hold_for_a_response_that_was_broken_off() -> None:
    assert not read_back(completed=False).holds("t1", 9000)


def test_what_is_said_in_a_later_response_is_not_the_read_back() -> None:
    agreement = read_back(CUT)
    agreement.spoken(["call-1"], ("i-2",), True)
    agreement.heard(ItemHeard("i-2", 1000, 1000, 9000, complete=True))
    assert not agreement.holds("t1", 11000)


def test_said_again_it_holds_for_the_second_time() -> None:
    agreement = read_back(CUT)
    agreement.asked("t1", "call-2")
    agreement.spoken(["call-2"], ("i-2",), True)
    agreement.heard(ItemHeard("i-2", 1000, 1000, 9000, complete=True))
    assert agreement.holds("t1", 10000)


def test_all_of_what_was_said_must_have_been_heard() -> None:
    agreement = Agreement()
    agreement.asked("t1", "call-1")
    agreement.spoken(["call-1"], ("i-1", "i-2"), True)
    agreement.heard(WHOLE)
    assert not agreement.holds("t1", 9000)
    agreement.heard(ItemHeard("i-2", 1000, 1000, 7000, complete=True))
    assert agreement.holds("t1", 9000)


def test_each_run_has_its_own_and_one_that_asked_nothing_has_none() -> None:
    agreement = read_back()
    agreement.asked("t2", "call-2")
    assert not agreement.holds("t2", 9000)
    assert not agreement.holds("t3", 9000)
    assert agreement.holds("t1", 9000)


def test_a_step_is_known_by_the_part_of_its_name_that_a_fresh_session_keeps() -> None:
    agreement = Agreement()
    agreement.asked("t1", "c" * 40)
    agreement.spoken(["c" * 32], ("i-1",), True)
    agreement.heard(WHOLE)
    assert agreement.holds("t1", 7000)
