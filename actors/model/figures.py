"""What one model session tells of its own: when the caller was heard by our clock, and what is billed.

The model counts the audio that it was sent. That flows as it is spoken, so the newest of it was spoken just now, and
any other sample as long ago as the audio after it lasts: also where audio was lost, delayed, or sent again in one go.
Pure state. May import: actors.messages, protocols, the standard library.
Rules from: docs/specs/openai-realtime.md 1.6, 4.3, 5.
"""

from __future__ import annotations

from collections.abc import Iterable

from actors.messages.call import Usage
from actors.messages.model_config import ModelSessionConfig
from protocols.limits import NAME_CHARS
from protocols.realtime.objects import EffectiveSession, RateLimit, Response, ServerVad
from protocols.realtime.server_events import SpeechStarted, SpeechStopped, TranscriptionCompleted
from protocols.realtime.usage import seconds_billed, tokens_by_kind

# A model that names a sample this far back counts something else than we do.
FARTHEST_MS = 10_000
# The newest piece arrived, on average, half a piece ago.
HALF_A_PIECE_MS = 10
# What the interface limits (1.6).
RATES = ("requests", "tokens")


class SessionFigures:
    """sent_bytes: of the caller's audio, sent to this session; its owner counts them, fifty times a second.

    dialled_ms: how long its connection took to open. rates_left: by what is limited (RATES), the least that was left of
    the account's limit, as a share of it.
    """

    __slots__ = (
        "_bytes_per_ms",
        "_dialling_ms",
        "_model",
        "_transcriber",
        "_vad",
        "dialled_ms",
        "rates_left",
        "sent_bytes",
    )

    def __init__(self, config: ModelSessionConfig) -> None:
        self._bytes_per_ms = config.media.bytes_per_ms
        self._vad = config.settings.turn_detection
        self._model = config.settings.name
        self._transcriber = config.settings.transcription.model or ""
        self._dialling_ms = 0.0
        self.dialled_ms = 0.0
        self.sent_bytes = 0
        self.rates_left: dict[str, float] = {}

    def dialling(self, now_ms: float) -> None:
        """The connection is being opened."""
        self._dialling_ms = now_ms

    def dialled(self, now_ms: float) -> None:
        """The connection is open."""
        self.dialled_ms = now_ms - self._dialling_ms

    def created(self, session: EffectiveSession) -> None:
        """The server has told which model it is."""
        self._model = session.model[:NAME_CHARS] or self._model

    def rates(self, limits: Iterable[RateLimit]) -> None:
        """What is left of the account's limits."""
        for each in limits:
            if each.name in RATES and each.limit and (left := each.left) is not None:
                self.rates_left[each.name] = min(round(left, 4), self.rates_left.get(each.name, 1.0))

    def onset_ms(self, event: SpeechStarted, now_ms: float) -> float | None:
        """When the caller's first sample with speech was spoken; None if that cannot be told."""
        padding_ms = self._vad.prefix_padding_ms if isinstance(self._vad, ServerVad) else 0
        return self._spoken_at((event.audio_start_ms or 0) + padding_ms, now_ms)

    def quiet_ms(self, event: SpeechStopped, now_ms: float) -> float:
        """When the caller's last sample with speech was spoken; of a semantic VAD the window is not known."""
        silence_ms = self._vad.silence_duration_ms if isinstance(self._vad, ServerVad) else 0
        ended_ms = self._spoken_at(event.audio_end_ms, now_ms)
        return (now_ms if ended_ms is None else ended_ms) - silence_ms

    def used(self, response: Response) -> Usage:
        """What is billed of a response."""
        return Usage(self._model, tokens_by_kind(response.usage))

    def used_to_hear(self, event: TranscriptionCompleted) -> Usage:
        """What is billed of a transcript."""
        return Usage(self._transcriber, tokens_by_kind(event.usage, output="text"), seconds_billed(event.usage))

    def _spoken_at(self, audio_ms: float | None, now_ms: float) -> float | None:
        """When the sample at `audio_ms` of the session was spoken. now_ms: when the model's event arrived."""
        if not audio_ms:  # some models always say 0
            return None
        age_ms = self.sent_bytes / self._bytes_per_ms - audio_ms
        if not -HALF_A_PIECE_MS <= age_ms <= FARTHEST_MS:
            return None
        return now_ms - age_ms - HALF_A_PIECE_MS
