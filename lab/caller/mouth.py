"""The mouth: what the person says, 20 ms at a time, and silence in between.

May import: lab.caller.audio, protocols.media, the standard library.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lab.caller.audio import TICK_MS, Speech, payloads, silent_payload
from protocols.media import MediaFormat


@dataclass(slots=True, eq=False)
class Utterance:
    """One sentence that was said, from `began_ms` on. `sent_ms`: how much of its speech went out on the wire."""

    speech: Speech
    began_ms: int
    sent_ms: int = 0
    text: str = ""

    @property
    def onset_ms(self) -> int:
        """When the first sound of it was made."""
        return self.began_ms + self.speech.began_ms

    @property
    def end_ms(self) -> int:
        """When the last sound of it was made."""
        return self.began_ms + self.speech.ended_ms


class Mouth:
    """Speaks one sentence after the other."""

    def __init__(self) -> None:
        self.utterances: list[Utterance] = []
        self._unsaid: deque[str] = deque()
        # What was spoken during the last 20 ms: a telephone sends a chunk when its last sample is in.
        self._spoken: str | None = None

    @property
    def speaking(self) -> bool:
        """A sentence is not yet said, or its last 20 ms not yet sent."""
        return bool(self._unsaid) or self._spoken is not None

    def say(self, speech: Speech, media: MediaFormat, now_ms: int) -> Utterance:
        """Begin a sentence. now_ms: the call's time."""
        utterance = Utterance(speech, now_ms)
        self.utterances.append(utterance)
        self._unsaid.extend(payloads(speech, media))
        return utterance

    def next_chunk(self, media: MediaFormat, now_ms: int, *, sent: bool) -> str:
        """The chunk to send now, of what was spoken until `now_ms`. sent: whether it will be."""
        spoken, self._spoken = self._spoken, self._unsaid.popleft() if self._unsaid else None
        if spoken is None:
            return silent_payload(media)
        if sent:
            said = self.utterances[-1]
            heard_ms = min(now_ms, said.end_ms) - max(now_ms - TICK_MS, said.onset_ms)
            said.sent_ms += max(heard_ms, 0)
        return spoken

    def recognised(self, text: str, now_ms: int) -> None:
        """Put a transcript to the sentence it belongs to: the oldest without one, else the latest."""
        begun = [utterance for utterance in self.utterances if utterance.onset_ms <= now_ms]
        if begun:
            said = next((utterance for utterance in begun if not utterance.text), begun[-1])
            said.text = f"{said.text} {text}".strip()
