"""The tape of a call: what was heard of both sides since it was last taken, as it comes by.

Only calls that are to be recorded have one; of any other nothing is noted, and nothing asked.
May import: protocols, recordings.facts, the standard library.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from protocols.media import Hears
from recordings.facts import BOT, CALLER, CUT, STREAM, Entry, Noted

# Pieces of the bot's that were sent and may not have been heard yet: more than the play stream's lead.
AHEAD = 256


class Tape:
    """What is noted goes nowhere until `begin`, and after `end`. now_ms: the clock of its entries."""

    __slots__ = ("_ahead", "_entries", "_note", "_note_bot", "_now_ms")

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._entries: list[Entry] = []
        # In memory only: VAIC has been sent it already when the recording begins, and plays it after that.
        self._ahead: deque[Entry] = deque(maxlen=AHEAD)
        self._note: Callable[[Entry], None] = _forget
        self._note_bot: Callable[[Entry], None] = self._ahead.append

    def begin(self) -> None:
        """Note from now on; what was sent before and is heard from now on is noted too."""
        self._entries = list(self._ahead)
        self._ahead.clear()
        self._note = self._note_bot = self._entries.append

    def take(self) -> tuple[Entry, ...]:
        """What was noted since the last time."""
        taken = tuple(self._entries)
        self._entries.clear()
        return taken

    def rest(self) -> None:
        """Note nothing until `begin`."""
        self._entries = []
        self._note, self._note_bot = _forget, self._ahead.append

    def end(self) -> None:
        self._note = self._note_bot = _forget
        self._ahead.clear()

    def mark(self, what: Noted) -> None:
        """Note what is no sound."""
        self._note((what.value, self._now_ms(), ""))

    def caller(self, payload: str) -> None:
        """A chunk of the caller's has arrived."""
        self._note((CALLER, self._now_ms(), payload))

    def bot(self, from_ms: float, payload: str) -> None:
        """As NotedPlayout has it."""
        self._note_bot((BOT if payload else CUT, from_ms, payload))

    def stream(self) -> None:
        """Another stream of the caller's begins."""
        self._note((STREAM, self._now_ms(), ""))


class NotedTranscoder:
    """Puts what a Transcoder takes on a tape, as it came. What it refuses or leaves out is not."""

    __slots__ = ("_tape", "_transcoder", "skip")

    def __init__(self, transcoder: Hears, tape: Tape) -> None:
        self._transcoder = transcoder
        self._tape = tape
        self.skip = transcoder.skip

    def feed(self, payload: str) -> str:
        fed = self._transcoder.feed(payload)
        self._tape.caller(payload)
        return fed

    def flush(self) -> str:
        self._tape.stream()
        return self._transcoder.flush()


def _forget(_entry: Entry) -> None:
    pass
