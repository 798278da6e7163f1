"""The response scheduler: the only place that decides to send `response.create` and `response.cancel`.

The server's voice detection may create responses too; they take the same slot, so two responses never speak at once.
The tables are in response_slot; this module turns facts into their events and carries their actions out.
Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.4 to 4.6, 6, 7.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import assert_never

from protocols.realtime.client_events import ResponseCancel, ResponseCreate
from protocols.realtime.objects import ErrorDetail, RateLimit, Response, ResponseRequest
from protocols.realtime.refusals import ABOUT_REQUESTS, RATE_LIMITS, named_wait_s
from protocols.realtime.response_slot import (
    ATTEMPT,
    BUDGET,
    FROM_LATEST_PART,
    LIMITS_MS,
    LIVENESS,
    OWED,
    SLOT,
    SPEAKING,
    TURN,
    Attempt,
    AttemptAction,
    AttemptEvent,
    BudgetAction,
    BudgetEvent,
    Liveness,
    LivenessEvent,
    ResponseSlot,
    SlotAction,
    SlotEvent,
    TurnAction,
    TurnEvent,
)

# Pause after a rate-limit error before the next request, whatever wait the server names.
RATE_PAUSE_MS = 1000
# How long a rate limit is waited for, from the first error to the last request: a caller who has heard "one moment" for
# half a minute is better served by a human, or by another call.
RATE_PATIENCE_MS = 30_000
# The longest wait, whatever the server names.
RATE_WAIT_MOST_MS = 60_000
# The longest wait because of `rate_limits.updated`: its reset is that of the whole quota, and a part is free sooner.
RATE_RESET_MOST_MS = 15_000
# The budget of one turn of the caller: our requests, and the model's function calls. A normal turn opens a task,
# corrects a value, looks up and confirms: at most six of each; up to three reminders may follow.
MOST_REQUESTS = 16
MOST_CALLS = 20
ALREADY_ACTIVE = "conversation_already_has_active_response"
# Metadata of our requests. The server copies it into the response; nothing else distinguishes our responses from those
# that the server begins by itself.
ASKED = {"asked": "yes"}

# A BudgetAction says what was done about a turn whose budget is used up.
Order = ResponseCreate | ResponseCancel | BudgetAction


def is_asked(response: Response) -> bool:
    """Whether a response is one that we have requested."""
    return ASKED.items() <= (response.metadata or {}).items()


class ResponseScheduler:
    """One per model session. A method takes a fact, with now_ms on any monotonic clock, and returns what to send.

    latest_part_ms: when a part of any response arrived.
    """

    def __init__(self) -> None:
        self.slot = SLOT.start
        self._turn = TURN.start
        self._attempt = ATTEMPT.start
        self._liveness = LIVENESS.start
        self._budget = BUDGET.start
        # Since the caller last spoke or pressed a key: our requests, and the functions that the model called.
        self._requests = self._calls = 0
        # Id of the response that holds the slot; None if unknown.
        self._active_id: str | None = None
        # The pending request. A newer one replaces it: one response to the newest state of the conversation is enough.
        self._wanted: ResponseRequest | None = None
        # A pending request that was dropped because the server's answer to the caller's turn should cover it.
        self._covered: ResponseRequest | None = None
        # Our last request; None when the server answers by itself.
        self._in_flight: ResponseRequest | None = None
        self._names = count(1)
        self._asked_as = ""  # the event id of our last request
        self._limit_at_ms = 0.0  # when the state's time limit passes; used only in states that have one
        self.latest_part_ms = 0.0
        self._not_before_ms = 0.0
        self._limited_since_ms: float | None = None  # when the rate limit was hit that is not over yet

    # --- facts ---

    def want(self, request: ResponseRequest, now_ms: float) -> list[Order]:
        """Request a response; it is created as soon as the slot is free and the caller silent."""
        self._wanted = request
        return self._ask_if_due(now_ms)

    def speech_started(self, now_ms: float) -> None:
        """The caller has begun to speak; the answer to that turn will cover a pending request."""
        self.caller_acted()
        self._turn_changed(TurnEvent.SPEECH_STARTED)
        self._slot_changed(SlotEvent.SPEECH_STARTED, now_ms)

    def caller_acted(self) -> None:
        """The caller has spoken or pressed a key: a new turn, with a new budget."""
        self._budget, _ = BUDGET.step(self._budget, BudgetEvent.CALLER_ACTED)
        self._requests = self._calls = 0

    def called(self) -> None:
        """The model called a function."""
        self._calls += 1

    def rates(self, limits: Iterable[RateLimit], now_ms: float) -> None:
        """The rates that are left of the account's limits. If one is used up, the next request waits."""
        used_up = [limit for limit in limits if limit.left == 0]
        resets_s = [limit.reset_seconds or 0.0 for limit in used_up]
        self._wait(min(RATE_RESET_MOST_MS, 1000 * max((0.0, *resets_s))), now_ms)

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
        if not is_asked(response):
            self._turn_changed(TurnEvent.SERVER_ANSWERED)
            if not knows_all:
                self._wanted = self._wanted or self._covered
            self._covered = None
        self._liveness_changed(LivenessEvent.CREATED)
        self._active_id = response.id
        return self._slot_changed(SlotEvent.CREATED_TOO_LATE if self._caller_speaks else SlotEvent.CREATED, now_ms)

    def part_arrived(self, now_ms: float) -> None:
        """Something of a response has arrived: audio, text, arguments of a function."""
        self.latest_part_ms = now_ms

    def done(self, response: Response, spoke: bool, called: bool, now_ms: float) -> list[Order]:
        """A response has ended. spoke: some of its audio was passed on. called: it called functions."""
        if self._active_id not in (None, response.id):
            return []  # another one holds the slot
        if limited := response.error_code in RATE_LIMITS:
            self._limit_met(response.error_message, now_ms)
        elif spoke or called:
            self._limited_since_ms = None
        if called or self._caller_speaks:
            event = SlotEvent.ENDED
        elif spoke:
            event = SlotEvent.ENDED_HEARD
        elif response.status == "cancelled":
            event = SlotEvent.ENDED_CANCELLED
        else:
            event = SlotEvent.ENDED_LIMITED if limited else SlotEvent.ENDED_UNHEARD
        self._slot_changed(event, now_ms)
        self._active_id = self._in_flight = None
        if self._turn in OWED and self._wanted is None:
            self._slot_changed(SlotEvent.SERVER_ANSWERS, now_ms)
        return self._ask_if_due(now_ms)

    def refused(self, error: ErrorDetail, now_ms: float) -> list[Order] | None:
        """The server sent an error. Returns None unless it refuses a response."""
        if error.code == ALREADY_ACTIVE:
            owed = self._turn in OWED
            return self._slot_changed(SlotEvent.ANSWER_REFUSED if owed else SlotEvent.REFUSED, now_ms)
        limited = error.code in RATE_LIMITS
        # Many errors do not name the event that they are about.
        about_it = error.event_id == self._asked_as if error.event_id else error.code in ABOUT_REQUESTS
        if self.slot is not ResponseSlot.REQUESTED or self._in_flight is None or not about_it:
            return None
        if limited:
            self._limit_met(error.message, now_ms)
        self._slot_changed(SlotEvent.REFUSED_LIMITED if limited else SlotEvent.REFUSED_OTHERWISE, now_ms)
        self._in_flight = None
        return self._ask_if_due(now_ms)

    def tick(self, sounds: bool, now_ms: float) -> list[Order]:
        """Check the time limits. sounds: audio of the running response has arrived."""
        orders: list[Order] = []
        if self.slot in LIMITS_MS and now_ms >= self._limit_passes_ms():
            orders = self._slot_changed(SlotEvent.LIMIT_HEARD if sounds else SlotEvent.LIMIT_MUTE, now_ms)
        return orders + self._ask_if_due(now_ms)

    def cancel(self) -> list[Order]:
        """Cancel the running response, if there is one we know of."""
        if self._active_id is None:
            return []
        return [ResponseCancel(response_id=self._active_id) if self._active_id else ResponseCancel()]

    # --- queries ---

    def next_tick_ms(self) -> float | None:
        """When to call `tick` next; None while nothing waits for time alone, e.g. while the caller speaks."""
        if self.slot in LIMITS_MS:
            return self._limit_passes_ms()
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

    def held(self, now_ms: float) -> bool:
        """A request is pending, and waits for the end of a rate limit."""
        waits = self.slot is ResponseSlot.FREE and self._wanted is not None and not self._caller_speaks
        return waits and now_ms < self._not_before_ms

    @property
    def limited(self) -> bool:
        """A rate limit was hit, and no response was heard since."""
        return self._limited_since_ms is not None

    @property
    def given_up(self) -> bool:
        """The last response should have been heard, was not, and is not requested again."""
        return self._attempt is Attempt.GIVEN_UP

    @property
    def _caller_speaks(self) -> bool:
        return self._turn in SPEAKING

    def _limit_passes_ms(self) -> float:
        if self.slot in FROM_LATEST_PART:
            return max(self._limit_at_ms, self.latest_part_ms + LIMITS_MS[self.slot])
        return self._limit_at_ms

    # --- carrying out the tables' actions ---

    def _ask_if_due(self, now_ms: float) -> list[Order]:
        if self._wanted is None or self._caller_speaks or now_ms < self._not_before_ms:
            return []
        beyond = self._requests >= MOST_REQUESTS or self._calls > MOST_CALLS
        if self.slot is not ResponseSlot.FREE or not beyond:
            return self._slot_changed(SlotEvent.ASK_DUE, now_ms)
        self._budget, action = BUDGET.step(self._budget, BudgetEvent.ASKED_BEYOND)
        if action is BudgetAction.ASK_WITHOUT_FUNCTIONS:
            self._wanted = self._wanted.model_copy(update={"tool_choice": "none"})
            return [action, *self._slot_changed(SlotEvent.ASK_DUE, now_ms)]
        self._wanted = None
        return [action] if action is BudgetAction.SAY_OWN_WORDS else []

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
            case SlotAction.REQUEST_AGAIN:
                self._request_again()
            case SlotAction.REQUEST_ANSWER:
                self._wanted = self._wanted or ResponseRequest()
            case SlotAction.GIVE_UP_REQUEST:
                self._request_again()
                self._in_flight = None
                self._turn_changed(TurnEvent.OVERDUE)
                self._liveness_changed(LivenessEvent.UNANSWERED)
            case SlotAction.REPORT_HUNG:
                self._liveness_changed(LivenessEvent.HUNG)
            case SlotAction.REPORT_HEARD:
                self._attempt_changed(AttemptEvent.HEARD)
            case SlotAction.REPORT_UNHEARD:
                another = self._wanted is not None
                self._attempt_changed(AttemptEvent.UNHEARD_MORE_PENDING if another else AttemptEvent.UNHEARD)
            case SlotAction.REPORT_LIMITED:
                bearable = self._not_before_ms - (self._limited_since_ms or 0.0) <= RATE_PATIENCE_MS
                self._attempt_changed(AttemptEvent.LIMITED if bearable else AttemptEvent.LIMITED_TOO_LONG)
            case _:
                assert_never(action)
        return []

    def _limit_met(self, message: str, now_ms: float) -> None:
        """A rate limit was hit. message: the error's text, which may name a wait."""
        if self._limited_since_ms is None:
            self._limited_since_ms = now_ms
        self._wait(max(RATE_PAUSE_MS, 1000 * (named_wait_s(message) or 0.0)), now_ms)

    def _wait(self, wait_ms: float, now_ms: float) -> None:
        self._not_before_ms = max(self._not_before_ms, now_ms + min(wait_ms, RATE_WAIT_MOST_MS))

    def _create(self) -> list[Order]:
        request, self._wanted = self._wanted or ResponseRequest(), None
        self._in_flight = request
        self._turn_changed(TurnEvent.ASKED)
        self._covered = None
        self._requests += 1
        self._asked_as = f"ask-{next(self._names)}"
        asked = request.model_copy(update={"metadata": (request.metadata or {}) | ASKED})
        return [ResponseCreate(event_id=self._asked_as, response=asked)]

    def _request_again(self) -> None:
        self._wanted = self._wanted or self._in_flight or ResponseRequest()

    def _turn_changed(self, event: TurnEvent) -> None:
        self._turn, action = TURN.step(self._turn, event)
        if action is TurnAction.DROP_REQUEST:
            self._covered, self._wanted = self._wanted or self._covered, None

    def _attempt_changed(self, event: AttemptEvent) -> None:
        self._attempt, action = ATTEMPT.step(self._attempt, event)
        if action is AttemptAction.REPEAT:
            self._request_again()

    def _liveness_changed(self, event: LivenessEvent) -> None:
        self._liveness, _ = LIVENESS.step(self._liveness, event)
