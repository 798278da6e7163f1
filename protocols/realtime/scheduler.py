"""The response scheduler: the only place that decides to send `response.create` and `response.cancel`.

The server's voice detection may create responses too; they take the same slot, so two responses never speak at once.
The tables are in response_slot; this module turns facts into their events and carries their actions out.
Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.4 to 4.6, 6, 7.2.
"""

from __future__ import annotations

from typing import assert_never

from protocols.realtime.client_events import ResponseCancel, ResponseCreate
from protocols.realtime.objects import Response, ResponseRequest
from protocols.realtime.response_slot import (
    ATTEMPT,
    LIMITS_MS,
    LIVENESS,
    OWED,
    SLOT,
    SPEAKING,
    TURN,
    Attempt,
    AttemptAction,
    AttemptEvent,
    Liveness,
    LivenessEvent,
    ResponseSlot,
    SlotAction,
    SlotEvent,
    TurnAction,
    TurnEvent,
)

# Pause after a rate-limit error before the next request.
RATE_PAUSE_MS = 1000
RATE_LIMITS = frozenset({"rate_limit_exceeded", "inference_rate_limit_exceeded"})
ALREADY_ACTIVE = "conversation_already_has_active_response"
# Metadata of our requests. The server copies it into the response; nothing else distinguishes our responses from those
# that the server begins by itself.
ASKED = {"asked": "yes"}

Order = ResponseCreate | ResponseCancel


