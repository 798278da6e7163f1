"""The mouth: what the person says, in chunks of 20 ms, with silence in between.

May import: lab.caller.audio, protocols.media, the standard library.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lab.caller.audio import TICK_MS, SpeechRecording, payloads, silent_payload
from protocols.media import MediaFormat


@dataclass(slots=True, eq=False)
class SpokenSentence:
    """One sentence of the caller, from `began_ms` on. sent_ms: how much of its speech was sent."""

    speech: SpeechRecording
    began_ms: int
    sent_ms: int = 0
    text: str = ""

    @property
    def onset_ms(self) -> int:
        """When its speech begins."""
        return self.began_ms + self.speech.began_ms

    @property
    def end_ms(self) -> int:
        """When its speech ends."""
        return self.began_ms + self.speech.ended_ms


class Mouth:
    """Speaks the caller's sentences one after the other."""

    def __init__(self) -> None:
        self.utterances: list[SpokenSentence] = []
        self._unsaid: deque[str] = deque()
        # The chunk spoken during the last 20 ms: a phone sends a chunk once its last sample is recorded.
        self._spoken: str | None = None

    @property
    def speaking(self) -> bool:
        """A sentence is being said, or its last chunk is not sent yet."""
        return bool(self._unsaid) or self._spoken is not None

    def say(self, speech: SpeechRecording, media: MediaFormat, now_ms: int) -> SpokenSentence:
        """Begin a sentence. now_ms: the call's time."""
        utterance = SpokenSentence(speech, now_ms)
        self.utterances.append(utterance)
        self._unsaid.extend(payloads(speech, media))
        return utterance

    def next_chunk(self, media: MediaFormat, now_ms: int, *, sent: bool) -> str:
        """The chunk spoken until `now_ms`. sent: whether it will be sent."""
        spoken, self._spoken = self._spoken, self._unsaid.popleft() if self._unsaid else None
        if spoken is None:
            return silent_payload(media)
        if sent:
            said = self.utterances[-1]
            heard_ms = min(now_ms, said.end_ms) - max(now_ms - TICK_MS, said.onset_ms)
            said.sent_ms += max(heard_ms, 0)
        return spoken

    def recognised(self, text: str, now_ms: int) -> None:
        """Assign a transcript to the oldest sentence without one, else to the latest."""
        begun = [utterance for utterance in self.utterances if utterance.onset_ms <= now_ms]
        if begun:
            said = next((utterance for utterance in begun if not utterance.text), begun[-1])
            said.text = f"{said.text} {text}".strip()
