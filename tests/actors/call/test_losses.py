"""A call that loses its caller, its model, or one of its own actors, by message injection: what it does about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pykka
import pytest

from actors.call.supervisor import NOT_CERTAIN
from actors.messages.call import EffectFailed, EndCall, Forgotten, ModelReady, Rebind
from actors.messages.journal import AppendRow
from actors.messages.journal_rows import LostModelRow, OwedRow
from actors.model.session import OpenAISocket
from actors.policies import RENEW_BLIND_S, RENEW_FLOOR_S
from actors.transport.dialler import DialFailed
from actors.vaic.session import VaicSocket
from fsm.effects import EffectResult, Failed, Ok, Refused, Unclear
from protocols.media import MediaFormat
from tests.actors.calls import (
    BEGAN,
    MS_100,
    NO_WATCH_S,
    PIZZA_SLOTS,
    TEN_WORDS,
    Call,
    Clock,
    FakeDialler,
    FakeWire,
    Oven,
    StuckOven,
    WaitingDispatcher,
    left_by,
    living,
    with_a_hanging_task,
)
from tests.counted import counted


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes, no_input_s=NO_WATCH_S).greeted()


def test_a_server_that_numbers_items_anew_in_each_session_overwrites_no_words(call: Call) -> None:
    for number in range(2):
        call.caller_says(f"Question {number}.", item="item-1")
        call.bot_says(f"Answer {number}.", item="item-2")
        call.mailboxes.advance(2000)
        call.bot_says(f"And {number}.", item="item-2")
        call.mailboxes.advance(2000)
        call.model.breaks()
        call.mailboxes.advance(1000)
        call.model_is_ready()
    said = ["Question 0.", "Answer 0.", "And 0.", "Question 1.", "Answer 1.", "And 1."]
    record = call.describe()
    assert [turn.text for turn in record.turns[1:]] == said
    assert all(turn.heard_ms for turn in record.turns if turn.role == "bot")
    told = [item["content"][0]["text"] for item in call.items("message", [call.model])]
    assert told[1:] == said


def test_a_server_that_numbers_calls_anew_in_each_session_is_answered(call: Call) -> None:
    item = {"id": "fc-1", "type": "function_call", "status": "completed", "call_id": "call-1", "name": "order_pizza"}
    for outputs in (1, 2):
        call.model.frames.clear()
        call.event("response.created", response={"id": "resp-1", "status": "in_progress"})
        call.event("response.output_item.done", response_id="resp-1", item=item | {"arguments": "{}"})
        call.event("response.done", response={"id": "resp-1", "status": "completed"})
        call.mailboxes.until(lambda: call.model.all("response.create"))
        (answer,) = call.items("function_call_output", [call.model])
        assert ("call_id_used" in answer["output"]) is (outputs == 2)
        call.model.breaks()
        call.mailboxes.advance(1000)
        call.model_is_ready()


# --- the caller's socket ---


def test_a_lost_caller_is_waited_for_and_goes_on_with_the_same_session_of_the_model(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.advance(59_000)
    wire = call.resumes()
    assert wire.types() == ["session.accepted"]
    call.bot_says("Are you still there?")
    assert "playStream.chunk" in wire.types()
    call.mailboxes.advance(120_000)
    assert call.records() == []
    assert len(call.dialler.wires) == 1
    assert "resumed" in call.row_kinds()
    wire.receives({"type": "session.end", "conversationId": "c-1", "reasonCode": "client-disconnected"})
    call.mailboxes.drain()
    assert call.outcome() == "client-disconnected"


def test_a_caller_who_is_back_hears_again_what_the_loss_cut_short(call: Call) -> None:
    told = call.answered("call-1", "order_pizza")
    call.bot_says(told["say"], ms=1000)
    call.mailboxes.advance(300)
    call.wire.breaks()
    call.mailboxes.advance(1000)
    before = len(call.model.all("response.create"))
    call.resumes()
    call.mailboxes.drain()
    asked = call.model.all("response.create")
    assert len(asked) == before + 1
    assert told["say"] in asked[-1]["response"]["instructions"]


def test_a_caller_who_does_not_come_back_within_a_minute_is_lost(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.advance(59_900)
    assert call.records() == []
    call.mailboxes.advance(100)
    assert call.outcome() == "lost"
    assert call.model.closed == 1000
    assert pykka.ActorRegistry.get_all() == []


def test_a_caller_may_be_lost_again_and_has_the_whole_minute_each_time(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.advance(50_000)
    wire = call.resumes()
    wire.breaks()
    call.mailboxes.advance(50_000)
    assert call.records() == []
    call.mailboxes.advance(10_000)
    assert call.outcome() == "lost"


def test_what_was_heard_before_the_loss_stands_in_the_record(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.mailboxes.advance(400)
    call.wire.breaks()
    call.mailboxes.drain()
    turn = call.describe().turns[-1]
    assert (turn.text, turn.heard_ms) == ("one two three four", 400)
    assert call.describe().barge_ins == 0


def test_a_resume_on_a_socket_that_seemed_alive_closes_the_old_one(call: Call) -> None:
    wire = call.resumes()
    assert call.wire.closed == 1000
    call.bot_says("Still here.")
    assert "playStream.chunk" in wire.types()
    call.mailboxes.advance(120_000)
    assert call.records() == []


@pytest.mark.parametrize("behind", [0, 1], ids=["in the mailbox", "on the wire"])
def test_an_end_that_was_overtaken_by_a_resume_on_another_socket_ends_the_call(call: Call, behind: int) -> None:
    end = {"type": "session.end", "conversationId": "c-1", "reasonCode": "client-disconnected"}
    call.ref.tell(Rebind(FakeWire()))
    if behind:
        call.mailboxes.drain()
    call.wire.receives(end)
    call.mailboxes.drain()
    assert call.outcome() == "client-disconnected"
    call.mailboxes.until(call.is_gone)


@pytest.mark.parametrize("late", [b"{", b'{"type": "session.end", "conversationId": "another"}', b'{"type": "hello"}'])
def test_nothing_else_that_comes_late_on_the_old_socket_means_anything(call: Call, late: bytes) -> None:
    call.resumes()
    call.wire.receives(late)
    call.wire.breaks()
    call.mailboxes.advance(70_000)
    assert call.records() == []


def test_a_resume_reported_before_the_loss_of_the_old_socket_is_not_undone_by_it(call: Call) -> None:
    wire = FakeWire()
    call.ref.tell(Rebind(wire))
    call.wire.breaks()
    call.mailboxes.drain()
    assert wire.types() == ["session.accepted"]
    call.mailboxes.advance(120_000)
    assert call.records() == []


# --- the model's socket ---


def test_a_lost_model_is_dialled_again_and_given_the_conversation_as_it_was_heard(call: Call) -> None:
    call.caller_says("I want a pizza.")
    call.answered("call-1", "order_pizza", size="small")
    call.bot_says(TEN_WORDS, ms=1000)
    call.mailboxes.advance(300)
    call.caller_says("Two.")
    call.model.breaks()
    call.mailboxes.advance(0)
    assert len(call.dialler.wires) == 2
    call.model_is_ready()
    items = [frame["item"] for frame in call.model.all("conversation.item.create")]
    words = [item.get("content", [{}])[0].get("text", item["type"]) for item in items]
    assert words == [
        "Hello.", "I want a pizza.", "function_call", "function_call_output", "one two three", "Two.",
    ]  # fmt: skip
    tools = [tool["name"] for tool in call.model.last("session.update")["session"]["tools"]]
    assert "order_pizza_provide" in tools
    assert call.model.types()[-1] == "response.create", "the caller waits for an answer"


def test_what_the_caller_says_while_the_model_is_away_is_kept_for_it(call: Call) -> None:
    call.vaic("userStream.start")
    call.model.breaks()
    call.mailboxes.advance(0)
    call.vaic("userStream.chunk", audioChunk="AAAAAAAA")
    call.model_is_ready()
    assert call.model.last("input_audio_buffer.append")["audio"] == "AAAAAAAA"


def test_a_model_lost_in_silence_is_not_asked_to_speak(call: Call) -> None:
    call.model.breaks()
    call.mailboxes.advance(0)
    call.model_is_ready()
    call.mailboxes.advance(10_000)
    assert call.model.all("response.create") == []


def test_a_model_lost_while_its_last_sentence_sounds_is_not_asked_to_speak_into_it(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.mailboxes.advance(300)
    call.model.breaks()
    call.mailboxes.advance(0)
    call.model_is_ready()
    assert call.model.all("response.create") == []


def test_a_greeting_that_is_lost_with_its_session_is_given_in_the_next(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S)
    call.starts()
    call.model_is_ready()
    call.model.breaks()
    mailboxes.advance(0)
    call.model_is_ready()
    mailboxes.advance(10_000)
    assert call.model.all("response.create") != []


NO_MODEL = DialFailed(503, "refused at the upgrade")


def clips(call: Call) -> list[str]:
    """The sentences of ours that the caller has heard."""
    return [turn.text for turn in call.describe().turns if turn.item_id.startswith("clip")]


def test_an_unreachable_model_is_dialled_for_twenty_seconds_and_then_the_caller_is_told(
    mailboxes: WaitingDispatcher,
) -> None:
    dialler = FakeDialler()
    dialler.refusals = [NO_MODEL] * 40
    call = Call(mailboxes, dialler=dialler)
    tried: list[int] = []
    for wait_ms in (0, 490, 10, 690, 10, 700):  # at once, after half a second, and then every 0.7 s
        mailboxes.advance(wait_ms)
        tried.append(len(dialler.dials))
    assert tried == [2, 2, 3, 3, 4, 5]
    mailboxes.advance(17_600)
    assert clips(call) == ["one_moment"] * 3
    mailboxes.advance(1000)
    assert call.activities() == []
    mailboxes.advance(900)  # so long it takes to say it
    call.played()
    assert clips(call) == ["one_moment"] * 3 + ["call_again"]
    assert call.activities() == [("hangup", {"hangupReason": "speech model unavailable"})]
    call.ends("bot-disconnected")
    (record,) = call.records()
    assert (record.outcome, record.errors) == ("failed", ("model: refused at the upgrade",))
    mailboxes.until(call.is_gone)
    assert mailboxes.timers == 0


def test_a_model_that_is_back_in_time_is_not_mentioned(call: Call) -> None:
    call.dialler.refusals = [NO_MODEL]
    call.model.breaks()
    call.mailboxes.advance(600)
    call.model_is_ready()
    call.mailboxes.advance(2000)
    assert clips(call) == []


def lost_models(call: Call) -> list[str]:
    rows = [message.entry.row for message in call.journal.arrived if isinstance(message, AppendRow)]
    return [row.reason for row in rows if isinstance(row, LostModelRow)]


def test_each_outage_of_the_model_is_written_once_with_its_causes(call: Call) -> None:
    call.dialler.refusals = [DialFailed(0, "TimeoutError"), DialFailed(0, "TimeoutError"), NO_MODEL]
    call.model.breaks()
    for _ in range(4):
        call.mailboxes.advance(700)
    call.model_is_ready()
    assert lost_models(call) == ["closed with 1006", "TimeoutError", "refused at the upgrade"]
    call.model.breaks(1011)
    call.mailboxes.advance(700)
    call.model_is_ready()
    assert lost_models(call)[3:] == ["closed with 1011"]
    assert call.describe().errors == (), "the call went on"


def test_a_model_that_never_answers_is_the_cause_of_the_end(mailboxes: WaitingDispatcher) -> None:
    dialler = FakeDialler()
    dialler.refusals = [None]
    call = Call(mailboxes, dialler=dialler)
    mailboxes.advance(25_000)
    assert call.describe().errors == ("model: the model's session was not set up in time",)


def test_an_unreachable_model_while_the_caller_is_away_ends_the_call(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.drain()
    call.dialler.refusals = [NO_MODEL] * 50
    call.model.breaks()
    call.mailboxes.advance(20_000)
    call.mailboxes.advance(20_000)
    assert call.outcome() == "failed"


@pytest.mark.parametrize(
    "answer", [DialFailed(401, "status 401 at the upgrade", final=True), "insufficient_quota", "invalid_value", 4000]
)
def test_a_model_that_refuses_permanently_is_dialled_once_more(mailboxes: WaitingDispatcher, answer: Any) -> None:
    dialler = FakeDialler()
    if isinstance(answer, DialFailed):
        dialler.refusals = [answer] * 2
    call = Call(mailboxes, dialler=dialler)
    for _ in range(2):
        if isinstance(answer, str):
            call.event("error", error={"type": "invalid_request_error", "code": answer, "message": "no"})
        elif answer == 4000:
            call.model.breaks(4000)
        mailboxes.advance(1)
    mailboxes.advance(900)
    assert len(dialler.dials) == 2
    reasons = {4000: "closed with 4000", "invalid_value": "session refused: invalid_value"}
    assert dialler.tripped == ([] if isinstance(answer, DialFailed) else [reasons.get(answer, answer)] * 2)
    assert clips(call) == ["call_again"]
    call.played()
    assert call.activities() == [("hangup", {"hangupReason": "speech model unavailable"})]


@pytest.mark.parametrize("code", ["insufficient_quota", "invalid_value"])
def test_a_model_whose_next_node_accepts_the_call_is_not_mentioned(mailboxes: WaitingDispatcher, code: str) -> None:
    call = Call(mailboxes)
    call.event("error", error={"type": "invalid_request_error", "code": code, "message": "no"})
    mailboxes.advance(1)
    call.model_is_ready()
    mailboxes.advance(900)
    assert clips(call) == []
    assert call.activities() == []


def without_model(mailboxes: WaitingDispatcher) -> Call:
    """A call that is just saying so, in a sentence of 900 ms."""
    call = Call(mailboxes).greeted()
    call.refused_for_good()
    return call


def test_a_caller_who_was_away_during_the_apology_hears_it_again(mailboxes: WaitingDispatcher) -> None:
    call = without_model(mailboxes)
    mailboxes.advance(400)
    call.wire.breaks()
    mailboxes.advance(2000)
    call.wire = call.resumes()
    mailboxes.advance(800)
    assert call.activities() == []
    mailboxes.advance(100)
    call.played()
    assert call.activities() == [("hangup", {"hangupReason": "speech model unavailable"})]
    assert clips(call) == ["", "call_again"], "of the first nothing that makes a word was heard"
    call.ends("bot-disconnected")
    assert call.outcome() == "failed"


def test_a_task_that_ends_does_not_put_off_the_end_of_a_call_without_a_model(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.refused_for_good()
    stuck.freed.set()
    mailboxes.until(lambda: call.describe().tasks[0].result != "open")
    mailboxes.advance(900)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]


def test_a_call_that_has_hung_up_keeps_its_outcome_when_its_model_is_gone(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.told(EndCall("drained"))
    call.refused_for_good()
    mailboxes.advance(2000)
    assert clips(call) == []
    call.ends("bot-disconnected")
    assert call.outcome() == "drained"


def test_a_caller_without_a_model_is_transferred_if_there_is_a_target(mailboxes: WaitingDispatcher) -> None:
    dialler = FakeDialler()
    dialler.refusals = [DialFailed(403, "refused at the upgrade", final=True)] * 2
    call = Call(mailboxes, dialler=dialler, transfer_targets={"desk": "tel:+4930555"})
    mailboxes.advance(900)
    assert clips(call) == ["one_moment"]
    call.played()
    [(name, asked)] = call.activities()
    assert (name, asked["transferTarget"]) == ("transfer", "tel:+4930555")


def test_a_missing_answer_is_requested_again_and_then_the_caller_is_asked_to_repeat(call: Call) -> None:
    call.caller_says("Hello?")
    for response in ("m-1", "m-2"):  # the answer, and what it is asked for again
        call.event("response.created", response={"id": response, "status": "in_progress"})
        call.event("response.done", response={"id": response, "status": "failed"})
    call.mailboxes.advance(900)
    assert [frame["type"] for frame in call.model.frames] == ["response.create"]
    assert clips(call) == ["say_again"]


def test_a_model_that_answers_nothing_twice_in_a_row_counts_as_lost(call: Call) -> None:
    for turn in range(2):
        call.caller_says("Hello?")
        for number in range(2):
            call.event("response.created", response={"id": f"m-{turn}{number}", "status": "in_progress"})
            call.event("response.done", response={"id": f"m-{turn}{number}", "status": "completed"})
        call.mailboxes.advance(900)
    assert clips(call) == ["say_again", "call_again"]
    call.played()
    assert call.activities() == [("hangup", {"hangupReason": "speech model unavailable"})]


def with_a_session_of_100_s(mailboxes: WaitingDispatcher, no_input_s: float = NO_WATCH_S) -> Call:
    """And a bot that has greeted."""
    call = Call(mailboxes, no_input_s=no_input_s)
    call.starts()
    expires_at = int((BEGAN + timedelta(seconds=100)).timestamp())
    call.event("session.created", session={"type": "realtime", "expires_at": expires_at})
    call.event("session.updated", session={"type": "realtime"})
    call.bot_says("Hello.", item="hello")
    return call


def test_a_session_that_will_end_is_replaced_at_a_quiet_moment(mailboxes: WaitingDispatcher) -> None:
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(49_000)
    assert len(call.dialler.wires) == 1
    mailboxes.advance(1000)
    first, second = call.dialler.wires
    first.receives({"event_id": "e", "type": "input_audio_buffer.speech_started", "item_id": "u-1",
                    "audio_start_ms": 100})  # fmt: skip
    call.model_is_ready()
    assert second.types() == ["session.update"], "the caller speaks"
    first.frames.clear()
    for frame in (
        {"type": "input_audio_buffer.speech_stopped", "item_id": "u-1", "audio_end_ms": 900},
        {"type": "input_audio_buffer.committed", "item_id": "u-1", "previous_item_id": None},
        {"type": "response.created", "response": {"id": "r-9", "status": "in_progress"}},
        {"type": "response.output_audio.delta", "response_id": "r-9", "item_id": "i-9", "output_index": 0,
         "content_index": 0, "delta": MS_100},
        {"type": "response.output_audio_transcript.done", "response_id": "r-9", "item_id": "i-9", "output_index": 0,
         "content_index": 0, "transcript": "Yes."},
        {"type": "response.done", "response": {"id": "r-9", "status": "completed"}},
    ):  # fmt: skip
        first.receives({"event_id": "e", **frame})
        mailboxes.drain()
    before = first.closed  # for the caller's words are not told yet
    first.receives({"event_id": "e", "type": "conversation.item.input_audio_transcription.completed",
                    "item_id": "u-1", "content_index": 0, "transcript": "Are you there?"})  # fmt: skip
    mailboxes.advance(0)
    assert (before, first.closed) == (None, 1000)
    told = [item["content"][0]["text"] for item in call.items("message", [second])]
    assert told == ["Hello.", "Are you there?", "Yes."]
    call.vaic("userStream.start")
    call.vaic("userStream.chunk", audioChunk=MS_100)
    assert second.types()[-1] == "input_audio_buffer.append"
    assert "response.create" not in second.types()
    assert clips(call) == []


def test_a_session_that_ends_before_the_quiet_moment_is_replaced_at_once(mailboxes: WaitingDispatcher) -> None:
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(50_000)
    first, second = call.dialler.wires
    call.dialler.wires[-1:] = []
    call.caller_says("Book it.")
    call.dialler.wires.append(second)
    call.model_is_ready()
    first.breaks(1001)
    mailboxes.advance(0)
    assert len(call.dialler.wires) == 2
    assert second.types()[-1] == "response.create", "the caller waits for an answer"


def ready(wire: FakeWire, mailboxes: WaitingDispatcher, left_s: float = 3600) -> None:
    """The session on this wire is configured, and has so long to live."""
    expires_at = (BEGAN + timedelta(milliseconds=mailboxes.now_ms(), seconds=left_s)).timestamp()
    wire.receives({"type": "session.created", "event_id": "e", "session": {"expires_at": expires_at}})
    mailboxes.drain()
    wire.receives({"type": "session.updated", "event_id": "e", "session": {}})
    mailboxes.drain()


def test_only_the_newest_standby_session_takes_over_and_only_when_it_is_ready(
    mailboxes: WaitingDispatcher,
) -> None:
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(50_000)
    first, silent = call.dialler.wires
    first.breaks()
    mailboxes.advance(0)
    second = call.model
    ready(second, mailboxes, left_s=25)  # it, too, will end before the standby session has said a word
    mailboxes.advance(12_500)
    newest = call.model
    assert newest not in (first, silent, second)
    assert silent.closed == 1000, "another one is the standby session"
    ready(silent, mailboxes)
    call.told(ModelReady("model:2", standby=True))  # as it was on its way
    mailboxes.advance(0)
    assert (second.closed, newest.closed) == (None, None)
    ready(newest, mailboxes)
    mailboxes.advance(0)
    assert second.closed == 1000
    bot_is_heard(call, "Here I am.")
    assert len(living(OpenAISocket)) == 1


def test_when_the_caller_leaves_both_model_sessions_end(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}, no_input_s=NO_WATCH_S)
    call.starts()
    ready(call.model, mailboxes, left_s=100)
    call.bot_says("Hello.", item="hello")
    mailboxes.advance(1000)
    call.played()
    mailboxes.advance(49_000)
    active, standby = call.dialler.wires
    call.dialler.wires.remove(standby)  # the call speaks with the first
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    call.ends()
    assert not call.is_gone(), "a task still hangs"
    assert (active.closed, standby.closed) == (1000, 1000)
    stuck.freed.set()


def delayed(why: str) -> float:
    return counted("tieline_model_renewals_delayed_total", why=why)


@pytest.mark.parametrize(
    ("left_s", "why", "floor_s"),
    [(3, "near", RENEW_FLOOR_S), (-3600, "past", RENEW_BLIND_S)],
    ids=["ends at once", "has ended, as our clock has it"],
)
def test_an_impossible_expiry_does_not_cause_a_storm_of_sessions(
    mailboxes: WaitingDispatcher, left_s: float, why: str, floor_s: float
) -> None:
    before = delayed(why)
    call = Call(mailboxes, no_input_s=NO_WATCH_S)
    call.starts()
    ready(call.model, mailboxes, left_s)
    for sessions in range(1, 4):
        call.bot_says("Hello.")
        mailboxes.advance(floor_s * 1000 - 1)
        assert len(call.dialler.wires) == sessions
        mailboxes.advance(1)
        assert len(call.dialler.wires) == sessions + 1
        ready(call.model, mailboxes, left_s)
        mailboxes.advance(0)
    assert delayed(why) == before + 4


def test_the_end_of_a_standby_session_changes_nothing_for_the_call(mailboxes: WaitingDispatcher) -> None:
    call = with_a_session_of_100_s(mailboxes, no_input_s=51)
    mailboxes.advance(50_000)
    first, standby = call.dialler.wires
    call.dialler.wires.remove(standby)  # the call speaks with the first
    call.answered("call-1", "order_pizza")
    call.bot_says("Small or large?", ms=500)
    mailboxes.advance(500)
    standby.breaks()
    mailboxes.advance(0)
    first.frames.clear()
    mailboxes.advance(51_000)
    mailboxes.until(lambda: first.all("response.create"))
    assert "Small or large?" in first.last("response.create")["response"]["instructions"]


# --- deaths ---

BUGS = [RuntimeError("a bug"), SystemExit(3), KeyboardInterrupt()]


def bot_is_heard(call: Call, text: str = "Still here.") -> None:
    call.wire.frames.clear()
    call.bot_says(text, ms=200)
    assert call.wire.types() == ["playStream.start", "playStream.chunk", "playStream.chunk", "playStream.stop"]


def one_of_each(call: Call) -> bool:
    return len(living(VaicSocket)) == len(living(OpenAISocket)) == 1 and not call.is_gone()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_a_vaic_socket_that_crashes_is_replaced_on_the_same_wire(call: Call, bug: BaseException) -> None:
    call.vaic("userStream.start")
    call.wire.frames.clear()
    call.wire.errors = [bug]
    call.caller_begins()
    call.mailboxes.advance(0)
    assert one_of_each(call)
    assert call.wire.closed is None
    call.caller_says("Hello?")
    bot_is_heard(call)
    assert "session.accepted" not in call.wire.types()
    call.vaic("userStream.chunk", audioChunk="AAAAAAAA")
    assert call.model.last("input_audio_buffer.append")["audio"] == "AAAAAAAA"


def test_play_streams_of_a_replacement_have_names_of_their_own(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S)
    call.model_is_ready()
    call.bot_says("Before.", ms=100)
    call.wire.errors = [RuntimeError("a bug")]
    call.caller_begins()
    call.mailboxes.advance(0)
    call.caller_says("Hello?")
    call.bot_says("After.", ms=100)
    names = [frame["streamId"] for frame in call.wire.all("playStream.start")]
    assert len(set(names)) == len(names) == 2


def test_play_streams_of_another_process_have_names_of_their_own(mailboxes: WaitingDispatcher) -> None:
    names: list[str] = []
    left = None
    for _ in range(2):
        call = Call(mailboxes, no_input_s=NO_WATCH_S, resume_state=left)
        call.model_is_ready()
        call.bot_says("Hello.", ms=100)
        names += [frame["streamId"] for frame in call.wire.all("playStream.start")]
        left = left_by(call)
    assert len(set(names)) == len(names) == 2


def test_a_sentence_that_two_sockets_played_was_heard_as_long_as_both(call: Call) -> None:
    part: dict[str, object] = {"response_id": "r-long", "item_id": "i-1", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-long", "status": "in_progress"})
    call.event("response.output_audio.delta", **part, delta=MS_100)
    call.mailboxes.advance(100)
    call.wire.errors = [RuntimeError("a bug")]
    call.event("response.output_audio.delta", **part, delta=MS_100)  # this one is lost with the socket
    call.mailboxes.advance(0)
    call.event("response.output_audio.delta", **part, delta=MS_100)
    call.event("response.output_audio.done", **part)
    call.mailboxes.advance(1000)
    assert call.describe().turns[-1].heard_ms == 200


def test_a_vaic_socket_that_crashes_in_a_timer_is_replaced(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.wire.errors = [RuntimeError("a bug")]
    call.mailboxes.advance(500)
    assert one_of_each(call)
    bot_is_heard(call)


def test_a_vaic_socket_that_crashes_at_its_start_is_replaced_and_the_call_accepted(
    mailboxes: WaitingDispatcher,
) -> None:
    call = Call(mailboxes, wire=FakeWire(RuntimeError("a bug")))
    mailboxes.advance(0)
    assert call.wire.types() == ["session.accepted"]


def vaic_is_beyond_repair(call: Call) -> None:
    call.wire.errors = [RuntimeError("a bug")] * 4
    for number in range(4):
        call.caller_begins(f"u-{number}")
        call.mailboxes.advance(0)


def test_a_vaic_socket_that_crashes_again_and_again_fails_the_call(call: Call) -> None:
    vaic_is_beyond_repair(call)
    call.mailboxes.advance(2000)  # for a transcript of what the caller was saying
    (record,) = call.records()
    assert (record.outcome, record.errors) == ("failed", ("vaic: RuntimeError",))
    assert call.model.closed == 1000
    assert pykka.ActorRegistry.get_all() == []
    assert call.mailboxes.timers == 0


def test_a_call_that_failed_closes_the_callers_socket(call: Call) -> None:
    vaic_is_beyond_repair(call)
    assert call.wire.closed is not None


def test_a_vaic_socket_that_fails_at_every_start_fails_the_call(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, media=MediaFormat("raw/odd", -1, 2, 48))
    mailboxes.advance(0)
    assert call.outcome() == "failed"
    assert pykka.ActorRegistry.get_all() == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_a_model_socket_that_crashes_is_dialled_again(call: Call, bug: BaseException) -> None:
    call.vaic("userStream.start")
    first = call.model
    first.errors = [bug]
    call.vaic("userStream.chunk", audioChunk="AAAA")
    call.mailboxes.advance(0)
    assert first.closed == 1006
    assert one_of_each(call)
    call.model_is_ready()
    bot_is_heard(call)


def test_a_model_socket_that_crashes_at_its_start_is_started_again(mailboxes: WaitingDispatcher) -> None:
    dialler = FakeDialler()
    dialler.refusals = [RuntimeError("a bug")]
    call = Call(mailboxes, dialler=dialler)
    mailboxes.advance(0)
    assert one_of_each(call)
    call.model_is_ready()


def test_a_model_socket_that_fails_to_start_is_started_again(mailboxes: WaitingDispatcher) -> None:
    clock = Clock(holds=1)  # the call's start; then the model's instructions bear the date
    clock.errors = [RuntimeError("a bug")]
    call = Call(mailboxes, now=clock)
    assert call.dialler.dials == []
    mailboxes.advance(0)
    assert one_of_each(call)
    call.model_is_ready()


def test_a_model_that_never_gets_ready_is_dialled_again_by_a_timer(mailboxes: WaitingDispatcher) -> None:
    dialler = FakeDialler()
    dialler.refusals = [None]
    call = Call(mailboxes, dialler=dialler)
    mailboxes.advance(14_900)
    assert len(dialler.dials) == 1
    mailboxes.advance(100)
    assert len(dialler.dials) == 2
    call.model_is_ready()
    assert one_of_each(call)


def renewed(mailboxes: WaitingDispatcher) -> Call:
    """A call whose second session, which stood by, has taken it over from the first."""
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(50_000)
    first, _ = call.dialler.wires
    call.model_is_ready()
    mailboxes.advance(0)
    assert first.closed == 1000
    return call


def test_a_session_that_took_over_and_is_lost_is_dialled_again_and_has_the_call(mailboxes: WaitingDispatcher) -> None:
    call = renewed(mailboxes)
    call.model.breaks()
    mailboxes.advance(1000)
    assert len(call.dialler.wires) == 3
    call.model_is_ready()
    assert [item["content"][0]["text"] for item in call.items("message", [call.model])] == ["Hello."]
    call.caller_says("Are you there?")
    call.bot_says("I am.")
    mailboxes.advance(60_000)
    assert call.records() == []
    assert call.model.closed is None
    assert lost_models(call) == ["closed with 1006"], "a renewal is no loss"


def test_a_standby_session_that_was_lost_is_not_given_the_call(mailboxes: WaitingDispatcher) -> None:
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(50_000)
    first, second = call.dialler.wires
    first.receives({"event_id": "e", "type": "input_audio_buffer.speech_started", "item_id": "u-1",
                    "audio_start_ms": 100})  # fmt: skip
    call.model_is_ready()
    second.breaks()
    mailboxes.drain()
    first.breaks()
    mailboxes.advance(1000)
    assert len(call.dialler.wires) == 4, "both are dialled again"
    for wire in call.dialler.wires[2:]:
        for kind in ("session.created", "session.updated"):
            wire.receives({"type": kind, "event_id": "e", "session": {"type": "realtime"}})
            mailboxes.drain()
    assert len(call.items("message", call.dialler.wires[2:])) == 1, "one of them has the call"


def test_a_standby_session_that_is_refused_leaves_the_call_to_the_active_one(
    mailboxes: WaitingDispatcher,
) -> None:
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(50_000)
    first, second = call.dialler.wires
    first.receives({"event_id": "e", "type": "input_audio_buffer.speech_started", "item_id": "u-1",
                    "audio_start_ms": 100})  # fmt: skip
    call.model_is_ready()
    second.breaks(4000)
    mailboxes.advance(0)
    call.model.breaks(4000)
    mailboxes.advance(0)
    first.breaks()
    mailboxes.advance(1000)
    assert len(call.dialler.wires) == 4, "the call's own session is dialled again"
    call.model_is_ready()
    call.bot_says("I am back.")
    assert call.records() == []


def test_a_standby_session_that_is_never_configured_is_dialled_again(mailboxes: WaitingDispatcher) -> None:
    call = with_a_session_of_100_s(mailboxes)
    mailboxes.advance(50_000)
    call.event("session.created", session={"type": "realtime"})
    mailboxes.advance(20_000)
    assert [wire.closed for wire in call.dialler.wires] == [None, 1006, None]


# --- the call's rows ---


@pytest.mark.parametrize("arranged", [True, False])
def test_a_call_whose_rows_are_lost_says_so_if_anything_was_arranged_and_records_it(call: Call, arranged: bool) -> None:
    if arranged:
        call.bot_says(call.answered("call-1", "order_pizza", **PIZZA_SLOTS)["say"], ms=1000)
        call.mailboxes.advance(1000)
    call.ref.tell(Forgotten())
    call.mailboxes.drain()
    asked = [str(each["response"].get("instructions", "")) for each in call.model.all("response.create")]
    assert (NOT_CERTAIN in "".join(asked)) == arranged
    assert call.describe().errors == ("store: rows of this call were lost",)


def asked_for_doubt(call: Call) -> int:
    every = [str(each["response"].get("instructions", "")) for each in call.model.all("response.create")]
    return sum(NOT_CERTAIN in each for each in every)


def owed(call: Call) -> list[tuple[str, str]]:
    """What the journal has that the caller must still hear: the newest row."""
    rows = [each.entry.row for each in call.journal.arrived if isinstance(each, AppendRow)]
    newest = [row for row in rows if isinstance(row, OwedRow)][-1]
    return [(each.run, each.words) for each in newest.results]


def test_that_nothing_can_be_confirmed_is_said_again_until_it_was_heard(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=8).greeted()
    call.bot_says(call.answered("call-1", "order_pizza", **PIZZA_SLOTS)["say"], ms=500)
    mailboxes.advance(500)
    call.told(Forgotten())
    assert owed(call) == [("books", NOT_CERTAIN)]
    call.caller_says("Wait, I also want")
    call.bot_says("Yes?", ms=500)
    mailboxes.advance(500)
    before = asked_for_doubt(call)
    mailboxes.advance(2000)
    assert asked_for_doubt(call) == before + 1
    call.bot_says(NOT_CERTAIN, ms=500)
    mailboxes.advance(500)
    assert owed(call) == []


def test_a_caller_who_hears_nothing_is_told_after_two_seconds_that_nothing_can_be_confirmed(
    mailboxes: WaitingDispatcher,
) -> None:
    call = Call(mailboxes, no_input_s=8).greeted()
    call.bot_says(call.answered("call-1", "order_pizza", **PIZZA_SLOTS)["say"], ms=500)
    mailboxes.advance(500)
    call.told(Forgotten())
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    call.event("response.done", response={"id": "r-x", "status": "cancelled"})
    mailboxes.advance(1900)
    assert asked_for_doubt(call) == 1
    mailboxes.advance(100)
    assert asked_for_doubt(call) == 2


def test_a_farewell_is_called_off_to_say_that_nothing_can_be_confirmed(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.answered("call-2", "order_pizza_confirm", yes=True)
    call.answered("call-3", "end_call")
    call.told(Forgotten())
    call.bot_says("It is ordered. Goodbye.", ms=500)
    mailboxes.advance(500)
    call.played()
    mailboxes.advance(7000)
    assert asked_for_doubt(call) > 0
    assert call.activities() == [], "the bot has hung up"


def test_nobody_hangs_up_for_a_goodbye_that_comes_after_the_loss_of_the_rows(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.told(Forgotten())
    call.answered("call-2", "end_call")
    call.bot_says("Goodbye.", ms=500)
    mailboxes.advance(500)
    call.played()
    mailboxes.advance(7000)
    assert asked_for_doubt(call) > 1
    assert call.activities() == [], "the bot has hung up"


def test_a_transfer_waits_until_the_caller_has_heard_that_nothing_can_be_confirmed(
    mailboxes: WaitingDispatcher,
) -> None:
    call = a_transfer_is_due(mailboxes, Forgotten())
    before = asked_for_doubt(call)
    call.bot_says("The oven is broken. I will put you through.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert call.activities() == [], "the caller is transferred"
    assert asked_for_doubt(call) == before + 1
    call.bot_says(NOT_CERTAIN, ms=500)
    assert asked_for_doubt(call) == before + 1, "it is being said"
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]


def test_a_loss_of_rows_while_it_rings_is_told_once_nobody_has_answered(mailboxes: WaitingDispatcher) -> None:
    call = a_transfer_is_due(mailboxes)
    call.bot_says("The oven is broken. I will put you through.", ms=500)
    mailboxes.advance(500)
    call.played()
    assert [name for name, _ in call.activities()] == ["transfer"]
    call.told(Forgotten())
    assert asked_for_doubt(call) == 0
    failed = {"status": "failed", "reasonCode": "busy"}
    call.vaic("activities", activities=[{"type": "event", "name": "transferStatus", "value": failed}])
    call.bot_says("I am sorry, nobody is free.", ms=500)
    mailboxes.advance(500)
    call.played()
    mailboxes.advance(7000)
    assert asked_for_doubt(call) > 0


def a_transfer_is_due(mailboxes: WaitingDispatcher, *before: object) -> Call:
    """before: what the call is told before its task ends with a transfer."""
    call = Call(
        mailboxes,
        effects={"pizza.bake": Oven(Failed("The oven is broken."))},
        transfer_targets={"all": "tel:1"},
        no_input_s=8,
    ).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.told(*before)
    assert call.answered("call-2", "order_pizza_confirm", yes=True)["result"] == "transfer"
    return call


# --- effects that fail ---

NOT_BAKED, NOT_BAKED_503 = "effect pizza.bake failed: c-1:t1:4", "effect pizza.bake failed: status 503: c-1:t1:4"


@pytest.mark.parametrize(
    ("result", "errors"),
    [
        (Failed("Your order for Ann is not here."), (NOT_BAKED,)),
        (Failed("Your order for Ann is not here.", "status 503"), (NOT_BAKED_503,)),
        (Unclear("Your order for Ann may be here."), (NOT_BAKED.replace("failed", "unclear"),)),
        (Refused("No more pizza."), ()),
        (Ok(), ()),
    ],
)
def test_an_effect_that_failed_or_is_unclear_is_an_error_in_the_record_without_anybody_s_words(
    mailboxes: WaitingDispatcher, result: EffectResult, errors: tuple[str, ...]
) -> None:
    call = Call(mailboxes, effects={"pizza.bake": Oven(result)}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.answered("call-2", "order_pizza_confirm", yes=True)
    call.ends()
    (record,) = call.records()
    assert (record.outcome, record.errors) == ("client-disconnected", errors)


def test_an_effect_that_fails_after_the_caller_has_left_is_in_the_record_too(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    stuck.result = Failed("It is broken.")
    call.ends()
    stuck.freed.set()
    mailboxes.until(call.records)
    assert call.records()[-1].errors == (NOT_BAKED,)


def test_an_effect_that_is_asked_for_again_and_has_failed_is_one_error(call: Call) -> None:
    for why in ("status 503", ""):  # of the first attempt the log has no reason
        call.told(EffectFailed("pizza.bake", "c-1:t1:4", "failed", why))
    assert call.describe().errors == (NOT_BAKED_503,)
