"""A run's way through its table: the arrows it takes, derived ones among them, and that it takes no other."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

import fsm
from fsm.effects import Failed, Ok, Refused, TaskContext
from fsm.errors import SlotError
from fsm.memory import Memory
from fsm.run import UNSEEN, TaskRun
from fsm.spec import Act, AgentSpec, Arrow, Confirm, End, Known, Slot
from fsm.states import UNOPENED, DerivedEvent
from fsm.testing import Conversation, Recorder, converse
from fsm.testing.conversation import NOON
from fsm.walk import NOT_UNDERSTOOD, Walk, no_reasoning
from protocols.activities import Config, PauseCallRecording, ResumeCallRecording, SendDtmf, SendMetaData, ShowImage
from protocols.errors import MisuseError
from tests.fsm.tables import LOCKER, PAIR_PICKED, WHOLE, context, pair, table


def found(**results: Any) -> Recorder:
    return Recorder({"locker.find": [Ok({"locker": number}) for number in (7, 8, 9)], **results})


def at_confirm(spec: AgentSpec = LOCKER, effects: Recorder | None = None) -> Conversation:
    talk = converse(spec, effects=effects or found()).opens(letter="x", pin=1)
    assert talk.says == "7 with 1?"
    return talk


def taken(talk: Conversation) -> list[tuple[str, str, str]]:
    return [(each.state, each.event, each.to) for each in talk.run.taken]


def test_opening_leads_to_the_start() -> None:
    assert taken(converse(LOCKER).opens()) == [(UNOPENED, "opened", "Letter")]


def test_giving_up_leads_to_its_end() -> None:
    assert taken(at_confirm().gives_up()) == [("Confirm", "cancelled", "Cancelled")]


def test_a_corrected_value_leads_through_the_state_that_collects_it() -> None:
    assert taken(at_confirm().gives(pin=2)) == [("Confirm", "corrected", "Pin"), ("Pin", "filled", "Confirm")]


def test_a_value_that_is_never_asked_for_has_the_same_state_begin_again() -> None:
    talk = at_confirm().gives(tip="the left one")
    assert taken(talk) == [("Confirm", "corrected", "Confirm")]
    assert talk.says == "7 with 1?"


def test_of_several_values_corrected_the_first_that_is_asked_for_leads_on() -> None:
    assert taken(at_confirm().gives(tip="left", pin=2, row=3))[0] == ("Confirm", "corrected", "Row")


def test_an_earlier_value_that_is_refused_now_leads_back() -> None:
    talk = converse(LOCKER, effects=found()).opens(letter="x").gives(letter="z")
    assert taken(talk) == [("Pin", "invalidated", "Letter")]


def test_a_look_up_whose_basis_was_corrected_is_repeated_before_it_is_read_back() -> None:
    talk = converse(LOCKER, effects=found()).opens(letter="x").gives(letter="y", pin=1)
    assert taken(talk) == [
        ("Pin", "filled", "Confirm"),
        ("Confirm", "outdated", "Find"),
        ("Find", "ok", "Pin"),
        ("Pin", "filled", "Confirm"),
    ]
    assert talk.says == "8 with 1?"


def test_a_found_value_that_does_not_fit_its_slot_is_a_failure() -> None:
    talk = converse(LOCKER, effects=Recorder({"locker.find": [Ok({"locker": "<b>7</b>"})]})).opens(letter="x")
    assert taken(talk)[-1] == ("Find", "failed", "Human")
    assert NOT_UNDERSTOOD in talk.says


@pytest.mark.parametrize("found", ["x" * 501, {"shelf": 7}, ["7"], True, None])
def test_a_found_text_that_nobody_would_listen_to_is_a_failure(found: Any) -> None:
    spec = replace(LOCKER, slots={**LOCKER.slots, "locker": Slot(str, stored=True)})
    talk = converse(spec, effects=Recorder({"locker.find": [Ok({"locker": found})]})).opens(letter="x")
    assert taken(talk)[-1] == ("Find", "failed", "Human")
    assert NOT_UNDERSTOOD in talk.says


def test_a_found_number_fills_a_text() -> None:
    spec = replace(LOCKER, slots={**LOCKER.slots, "locker": Slot(str, stored=True)})
    talk = converse(spec, effects=Recorder({"locker.find": [Ok({"locker": 4711})]})).opens(letter="x")
    assert ("Find", "ok", "Pin") in taken(talk)
    assert talk.slots["locker"] == "4711"


def test_a_value_of_what_was_done_that_does_not_fit_its_slot_leaves_it_unclear() -> None:
    acts = {**LOCKER.states, "Open": Act(effect="locker.open", fills=("ticket",))}
    spec = replace(LOCKER, states=acts, slots={**LOCKER.slots, "ticket": Slot(int, stored=True)})
    talk = at_confirm(spec, found(**{"locker.open": [Ok({"ticket": "none"})]})).says_yes()
    assert taken(talk)[-1] == ("Open", "unclear", "Human")
    assert NOT_UNDERSTOOD in talk.says


def test_a_looked_up_value_that_no_longer_holds_is_looked_up_again() -> None:
    def not_below(locker: int, known: Known) -> int:
        if known.slots.get("floor") == 2 and locker < 8:
            raise SlotError("That is one floor down.")
        return locker

    stored = {"shelf": Slot(int, stored=True), "locker": Slot(int, stored=True, check=not_below)}
    # The look-up goes by what stands before the first that it fills: the floor is no part of that.
    order = ("letter", "row", "shelf", "floor", "locker", "pin")
    slots = {**LOCKER.slots, **stored, "floor": Slot(int, optional=True)}
    spec = replace(
        LOCKER,
        slots={name: slots[name] for name in order},
        states={**LOCKER.states, "Find": Act(effect="locker.find", fills=("shelf", "locker"))},
    )
    world = Recorder({"locker.find": [Ok({"locker": number, "shelf": 1}) for number in (7, 8)]})
    talk = at_confirm(spec, world).gives(floor=2)
    assert taken(talk)[:2] == [("Confirm", "corrected", "Confirm"), ("Confirm", "unfilled", "Find")]
    assert talk.says == "That is one floor down. 8 with 1?"


def later(spec: AgentSpec, minutes: list[int]) -> TaskRun:
    """A run whose clock stands at the sum of `minutes` past noon."""

    def now() -> datetime:
        return NOON + timedelta(minutes=sum(minutes))

    return TaskRun(spec, TaskContext("c-1", "t1", "", now), found())


def test_an_expired_value_leads_back_to_its_state() -> None:
    minutes = [0]
    run = later(LOCKER, minutes)
    run.open('{"letter": "x"}')
    minutes.append(11)
    run.call("open_locker_provide", '{"pin": 1}')
    assert [tuple(each) for each in run.taken] == [("Pin", "expired", "Letter")]
    assert run.state == "Letter"


def test_a_yes_to_what_was_read_back_before_something_expired_is_no_yes() -> None:
    minutes = [0]
    run = later(LOCKER, minutes)
    run.open('{"letter": "x", "pin": 1}')
    minutes.append(8)
    run.call("open_locker_provide", '{"letter": "x", "pin": 1}')
    assert run.slots["locker"] == 7
    minutes.append(3)  # only what was found has outlived its retention: it is found again, and is another one
    answer = run.call("open_locker_confirm", '{"yes": true}')
    assert (answer.fault, run.state, run.slots["locker"]) == ("unheard", "Confirm", 8)
    assert json.loads(answer.output)["say"] == "8 with 1?"
    assert run.keyed("1") is not None
    assert run.outcome == "opened"


def test_a_yes_does_not_count_where_an_optional_value_that_was_read_back_has_expired() -> None:
    minutes = [0]
    run = later(LOCKER, minutes)
    run.open('{"tip": "Ada"}')
    minutes.append(7)
    run.call("open_locker_provide", '{"letter": "x", "pin": 1}')
    minutes.append(4)
    answer = run.call("open_locker_confirm", '{"yes": true}')
    assert (answer.fault, run.state, "tip" in run.slots) == ("unheard", "Confirm", False)
    assert run.keyed("1") is not None
    assert run.outcome == "opened"


def test_an_optional_value_that_expires_while_another_is_asked_for_is_not_missed() -> None:
    minutes = [0]
    run = later(LOCKER, minutes)
    run.open('{"tip": "Ada"}')
    minutes.append(7)
    run.call("open_locker_provide", '{"letter": "x"}')
    minutes.append(4)
    run.call("open_locker_provide", '{"pin": 1}')
    assert (run.state, "tip" in run.slots) == ("Confirm", False)
    assert "expired" not in [event for _, event, _ in run.taken]


def test_a_task_that_has_ended_is_restored_however_late() -> None:
    minutes = [0]
    run = later(LOCKER, minutes)
    run.open('{"letter": "x", "pin": 1}')
    run.keyed("1")
    minutes.append(11)
    assert run.call("open_locker_provide", '{"pin": 2}').fault == "task_ended"
    again = TaskRun.restore(LOCKER, context(), found(), run.snapshot())
    assert (again.outcome, again.slots["locker"]) == ("opened", 7)


def test_a_run_takes_no_arrow_that_is_not_in_its_table() -> None:
    memory = Memory(table(), context())
    walk = Walk(table(), context(), Recorder(), no_reasoning, memory)
    walk.go(DerivedEvent.OPENED)
    for event, about in (("yes", ""), ("corrected", "size"), ("invalidated", "size"), ("cancelled", "size")):
        with pytest.raises(MisuseError, match=rf"no arrow for \('What', '{event}'\) about '{about}'"):
            walk.go(event, about)
    assert memory.visited == ("What",)


def test_a_run_comes_to_another_state_in_one_place() -> None:
    places = []
    for path in sorted(Path(str(fsm.__file__)).parent.rglob("*.py")):
        for scope in ast.walk(ast.parse(path.read_text())):
            if isinstance(scope, ast.FunctionDef):
                named = [node.attr for node in ast.walk(scope) if isinstance(node, ast.Attribute)]
                places += [(path.name, scope.name)] * (named.count("enter") + named.count("_visited.append"))
    assert places == [("walk.py", "_follow")]


def test_a_no_puts_the_facts_of_its_arrow_into_the_context() -> None:
    items = at_confirm().says_no().run.snapshot().items
    assert ("fact", "denied", True) in [(item.category, item.name, item.value) for item in items]


def test_a_look_up_that_fails_again_is_not_repeated_for_ever() -> None:
    transitions = {**LOCKER.transitions, ("Find", "refused"): "Confirm", ("Find", "failed"): "Confirm"}
    del transitions["Row", "filled"], transitions["Row", "gave_up"]
    states = {name: state for name, state in LOCKER.states.items() if name != "Row"}
    slots = {name: slot for name, slot in LOCKER.slots.items() if name != "row"}
    spec = replace(
        LOCKER,
        transitions=transitions,
        states={**states, "Confirm": Confirm("{letter}?"), "Opened": End("opened")},
        slots=slots,
    )
    for result in (Refused("It is full."), Failed("I cannot see it.")):
        world = Recorder({"locker.find": [Ok({"locker": 7}), result]})
        talk = converse(spec, effects=world).opens(letter="x", pin=1).gives(letter="y")
        assert (talk.state, talk.says) == ("Confirm", f"{result.say} y?")
        assert talk.says_yes().outcome == "opened"


@pytest.mark.parametrize(("facts", "leads_to"), [({}, "Row"), ({"for_good": True}, "Human")])
def test_the_facts_of_a_refusal_tell_where_it_leads(facts: dict[str, Any], leads_to: str) -> None:
    arrows = (Arrow("Human", when=lambda known: known.facts.get("for_good") is True), Arrow("Row"))
    spec = replace(LOCKER, transitions={**LOCKER.transitions, ("Find", "refused"): arrows})
    talk = converse(spec, effects=Recorder({"locker.find": [Refused("None is free.", facts)]})).opens(letter="x")
    assert taken(talk)[-1] == ("Find", "refused", leads_to)


def test_the_order_of_two_lost_values_does_not_change_the_next_state() -> None:
    talk = converse(pair()).opens(first=1).gives(second=2).crashes().gives(first=0, second=0)
    assert taken(talk) == [("Confirm", "invalidated", "Second")]
    assert taken(talk.gives(second=5)) == [("Second", "filled", "Confirm"), ("Confirm", "unfilled", "First")]


def test_a_state_that_still_collects_is_not_left_for_one_that_comes_after_it() -> None:
    talk = converse(AgentSpec(**PAIR_PICKED)).opens(first=1, second=2)
    assert taken(talk.gives(first=0)) == [("Pick", "invalidated", "First")]
    assert talk.gives(second=0).says == "That is too few. Second?"
    assert (talk.state, taken(talk)) == ("First", [])
    assert talk.gives(second=4).says == "First?"
    assert talk.gives(first=3).chooses("sum").says == "3 and 4."


def test_an_effect_that_does_not_give_what_it_is_to_fill_is_a_fault_of_its_author() -> None:
    with pytest.raises(MisuseError, match="task 'open_locker': an effect was to fill locker"):
        converse(LOCKER, effects=Recorder({"locker.find": [Ok({"shelf": 1})]})).opens(letter="x")


def test_what_a_state_asks_to_be_configured_is_taken_back_when_it_is_left_if_it_says_so() -> None:
    slow: dict[str, JsonValue] = {"userNoInputTimeoutMS": 20_000}
    usual: dict[str, JsonValue] = {"userNoInputTimeoutMS": 8_000}
    asking = table(
        actions={
            "Details": (Config(params={"bargeIn": False}), Config(params=slow, leaving=usual)),
            "Confirm": (Config(params={"bargeIn": True}),),
        }
    )
    talk = converse(asking).opens(size="small", count=2)
    assert list(talk.run.status().actions) == ["t1:2:0", "t1:2:1"]
    talk.gives(note="soft")
    assert talk.run.status().actions == {}, "it is not left"
    talk.gives(crisp=True)
    assert talk.run.status().actions == {
        "t1:3:left 1": Config(params=usual),
        "t1:3:0": Config(params={"bargeIn": True}),
    }


def test_a_state_that_is_entered_has_its_actions_asked_for_with_the_values_of_then() -> None:
    asking = table(
        actions={
            "Details": (PauseCallRecording(),),
            "Confirm": (SendMetaData(value={"size": "{size}"}), SendDtmf(digits="{note}"), SendDtmf(digits="{count}")),
        }
    )
    talk = converse(asking).opens(size="small", count=2)
    assert talk.run.status().actions == {"t1:2:0": PauseCallRecording()}
    talk.gives(note="soft", crisp=True)
    # Words are no keys; the task goes on without them.
    sent = {"t1:3:0": SendMetaData(value={"size": "small"}), "t1:3:2": SendDtmf(digits="2")}
    assert talk.run.status().actions == sent
    assert [note.text for note in talk.run.snapshot().notes if "send_dtmf" in note.text] == [
        "send_dtmf: not with these values"
    ]
    restored = TaskRun.restore(asking, context(), Recorder(), talk.run.snapshot())
    assert restored.status().actions == {}


def test_what_a_step_has_asked_for_is_asked_for_though_it_then_gives_up() -> None:
    asking = table(actions={"Details": (PauseCallRecording(),), "Human": (ResumeCallRecording(),)})
    sold_out = Recorder({"pizza.bake": [Refused("Sold out."), Refused("Sold out.")]})
    talk = converse(asking, effects=sold_out).opens(**WHOLE).says_yes()
    talk.gives(note="soft", crisp=True).says_yes()
    assert talk.outcome == "transfer"
    assert list(talk.run.status().actions.values()) == [PauseCallRecording(), ResumeCallRecording()]


def test_the_images_of_a_step_are_those_that_its_effects_have_kept() -> None:
    showing = table(actions={"Baked": (ShowImage(kept="pizza", about="{count} pizzas, {note}"),)})
    talk = converse(showing, effects=Recorder({"pizza.bake": [Ok({"ticket": 7}, {"pizza": b"png"})]}))
    talk.opens(**WHOLE)
    assert talk.run.status().images == {}
    status = talk.says_yes().run.status()
    assert status.images == {"pizza": b"png"}
    assert list(status.actions.values()) == [ShowImage(kept="pizza", about="3 pizzas, no olives")]
    assert "png" not in status.snapshot.model_dump_json()


def test_an_image_that_was_not_seen_is_a_fact() -> None:
    asked: list[object] = []

    def note(known: Known) -> bool:
        asked.append(known.facts.get(UNSEEN))
        return False

    talk = converse(table(transitions={("Confirm", "yes"): (Arrow("Human", when=note), Arrow("Bake"))}))
    talk.opens(**WHOLE)
    talk.run.unseen("plan.png")
    restored = TaskRun.restore(table(), context(), Recorder(), talk.run.snapshot())
    assert restored.snapshot().notes[-1].text == "show_image: plan.png was not seen"
    talk.says_yes()
    assert asked == ["plan.png"]
