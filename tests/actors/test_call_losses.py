"""A call that loses its caller, its model, or one of its own actors, by message injection: what it does about it."""

from __future__ import annotations

import pykka
import pytest

from actors.dialler import DialFailed
from actors.messages import Rebind
from actors.openai_socket import OpenAISocket
from actors.vaic_socket import VaicSocket
from protocols.media import MediaFormat
from tests.actors.calls import (
    MS_100,
    TEN_WORDS,
    Call,
    Clock,
    PaperExchange,
    PaperWire,
    WaitingDispatcher,
    living,
)


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes).greeted()


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
    assert len(call.exchange.wires) == 1
    assert "resumed" in call.jotted()
    wire.receives({"type": "session.end", "conversationId": "c-1", "reasonCode": "client-disconnected"})
    call.mailboxes.drain()
    assert call.outcome() == "client-disconnected"


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


def test_a_resume_that_is_told_before_the_loss_of_the_old_socket_is_not_undone_by_it(call: Call) -> None:
    wire = PaperWire()
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
    assert len(call.exchange.wires) == 2
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
    call.vaic("userStream.chunk", audioChunk="AAAA")
    call.model_is_ready()
    assert call.model.last("input_audio_buffer.append")["audio"] == "AAAA"


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
    call = Call(mailboxes)
    call.starts()
    call.model_is_ready()
    call.model.breaks()
    mailboxes.advance(0)
    call.model_is_ready()
    mailboxes.advance(10_000)
    assert call.model.all("response.create") != []


def test_a_model_that_cannot_be_had_is_tried_with_growing_pauses_and_then_the_caller_is_hung_up_on(
    mailboxes: WaitingDispatcher,
) -> None:
    exchange = PaperExchange()
    exchange.refusals = [DialFailed(503, "refused at the upgrade")] * 6
    call = Call(mailboxes, exchange=exchange)
    tried: list[int] = []
    for wait_ms in (0, 490, 10, 990, 10, 2000, 4000):  # at once, and then after 0.5, 1, 2 and 4 s
        mailboxes.advance(wait_ms)
        tried.append(len(exchange.callers))
    assert tried == [2, 2, 3, 3, 4, 5, 6]
    assert call.activities() == [("hangup", {"hangupReason": "speech model unavailable"})]
    call.ends("bot-disconnected")
    (record,) = call.records()
    assert (record.outcome, record.errors) == ("failed", ("model: TransportLost",))
    mailboxes.until(call.is_gone)
    assert mailboxes.timers == 0


