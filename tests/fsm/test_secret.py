"""Sensitive slots: keyed in, known to the effect alone, dots everywhere else, and asked again after a crash."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from fsm.answer import Snapshot
from fsm.checks import luhn, passes_luhn
from fsm.effects import EffectRequest, Ok, Refused, Remote, Unclear
from fsm.run import TaskRun
from fsm.secret import DOTS, Secret, SecretLost, without_secrets
from fsm.soundness import UnsoundTable
from fsm.spec import AgentSpec, Collect, Confirm, End, Keypad, Slot
from fsm.states import Choice, Choose, Reason
from fsm.task_export import as_file, parts_of
from fsm.task_file import Parts, TaskFileError, compile_task
from fsm.testing import Recorder, converse
from fsm.walk import ReasoningRequest
from protocols.activities import SendMetaData
from tests.fsm.tables import context

CARD = "4111111111111111"
PAY = """
[task]
name = "pay"
description = "The caller wants to pay by card."
[slot.amount]
type = "amount"
ask = "How much?"
[slot.card]
type = "digits"
sensitive = true
check = "luhn"
ask = "Please key in the number of your card, and then the hash key."
[slot.code]
type = "digits"
sensitive = true
length = 3
ask = "And the three digits on its back."
[flow]
collect = ["amount", "card", "code"]
confirm = "{amount} by the card that ends in {card:last4}. Shall I charge it?"
done = { say = "Thank you." }
[effect]
tool = "card.charge"
"""
ENDS = """
[state.Done]
end = "done"
say = "Thanks."
[state.Human]
end = "transfer"
say = "A colleague."
[state.Gone]
end = "cancelled"
say = "Bye."
"""
CHARGE = Remote(lambda request: Ok())
PARTS = Parts(effects={"card.charge": CHARGE}, checks={"luhn": luhn})


def pay(text: str = PAY) -> AgentSpec:
    return compile_task(tomllib.loads(text), PARTS)


def faults(text: str) -> list[str]:
    with pytest.raises(TaskFileError) as caught:
        pay(text)
    return [str(each) for each in caught.value.faults]


# --- the value ---


def test_a_secret_is_dots_in_whatever_writes_it() -> None:
    secret = Secret(CARD)
    kept = TypeAdapter(Secret).dump_python(secret, mode="json")
    written = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", json.dumps(kept), repr({"card": secret})]
    assert not [each for each in written if "1111" in each]
    assert secret.reveal() == CARD
    assert f"{secret:last4}" == "1 1 1 1"


@pytest.mark.parametrize("kept", [TypeAdapter(Secret).validate_python(DOTS), copy.deepcopy(Secret(CARD))])
def test_what_is_kept_of_a_secret_cannot_be_revealed(kept: Secret) -> None:
    with pytest.raises(SecretLost):
        kept.reveal()


@pytest.mark.parametrize(
    ("digits", "passes"),
    [(CARD, True), ("4111111111111112", False), ("378282246310005", True), ("5555555555554444", True), ("0", True)],
)
def test_the_check_digit_is_that_of_iso_7812(digits: str, passes: bool) -> None:
    assert passes_luhn(digits) is passes


def test_a_result_that_repeats_a_secret_has_dots_in_its_place() -> None:
    request = EffectRequest("k", {"card": Secret(CARD), "pin": Secret("4711"), "gone": Secret(DOTS)}, context())
    done = without_secrets(Ok({"echo": [f"of {CARD}"], "pin": 4711, "n": 2}), request)
    assert done == Ok({"echo": [f"of {DOTS}"], "pin": DOTS, "n": 2})
    assert without_secrets(Refused(f"Not {CARD}.", {"card": CARD}), request) == Refused(f"Not {DOTS}.", {"card": DOTS})
    assert without_secrets(Unclear(f"{CARD}?"), request) == Unclear(f"{DOTS}?")
    grouped = without_secrets(Ok({"4111 1111-1111.1111": "4111-1111-1111-1111", "at": "4711:30"}), request)
    assert grouped == Ok({DOTS: DOTS, "at": f"{DOTS}:30"})


def test_of_a_secret_that_another_one_begins_like_nothing_is_left() -> None:
    request = EffectRequest("k", {"pin": Secret(CARD[:4]), "card": Secret(CARD)}, context())
    done = without_secrets(Ok({"echo": f"{CARD}, {CARD[:4]}"}), request)
    assert done == Ok({"echo": f"{DOTS}, {DOTS}"})


# --- in a task ---


def test_the_tool_alone_gets_what_was_keyed_in() -> None:
    effects = Recorder()
    call = converse(pay(), effects=effects).opens(amount=30.0)
    assert call.run.status().sensitive
    assert call.run.status().keys == 0
    assert call.says == "Please key in the number of your card, and then the hash key."
    call.keys(CARD)
    assert call.run.status().sensitive
    assert call.run.status().keys == 3
    call.keys("123")
    assert not call.run.status().sensitive
    assert call.says == "30.00 by the card that ends in 1 1 1 1. Shall I charge it?"
    told = [*map(json.dumps, call.answers), call.run.snapshot().model_dump_json(), repr(call.run.status())]
    call.says_yes()
    told += [*map(json.dumps, call.answers), call.run.snapshot().model_dump_json(), repr(call.run.status())]
    assert not [each for each in told if CARD in each or "123" in each]
    [(_, request)] = effects.requests
    assert (request.slots["card"].reveal(), request.slots["code"].reveal()) == (CARD, "123")
    assert CARD not in repr(request)


def test_the_model_can_neither_give_nor_see_it_but_say_that_it_is_keyed_in_anew() -> None:
    spec = pay()
    assert set(spec.opening_tool().parameters["properties"]) == {"amount"}  # type: ignore[call-overload]
    provide = spec.tools_in("Collect")[0].parameters["properties"]
    assert provide["card"]["type"] == "boolean"  # type: ignore[index]
    call = converse(spec).opens(amount=30.0, card=CARD)
    assert call.fault == "unknown_property"
    assert call.slots == {"amount": 30.0}
    call.gives(card=CARD)
    assert call.slots == {"amount": 30.0}
    call.keys(CARD).keys("123").gives(card=True)
    assert call.state == "Collect"
    assert call.run.status().sensitive
    assert call.slots == {"amount": 30.0, "code": DOTS}
    call.keys("5555555555554444")
    assert call.says == "30.00 by the card that ends in 4 4 4 4. Shall I charge it?"


def test_after_a_no_the_caller_says_what_to_change_and_may_key_the_number_in_again() -> None:
    call = converse(pay()).opens(amount=30.0).keys(CARD).keys("123").says_no()
    assert call.says == "What should I change?"
    assert not call.run.status().sensitive
    assert call.gives(card=True).run.status().sensitive
    assert call.keys("5555555555554444").state == "Confirm"


@pytest.mark.parametrize("keys", ["4111111111111112", "1", "", "41*1", CARD * 2])
def test_what_is_no_number_of_a_card_is_asked_again_without_repeating_it(keys: str) -> None:
    call = converse(pay()).opens(amount=30.0).keys(keys)
    assert call.run.status().sensitive
    assert "1" not in call.says.replace("That is not", "")


def test_the_star_key_gives_up_and_many_failures_lead_to_a_human() -> None:
    assert converse(pay()).opens(amount=30.0).keys("*").outcome == "cancelled"
    call = converse(pay()).opens(amount=30.0).keys("1").keys("2").keys("3")
    assert call.outcome == "transfer"
    assert not call.run.status().sensitive


def test_a_crash_inside_asks_again_and_nothing_of_it_was_kept() -> None:
    call = converse(pay()).opens(amount=30.0).keys(CARD).crashes()
    assert call.run.status().sensitive, "closed from the first moment"
    assert call.is_silent().says == "Are you still there? Please key in the digits, and then the hash key."
    assert call.keys(CARD).keys("123").state == "Confirm"


def test_a_crash_at_the_read_back_asks_for_what_was_lost_instead_of_taking_the_yes() -> None:
    effects = Recorder()
    call = converse(pay(), effects=effects).opens(amount=30.0).keys(CARD).keys("123").crashes()
    assert call.state == "Confirm"
    call.says_yes()
    assert (call.state, effects.requests) == ("Collect", [])
    assert call.run.status().sensitive
    call.keys(CARD).keys("123").says_yes()
    assert call.outcome == "done"
    assert len(effects.requests) == 1


def test_a_crash_in_the_effect_does_not_ask_again_for_what_may_have_been_charged() -> None:
    effects = Recorder()
    call = converse(pay(), effects=effects).opens(amount=30.0).keys(CARD).keys("123").says_yes()
    call.crashes(before_it_was_saved=True).says_yes()
    assert call.outcome == "done"
    assert len(effects.requests) == 1, "the effect's log knew"


def test_a_crash_after_the_effect_does_not_ask_again_for_what_is_needed_no_more() -> None:
    text = (
        PAY.split("[flow]", maxsplit=1)[0]
        + """
