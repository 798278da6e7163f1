"""How tasks talk in a call: what was heard, keys, silence, patience, one task inside another, a caller who leaves."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.clips import Clip
from actors.messages.call import EndCall, ResponseEnded, TurnOverrun
from actors.messages.journal import DraftRecord
from actors.policies import SETTLE_LIMIT_S, STEP_LIMIT_S
from actors.tasks.effect_runner import EffectRunner
from actors.tasks.router import ANYTHING_ELSE
from appointments import bookings
from fsm.agents.hand_over import HAND_OVER
from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok, Unclear
from fsm.spec import Slot
from store.leases import Leases
from tests.actors.bots import OneWith
from tests.actors.calls import (
    BEGAN,
    PIZZA_SLOTS,
    Call,
    Kitchen,
    Oven,
    StuckOven,
    WaitingDispatcher,
    clips,
    with_a_hanging_task,
)
from tests.fsm.tables import TRIAGE, Size, table


@pytest.fixture
def oven() -> Oven:
    return Oven()


@pytest.fixture
def call(mailboxes: WaitingDispatcher, oven: Oven) -> Call:
    return Call(mailboxes, effects={"pizza.bake": oven}).greeted()


def confirms(call: Call, call_id: str) -> dict[str, Any]:
    """The model says that the caller has agreed, whatever the caller has heard."""
    call.model_calls((call_id, "order_pizza_confirm", {"yes": True}))
    call.mailboxes.until(lambda: call_id in call.outputs())
    return call.outputs()[call_id]


# --- heard means agreed ---


def test_a_yes_before_the_read_back_was_spoken_does_not_count(call: Call, oven: Oven) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.caller_says("Yes.")
    output = confirms(call, "call-2")
    assert (output["error"], output["state"], oven.requests) == ("unheard", "Confirm", [])
    assert output["say"] == "2 small, none. Right?"


def test_a_yes_that_talks_over_the_read_back_has_it_said_again_and_then_counts(call: Call, oven: Oven) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out(until_ms=400)
    assert confirms(call, "call-2")["error"] == "unheard"
    assert oven.requests == []
    call.hears_out()
    assert confirms(call, "call-3")["result"] == "baked"
    assert len(oven.requests) == 1


def test_a_model_that_confirms_without_a_word_of_the_caller_is_not_believed(call: Call, oven: Oven) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    for item in call.items("function_call_output"):
        call.event("conversation.item.added", item={"id": "o-1", **item})
    call.bot_says("Right?", ms=1000)
    call.mailboxes.advance(1000)
    assert confirms(call, "call-2")["error"] == "unheard"
    assert oven.requests == []


# --- keys and silence ---


def asked(call: Call) -> None:
    """The task's question was heard to its end."""
    call.answered("call-1", "order_pizza")
    call.bot_says("Small or large?", ms=500)
    call.mailboxes.advance(500)
    call.model.frames.clear()


def spoken(call: Call) -> list[str]:
    return [frame["response"]["instructions"].splitlines()[-1] for frame in call.model.all("response.create")]


def test_a_caller_who_is_silent_in_a_task_is_asked_three_times_and_told_goodbye(call: Call) -> None:
    asked(call)
    for number in range(3):
        call.mailboxes.advance(7900)
        assert len(spoken(call)) == number
        call.mailboxes.advance(100)
        call.mailboxes.until(lambda number=number: len(spoken(call)) > number)  # type: ignore[misc]
        call.bot_says("Are you still there?", ms=500)
        call.mailboxes.advance(500)
    assert spoken(call)[0].endswith('"Are you still there? Small or large?"')
    call.mailboxes.advance(8000)
    call.mailboxes.advance(900)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]
    assert [task.result for task in call.describe().tasks] == ["open"]


