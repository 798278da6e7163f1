"""The actor of one task: it answers every function call once, resumes from a snapshot, and crashes alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest
from sqlalchemy import Engine

from actors.messages.call import CallMessage, TaskAnswered
from actors.messages.model import OutOfBandRequest
from actors.messages.task import Invoke
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from actors.tasks.agent import FsmAgent
from actors.tasks.effect_runner import EffectRunner
from appointments.book_appointment import BOOK_APPOINTMENT
from appointments.bookings import AppointmentBook
from fsm.effects import EffectRequest, EffectResult
from fsm.run import Snapshot
from protocols.errors import MisuseError
from tests.actors.bots import OneWith
from tests.actors.calls import BEGAN, PIZZA, PIZZA_SLOTS, Effect, Kitchen, Oven
from tests.fsm.tables import TRIAGE, context
from tests.probe import ThreadProbe


class Bench:
    """FsmAgents of one run, one after another; the call and the parent only listen."""

    def __init__(self) -> None:
        self.call, self.parent = ThreadProbe[CallMessage](), ThreadProbe[ChildDied]()
        self.agents: list[pykka.ActorRef[FsmAgent]] = []

    def start(self, effect: Effect | None = None, snapshot: Snapshot | None = None, **how: Any) -> None:
        spec = how.get("spec", PIZZA)
        effects = how.get("effects", Kitchen({"pizza.bake": effect or Oven()}))
        parent_link = ParentLink(self.parent, "task:t1", len(self.agents) + 1)
        self.agents.append(FsmAgent.start(parent_link, spec, context(), effects, snapshot, self.call))

    def invoke(self, call_id: str, tool: str, **arguments: object) -> None:
        self.agents[-1].tell(Invoke(call_id, tool, json.dumps(arguments)))

    def answer(self) -> TaskAnswered:
        return self.call.expect(TaskAnswered)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for agent in bench.agents:
        agent.stop(timeout=60)


def output(answered: TaskAnswered) -> dict[str, Any]:
    assert answered.answer is not None
    told = json.loads(answered.answer.output)
    assert isinstance(told, dict)
    return told


def slots(answered: TaskAnswered) -> dict[str, object]:
    return {item.name: item.value for item in answered.status.snapshot.items if item.category == "slot"}


def outcome(answered: TaskAnswered) -> str | None:
    return None if answered.answer is None else answered.answer.outcome


def fault(answered: TaskAnswered) -> str | None:
    return None if answered.answer is None else answered.answer.fault


def test_the_opening_call_is_answered_with_the_tasks_state_its_tools_and_its_instructions(bench: Bench) -> None:
    bench.start()
    bench.invoke("call-1", "order_pizza", size="small")
    answered = bench.answer()
    assert (answered.run_id, answered.step_id) == ("t1", "call-1")
    assert output(answered)["say"] == "How many?"
    assert {tool.name for tool in answered.status.tools} == {"order_pizza_provide", "order_pizza_cancel"}
    assert "t1" in answered.status.instructions
    assert slots(answered) == {"size": "small"}
    assert outcome(answered) is None


def test_every_call_is_answered_in_its_turn_with_the_state_it_led_to(bench: Bench) -> None:
    oven = Oven()
    bench.start(oven)
    bench.invoke("call-1", "order_pizza")
    bench.invoke("call-2", "order_pizza_provide", **PIZZA_SLOTS)
    bench.invoke("call-3", "order_pizza_confirm", yes=True)
    answers = [bench.answer() for _ in range(3)]
    assert [each.step_id for each in answers] == ["call-1", "call-2", "call-3"]
    assert [each.status.snapshot.visited[-1] for each in answers] == ["What", "Confirm", "Baked"]
    assert outcome(answers[-1]) == "baked"
    assert len(oven.requests) == 1


def test_a_call_that_does_not_fit_is_answered_with_its_fault_and_ends_nothing(bench: Bench) -> None:
    bench.start()
    bench.invoke("call-1", "order_pizza")
    bench.invoke("call-2", "order_pizza_confirm", yes=True)
    bench.agents[-1].tell(Invoke("call-3", "order_pizza_provide", "{not json"))
    bench.invoke("call-4", "order_pizza_provide", size="large")
    assert [fault(bench.answer()) for _ in range(4)] == ["", "wrong_state", "bad_json", ""]
    bench.parent.expect_nothing()


def test_the_opening_function_called_again_is_taken_as_more_of_the_same_task(bench: Bench) -> None:
    bench.start()
    bench.invoke("call-1", "order_pizza", size="small")
    bench.invoke("call-2", "order_pizza", count=2)
    bench.answer()
    assert slots(bench.answer()) == {"size": "small", "count": 2}


@pytest.mark.parametrize("death", [RuntimeError("a bug"), SystemExit(3)], ids=["exception", "sys.exit"])
def test_a_bug_in_an_effect_is_reported_to_the_parent_and_the_next_agent_goes_on_from_the_snapshot(
    bench: Bench, death: BaseException
) -> None:
    oven = Oven(death)
    bench.start(oven)
    bench.invoke("call-1", "order_pizza", **PIZZA_SLOTS)
    snapshot = bench.answer().status.snapshot
    bench.invoke("call-2", "order_pizza_confirm", yes=True)
    died = bench.parent.expect(ChildDied)
    assert (died.child, died.generation, type(died.reason)) == ("task:t1", 1, type(death))
    bench.call.expect_nothing()

    bench.start(oven, snapshot)
    bench.invoke("call-2", "order_pizza_confirm", yes=True)
    answered = bench.answer()
    assert (answered.step_id, outcome(answered)) == ("call-2", "baked")
    first, second = oven.requests
    assert first.key == second.key


def test_a_restored_run_takes_its_opening_function_as_more_values(bench: Bench) -> None:
    bench.start()
    bench.invoke("call-1", "order_pizza", size="small")
    snapshot = bench.answer().status.snapshot
    bench.start(snapshot=snapshot)
    bench.invoke("call-2", "order_pizza", count=2)
    assert slots(bench.answer()) == {"size": "small", "count": 2}


@pytest.mark.parametrize(
    ("answer", "says"),
    [("urgent", "I will put you through."), ("normal", "Visit or post?"), (None, "Visit or post?")],
)
def test_a_task_goes_on_as_the_model_answers_its_question(bench: Bench, answer: str | None, says: str) -> None:
    bench.start(spec=TRIAGE, effects=Kitchen({}))
    bench.invoke("call-1", "triage", hours=2)
    bench.call.expect(OutOfBandRequest).reply.set(answer)
    assert output(bench.answer())["say"] == says


def test_a_snapshot_of_another_task_crashes_the_agent_at_its_start(bench: Bench) -> None:
    bench.start()
    bench.invoke("call-1", "order_pizza")
    snapshot = bench.answer().status.snapshot
    bench.start(snapshot=snapshot, spec=BOOK_APPOINTMENT)
    died = bench.parent.expect(ChildDied)
    assert died.generation == 2
    assert isinstance(died.reason, MisuseError)


def test_an_agent_that_is_told_to_stop_answers_first_what_it_was_asked_before(bench: Bench) -> None:
    bench.start()
    bench.invoke("call-1", "order_pizza")
    bench.agents[-1].stop(block=False)
    assert bench.answer().step_id == "call-1"
    assert bench.parent.expect(ChildDied).reason is None


class CrashesAfterwards:
    """An effect that is carried out, and whose answer is then lost in a crash; the next time all goes well."""

    def __init__(self, effect: Callable[[EffectRequest], EffectResult]) -> None:
        self._effect, self._crashed = effect, False

    def __call__(self, request: EffectRequest) -> EffectResult:
        result = self._effect(request)
        if not self._crashed:
            self._crashed = True
            raise RuntimeError("between the commit and the answer")
        return result


def test_a_crash_between_the_booking_and_its_answer_books_once(bench: Bench, engine: Engine) -> None:
    runner = EffectRunner(engine, OneWith({BOOK_APPOINTMENT.name: BOOK_APPOINTMENT}), lambda: BEGAN)
    crashes = CrashesAfterwards(lambda request: runner.carry_out("appointments.book", request))
    how: dict[str, Any] = {"spec": BOOK_APPOINTMENT, "effects": Kitchen({"appointments.book": crashes})}
    bench.start(**how)
    bench.invoke("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    snapshot = bench.answer().status.snapshot
    bench.invoke("call-2", "book_appointment_confirm", yes=True)
    bench.parent.expect(ChildDied)
    bench.start(snapshot=snapshot, **how)
    bench.invoke("call-2", "book_appointment_confirm", yes=True)
    told = output(bench.answer())
    (appointment,) = AppointmentBook(engine).all()
    assert told["result"] == "booked"
    assert told["values"] == {"appointment": appointment.id}
