"""DTMF: keys are collected into an answer to a task's question, or passed to the model."""

from __future__ import annotations

import json

import pytest

from actors.call.dtmf import MOST_WAITING, SAME_ROW_MS, UnaskedKeys
from fsm.secret import DOTS
from tests.actors.calls import MS_100, PIZZA_SLOTS, Call, Oven, StuckOven, WaitingDispatcher
from tests.fsm.tables import TRIAGE


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes).greeted()


@pytest.mark.parametrize("call_id", ["call-1", "step-1"])
def test_keys_answer_the_question_and_are_passed_to_the_model(mailboxes: WaitingDispatcher, call_id: str) -> None:
    """Whatever the model calls its function calls: steps that nobody called have ids of their own."""
    call = Call(mailboxes, agents={"triage": TRIAGE}, effects={"triage.order": Oven()}).greeted()
    call.answered(call_id, "triage")
    call.bot_says("For how many hours?")
    for key in "2#":
        call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": key}])
    call.thinks("normal")
    mailboxes.until(lambda: any("Visit or post?" in json.dumps(frame) for frame in call.model.all("response.create")))
    typed = call.items("message")[-1]["content"][0]["text"]
    assert typed == "The caller pressed these keys: 2."
    assert call.describe().turns[-1].text == typed
    said = call.model.last("response.create")["response"]
    assert said["instructions"].endswith('Say to the caller, word for word: "Visit or post?"')


def test_a_single_key_is_an_answer_after_the_pause(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, agents={"triage": TRIAGE}).greeted()
    call.answered("call-1", "triage")
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "2"}])
    mailboxes.advance(2900)
    assert call.items("message") == []
    mailboxes.advance(100)
    assert len(call.items("message")) == 1


def test_keys_that_no_task_asked_for_are_passed_to_the_model(call: Call) -> None:
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "7"}])
    assert call.items("message")[-1]["content"][0]["text"] == "The caller pressed these keys: 7."
    assert call.model.types()[-1] == "response.create"


def pressed(call: Call, keys: str) -> None:
    """One by one, as fast as a thumb is."""
    for key in keys:
        call.mailboxes.advance(100)
        call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": key}])


def typed(call: Call) -> list[str]:
    return [item["content"][0]["text"] for item in call.items("message") if item["role"] == "user"]


def test_each_key_restarts_the_pause(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, agents={"triage": TRIAGE}).greeted()
    call.answered("call-1", "triage")
    pressed(call, "1")
    mailboxes.advance(2800)
    pressed(call, "2")
    mailboxes.advance(2900)
    assert typed(call) == []
    mailboxes.advance(100)
    assert typed(call) == ["The caller pressed these keys: 1 2."]