def test_a_model_that_cannot_be_had_while_the_caller_is_lost_ends_the_call_at_once(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.drain()
    call.exchange.refusals = [DialFailed(503, "refused at the upgrade")] * 5
    call.model.breaks()
    call.mailboxes.advance(10_000)
    assert call.outcome() == "failed"


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
    call.wire.tears = [bug]
    call.caller_begins()
    call.mailboxes.advance(0)
    assert one_of_each(call)
    assert call.wire.closed is None
    bot_is_heard(call)
    assert "session.accepted" not in call.wire.types()
    call.vaic("userStream.chunk", audioChunk="AAAA")
    assert call.model.last("input_audio_buffer.append")["audio"] == "AAAA"


def test_play_streams_of_a_replacement_have_names_of_their_own(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes)
    call.model_is_ready()
    call.bot_says("Before.", ms=100)
    call.wire.tears = [RuntimeError("a bug")]
    call.caller_begins()
    call.mailboxes.advance(0)
    call.bot_says("After.", ms=100)
    names = [frame["streamId"] for frame in call.wire.all("playStream.start")]
    assert len(set(names)) == len(names) == 2


def test_a_sentence_that_two_sockets_played_was_heard_as_long_as_both(call: Call) -> None:
    part: dict[str, object] = {"response_id": "r-1", "item_id": "i-1", "output_index": 0, "content_index": 0}
    call.event("response.created", response={"id": "r-1", "status": "in_progress"})
    call.event("response.output_audio.delta", **part, delta=MS_100)
    call.mailboxes.advance(100)
    call.wire.tears = [RuntimeError("a bug")]
    call.event("response.output_audio.delta", **part, delta=MS_100)  # this one is lost with the socket
    call.mailboxes.advance(0)
    call.event("response.output_audio.delta", **part, delta=MS_100)
    call.event("response.output_audio.done", **part)
    call.mailboxes.advance(1000)
    assert call.describe().turns[-1].heard_ms == 200


def test_a_vaic_socket_that_crashes_in_a_timer_is_replaced(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.wire.tears = [RuntimeError("a bug")]
    call.mailboxes.advance(500)
    assert one_of_each(call)
    bot_is_heard(call)


def test_a_vaic_socket_that_crashes_at_its_start_is_replaced_and_the_call_accepted(
    mailboxes: WaitingDispatcher,
) -> None:
    call = Call(mailboxes, wire=PaperWire(RuntimeError("a bug")))
    mailboxes.advance(0)
    assert call.wire.types() == ["session.accepted"]


def vaic_is_beyond_repair(call: Call) -> None:
    call.wire.tears = [RuntimeError("a bug")] * 4
    for number in range(4):
        call.caller_begins(f"u-{number}")
        call.mailboxes.advance(0)


def test_a_vaic_socket_that_crashes_again_and_again_fails_the_call(call: Call) -> None:
    vaic_is_beyond_repair(call)
    (record,) = call.records()
    assert (record.outcome, record.errors) == ("failed", ("vaic: RuntimeError",))
    assert call.model.closed == 1000
    assert pykka.ActorRegistry.get_all() == []
    assert call.mailboxes.timers == 0


def test_a_call_that_failed_leaves_no_caller_on_a_dead_line(call: Call) -> None:
    vaic_is_beyond_repair(call)
    assert call.wire.closed is not None


def test_a_vaic_socket_that_cannot_be_made_fails_the_call(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, media=MediaFormat("raw/odd", -1, 2, 48))
    mailboxes.advance(0)
    assert call.outcome() == "failed"
    assert pykka.ActorRegistry.get_all() == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_a_model_socket_that_crashes_is_dialled_again(call: Call, bug: BaseException) -> None:
    call.vaic("userStream.start")
    first = call.model
    first.tears = [bug]
    call.vaic("userStream.chunk", audioChunk="AAAA")
    call.mailboxes.advance(0)
    assert first.closed == 1006
    assert one_of_each(call)
    call.model_is_ready()
    bot_is_heard(call)


def test_a_model_socket_that_crashes_at_its_start_is_started_again(mailboxes: WaitingDispatcher) -> None:
    exchange = PaperExchange()
    exchange.refusals = [RuntimeError("a bug")]
    call = Call(mailboxes, exchange=exchange)
    mailboxes.advance(0)
    assert one_of_each(call)
    call.model_is_ready()


def test_a_model_socket_that_cannot_be_made_is_made_again(mailboxes: WaitingDispatcher) -> None:
    clock = Clock(holds=2)  # the book and the first row of the journal; then the model's instructions bear the date
    clock.tears = [RuntimeError("a bug")]
    call = Call(mailboxes, now=clock)
    assert call.exchange.callers == []
    mailboxes.advance(0)
    assert one_of_each(call)
    call.model_is_ready()


def test_a_model_that_never_gets_ready_is_dialled_again_by_a_timer(mailboxes: WaitingDispatcher) -> None:
    exchange = PaperExchange()
    exchange.refusals = [None]
    call = Call(mailboxes, exchange=exchange)
    mailboxes.advance(14_900)
    assert len(exchange.callers) == 1
    mailboxes.advance(100)
    assert len(exchange.callers) == 2
    call.model_is_ready()
    assert one_of_each(call)
