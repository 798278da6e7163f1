"""The response scheduler: the only place that decides to send `response.create` or `response.cancel`.

FREE -> REQUESTED -> ACTIVE -> FREE, for the default conversation. The server's own voice detection may create
responses too; they take the same slot, so that two voices never answer at once.
Pure state. May import: protocols, the standard library. Rules from: specs/openai-realtime.md 4.4 to 4.6, 6, 7.2.
"""

from __future__ import annotations

from enum import Enum

from protocols.realtime.client_events import ResponseCancel, ResponseCreate
from protocols.realtime.objects import Response, ResponseRequest

# A request that is neither answered nor refused within this frees the slot.
REQUEST_LIMIT_MS = 5000
ALREADY_ACTIVE = "conversation_already_has_active_response"

Order = ResponseCreate | ResponseCancel


class Slot(Enum):
    FREE = "free"
    REQUESTED = "requested"
    ACTIVE = "active"


class ResponseScheduler:
    """One per model session. Each method takes a fact and returns what to send because of it."""

    def __init__(self) -> None:
        self.slot = Slot.FREE
        self.active_id: str | None = None
        # Wishes are merged, never queued: an answer to the newest state of things is enough.
        self._wanted: ResponseRequest | None = None
        self._in_flight: ResponseRequest | None = None
        self._caller_speaks = False
        self._requested_ms = 0.0
        self._retries_left = 1

    def want(self, request: ResponseRequest, now_ms: float) -> list[Order]:
        """Somebody wishes the model to speak."""
        self._wanted = request
        return self._try(now_ms)

    def speech_started(self) -> None:
        """The caller speaks: whatever we wished to say will be part of the answer to that."""
        self._caller_speaks = True

    def committed(self, now_ms: float) -> None:
        """The caller's turn is in the conversation and the server is about to answer it by itself."""
        self._caller_speaks = False
        # Its answer sees every function output that we wished to have spoken about.
        self._wanted = None
        if self.slot is Slot.FREE:
            self._request(None, now_ms)

    def created(self, response: Response) -> list[Order]:
        """A response of the default conversation exists."""
        self.slot, self.active_id = Slot.ACTIVE, response.id
        # It was asked for before the caller began to speak: the server's own interruption came too early for it.
        return self.cancel() if self._caller_speaks else []

    def done(self, response: Response, spoke: bool, now_ms: float) -> list[Order]:
        """A response ended. spoke: any of its audio was passed on.

        A failed one that said nothing is asked for once more: silence is the worst answer.
        """
        if response.id != self.active_id and self.slot is Slot.ACTIVE and self.active_id is not None:
            return []
        self.slot, self.active_id = Slot.FREE, None
        if response.status == "failed" and not spoke and self._retries_left > 0:
            self._retries_left -= 1
            self._wanted = self._wanted or self._in_flight or ResponseRequest()
        elif response.status == "completed":
            self._retries_left = 1
        self._in_flight = None
        return self._try(now_ms)

    def refused(self, code: str | None) -> None:
        """The server answered a request with an error."""
        if code == ALREADY_ACTIVE and self.slot is Slot.REQUESTED:
            # Another response holds the slot; when it is done we decide anew.
            self.slot, self.active_id = Slot.ACTIVE, None
            self._wanted = self._wanted or self._in_flight

    def cancel(self) -> list[Order]:
        """Stop the running response, if one is believed to run."""
        if self.slot is Slot.ACTIVE and self.active_id is not None:
            return [ResponseCancel(response_id=self.active_id)]
        return []

    def tick(self, now_ms: float) -> list[Order]:
        """Free a slot that was asked for and never given."""
        if self.slot is Slot.REQUESTED and now_ms - self._requested_ms >= REQUEST_LIMIT_MS:
            self.slot = Slot.FREE
            self._wanted = self._wanted or self._in_flight
            self._in_flight = None
        return self._try(now_ms)

    def next_tick_ms(self) -> float | None:
        return self._requested_ms + REQUEST_LIMIT_MS if self.slot is Slot.REQUESTED else None

    def _try(self, now_ms: float) -> list[Order]:
        if self._wanted is None or self.slot is not Slot.FREE or self._caller_speaks:
            return []
        request, self._wanted = self._wanted, None
        self._request(request, now_ms)
        return [ResponseCreate(response=request)]

    def _request(self, request: ResponseRequest | None, now_ms: float) -> None:
        self.slot, self._in_flight, self._requested_ms = Slot.REQUESTED, request, now_ms