def test_an_answer_of_known_length_is_complete_with_its_last_key(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.answered("call-1", "book_appointment")
    pressed(call, "241")
    assert typed(call) == []
    pressed(call, "1")
    assert typed(call) == ["The caller pressed these keys: 2 4 1 1."]
    mailboxes.advance(3000)
    assert len(typed(call)) == 1, "no timer is left"


def test_a_slow_thumb_does_not_split_an_answer_of_known_length(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.answered("call-1", "book_appointment", name="Ada")
    call.bot_says("Which day would suit you?")
    for key in "241":
        pressed(call, key)
        mailboxes.advance(4800)
    pressed(call, "1")
    assert typed(call) == ["The caller pressed these keys: 2 4 1 1."]


def test_an_unfinished_answer_of_known_length_is_given_up_after_a_longer_pause(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.answered("call-1", "book_appointment", name="Ada")
    pressed(call, "24")
    mailboxes.advance(4900)
    assert typed(call) == []
    mailboxes.advance(100)
    assert typed(call) == ["The caller pressed these keys: 2 4."]


def test_the_keys_of_one_answer_are_not_part_of_the_next(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, agents={"triage": TRIAGE}).greeted()
    call.answered("call-1", "triage")
    call.bot_says("For how many hours?")
    pressed(call, "*#")
    mailboxes.until(lambda: any("did not get that" in json.dumps(each) for each in call.model.frames))
    pressed(call, "2#")
    assert typed(call) == ["The caller pressed these keys: *.", "The caller pressed these keys: 2."]


def in_one_event(call: Call, keys: str) -> None:
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": keys}])


def state(call: Call) -> str:
    (task,) = call.describe().tasks
    return task.states[-1]


def test_the_keys_of_one_event_go_into_consecutive_slots(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.answered("call-1", "book_appointment", name="Ada")
    in_one_event(call, "2411#1030#")
    mailboxes.until(lambda: state(call) == "Confirm")
    assert typed(call) == ["The caller pressed these keys: 2 4 1 1.", "The caller pressed these keys: 1 0 3 0."]


def test_a_hash_without_keys_before_it_is_no_answer(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.answered("call-1", "book_appointment", name="Ada")
    in_one_event(call, "##2411" + "#" * 40)
    in_one_event(call, "10#30")
    mailboxes.until(lambda: len(typed(call)) == 2)
    keys = ("2 4 1 1", "1 0")
    assert typed(call) == [f"The caller pressed these keys: {each}." for each in keys]


def test_a_yes_pressed_before_the_read_back_does_not_count(mailboxes: WaitingDispatcher) -> None:
    oven = Oven()
    call = Call(mailboxes, effects={"appointments.book": oven}).greeted()
    call.answered("call-1", "book_appointment", name="Ada")
    in_one_event(call, "241110301")
    mailboxes.until(lambda: len(typed(call)) == 3)
    assert (state(call), oven.requests) == ("Confirm", [])


def test_keys_that_wait_for_the_end_of_a_step_are_limited(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    for key in "123":
        in_one_event(call, key * (MOST_WAITING - 1))
    stuck.freed.set()
    mailboxes.until(lambda: typed(call))
    assert typed(call) == [f"The caller pressed these keys: {' '.join('1' * (MOST_WAITING - 1))} 2."]


def test_of_a_long_row_of_keys_that_nobody_has_asked_for_the_beginning_is_stored(call: Call) -> None:
    mailboxes = call.mailboxes
    for key in "4111111111111111":
        in_one_event(call, key)
        mailboxes.advance(200)
    told = " ".join(text.removeprefix("The caller pressed these keys: ").rstrip(".") for text in typed(call))
    assert told == " ".join("4111111111111111")  # to the model
    stored = [each.text for each in call.describe().turns if "pressed" in each.text]
    said = " ".join(text.removeprefix("The caller pressed these keys: ").rstrip(".") for text in stored)
    assert said == " ".join([*"41111111", *[DOTS] * 8])


def test_a_row_of_keys_ends_with_a_pause() -> None:
    unasked = UnaskedKeys()
    assert unasked.stored("123456", 0) == "1 2 3 4 5 6"
    assert unasked.stored("789", SAME_ROW_MS) == f"7 8 {DOTS}"
    assert unasked.stored("0", 2 * SAME_ROW_MS) == DOTS
    assert unasked.stored("12", 3 * SAME_ROW_MS + 1) == "1 2"


def test_keys_that_waited_for_the_end_of_a_step_were_typed_when_the_last_was(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    began_ms = mailboxes.now_ms()
    pressed(call, "12")
    mailboxes.advance(100)
    stuck.freed.set()
    mailboxes.until(lambda: typed(call))
    (turn,) = (each for each in call.describe().turns if each.text == "The caller pressed these keys: 1 2.")
    assert turn.began_ms == began_ms + 200


def test_keys_whose_question_has_gone_before_their_pause_ends_are_the_models_to_answer(
    mailboxes: WaitingDispatcher,
) -> None:
    call = Call(mailboxes, agents={"triage": TRIAGE}).greeted()
    call.answered("call-1", "triage")
    call.bot_says("For how many hours?")
    pressed(call, "2")
    call.answered("call-2", "triage_cancel")
    call.bot_says("All right.", ms=100)
    call.model.frames.clear()
    mailboxes.advance(3000)
    assert typed(call) == ["The caller pressed these keys: 2."]
    assert call.model.types()[-1] == "response.create"


@pytest.mark.parametrize(("after_ms", "taken"), [(0, "7 8"), (20, "7 8"), (100, "7 7 8")])
def test_a_key_reported_twice_within_milliseconds_is_one_press(
    mailboxes: WaitingDispatcher, after_ms: float, taken: str
) -> None:
    call = Call(mailboxes, agents={"triage": TRIAGE}).greeted()
    call.answered("call-1", "triage")
    in_one_event(call, "7")
    mailboxes.advance(after_ms)
    in_one_event(call, "7")
    mailboxes.advance(20)
    in_one_event(call, "8")
    mailboxes.advance(3000)
    assert typed(call) == [f"The caller pressed these keys: {taken}."]


def test_the_last_of_several_keys_is_the_one_that_may_bounce(call: Call) -> None:
    for keys in ("12", "2", "1"):
        call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": keys}])
    assert typed(call) == ["The caller pressed these keys: 1 2.", "The caller pressed these keys: 1."]


def test_a_key_stops_the_bot_and_what_still_comes_of_its_response(call: Call) -> None:
    said = {"response_id": "r-long", "item_id": "i-long", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-long", "status": "in_progress"})
    for _ in range(10):
        call.event("response.output_audio.delta", **said, delta=MS_100)
    call.mailboxes.advance(300)
    assert call.wire.types()[-1] == "playStream.chunk"
    in_one_event(call, "#")
    assert "playStream.stop" not in call.wire.types(), "it only ends an answer"
    in_one_event(call, "7")
    assert call.wire.types()[-1] == "playStream.stop"
    assert call.model.last("response.cancel")["response_id"] == "r-long"
    assert call.model.last("conversation.item.truncate")["audio_end_ms"] <= 300
    for _ in range(10):
        call.event("response.output_audio.delta", **said, delta=MS_100)
    call.mailboxes.advance(300)
    assert call.wire.types() == []
    (turn,) = [turn for turn in call.describe().turns if turn.item_id == "i-long"]
    assert turn.heard_ms <= 300