class ResponseScheduler:
    """One per model session. A method takes a fact, with now_ms on any monotonic clock, and returns what to send."""

    def __init__(self) -> None:
        self.slot = SLOT.start
        self._turn = TURN.start
        self._attempt = ATTEMPT.start
        self._liveness = LIVENESS.start
        # Id of the response that holds the slot; None if unknown.
        self._active_id: str | None = None
        # The pending request. A newer one replaces it: one response to the newest state of the conversation is enough.
        self._wanted: ResponseRequest | None = None
        # A pending request that was dropped because the server's answer to the caller's turn should cover it.
        self._covered: ResponseRequest | None = None
        # Our last request; None when the server answers by itself.
        self._in_flight: ResponseRequest | None = None
        self._limit_at_ms = 0.0  # when the state's time limit passes; used only in states that have one
        self._not_before_ms = 0.0

    # --- facts ---

    def want(self, request: ResponseRequest, now_ms: float) -> list[Order]:
        """Request a response; it is created as soon as the slot is free and the caller silent."""
        self._wanted = request
        return self._ask_if_due(now_ms)

    def speech_started(self, now_ms: float) -> None:
        """The caller has begun to speak; the answer to that turn will cover a pending request."""
        self._turn_changed(TurnEvent.SPEECH_STARTED)
        self._slot_changed(SlotEvent.SPEECH_STARTED, now_ms)

    def committed(self, now_ms: float) -> None:
        """The caller's turn is in the conversation, and the server will answer it by itself."""
        self._turn_changed(TurnEvent.COMMITTED)
        self._slot_changed(SlotEvent.SERVER_ANSWERS, now_ms)

    def dropped(self, now_ms: float) -> list[Order]:
        """The caller's turn is over and the server will not answer it: it was not committed, or we committed it."""
        self._turn_changed(TurnEvent.DROPPED)
        return self._ask_if_due(now_ms)

    def created(self, response: Response, now_ms: float, knows_all: bool = True) -> list[Order]:
        """A response of the default conversation exists. knows_all: it began after all outputs sent were added."""
        if not ASKED.items() <= (response.metadata or {}).items():
            self._turn_changed(TurnEvent.SERVER_ANSWERED)
            if not knows_all:
                self._wanted = self._wanted or self._covered
            self._covered = None
        self._liveness_changed(LivenessEvent.CREATED)
        self._active_id = response.id
        return self._slot_changed(SlotEvent.CREATED_TOO_LATE if self._caller_speaks else SlotEvent.CREATED, now_ms)

    def done(self, response: Response, spoke: bool, called: bool, now_ms: float) -> list[Order]:
        """A response has ended. spoke: some of its audio was passed on. called: it called functions."""
        if self._active_id not in (None, response.id):
            return []  # another one holds the slot
        if spoke or called or self._caller_speaks:
            event = SlotEvent.ENDED
        else:
            event = SlotEvent.ENDED_CANCELLED if response.status == "cancelled" else SlotEvent.ENDED_UNHEARD
        self._slot_changed(event, now_ms)
        self._active_id = self._in_flight = None
        if self._attempt is Attempt.REPEATED and response.error_code in RATE_LIMITS:
            self._not_before_ms = now_ms + RATE_PAUSE_MS
        if self._turn in OWED and self._wanted is None:
            self._slot_changed(SlotEvent.SERVER_ANSWERS, now_ms)
        return self._ask_if_due(now_ms)

    def refused(self, code: str | None, now_ms: float) -> None:
        """The server answered a request with an error of this code."""
        if code == ALREADY_ACTIVE:
            owed = self._turn in OWED
            self._slot_changed(SlotEvent.ANSWER_REFUSED if owed else SlotEvent.REFUSED, now_ms)

    def tick(self, sounds: bool, now_ms: float) -> list[Order]:
        """Check the time limits. sounds: audio of the running response has arrived."""
        orders: list[Order] = []
        if self.slot in LIMITS_MS and now_ms >= self._limit_at_ms:
            orders = self._slot_changed(SlotEvent.LIMIT_HEARD if sounds else SlotEvent.LIMIT_MUTE, now_ms)
        return orders + self._ask_if_due(now_ms)

    def cancel(self) -> list[Order]:
        """Cancel the running response, if there is one we know of."""
        return [] if self._active_id is None else [ResponseCancel(response_id=self._active_id)]

    # --- queries ---

    def next_tick_ms(self) -> float | None:
        """When to call `tick` next; None while nothing waits for time alone, e.g. while the caller speaks."""
        if self.slot in LIMITS_MS:
            return self._limit_at_ms
        waits = self.slot is ResponseSlot.FREE and self._wanted is not None and not self._caller_speaks
        return self._not_before_ms if waits else None

    @property
    def idle(self) -> bool:
        """No response is running, requested or pending, and the caller is silent."""
        return self.slot is ResponseSlot.FREE and self._wanted is None and not self._caller_speaks

    @property
    def dead(self) -> bool:
        """The session accepts requests but answers none."""
        return self._liveness is Liveness.DEAD

    @property
    def given_up(self) -> bool:
        """The last response should have been heard, was not, and is not requested again."""
        return self._attempt is Attempt.GIVEN_UP

    @property
    def _caller_speaks(self) -> bool:
        return self._turn in SPEAKING

    # --- carrying out the tables' actions ---

    def _ask_if_due(self, now_ms: float) -> list[Order]:
        if self._wanted is None or self._caller_speaks or now_ms < self._not_before_ms:
            return []
        return self._slot_changed(SlotEvent.ASK_DUE, now_ms)

    def _slot_changed(self, event: SlotEvent, now_ms: float) -> list[Order]:
        self.slot, actions = SLOT.step(self.slot, event)
        return [order for action in actions for order in self._carry_out(action, now_ms)]

    def _carry_out(self, action: SlotAction, now_ms: float) -> list[Order]:
        match action:
            case SlotAction.START_LIMIT:
                self._limit_at_ms = now_ms + LIMITS_MS[self.slot]
            case SlotAction.SEND_CREATE:
                return self._create()
            case SlotAction.SEND_CANCEL:
                return self.cancel()
            case SlotAction.WISH_AGAIN:
                self._wish_again()
            case SlotAction.WISH_ANSWER:
                self._wanted = self._wanted or ResponseRequest()
            case SlotAction.GIVE_UP_REQUEST:
                self._wish_again()
                self._in_flight = None
                self._turn_changed(TurnEvent.OVERDUE)
                self._liveness_changed(LivenessEvent.UNANSWERED)
            case SlotAction.REPORT_HUNG:
                self._liveness_changed(LivenessEvent.HUNG)
            case SlotAction.REPORT_HEARD:
                self._attempt_changed(AttemptEvent.HEARD)
            case SlotAction.REPORT_UNHEARD:
                another = self._wanted is not None
                self._attempt_changed(AttemptEvent.UNHEARD_MORE_WISHED if another else AttemptEvent.UNHEARD)
            case _:
                assert_never(action)
        return []

    def _create(self) -> list[Order]:
        request, self._wanted = self._wanted or ResponseRequest(), None
        self._in_flight = request
        self._turn_changed(TurnEvent.ASKED)
        self._covered = None
        return [ResponseCreate(response=request.model_copy(update={"metadata": (request.metadata or {}) | ASKED}))]

    def _wish_again(self) -> None:
        self._wanted = self._wanted or self._in_flight or ResponseRequest()

    def _turn_changed(self, event: TurnEvent) -> None:
        self._turn, action = TURN.step(self._turn, event)
        if action is TurnAction.DROP_WISH:
            self._covered, self._wanted = self._wanted or self._covered, None

    def _attempt_changed(self, event: AttemptEvent) -> None:
        self._attempt, action = ATTEMPT.step(self._attempt, event)
        if action is AttemptAction.REPEAT:
            self._wish_again()

    def _liveness_changed(self, event: LivenessEvent) -> None:
        self._liveness, _ = LIVENESS.step(self._liveness, event)
