"""Taking over a call in the middle of a task: what is continued, and what the caller hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.call.replay import new_transcript
from actors.call.speech import LINE_BACK
from actors.clips import Clip
from actors.messages.call import FunctionCalled
from actors.messages.journal import AppendRow, CallOpening, ResumeState
from actors.messages.journal_rows import (
    CalledRow,
    ForeignSnapshot,
    JournalEntry,
    OwedRow,
    ResumedRow,
    TaskRow,
    UnreadRow,
)
from actors.system.address import NullRef
from actors.tasks.claims import SAID_WRONGLY
from actors.tasks.effect_attempts import UNSURE
from actors.tasks.effect_runner import EffectRunner
from actors.tasks.replay import keys_ahead
from actors.tasks.router import AGAIN, SORRY
from actors.transport.dialler import DialFailed
from appointments.bookings import AppointmentBook
from fsm.answer import Snapshot
from fsm.effects import EffectResult, Failed, Refused
from fsm.spec import Act, AgentSpec, Collect, Confirm, Slot
from protocols.media import MULAW
from protocols.vaic import SessionInitiate
from store.journal import Journal
from tests.actors.bots import OneWith
from tests.actors.calls import (
    AGENTS,
    BEGAN,
    BOOKED,
    PIZZA_SLOTS,
    PROFILE,
    Call,
    FakeDialler,
    Oven,
    WaitingDispatcher,
    call_services,
    left_by,
    rows_of,
)
from tests.counted import counted
from tests.fsm.tables import Size, table

TOLD = "Your appointment on Tuesday 24 November at 10:30 is booked."


class Left:
    """A call whose yes was carried out, and whose process died then. rows: its journal up to some moment."""

    def __init__(self, mailboxes: WaitingDispatcher, engine: Engine) -> None:
        self.effects = EffectRunner(engine, OneWith(AGENTS), lambda: BEGAN)
        self._mailboxes, self._engine = mailboxes, engine
        call = Call(mailboxes, effects=self.effects).greeted()
        call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
        call.answered("call-2", "book_appointment_confirm", yes=True)
        self.rows = list(rows_of(call))

    def until(self, kind: str, number: int) -> list[JournalEntry]:
        """The rows before the n-th of a kind."""
        cut = [index for index, row in enumerate(self.rows) if row.row.kind == kind][number - 1]
        return self.rows[:cut]

    def taken_over(self, rows: list[JournalEntry]) -> Call:
        keys = keys_ahead("c-1", rows)
        acted = frozenset(keys[key] for key in Journal(self._engine).begun(keys))
        return Call(self._mailboxes, effects=self.effects, resume_state=ResumeState(CallOpening(), tuple(rows), acted))


@pytest.fixture
def left(mailboxes: WaitingDispatcher, engine: Engine) -> Left:
    return Left(mailboxes, engine)


def asked_to_say(call: Call) -> str:
    last: dict[str, Any] = call.model.last("response.create")
    return str(last["response"]["instructions"])


def is_said(call: Call, words: str) -> bool:
    """Whether the model was asked to say this, or was told it as the output of a function call."""
    asked = (str(each["response"].get("instructions", "")) for each in call.model.all("response.create"))
    return any(words in each for each in asked) or words in str(call.outputs())


@pytest.mark.parametrize(("kind", "number"), [("called", 2), ("task", 2), ("answered", 2)])
def test_a_confirmed_effect_is_finished_after_a_takeover_without_asking_again(
    left: Left, engine: Engine, kind: str, number: int
) -> None:
    call = left.taken_over(left.until(kind, number))
    call.mailboxes.until(lambda: call.describe().tasks[0].result == "booked")
    call.model_is_ready()
    if kind == "called":
        assert TOLD in asked_to_say(call)
    else:
        assert TOLD in call.outputs()["call-2"]["say"]
        call.bot_says(TOLD)
        call.mailboxes.advance(3000)
        assert len(call.model.all("response.create")) == 1, "it is not told twice"
    assert len(AppointmentBook(engine).all()) == 1


def test_an_effect_found_after_a_takeover_is_announced_once_the_model_can_speak(left: Left) -> None:
    call = left.taken_over(left.until("called", 2))
    call.model_is_ready()
    call.bot_says("Sorry, the line was interrupted.")
    call.mailboxes.until(lambda: TOLD in asked_to_say(call))


def test_a_call_taken_over_keeps_tokens_clips_and_errors_in_its_record(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    first.dialler.refusals = [DialFailed(403, "refused at the upgrade", final=True)] * 2
    first.model.breaks()
    mailboxes.advance(2000)  # a sentence of ours is heard; then its process is gone, before it can hang up
    left = first.describe()
    assert left.usage == {"output_tokens": 50}
    assert [turn.text for turn in left.turns] == ["Hello.", Clip.CALL_AGAIN.value]
    assert len(left.errors) == 1

    second = Call(mailboxes, resume_state=left_by(first))
    second.ends()
    (record,) = second.records()
    assert (record.usage, record.turns, record.errors) == (left.usage, left.turns, left.errors)


def test_a_call_goes_on_after_a_journal_row_that_cannot_be_read(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    rows = rows_of(first)
    unread = JournalEntry("c-1", len(rows) + 1, rows[-1].at, UnreadRow("caller_smiled", known=False))
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), (*rows, unread)))
    # Rows have numbers: one that is there already would not be written.
    assert second.journal.expect(AppendRow).entry.seq == unread.seq + 1
    second.ends()
    (record,) = second.records()
    assert [turn.text for turn in record.turns] == ["Hello."]
    assert record.errors == ()


def test_what_was_read_back_and_not_answered_is_done_after_a_yes_and_not_before(mailboxes: WaitingDispatcher) -> None:
    oven = Oven()
    first = Call(mailboxes, effects={"pizza.bake": oven}).greeted()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    second = Call(mailboxes, effects={"pizza.bake": oven}, resume_state=left_by(first))
    second.model_is_ready()
    assert asked_to_say(second).endswith('"2 small, none. Right?"')
    second.bot_says("2 small, none. Right?", ms=1000)
    mailboxes.advance(1000)
    second.caller_says("Yes.")
    assert oven.requests == []
    second.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    mailboxes.until(lambda: "call-2" in second.outputs())
    assert second.outputs()["call-2"]["result"] == "baked"
    assert len(oven.requests) == 1


def test_a_yes_that_was_not_carried_out_before_a_takeover_is_asked_for_again(mailboxes: WaitingDispatcher) -> None:
    oven = Oven()
    first = Call(mailboxes, effects={"pizza.bake": oven}).greeted()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    first.hears_out()
    called = FunctionCalled("call-2", "order_pizza_confirm", '{"yes": true}', "r-9")
    rows = rows_of(first)
    row = CalledRow(call=called.call_id, name=called.name, arguments=called.arguments, response=called.response_id)
    rows = (*rows, JournalEntry("c-1", len(rows) + 1, BEGAN, row))
    second = Call(mailboxes, effects={"pizza.bake": oven}, resume_state=ResumeState(CallOpening(), rows))
    mailboxes.until(lambda: len(second.describe().tasks) == 1 and "answered" in second.row_kinds())
    second.model_is_ready()
    assert (second.outputs()["call-2"]["error"], oven.requests) == ("unheard", [])
    assert "2 small, none. Right?" in asked_to_say(second)
    second.bot_says("2 small, none. Right?", ms=1000)
    mailboxes.advance(1000)
    second.caller_says("Yes.")
    second.model_calls(("call-3", "order_pizza_confirm", {"yes": True}))
    mailboxes.until(lambda: "call-3" in second.outputs())
    assert second.outputs()["call-3"]["result"] == "baked"
    assert len(oven.requests) == 1


def test_an_effect_begun_before_a_takeover_confirms_no_later_read_back(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    oven = Oven(Refused("Not like this."))
    left = ResumeState(CallOpening(), rows_of(first), frozenset({"t1"}))
    second = Call(mailboxes, effects={"pizza.bake": oven}, resume_state=left)
    mailboxes.until(lambda: len(oven.requests) == 1)
    second.model_is_ready()
    second.bot_says("Not like this. How many?", ms=500)
    mailboxes.advance(500)
    assert second.answered("call-2", "order_pizza_provide", note="none", crisp=False)["say"].endswith("Right?")
    second.model_calls(("call-3", "order_pizza_confirm", {"yes": True}))
    mailboxes.until(lambda: "call-3" in second.outputs())
    assert second.outputs()["call-3"]["error"] == "unheard"
    assert len(oven.requests) == 1
    assert second.answered("call-4", "order_pizza_confirm", yes=True)["result"] == "baked"


@pytest.mark.parametrize("result", [BOOKED, Failed("The book is lost.")], ids=["done", "failed"])
def test_a_result_that_the_caller_has_not_heard_is_told_after_a_takeover(
    mailboxes: WaitingDispatcher, result: EffectResult
) -> None:
    first = Call(mailboxes, effects={"appointments.book": Oven(result)}).greeted()
    first.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    due = first.answered("call-2", "book_appointment_confirm", yes=True)["say"]
    first.bot_says("We are open from nine to five.", ms=500)
    mailboxes.advance(500)
    second = Call(mailboxes, resume_state=left_by(first))
    second.model_is_ready()
    second.bot_says("I am back.", ms=500)
    mailboxes.advance(500)
    second.model.frames.clear()
    mailboxes.advance(2000)
    assert due in asked_to_say(second)
    second.bot_says(due, ms=500)
    mailboxes.advance(500)
    assert rows_of(second)[-1].row == OwedRow()


def test_a_false_statement_of_the_bot_is_corrected_after_a_takeover(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    first.bot_says("I have booked you in.", ms=500)
    mailboxes.advance(500)
    due = asked_to_say(first)
    assert "wrongly" in due
    second = Call(mailboxes, resume_state=left_by(first))
    second.model_is_ready()
    second.model.frames.clear()
    second.bot_says("I am back.", ms=500)
    mailboxes.advance(500)
    assert asked_to_say(second) == due


def test_an_older_release_goes_on_without_what_is_owed(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    first.bot_says("I have booked you in.", ms=500)
    mailboxes.advance(500)
    rows = [
        replace(entry, row=UnreadRow("owed", known=False)) if isinstance(entry.row, OwedRow) else entry
        for entry in rows_of(first)
    ]
    assert UnreadRow("owed", known=False) in [entry.row for entry in rows]
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), tuple(rows)))
    second.ends()
    (record,) = second.records()
    assert record.errors == ()


def test_a_task_that_waits_behind_another_is_come_back_to(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", size="small")
    first.answered("call-2", "book_appointment")
    second = Call(mailboxes, resume_state=left_by(first))
    second.model_is_ready()
    told = second.answered("call-3", "book_appointment_cancel")
    assert (told["result"], told["next"]) == ("cancelled", "How many?")


def test_a_function_call_that_was_answered_before_a_takeover_is_not_carried_out_again(
    mailboxes: WaitingDispatcher,
) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", size="small")
    second = Call(mailboxes, resume_state=left_by(first))
    second.model_is_ready()
    second.model_calls(("call-1", "book_appointment", {}))
    assert second.outputs()["call-1"]["error"] == "call_id_used"
    assert [task.agent for task in second.describe().tasks] == ["order_pizza"]


FOREIGN = ForeignSnapshot(visited=("CollectDate", "Payment"))


def test_a_task_of_another_release_that_had_ended_stays_as_it_was(left: Left) -> None:
    rows = left.until("task", 2)
    task = TaskRow(run="t1", agent="book_appointment", response="r-1", result="booked", snapshot=FOREIGN)
    second = left.taken_over([*rows, JournalEntry("c-1", len(rows) + 1, BEGAN, task)])
    second.ends()
    (record,) = second.records()
    assert [(each.states, each.result) for each in record.tasks] == [(FOREIGN.visited, "booked")]
    assert second.row_kinds().count("task") == 0


def test_a_task_whose_snapshot_cannot_be_read_begins_again_and_the_caller_hears_so(
    mailboxes: WaitingDispatcher,
) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", size="small")
    rows = rows_of(first)
    task = TaskRow(run="t1", agent="order_pizza", response="r-1", result="open", snapshot=FOREIGN)
    rows = (*rows, JournalEntry("c-1", len(rows) + 1, BEGAN, task))
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    begun_again(second)
    assert is_said(second, f"{AGAIN} Small or large?")
    second.ends()
    (record,) = second.records()
    assert [(each.run_id, each.result) for each in record.tasks] == [("t1", "begun_again"), ("t2", "abandoned")]


def test_a_function_of_the_run_that_was_begun_again_goes_to_the_run_in_its_place(mailboxes: WaitingDispatcher) -> None:
    call = pizza_taken_over(mailboxes, table(), TOPPED, Oven(), **PIZZA_SLOTS)
    begun_again(call)
    assert call.answered("call-7", "order_pizza_provide", topping="figs", task="t1")["task"] == "t2"


def begun_again(call: Call) -> None:
    """The second run has taken its first step, and then the model is ready."""
    call.mailboxes.until(lambda: [bool(task.states) for task in call.describe().tasks] == [True, True])
    call.model_is_ready()


def pizza_taken_over(
    mailboxes: WaitingDispatcher, before: AgentSpec, after: AgentSpec, effect: Oven, **slots: object
) -> Call:
    """An order that was begun with one table and is taken over with another one."""
    first = Call(mailboxes, agents={before.name: before}).greeted()
    first.answered("call-1", "order_pizza", **slots)
    return Call(mailboxes, agents={after.name: after}, effects={"pizza.bake": effect}, resume_state=left_by(first))


TOPPED = table(
    slots={"topping": Slot(str, ask="Which topping?")},
    states={"Topping": Collect(slots=("topping",))},
    transitions={("Details", "filled"): "Topping", ("Topping", "filled"): "Confirm", ("Topping", "gave_up"): "Human"},
)
WITHOUT_NOTE = table(
    slots={"note": None},
    states={"Details": Collect(slots=("crisp",)), "Confirm": Confirm("{count} {size.value}. Right?")},
)


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [(table(), TOPPED, "Which topping?"), (table(), WITHOUT_NOTE, "2 small. Right?"),
     (WITHOUT_NOTE, table(), "Any wishes?")],
    ids=["a question more", "a slot less", "a slot more"],
)  # fmt: skip
def test_a_task_whose_table_has_changed_begins_again_with_its_slots_and_the_caller_hears_so(
    mailboxes: WaitingDispatcher, before: AgentSpec, after: AgentSpec, asks: str
) -> None:
    oven, given = Oven(), {name: value for name, value in PIZZA_SLOTS.items() if name in before.slots}
    call = pizza_taken_over(mailboxes, before, after, oven, **given)
    begun_again(call)
    assert is_said(call, f"{AGAIN} {asks}")
    missing = {name: "figs" for name in after.slots if name not in given}
    call.answered("call-7", "order_pizza_provide", **missing)
    assert call.answered("call-8", "order_pizza_confirm", yes=True)["result"] == "baked"
    (request,) = oven.requests
    assert request.slots["count"] == 2
    assert request.context.run_id == "t2"
    assert [(each.run_id, each.result) for each in call.describe().tasks] == [("t1", "begun_again"), ("t2", "baked")]


def test_a_task_goes_on_where_its_states_still_exist(mailboxes: WaitingDispatcher) -> None:
    also = table(
        states={"Rethink": Collect(slots=("note",))},
        slots={"size": Slot(Size, ask="Which size?"), "sauce": Slot(str, optional=True)},
        transitions={("Confirm", "no"): "Rethink", ("Rethink", "filled"): "Confirm", ("Rethink", "gave_up"): "Human"},
    )
    call = pizza_taken_over(mailboxes, table(), also, Oven(), **PIZZA_SLOTS)
    call.model_is_ready()
    assert AGAIN not in asked_to_say(call)
    assert call.answered("call-8", "order_pizza_confirm", yes=True)["result"] == "baked"
    assert [each.result for each in call.describe().tasks] == ["baked"]


def test_a_yes_that_a_changed_table_finds_begun_is_not_taken_twice(left: Left) -> None:
    rows = left.until("task", 2)
    states = next(each.row for each in rows if isinstance(each.row, TaskRow)).snapshot
    assert states is not None
    foreign = ForeignSnapshot(visited=states.visited)
    rows = [
        replace(each, row=each.row.model_copy(update={"snapshot": foreign})) if isinstance(each.row, TaskRow) else each
        for each in rows
    ]
    second = left.taken_over(rows)
    second.model_is_ready()
    assert is_said(second, UNSURE)
    assert [task.result for task in second.describe().tasks] == ["failed"]
    assert "owed" in second.row_kinds(), "a third process would say it too"
    for words in ("Hello again.", "What can I do for you?"):  # in place of what it was asked to say
        second.bot_says(words, ms=500)
        second.mailboxes.advance(500)
    before = len(second.model.all("response.create"))
    second.mailboxes.advance(2000)
    assert UNSURE in str(second.model.all("response.create")[before:]), "it is said again until it was heard"


def with_another_table(rows: Sequence[JournalEntry], *, readable: bool = True) -> tuple[JournalEntry, ...]:
    """The rows as a release reads them whose booking has another table. readable: its snapshots, by their fields."""

    def changed(row: TaskRow) -> TaskRow:
        before = row.snapshot
        assert isinstance(before, Snapshot)
        visited = ("Deposit", *before.visited[1:])
        item = before.items[0].model_copy(update={"name": "deposit", "value": 20})
        now = before.model_copy(update={"visited": visited, "items": (item, *before.items)})
        return row.model_copy(update={"snapshot": now if readable else ForeignSnapshot(visited=visited)})

    return tuple(replace(each, row=changed(each.row)) if isinstance(each.row, TaskRow) else each for each in rows)


@pytest.mark.parametrize("readable", [True, False])
def test_what_was_done_with_another_table_is_not_denied_after_a_takeover(
    mailboxes: WaitingDispatcher, readable: bool
) -> None:
    first = Call(mailboxes, effects={"appointments.book": Oven(BOOKED)}).greeted()
    first.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    first.answered("call-2", "book_appointment_confirm", yes=True)
    rows = with_another_table(rows_of(first), readable=readable)
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    second.model.frames.clear()
    second.bot_says(TOLD, ms=500)
    mailboxes.advance(500)
    assert rows_of(second)[-1].row == OwedRow()
    assert second.model.all("response.create") == []
    second.bot_says("It is booked for Wednesday.", ms=500)
    mailboxes.advance(500)
    assert (f"{SAID_WRONGLY} {TOLD}" if readable else UNSURE) in asked_to_say(second)


@pytest.mark.parametrize("readable", [True, False])
def test_what_was_done_with_another_table_and_heard_is_not_denied_after_a_takeover(
    mailboxes: WaitingDispatcher, readable: bool
) -> None:
    first = Call(mailboxes, effects={"appointments.book": Oven(BOOKED)}).greeted()
    first.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    first.answered("call-2", "book_appointment_confirm", yes=True)
    first.bot_says(TOLD, ms=500)
    mailboxes.advance(500)
    rows = with_another_table(rows_of(first), readable=readable)
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    second.model.frames.clear()
    second.bot_says("It is booked.", ms=500)
    mailboxes.advance(500)
    assert [
        each["response"]["instructions"].endswith(f'"{UNSURE}"') for each in second.model.all("response.create")
    ] == ([] if readable else [True])


@pytest.mark.parametrize("changed", [False, True])
def test_a_yes_whose_outcome_was_unknown_is_not_denied_after_a_takeover(
    mailboxes: WaitingDispatcher, changed: bool
) -> None:
    first = Call(mailboxes, effects={"appointments.book": Oven(*[RuntimeError("a bug")] * 3)}).greeted()
    first.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    assert first.answered("call-2", "book_appointment_confirm", yes=True)["say"] == UNSURE
    rows = with_another_table(rows_of(first)) if changed else rows_of(first)
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    second.model.frames.clear()
    second.bot_says("It is booked.", ms=500)
    mailboxes.advance(500)
    assert asked_to_say(second).endswith(f'"{UNSURE}"')


def test_a_task_that_failed_before_anything_could_be_done_leaves_no_doubt_after_a_takeover(
    mailboxes: WaitingDispatcher,
) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "book_appointment", day="2026-11-24")
    rows = tuple(
        replace(each, row=each.row.model_copy(update={"result": "failed"})) if isinstance(each.row, TaskRow) else each
        for each in rows_of(first)
    )
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    second.model.frames.clear()
    second.bot_says("It is booked.", ms=500)
    mailboxes.advance(500)
    assert "nothing is booked yet" in asked_to_say(second)


def test_a_second_takeover_by_a_changed_table_leaves_the_doubt(left: Left) -> None:
    second = left.taken_over(list(with_another_table(left.until("task", 2))))
    assert [task.result for task in second.describe().tasks] == ["failed"]
    third = left.taken_over([*with_another_table(left.until("task", 2)), *rows_of(second)])
    third.model_is_ready()
    third.bot_says("It is booked.", ms=500)
    third.mailboxes.advance(500)
    assert asked_to_say(third).endswith(f'"{UNSURE}"')
    assert third.row_kinds().count("task") == 0, "it is failed, and recorded so, already"


@pytest.mark.parametrize(("cut", "asked"), [(("called", 2), 1), (("task", 2), 0)], ids=["not called", "called"])
def test_the_doubt_about_a_changed_table_is_told_once(left: Left, cut: tuple[str, int], asked: int) -> None:
    second = left.taken_over(list(with_another_table(left.until(*cut))))
    second.model_is_ready()
    said = [each for each in second.model.all("response.create") if UNSURE in str(each)]
    told = [output for output in second.outputs().values() if output["say"] == UNSURE]
    assert (len(said), len(told)) == (asked, 1 - asked)
    assert len(second.model.all("response.create")) == 1


def test_of_a_task_that_this_release_does_not_have_and_that_may_have_acted_nobody_knows(left: Left) -> None:
    rows = [
        replace(each, row=each.row.model_copy(update={"agent": "of_another_release"}))
        if isinstance(each.row, TaskRow)
        else each
        for each in left.until("called", 2)
    ]
    second = left.taken_over(rows)
    second.model_is_ready()
    assert is_said(second, UNSURE)
    assert not is_said(second, SORRY)


@pytest.mark.parametrize("kind", ["task", None])
def test_a_new_run_never_has_the_number_of_one_whose_row_cannot_be_read(
    mailboxes: WaitingDispatcher, kind: str | None
) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", size="small")
    first.answered("call-2", "book_appointment", day="2026-11-24")
    lost, kept = ("t2", "t1") if kind else ("t1", "t2")
    rows = tuple(
        replace(each, row=UnreadRow(kind or "of_another_release", known=True))
        if isinstance(each.row, TaskRow) and each.row.run == lost
        else each
        for each in rows_of(first)
    )
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    opener = "book_appointment" if kind else "order_pizza"
    assert second.answered("call-9", opener)["task"] == "t3"
    assert [task.run_id for task in second.describe().tasks] == [kept, "t3"]


def test_a_value_that_the_store_gave_is_not_handed_to_the_run_that_begins_again(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", size="small")
    rows = with_another_table(rows_of(first))
    stored = table(slots={"deposit": Slot(int, stored=True)}, states={"Bake": Act("pizza.bake", fills=("deposit",))})
    before = untaken()
    second = Call(mailboxes, agents={stored.name: stored}, resume_state=ResumeState(CallOpening(), rows))
    begun_again(second)
    assert is_said(second, f"{AGAIN} How many?")
    assert untaken() == before


def untaken() -> float:
    """How many values the model has sent that no function takes."""
    return counted("tieline_task_faults_total", fault="unknown_property")


def test_a_run_that_begins_again_and_ends_at_once_says_both(mailboxes: WaitingDispatcher) -> None:
    at_once = table(
        states={"Confirm": Confirm("{note}. Right?")},
        transitions={("What", "filled"): "Cancelled", ("What", "gave_up"): "Details"},
    )
    first = Call(mailboxes).greeted()
    first.answered("call-1", "order_pizza", size="small", count=2)
    rows = with_another_table(rows_of(first))
    call = Call(mailboxes, agents={at_once.name: at_once}, resume_state=ResumeState(CallOpening(), rows))
    begun_again(call)
    assert is_said(call, f"{AGAIN} No pizza then.")


def test_an_open_task_that_this_release_does_not_have_has_failed_and_the_caller_hears_so(
    mailboxes: WaitingDispatcher,
) -> None:
    rows = rows_of(Call(mailboxes).greeted())
    gone = TaskRow(run="t1", agent="of_another_release", response="r-1", result="open", snapshot=FOREIGN)
    rows = (*rows, JournalEntry("c-1", len(rows) + 1, BEGAN, gone))
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    assert is_said(second, SORRY)
    second.answered("call-9", "order_pizza", size="small")
    tasks = [(task.run_id, task.agent, task.result) for task in second.describe().tasks]
    assert tasks == [("t1", "of_another_release", "failed"), ("t2", "order_pizza", "open")]


@pytest.mark.parametrize(
    ("agent", "snapshot"), [("of_another_release", None), ("order_pizza", None), ("order_pizza", FOREIGN)]
)
def test_a_task_that_this_release_cannot_go_on_with_leaves_the_others_as_they_were(
    left: Left, agent: str, snapshot: ForeignSnapshot | None
) -> None:
    rows = left.until("task", 2)
    gone = TaskRow(run="t0", agent=agent, response="r-0", result="open", snapshot=snapshot)
    second = left.taken_over([JournalEntry("c-1", 0, BEGAN, gone), *rows])
    tasks = second.describe
    second.mailboxes.until(lambda: "booked" in [each.result for each in tasks().tasks if each.run_id == "t1"])


def test_a_goodbye_that_was_not_carried_out_before_a_takeover_is_not_asked_for_again(
    mailboxes: WaitingDispatcher,
) -> None:
    first = Call(mailboxes).greeted()
    first.caller_says("That is all, goodbye.")
    rows = rows_of(first)
    row = CalledRow(call="call-1", name="end_call", arguments="{}", response="r-9")
    rows = (*rows, JournalEntry("c-1", len(rows) + 1, BEGAN, row))
    second = Call(mailboxes, resume_state=ResumeState(CallOpening(), rows))
    mailboxes.until(lambda: [task.result for task in second.describe().tasks] == ["hangup"])


def test_a_task_that_had_failed_before_a_takeover_is_not_recorded_again(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes, effects={"pizza.bake": Oven(*[RuntimeError("a bug")] * 3)}).greeted()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    assert first.answered("call-2", "order_pizza_confirm", yes=True)["result"] == "failed"
    second = Call(mailboxes, resume_state=left_by(first))
    second.ends()
    assert second.row_kinds().count("task") == 0
    (record,) = second.records()
    assert [task.result for task in record.tasks] == ["failed"]


def test_an_end_that_was_not_heard_is_repeated(left: Left) -> None:
    call = left.taken_over(left.rows)
    call.model_is_ready()
    assert TOLD in asked_to_say(call)


def test_the_apology_for_an_outage_is_said_once(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes).greeted()
    call = Call(mailboxes, resume_state=left_by(first))
    call.model_is_ready()
    assert LINE_BACK in asked_to_say(call)
    call.bot_says(LINE_BACK, ms=1000)
    mailboxes.advance(1000)
    call.model.breaks()
    mailboxes.advance(0)
    call.model_is_ready()
    assert len(call.dialler.wires) == 2
    assert call.model.all("response.create") == []


def test_a_blank_call_is_greeted_by_the_process_that_takes_it_over(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes)
    call = Call(mailboxes, resume_state=left_by(first))
    call.model_is_ready()
    assert asked_to_say(call).endswith("Greet the caller with: Hello.")


def test_a_call_that_is_taken_over_began_when_it_did_on_this_process_clock(mailboxes: WaitingDispatcher) -> None:
    rows = (JournalEntry("c-1", 1, BEGAN - timedelta(seconds=90), ResumedRow()),)
    services = call_services(mailboxes, NullRef(), FakeDialler())
    initiate = SessionInitiate(conversation_id="c-1", bot_name="practice", caller="+4930123")
    left = ResumeState(CallOpening(), rows)
    taken = new_transcript(replace(services, now=lambda: BEGAN), initiate, MULAW, 1_000_000.4, left)
    assert (taken.started_at, taken.began_ms) == (BEGAN - timedelta(seconds=90), 910_000)
    new = new_transcript(replace(services, now=lambda: BEGAN), initiate, MULAW, 1_000_000.4, None)
    assert (new.started_at, new.began_ms, new.media_format) == (BEGAN, 1_000_000, "raw/mulaw")


@pytest.mark.parametrize(("ahead", "left_s"), [(-timedelta(hours=2), 60), (timedelta(hours=2), 600)])
def test_a_call_from_a_process_whose_clock_is_wrong_is_not_hung_up_on_at_once(
    mailboxes: WaitingDispatcher, ahead: timedelta, left_s: int
) -> None:
    first = Call(mailboxes).greeted()
    rows = tuple(replace(row, at=row.at + ahead) for row in rows_of(first))
    profile = replace(PROFILE, max_call_s=600, no_input_s=9999)
    second = Call(mailboxes, profile=profile, resume_state=ResumeState(CallOpening(), rows))
    second.model_is_ready()
    second.bot_says("Sorry, the line was interrupted.")
    mailboxes.advance((left_s - 1) * 1000)
    assert Clip.GOODBYE.value not in [turn.text for turn in second.describe().turns]
    mailboxes.advance(2000)
    assert Clip.GOODBYE.value in [turn.text for turn in second.describe().turns]
    second.ends()