@pytest.mark.parametrize(("status", "again"), [("incomplete", "No pizza then."), ("completed", "Are you still there?")])
def test_what_a_task_says_at_its_end_is_said_again_if_the_model_broke_off(call: Call, status: str, again: str) -> None:
    asked(call)
    said = call.answered("call-2", "order_pizza_cancel")["say"]
    call.bot_says(said, ms=500, status=status)
    call.mailboxes.advance(500 + 8000)
    assert (said, word_for_word(call)) == ("No pizza then.", [again])


def test_a_caller_who_speaks_is_not_silent(call: Call) -> None:
    asked(call)
    call.mailboxes.advance(7000)
    call.caller_begins()
    call.mailboxes.advance(20_000)
    assert spoken(call) == []


def test_silence_without_an_open_task_gets_no_task_question(call: Call) -> None:
    call.bot_says("What can I do for you?", ms=500)
    call.mailboxes.advance(30_000)
    assert spoken(call) == []


def test_a_slow_step_is_bridged_by_a_filler(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.model.frames.clear()
    call.wire.frames.clear()
    mailboxes.advance(1500)
    assert spoken(call) == []
    assert call.wire.types()[:2] == ["playStream.start", "playStream.chunk"], "one moment, please"
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.outputs()["call-2"]["result"] == "baked"


def test_a_yes_by_key_whose_effect_hangs_is_in_doubt_and_not_denied(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.bot_says("Hm?", ms=100)
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "1"}])
    assert stuck.entered.wait(5)
    call.model.frames.clear()
    mailboxes.advance(10_000)
    assert any("cannot tell whether that went through" in each for each in spoken(call))


# --- several tasks ---


def test_a_task_inside_another_goes_back_to_it(call: Call) -> None:
    call.answered("call-1", "order_pizza", size="small")
    call.answered("call-2", "book_appointment", day="2026-11-24")
    instructions = call.model.last("session.update")["session"]["instructions"]
    assert "come back to the one before" in instructions
    output = call.answered("call-3", "book_appointment_cancel")
    assert (output["result"], output["next"]) == ("cancelled", "How many?")
    assert not output["say"].endswith("?"), "two questions at once"


def test_two_openings_in_one_response_are_two_tasks_that_do_not_see_each_other(call: Call) -> None:
    call.model_calls(("call-1", "order_pizza", {"size": "small"}), ("call-2", "order_pizza", {"size": "large"}))
    call.mailboxes.until(lambda: len(call.outputs()) == 2)
    assert [call.outputs()[each]["slots"] for each in ("call-1", "call-2")] == [{"size": "small"}, {"size": "large"}]
    session = call.model.last("session.update")["session"]
    (provide,) = [tool for tool in session["tools"] if tool["name"] == "order_pizza_provide"]
    assert provide["parameters"]["properties"]["task"]["enum"] == ["t1", "t2"]
    assert provide["parameters"]["required"] == ["task"]
    assert call.answered("call-3", "order_pizza_provide", task="t1", count=3)["slots"] == {"size": "small", "count": 3}
    assert call.answered("call-4", "order_pizza_provide", task="t2", count=1)["slots"] == {"size": "large", "count": 1}


def test_three_hundred_calls_in_a_row_are_answered_and_do_nothing(call: Call, oven: Oven) -> None:
    call.answered("call-0", "order_pizza", **PIZZA_SLOTS)
    rate_limits: list[tuple[str, str, dict[str, object]]]
    rate_limits = [(f"flood-{number}", "order_pizza_provide", {"count": 3}) for number in range(300)]
    call.model_calls(*rate_limits)
    call.mailboxes.until(lambda: len(call.outputs()) == 301)
    refused = [output for output in call.outputs().values() if output.get("error") == "too_many_calls"]
    assert len(refused) == 301 - 20
    assert oven.requests == []
    call.caller_says("Hello?")
    assert call.answered("call-1", "order_pizza_provide", count=1).get("error") is None


def test_the_same_call_again_is_not_carried_out_again(call: Call) -> None:
    call.answered("call-1", "order_pizza", size="small")
    call.model.frames.clear()
    call.model_calls(("call-1", "order_pizza", {"size": "large"}))
    call.mailboxes.advance(1000)
    (refusal,) = call.items("function_call_output", [call.model])
    assert json.loads(refusal["output"])["error"] == "call_id_used"
    assert len(call.describe().tasks) == 1
    assert call.answered("call-2", "order_pizza_provide", count=1)["slots"] == {"size": "small", "count": 1}


