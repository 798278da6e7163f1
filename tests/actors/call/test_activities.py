"""What a call asks VAIC for on behalf of tasks and the model: once, also after a crash, a resume, a takeover."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import JsonValue

from actors.bots import TransferWith
from actors.call.farewell import transfers
from actors.messages.journal_rows import ActivityRow, StartRow
from fsm.agents.hand_over import HAND_OVER
from fsm.hours import Hours
from protocols.activities import PauseCallRecording, ResumeCallRecording, SendDtmf, SendMetaData
from protocols.limits import MOST_ERRORS
from tests.actors.calls import NO_WATCH_S, PIZZA_SLOTS, PROFILE, TEN_WORDS, Call, Oven, WaitingDispatcher, left_by
from tests.fsm.tables import table

PIZZA = table(
    actions={
        "What": (PauseCallRecording(),),
        "Confirm": (SendMetaData(value={"pizzas": "{count}", "note": "so: {note}"}),),
        "Baked": (ResumeCallRecording(),),
    }
)
AGENTS = {PIZZA.name: PIZZA, HAND_OVER.name: HAND_OVER}
QUIET = replace(PROFILE, agents=AGENTS, no_input_s=NO_WATCH_S)
ORDERED = [("pauseCallRecording", {}), ("sendMetaData", {"pizzas": 2, "note": "so: none"})]


def asked(call: Call, *wires: Any) -> list[tuple[str, Any]]:
    """What VAIC was asked for besides the settings: names, and the values or parameters."""
    sent = [each for wire in wires or (call.wire,) for each in wire.activities()]
    return [
        (each["name"], each.get("value", each.get("activityParams", {}))) for each in sent if each["name"] != "config"
    ]


def configured(call: Call) -> dict[str, Any]:
    (frame,) = call.wire.all("activities")
    params: dict[str, Any] = frame["activities"][0]["sessionParams"]
    return params


# --- of tasks ---


def test_a_task_asks_on_entering_its_states_with_the_values_it_has_by_then(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=QUIET).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    assert asked(call) == ORDERED
    call.answered("call-2", "order_pizza_confirm", yes=True)
    assert asked(call) == [*ORDERED, ("resumeCallRecording", {})]


def test_a_step_that_is_repeated_after_a_crash_asks_for_nothing_twice(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=QUIET, effects={"pizza.bake": Oven(RuntimeError("burnt"), SystemExit())}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.answered("call-2", "order_pizza_confirm", yes=True)
    assert asked(call) == [*ORDERED, ("resumeCallRecording", {})]


def test_a_value_that_does_not_fit_is_not_sent_and_the_task_goes_on(mailboxes: WaitingDispatcher) -> None:
    keyed = table(actions={"Confirm": (SendDtmf(digits="{note}"), SendDtmf(digits="{count}"))})
    call = Call(mailboxes, profile=replace(QUIET, agents={"order_pizza": keyed})).greeted()
    told = call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    assert told["state"] == "Confirm"
    assert asked(call) == [("sendDtmf", {"dtmfDigits": "2"})]


def test_what_is_asked_for_while_the_caller_has_no_socket_is_sent_on_the_next_one(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=QUIET).greeted()
    call.wire.breaks()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    assert asked(call) == []
    wire, last = call.resumes(), call.resumes()
    assert asked(call, wire) == ORDERED
    assert asked(call, last) == []
    assert wire.types()[0] == "session.accepted"


def test_a_process_that_takes_the_call_over_does_not_ask_again(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes, profile=QUIET).greeted()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    left = left_by(first)
    # It has died before it wrote that the model's call was answered, so that the step is taken again.
    cut = next(at for at, entry in enumerate(left.rows) if entry.row.kind == "called") + 1
    kept = [each for each in left.rows[cut:] if isinstance(each.row, ActivityRow)]
    call = Call(mailboxes, profile=QUIET, resume_state=replace(left, rows=(*left.rows[:cut], *kept)))
    mailboxes.until(lambda: "call-1" in call.outputs() or call.describe().tasks)
    call.model_is_ready()
    mailboxes.until(lambda: "call-1" in call.outputs())
    assert asked(call) == []


def test_what_a_process_had_no_socket_for_the_next_one_asks_for(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes, profile=QUIET).greeted()
    first.wire.breaks()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    left = left_by(first)
    call = Call(mailboxes, profile=QUIET, resume_state=left)
    assert asked(call) == ORDERED
    again = Call(mailboxes, profile=QUIET, resume_state=replace(left, rows=(*left.rows, *left_by(call).rows)))
    assert asked(again) == []


def test_an_activity_of_a_later_release_is_left_out(mailboxes: WaitingDispatcher) -> None:
    first = Call(mailboxes, profile=QUIET).greeted()
    first.wire.breaks()
    first.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    left = left_by(first)
    newer = [
        replace(each, row=each.row.model_copy(update={"action": {"do": "beam"}}))
        if isinstance(each.row, ActivityRow) and each.row.action["do"] == "pause_call_recording"
        else each
        for each in left.rows
    ]
    call = Call(mailboxes, profile=QUIET, resume_state=replace(left, rows=tuple(newer)))
    assert asked(call) == ORDERED[1:]


def test_both_askings_of_one_thing_have_the_same_id(mailboxes: WaitingDispatcher) -> None:
    calls = [Call(mailboxes, profile=QUIET).greeted() for _ in range(2)]
    for call in calls:
        call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    ids = [[each["id"] for each in call.wire.activities()] for call in calls]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ORDERED)


# --- of the model ---


def test_the_model_has_the_functions_that_its_bot_allows_and_each_is_done_once(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=replace(QUIET, model_may=("send_dtmf", "sensitive_info"))).greeted()
    call.model_calls(("call-1", "send_dtmf", {"digits": "12#"}), ("call-2", "sensitive_info", {"on": True}))
    assert call.outputs() == {"call-1": {"result": "asked for"}, "call-2": {"result": "asked for"}}
    offered = call.model.last("session.update")["session"]["tools"]
    assert {"send_dtmf", "sensitive_info"} <= {tool["name"] for tool in offered}
    assert asked(call) == [("sendDtmf", {"dtmfDigits": "12#"})]
    assert call.wire.last("activities")["activities"][0]["sessionParams"] == {"sensitiveInfo": True}


def test_a_function_that_the_bot_does_not_allow_is_refused(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=replace(QUIET, model_may=("send_dtmf",))).greeted()
    call.model_calls(
        ("call-1", "play_url", {"name": "music"}),
        ("call-2", "send_dtmf", {"digits": "one"}),
        ("call-3", "send_dtmf", []),  # type: ignore[arg-type] # as a model may
    )
    told = call.outputs()
    assert [told[each]["error"] for each in ("call-1", "call-2", "call-3")] == [
        "unknown_function", "bad_value", "bad_json",
    ]  # fmt: skip
    assert asked(call) == []


# --- what VAIC tells ---


def started(call: Call, **parameters: object) -> None:
    call.vaic("activities", activities=[{"type": "event", "name": "start", "id": "a-1", "parameters": parameters}])


def test_parameters_of_start_stand_in_texts_and_are_facts_of_tasks(mailboxes: WaitingDispatcher) -> None:
    oven = Oven()
    profile = replace(
        QUIET, instructions="For {start.callee}.", greeting="Hello {start.name}.", start={"callee": "us", "name": "you"}
    )
    call = Call(mailboxes, profile=profile, effects={"pizza.bake": oven})
    call.model_is_ready()
    started(call, callee="+49 30\n1", dialoutMetadata={"campaign": "June"}, **{"no name": "x"})
    told = call.model.last("response.create")["response"]["instructions"]
    assert "For +49 30 1." in told
    assert told.endswith("Greet the caller with: Hello you.")
    call.bot_says("Hello.")
    mailboxes.advance(1000)
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.answered("call-2", "order_pizza_confirm", yes=True)
    (request,) = oven.requests
    assert {name: each for name, each in request.facts.items() if name.startswith("start.")} == {
        "start.callee": "+49 30 1",
        "start.name": "you",
        "start.dialoutMetadata_campaign": "June",
    }


def test_a_process_that_takes_the_call_over_knows_the_parameters(mailboxes: WaitingDispatcher) -> None:
    profile = replace(QUIET, instructions="For {start.callee}.", start={"callee": "us"})
    first = Call(mailboxes, profile=profile)
    started(first, callee="sales")
    first.model_is_ready()
    first.bot_says("Hello.")
    mailboxes.advance(1000)
    started(first, callee="sales")  # again: nothing new
    left = left_by(first)
    assert [each.row for each in left.rows if isinstance(each.row, StartRow)] == [
        StartRow(parameters={"callee": "sales"})
    ]
    call = Call(mailboxes, profile=profile, resume_state=left)
    call.model_is_ready()
    assert "For sales." in call.model.last("session.update")["session"]["instructions"]


def test_vaic_is_asked_for_the_bots_parameters_beside_those_of_every_call(mailboxes: WaitingDispatcher) -> None:
    params: dict[str, JsonValue] = {"userNoInputTimeoutMS": 9000, "sendEventsToBot": ["noUserInput"], "bargeIn": False}
    call = Call(mailboxes, profile=replace(QUIET, vaic_params=params))
    call.starts()
    told = configured(call)
    assert (told["userNoInputTimeoutMS"], told["bargeIn"], told["sendDTMF"]) == (9000, False, True)
    assert told["sendEventsToBot"] == ["playFinished", "noUserInput"]


def test_an_activity_that_comes_again_is_ignored_on_the_same_socket_and_on_a_resumed_one(
    mailboxes: WaitingDispatcher,
) -> None:
    key = {"type": "event", "name": "DTMF", "value": "7", "id": "a-7"}
    call = Call(mailboxes, profile=QUIET).greeted()
    call.vaic("activities", activities=[key])
    mailboxes.advance(200)
    call.vaic("activities", activities=[key])
    mailboxes.advance(200)
    call.vaic("activities", activities=[{**key, "timestamp": "2026-03-04T09:16:02.000Z"}])  # another key
    mailboxes.advance(200)
    call.wire.breaks()
    call.wire = call.resumes()
    call.vaic("activities", activities=[key])
    mailboxes.advance(10_000)
    typed = [each["content"][0]["text"] for each in call.items("message")]
    assert typed == ["The caller pressed these keys: 7."] * 2
    taken = Call(mailboxes, profile=QUIET, resume_state=left_by(call))
    taken.model_is_ready()
    taken.vaic("activities", activities=[key])
    assert "caller_typed" not in taken.row_kinds()
    taken.vaic("activities", activities=[{**key, "id": "a-8"}])
    assert "caller_typed" in taken.row_kinds()


def test_vaics_own_timer_for_a_silent_caller_counts_as_ours(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=replace(QUIET, no_input_s=60)).greeted()
    silent = {"type": "event", "name": "noUserInput", "value": 1}
    call.vaic("activities", activities=[silent])
    assert "Are you still there?" in call.model.last("response.create")["response"]["instructions"]
    asked_for = len(call.model.all("response.create"))
    call.event("response.created", response={"id": "r-silence", "status": "in_progress"})
    call.caller_begins()
    call.vaic("activities", activities=[silent])  # the caller speaks
    assert len(call.model.all("response.create")) == asked_for


def test_a_recording_that_vaic_cannot_play_is_in_the_record(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=QUIET).greeted()
    for value in ({"reason": "404", "playUrlUrl": "https://x/"}, None):
        call.vaic("activities", activities=[{"type": "event", "name": "playUrlFailed", "value": value}])
    assert list(call.describe().errors) == ["playUrl: 404", "playUrl: unknown"]


def test_what_vaic_cannot_play_is_recorded_and_logged_once_and_within_bounds(
    mailboxes: WaitingDispatcher, log_lines: list[str]
) -> None:
    call = Call(mailboxes, profile=QUIET).greeted()
    for number in range(2 * MOST_ERRORS):
        failed = {"type": "event", "name": "playUrlFailed", "value": {"reason": str(number)}}
        call.vaic("activities", activities=[failed, failed])
        mailboxes.advance(1000)
    assert len(call.describe().errors) == MOST_ERRORS
    assert sum("could not play" in line for line in log_lines) == MOST_ERRORS


# --- transfers ---

TARGETS = {"desk": "tel:1", "back": "sip:2@here", "last": "tel:3"}
WITH = {
    "desk": TransferWith(
        "asked for a person", "sip:bot@here", {"X-Ticket": "{start.ticket}", "X-None": "{start.none}"}, next="back"
    ),
    "back": TransferWith(next="last"),
}
FAILED = {"type": "event", "name": "transferStatus", "value": {"status": "failed", "reasonCode": "busy"}}


def transferred(mailboxes: WaitingDispatcher) -> Call:
    call = Call(mailboxes, profile=replace(QUIET, transfer_targets=TARGETS, transfer_with=WITH)).greeted()
    started(call, ticket="88213")
    call.wire.frames.clear()
    call.answered("call-1", "hand_over")
    call.answered("call-2", "hand_over_provide", to="desk")
    call.bot_says(TEN_WORDS, ms=500)
    mailboxes.advance(500)
    call.played()
    return call


def test_a_transfer_carries_its_headers_and_who_refers(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes)
    assert asked(call) == [
        (
            "transfer",
            {
                "transferTarget": "tel:1",
                "handoverReason": "asked for a person",
                "transferReferredByURL": "sip:bot@here",
                "transferSipHeaders": [{"name": "X-Ticket", "value": "88213"}],
            },
        )
    ]


def test_where_nobody_answers_the_next_is_tried_and_then_the_caller_is_told(
    mailboxes: WaitingDispatcher,
) -> None:
    call = transferred(mailboxes)
    for number in (2, 3):
        call.vaic("activities", activities=[FAILED])
        assert len(asked(call)) == number - 1  # the caller is asked to wait first
        mailboxes.advance(900)
        call.played()
        assert len(asked(call)) == number
    assert [params["transferTarget"] for _, params in asked(call)] == list(TARGETS.values())
    assert {params["handoverReason"] for _, params in asked(call)} == {"asked for a person"}
    call.vaic("activities", activities=[FAILED])
    mailboxes.advance(0)
    assert "nobody is free" in call.model.last("response.create")["response"]["instructions"]
    assert [each for each in call.describe().errors if "transfer" in each] == ["transfer failed: busy"] * 3


@pytest.mark.parametrize(
    ("at", "targets"),
    [
        (datetime(2026, 12, 1, 11, 59, tzinfo=UTC), ["tel:1", "tel:3"]),
        (datetime(2026, 12, 1, 12, 0, tzinfo=UTC), ["sip:2@here", "tel:3"]),  # the lunch break
        (datetime(2026, 12, 2, 11, 0, tzinfo=UTC), ["sip:2@here", "tel:3"]),  # a holiday
    ],
)
def test_outside_of_the_hours_another_target_stands_in(at: datetime, targets: list[str]) -> None:
    hours = Hours.model_validate(
        {"tue": ["09:00-12:00", "13:00-17:00"], "wed": ["09:00-17:00"], "closed": [date(2026, 12, 2)]}
    )
    made = {"desk": TransferWith("asked", next="last", when_closed="back"), "back": TransferWith(next="last")}
    profile = replace(QUIET, transfer_targets=TARGETS, transfer_with=made, hours=hours)
    first = transfers(profile, {}, {}, at)["desk"]
    assert [first.target, first.next and first.next.target] == targets


def test_a_caller_who_has_changed_their_mind_is_not_put_through_to_the_next(mailboxes: WaitingDispatcher) -> None:
    call = transferred(mailboxes)
    call.vaic("activities", activities=[FAILED])
    call.caller_says("No wait, I would rather book it with you.")
    mailboxes.advance(2000)
    assert len(asked(call)) == 1
