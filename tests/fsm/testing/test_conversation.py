"""Scripted conversations: effects once for a key, results in turn, and crashes before or after a step was saved."""

from __future__ import annotations

from fsm.effects import EffectRequest, Failed, Ok, Refused
from fsm.testing import Recorder, converse
from tests.fsm.tables import WHOLE, context, table


def request(key: str) -> EffectRequest:
    return EffectRequest(key, {}, context())


def test_a_recorder_carries_out_each_key_once_and_gives_results_in_turn() -> None:
    world = Recorder({"bake": [Refused("No."), Failed("Broken.")]})
    results = [world.carry_out("bake", request(key)) for key in ("k1", "k1", "k2", "k3")]
    assert results == [Refused("No."), Refused("No."), Failed("Broken."), Ok()]
    assert world.carry_out("eat", request("k4")) == Ok()
    assert [(name, each.key) for name, each in world.requests] == [
        ("bake", "k1"),
        ("bake", "k2"),
        ("bake", "k3"),
        ("eat", "k4"),
    ]


def test_only_what_was_done_and_may_be_is_taken_back() -> None:
    world = Recorder({"bake": [Ok(), Refused("No.")]}, undone=frozenset({"bake"}))
    for key in ("k1", "k2"):
        world.carry_out("bake", request(key))
    assert [world.hung_up("bake", request(key)) for key in ("k1", "k2", "k3")] == [True, False, False]
    assert not world.hung_up("eat", request("k1"))


def test_a_crash_goes_on_after_the_last_step_or_before_it() -> None:
    talk = converse(table()).opens(size="small")
    assert talk.gives(count=3).crashes().state == "Details"
    talk = converse(table()).opens(size="small")
    assert talk.gives(count=3).crashes(before_it_was_saved=True).state == "What"
    assert talk.gives(count=3).state == "Details"


def test_a_crash_in_the_opening_call_leaves_a_run_that_is_not_open() -> None:
    talk = converse(table()).opens(**WHOLE).crashes(before_it_was_saved=True)
    assert talk.states == ()
    assert talk.opens().says == "Small or large?"


def test_talking_over_holds_for_one_answer() -> None:
    talk = converse(table()).opens(**WHOLE).talks_over().says_yes()
    assert (talk.fault, talk.outcome) == ("unheard", None)
    assert talk.says_yes().outcome == "baked"
