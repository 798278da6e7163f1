"""The events we read: all that the interface has, as it writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.errors import WireError
from protocols.frames import Frame
from protocols.realtime.server_events import (
    MOST_MODEL_VALUES,
    SERVER_EVENTS,
    AnyServerEvent,
    OutputAudioDelta,
    OutputAudioDone,
    OutputAudioTranscriptDelta,
    OutputAudioTranscriptDone,
    OutputTextDelta,
    OutputTextDone,
    SpeechStarted,
    SpeechStopped,
    TranscriptionCompleted,
)
from tests.openai_types import openai_server_events
from tests.protocols.wire import models, same_fields, sample


@pytest.mark.parametrize("model", models(AnyServerEvent).values(), ids=models(AnyServerEvent))
def test_every_server_event_is_read_as_the_openai_package_writes_it(model: type[Frame]) -> None:
    theirs: Any = openai_server_events().validate_python(sample(model))
    event = SERVER_EVENTS.parse(theirs.model_dump_json())
    assert type(event) is model


def test_every_server_event_of_the_realtime_interface_is_known_with_its_fields() -> None:
    assert same_fields("server", models(AnyServerEvent)) == 46


def test_the_transcript_of_a_long_turn_is_read_with_the_probability_of_each_token() -> None:
    def transcript(tokens: int) -> str:
        token = {"token": " hello", "logprob": -0.01, "bytes": list(b" hello")}
        event = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u-1"}
        return json.dumps(event | {"transcript": "hello " * tokens, "logprobs": [token] * tokens})

    ten_minutes = 10 * 60 * 4  # as fast as anybody speaks
    heard = SERVER_EVENTS.parse(transcript(ten_minutes))
    assert isinstance(heard, TranscriptionCompleted)
    assert heard.transcript == "hello " * ten_minutes
    with pytest.raises(WireError, match="too_many_values"):
        SERVER_EVENTS.parse(transcript(MOST_MODEL_VALUES // 8))


def test_times_in_the_callers_audio_may_have_a_fraction() -> None:
    began = b'{"type":"input_audio_buffer.speech_started","item_id":"u-1","audio_start_ms":100.5}'
    ended = b'{"type":"input_audio_buffer.speech_stopped","item_id":"u-1","audio_end_ms":900.5}'
    assert SERVER_EVENTS.parse(began) == SpeechStarted(item_id="u-1", audio_start_ms=100.5)
    assert SERVER_EVENTS.parse(ended) == SpeechStopped(item_id="u-1", audio_end_ms=900.5)


def test_whole_milliseconds_stay_whole_numbers_on_the_wire() -> None:
    """Clients with strict types refuse 100.0; `tieline probe` found it in the engine."""
    assert '"audio_start_ms":100}' in SpeechStarted(item_id="u-1", audio_start_ms=100).model_dump_json()


BETA: dict[str, type[Frame]] = {
    "response.text.delta": OutputTextDelta,
    "response.text.done": OutputTextDone,
    "response.audio.delta": OutputAudioDelta,
    "response.audio.done": OutputAudioDone,
    "response.audio_transcript.delta": OutputAudioTranscriptDelta,
    "response.audio_transcript.done": OutputAudioTranscriptDone,
}


@pytest.mark.parametrize(("name", "model"), BETA.items())
def test_an_event_by_its_name_in_the_beta_interface_is_the_same_event(name: str, model: type[Frame]) -> None:
    event = SERVER_EVENTS.parse(json.dumps({**sample(model), "type": name}))
    assert type(event) is model
    assert event.model_dump(exclude={"type"}) == model.model_validate(sample(model)).model_dump(exclude={"type"})
    spoilt = SERVER_EVENTS.parse(json.dumps({**sample(model), "type": name, "content_index": "x"}))
    assert type(spoilt) is model