[state.Collect]
collect = ["amount", "card", "code"]
on = { filled = "Confirm", gave_up = "Human" }
[state.Confirm]
confirm = "{amount} by {card:last4}?"
on = { yes = "Charge", no = "Collect", gave_up = "Human" }
[state.Charge]
act = "card.charge"
on = { ok = "Receipt", refused = "Collect", failed = "Human" }
[state.Receipt]
ask = "Shall I send you a receipt?"
[state.Receipt.choose.mail]
means = "by mail"
[state.Receipt.choose.none]
means = "none"
[state.Receipt.on]
mail = "Done"
none = "Done"
gave_up = "Human"
"""
        + ENDS
    )
    effects = Recorder()
    call = converse(pay(text), effects=effects).opens(amount=30.0).keys(CARD).keys("123").says_yes()
    assert call.state == "Receipt"
    assert call.crashes().chooses("mail").outcome == "done"
    assert len(effects.requests) == 1


def test_the_model_is_not_asked_about_a_secret_beside_the_conversation() -> None:
    asked: list[ReasoningRequest] = []

    def reason(request: ReasoningRequest) -> str:
        asked.append(request)
        return "charge"

    spec = AgentSpec(
        name="pay",
        description="Pay.",
        start="Ask",
        slots={"card": Slot(Secret, ask="Key in your card.", keypad=Keypad("Card.", lambda keys, known: Secret(keys)))},
        states={
            "Ask": Collect(("card",)),
            "Which": Choose({"charge": Choice("charge"), "not": Choice("not")}, reason=Reason("?"), default="not"),
            "Done": End("done", "Thanks."),
            "Gone": End("cancelled", "Bye."),
        },
        transitions={
            ("Ask", "filled"): "Which",
            ("Ask", "gave_up"): "Gone",
            ("Which", "charge"): "Done",
            ("Which", "not"): "Gone",
        },
    )
    assert converse(spec, reasoning=reason).opens().keys(CARD).outcome == "done"
    assert [dict(each.known.slots) for each in asked] == [{}]
    assert CARD not in repr(asked)


def test_a_look_up_with_a_secret_is_made_again_when_it_was_keyed_in_anew() -> None:
    look = Remote(lambda request: Ok({"limit": 5}), reads_only=True)
    text = (
        PAY.replace("[flow]", '[slot.limit]\ntype = "number"\nstored = true\n[flow]').split("[flow]")[0]
        + """
