"""A whole call by message injection: its greeting, its conversation and its end. VAIC and the model are fake wires."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pykka
import pytest

from actors.call.speech import MOST_UNREAD
from actors.clips import Clip
from actors.messages.call import (
    BotSaid,
    Describe,
    EndCall,
    FunctionCalled,
    ModelReady,
    MoveCall,
    Parked,
    Rebind,
)
from actors.messages.journal import WriteRecord
from actors.model.session import OpenAISocket
from actors.policies import OVERTIME_LIMIT_S, SETTLE_LIMIT_S
from actors.system.signals import ChildDied
from actors.tasks.agent import FsmAgent
from actors.transport.dialler import DialFailed, Dialled
from actors.vaic.session import VaicSocket
from fsm.effects import Refused
from protocols.media import NO_AUDIO
from tests.actors.calls import (
    BEGAN,
    CLIPS,
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
    living,
    with_a_hanging_task,
)
from tests.counted import counted

HUNG_UP = ("hangup", {"hangupReason": "drained"})


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes).greeted()


def ends_told(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in lines if line["message"] in ("call ended", "call left to be resumed elsewhere")]


def all_is_gone(call: Call) -> None:
    """No actor, no timer and no socket of a call is left; its parent was told of a normal end."""
    call.mailboxes.until(call.is_gone)
    (death,) = call.parent.arrived
    assert (death.child, death.generation, death.reason) == ("call:c-1", 1, None)
    assert pykka.ActorRegistry.get_all() == []
    assert call.mailboxes.timers == 0
    assert all(wire.closed is not None for wire in (call.wire, call.model))


def greetings(call: Call) -> list[str]:
    """The instructions of each response we requested that has any."""
    asked = [frame["response"] for wire in call.dialler.wires for frame in wire.all("response.create")]
    return [each["instructions"] for each in asked if "instructions" in each]


# --- the beginning ---


def test_the_model_is_dialled_while_vaic_is_being_accepted(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes)
    assert call.wire.types() == ["session.accepted"]
    assert len(call.dialler.dials) == 1
    assert call.row_kinds() == ["call"]


def test_a_session_that_the_switchboard_has_accepted_is_not_accepted_again(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, accepted=True)
    assert call.wire.types() == []
    call.greeted().bot_says("Hello?")
    assert "playStream.start" in call.wire.types()


@pytest.mark.parametrize("order", [("starts", "model_is_ready"), ("model_is_ready", "starts")])
def test_the_caller_is_greeted_once_when_start_and_model_are_both_there(
    mailboxes: WaitingDispatcher, order: tuple[str, str]
) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S)
    getattr(call, order[0])()
    mailboxes.advance(100)
    assert greetings(call) == []
    getattr(call, order[1])()
    (greeting,) = greetings(call)
    assert greeting.startswith("Be kind.")
    assert greeting.endswith("Greet the caller with: Hello.")
    call.bot_says("Hello.")
    call.starts()
    mailboxes.advance(10_000)
    assert len(greetings(call)) == 1


def test_a_vaic_that_never_sends_start_is_not_waited_for_longer_than_three_seconds(
    mailboxes: WaitingDispatcher,
) -> None:
    call = Call(mailboxes)
    call.model_is_ready()
    mailboxes.advance(2900)
    assert greetings(call) == []
    mailboxes.advance(100)
    assert len(greetings(call)) == 1
    call.starts()
    assert len(greetings(call)) == 1


def test_the_start_limit_does_not_greet_without_a_model(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes)
    call.starts()
    mailboxes.advance(10_000)
    assert greetings(call) == []


def test_the_session_knows_todays_date_where_the_bot_is(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes)
    call.model_is_ready()
    session = call.model.last("session.update")["session"]
    assert session["instructions"] == "Be kind.\n\nToday is Monday, 2026-11-23, 14:05 (Europe/Berlin)."
    assert {tool["name"] for tool in session["tools"]} == {"book_appointment", "end_call", "order_pizza"}


# --- the conversation ---


def test_sound_goes_both_ways_and_what_was_said_and_heard_stands_in_the_record(call: Call) -> None:
    call.vaic("userStream.start")
    call.vaic("userStream.chunk", audioChunk="AAAAAAAA")
    assert call.model.last("input_audio_buffer.append")["audio"] == "AAAAAAAA"
    call.caller_says("Tomorrow.")
    call.bot_says("At what time?", ms=400)
    call.mailboxes.advance(400)
    assert [(turn.role, turn.text) for turn in call.describe().turns] == [
        ("bot", "Hello."), ("caller", "Tomorrow."), ("bot", "At what time?"),
    ]  # fmt: skip
    assert [kind for kind in call.row_kinds() if kind.startswith(("bot", "caller"))] == [
        "bot_said", "bot_heard", "caller_began", "caller_spoke", "caller_said", "bot_said", "bot_heard",
    ]  # fmt: skip


def test_a_barge_in_cuts_the_sentence_in_the_record_and_for_the_model(call: Call) -> None:
    call.bot_says(TEN_WORDS, item="i-1", ms=1000)
    call.mailboxes.advance(300)
    call.caller_says("Stop.")
    assert call.model.last("conversation.item.truncate")["audio_end_ms"] == 300
    record = call.describe()
    assert [turn.text for turn in record.turns] == ["Hello.", "one two three", "Stop."]
    assert [turn.unheard_ms for turn in record.turns] == [0, 700, 0]
    assert record.barge_ins == 1


def test_keys_are_put_into_words_for_the_model(call: Call) -> None:
    call.vaic("activities", activities=[{"type": "event", "name": "dtmf", "value": "42#"}])
    (item,) = call.items("message", [call.model])
    assert item["content"][0]["text"] == "The caller pressed these keys: 4 2 #."


def test_what_the_model_has_answered_by_a_function_call_is_not_said_to_its_next_session_again(call: Call) -> None:
    call.caller_begins("u-1")
    call.vaic("userStream.start")
    call.vaic("userStream.chunk", audioChunk="AAAA")
    assert call.model.all("input_audio_buffer.append")
    call.model_calls(("call-1", "order_pizza", {}))
    call.model.breaks()
    call.mailboxes.advance(0)
    call.model_is_ready()
    assert len(call.dialler.wires) == 2
    assert call.model.all("input_audio_buffer.append") == []


def test_describe_tells_the_call_as_it_stands_and_closes_nothing(call: Call) -> None:
    record = call.describe()
    assert (record.conversation_id, record.outcome) == ("c-1", "open")
    assert record.ended_at == BEGAN + timedelta(seconds=1)
    assert call.records() == []


def corrections(call: Call) -> int:
    """How often the model was asked to correct what it has told the caller."""
    return sum("I said that wrongly" in told for told in greetings(call))


def test_a_correction_is_asked_for_once_whatever_else_happens_before_it_is_heard(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=NO_WATCH_S).greeted()
    call.bot_says("It is booked.", ms=500)
    mailboxes.advance(600)
    call.bot_says("I am sorry, I said that wrongly: nothing is booked yet.", ms=1000)
    assert corrections(call) == 1


def test_a_correction_that_the_model_does_not_say_is_asked_for_again_in_a_silence(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, no_input_s=8).greeted()
    call.bot_says("It is booked.", ms=500)
    mailboxes.advance(500)
    assert corrections(call) == 1
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    call.event("response.done", response={"id": "r-x", "status": "cancelled"})
    mailboxes.advance(8_000)
    assert corrections(call) == 2


def test_what_the_model_said_while_a_task_was_at_work_is_corrected_once_after_the_task_s_answer(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = Call(mailboxes, effects={"appointments.book": stuck}, no_input_s=NO_WATCH_S).greeted()
    call.answered("call-1", "book_appointment", day="2026-11-24", at="10:30", name="Ada")
    call.hears_out()
    call.model_calls(("call-2", "book_appointment_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    call.bot_says("It is booked.", ms=500)
    mailboxes.advance(600)
    assert corrections(call) == 0, "it may be by now"
    stuck.result = Refused("That time is taken.")
    stuck.freed.set()
    mailboxes.until(lambda: "call-2" in call.outputs())
    assert call.describe().tasks[0].result == "open"
    part = {"response_id": "r-x", "item_id": "i-x", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-x", "status": "in_progress"})
    for _ in range(5):
        call.event("response.output_audio.delta", **part, delta=MS_100)
    mailboxes.advance(100)
    call.event("response.output_audio_transcript.done", **part, transcript="That time is taken. At what time?")
    call.event("response.done", response={"id": "r-x", "status": "completed"})
    mailboxes.advance(500)
    call.bot_says("I am sorry, I said that wrongly: nothing is booked yet. At what time?", ms=1000)
    mailboxes.advance(1000)
    assert corrections(call) == 1


# --- the end ---


def test_session_end_closes_both_sockets_ends_all_tasks_and_leaves_no_timer(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    call.answered("call-2", "book_appointment")
    call.bot_says(TEN_WORDS, ms=1000)
    before = counted("tieline_tasks_ended_total", agent="order_pizza", outcome="abandoned")
    call.ends("client-disconnected")
    all_is_gone(call)
    (record,) = call.records()
    assert record.outcome == "client-disconnected"
    assert [task.result for task in record.tasks] == ["abandoned", "abandoned"]
    assert counted("tieline_tasks_ended_total", agent="order_pizza", outcome="abandoned") - before == 1
    assert isinstance(call.journal.arrived[-1], WriteRecord)
    assert call.row_kinds()[-1] == "ended"


def test_a_caller_who_leaves_while_the_model_is_being_dialled_leaves_nothing_behind(
    mailboxes: WaitingDispatcher,
) -> None:
    dialler = FakeDialler()
    dialler.refusals = [None]
    call = Call(mailboxes, dialler=dialler)
    call.ends()
    assert call.outcome() == "client-disconnected"
    assert call.is_gone()
    assert pykka.ActorRegistry.get_all() == []
    assert mailboxes.timers == 0


def test_a_model_socket_that_opens_at_the_moment_of_the_end_is_closed(mailboxes: WaitingDispatcher) -> None:
    dialler, opened = FakeDialler(), FakeWire()
    dialler.refusals = [None]
    Call(mailboxes, dialler=dialler)
    (model,) = living(OpenAISocket)
    model.stop(block=False)
    dialler.dials[0].tell(Dialled(opened))
    mailboxes.drain()
    assert opened.closed is not None


def test_a_caller_who_leaves_while_the_model_waits_for_its_restart_starts_no_other(call: Call) -> None:
    call.dialler.refusals = [DialFailed(503, "refused at the upgrade")] * 3
    call.model.breaks()
    call.mailboxes.advance(0)
    dialled = len(call.dialler.dials)
    call.ends()
    call.mailboxes.advance(60_000)
    assert len(call.dialler.dials) == dialled
    assert call.outcome() == "client-disconnected"
    assert pykka.ActorRegistry.get_all() == []


def test_a_caller_who_hangs_up_in_mid_sentence_has_heard_half_of_it(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.mailboxes.advance(500)
    call.ends()
    turn = call.records()[0].turns[-1]
    assert (turn.text, turn.heard_ms) == ("one two three four five", 500)


def heard_last(call: Call) -> tuple[str, str]:
    """Outcome and the words of the last turn, as recorded."""
    (record,) = call.records()
    return record.outcome, record.turns[-1].text


def transcribed(call: Call, item: str, text: str) -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    call.event(kind, item_id=item, content_index=0, transcript=text)


def test_the_transcript_of_the_last_turn_is_waited_for_after_a_hang_up(call: Call) -> None:
    call.caller_begins("u-1")
    call.event("input_audio_buffer.speech_stopped", item_id="u-1", audio_end_ms=900)
    call.event("input_audio_buffer.committed", item_id="u-1", previous_item_id=None)
    call.ends()
    call.mailboxes.advance(1900)
    assert call.records() == []
    assert call.model.all("input_audio_buffer.commit") == []
    call.model_calls(("call-1", "end_call", {}))  # nothing is done any more
    transcribed(call, "u-1", "I will call again tomorrow.")
    assert heard_last(call) == ("client-disconnected", "I will call again tomorrow.")
    all_is_gone(call)


def test_a_turn_in_which_the_caller_hangs_up_is_ended_so_that_it_has_a_transcript(call: Call) -> None:
    call.caller_begins("u-1")
    call.ends()
    assert len(call.model.all("input_audio_buffer.commit")) == 1
    transcribed(call, "u-1", "I will call")
    assert heard_last(call) == ("client-disconnected", "I will call")
    all_is_gone(call)


def test_a_last_transcript_that_never_comes_is_not_waited_for_longer_than_two_seconds(call: Call) -> None:
    call.caller_begins("u-1")
    call.ends()
    call.mailboxes.advance(2000)
    assert heard_last(call) == ("client-disconnected", "")
    all_is_gone(call)


def test_a_last_transcript_does_not_come_from_a_session_that_is_lost(call: Call) -> None:
    call.caller_begins("u-1")
    call.ends()
    call.model.breaks()
    call.mailboxes.advance(0)
    assert heard_last(call) == ("client-disconnected", "")
    assert len(call.dialler.dials) == 1
    all_is_gone(call)


def test_a_task_is_waited_for_as_well_as_the_last_transcript(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.caller_begins("u-1")
    call.ends()
    transcribed(call, "u-1", "Bye.")
    assert call.records() == []
    assert call.model.closed == 1000
    stuck.freed.set()
    all_is_gone(call)
    assert heard_last(call) == ("client-disconnected", "Bye.")


def test_messages_after_the_end_change_nothing(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.ends()
    assert not call.is_gone(), "a task still hangs"
    written = list(call.journal.arrived)
    call.told(
        BotSaid("i-9", "Hello."),
        FunctionCalled("call-9", "order_pizza", "{}"),
        ModelReady("model:1"),
        EndCall("drained"),
        Rebind(FakeWire()),
    )
    call.wire.breaks()
    call.mailboxes.advance(1000)
    assert call.journal.arrived == written
    stuck.freed.set()
    all_is_gone(call)


def test_a_resume_that_comes_after_the_end_is_turned_away(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = Call(mailboxes, effects={"pizza.bake": stuck}).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.event("response.created", response={"id": "r-0", "status": "in_progress"})
    call.event("response.done", response={"id": "r-0", "status": "cancelled"})
    call.wire.breaks()
    mailboxes.advance(55_000)
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert stuck.entered.wait(5)
    mailboxes.advance(5000)
    assert not call.is_gone(), "a task still hangs"
    wire = call.resumes()
    stuck.freed.set()
    mailboxes.until(call.is_gone)
    assert call.outcome() == "lost"
    assert wire.closed == 1000


def test_a_task_that_hangs_has_ten_minutes_after_the_record_so_far_and_a_second_to_stop(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.ends()
    assert not living(VaicSocket), "nobody is there to speak to"
    assert not living(OpenAISocket)
    mailboxes.advance((SETTLE_LIMIT_S + OVERTIME_LIMIT_S) * 1000 + 900)
    assert not call.is_gone()
    mailboxes.advance(100)
    assert call.is_gone()
    assert mailboxes.timers == 0
    assert not living(VaicSocket)
    assert not living(OpenAISocket)
    (agent,) = living(FsmAgent)
    stuck.freed.set()
    assert agent.actor_stopped.wait(5), "it was told to stop, and does once it can"


def test_a_call_that_is_told_to_end_asks_vaic_for_it_and_keeps_its_own_outcome(call: Call) -> None:
    call.told(EndCall("drained"))
    assert call.activities() == [HUNG_UP]
    assert call.records() == []
    call.ends("bot-disconnected")
    assert call.outcome() == "drained"
    all_is_gone(call)


def test_a_call_that_is_told_to_end_twice_hangs_up_once(call: Call) -> None:
    call.told(EndCall("drained"), EndCall("drained"))
    assert call.activities() == [HUNG_UP]


def test_a_call_that_is_told_to_end_does_so_after_six_seconds_without_vaics_answer(call: Call) -> None:
    call.told(EndCall("drained"))
    call.mailboxes.advance(5900)
    assert call.records() == []
    call.mailboxes.advance(100)
    assert call.outcome() == "drained"
    all_is_gone(call)


def test_a_call_whose_caller_is_lost_ends_at_once_when_it_is_told_to(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.drain()
    call.told(EndCall("drained"))
    assert call.outcome() == "drained"
    assert call.is_gone()


def test_a_call_that_is_stopped_leaves_a_record_and_no_child(call: Call) -> None:
    call.answered("call-1", "order_pizza")
    call.ref.stop(block=False)
    call.mailboxes.until(call.is_gone)
    for agent in living(FsmAgent):
        assert agent.actor_stopped.wait(5)
    all_is_gone(call)
    assert call.outcome() == "drained"


# --- its own death ---


def crashing(mailboxes: WaitingDispatcher) -> Call:
    """A call that crashes over the next message whose handler reads the clock."""
    clock = Clock()
    call = Call(mailboxes, now=clock, effects={"pizza.bake": Oven()})
    call.starts()
    call.model_is_ready()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.wire.frames.clear()
    clock.errors = [RuntimeError("a bug")]
    return call


def its_crash_cost_the_call_only(call: Call) -> None:
    assert (call.wire.closed, call.model.closed) == (None, 1000)
    assert call.activities() == []
    assert call.wire.types()[-1] == "playStream.chunk", "the caller is told in words"
    call.mailboxes.advance(1000)  # the length of the clip
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.vaic("session.end", reasonCode="bot-disconnected", reason="hangup")
    assert call.wire.closed == 1000
    assert call.outcome() == "failed"
    (death,) = call.parent.all(ChildDied)
    assert isinstance(death.reason, RuntimeError)
    for agent in living(FsmAgent):
        assert agent.actor_stopped.wait(5)
    assert pykka.ActorRegistry.get_all() == []
    assert call.mailboxes.timers == 0


def test_a_call_that_crashes_ends_in_words_writes_its_record_and_takes_its_children_along(
    mailboxes: WaitingDispatcher,
) -> None:
    call = crashing(mailboxes)
    call.told(Describe())
    its_crash_cost_the_call_only(call)


def test_a_call_that_crashes_and_whose_hangup_is_not_answered_leaves_nothing(mailboxes: WaitingDispatcher) -> None:
    call = crashing(mailboxes)
    call.told(Describe())
    mailboxes.advance(1000)
    call.played()
    assert [name for name, _ in call.activities()] == ["hangup"]
    mailboxes.advance(10_000)
    assert call.wire.closed == 1000
    assert not living(VaicSocket)


def test_a_call_that_crashes_after_its_hangup_leaves_no_socket(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.wire.frames.clear()
    call.told(EndCall("drained"))
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ref.tell("what no mailbox takes")
    mailboxes.drain()
    call.vaic("session.end", reasonCode="bot-disconnected", reason="hangup")
    mailboxes.advance(10_000)
    assert not living(VaicSocket)
    assert mailboxes.timers == 0


def test_a_call_that_crashes_over_an_ask_ends_as_completely(mailboxes: WaitingDispatcher) -> None:
    call = crashing(mailboxes)
    answer = call.ref.ask(Describe(), block=False)
    mailboxes.drain()
    with pytest.raises(RuntimeError, match="a bug"):
        answer.get(timeout=60)
    its_crash_cost_the_call_only(call)


def test_what_the_bot_says_while_the_caller_has_no_socket_is_taken_back(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.drain()
    call.bot_says("Can you hear me?", item="i-unheard")
    assert [frame["item_id"] for frame in call.model.all("conversation.item.delete")] == ["i-unheard"]


# --- what the log tells of an end ---


@pytest.mark.parametrize(
    ("reason", "outcome", "by"),
    [
        ("client-disconnected", "client-disconnected", "caller"),
        ("machine-detected", "machine-detected", "vaic"),
    ],
)
def test_the_log_tells_in_one_line_how_long_a_call_was_and_who_ended_it(
    call: Call, info_lines: list[dict[str, object]], reason: str, outcome: str, by: str
) -> None:
    call.mailboxes.advance(2500)
    call.ends(reason)
    (line,) = ends_told(info_lines)
    ended = {"message": "call ended", "conversation": "c-1", "outcome": outcome, "by": by, "s": 3.5, "bot": "practice"}
    assert line == ended


def test_a_bot_that_hangs_up_has_ended_the_call(call: Call, info_lines: list[dict[str, object]]) -> None:
    call.told(EndCall("drained"))
    call.ends("bot-disconnected")
    assert [line["by"] for line in ends_told(info_lines)] == ["tieline"]


def test_a_call_that_is_moved_leaves_one_line_here(call: Call, info_lines: list[dict[str, object]]) -> None:
    call.told(MoveCall(now=True))
    back = FakeWire()
    for each in (Parked(), Rebind(back)):
        call.ref.tell(each)
    call.mailboxes.drain()
    assert (call.wire.closed, back.closed) == (1012, 1012)
    left = {"message": "call left to be resumed elsewhere", "conversation": "c-1"}
    assert ends_told(info_lines) == [left]


# --- in writing ---


def greeted_chat(mailboxes: WaitingDispatcher, **more: Any) -> Call:
    """A call in writing up to the point where the greeting was written. more: see Call."""
    call = Call(mailboxes, media=NO_AUDIO, text=True, **more)
    call.starts()
    call.model_is_ready()
    call.bot_writes("Hello.", item="hello")
    return call


@pytest.fixture
def chat(mailboxes: WaitingDispatcher) -> Call:
    return greeted_chat(mailboxes)


def test_a_chat_is_a_conversation_and_both_sides_words_stand_in_its_record(chat: Call) -> None:
    assert chat.texts() == ["Hello."]
    chat.writes("Tomorrow.")
    (turn,) = chat.items("message")
    assert turn["content"] == [{"type": "input_text", "text": "Tomorrow."}]
    assert len(chat.model.all("response.create")) == 2
    chat.bot_writes("At what time?")
    assert [(turn.role, turn.text) for turn in chat.describe().turns] == [
        ("bot", "Hello."), ("caller", "Tomorrow."), ("bot", "At what time?"),
    ]  # fmt: skip


def test_what_is_written_before_there_is_a_model_is_read_after_the_greeting(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, media=NO_AUDIO, text=True)
    call.writes("Are you there?")
    call.starts()
    call.model_is_ready()
    assert [each["response"]["instructions"][-6:] for each in call.model.all("response.create")] == ["Hello."]
    assert len(call.items("message")) == 1
    call.bot_writes("Hello.")
    assert len(call.model.all("response.create")) == 2


def test_what_is_written_while_the_model_is_away_is_said_to_the_next_one_once(chat: Call) -> None:
    chat.model.breaks()
    chat.writes("Tomorrow.")
    chat.mailboxes.advance(1000)
    chat.model_is_ready()
    said = [item for item in chat.items("message") if item["role"] == "user"]
    assert [item["content"][0]["text"] for item in said] == ["Tomorrow."]


def test_of_too_many_texts_that_wait_the_newest_are_read(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, media=NO_AUDIO, text=True)
    for number in range(MOST_UNREAD + 1):
        call.writes(f"{number}")
    call.starts()
    call.model_is_ready()
    assert [item["content"][0]["text"] for item in call.items("message")] == [f"{n}" for n in range(1, MOST_UNREAD + 1)]


def test_a_written_yes_to_a_written_read_back_carries_the_task_out(mailboxes: WaitingDispatcher) -> None:
    oven = Oven()
    call = greeted_chat(mailboxes, effects={"pizza.bake": oven})
    told = call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.event("conversation.item.added", item={"id": "o-1", "type": "function_call_output", "call_id": "call-1"})
    call.mailboxes.advance(100)
    call.bot_writes(f"{told['say']} {told.get('next', '')}")
    call.writes("Yes.")
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    call.mailboxes.until(lambda: "call-2" in call.outputs())
    assert len(oven.requests) == 1


def test_a_written_no_or_a_yes_before_the_read_back_carries_nothing_out(mailboxes: WaitingDispatcher) -> None:
    oven = Oven()
    call = greeted_chat(mailboxes, effects={"pizza.bake": oven})
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.writes("Yes.")
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    call.mailboxes.until(lambda: "call-2" in call.outputs())
    assert len(oven.requests) == 0


def test_a_silent_chat_is_not_asked_whether_anybody_is_there(chat: Call) -> None:
    asked = len(chat.model.all("response.create"))
    chat.mailboxes.advance(600_000)
    assert len(chat.model.all("response.create")) == asked
    assert chat.activities() == []


def test_vaic_tells_when_a_chat_has_been_silent_for_too_long(chat: Call) -> None:
    for asked in range(1, 4):
        chat.vaic("activities", activities=[{"type": "event", "name": "noUserInput", "value": asked}])
        chat.bot_writes("Are you still there?")
        assert len(chat.model.all("response.create")) == 1 + asked
    chat.vaic("activities", activities=[{"type": "event", "name": "noUserInput", "value": 4}])
    assert chat.texts()[-1] == CLIPS[Clip.GOODBYE].words
    assert [name for name, _ in chat.activities()] == ["hangup"]


def test_a_chat_is_hung_up_on_as_soon_as_its_farewell_is_written(chat: Call) -> None:
    chat.writes("That is all, thank you.")
    chat.model_calls(("call-1", "end_call", {}))
    chat.mailboxes.until(lambda: "call-1" in chat.outputs())
    chat.bot_writes("Goodbye.")
    assert chat.texts()[-1] == "Goodbye."
    assert [name for name, _ in chat.activities()] == ["hangup"]


def test_a_chat_is_told_in_writing_that_the_daemon_ends_it(chat: Call) -> None:
    chat.told(EndCall("drained", in_words=True))
    assert chat.texts()[-1] == CLIPS[Clip.CALL_AGAIN].words
    assert chat.activities() == [HUNG_UP]
