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
# A response of which there is nothing by then is given up; and a limit on rates needs a pause.
MUTE_LIMIT_MS = 5000
RATE_PAUSE_MS = 1000
RATE_LIMITS = frozenset({"rate_limit_exceeded", "inference_rate_limit_exceeded"})
ALREADY_ACTIVE = "conversation_already_has_active_response"
# The metadata of what we ask for, which the server copies: nothing else tells it from what the server begins by itself.
ASKED = {"asked": "yes"}

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
        self._answer_owed = False  # by the server itself, to a caller's turn
        self._requested_ms = 0.0
        self._retries_left = 1
        self._mute_at_ms: float | None = None  # when a response that is still mute is given up
        self._muted = False
        self._not_before_ms = 0.0
        self._unanswered = False  # the last request was
        self.dead = False  # the session takes requests, and answers none
        self.given_up = False  # the last response was to be heard, was not, and is not asked for again

    def want(self, request: ResponseRequest, now_ms: float) -> list[Order]:
        """Somebody wishes the model to speak."""
        self._wanted = request
        return self._try(now_ms)

    def speech_started(self) -> None:
        """The caller speaks: whatever we wished to say will be part of the answer to that."""
        self._caller_speaks, self._mute_at_ms = True, None

    def committed(self, now_ms: float) -> None:
        """The caller's turn is in the conversation and the server is about to answer it by itself."""
        self._caller_speaks, self._answer_owed = False, True
        # Its answer sees every function output that we wished to have spoken about.
        self._wanted = None
        if self.slot is Slot.FREE:
            self._request(None, now_ms)

    def created(self, response: Response, now_ms: float) -> list[Order]:
        """A response of the default conversation exists."""
        self.slot, self.active_id = Slot.ACTIVE, response.id
        if not ASKED.items() <= (response.metadata or {}).items():
            self._answer_owed = False
        self._mute_at_ms, self._muted, self._unanswered = now_ms + MUTE_LIMIT_MS, False, False
        # It was asked for before the caller began to speak: the server's own interruption came too early for it.
        return self.cancel() if self._caller_speaks else []

    def done(self, response: Response, spoke: bool, called: bool, now_ms: float) -> list[Order]:
        """A response ended. spoke: any of its audio was passed on. called: it called functions.

        One that was to be heard and was not is asked for once more: silence is the worst answer.
        """
        if response.id != self.active_id and self.slot is Slot.ACTIVE and self.active_id is not None:
            return []
        self.slot, self.active_id, self._mute_at_ms, self.given_up = Slot.FREE, None, None, False
        unheard = not (spoke or called or self._caller_speaks) and (self._muted or response.status != "cancelled")
        if unheard and self._retries_left > 0:
            self._retries_left -= 1
            self._wanted = self._wanted or self._in_flight or ResponseRequest()
            if response.error_code in RATE_LIMITS:
                self._not_before_ms = now_ms + RATE_PAUSE_MS
        else:
            self.given_up = unheard and self._wanted is None
            self._retries_left = 1
        self._in_flight = None
        if self._answer_owed and self._wanted is None:
            self._request(None, now_ms)
        return self._try(now_ms)

    def refused(self, code: str | None) -> None:
        """The server answered a request with an error."""
        if code == ALREADY_ACTIVE and self.slot is Slot.REQUESTED:
            # Another response holds the slot; when it is done we decide anew.
            self.slot, self.active_id = Slot.ACTIVE, None
            self._wanted = self._wanted or self._in_flight or ResponseRequest()
        elif code == ALREADY_ACTIVE and self._answer_owed:
            # What was refused is the server's own answer: ours was there first, begun before the caller had spoken.
            self._wanted = self._wanted or ResponseRequest()

    def cancel(self) -> list[Order]:
        """Stop the running response, if one is believed to run."""
        if self.slot is Slot.ACTIVE and self.active_id is not None:
            return [ResponseCancel(response_id=self.active_id)]
        return []

    def tick(self, sounds: bool, now_ms: float) -> list[Order]:
        """Give up what was asked for and never came. sounds: something of the running response is there."""
        if self.slot is Slot.REQUESTED and now_ms - self._requested_ms >= REQUEST_LIMIT_MS:
            self.slot, self.dead = Slot.FREE, self._unanswered
            self._unanswered = True
            self._wanted = self._wanted or self._in_flight or ResponseRequest()
            self._in_flight, self._answer_owed = None, False
        if self._mute_at_ms is not None and now_ms >= self._mute_at_ms:
            self._mute_at_ms = None
            if not sounds:
                self.dead, self._muted = self._muted, True
                self._mute_at_ms = now_ms + REQUEST_LIMIT_MS
                return self.cancel()
        return self._try(now_ms)

    def next_tick_ms(self) -> float | None:
        """When to look again; None while nothing waits for time alone, as behind a caller who speaks."""
        if self.slot is Slot.REQUESTED:
            return self._requested_ms + REQUEST_LIMIT_MS
        if self.slot is Slot.FREE:
            return self._not_before_ms if self._wanted is not None and not self._caller_speaks else None
        return self._mute_at_ms

    @property
    def idle(self) -> bool:
        """Nobody speaks, and nobody is about to."""
        return self.slot is Slot.FREE and self._wanted is None and not self._caller_speaks

    def _try(self, now_ms: float) -> list[Order]:
        if self._wanted is None or self.slot is not Slot.FREE or self._caller_speaks or now_ms < self._not_before_ms:
            return []
        request, self._wanted, self._answer_owed = self._wanted, None, False
        self._request(request, now_ms)
        return [ResponseCreate(response=request.model_copy(update={"metadata": (request.metadata or {}) | ASKED}))]

    def _request(self, request: ResponseRequest | None, now_ms: float) -> None:
        self.slot, self._in_flight, self._requested_ms = Slot.REQUESTED, request, now_ms
