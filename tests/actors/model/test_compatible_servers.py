"""Sessions with compatible servers: their events as their sources and references write them, replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pykka
import pytest

from actors.messages.call import BotSaid, CallerSaid, FunctionCalled, ModelReady, ResponseEnded, SettingRefused
from actors.messages.model import FunctionOutput, OutOfBandRequest, Speak
from actors.messages.vaic import BotAudio, BotAudioEnded, CallerBargedIn
from actors.system.signals import ChildDied
from fsm.spec import Known
from fsm.testing.conversation import NOON
from fsm.walk import ReasoningRequest
from protocols.errors import ModelRefused
from protocols.media import MULAW
from protocols.realtime.objects import AssistantMessage, OutputText, ServerVad, Transcription
from protocols.realtime.profiles import PROFILES
from tests.actors.model.scene import MODEL, MS_100, Scene
from tests.cranked import CrankedDispatcher
from tests.probe import Probe

K = TypeVar("K")

VAD = ServerVad(
    threshold=0.5,
    prefix_padding_ms=300,
    silence_duration_ms=500,
    create_response=True,
    interrupt_response=True,
    idle_timeout_ms=None,
)
SETTINGS = replace(
    MODEL,
    turn_detection=VAD,
    transcription=Transcription(model="whisper-1", language="en", keywords=("Linden",)),
    speed=1.1,
    max_output_tokens=2000,
)


def told(probe: Probe[Any], kind: type[K]) -> list[K]:
    """What a probe was told of a kind; it keeps all."""
    return [message for message in probe.arrived if isinstance(message, kind)]


def connected(mailboxes: CrankedDispatcher, profile: str, **more: Any) -> Scene:
    return Scene(mailboxes, settings=replace(SETTINGS, profile=PROFILES[profile]), **more).dialled()


# --- speaches: src/speaches/types/realtime.py, realtime/*_router.py ---

SPEACHES_SESSION = {
    "id": "sess_1", "input_audio_format": "pcm16", "output_audio_format": "pcm16", "modalities": ["audio", "text"],
    "input_audio_transcription": {"model": "whisper-1", "language": "en"}, "instructions": "Be kind.",
    "max_response_output_tokens": 2000, "model": "gpt-4o", "no_response_token": "*", "temperature": 0.8,
    "no_speech_prob_threshold": 0.6, "tool_choice": "auto", "tools": [], "speech_model": "kokoro", "voice": "af_heart",
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500, "prefix_padding_ms": 300,
                       "create_response": True, "barge_in_delay_ms": 400},
}  # fmt: skip


def speaches(mailboxes: CrankedDispatcher) -> Scene:
    scene = connected(mailboxes, "speaches")
    scene.event("session.created", session=SPEACHES_SESSION)
    (update,) = scene.wire.frames
    assert update["session"] == {
        "instructions": "Be kind.",
        "modalities": ["audio", "text"],
        "input_audio_transcription": {"model": "whisper-1", "language": "en", "keywords": ["Linden"]},
        "turn_detection": {
            "type": "server_vad", "threshold": 0.5, "silence_duration_ms": 500, "create_response": True
        },
        "voice": "marin",
        "max_response_output_tokens": 2000,
        "tools": update["session"]["tools"],
        "tool_choice": "auto",
    }  # fmt: skip
    scene.event("session.updated", session=SPEACHES_SESSION)
    scene.call.expect(ModelReady)
    scene.wire.frames.clear()
    return scene


def speaks_as_speaches(scene: Scene, response: str, item: str, words: str) -> None:
    """A response as ResponseHandler of realtime/response_event_router.py sends it."""
    of = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
    message = {"id": item, "object": "realtime.item", "type": "message", "role": "assistant", "content": []}
    whole = {"id": response, "object": "realtime.response", "output": [], "modalities": ["audio", "text"]}
    scene.event("response.created", response={**whole, "status": "incomplete"})
    scene.event("response.output_item.added", response_id=response, output_index=0,
                item={**message, "status": "incomplete"})  # fmt: skip
    scene.event("conversation.item.created", item={**message, "status": "incomplete"}, previous_item_id=None)
    scene.event("response.content_part.added", part={"type": "audio", "transcript": ""}, **of)
    scene.event("response.audio_transcript.delta", delta=words, **of)
    scene.event("response.audio.delta", delta=MS_100, **of)
    scene.event("response.audio.done", **of)
    scene.event("response.audio_transcript.done", transcript=words, **of)
    scene.event("response.content_part.done", part={"type": "audio", "transcript": words}, **of)
    scene.event("response.output_item.done", response_id=response, output_index=0,
                item={**message, "status": "completed"})  # fmt: skip
    scene.event("response.done", response={**whole, "status": "completed", "output": [message]})


def caller_says(scene: Scene, item: str, words: str) -> None:
    scene.event("input_audio_buffer.speech_started", item_id=item, audio_start_ms=100)
    scene.event("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=900)
    scene.event("input_audio_buffer.committed", item_id=item, previous_item_id=None)
    scene.event("conversation.item.input_audio_transcription.completed", item_id=item, content_index=0,
                transcript=words)  # fmt: skip


def test_speaches_greets_hears_and_answers(mailboxes: CrankedDispatcher) -> None:
    scene = speaches(mailboxes)
    scene.told(Speak("Greet the caller with: Hello."))
    (create,) = scene.wire.all("response.create")
    assert create["response"]["instructions"] == "Greet the caller with: Hello."
    speaks_as_speaches(scene, "resp_1", "item_1", "Hello.")
    caller_says(scene, "item_2", "Tomorrow.")
    speaks_as_speaches(scene, "resp_2", "item_3", "At ten?")
    assert told(scene.vaic, BotAudio) == [BotAudio("item_1", MS_100), BotAudio("item_3", MS_100)]
    assert told(scene.vaic, BotAudioEnded) == [BotAudioEnded("item_1"), BotAudioEnded("item_3")]
    assert len(told(scene.vaic, CallerBargedIn)) == 1
    assert [said.text for said in told(scene.call, BotSaid)] == ["Hello.", "At ten?"]
    assert [said.text for said in told(scene.call, CallerSaid)] == ["Tomorrow."]
    assert [ended.status for ended in told(scene.call, ResponseEnded)] == ["completed", "completed"]
    assert len(scene.wire.all("response.create")) == 1, "it answers by itself"
    assert told(scene.parent, ChildDied) == []


def test_a_function_of_speaches_is_called_and_its_output_answered(mailboxes: CrankedDispatcher) -> None:
    scene = speaches(mailboxes)
    caller_says(scene, "item_2", "Book it.")
    whole = {"id": "resp_1", "object": "realtime.response", "output": [], "modalities": ["audio", "text"]}
    call = {"id": "item_3", "object": "realtime.item", "type": "function_call", "call_id": "call_1", "name": "book",
            "arguments": '{"day":"2026-03-05"}'}  # fmt: skip
    scene.event("response.created", response={**whole, "status": "incomplete"})
    scene.event("response.output_item.added", response_id="resp_1", output_index=0,
                item={**call, "status": "incomplete"})  # fmt: skip
    scene.event("conversation.item.created", item={**call, "status": "incomplete"}, previous_item_id="item_2")
    scene.event("response.function_call_arguments.done", response_id="resp_1", item_id="item_3", output_index=0,
                call_id="call_1", arguments=call["arguments"])  # fmt: skip
    scene.event("response.output_item.done", response_id="resp_1", output_index=0,
                item={**call, "status": "completed"})  # fmt: skip
    scene.event("response.done", response={**whole, "status": "completed"})
    assert scene.call.expect(FunctionCalled).name == "book"
    scene.told(FunctionOutput("call_1", '{"ok":true}'))
    assert scene.wire.types() == ["conversation.item.create", "response.create"]
    output = {"id": "item_4", "object": "realtime.item", "type": "function_call_output", "status": "completed",
              "call_id": "call_1", "output": '{"ok":true}'}  # fmt: skip
    scene.event("conversation.item.created", item=output, previous_item_id="item_3")
    speaks_as_speaches(scene, "resp_2", "item_5", "Booked.")
    assert [said.text for said in told(scene.call, BotSaid)] == ["Booked."]
    assert scene.wire.types() == []


def test_a_question_aside_is_not_spoken_by_a_server_with_one_conversation(mailboxes: CrankedDispatcher) -> None:
    scene = speaches(mailboxes)
    reply: pykka.ThreadingFuture[str | None] = pykka.ThreadingFuture()
    scene.told(OutOfBandRequest(ReasoningRequest("Which?", {"a": "one"}, Known(NOON, {}), (), 2.0), reply))
    assert scene.wire.frames == []
    assert reply.get(timeout=0) is None


# --- xAI: docs.x.ai/docs/guides/voice/agent, docs.x.ai/voice-realtime.ws.json ---


def test_xai_begins_with_a_conversation_and_tells_transcripts_in_steps(mailboxes: CrankedDispatcher) -> None:
    scene = connected(mailboxes, "xai", media=MULAW)
    scene.event("conversation.created", conversation={"id": "conv_1", "object": "realtime.conversation"})
    (update,) = scene.wire.frames
    session = update["session"]
    assert (session["voice"], session["turn_detection"]["type"]) == ("marin", "server_vad")
    assert session["audio"] == {
        "input": {
            "format": {"type": "audio/pcmu"},
            "transcription": {"language_hint": "en", "keyterms": ["Linden"]},
        },
        "output": {"format": {"type": "audio/pcmu"}, "speed": 1.1},
    }
    assert set(session) == {
        "type", "instructions", "output_modalities", "audio", "tools", "voice", "turn_detection"
    }  # fmt: skip
    scene.event("session.updated", session={"voice": "marin", "turn_detection": {"type": "server_vad"}})
    scene.call.expect(ModelReady)

    scene.event("input_audio_buffer.speech_started", item_id="u-1")
    scene.event("conversation.item.input_audio_transcription.updated", item_id="u-1", transcript="To")
    scene.event("input_audio_buffer.speech_stopped", item_id="u-1")
    scene.event("input_audio_buffer.committed", item_id="u-1")
    for status, words in (("in_progress", "No"), ("in_progress", "No, to"), ("completed", "No, tomorrow.")):
        scene.event("conversation.item.input_audio_transcription.completed", item_id="u-1", transcript=words,
                    status=status)  # fmt: skip
    of = {"response_id": "r-1", "item_id": "i-1"}
    scene.event("response.created", response={"id": "r-1", "object": "realtime.response", "status": "in_progress",
                                              "output": []})  # fmt: skip
    scene.event("response.output_item.added", response_id="r-1", output_index=0,
                item={"id": "i-1", "type": "message", "role": "assistant", "content": []})  # fmt: skip
    scene.event("response.output_audio_transcript.delta", delta="At ten?", **of)
    scene.event("response.output_audio.delta", output_index=0, content_index=0, delta=MS_100, **of)
    scene.event("response.output_audio_transcript.done", transcript="At ten?", **of)
    scene.event("response.output_audio.done", **of)
    scene.event("response.done", response={"id": "r-1", "object": "realtime.response", "status": "completed"})
    assert [said.text for said in told(scene.call, CallerSaid)] == ["No, tomorrow."]
    assert [said.text for said in told(scene.call, BotSaid)] == ["At ten?"]
    assert told(scene.vaic, BotAudio) == [BotAudio("i-1", MS_100)]
    assert [ended.status for ended in told(scene.call, ResponseEnded)] == ["completed"]


def test_what_xai_refuses_is_told_by_our_name_for_it(mailboxes: CrankedDispatcher) -> None:
    scene = connected(mailboxes, "xai")
    scene.event("conversation.created", conversation={"id": "conv_1"})
    scene.event("error", error={"type": "invalid_request_error", "code": "invalid_value", "param": "session.voice"})
    assert scene.call.expect(SettingRefused) == SettingRefused("session.audio.output.voice")
    assert "voice" not in scene.wire.frames[-1]["session"]


# --- LocalAI: core/http/endpoints/openai/realtime.go ---


def test_localai_refuses_names_that_it_lacks_without_saying_which(mailboxes: CrankedDispatcher) -> None:
    scene = connected(mailboxes, "localai")
    scene.event("session.created", session={"type": "realtime", "id": "sess_1", "object": "realtime.session"})
    scene.event("error", event_id="", error={"type": "invalid_request_error", "code": "session_update_error",
                                             "message": "Failed to update session: no such model"})  # fmt: skip
    assert scene.call.expect(SettingRefused) == SettingRefused("session: all optional settings")
    # "event_TODO" is the server's own: its source writes it into each session.created and session.updated (00027e05).
    scene.event("session.updated", event_id="event_TODO", session={"type": "realtime", "id": "sess_1"})
    scene.call.expect(ModelReady)


# --- the beta interface ---


def test_a_beta_session_is_flat_and_its_formats_are_checked(mailboxes: CrankedDispatcher) -> None:
    history = (AssistantMessage(content=(OutputText(text="Hello."),)),)
    scene = connected(mailboxes, "beta", media=MULAW, history=history)
    scene.event("session.created", session={"input_audio_format": "pcm16", "output_audio_format": "pcm16"})
    session = scene.wire.frames[0]["session"]
    assert (session["input_audio_format"], session["output_audio_format"]) == ("g711_ulaw", "g711_ulaw")
    assert "audio" not in session
    assert "type" not in session
    scene.event("session.updated", session={"input_audio_format": "g711_ulaw", "output_audio_format": "g711_ulaw"})
    scene.call.expect(ModelReady)
    (item,) = scene.wire.all("conversation.item.create")
    assert item["item"]["content"] == [{"type": "text", "text": "Hello."}]


@pytest.mark.parametrize("told", [{"input_audio_format": "pcm16"}, {"output_audio_format": "pcm16"}])
def test_a_format_that_a_beta_session_does_not_take_is_no_noise(
    mailboxes: CrankedDispatcher, told: Mapping[str, str]
) -> None:
    scene = connected(mailboxes, "beta", media=MULAW)
    scene.event("session.created", session={})
    scene.event("session.updated", session=told)
    assert isinstance(scene.parent.expect(ChildDied).reason, ModelRefused)
