"""The user stream's handshake: asked for, acknowledged, and then chunks flow.

May import: the standard library. Rules from: docs/specs/vaic-streaming.md 3.5 to 3.7, 5.4, 5.5.
"""

from __future__ import annotations

from enum import Enum

# The bot must acknowledge "at once" (8); past this it is held to have forgotten.
_ACKNOWLEDGE_LIMIT_MS = 3000


class _Gate(Enum):
    CLOSED = "closed"
    STARTING = "starting"
    OPEN = "open"
    STOPPING = "stopping"


class Wish(Enum):
    """What VAIC asks next."""

    START = "userStream.start"
    STOP = "userStream.stop"


class UserStream:
    """One party's stream to the bot, which can start and stop many times in a call."""

    def __init__(self) -> None:
        self._gate = _Gate.CLOSED
        self._asked_ms: int | None = None
        self._reply_due_ms: int | None = None

    @property
    def flows(self) -> bool:
        """Chunks may be sent."""
        return self._gate is _Gate.OPEN

    def await_reply(self, until_ms: int) -> None:
        """The caller was understood: half duplex, the bot has the next word, unless it says none until then."""
        self._reply_due_ms = until_ms

    def ask(self, now_ms: int, *, full_duplex: bool, bot_busy: bool) -> Wish | None:
        """What to ask of the bot now.

        full_duplex: the caller may interrupt, so the stream is always open; else it is while the bot has no turn (7.3).
        bot_busy: it is speaking, or has a play stream open.
        """
        if bot_busy or (self._reply_due_ms is not None and now_ms > self._reply_due_ms):
            self._reply_due_ms = None
        wanted = full_duplex or not (bot_busy or self._reply_due_ms is not None)
        if wanted and self._gate is _Gate.CLOSED:
            self._gate, self._asked_ms = _Gate.STARTING, now_ms
            return Wish.START
        if not wanted and self._gate is _Gate.OPEN:
            self._gate, self._asked_ms = _Gate.STOPPING, now_ms
            return Wish.STOP
        return None

    def overdue(self, now_ms: int) -> str:
        """What the bot has not acknowledged in time, told once; else an empty string."""
        if self._asked_ms is None or now_ms - self._asked_ms <= _ACKNOWLEDGE_LIMIT_MS:
            return ""
        self._asked_ms = None
        return {_Gate.STARTING: Wish.START.value, _Gate.STOPPING: Wish.STOP.value}.get(self._gate, "")

    def started(self) -> bool:
        """The bot acknowledged a start; False when none was asked."""
        asked = self._gate is _Gate.STARTING
        self._gate = _Gate.OPEN if asked else self._gate
        return asked

    def stopped(self) -> bool:
        """The bot acknowledged a stop; False when none was asked."""
        asked = self._gate is _Gate.STOPPING
        self._gate = _Gate.CLOSED if asked else self._gate
        return asked

    def void(self) -> None:
        """The socket is gone, and the stream with it."""
        self._gate = _Gate.CLOSED