[state.Collect]
collect = ["amount", "card", "code"]
on = { filled = "Look", gave_up = "Human" }
[state.Look]
act = "card.limit"
fills = ["limit"]
on = { ok = "Confirm", refused = "Gone", failed = "Gone" }
[state.Confirm]
confirm = "{amount} of {limit} by {card:last4}?"
on = { yes = "Done", no = "Collect", gave_up = "Human" }
"""
        + ENDS
    )
    effects = Recorder({"card.limit": [Ok({"limit": 5})] * 2})
    spec = compile_task(tomllib.loads(text), replace(PARTS, effects={"card.limit": look}))
    call = converse(spec, effects=effects).opens(amount=30.0).keys(CARD).keys("123")
    call.gives(card=True).keys("5555555555554444")
    assert [request.slots["card"].reveal() for _, request in effects.requests] == [CARD, "5555555555554444"]


def test_the_guides_task_holds_what_the_guide_says() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "sensitive.md").read_text()
    call = converse(pay(re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)[0])).opens(amount=30.0).keys(CARD)
    assert call.keys("123").says == "30.00 euros by the card that ends in 1 1 1 1. Shall I charge it?"


# --- what is refused when it is loaded ---


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{card:last4}", "{card}", "{card} is sensitive, and is never said"),
        ("{card:last4}", "{card:spelled}", "{card} is sensitive, and is never said"),
        ("{card:last4}", "{code:last4}", "only of 12 digits or more"),
        ('say = "Thank you."', 'say = "Thank you, {card}."', "{card} is sensitive"),
        ('type = "digits"\nsensitive = true\ncheck', 'type = "text"\nsensitive = true\ncheck', "use digits"),
        ("length = 3", "length = 3\noptional = true", "it must be asked for"),
        (
            'say = "Thank you."',
            'say = "Thank you.", actions = [{ do = "send_meta_data", value = { card = "{card}" } }]',
            "sends 'card', which is sensitive",
        ),
    ],
)
def test_a_secret_cannot_be_said_sent_or_left_to_the_model(old: str, new: str, told: str) -> None:
    assert any(told in each for each in faults(PAY.replace(old, new, 1)))


@pytest.mark.parametrize("template", ["{card}", "{card!r}", "{card._text}", "{card:spelled}"])
def test_a_task_in_python_is_held_to_the_same(template: str) -> None:
    good: Any = {"ask": "Card.", "keypad": Keypad("Card.", lambda keys, known: Secret(keys))}
    parts: dict[str, Any] = {
        "name": "pay",
        "description": "Pay.",
        "start": "Ask",
        "states": {
            "Ask": Collect(("card",)), "C": Confirm(template), "D": End("done", "."), "G": End("cancelled", "."),
        },
        "transitions": {
            ("Ask", "filled"): "C", ("Ask", "gave_up"): "G", ("C", "yes"): "D", ("C", "no"): "Ask",
            ("C", "gave_up"): "G",
        },
    }  # fmt: skip
    with pytest.raises(UnsoundTable, match="sensitive"):
        AgentSpec(slots={"card": Slot(Secret, **good)}, **parts)
    with pytest.raises(UnsoundTable, match="have a keypad"):
        AgentSpec(slots={"card": Slot(Secret, ask="Card.")}, **parts)
    with pytest.raises(UnsoundTable, match="sensitive"):
        AgentSpec(
            slots={"card": Slot(Secret, **good)},
            actions={"D": (SendMetaData(value={"c": "{card}"}),)},
            **{**parts, "states": {**parts["states"], "C": Confirm("Yes?")}},
        )


def test_a_snapshot_is_read_by_any_process_and_has_no_digit_of_it() -> None:
    call = converse(pay()).opens(amount=30.0).keys(CARD)
    kept = call.run.snapshot().model_dump_json()
    assert CARD not in kept
    assert DOTS in kept
    again = TaskRun.restore(pay(), context(), Recorder(), Snapshot.model_validate_json(kept))
    assert again.status().sensitive


def test_a_task_that_is_written_down_is_read_again_as_it_was() -> None:
    spec = pay()
    again = compile_task(as_file(spec), parts_of([spec]))
    assert again.slots["card"].sensitive
    assert as_file(again) == as_file(spec)
