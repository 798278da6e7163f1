"""The events we read: all that the interface has, as it writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.errors import WireError
from protocols.frames import MOST_VALUES, Frame, Unknown
from protocols.limits import MOST_ITEM_PARTS, MOST_ITEMS
from protocols.realtime.objects import Response
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
    ResponseDone,
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


def test_a_message_that_nobody_reads_may_have_a_thousand_values_and_not_many_thousands() -> None:
    unknown = json.dumps({"type": "no.such", "of": [{"a": "b" * 8}] * 1000})
    assert SERVER_EVENTS.parse(unknown) == Unknown("no.such")
    with pytest.raises(WireError, match="too_many_values"):
        SERVER_EVENTS.parse(json.dumps({"type": "no.such", "of": [{"a": "b" * 8}] * MOST_VALUES}))


def test_a_response_of_a_thousand_items_is_read_without_them() -> None:
    def done(items: int, parts: int) -> Response:
        item = {"type": "message", "content": [{"type": "audio"}] * parts}
        event = {"type": "response.done", "response": {"id": "r", "status": "completed", "output": [item] * items}}
        read = SERVER_EVENTS.parse(json.dumps(event), told.append)
        assert isinstance(read, ResponseDone)
        assert (read.response.id, read.response.status) == ("r", "completed")
        return read.response

    told: list[WireError] = []
    assert len(done(MOST_ITEMS, MOST_ITEM_PARTS).output) == MOST_ITEMS
    assert not told
    assert done(1000, 1).output == ()
    assert [each.content for each in done(2, 1000).output] == [(), ()]
    assert [each.detail for each in told] == [
        "response.done.response.output: too_long",
        "response.done.response.output.0.content: too_long",
    ]


def test_times_in_the_callers_audio_may_have_a_fraction() -> None:
    began = b'{"type":"input_audio_buffer.speech_started","item_id":"u-1","audio_start_ms":100.5}'
    ended = b'{"type":"input_audio_buffer.speech_stopped","item_id":"u-1","audio_end_ms":900.5}'
    assert SERVER_EVENTS.parse(began) == SpeechStarted(item_id="u-1", audio_start_ms=100.5)
    assert SERVER_EVENTS.parse(ended) == SpeechStopped(item_id="u-1", audio_end_ms=900.5)


@pytest.mark.parametrize(("told", "kept"), [("-20", -20), ("-1e12", -1e12), ("2e12", None), ("-2e12", None)])
def test_a_time_in_the_callers_audio_may_be_before_its_beginning_but_not_beyond_reason(
    told: str, kept: float | None
) -> None:
    began = f'{{"type":"input_audio_buffer.speech_started","item_id":"u-1","audio_start_ms":{told}}}'
    assert SERVER_EVENTS.parse(began) == SpeechStarted(item_id="u-1", audio_start_ms=kept)


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
