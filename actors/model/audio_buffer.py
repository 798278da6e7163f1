"""The caller's audio while no model session is live, and the utterance that no session has understood yet.

ModelRef is where both are kept. May import: actors, protocols, the standard library.
Rules from: docs/specs/openai-realtime.md 4.7.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from actors.messages.call import BotSaid, CallerSaid, CallerSpeaks, FunctionCalled, SpeechFact
from actors.messages.model import CallerAudio, EndTurn, ModelSocketMessage
from actors.system.address import StableRef
from protocols.media import MediaFormat, decoded_bytes

KEPT_MS = 4000  # a longer gap is bridged by asking the caller to repeat
# The VAD reports speech some time after it began: how many earlier chunks to keep, of 20 ms each as VAIC sends them.
BEFORE_PIECES = 20


class AudioBuffer:
    """The newest KEPT_MS of audio; older audio is dropped. length_ms: gives the duration of a base64 chunk."""

    __slots__ = ("_kept_ms", "_length_ms", "_pieces")

    def __init__(self, length_ms: Callable[[str], float]) -> None:
        self._length_ms = length_ms
        self._pieces: deque[str] = deque()
        self._kept_ms = 0.0

    def append(self, payload: str) -> None:
        self._pieces.append(payload)
        self._kept_ms += self._length_ms(payload)
        while self._kept_ms > KEPT_MS:
            self._kept_ms -= self._length_ms(self._pieces.popleft())

    def take(self) -> list[str]:
        """Return the chunks in order and empty the buffer."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self._kept_ms = 0.0
        return pieces


class UtteranceBuffer:
    """The caller's current utterance, from shortly before the VAD noticed it, for replay to the next model session.

    Keeps the first KEPT_MS and drops the rest. length_ms: gives the duration of a base64 chunk.
    """

    __slots__ = ("_before", "_kept_ms", "_length_ms", "_pieces")

    def __init__(self, length_ms: Callable[[str], float]) -> None:
        self._length_ms = length_ms
        self._before: deque[str] = deque(maxlen=BEFORE_PIECES)
        self._pieces: list[str] | None = None
        self._kept_ms = 0.0

    def append(self, payload: str) -> None:
        if self._pieces is None:
            self._before.append(payload)
        elif self._kept_ms < KEPT_MS:
            self._pieces.append(payload)
            self._kept_ms += self._length_ms(payload)

    def begin(self) -> None:
        """The VAD reports that speech began; it continues an utterance that was not answered yet."""
        if self._pieces is None:
            self._pieces, self._kept_ms = list(self._before), 0.0
            self._before.clear()

    def forget(self) -> None:
        """A model session has understood the utterance."""
        self._pieces = None

    def take(self) -> list[str]:
        """Return the chunks of an utterance not understood yet, in order, and empty the buffer."""
        pieces, self._pieces = self._pieces or [], None
        return pieces


class ModelRef(StableRef[ModelSocketMessage]):
    """The stable address of the active session; buffers the caller's audio while none is live.

    media: the model's format. caller_speaks: as the last active session reported.
    """

    __slots__ = ("_hears", "_kept", "_utterance", "caller_speaks", "media")

    def __init__(self, media: MediaFormat) -> None:
        super().__init__()
        self.media = media

        def length_ms(payload: str) -> float:
            return decoded_bytes(payload) / media.bytes_per_ms

        self._kept, self._utterance = AudioBuffer(length_ms), UtteranceBuffer(length_ms)
        self._hears = self.caller_speaks = False

    @property
    def live(self) -> bool:
        """Whether a session hears the caller."""
        return self._hears

    def tell(self, message: ModelSocketMessage, /) -> None:
        if isinstance(message, CallerAudio):
            if not self._hears:
                self._kept.append(message.payload)
                return
            self._utterance.append(message.payload)
        StableRef.tell(self, message)  # `super()` makes an object for each chunk

    def note(self, fact: SpeechFact | FunctionCalled) -> None:
        """A fact from the model: a transcript, an answer or a function call shows that the utterance was understood."""
        match fact:
            case CallerSpeaks():
                self.caller_speaks = fact.began
                if fact.began:
                    self._utterance.begin()
            case CallerSaid() | BotSaid() | FunctionCalled():
                self._utterance.forget()
            case _:
                pass

    def end_turn(self) -> None:
        """Pass on that the caller's turn does not end by itself."""
        self.caller_speaks = False
        super().tell(EndTurn())

    def hears(self, whether: bool) -> bool:
        """Set whether a session is live. If so, send it the utterance not understood yet, then the buffered audio.

        Returns whether an utterance was sent again.
        """
        self._hears = whether
        said_again = self._utterance.take() if whether else []
        if whether:
            for payload in (*said_again, *self._kept.take()):
                super().tell(CallerAudio(payload))
        return bool(said_again)