# --- what is owed ---


def word_for_word(call: Call) -> list[str]:
    """The sentences that the newest session was to say as they stand."""
    told = [frame["response"].get("instructions", "") for frame in call.model.all("response.create")]
    return [json.loads(each.rpartition("word for word: ")[2]) for each in told if "word for word: " in each]


def test_what_is_to_be_said_while_the_model_is_away_is_said_by_the_next_session_once(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.bot_says("Hm?", ms=100)
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "1"}])
    assert stuck.entered.wait(10)
    call.model.breaks()
    mailboxes.advance(0)
    stuck.freed.set()
    mailboxes.until(lambda: call.describe().tasks[0].result == "baked")
    call.model_is_ready()
    call.bot_says("Well.", ms=100)  # the caller pressed keys: the session answers that by itself
    assert word_for_word(call) == ["It is in the oven."]
    call.bot_says("It is in the oven.")
    mailboxes.advance(1000)
    call.model.breaks()
    mailboxes.advance(1000)
    assert len(call.dialler.wires) == 3
    call.model_is_ready()
    assert word_for_word(call) == []


def test_words_that_were_lost_with_the_model_are_asked_for_again(call: Call) -> None:
    call.caller_begins("u-1")
    call.event("input_audio_buffer.speech_stopped", audio_end_ms=500, item_id="u-1")
    call.model.breaks()
    call.mailboxes.advance(0)
    call.model_is_ready()
    assert word_for_word(call) == ["Sorry, the line was interrupted. What did you say?"]


def test_words_are_passed_on_as_they_are_written(mailboxes: WaitingDispatcher) -> None:
    spec = table(slots={"size": Slot(Size, ask='Groß, or "small"?')})
    call = Call(mailboxes, agents={spec.name: spec}).greeted()
    call.answered("call-1", spec.name)
    call.bot_says("Well?", ms=500)
    mailboxes.advance(8500)
    mailboxes.until(lambda: word_for_word(call))
    assert word_for_word(call) == ['Are you still there? Groß, or "small"?']
    instructions = call.model.last("response.create")["response"]["instructions"]
    assert instructions.endswith('"Are you still there? Groß, or \\"small\\"?"'), "not as an escape"


# --- humans ---


def test_a_caller_is_handed_over_to_whom_he_asked_for_with_what_the_tasks_knew(mailboxes: WaitingDispatcher) -> None:
    targets = {"reception": "tel:+4930555001", "billing": "sip:billing@example.org"}
    call = Call(mailboxes, agents={"triage": TRIAGE, "hand_over": HAND_OVER}, transfer_targets=targets).greeted()
    call.model_calls(("call-1", "triage", {"hours": 2}))
    call.thinks("normal")
    mailboxes.until(lambda: "call-1" in call.outputs())
    assert call.answered("call-2", "hand_over", to="billing")["result"] == "transfer"
    notes = [text for _, _, text in call.describe().tasks[1].notes]
    assert "hours = 2" in notes
    call.bot_says("I will put you through to a colleague.", ms=500)
    mailboxes.advance(500)
    call.played()
    ((name, params),) = call.activities()
    assert (name, params["transferTarget"]) == ("transfer", "sip:billing@example.org")


def test_without_a_transfer_target_no_human_is_offered_or_promised(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, agents={"triage": TRIAGE, "hand_over": HAND_OVER}).greeted()
    output = call.answered("call-1", "triage", hours=9)
    assert output["result"] == "not_transferred"
    assert output["say"].startswith("I am sorry, nobody is free")
    assert [task.result for task in call.describe().tasks] == ["not_transferred"]
    names = [tool["name"] for tool in call.model.last("session.update")["session"]["tools"]]
    assert names == ["triage"]


