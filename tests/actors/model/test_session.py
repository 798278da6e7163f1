"""The model session by message injection: set-up, turns, barge-in, function calls, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pykka
import pytest

from actors.messages.call import (
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    FunctionCalled,
    ImageRefused,
    ModelReady,
    ResponseEnded,
    SettingRefused,
    TurnOverrun,
    Usage,
)
from actors.messages.model import (
    CallerTyped,
    EndTurn,
    FunctionOutput,
    Heard,
    OutOfBandRequest,
    SessionChanged,
    ShowImageItem,
    Speak,
)
from actors.messages.vaic import (
    AwaitWords,
    BotAudio,
    BotAudioEnded,
    BotText,
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
)
from actors.metrics import MODEL_ERRORS, PeerLabels
from actors.model.session import MOST_LOGGED
from actors.system.signals import ChildDied
from actors.transport.dialler import DialFailed
from actors.transport.rate_limit import EVENTS_AHEAD
from fsm.spec import Known
from fsm.testing.conversation import NOON
from fsm.walk import ReasoningRequest
from protocols.errors import ModelRefused, TransportLost, WireError
from protocols.frames import MOST_VALUES
from protocols.ledger import ItemHeard
from protocols.limits import MOST_ITEMS, NAME_CHARS, TURN_CHARS
from protocols.media import MULAW
from protocols.realtime.objects import FunctionCallItem, InputImage, InputText, McpTool, UserMessage
from protocols.realtime.scheduler import ASKED
from tests.actors.model.scene import MODEL, MS_100, TOOL, Scene
from tests.counted import counted
from tests.cranked import CrankedDispatcher
from tests.protocols.mutations import paths, spoilt


@pytest.fixture
def scene(mailboxes: CrankedDispatcher) -> Scene:
    return Scene(mailboxes).live()


def test_the_session_is_configured_completely_and_only_after_it_was_created(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).dialled()
    assert scene.wire.frames == []
    scene.event("session.created", session={"type": "realtime"})
    (update,) = scene.wire.frames
    session = update["session"]
    assert session["type"] == "realtime"
    assert session["instructions"] == "Be kind."
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
        "idle_timeout_ms": None,
    }
    assert session["audio"]["output"]["voice"] == "marin"
    assert [tool["name"] for tool in session["tools"]] == ["book"]
    scene.call.expect_nothing()


def test_mulaw_calls_ask_for_mulaw_both_ways(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, media=MULAW).dialled()
    scene.event("session.created", session={"type": "realtime"})
    audio = scene.wire.frames[0]["session"]["audio"]
    assert audio["input"]["format"] == audio["output"]["format"] == {"type": "audio/pcmu"}


def test_a_conversation_is_rebuilt_before_the_session_is_said_to_be_ready(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, history=(UserMessage(content=(InputText(text="hello"),)),))
    scene.dialled()
    scene.event("session.created", session={"type": "realtime", "expires_at": 1234})
    scene.call.expect_nothing()
    scene.event("session.updated", session={"type": "realtime"})
    assert scene.wire.types() == ["session.update", "conversation.item.create"]
    assert scene.call.expect(ModelReady).expires_at == 1234


@pytest.mark.parametrize(("told", "read"), [(1234.5, 1234.5), (0, 0), (None, None), ("soon", None), ({}, None)])
def test_a_session_is_set_up_with_any_stated_expiry(
    mailboxes: CrankedDispatcher, told: object, read: float | None
) -> None:
    labels = {"leg": "model", "reason": "bad_fields"}
    before = counted("tieline_bad_frames_total", **labels)
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime", "expires_at": told})
    scene.event("session.updated", session={"type": "realtime", "expires_at": told})
    assert scene.call.expect(ModelReady) == ModelReady("model", expires_at=read)
    bad = counted("tieline_bad_frames_total", **labels) - before
    assert bad == (told is not None and read is None)


@pytest.mark.parametrize("session", ["set", 7, [], {"audio": "pcm"}, {"audio": {"input": {"format": ["audio/pcm"]}}}])
def test_a_session_that_cannot_be_read_is_not_taken_for_the_one_asked_for(
    mailboxes: CrankedDispatcher, session: object
) -> None:
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.event("session.updated", session=session)
    reason = scene.parent.expect(ChildDied).reason
    assert isinstance(reason, ModelRefused)
    assert reason.reason.startswith("format refused: input: unreadable")
    scene.call.expect_nothing()


def test_a_silently_refused_format_is_final(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, media=MULAW).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.event("session.updated", session={"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcm"}}}})
    assert isinstance(scene.parent.expect(ChildDied).reason, ModelRefused)
    assert scene.wire.closed is not None
    assert scene.dialler.tripped == "format refused: input: audio/pcm"


REFUSED = {"type": "invalid_request_error", "code": "unknown_parameter", "param": "session.audio", "message": "no"}


def test_a_refused_configuration_is_final_and_names_what_was_refused(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.event("error", error=REFUSED)
    assert scene.call.expect(SettingRefused) == SettingRefused("session: all optional settings")
    assert scene.wire.types() == ["session.update", "session.update"]
    scene.event("error", error=REFUSED)
    reason = scene.parent.expect(ChildDied).reason
    assert isinstance(reason, ModelRefused)
    assert reason.reason == scene.dialler.tripped == "session refused: unknown_parameter session.audio"


def test_a_setting_that_is_refused_is_left_out_and_the_call_goes_on(mailboxes: CrankedDispatcher) -> None:
    labels = {"done": "set up without"}
    before = counted("tieline_model_updates_refused_total", **labels)
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime"})
    for param in ("session.audio.input.transcription.model", "session.audio.output.voice"):
        scene.event("error", error={**REFUSED, "param": param})
    refused = [
        SettingRefused("session.audio.input.transcription.model"),
        SettingRefused("session.audio.output.voice"),
    ]
    assert scene.call.arrived == refused
    assert scene.dialler.refused_settings == (), "nothing was accepted yet"
    scene.event("session.updated", session={"type": "realtime"})
    scene.call.expect(ModelReady)
    assert counted("tieline_model_updates_refused_total", **labels) - before == 2
    audio = scene.wire.frames[-1]["session"]["audio"]
    assert "voice" not in audio["output"]
    assert "model" not in audio["input"]["transcription"]
    assert audio["input"]["turn_detection"]["silence_duration_ms"] == 500
    assert scene.dialler.tripped == ""
    assert scene.dialler.refused_settings == tuple(told.setting for told in refused)


def test_a_setting_that_another_call_was_refused_is_not_offered_again_and_the_record_says_so(
    mailboxes: CrankedDispatcher,
) -> None:
    scene = Scene(mailboxes)
    scene.dialler.refused_settings = ("session.audio.output.voice", "session.no.such", "session.instructions.x")
    scene.dialled()
    scene.event("session.created", session={"type": "realtime"})
    assert scene.call.arrived == [SettingRefused(each) for each in scene.dialler.refused_settings]
    session = scene.wire.frames[-1]["session"]
    assert "voice" not in session["audio"]["output"]
    assert session["instructions"] == "Be kind."
    scene.event("session.updated", session={"type": "realtime"})
    assert scene.wire.types().count("session.update") == 1


def test_the_end_of_a_response_tells_what_was_left_of_the_limits(scene: Scene) -> None:
    scene.created()
    scene.event("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 100, "remaining": 25}])
    scene.done()
    assert scene.call.expect(ResponseEnded).rates_left == {"tokens": 0.25}


def test_a_change_while_the_session_is_configured_stays_in_what_is_sent_again(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.told(SessionChanged("Now book.", ()))
    scene.event("error", error={**REFUSED, "param": "session.audio.output.voice"})
    session = scene.wire.frames[-1]["session"]
    assert (session["instructions"], session["tools"]) == ("Now book.", [])


def test_a_session_may_begin_with_the_conversation(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).dialled()
    scene.event("conversation.created", conversation={"id": "conv-1"})
    scene.event("session.created", session={"type": "realtime", "expires_at": 1234})
    assert scene.wire.types() == ["session.update"]
    scene.event("session.updated", session={"type": "realtime"})
    assert scene.call.expect(ModelReady).expires_at == 1234


def test_a_configuration_with_a_conversation_that_is_refused_closes_no_other_call(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, history=(UserMessage(content=(InputText(text="hello"),)),)).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.event("error", error=REFUSED)
    scene.event("error", error=REFUSED)
    assert isinstance(scene.parent.expect(ChildDied).reason, ModelRefused)
    assert scene.dialler.tripped == ""


@pytest.mark.parametrize("error", [{"type": "server_error"}, {"type": "x", "code": "rate_limit_exceeded"}])
def test_an_error_that_may_pass_ends_the_attempt_only(mailboxes: CrankedDispatcher, error: dict[str, str]) -> None:
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.event("error", error=error)
    assert isinstance(scene.parent.expect(ChildDied).reason, WireError)
    assert scene.dialler.tripped == ""


def test_a_session_that_is_never_set_up_ends_the_attempt(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).dialled()
    scene.mailboxes.advance(15_000)
    assert isinstance(scene.parent.expect(ChildDied).reason, TransportLost)


def test_the_greeting_is_one_response_without_tools(scene: Scene) -> None:
    scene.told(Speak("Greet the caller with: Hello."))
    (create,) = scene.wire.frames
    assert create["response"] == {"instructions": "Greet the caller with: Hello.", "tools": [], "metadata": ASKED}


def test_bot_audio_and_its_words_are_passed_on(scene: Scene) -> None:
    scene.created()
    scene.delta()
    scene.event("response.output_audio.done", response_id="r-1", item_id="i-1", output_index=0, content_index=0)
    scene.event("response.output_audio_transcript.done", response_id="r-1", item_id="i-1", output_index=0,
                content_index=0, transcript="Hello.")  # fmt: skip
    scene.done(usage={"input_tokens": 10, "output_tokens": 4, "input_token_details": {}})
    assert scene.vaic.arrived == [BotAudio("i-1", MS_100), BotAudioEnded("i-1")]
    assert scene.call.arrived == [
        BotSaid("i-1", "Hello."),
        ResponseEnded(
            "completed",
            ("i-1",),
            0,
            {"input_tokens": 10, "output_tokens": 4},
            response_id="r-1",
            used=Usage(tokens={"input_other": 10, "output_other": 4}),
            asked_ms=0.0,
            first_ms=0.0,
        ),
    ]


def test_a_callers_turn_is_reported_to_both_sides(scene: Scene) -> None:
    scene.event("input_audio_buffer.speech_started", item_id="u-1", audio_start_ms=100)
    scene.event("input_audio_buffer.speech_stopped", item_id="u-1", audio_end_ms=900)
    scene.event("input_audio_buffer.committed", item_id="u-1", previous_item_id=None)
    scene.event("conversation.item.input_audio_transcription.completed", item_id="u-1", content_index=0,
                transcript=" Tomorrow. ", usage={})  # fmt: skip
    assert [type(message) for message in scene.vaic.arrived] == [
        CallerBargedIn,
        CallerFellSilent,
        CallerTurnCommitted,
        CallerRecognised,
    ]
    assert [type(message) for message in scene.call.arrived] == [CallerSpeaks, CallerSpeaks, CallerSaid]
    assert scene.call.expect(CallerSaid).text == "Tomorrow."
    assert scene.wire.frames == [], "the server answers a committed turn by itself"


def test_the_words_of_a_turn_that_began_without_an_id_are_that_turns(scene: Scene) -> None:
    scene.event("input_audio_buffer.speech_started", item_id=None)
    scene.event("input_audio_buffer.speech_stopped")
    scene.event("input_audio_buffer.committed", item_id="u-1")
    scene.event("conversation.item.input_audio_transcription.completed", item_id="u-1", transcript="No!")
    began, ended, said = scene.call.arrived
    assert isinstance(began, CallerSpeaks)
    assert isinstance(ended, CallerSpeaks)
    assert isinstance(said, CallerSaid)
    assert began.item_id == ended.item_id == said.item_id != ""


def test_a_response_that_begins_while_the_caller_speaks_is_cancelled_and_not_heard(scene: Scene) -> None:
    scene.told(Speak("Greet the caller with: Hello."))
    scene.event("input_audio_buffer.speech_started", item_id="u-1", audio_start_ms=100)
    scene.vaic.arrived.clear()
    scene.created("r-1")
    assert scene.wire.types()[-1] == "response.cancel"
    scene.delta("r-1")
    scene.vaic.expect_nothing()


def test_after_barge_in_late_audio_of_that_response_is_dropped_and_the_next_one_heard(scene: Scene) -> None:
    scene.created("r-1")
    scene.delta("r-1")
    scene.event("input_audio_buffer.speech_started", item_id="u-1", audio_start_ms=100)
    scene.vaic.arrived.clear()
    scene.delta("r-1")
    scene.event("response.output_audio.done", response_id="r-1", item_id="i-1", output_index=0, content_index=0)
    scene.vaic.expect_nothing()
    scene.done("r-1", "cancelled")
    scene.event("input_audio_buffer.committed", item_id="u-1", previous_item_id=None)
    scene.created("r-2")
    scene.delta("r-2", "i-2")
    assert scene.vaic.expect(BotAudio).item_id == "i-2"


def turn(scene: Scene, *events: str, item: str = "u-1") -> None:
    more = {"speech_started": {"audio_start_ms": 100}, "speech_stopped": {"audio_end_ms": 900}, "committed": {}}
    for event in events:
        scene.event(f"input_audio_buffer.{event}", item_id=item, **more[event])


def test_a_turn_that_stopped_and_was_not_committed_keeps_nobody_from_speaking(scene: Scene) -> None:
    turn(scene, "speech_started", "speech_stopped")
    scene.told(Speak("Are you still there?"))
    scene.mailboxes.advance(990)
    assert scene.wire.types() == []
    scene.mailboxes.advance(10)
    assert scene.wire.types() == ["response.create"]


def test_a_turn_that_stops_again_is_given_its_own_time_to_be_committed(scene: Scene) -> None:
    turn(scene, "speech_started", "speech_stopped")
    scene.told(Speak("Are you still there?"))
    scene.mailboxes.advance(900)
    turn(scene, "speech_started", "speech_stopped", item="u-2")
    scene.mailboxes.advance(900)
    turn(scene, "committed", item="u-2")
    assert scene.wire.types() == [], "the server answers it"


def test_a_turn_that_is_ended_by_us_is_committed_and_the_bot_may_speak_at_once(scene: Scene) -> None:
    turn(scene, "speech_started")
    scene.vaic.arrived.clear()
    scene.told(EndTurn(), Speak("What did you say?"))
    assert scene.wire.types() == ["input_audio_buffer.commit", "response.create"]
    assert scene.vaic.expect(CallerFellSilent)
    turn(scene, "committed")  # which the server does not answer by itself
    scene.created()
    scene.delta()
    assert scene.vaic.expect(BotAudio)


def test_a_turn_that_ended_by_itself_while_it_was_being_ended_changes_nothing(scene: Scene) -> None:
    turn(scene, "speech_started")
    scene.told(EndTurn())
    turn(scene, "speech_stopped", "committed")
    scene.event("error", error={"type": "invalid_request_error", "code": "input_audio_buffer_commit_empty",
                                "message": "empty"})  # fmt: skip
    scene.vaic.arrived.clear()
    turn(scene, "speech_started", "speech_stopped", "committed", item="u-2")
    assert scene.vaic.expect(CallerTurnCommitted)


def test_a_sentence_whose_response_failed_is_at_its_end(scene: Scene) -> None:
    scene.created()
    scene.delta()
    scene.vaic.arrived.clear()
    scene.done(status="failed")
    assert scene.vaic.expect(BotAudioEnded).item_id == "i-1"


def test_a_sentence_that_ended_is_not_ended_again_with_its_response(scene: Scene) -> None:
    scene.created()
    scene.delta()
    scene.event("response.output_audio.done", response_id="r-1", item_id="i-1", output_index=0, content_index=0)
    scene.vaic.arrived.clear()
    scene.done()
    scene.vaic.expect_nothing()


def test_deltas_of_a_response_that_was_never_created_are_dropped(scene: Scene) -> None:
    scene.delta("stray")
    scene.vaic.expect_nothing()


@pytest.mark.parametrize(("heard_ms", "cut_ms"), [(40, 40), (1, 1), (500, 100)])
def test_what_was_cut_is_truncated_to_what_was_heard_and_never_beyond_what_came(
    scene: Scene, heard_ms: int, cut_ms: int
) -> None:
    scene.created()
    scene.delta()
    scene.told(Heard((ItemHeard("i-1", heard_ms, 100, 0, complete=False),)))
    (cut,) = scene.wire.frames
    assert cut == {"type": "conversation.item.truncate", "item_id": "i-1", "content_index": 0, "audio_end_ms": cut_ms}


def test_what_was_not_heard_at_all_is_taken_back_once_its_response_is_over(scene: Scene) -> None:
    scene.created()
    scene.delta()
    scene.told(Heard((ItemHeard("i-1", 0, 100, None, complete=False),)))
    assert scene.wire.types() == []
    scene.done(status="cancelled")
    (delete,) = scene.wire.frames
    assert delete == {"type": "conversation.item.delete", "item_id": "i-1"}


def test_what_was_heard_to_its_end_is_left_alone(scene: Scene) -> None:
    scene.told(Heard((ItemHeard("i-1", 100, 100, 0, complete=True),)))
    assert scene.wire.frames == []


def test_a_functions_output_goes_out_after_its_response_and_is_then_spoken_about_once(scene: Scene) -> None:
    scene.created()
    scene.function_call()
    assert scene.call.expect(FunctionCalled) == FunctionCalled("call-1", "book", '{"day":"2026-03-05"}', "r-1")
    scene.told(FunctionOutput("call-1", '{"say":"At what time?"}'))
    assert scene.wire.types() == []
    scene.done()
    created, asked = scene.wire.frames
    assert created["item"] == {
        "type": "function_call_output",
        "call_id": "call-1",
        "output": '{"say":"At what time?"}',
    }
    assert asked["type"] == "response.create"
    assert scene.call.expect(ResponseEnded).calls == 1


def test_several_functions_of_one_response_are_all_answered_before_it_is_spoken_about_once(scene: Scene) -> None:
    scene.created()
    scene.function_call(call_id="call-1")
    scene.function_call(call_id="call-2")
    scene.done()
    scene.told(FunctionOutput("call-2", "{}"))
    assert scene.wire.types() == ["conversation.item.create"]
    scene.told(FunctionOutput("call-1", "{}"))
    assert scene.wire.types() == ["conversation.item.create", "response.create"]


def output_added(scene: Scene) -> None:
    item = {"id": "o-1", "type": "function_call_output", "call_id": "call-1", "output": "{}"}
    scene.event("conversation.item.added", item=item)


@pytest.mark.parametrize("known", [True, False], ids=["added before", "added after"])
def test_an_output_while_the_caller_speaks_is_left_to_the_automatic_answer_if_that_knows_of_it(
    scene: Scene, known: bool
) -> None:
    scene.created()
    scene.function_call()
    scene.done()
    turn(scene, "speech_started")
    scene.told(FunctionOutput("call-1", "{}"))
    assert scene.wire.types() == ["conversation.item.create"]
    turn(scene, "speech_stopped", "committed")
    if known:
        output_added(scene)
    scene.created("auto")
    output_added(scene)
    scene.delta("auto", "i-2")
    assert scene.wire.types() == []
    scene.done("auto")
    assert scene.wire.types() == ([] if known else ["response.create"])
    scene.mailboxes.advance(100)


def test_a_function_of_a_response_that_the_caller_cut_off_is_reported_as_cut_off(scene: Scene) -> None:
    scene.created()
    scene.function_call()
    assert not scene.call.expect(FunctionCalled).cut_off
    turn(scene, "speech_started")
    scene.function_call(call_id="call-2")
    assert scene.call.expect(FunctionCalled).cut_off


def test_incomplete_function_calls_are_not_run(scene: Scene) -> None:
    scene.created()
    scene.function_call(status="incomplete")
    scene.call.expect_nothing()


def test_keys_are_put_into_words_for_the_model(scene: Scene) -> None:
    scene.told(CallerTyped("The caller pressed these keys: 4 2."))
    assert scene.wire.types() == ["conversation.item.create", "response.create"]


def test_a_change_of_tools_and_instructions_is_a_sparse_update(scene: Scene) -> None:
    scene.told(SessionChanged("Now.", ()))
    (update,) = scene.wire.frames
    assert update["session"] == {"type": "realtime", "instructions": "Now.", "tools": []}


@pytest.mark.parametrize(
    "code", ["response_cancel_not_active", "conversation_already_has_active_response", "brand_new_code", None]
)
def test_errors_in_a_live_session_end_nothing(scene: Scene, code: str | None) -> None:
    scene.event("error", error={"type": "invalid_request_error", "code": code, "message": "no"})
    scene.parent.expect_nothing()


def test_errors_are_logged_once_a_code_and_a_few_codes_only(scene: Scene, log_lines: list[str]) -> None:
    for number in range(200):
        scene.event("error", error={"type": "x", "code": f"code_{number % 100}", "message": "no"})
    assert sum("model error" in line for line in log_lines) == MOST_LOGGED


def test_what_codes_a_server_invents_makes_no_series_without_end(scene: Scene) -> None:
    def series() -> int:
        return sum(len(metric.samples) for metric in MODEL_ERRORS.collect())

    def invent(letter: str) -> None:
        for number in range(2 * PeerLabels.MOST):
            scene.event("error", error={"type": "x", "code": letter * (number % 60 + 1) + "q" * (number // 60)})

    invent("y")
    known = series()
    invent("z")
    assert series() == known <= PeerLabels.MOST + 1


def test_an_error_of_any_length_is_told_in_short(mailboxes: CrankedDispatcher, log_lines: list[str]) -> None:
    scene = Scene(mailboxes).dialled()
    scene.event("session.created", session={"type": "realtime"})
    long = "x" * 5000
    for number in range(3):
        scene.event("error", error={"type": "t", "code": long, "message": long, "param": f"session.{long}",
                                    "event_id": f"update-{number}"})  # fmt: skip
    died = scene.parent.expect(ChildDied)
    assert "session refused: t" in str(died.reason)
    assert max(map(len, [*log_lines, str(died.reason)])) < 4 * NAME_CHARS


@pytest.mark.parametrize("frame", [b"{", b"[]", b'{"type":"response.done"}', b'{"type":"new.event"}'])
def test_a_frame_that_makes_no_sense_changes_nothing(scene: Scene, frame: bytes) -> None:
    scene.wire.receives(frame)
    scene.wire.receives(frame)
    scene.mailboxes.drain()
    assert scene.wire.frames == []
    scene.call.expect_nothing()
    scene.parent.expect_nothing()


@pytest.mark.parametrize("code", [1000, 1001, 1006])
def test_any_close_that_was_not_asked_for_is_a_loss(scene: Scene, code: int) -> None:
    scene.wire.breaks(code)
    scene.mailboxes.drain()
    reason = scene.parent.expect(ChildDied).reason
    assert isinstance(reason, TransportLost)
    assert reason.code == code


def test_a_failed_dial_is_a_loss_with_its_status(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes)
    scene.dialler.callers[0].tell(DialFailed(429, "refused at the upgrade"))
    mailboxes.drain()
    reason = scene.parent.expect(ChildDied).reason
    assert isinstance(reason, TransportLost)
    assert reason.code == 429


def test_stopping_closes_the_socket_normally(scene: Scene) -> None:
    scene.model.stop(block=False)
    scene.mailboxes.drain()
    assert scene.wire.closed == 1000
    assert scene.parent.expect(ChildDied).reason is None


def test_a_failed_response_is_asked_for_once_more(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    scene.created()
    scene.wire.frames.clear()
    scene.done(status="failed", status_details={"type": "failed", "error": {"code": "server_error"}})
    assert scene.wire.types() == ["response.create"]


def test_a_response_that_met_a_rate_limit_is_asked_for_after_a_pause(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    scene.created()
    scene.wire.frames.clear()
    scene.done(status="failed", status_details={"type": "failed", "error": {"code": "rate_limit_exceeded"}})
    assert scene.wire.types() == []
    scene.mailboxes.advance(1000)
    assert scene.wire.types() == ["response.create"]


def test_while_a_limit_on_rates_is_waited_for_the_caller_is_told_to_wait(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    scene.created()
    scene.wire.frames.clear()
    error = {"code": "rate_limit_exceeded", "message": "Please try again in 4.5s."}
    scene.done(status="failed", status_details={"type": "failed", "error": error})
    assert scene.vaic.expect(AwaitWords).due
    scene.mailboxes.advance(4499)
    assert scene.wire.types() == []
    scene.mailboxes.advance(1)
    assert scene.wire.types() == ["response.create"]


def test_rates_that_are_used_up_are_waited_for(scene: Scene) -> None:
    scene.event("rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 0, "reset_seconds": 2}])
    scene.told(Speak("Greet."))
    assert scene.wire.types() == []
    scene.mailboxes.advance(2000)
    assert scene.wire.types() == ["response.create"]


def test_a_request_that_is_refused_twice_is_given_up_at_once(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    for _ in range(2):
        asked = scene.wire.frames[-1]
        scene.event("error", error={"type": "invalid_request_error", "code": "bad", "event_id": asked["event_id"]})
    assert scene.wire.types() == ["response.create"] * 2
    ended = scene.call.expect(ResponseEnded)
    assert (ended.status, ended.given_up, ended.limited) == ("failed", True, False)


def test_the_end_of_a_response_that_is_told_twice_asks_for_nothing(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    scene.created()
    scene.done()
    scene.call.expect(ResponseEnded)
    assert scene.wire.types() == ["response.create"] * 2, "it was not heard"
    for _ in range(9):
        scene.done()
        scene.created()
        scene.function_call()
    assert scene.wire.types() == []
    scene.call.expect_nothing()
    scene.created("r-2")
    scene.delta("r-2")
    scene.done("r-2")
    assert scene.call.expect(ResponseEnded).spoken_items == ("i-1",)


def test_a_model_that_calls_on_and_on_is_stopped_and_the_caller_is_told(scene: Scene) -> None:
    for number in range(100):
        name = f"r-{number}"
        scene.created(name)
        scene.function_call(name, call_id=f"call-{number}")
        scene.done(name)
        scene.told(FunctionOutput(f"call-{number}", "{}"))
    creates = [frame["response"] for frame in scene.wire.frames if frame["type"] == "response.create"]
    assert [each.get("tool_choice") for each in creates] == [None] * 16 + ["none"]
    assert len(scene.call.all(TurnOverrun)) == 1
    scene.told(CallerTyped("5"))
    assert scene.wire.types()[-1] == "response.create"


def test_a_refused_update_is_sent_in_a_smaller_form(scene: Scene) -> None:
    scene.told(SessionChanged("Now.", (TOOL, TOOL)))
    (whole,) = scene.wire.frames
    error = {"type": "invalid_request_error", "code": "invalid_function_parameters", "message": "no"}
    scene.event("error", error={**error, "event_id": whole["event_id"], "param": "session.tools[1].parameters"})
    smaller = scene.wire.frames[-1]
    assert (smaller["session"]["instructions"], len(smaller["session"]["tools"])) == ("Now.", 1)
    scene.event("error", error={**error, "event_id": smaller["event_id"]})
    smallest = scene.wire.frames[-1]
    assert smallest["session"] == {"type": "realtime", "instructions": "Now."}
    scene.event("error", error={**error, "event_id": smallest["event_id"]})
    assert scene.wire.types() == ["session.update"] * 3
    scene.parent.expect_nothing()


def test_a_response_that_stays_mute_is_given_up_and_asked_for_again(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    scene.created()
    scene.wire.frames.clear()
    scene.mailboxes.advance(5000)
    assert scene.wire.types() == ["response.cancel"]
    scene.done(status="cancelled")
    assert scene.wire.types() == ["response.create"]


def test_a_session_that_answers_nothing_at_all_is_lost(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    scene.mailboxes.advance(9999)
    scene.parent.expect_nothing()
    scene.mailboxes.advance(1)
    assert isinstance(scene.parent.expect(ChildDied).reason, TransportLost)


def types(scene: Scene) -> list[str]:
    return [frame["type"] for frame in scene.wire.frames]


def test_outputs_that_waited_go_out_before_the_one_response_that_speaks_about_everything(scene: Scene) -> None:
    scene.created()
    scene.function_call()
    scene.told(FunctionOutput("call-1", "{}"), CallerTyped("4 2"))  # a wish to speak that waits for the same slot
    scene.wire.frames.clear()
    scene.done()
    assert types(scene) == ["conversation.item.create", "response.create"]
    scene.created("r-2")
    scene.delta("r-2")
    scene.done("r-2")
    assert types(scene) == ["conversation.item.create", "response.create"]


def test_a_call_of_a_lost_session_is_answered_together_with_its_output(mailboxes: CrankedDispatcher) -> None:
    call = FunctionCallItem(name="book", arguments="{}", call_id="call-0")
    scene = Scene(mailboxes, open_calls={"call-0": call}).dialled()
    scene.told(FunctionOutput("call-0", '{"ok":true}'))
    scene.event("session.created", session={"type": "realtime"})
    scene.wire.frames.clear()
    scene.event("session.updated", session={"type": "realtime"})
    assert types(scene) == ["conversation.item.create", "conversation.item.create", "response.create"]
    assert [frame["item"]["type"] for frame in scene.wire.frames[:2]] == ["function_call", "function_call_output"]
    assert {frame["item"]["call_id"] for frame in scene.wire.frames[:2]} == {"call-0"}


def test_a_rebuilt_conversation_whose_caller_waits_is_gone_on_with(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, history=(UserMessage(content=(InputText(text="Hello?"),)),), answer_due=True).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.wire.frames.clear()
    scene.event("session.updated", session={"type": "realtime"})
    assert types(scene) == ["conversation.item.create", "response.create"]


def test_what_changes_while_the_session_is_being_set_up_is_not_forgotten(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).dialled()
    scene.told(SessionChanged("Be brief.", ()))
    assert scene.wire.frames == []
    scene.event("session.created", session={"type": "realtime"})
    scene.told(SessionChanged("Be very brief.", (TOOL,)))
    assert [frame["session"]["instructions"] for frame in scene.wire.frames] == ["Be brief.", "Be very brief."]


def test_an_output_for_an_unknown_call_is_not_sent(scene: Scene) -> None:
    scene.told(FunctionOutput("call-9", "{}"))
    assert scene.wire.frames == []


def consulted(scene: Scene) -> pykka.ThreadingFuture[str | None]:
    reply: pykka.ThreadingFuture[str | None] = pykka.ThreadingFuture()
    request = ReasoningRequest(
        "How urgent is it?", {"urgent": "now", "normal": "later"}, Known(NOON, {"hours": 2}), (), 2.0
    )
    scene.told(OutOfBandRequest(request, reply))
    return reply


def test_an_out_of_band_request_is_not_heard_and_blocks_no_response(scene: Scene) -> None:
    scene.created()
    reply = consulted(scene)
    asked = scene.wire.frames[-1]["response"]
    assert (asked["conversation"], asked["output_modalities"], asked["tools"]) == ("none", ["text"], [])
    assert "urgent: now; normal: later" in asked["instructions"]
    assert '"hours": "2"' in asked["input"][0]["content"][0]["text"]
    response = {"id": "r-9", "conversation_id": None, "metadata": asked["metadata"]}
    scene.event("response.created", response={**response, "status": "in_progress"})
    scene.delta("r-9")
    scene.vaic.expect_nothing()
    content = [{"type": "output_text", "text": "Urgent? It is urgent."}]
    item = {"id": "i-9", "type": "message", "role": "assistant", "content": content}
    scene.event("response.done", response={**response, "status": "completed", "output": [item]})
    assert reply.get(timeout=0) == "urgent"
    scene.call.expect_nothing()
    scene.done()
    scene.call.expect(ResponseEnded)


def test_an_out_of_band_request_before_the_session_is_ready_is_not_sent(mailboxes: CrankedDispatcher) -> None:
    assert consulted(Scene(mailboxes).dialled()).get(timeout=0) is None


# --- how much of what the model sends is used ---


def test_transcripts_and_arguments_are_cut_and_the_session_goes_on(scene: Scene) -> None:
    before = [counted("tieline_cut_short_total", what=what) for what in ("transcript", "arguments")]
    long = "w" * (TURN_CHARS + 1)
    scene.event("conversation.item.input_audio_transcription.completed", item_id="u-1", content_index=0,
                transcript=long)  # fmt: skip
    assert scene.call.expect(CallerSaid).text == long[:-1]
    assert scene.vaic.expect(CallerRecognised).text == long[:-1]
    scene.created()
    scene.event("response.output_audio_transcript.done", response_id="r-1", item_id="i-1", output_index=0,
                content_index=0, transcript=long)  # fmt: skip
    assert scene.call.expect(BotSaid).text == long[:-1]
    item = {"id": "f-1", "type": "function_call", "status": "completed", "call_id": "c-1", "name": "n",
            "arguments": long}  # fmt: skip
    scene.event("response.output_item.done", response_id="r-1", output_index=0, item=item)
    assert scene.call.expect(FunctionCalled).arguments == long[:-1]
    after = [counted("tieline_cut_short_total", what=what) for what in ("transcript", "arguments")]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1]


def test_text_that_is_no_text_loses_the_session_and_closes_its_socket(scene: Scene) -> None:
    scene.wire.receives(b'{"type":"response.done","\xff":1}')
    scene.mailboxes.drain()
    death = scene.parent.expect(ChildDied)
    assert isinstance(death.reason, TransportLost)
    assert (death.reason.code, scene.wire.closed) == (1007, 1007)


SAID = {"id": "i-1", "type": "message", "content": [{"type": "audio", "transcript": "One moment."}]}
BOOKED = {"id": "fc-1", "object": "realtime.item", "type": "function_call", "status": "completed", "role": None,
          "content": None, "name": "book", "call_id": "call-1", "arguments": "{}", "output": None}  # fmt: skip
# One turn: the caller speaks, the model says something and calls a function.
TURN: tuple[dict[str, Any], ...] = (
    {"type": "input_audio_buffer.speech_started", "item_id": "u-1", "audio_start_ms": 100},
    {"type": "input_audio_buffer.speech_stopped", "item_id": "u-1", "audio_end_ms": 900},
    {"type": "input_audio_buffer.committed", "item_id": "u-1", "previous_item_id": None},
    {"type": "response.created", "response": {"id": "r-1", "status": "in_progress", "output": [], "metadata": None}},
    {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u-1", "content_index": 0,
     "transcript": "tomorrow", "usage": {"type": "duration", "seconds": 1}},
    {"type": "response.output_audio.delta", "response_id": "r-1", "item_id": "i-1", "output_index": 0,
     "content_index": 0, "delta": MS_100},
    {"type": "response.output_audio_transcript.done", "response_id": "r-1", "item_id": "i-1", "output_index": 0,
     "content_index": 0, "transcript": "One moment."},
    {"type": "response.output_audio.done", "response_id": "r-1", "item_id": "i-1", "output_index": 0,
     "content_index": 0},
    {"type": "response.output_item.done", "response_id": "r-1", "output_index": 1, "item": BOOKED},
    {"type": "response.done", "response": {
        "id": "r-1", "object": "realtime.response", "status": "completed", "status_details": None,
        "output": [SAID, BOOKED],
        "metadata": None, "usage": {"input_tokens": 7}, "conversation_id": "conv-1", "audio": None}},
)  # fmt: skip
# What says which turn, response, item or call it is, and the words, the sound and the arguments themselves.
MEANT = {"item_id", "response_id", "transcript", "delta", "response", "response.id", "item", "item.type",
         "item.name", "item.call_id", "item.arguments", "item.status", "response.status", "response.usage",
         "response.usage.input_tokens"}  # fmt: skip


def outcome(mailboxes: CrankedDispatcher, events: Sequence[dict[str, Any]]) -> list[list[str]]:
    """What the others are told in a turn, and what the model is sent when it has ended and a task has answered."""
    scene = Scene(mailboxes).live()
    for event in events:
        scene.wire.receives({"event_id": "e", **event})
        scene.mailboxes.drain()
    scene.told(FunctionOutput("call-1", "done"))
    sent = [frame["type"] for frame in scene.wire.frames]
    told = [[type(message).__name__ for message in probe.arrived] for probe in (scene.call, scene.vaic)]
    assert scene.parent.arrived == []
    scene.model.stop(block=False)
    mailboxes.drain()
    return [*told, sent]


def test_a_turn_goes_on_whatever_is_wrong_with_a_field_that_nobody_reads(mailboxes: CrankedDispatcher) -> None:
    whole = outcome(mailboxes, TURN)
    assert whole[-1][-2:] == ["conversation.item.create", "response.create"]
    tried = 0
    for number, event in enumerate(TURN):
        for path in paths(event):
            if ".".join(map(str, path)) in MEANT:
                continue
            for bad in spoilt(event, path):
                tried += 1
                assert outcome(mailboxes, (*TURN[:number], bad, *TURN[number + 1 :])) == whole, (path, bad)
    assert tried > 300


def without(kind: str) -> list[dict[str, Any]]:
    return [event for event in TURN if event["type"] != kind]


def without_response_ids(event: dict[str, Any]) -> dict[str, Any]:
    left = {name: each for name, each in event.items() if name != "response_id"}
    if "response" in left:
        left["response"] = {name: each for name, each in left["response"].items() if name != "id"}
    return left


def in_one_order(told: list[list[str]]) -> list[list[str]]:
    return [sorted(each) for each in told]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(without("input_audio_buffer.committed"), id="no committed"),
        pytest.param([*TURN[:2], TURN[3], TURN[2], *TURN[4:]], id="committed after the answer began"),
        pytest.param([TURN[0], TURN[2], TURN[1], *TURN[3:]], id="committed before the caller stopped"),
        pytest.param([*TURN[:3], TURN[2], *TURN[3:]], id="committed twice"),
        pytest.param(without("response.created"), id="no response.created"),
        pytest.param(without("response.output_audio_transcript.done"), id="no words of their own"),
        pytest.param(without("response.output_audio.done"), id="no end of the audio"),
        pytest.param(without("response.output_item.done"), id="no call of its own"),
        pytest.param([*TURN[:-1], TURN[-2], TURN[-1]], id="the call twice"),
        pytest.param([*TURN[:-2], TURN[-1], TURN[-2]], id="the call after its response"),
        pytest.param([without_response_ids(event) for event in TURN], id="no ids of responses"),
        pytest.param([*TURN[:3], without_response_ids(TURN[3]), *TURN[4:]], id="begun without an id"),
        pytest.param([*TURN[:-1], without_response_ids(TURN[-1])], id="ended without an id"),
        pytest.param([*TURN[:-1], {"type": "response.done", "response": 7}], id="ended by nonsense"),
        pytest.param([{**TURN[0], "item_id": None}, *TURN[1:4], {**TURN[4], "item_id": None}, *TURN[5:]], id="no turn"),
        pytest.param(
            json.loads(re.sub(r'"(?:[iur]|fc)-(\d)"', r"\1", json.dumps(TURN))),
            id="numbers for ids",
        ),
    ],
)  # fmt: skip
def test_what_an_event_would_have_said_is_taken_from_the_others(
    mailboxes: CrankedDispatcher, events: Sequence[dict[str, Any]]
) -> None:
    assert in_one_order(outcome(mailboxes, events)) == in_one_order(outcome(mailboxes, TURN))


def test_a_call_whose_id_is_another_at_the_end_of_its_response_is_carried_out_once(scene: Scene) -> None:
    for event in (*TURN[:-1], {"type": "response.done", "response": {
            "id": "r-1", "status": "completed", "output": [{**BOOKED, "call_id": "call-2"}]}}):  # fmt: skip
        scene.event(**{"kind": event["type"], **{name: each for name, each in event.items() if name != "type"}})
    assert [each.call_id for each in scene.call.arrived if isinstance(each, FunctionCalled)] == ["call-1"]


def test_an_output_whose_responses_end_was_missed_goes_out_once_another_has_begun(scene: Scene) -> None:
    scene.created()
    scene.function_call()
    scene.told(FunctionOutput("call-1", "{}"))
    assert scene.wire.types() == []
    scene.created("r-2")
    scene.delta("r-2", "i-2")
    scene.done("r-2")
    assert scene.wire.types() == ["conversation.item.create", "response.create"]


def test_events_with_endless_ids_are_ignored_and_counted(scene: Scene) -> None:
    before = counted("tieline_bad_frames_total", leg="model", reason="bad_fields")
    endless = "i" * (NAME_CHARS + 1)
    scene.event("response.output_audio_transcript.done", response_id="r-1", item_id=endless, transcript="x")
    scene.event("conversation.item.input_audio_transcription.completed", item_id=endless, transcript="x")
    scene.event("response.created", response={"id": endless, "status": "in_progress"})
    assert counted("tieline_bad_frames_total", leg="model", reason="bad_fields") - before == 3
    scene.created()
    scene.vaic.all(BotAudio)
    scene.delta(item=endless)
    scene.delta(item=endless[:-1])
    assert [audio.item_id for audio in scene.vaic.all(BotAudio)] == [endless[:-1]]


def test_a_flood_of_events_ends_the_session_and_not_one_of_audio(scene: Scene) -> None:
    scene.created()
    for _ in range(2 * EVENTS_AHEAD):
        scene.delta(payload="AAAA")
    for number in range(EVENTS_AHEAD - 2):  # beside the response and its first piece of audio
        scene.event("input_audio_buffer.speech_started", item_id=f"u-{number}", audio_start_ms=0)
    scene.parent.expect_nothing()
    scene.event("input_audio_buffer.speech_started", item_id="u", audio_start_ms=0)
    lost = scene.parent.expect(ChildDied).reason
    assert isinstance(lost, TransportLost)
    assert (lost.code, scene.wire.closed) == (1008, 1006)


def test_long_words_count_as_more_events(scene: Scene) -> None:
    def said(number: int) -> None:
        scene.event(
            "conversation.item.input_audio_transcription.completed", item_id=f"u-{number}", transcript="yes " * 2000
        )

    for number in range(EVENTS_AHEAD // 9):
        said(number)
    scene.parent.expect_nothing()
    for number in range(EVENTS_AHEAD // 9, EVENTS_AHEAD // 7):
        said(number)
    lost = scene.parent.expect(ChildDied).reason
    assert isinstance(lost, TransportLost)
    assert lost.code == 1008


def test_messages_of_too_many_values_are_borne_and_a_flood_of_them_ends_the_session(scene: Scene) -> None:
    for _ in range(5):
        scene.event("no.such", of=[{"a": 1}] * MOST_VALUES)
    scene.parent.expect_nothing()
    for _ in range(EVENTS_AHEAD):
        scene.event("no.such", of=[{"a": 1}] * MOST_VALUES)
    lost = scene.parent.expect(ChildDied).reason
    assert isinstance(lost, TransportLost)
    assert lost.code == 1008


def test_a_flood_of_audio_whose_every_piece_is_of_another_item_ends_the_session(scene: Scene) -> None:
    for number in range(EVENTS_AHEAD):
        response, item = divmod(number, MOST_ITEMS)
        if item:
            scene.delta(f"r-{response}", f"i-{number}", "AAAA")
        else:
            scene.created(f"r-{response}")
    scene.parent.expect_nothing()
    scene.delta(f"r-{response}", "i-last", "AAAA")
    lost = scene.parent.expect(ChildDied).reason
    assert isinstance(lost, TransportLost)
    assert lost.code == 1008


# --- MCP tools that the model's server carries out ---

APPROVING = replace(MODEL, approved=frozenset({("docs", "search")}), mcp=(McpTool(server_label="docs"),))


@pytest.fixture
def approving(mailboxes: CrankedDispatcher) -> Scene:
    return Scene(mailboxes, settings=APPROVING).live()


def approval_request(scene: Scene, tool: str) -> None:
    item = {"id": f"ask-{tool}", "type": "mcp_approval_request", "server_label": "docs", "name": tool,
            "arguments": "{}"}  # fmt: skip
    scene.event("response.output_item.done", response_id="r-1", output_index=0, item=item)


def test_a_tool_of_an_mcp_server_is_approved_as_the_bot_says_and_its_result_is_told(approving: Scene) -> None:
    scene = approving
    scene.created()
    approval_request(scene, "search")
    (answer,) = scene.wire.all("conversation.item.create")
    assert answer["item"] == {"type": "mcp_approval_response", "approval_request_id": "ask-search", "approve": True}
    scene.done()
    assert scene.wire.all("response.create") == [], "the tool is being carried out"
    assert AwaitWords(due=True) in scene.vaic.arrived
    scene.event("response.mcp_call.in_progress", item_id="mcp-1", output_index=0)
    scene.event("response.mcp_call.completed", item_id="mcp-1", output_index=0)
    assert len(scene.wire.all("response.create")) == 1


def test_a_tool_that_is_not_approved_is_refused_and_the_model_speaks(approving: Scene) -> None:
    before = counted("tieline_mcp_approvals_total", answer="refused")
    approving.created()
    approval_request(approving, "delete")
    (answer,) = approving.wire.all("conversation.item.create")
    assert answer["item"]["approve"] is False
    approving.done()
    assert len(approving.wire.all("response.create")) == 1
    assert counted("tieline_mcp_approvals_total", answer="refused") - before == 1


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_a_result_within_a_response_is_told_once_it_has_ended_unless_it_was_told_in_it(scene: Scene, end: str) -> None:
    for number, told_in_it in enumerate((False, True)):
        response = f"r-{number}"
        scene.created(response)
        scene.delta(response, f"i-{number}")
        scene.event("response.mcp_call.in_progress", item_id=f"mcp-{number}", output_index=1)
        scene.event(f"response.mcp_call.{end}", item_id=f"mcp-{number}", output_index=1)
        if told_in_it:
            scene.delta(response, "i-result")
        assert scene.wire.all("response.create") == []
        scene.done(response)
        assert len(scene.wire.all("response.create")) == (not told_in_it)
        scene.wire.frames.clear()
        if not told_in_it:
            scene.created("r-told")
            scene.delta("r-told", "i-told")
            scene.done("r-told")


def test_the_servers_are_in_every_list_of_tools(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, settings=APPROVING).dialled()
    scene.event("session.created", session={"type": "realtime"})
    scene.event("session.updated", session={"type": "realtime"})
    scene.told(SessionChanged("Now.", ()))
    tools = [update["session"]["tools"] for update in scene.wire.all("session.update")]
    assert [tool["type"] for tool in tools[0]] == ["function", "mcp"]
    assert tools[1] == [{"type": "mcp", "server_label": "docs"}]


# --- in writing ---


def written(scene: Scene, text: str, item: str = "i-1", status: str = "completed") -> None:
    part = {"type": "output_text", "text": text}
    item_done = {"id": item, "type": "message", "status": status, "role": "assistant", "content": [part]}
    scene.event("response.output_item.done", response_id="r-1", output_index=0, item=item_done)


def test_in_writing_the_model_is_asked_for_text_and_still_hears(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, text=True).dialled()
    scene.event("session.created", session={"type": "realtime"})
    session = scene.wire.last("session.update")["session"]
    assert session["output_modalities"] == ["text"]
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_an_item_in_writing_is_passed_on_when_it_is_whole(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, text=True).live()
    scene.created()
    written(scene, " Hello. ")
    written(scene, "And", item="i-2", status="incomplete")
    assert scene.call.expect(BotSaid) == BotSaid("i-1", "Hello.")
    assert scene.vaic.all(BotText) == [BotText("i-1", "Hello."), BotText("i-2", "And", cut_off=True)]
    scene.call.expect(BotSaid)
    scene.done()
    ended = scene.call.expect(ResponseEnded)
    assert (ended.spoken_items, ended.given_up) == (("i-1", "i-2"), False)


def test_what_was_written_before_the_caller_interrupted_is_not_passed_on(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, text=True).live()
    scene.created()
    scene.event("input_audio_buffer.speech_started", audio_start_ms=0, item_id="u-1")
    written(scene, "Hello.")
    assert scene.vaic.all(BotText) == []


def test_a_session_that_speaks_passes_no_texts_on(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes).live()
    scene.created()
    written(scene, "Hello.")
    assert scene.vaic.all(BotText) == []


def test_a_server_that_speaks_in_writing_is_not_heard_and_its_words_are_passed_on(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, text=True).live()
    scene.created()
    scene.delta()
    scene.event("response.output_audio.done", response_id="r-1", item_id="i-1", output_index=0, content_index=0)
    scene.event("response.output_audio_transcript.done", response_id="r-1", item_id="i-1", output_index=0,
                content_index=0, transcript="Hello.")  # fmt: skip
    part = {"type": "output_audio", "transcript": "Hello."}
    item = {"id": "i-1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    scene.event("response.output_item.done", response_id="r-1", output_index=0, item=item)
    scene.delta()
    scene.done()
    told = [each for each in scene.vaic.arrived if isinstance(each, (BotAudio, BotAudioEnded, BotText))]
    assert told == [BotText("i-1", "Hello.")]
    said = [each for each in scene.call.arrived if isinstance(each, BotSaid)]
    assert said == [BotSaid("i-1", "Hello.")]
    assert scene.call.expect(ResponseEnded).spoken_items == ("i-1",)


# --- that only hears ---


def test_a_session_that_only_hears_cancels_an_answer_and_asks_for_none(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, text=True, only_hears=True).live()
    scene.created()
    scene.function_call()
    scene.done(output=[])
    scene.event("response.mcp_call.completed", item_id="m-1", output_index=0)
    scene.event("input_audio_buffer.timeout_triggered", item_id="u-1", audio_start_ms=0, audio_end_ms=1)
    scene.event("input_audio_buffer.committed", item_id="u-1", previous_item_id=None)
    mailboxes.advance(600_000)
    assert [frame["type"] for frame in scene.wire.frames] == ["response.cancel"]
    assert scene.wire.last("response.cancel")["response_id"] == "r-1"
    assert not [each for each in scene.call.arrived if isinstance(each, (FunctionCalled, ResponseEnded))]
    assert scene.parent.all(ChildDied) == []


def test_turns_of_a_server_that_gives_each_commit_one_id_are_answered_and_kept_apart(scene: Scene) -> None:
    for number in range(3):
        turn(scene, "speech_started", "speech_stopped", "committed")
        scene.event("conversation.item.input_audio_transcription.completed", item_id="u-1", transcript="Tomorrow.")
        scene.created(f"r-{number}")
        scene.done(f"r-{number}")
    assert [type(each) for each in scene.vaic.arrived].count(CallerTurnCommitted) == 3
    said = [each.item_id for each in scene.call.arrived if isinstance(each, CallerSaid)]
    ended = [each.item_id for each in scene.call.arrived if isinstance(each, CallerSpeaks) and not each.began]
    assert said == ended
    assert len(set(said)) == 3


# --- events that are out of order, or told twice ---


def test_a_response_whose_beginning_is_told_twice_is_heard_once(scene: Scene) -> None:
    scene.told(Speak("Greet."))
    before = counted("tieline_bad_frames_total", leg="model", reason="response_begun")
    scene.created()
    scene.delta()
    scene.created()
    scene.done()
    assert scene.call.expect(ResponseEnded).spoken_items == ("i-1",)
    assert scene.wire.types() == ["response.create"], "it was heard, and is not asked for again"
    assert counted("tieline_bad_frames_total", leg="model", reason="response_begun") == before + 1


@pytest.mark.parametrize("running", [False, True])
def test_a_responses_end_that_comes_after_its_functions_are_answered_owes_no_second_answer(
    scene: Scene, running: bool
) -> None:
    scene.created("r-1")
    scene.function_call("r-1")
    scene.call.expect(FunctionCalled)
    scene.created("r-2")  # what the other called may be answered
    scene.told(FunctionOutput("call-1", "{}"))
    if not running:
        scene.done("r-2")
    item = {"id": "fc-1", "type": "function_call", "status": "completed", "call_id": "call-1", "name": "book"}
    scene.done("r-1", output=[item | {"arguments": "{}"}])
    assert scene.call.all(FunctionCalled) == []
    scene.done("r-2")
    scene.created("r-3")
    scene.function_call("r-3", call_id="call-2")
    scene.done("r-3")
    scene.wire.frames.clear()
    scene.told(FunctionOutput("call-2", "{}"))
    assert scene.wire.types() == ["conversation.item.create", "response.create"]


def test_a_turn_that_we_ended_and_is_told_of_by_another_id_is_not_the_next_one(scene: Scene) -> None:
    for kind in ("speech_started", "committed"):
        scene.event(f"input_audio_buffer.{kind}", item_id="", audio_start_ms=100)
    scene.told(EndTurn())
    scene.event("input_audio_buffer.committed", item_id="u-1")
    for kind in ("speech_started", "speech_stopped", "committed"):
        scene.event(f"input_audio_buffer.{kind}", item_id="u-2", audio_start_ms=100)
    scene.wire.frames.clear()
    scene.created("r-1")
    assert "response.cancel" not in scene.wire.types()


def test_the_end_of_what_nobody_hears_ends_nothing_else(scene: Scene) -> None:
    scene.created()
    scene.delta()
    scene.vaic.arrived.clear()
    for response, item in (("r-9", "i-1"), ("r-1", "i-9"), ("r-9", "i-9")):
        scene.event("response.output_audio.done", response_id=response, item_id=item)
    scene.vaic.expect_nothing()


def test_what_follows_the_end_of_an_items_audio_ends_with_its_response(scene: Scene) -> None:
    scene.created()
    scene.delta()
    scene.event("response.output_audio.done", response_id="r-1", item_id="i-1")
    scene.delta()
    scene.vaic.arrived.clear()
    scene.done()
    assert scene.vaic.expect(BotAudioEnded) == BotAudioEnded("i-1", cut_off=False)


# --- images ---


def an_image(item_id: str = "image-1") -> ShowImageItem:
    return ShowImageItem(UserMessage(id=item_id, content=(InputImage(image_url="data:image/png;base64,AAAA"),)))


def added(scene: Scene, item_id: str = "image-1") -> None:
    scene.event("conversation.item.added", item={"id": item_id, "type": "message", "role": "user", "content": []})


def fails(scene: Scene, response: str) -> None:
    """A response that the server cannot make of what stands in the conversation."""
    error = {"type": "invalid_request_error", "code": "image_parse_error", "message": "no"}
    scene.created(response)
    scene.done(response, "failed", status_details={"type": "failed", "error": error})


def deleted(scene: Scene) -> list[str]:
    return [each["item_id"] for each in scene.wire.all("conversation.item.delete")]


def test_a_response_that_began_before_an_image_says_nothing_about_it(scene: Scene) -> None:
    scene.created("r-1")
    scene.told(an_image())
    added(scene)
    scene.done("r-1")
    fails(scene, "r-2")
    assert deleted(scene) == ["image-1"]
    assert scene.call.expect(ImageRefused) == ImageRefused("image-1", "image_parse_error")


def test_a_failure_is_not_blamed_on_an_image_that_a_response_was_completed_with_nor_on_one_that_came_later(
    scene: Scene,
) -> None:
    scene.told(an_image("image-1"))
    scene.created("r-1")
    scene.done("r-1")
    scene.created("r-2")
    scene.told(an_image("image-2"))
    error = {"type": "invalid_request_error", "code": "too_long", "message": "no"}
    scene.done("r-2", "failed", status_details={"type": "failed", "error": error})
    assert deleted(scene) == []


@pytest.mark.parametrize("answering", [False, True])
def test_a_loss_is_told_of_images_that_were_not_taken_or_are_answered_with_for_the_first_time(
    scene: Scene, answering: bool
) -> None:
    scene.told(an_image("image-1"))
    added(scene)
    scene.told(an_image("image-2"))
    if answering:
        scene.created("r-1")
    scene.wire.breaks()
    scene.mailboxes.drain()
    lost = [each.item_id for each in scene.call.all(ImageRefused) if each.lost]
    assert lost == (["image-1", "image-2"] if answering else ["image-2"])


@pytest.mark.parametrize("tells", [False, True])
def test_of_several_images_the_one_that_is_refused_without_its_name_is_found_or_all_are_taken_back(
    scene: Scene, tells: bool
) -> None:
    if tells:
        added(scene, "item-1")
    scene.told(an_image("image-1"), an_image("image-2"))
    error = {"type": "invalid_request_error", "code": "invalid_value", "param": "item.content[0].image_url"}
    scene.event("error", error=error)
    refused = [each.item_id for each in scene.call.all(ImageRefused)]
    assert refused == (["image-1"] if tells else ["image-1", "image-2"])
    assert deleted(scene) == ([] if tells else ["image-1", "image-2"])
