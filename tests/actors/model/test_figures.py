"""When the caller was heard, by the model's count of samples; and what is billed, by whom."""

from __future__ import annotations

import pytest

from actors.bots import ModelSettings
from actors.messages.call import Usage
from actors.messages.model_config import ModelSessionConfig
from actors.model.figures import FARTHEST_MS, HALF_A_PIECE_MS, SessionFigures
from protocols.media import LPCM16_24, MULAW, MediaFormat
from protocols.realtime.objects import (
    EffectiveSession,
    RateLimit,
    Response,
    SemanticVad,
    Transcription,
    TurnDetection,
)
from protocols.realtime.server_events import SpeechStarted, SpeechStopped, TranscriptionCompleted
from tests.actors.calls import PROFILE


def session(media: MediaFormat = LPCM16_24, vad: TurnDetection | None = None) -> SessionFigures:
    model = ModelSettings(voice="marin", transcription=Transcription(model="ears"), name="deployed")
    if vad is not None:
        model = ModelSettings(voice="marin", transcription=Transcription(model="ears"), turn_detection=vad)
    return SessionFigures(ModelSessionConfig("c-1", media, model, PROFILE.instructions, ()))


@pytest.mark.parametrize("media", [LPCM16_24, MULAW])
def test_a_sample_was_spoken_as_long_ago_as_the_audio_after_it_lasts(media: MediaFormat) -> None:
    figures = session(media)
    figures.sent_bytes = 8000 * media.bytes_per_ms
    stopped = SpeechStopped(event_id="e", item_id="u-1", audio_end_ms=7900)
    assert figures.quiet_ms(stopped, 100_000) == 100_000 - 100 - HALF_A_PIECE_MS - 500  # the window of silence
    started = SpeechStarted(event_id="e", item_id="u-1", audio_start_ms=7400)
    assert figures.onset_ms(started, 100_000) == 100_000 - 600 - HALF_A_PIECE_MS + 300  # its prefix


def test_the_window_of_a_semantic_vad_is_not_known() -> None:
    figures = session(vad=SemanticVad())
    figures.sent_bytes = 8000 * LPCM16_24.bytes_per_ms
    stopped = SpeechStopped(event_id="e", item_id="u-1", audio_end_ms=8000)
    assert figures.quiet_ms(stopped, 9000) == 9000 - HALF_A_PIECE_MS


@pytest.mark.parametrize("audio_ms", [None, 0, 9000, 8000 - FARTHEST_MS - 1000])
def test_a_count_that_cannot_be_is_not_believed(audio_ms: int | None) -> None:
    figures = session()
    figures.sent_bytes = 8000 * LPCM16_24.bytes_per_ms
    stopped = SpeechStopped(event_id="e", item_id="u-1", audio_end_ms=audio_ms)
    assert figures.quiet_ms(stopped, 9000) == 8500
    assert figures.onset_ms(SpeechStarted(event_id="e", item_id="u-1", audio_start_ms=12_000), 9000) is None


def test_what_is_billed_is_told_with_the_models_own_name() -> None:
    figures = session()
    response = Response(id="r-1", usage={"input_tokens": 3})
    assert figures.used(response) == Usage("deployed", {"input_other": 3})
    figures.created(EffectiveSession(model="gpt-realtime-2025-08-28"))
    assert figures.used(response).model == "gpt-realtime-2025-08-28"
    figures.created(EffectiveSession())
    assert figures.used(response).model == "gpt-realtime-2025-08-28"
    heard = TranscriptionCompleted(event_id="e", item_id="u-1", transcript="", usage={"type": "duration", "seconds": 2})
    assert figures.used_to_hear(heard) == Usage("ears", {}, 2.0)


def test_opening_a_connection_takes_its_time() -> None:
    figures = session()
    figures.dialling(1000)
    figures.dialled(1085)
    assert figures.dialled_ms == 85


def test_the_least_that_was_left_of_each_limit_is_kept() -> None:
    figures = session()
    for remaining in (9000.0, 2500.0, 8000.0):
        figures.rates(
            (
                RateLimit(name="tokens", limit=10_000, remaining=remaining, reset_seconds=1),
                RateLimit(name="requests", limit=100, remaining=None),
                RateLimit(name="images", limit=10, remaining=1),
                RateLimit(name="requests", limit=0, remaining=1),
            )
        )
    assert figures.rates_left == {"tokens": 0.25}