@pytest.mark.parametrize("targets", [{}, {"reception": "tel:+4930555001"}], ids=["nobody there", "somebody there"])
@pytest.mark.parametrize("result", [Unclear("I cannot tell."), Failed("It is broken.")])
def test_doubt_and_failure_are_told_with_and_without_a_human_to_hand_over_to(
    mailboxes: WaitingDispatcher, targets: dict[str, str], result: Unclear | Failed
) -> None:
    call = Call(mailboxes, effects=Kitchen({"pizza.bake": Oven(result)}), transfer_targets=targets).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    output = call.answered("call-2", "order_pizza_confirm", yes=True)
    assert (output["result"], output["say"]) == (
        "transfer" if targets else "not_transferred",
        f"{result.say} {'I will put you through.' if targets else ANYTHING_ELSE}",
    )


# --- a caller who leaves ---


def test_a_caller_who_hangs_up_in_mid_effect_is_in_the_record_with_how_it_ended(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    kitchen = Kitchen({"pizza.bake": stuck})
    call = Call(mailboxes, effects=kitchen).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    call.ends()
    assert call.records() == [], "how the task ended is part of the record"
    stuck.freed.set()
    mailboxes.until(lambda: bool(call.records()))
    assert kitchen.left == ["pizza.bake"]
    assert [task.result for task in call.records()[0].tasks] == ["undone"]


# --- budgets ---


def test_a_model_that_uses_up_the_budgets_of_three_turns_in_a_row_counts_as_lost(call: Call) -> None:
    call.told(*[TurnOverrun()] * 2)
    assert call.describe().errors == ("model: does not come to an end",) * 2
    closed = [call.model.closed]  # the caller is asked to repeat
    call.told(TurnOverrun())
    assert [*closed, call.model.closed] == [None, 1000]
    assert call.describe().errors[-1] == "model: does not come to an end"


def test_a_model_that_answers_two_requests_in_a_row_with_nothing_counts_as_lost(call: Call) -> None:
    unanswered = ResponseEnded("failed", (), 0, {}, given_up=True)
    call.told(unanswered)
    closed = [call.model.closed]  # the caller is asked to repeat
    call.told(unanswered)
    assert [*closed, call.model.closed] == [None, 1000]


def test_a_caller_who_is_asked_to_repeat_is_not_told_to_wait(call: Call) -> None:
    call.told(ResponseEnded("failed", (), 0, {}, given_up=True))
    call.mailboxes.advance(7000)
    assert clips(call) == [Clip.SAY_AGAIN.value]


def test_an_answered_turn_resets_the_count(call: Call) -> None:
    for _ in range(2):
        call.told(*[TurnOverrun()] * 2)
        call.bot_says("At what time?", ms=500)
    assert call.model.closed is None


# --- the clock ---


@pytest.mark.parametrize(
    ("hours", "clock"),
    [(0, "Monday, 2026-11-23, 14:06"), (10, "Tuesday, 2026-11-24, 00:06"), (24 * 125, "Sunday, 2027-03-28, 15:06")],
    ids=["a minute later", "past midnight", "in summer time"],
)
def test_today_and_the_time_in_the_instructions_follow_the_clock_of_a_long_call(
    mailboxes: WaitingDispatcher, hours: int, clock: str
) -> None:
    ahead = [timedelta()]
    call = Call(mailboxes, now=lambda: BEGAN + ahead[0]).greeted()
    ahead[0] = timedelta(hours=hours, minutes=1)
    call.caller_begins()
    session = call.model.last("session.update")["session"]
    assert f"Today is {clock} (Europe/Berlin)." in session["instructions"]
    assert {"book_appointment", "end_call"} <= {tool["name"] for tool in session["tools"]}


def test_the_model_knows_the_time_before_it_answers_keys(mailboxes: WaitingDispatcher) -> None:
    ahead = [timedelta()]
    call = Call(mailboxes, now=lambda: BEGAN + ahead[0]).greeted()
    ahead[0] = timedelta(minutes=1)
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "7"}])
    assert call.model.types() == ["session.update", "conversation.item.create", "response.create"]


