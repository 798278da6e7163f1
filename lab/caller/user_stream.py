"""The user stream's handshake: requested, acknowledged, then chunks flow.

May import: the standard library. Rules from: docs/specs/vaic-streaming.md 3.5 to 3.7, 5.4, 5.5.
"""

from __future__ import annotations

from enum import Enum

_ACKNOWLEDGE_LIMIT_MS = 3000  # the bot must acknowledge "at once" (8)


class _StreamState(Enum):
    CLOSED = "closed"
    STARTING = "starting"
    OPEN = "open"
    STOPPING = "stopping"


class Wish(Enum):
    """What VAIC requests next."""

    START = "userStream.start"
    STOP = "userStream.stop"


class UserStream:
    """The caller's stream to the bot, which can start and stop many times in a call."""

    def __init__(self) -> None:
        self._state = _StreamState.CLOSED
        self._asked_ms: int | None = None
        self._reply_due_ms: int | None = None

    @property
    def flows(self) -> bool:
        """Chunks may be sent."""
        return self._state is _StreamState.OPEN

    def await_reply(self, until_ms: int) -> None:
        """Half duplex: after a recognition the stream is stopped until the bot has replied, or until `until_ms`."""
        self._reply_due_ms = until_ms

    def ask(self, now_ms: int, *, full_duplex: bool, bot_busy: bool) -> Wish | None:
        """The request to send now, if any.

        full_duplex: the caller may interrupt, so the stream is always open; else only while the bot has no turn (7.3).
        bot_busy: it is speaking, or has a play stream open.
        """
        if bot_busy or (self._reply_due_ms is not None and now_ms > self._reply_due_ms):
            self._reply_due_ms = None
        wanted = full_duplex or not (bot_busy or self._reply_due_ms is not None)
        if wanted and self._state is _StreamState.CLOSED:
            self._state, self._asked_ms = _StreamState.STARTING, now_ms
            return Wish.START
        if not wanted and self._state is _StreamState.OPEN:
            self._state, self._asked_ms = _StreamState.STOPPING, now_ms
            return Wish.STOP
        return None

    def overdue(self, now_ms: int) -> str:
        """The request that was not acknowledged in time, returned once; else ""."""
        if self._asked_ms is None or now_ms - self._asked_ms <= _ACKNOWLEDGE_LIMIT_MS:
            return ""
        self._asked_ms = None
        return {_StreamState.STARTING: Wish.START.value, _StreamState.STOPPING: Wish.STOP.value}.get(self._state, "")

    def started(self) -> bool:
        """The bot acknowledged a start. Returns False if none was requested."""
        asked = self._state is _StreamState.STARTING
        self._state = _StreamState.OPEN if asked else self._state
        return asked

    def stopped(self) -> bool:
        """The bot acknowledged a stop. Returns False if none was requested."""
        asked = self._state is _StreamState.STOPPING
        self._state = _StreamState.CLOSED if asked else self._state
        return asked

    def void(self) -> None:
        """The socket is lost, and the stream with it."""
        self._state = _StreamState.CLOSED
