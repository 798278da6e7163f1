"""Tasks in a call: which function call belongs to which run, and what a run's death or silence costs the call."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.messages.call import FunctionCalled
from actors.messages.journal import AppendRow
from actors.messages.journal_rows import ClipRow
from actors.tasks.agent import FsmAgent
from actors.tasks.effect_attempts import UNSURE
from actors.tasks.effect_runner import EffectRunner
from actors.tasks.router import ANYTHING_ELSE, SORRY
from appointments.bookings import AppointmentBook
from fsm.agents.hand_over import HAND_OVER
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused
from fsm.locales import locale_of, spoken_together
from store.journal import Journal, JournalRow, TaskRecord
from store.leases import Lease, Leases
from tests.actors.bots import OneWith
from tests.actors.calls import (
    AGENTS,
    BEGAN,
    CLIPS,
    PIZZA_SLOTS,
    PROFILE,
    Call,
    Oven,
    StuckOven,
    WaitingDispatcher,
    left_by,
    living,
    with_a_hanging_task,
)
from tests.counted import counted
from tests.fsm.tables import LOCKER, table


@pytest.fixture
def oven() -> Oven:
    return Oven()


@pytest.fixture
def call(mailboxes: WaitingDispatcher, oven: Oven) -> Call:
    return Call(mailboxes, effects={"pizza.bake": oven}).greeted()


def tools(call: Call) -> set[str]:
    """What the model was told last that it may call."""
    return {tool["name"] for tool in call.model.last("session.update")["session"]["tools"]}


OPENERS = {"book_appointment", "end_call", "order_pizza"}


def test_a_booking_goes_through_its_task_into_the_database(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    call = Call(mailboxes, effects=EffectRunner(engine, OneWith(AGENTS), lambda: BEGAN)).greeted()
    assert call.answered("call-1", "book_appointment", day="2026-11-24")["say"] == "At what time?"
    assert "Shall I book it?" in call.answered("call-2", "book_appointment_provide", at="10:30", name="Ada")["say"]
    told = call.answered("call-3", "book_appointment_confirm", yes=True)
    assert told["result"] == "booked"
    (appointment,) = AppointmentBook(engine).by_conversation("c-1")
    assert (appointment.caller, told["values"]) == ("+4930123", {"appointment": appointment.id})
    states = ("CollectDate", "CollectTime", "CollectName", "Confirm", "Execute", "Booked")
    (task,) = call.describe().tasks
    assert task.model_copy(update={"notes": ()}) == TaskRecord(
        agent="book_appointment", run_id="t1", states=states, result="booked"
    )
    assert ("conclusion", "Confirm", "day = 2026-11-24, at = 10:30:00, name = Ada") in task.notes


def test_in_a_call_with_the_id_of_an_earlier_one_nothing_is_said_to_be_booked_that_is_not(
    mailboxes: WaitingDispatcher, engine: Engine
) -> None:
    leases, journal, told = Leases(engine, "here"), Journal(engine), []
    for _ in range(2):
        lease = leases.open("c-1", "", {})
        assert isinstance(lease, Lease)
        journal.append([JournalRow(lease.key, 1, "call", {}, BEGAN, lease.epoch)])
        runner = EffectRunner(engine, OneWith(AGENTS), lambda: BEGAN, epoch_of=leases.epoch)
        call = Call(mailboxes, effects=runner, call_key=leases.key).greeted()
        call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
        told.append(call.answered("call-2", "book_appointment_confirm", yes=True))
        leases.end(lease.key, lease.epoch)
        call.ends()
    assert told[0]["result"] == "booked"
    assert "result" not in told[1], "the time is taken, by the first call"
    (appointment,) = AppointmentBook(engine).all()
    assert appointment.conversation_id == "c-1"


def test_a_task_that_is_open_when_its_call_gets_a_key_of_its_own_books_under_that(
    mailboxes: WaitingDispatcher, engine: Engine
) -> None:
    """As after an outage of the store, in which the call has begun: its lease is opened late."""
    leases, journal = Leases(engine, "here"), Journal(engine)
    leases.open("c-1", "", {})
    journal.append([JournalRow("c-1", 1, "call", {}, BEGAN, 1)])
    leases.end("c-1", 1)
    leases.forget("c-1")
    runner = EffectRunner(engine, OneWith(AGENTS), lambda: BEGAN, epoch_of=leases.epoch)
    call = Call(mailboxes, effects=runner, call_key=leases.key).greeted()
    call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    lease = leases.open("c-1", "", {})
    assert isinstance(lease, Lease)
    assert lease.key == "c-1~2"
    assert call.answered("call-2", "book_appointment_confirm", yes=True)["result"] == "booked"
    (appointment,) = AppointmentBook(engine).all()
    assert (appointment.conversation_id, appointment.effect_key) == ("c-1~2", "c-1~2:t1:5")


@pytest.mark.parametrize(
    ("caller", "number"), [("sip:+4930123@sbc.example.com", "+4930123"), ("Anonymous", ""), ("+anonymous", "")]
)
def test_a_task_gets_the_number_in_e164_and_nothing_for_a_withheld_one(
    mailboxes: WaitingDispatcher, caller: str, number: str
) -> None:
    oven = Oven()
    call = Call(mailboxes, effects={"pizza.bake": oven}, caller=caller).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.answered("call-2", "order_pizza_confirm", yes=True)
    assert [request.context.caller for request in oven.requests] == [number]


def test_the_model_knows_the_tools_of_the_new_state_before_it_has_the_output_and_is_asked_to_speak(call: Call) -> None:
    call.answered("call-1", "order_pizza", size="small")
    assert call.model.types() == ["session.update", "conversation.item.create", "response.create"]


def test_the_model_may_call_the_open_tasks_functions_and_what_opens_the_others(call: Call) -> None:
    call.answered("call-1", "order_pizza", size="small")
    assert tools(call) == OPENERS - {"order_pizza"} | {"order_pizza_provide", "order_pizza_cancel"}
    assert "t1" in call.model.last("session.update")["session"]["instructions"]
    call.answered("call-2", "order_pizza_cancel")
    assert tools(call) == OPENERS
    assert "t1" not in call.model.last("session.update")["session"]["instructions"]


def test_an_ended_task_leaves_no_actor_behind(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    (agent,) = living(FsmAgent)
    call.answered("call-2", "order_pizza_cancel")
    assert agent.actor_stopped.wait(5)
    assert living(FsmAgent) == []


def test_two_tasks_are_open_side_by_side_and_keep_apart(call: Call) -> None:
    call.answered("call-1", "order_pizza", size="small")
    call.answered("call-2", "book_appointment", day="2026-11-24")
    assert len(living(FsmAgent)) == 2
    assert call.answered("call-3", "order_pizza_provide", count=2)["task"] == "t1"
    assert call.answered("call-4", "book_appointment_provide", at="10:30", name="Ada")["task"] == "t2"
    assert call.answered("call-5", "order_pizza_cancel")["result"] == "cancelled"
    assert call.answered("call-6", "book_appointment_confirm", yes=True)["result"] == "booked"
    assert [(task.run_id, task.result) for task in call.describe().tasks] == [("t1", "cancelled"), ("t2", "booked")]


def test_the_model_is_told_which_of_several_open_tasks_to_go_on_with(call: Call) -> None:
    goes_on = "Go on with the last of them first"
    call.answered("call-1", "order_pizza")
    assert goes_on not in call.model.last("session.update")["session"]["instructions"]
    call.answered("call-2", "book_appointment")
    assert goes_on in call.model.last("session.update")["session"]["instructions"]


def test_keys_answer_the_question_of_the_task_that_was_opened_last(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    call.answered("call-2", "book_appointment")
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "2411"}])
    call.mailboxes.until(lambda: call.describe().tasks[1].states[-1] == "CollectTime")


def test_two_functions_called_in_one_response_are_both_answered_and_spoken_about_once(call: Call) -> None:
    call.model_calls(("call-1", "order_pizza", {"size": "small"}), ("call-2", "book_appointment", {}))
    call.mailboxes.until(lambda: len(call.outputs()) == 2)
    assert {output["task"] for output in call.outputs().values()} == {"t1", "t2"}
    assert len(call.model.all("response.create")) == 1


def test_a_task_may_be_opened_again_once_the_first_has_ended(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    call.answered("call-2", "order_pizza_cancel")
    assert call.answered("call-3", "order_pizza")["task"] == "t2"


def test_an_undeclared_function_is_answered_at_once_and_opens_no_task(call: Call) -> None:
    output = call.answered("call-1", "drop_tables")
    assert output["error"] == "unknown_function"
    assert living(FsmAgent) == []


def test_a_function_of_a_task_that_has_ended_is_answered_at_once(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    call.answered("call-2", "order_pizza_cancel")
    assert call.answered("call-3", "order_pizza_confirm", yes=True)["error"] == "task_ended"


def test_a_step_that_was_answered_is_not_called_overdue_later(call: Call) -> None:
    call.answered("call-1", "order_pizza", size="small")
    call.model.frames.clear()
    call.mailboxes.advance(20_000)
    assert call.model.all("session.update") == []
    assert call.model.all("conversation.item.create") == []


def test_a_caller_who_is_owed_no_result_has_the_whole_time_to_answer(call: Call) -> None:
    call.bot_says("What can I do for you?", ms=500)
    call.mailboxes.advance(500)
    call.mailboxes.advance(7900)
    assert call.model.all("response.create") == []
    call.mailboxes.advance(100)
    assert len(call.model.all("response.create")) == 1


# --- deaths ---


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), SystemExit(3)], ids=["exception", "sys.exit"])
def test_a_task_that_crashes_is_restarted_from_its_snapshot_and_asked_again(
    call: Call, oven: Oven, bug: BaseException
) -> None:
    oven.answers = [bug]
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    assert call.answered("call-2", "order_pizza_confirm", yes=True)["result"] == "baked"
    first, second = oven.requests
    assert first.key == second.key
    assert not call.is_gone()


def test_a_function_called_while_its_task_is_being_restarted_is_answered_too(call: Call, oven: Oven) -> None:
    oven.answers = [RuntimeError("a bug")]
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(
        ("call-2", "order_pizza_confirm", {"yes": True}), ("call-3", "order_pizza_provide", {"size": "large"})
    )
    call.mailboxes.until(lambda: {"call-2", "call-3"} <= call.outputs().keys())
    assert call.outputs()["call-2"]["result"] == "baked"
    assert call.outputs()["call-3"]["error"] == "task_ended"


def given_up(call: Call, oven: Oven) -> dict[str, Any]:
    """The output of a task whose effect raises each time."""
    oven.answers = [RuntimeError("a bug")] * 3
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    return call.answered("call-2", "order_pizza_confirm", yes=True)


def test_a_task_that_crashes_again_and_again_is_given_up_and_the_conversation_goes_on(call: Call, oven: Oven) -> None:
    output = given_up(call, oven)
    assert len(oven.requests) == 3
    assert (output["error"], output["result"]) == ("failed", "failed")
    assert "sorry" in output["say"]
    assert tools(call) == OPENERS
    call.bot_says("I am sorry, that did not work.")
    assert not call.is_gone()
    assert call.describe().errors == ("task:t1: RuntimeError",)
    assert call.answered("call-3", "order_pizza", **PIZZA_SLOTS)["task"] == "t2"


def test_another_task_goes_on_when_one_is_given_up(call: Call, oven: Oven) -> None:
    call.answered("call-0", "book_appointment", day="2026-11-24")
    given_up(call, oven)
    assert [task.result for task in call.describe().tasks] == ["open", "failed"]
    assert call.answered("call-3", "book_appointment_provide", at="10:30")["slots"]["day"] == "2026-11-24"


def test_a_task_that_was_given_up_is_recorded_as_such(call: Call, oven: Oven) -> None:
    given_up(call, oven)
    assert [task.result for task in call.describe().tasks] == ["failed"]


def test_a_task_that_was_given_up_is_not_called_overdue_later(call: Call, oven: Oven) -> None:
    given_up(call, oven)
    call.mailboxes.drain()
    told = len(call.model.frames)
    call.mailboxes.advance(20_000)
    assert [frame["type"] for frame in call.model.frames[told:] if frame["type"] == "session.update"] == []


def test_a_task_whose_agent_is_stopped_by_something_else_has_failed_and_delays_no_end(call: Call, oven: Oven) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    (agent,) = living(FsmAgent)
    agent.stop(timeout=60)
    call.mailboxes.until(lambda: [task.result for task in call.describe().tasks] == ["failed"])
    assert call.describe().errors == ("task:t1: stopped",)
    assert tools(call) == OPENERS
    call.bot_says("A small one, then.")
    assert SORRY in call.model.last("response.create")["response"]["instructions"]
    call.ends()
    call.mailboxes.until(call.is_gone)
    assert oven.requests == []


def test_crashes_further_apart_than_the_period_are_not_counted(call: Call, oven: Oven) -> None:
    bug = RuntimeError("a bug")
    oven.answers = [bug, Refused("Not like this."), bug, bug]
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    assert call.answered("call-2", "order_pizza_confirm", yes=True)["say"].startswith("Not like this.")
    for _ in range(5):  # more than the period, and never a silence of eight seconds
        call.caller_says("Hm.")
        call.bot_says("Yes?", ms=100)
        call.mailboxes.advance(7000)
    call.answered("call-3", "order_pizza_provide", note="none", crisp=False)
    assert call.answered("call-4", "order_pizza_confirm", yes=True)["result"] == "baked"
    assert len(oven.requests) == 5


# --- silence ---


def test_a_step_that_hangs_is_given_up_after_ten_seconds_and_may_be_begun_again(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    mailboxes.advance(9_900)
    assert "call-2" not in call.outputs()
    mailboxes.advance(100)
    assert call.outputs()["call-2"]["error"] == "failed"
    assert "word for word" not in json.dumps(call.model.last("response.create")), "in the model's own words"
    assert tools(call) == OPENERS
    assert call.answered("call-3", "order_pizza")["task"] == "t2"


def test_a_look_up_that_was_given_up_is_ignored_when_it_comes_back(mailboxes: WaitingDispatcher) -> None:
    find = StuckOven()
    find.result = Ok({"locker": 7})
    call = Call(mailboxes, agents={LOCKER.name: LOCKER}, effects={"locker.find": find}).greeted()
    call.model_calls(("call-1", "open_locker", {"letter": "x", "pin": 1}))
    assert find.entered.wait(5)
    (agent,) = living(FsmAgent)
    mailboxes.advance(10_000)
    assert call.outputs()["call-1"]["say"] == SORRY
    find.freed.set()
    agent.stop(timeout=60)  # its answer was told before it ends
    told = len(call.model.frames)
    mailboxes.drain()
    assert len(call.model.frames) == told
    assert [task.result for task in call.describe().tasks] == ["failed"]


@pytest.mark.parametrize(
    ("result", "ended", "words"),
    [
        (Ok(), "baked", "It is in the oven."),
        (Failed("It is broken."), "failed", f"It is broken. {ANYTHING_ELSE}"),
        (Refused("Not like this."), "failed", f"Not like this. {ANYTHING_ELSE}"),
    ],
)
def test_what_came_of_a_yes_whose_step_was_overdue_is_told_once_it_is_known(
    mailboxes: WaitingDispatcher, stuck: StuckOven, result: EffectResult, ended: str, words: str
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    (agent,) = living(FsmAgent)
    mailboxes.advance(10_000)
    assert call.outputs()["call-2"]["say"] == UNSURE
    call.bot_says(UNSURE, ms=100)
    call.model.frames.clear()
    stuck.result = result
    stuck.freed.set()
    mailboxes.until(agent.actor_stopped.is_set)
    asked = [frame["response"]["instructions"] for frame in call.model.all("response.create")]
    assert [each.rpartition("word for word: ")[2] for each in asked] == [json.dumps(words)]
    assert [task.result for task in call.describe().tasks] == [ended]
    assert tools(call) == OPENERS


def test_an_agent_whose_step_is_overdue_may_crash_and_comes_back_to_it(mailboxes: WaitingDispatcher) -> None:
    entered, freed, tried = threading.Event(), threading.Event(), []

    def bake(request: EffectRequest) -> EffectResult:
        entered.set()
        freed.wait(10)
        tried.append(request.key)
        if len(tried) == 1:
            raise ZeroDivisionError
        return Ok()

    call = Call(mailboxes, effects={"pizza.bake": bake}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert entered.wait(5)
    mailboxes.advance(10_000)
    freed.set()
    mailboxes.until(lambda: [task.result for task in call.describe().tasks] == ["baked"])
    assert len(set(tried)) == 1, "under one key"


def test_an_answer_that_comes_after_a_reconnect_is_sent_to_the_new_session_with_its_call(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    first = call.model
    first.breaks()
    mailboxes.advance(0)
    call.model_is_ready()
    assert call.model is not first
    call.model.frames.clear()
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.model.types() == [
        "session.update", "conversation.item.create", "conversation.item.create", "response.create",
    ]  # fmt: skip


def test_a_function_called_twice_by_a_model_that_repeats_itself_is_answered_for_each_call(call: Call) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}), ("call-3", "order_pizza_confirm", {"yes": True}))
    call.mailboxes.until(lambda: {"call-2", "call-3"} <= call.outputs().keys())
    assert call.outputs()["call-2"]["result"] == "baked"
    assert call.outputs()["call-3"]["error"] == "task_ended"
    assert [task.result for task in call.describe().tasks] == ["baked"]


def test_a_task_ends_once_however_often_it_is_called_after_that(call: Call) -> None:
    def ended() -> float:
        labels = {"agent": "order_pizza", "outcome": "baked"}
        return counted("tieline_tasks_ended_total", **labels)

    before = ended()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}), ("call-3", "order_pizza_confirm", {"yes": True}))
    call.mailboxes.until(lambda: {"call-2", "call-3"} <= call.outputs().keys())
    assert ended() - before == 1


def test_a_task_that_is_open_after_the_step_in_which_the_caller_left_is_abandoned(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = Call(mailboxes, agents={LOCKER.name: LOCKER}, effects={"locker.find": stuck}).greeted()
    stuck.result = Ok({"locker": 7})
    call.model_calls(("call-1", "open_locker", {"letter": "x", "pin": 1}))
    assert stuck.entered.wait(5)
    call.ends()
    stuck.freed.set()
    mailboxes.until(call.records)
    (record,) = call.records()
    assert [task.result for task in record.tasks] == ["abandoned"]


# --- what a yes is bound to ---


def spoken_to_its_end(call: Call, said: str = "2 small, none. Right?") -> None:
    """The bot says this, and the caller hears it to its end."""
    call.bot_says(said, ms=1000)
    call.mailboxes.advance(1000)
    call.model.frames.clear()


@pytest.fixture
def read_back(call: Call) -> Call:
    """A call whose task was read back, and heard to its end."""
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    spoken_to_its_end(call)
    return call


def confirms(call: Call, call_id: str) -> dict[str, Any]:
    """The output of a yes that the model hears in the caller's last words."""
    call.model_calls((call_id, "order_pizza_confirm", {"yes": True}))
    return output_of(call, call_id)