def test_the_model_is_not_told_the_time_again_within_a_minute(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, now=lambda: BEGAN).greeted()
    call.caller_says("Hello?")
    assert call.model.all("session.update") == []


def leaves_in_mid_effect(call: Call, stuck: StuckOven, after_s: float = 0) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    call.mailboxes.advance(after_s * 1000)
    call.ends()


@pytest.mark.parametrize(("policy", "result", "left"), [("undo", "undone", 0), ("finish", "baked", 1)])
@pytest.mark.parametrize("overdue", [False, True], ids=["", "overdue before"])
def test_an_effect_longer_than_the_wait_for_it_is_undone_or_finished_and_the_record_amended(
    mailboxes: WaitingDispatcher, stuck: StuckOven, engine: Engine, policy: Any, result: str, left: int, overdue: bool
) -> None:
    def bake(request: EffectRequest, connection: Any) -> EffectResult:
        stuck(request)
        bookings.book(connection, resource="oven", starts_at=BEGAN, duration_min=5, caller="",
                          conversation_id="c-1", effect_key=request.key)  # fmt: skip
        return Ok()

    def take_out(request: EffectRequest, connection: Any) -> None:
        row = bookings.by_effect(connection, request.key)
        assert row is not None
        bookings.remove(connection, row.id)

    spec = table(effects={"pizza.bake": Local(bake, undo=take_out, on_hang_up=policy)})
    leases = Leases(engine, "node-1")
    leases.open("c-1", "", {})
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: BEGAN, epoch_of=leases.epoch)
    call = Call(mailboxes, effects=runner, agents={spec.name: spec}).greeted()
    leaves_in_mid_effect(call, stuck, after_s=STEP_LIMIT_S if overdue else 0)
    mailboxes.advance(SETTLE_LIMIT_S * 1000)
    (draft,) = [each.record for each in call.journal.arrived if isinstance(each, DraftRecord)]
    so_far = "failed" if overdue else "open"
    assert (draft.outcome, [task.result for task in draft.tasks]) == ("client-disconnected", [so_far])
    assert call.describe() == draft
    leases.forget("c-1")  # whatever becomes of the call: what counts is that nobody has taken it over
    stuck.freed.set()
    mailboxes.until(lambda: bool(call.records()))
    (record,) = call.records()
    assert (record.outcome, record.ended_at) == (draft.outcome, draft.ended_at)
    assert [task.result for task in record.tasks] == [result]
    assert len(bookings.AppointmentBook(engine).all()) == left
    mailboxes.until(call.is_gone)


@pytest.mark.parametrize("after_s", [0, STEP_LIMIT_S], ids=["", "overdue before"])
def test_an_agent_that_dies_after_the_caller_has_left_is_not_waited_for(
    mailboxes: WaitingDispatcher, stuck: StuckOven, after_s: float
) -> None:
    def breaks(request: EffectRequest) -> EffectResult:
        stuck(request)
        raise ZeroDivisionError

    call = Call(mailboxes, effects={"pizza.bake": breaks}).greeted()
    leaves_in_mid_effect(call, stuck, after_s)
    mailboxes.advance(SETTLE_LIMIT_S * 1000)
    stuck.freed.set()

    def is_written() -> bool:
        mailboxes.advance(10)  # for the agent to be begun again, until it is given up
        return bool(call.records())

    mailboxes.until(is_written)
    assert [task.result for task in call.records()[0].tasks] == ["failed"]


def test_a_drain_waits_for_a_task_no_longer_than_for_one_whose_caller_has_just_left(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}).greeted()
    leaves_in_mid_effect(call, stuck)
    mailboxes.advance(2 * SETTLE_LIMIT_S * 1000)
    call.told(EndCall("drained"))
    assert call.records() == []
    mailboxes.advance(SETTLE_LIMIT_S * 1000)
    assert [record.outcome for record in call.records()] == ["client-disconnected"]