def output_of(call: Call, call_id: str) -> dict[str, Any]:
    """The output of a function call, once it is there."""
    call.mailboxes.until(lambda: call_id in call.outputs())
    return call.outputs()[call_id]


def turn_without_words(call: Call, item: str) -> None:
    call.caller_begins(item)
    call.event("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=900)
    call.event("input_audio_buffer.committed", item_id=item, previous_item_id=None)


def words(call: Call, item: str, text: str) -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    call.event(kind, item_id=item, content_index=0, transcript=text)


def test_a_correction_and_a_yes_in_one_response_do_not_do_what_was_never_read_back(read_back: Call, oven: Oven) -> None:
    read_back.caller_says("Yes, but three.")
    read_back.model_calls(
        ("call-2", "order_pizza_provide", {"count": 3}), ("call-3", "order_pizza_confirm", {"yes": True})
    )
    read_back.mailboxes.until(lambda: {"call-2", "call-3"} <= read_back.outputs().keys())
    assert read_back.outputs()["call-2"]["say"] == "3 small, none. Right?"
    assert read_back.outputs()["call-3"]["error"] == "unheard"
    assert oven.requests == []


def test_a_yes_is_judged_when_its_step_is_taken_however_long_the_step_before_it_takes(
    mailboxes: WaitingDispatcher,
) -> None:
    looked_up, oven = StuckOven(), StuckOven()
    call = Call(mailboxes, agents={LOCKER.name: LOCKER}, effects={"locker.find": looked_up, "locker.open": oven})
    looked_up.result = Ok({"locker": 7})
    looked_up.freed.set()
    call.greeted().answered("call-1", "open_locker", letter="x", pin=1)
    spoken_to_its_end(call, "7 with 1?")
    call.caller_says("Yes.")
    looked_up.freed.clear()
    looked_up.entered.clear()
    call.model_calls(
        ("call-2", "open_locker_provide", {"letter": "y"}), ("call-3", "open_locker_confirm", {"yes": True})
    )
    assert looked_up.entered.wait(5)
    looked_up.freed.set()
    mailboxes.until(lambda: {"call-2", "call-3"} <= call.outputs().keys())
    assert call.outputs()["call-3"]["error"] == "unheard"
    assert not oven.entered.is_set()


def test_a_function_call_that_is_reported_twice_is_taken_once(read_back: Call, oven: Oven) -> None:
    read_back.caller_says("Yes.")
    oven.answers = [Refused("Not like this.")]
    confirms(read_back, "call-2")
    told = len(read_back.items("function_call_output"))
    read_back.told(FunctionCalled("call-2", "order_pizza_confirm", '{"yes": true}'))
    read_back.told(FunctionCalled("call-2", "order_pizza_cancel", "{}"))
    read_back.mailboxes.advance(3000)
    assert len(read_back.items("function_call_output")) == told
    assert [task.result for task in read_back.describe().tasks] == ["open"]
    assert len(oven.requests) == 1


def test_another_function_under_an_id_that_was_answered_is_refused_and_the_model_speaks(read_back: Call) -> None:
    read_back.caller_says("Yes.")
    first = confirms(read_back, "call-2")
    read_back.bot_says("It is baked.")
    read_back.model.frames.clear()
    read_back.model_calls(("call-2", "order_pizza", {}))
    (refusal,) = read_back.items("function_call_output", [read_back.model])
    assert (refusal["call_id"], json.loads(refusal["output"])["error"]) == ("call-2", "call_id_used")
    assert read_back.model.types()[-1] == "response.create"
    # Another session is told what became of the first.
    read_back.model.breaks()
    read_back.mailboxes.advance(0)
    read_back.model_is_ready()
    told = {
        item["call_id"]: json.loads(item["output"])
        for item in read_back.items("function_call_output", [read_back.model])
    }
    assert told["call-2"] == first


def test_another_function_under_an_id_that_is_not_answered_yet_gets_its_answer(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.model_calls(("call-2", "order_pizza_cancel", {}))
    assert "call-2" not in call.outputs()
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.outputs()["call-2"]["result"] == "baked"
    assert len(call.items("function_call_output")) == 2


def test_words_that_come_late_are_waited_for(read_back: Call, oven: Oven) -> None:
    turn_without_words(read_back, "u-9")
    read_back.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    read_back.mailboxes.advance(1900)
    assert "call-2" not in read_back.outputs()
    words(read_back, "u-9", "Yes.")
    read_back.mailboxes.until(lambda: "call-2" in read_back.outputs())
    assert read_back.outputs()["call-2"]["result"] == "baked"


def test_words_that_never_come_are_waited_for_two_seconds(read_back: Call, oven: Oven) -> None:
    for call_id in ("call-2", "call-3"):
        turn_without_words(read_back, f"u-{call_id}")
        read_back.model_calls((call_id, "order_pizza_confirm", {"yes": True}))
        assert call_id not in read_back.outputs()
        read_back.mailboxes.advance(2000)
        assert output_of(read_back, call_id)["error"] == "wordless"
        read_back.mailboxes.advance(1000)  # "one moment, please" is heard to its end
        spoken_to_its_end(read_back)
    assert oven.requests == []


def test_a_yes_whose_words_may_still_come_is_not_taken_without_them_because_another_is(call: Call) -> None:
    orders: list[tuple[str, str, dict[str, object]]]
    orders = [(f"call-{crisp}", "order_pizza", {**PIZZA_SLOTS, "crisp": crisp}) for crisp in (True, False)]
    call.model_calls(*orders)
    call.mailboxes.until(lambda: len(call.outputs()) == 2)
    spoken_to_its_end(call)
    turn_without_words(call, "u-9")
    for number in (1, 2):
        call.model_calls((f"yes-{number}", "order_pizza_confirm", {"yes": True, "task": f"t{number}"}))
        call.mailboxes.advance(1000)
    assert output_of(call, "yes-1")["error"] == "wordless"
    words(call, "u-9", "Yes.")
    assert output_of(call, "yes-2")["result"] == "baked"


def test_a_caller_who_hangs_up_before_the_words_of_a_yes_are_there_has_agreed_to_nothing(
    read_back: Call, oven: Oven
) -> None:
    turn_without_words(read_back, "u-9")
    read_back.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    read_back.ends()
    read_back.mailboxes.advance(2000)  # for the words, which the record is to have
    read_back.mailboxes.until(read_back.records)
    assert oven.requests == []


def test_a_bot_that_needs_no_words_takes_a_yes_without_them_also_from_a_caller_who_hangs_up(
    mailboxes: WaitingDispatcher, oven: Oven
) -> None:
    call = Call(mailboxes, effects={"pizza.bake": oven}, profile=replace(PROFILE, yes_without_words=True)).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    spoken_to_its_end(call)
    turn_without_words(call, "u-9")
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    call.ends()
    mailboxes.advance(2000)  # for the words, which the record is to have
    mailboxes.until(call.records)
    assert len(oven.requests) == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [("", "wordless"), ("No, that does not suit me.", "not_a_yes"), ("What does it cost?", "not_a_yes")],
)
def test_a_turn_that_is_no_yes_leads_to_a_new_read_back_word_for_word(
    read_back: Call, oven: Oven, said: str, error: str
) -> None:
    read_back.caller_says(said)
    assert confirms(read_back, "call-2")["error"] == error
    asked = read_back.model.last("response.create")["response"]
    assert asked["instructions"].endswith('Say to the caller, word for word: "2 small, none. Right?"')
    assert asked["tools"] == []
    assert oven.requests == []
    spoken_to_its_end(read_back)
    read_back.caller_says("Yes.")
    assert confirms(read_back, "call-3")["result"] == "baked"


def test_a_read_back_with_another_value_is_said_again_word_for_word(call: Call, oven: Oven) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    spoken_to_its_end(call, "Three small ones then, none. Right?")
    call.caller_says("Yes.")
    assert confirms(call, "call-2")["error"] == "misstated"
    assert '"2 small, none. Right?"' in call.model.last("response.create")["response"]["instructions"]
    assert oven.requests == []


def test_a_faulty_yes_that_the_model_corrects_at_once_does_not_lose_the_consent(read_back: Call, oven: Oven) -> None:
    read_back.caller_says("Yes.")
    read_back.model_calls(("call-2", "order_pizza_confirm", {"yes": "true"}))
    read_back.mailboxes.until(lambda: "call-2" in read_back.outputs())
    assert read_back.outputs()["call-2"]["error"] == "bad_value"
    assert confirms(read_back, "call-3")["result"] == "baked"


def test_a_yes_into_a_reminder_counts_once_the_read_back_was_heard(read_back: Call, oven: Oven) -> None:
    read_back.mailboxes.advance(8000)
    read_back.mailboxes.until(lambda: read_back.model.all("response.create"))
    read_back.bot_says("Are you still there? 2 small, none. Right?", ms=1000)
    read_back.mailboxes.advance(500)
    read_back.caller_says("Yes!")
    assert confirms(read_back, "call-2")["result"] == "baked"


def test_a_caller_who_says_three_times_what_does_not_fit_is_handed_over(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    results = []
    for number in range(2, 5):
        call.caller_says("Twenty.")
        results.append(call.answered(f"call-{number}", "order_pizza_provide", count=20).get("result"))
    assert results == [None, None, "not_transferred"]


def test_a_call_that_the_caller_has_cut_off_does_not_make_the_next_one_the_model_s_own_try(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    results = []
    for number in range(2, 5):
        call.caller_begins(f"u-{number}")
        call.model_calls((f"cut-{number}", "order_pizza_provide", {"count": 20}))
        assert call.outputs()[f"cut-{number}"]["error"] == "cut_off"
        call.event("input_audio_buffer.speech_stopped", item_id=f"u-{number}", audio_end_ms=900)
        call.event("input_audio_buffer.committed", item_id=f"u-{number}", previous_item_id=None)
        words(call, f"u-{number}", "Twenty.")
        results.append(call.answered(f"call-{number}", "order_pizza_provide", count=20).get("result"))
    assert results == [None, None, "not_transferred"]


def test_a_model_that_retries_by_itself_does_not_lead_to_a_human(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    call.caller_says("Twenty.")
    told = [call.answered(f"call-{number}", "order_pizza_provide", count=20) for number in range(2, 6)]
    assert [output.get("result") for output in told] == [None] * 4


def test_three_refusals_of_ours_do_not_transfer_the_caller(call: Call, oven: Oven) -> None:
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    for number in range(2, 5):
        call.bot_says("2 small, none. Right?", ms=1000)
        call.mailboxes.advance(300)
        call.caller_says("Yes.")
        assert confirms(call, f"call-{number}")["error"] == "unheard"
    spoken_to_its_end(call)
    call.caller_says("Yes.")
    assert confirms(call, "call-9")["result"] == "baked"


def test_two_identical_openings_in_one_response_are_one_task(call: Call) -> None:
    call.model_calls(("call-1", "order_pizza", {"size": "small"}), ("call-2", "order_pizza", {"size": "small"}))
    call.mailboxes.until(lambda: len(call.outputs()) == 2)
    assert {output["task"] for output in call.outputs().values()} == {"t1"}


def test_openings_nested_too_deeply_to_be_read_are_answered(call: Call) -> None:
    deep = "[" * 3000 + "]" * 3000
    call.told(
        FunctionCalled("call-1", "order_pizza", deep, "r-1"), FunctionCalled("call-2", "order_pizza", deep, "r-1")
    )
    call.mailboxes.until(lambda: len(call.describe().tasks) == 1)
    assert not call.is_gone()


def test_two_openings_in_one_response_that_differ_are_two_tasks(call: Call) -> None:
    call.model_calls(("call-1", "order_pizza", {"size": "small"}), ("call-2", "order_pizza", {"size": "large"}))
    call.mailboxes.until(lambda: len(call.outputs()) == 2)
    assert {output["task"] for output in call.outputs().values()} == {"t1", "t2"}


# --- leading the caller away ---


def test_a_caller_who_has_said_nothing_is_not_hung_up_on(call: Call) -> None:
    call.caller_says("")
    call.model_calls(("call-1", "end_call", {}))
    assert call.outputs()["call-1"]["error"] == "not_asked_for"
    call.caller_says("Goodbye.")
    call.model_calls(("call-2", "end_call", {}))
    call.mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.outputs()["call-2"]["result"] == "hangup"


def test_the_words_of_a_goodbye_are_waited_for(call: Call) -> None:
    turn_without_words(call, "u-9")
    call.model_calls(("call-1", "end_call", {}))
    assert call.outputs() == {}
    words(call, "u-9", "Bye.")
    call.mailboxes.until(lambda: "call-1" in call.outputs())
    assert call.outputs()["call-1"]["result"] == "hangup"


def test_a_goodbye_without_a_transcript_does_not_end_the_call(call: Call) -> None:
    turn_without_words(call, "u-9")
    call.model_calls(("call-1", "end_call", {}))
    call.mailboxes.advance(2000)
    assert call.outputs()["call-1"]["error"] == "not_asked_for"


def test_each_goodbye_waits_for_the_words_of_the_newest_turn(call: Call) -> None:
    for item in ("u-8", "u-9"):
        turn_without_words(call, item)
    call.model_calls(("call-1", "end_call", {}), ("call-2", "end_call", {}))
    call.mailboxes.advance(1500)
    words(call, "u-8", "")
    call.mailboxes.advance(1500)
    assert call.outputs() == {}
    words(call, "u-9", "Bye.")
    call.mailboxes.until(lambda: {"call-1", "call-2"} <= call.outputs().keys())
    assert [call.outputs()[each]["result"] for each in ("call-1", "call-2")] == ["hangup", "hangup"]


def test_keys_count_as_a_request_to_end_or_transfer(call: Call) -> None:
    call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": "0"}])
    call.model_calls(("call-1", "end_call", {}))
    call.mailboxes.until(lambda: "call-1" in call.outputs())
    assert call.outputs()["call-1"]["result"] == "hangup"


def test_a_caller_who_leaves_a_read_back_unanswered_is_asked_once(read_back: Call) -> None:
    read_back.caller_says("Yes, thank you.")
    read_back.mailboxes.advance(500)
    read_back.model_calls(("call-2", "end_call", {}))
    told = read_back.outputs()["call-2"]
    assert (told["error"], told["say"]) == ("task_open", "2 small, none. Right?")
    read_back.model_calls(("call-3", "end_call", {}))
    assert read_back.outputs()["call-3"]["error"] == "task_open", "the caller has said nothing since"
    spoken_to_its_end(read_back)
    read_back.caller_says("Leave it. Bye.")
    read_back.model_calls(("call-4", "end_call", {}))
    read_back.mailboxes.until(lambda: "call-4" in read_back.outputs())
    assert read_back.outputs()["call-4"]["result"] == "hangup"


def wants_human(mailboxes: WaitingDispatcher, oven: Oven, said: str) -> dict[str, Any]:
    """What the model is told that hears a wish for a human in the caller's answer to a read-back."""
    agents = {each.name: each for each in (table(), HAND_OVER)}
    call = Call(
        mailboxes, agents=agents, effects={"pizza.bake": oven}, transfer_targets={"sales": "tel:+4930"}
    ).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    spoken_to_its_end(call)
    call.caller_says(said)
    call.model_calls(("call-2", "hand_over", {}))
    told = output_of(call, "call-2")
    call.ends()
    assert oven.requests == []
    return told


def test_a_caller_who_asks_for_a_human_at_a_read_back_gets_one_at_once(
    mailboxes: WaitingDispatcher, oven: Oven
) -> None:
    assert wants_human(mailboxes, oven, "I want to speak to a human.")["result"] == "transfer"


@pytest.mark.parametrize("said", ["Yes, thank you.", "No.", "I don't know."])
def test_an_answer_to_a_read_back_that_the_model_takes_for_a_wish_for_a_human_is_asked_for(
    mailboxes: WaitingDispatcher, oven: Oven, said: str
) -> None:
    assert wants_human(mailboxes, oven, said)["error"] == "task_open"


def test_a_bare_no_that_the_model_takes_for_a_yes_asks_what_to_change(read_back: Call, oven: Oven) -> None:
    read_back.caller_says("No.")
    told = confirms(read_back, "call-2")
    assert (told["say"], told["error"]) == ("What should I change?", "not_a_yes")
    assert oven.requests == []


def test_a_yes_and_a_goodbye_in_one_response_are_both_carried_out(read_back: Call, oven: Oven) -> None:
    read_back.caller_says("Yes, and goodbye.")
    read_back.model_calls(("call-2", "order_pizza_confirm", {"yes": True}), ("call-3", "end_call", {}))
    read_back.mailboxes.until(lambda: {"call-2", "call-3"} <= read_back.outputs().keys())
    assert [read_back.outputs()[each]["result"] for each in ("call-2", "call-3")] == ["baked", "hangup"]


def told_of_tasks(call: Call) -> str:
    return str(call.model.last("session.update")["session"]["instructions"])


def test_of_several_open_tasks_the_model_is_told_which_is_current_and_of_one_nothing_more(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    assert "Open task: order_pizza (run t1)" in told_of_tasks(call)
    alone = told_of_tasks(call)
    call.answered("call-2", "book_appointment")
    both = told_of_tasks(call)
    assert both.index("run t1") < both.index("run t2")
    extra = [line for line in both.splitlines() if "task" in line and "Open task" not in line and line not in alone]
    assert extra, "which of them is meant by default"


def test_a_step_that_was_answered_leaves_no_time_limit(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    before = call.mailboxes.timers
    call.answered("call-2", "order_pizza_provide", size="small")
    assert call.mailboxes.timers == before


# --- in the bot's language, and in the caller's ---


def speaking(mailboxes: WaitingDispatcher, *tags: str, **more: Any) -> Call:
    """A call whose bot begins in the first language, and may go on in the others. more: as in Call."""
    locales = {each.tag: each for each in spoken_together([locale_of(tag) for tag in tags])}
    profile = replace(PROFILE, locale=locales[tags[0]])
    if len(tags) > 1:
        spoken = {
            tag: {clip: replace(each, words=f"{tag} {clip.value}") for clip, each in CLIPS.items()} for tag in tags
        }
        profile = replace(profile, locales=locales, clips=spoken[tags[0]], clips_of=spoken)
    return Call(mailboxes, profile=profile, **more)


def asked_to_say(call: Call) -> str:
    told: dict[str, Any] = call.model.last("response.create")
    return str(told["response"]["instructions"]).splitlines()[-1]


def language_asked(call: Call) -> list[str] | None:
    """The languages that the model may pass when it opens a booking; None if it is not asked."""
    for tool in call.model.last("session.update")["session"]["tools"]:
        if tool["name"] == "book_appointment":
            asked: dict[str, Any] = tool["parameters"]["properties"].get("language", {})
            return asked.get("enum")
    raise AssertionError("booking is not offered")


def test_a_german_bot_asks_and_reads_back_in_german(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "de-DE").greeted()
    assert call.answered("call-1", "book_appointment", day="2026-11-24")["say"] == "Um wie viel Uhr?"
    assert "is to be asked: Um wie viel Uhr?" in call.model.last("session.update")["session"]["instructions"]
    assert call.answered("call-2", "book_appointment_provide", at="10:30", name="Ada")["say"] == (
        "Dienstag, 24. November, um 10 Uhr 30, auf den Namen Ada. Soll ich den Termin buchen?"
    )


def test_a_german_booking_is_agreed_to_and_told_in_german(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "de-DE").greeted()
    call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    spoken_to_its_end(call, call.outputs()["call-1"]["say"])
    call.caller_says("Ja, bitte.")
    told = confirms_booking(call, "call-2")
    assert (told["result"], told["say"]) == (
        "booked",
        "Ihr Termin am Dienstag, 24. November, um 10 Uhr 30 ist gebucht. Der Code lautet 4 7 1 1. "
        "Kann ich sonst noch etwas für Sie tun?",
    )


def test_what_a_german_bot_claims_too_early_is_corrected_in_german(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "de-DE").greeted()
    call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30")
    call.bot_says("Ihr Termin ist gebucht.", ms=1000)
    mailboxes.advance(3000)
    assert asked_to_say(call).endswith('Auf welchen Namen soll ich den Termin buchen?"')


def test_what_came_of_an_overdue_step_is_told_in_german_to_its_last_word(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    profile = replace(PROFILE, locale=spoken_together([locale_of("de-DE"), locale_of("en-GB")])[0])
    call = with_a_hanging_task(mailboxes, stuck, profile=profile)
    (agent,) = living(FsmAgent)
    mailboxes.advance(10_000)
    call.bot_says(call.outputs()["call-2"]["say"], ms=100)
    stuck.result = Failed("Der Ofen ist kaputt.")
    stuck.freed.set()
    mailboxes.until(agent.actor_stopped.is_set)
    assert asked_to_say(call).endswith('"Der Ofen ist kaputt. Kann ich sonst noch etwas für Sie tun?"')


def test_a_german_bot_breaks_a_silence_in_german(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "de-DE").greeted()
    call.mailboxes.advance(8000)
    assert asked_to_say(call) == 'Say to the caller, word for word: "Sind Sie noch da?"'


def test_the_model_tells_which_of_several_languages_is_spoken(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "en-GB", "de-DE").greeted()
    told = call.answered("call-1", "order_pizza", language="en-GB")
    assert "error" not in told
    first = call.answered("call-2", "book_appointment", language="de-DE")
    assert first["say"] == "Welcher Tag würde Ihnen passen?"
    assert call.answered("call-3", "book_appointment_provide", day="2026-11-24")["say"] == "Um wie viel Uhr?"


def test_a_bot_of_several_languages_asks_for_it_and_one_of_a_single_does_not(mailboxes: WaitingDispatcher) -> None:
    several = speaking(mailboxes, "en-GB", "de-DE").greeted()
    several.caller_says("Hello.")
    several.answered("call-1", "order_pizza")
    assert language_asked(several) == ["en-GB", "de-DE"]
    one = speaking(mailboxes, "de-DE").greeted()
    one.answered("call-1", "order_pizza")
    assert language_asked(one) is None


def recorded(call: Call) -> list[str]:
    """The recordings that the caller has heard to the end, by their words."""
    rows = (message.entry.row for message in call.journal.all(AppendRow))
    return [row.text for row in rows if isinstance(row, ClipRow)]


def test_recordings_are_played_in_the_language_that_is_spoken(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "en-GB", "de-DE").greeted()
    call.caller_says("Guten Tag.")
    mailboxes.advance(3000)
    call.answered("call-1", "book_appointment", language="de-DE")
    call.bot_says("Welcher Tag würde Ihnen passen?")
    mailboxes.advance(1000)
    call.caller_says("Morgen.")
    mailboxes.advance(3000)
    assert recorded(call) == ["en-GB one_moment", "de-DE one_moment"]


def test_a_call_without_the_language_stays_in_the_one_that_is_spoken(mailboxes: WaitingDispatcher) -> None:
    call = speaking(mailboxes, "de-DE", "en-GB").greeted()
    assert call.answered("call-1", "book_appointment", language="fr-FR")["say"] == "Welcher Tag würde Ihnen passen?"
    assert "error" not in call.outputs()["call-1"], "what the bot does not speak is passed over"


def test_the_language_of_a_call_outlives_its_process(mailboxes: WaitingDispatcher) -> None:
    first = speaking(mailboxes, "en-GB", "de-DE").greeted()
    first.answered("call-1", "book_appointment", language="de-DE")
    second = speaking(mailboxes, "en-GB", "de-DE", resume_state=left_by(first))
    second.model_is_ready()
    assert asked_to_say(second) == 'Say to the caller, word for word: "Welcher Tag würde Ihnen passen?"'
    assert second.answered("call-2", "book_appointment_provide", day="2026-11-24")["say"] == "Um wie viel Uhr?"


GERMAN_READBACK = "Dienstag, 24. November, um 10 Uhr 30, auf den Namen Ada. Soll ich den Termin buchen?"


def german_booking(mailboxes: WaitingDispatcher, engine: Engine, *tags: str) -> Call:
    """A call in which a booking has been read back in German, and heard to its end."""
    call = speaking(mailboxes, *tags, effects=EffectRunner(engine, OneWith(AGENTS), lambda: BEGAN)).greeted()
    call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada", language="de-DE")
    spoken_to_its_end(call, GERMAN_READBACK)
    return call


def confirms_booking(call: Call, call_id: str) -> dict[str, Any]:
    call.model_calls((call_id, "book_appointment_confirm", {"yes": True}))
    return output_of(call, call_id)


@pytest.mark.parametrize(
    ("tags", "yes"), [(("de-DE",), "Ja."), (("en-GB", "de-DE"), "Ja, bitte."), (("en-GB", "de-DE"), "Yes.")]
)
def test_a_german_yes_books_once(mailboxes: WaitingDispatcher, engine: Engine, tags: tuple[str, ...], yes: str) -> None:
    call = german_booking(mailboxes, engine, *tags)
    call.caller_says(yes)
    told = confirms_booking(call, "call-2")
    assert told["result"] == "booked"
    assert told["say"].startswith("Ihr Termin am Dienstag, 24. November, um 10 Uhr 30 ist gebucht.")
    assert len(AppointmentBook(engine).by_conversation("c-1")) == 1


@pytest.mark.parametrize(
    "words", ["Nein, elf.", "Ja, aber lieber elf.", "Ja, um elf.", "Lieber nicht.", "Ja, no.", "Oui."]
)
@pytest.mark.parametrize("tags", [("de-DE",), ("en-GB", "de-DE")], ids=["German", "caller"])
def test_what_is_no_german_yes_books_nothing(
    mailboxes: WaitingDispatcher, engine: Engine, tags: tuple[str, ...], words: str
) -> None:
    call = german_booking(mailboxes, engine, *tags)
    call.caller_says(words)
    assert confirms_booking(call, "call-2")["error"] == "not_a_yes"
    asked = call.model.last("response.create")["response"]["instructions"]
    assert asked.endswith(f'Say to the caller, word for word: "{GERMAN_READBACK}"')
    assert AppointmentBook(engine).by_conversation("c-1") == []


def test_a_german_paraphrase_with_another_time_is_read_back_again(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    call = german_booking(mailboxes, engine, "de-DE")
    call.caller_says("Wie bitte?")
    spoken_to_its_end(call, "Also morgen um halb zwölf für Ada. Ist das richtig?")
    call.caller_says("Ja.")
    assert confirms_booking(call, "call-2")["error"] == "misstated"
    spoken_to_its_end(call, "Also am 24.11. um halb elf für Ada. Ist das richtig?")
    call.caller_says("Ja, genau.")
    assert confirms_booking(call, "call-3")["result"] == "booked"


def test_a_false_german_statement_is_taken_back_in_german(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    call = german_booking(mailboxes, engine, "de-DE")
    call.caller_says("Moment bitte.")
    call.bot_says("Ihr Termin ist gebucht.", ms=1000)
    call.mailboxes.advance(2000)
    asked = call.model.last("response.create")["response"]["instructions"]
    assert "Entschuldigung, das war nicht richtig: Es ist noch nichts gebucht." in asked
