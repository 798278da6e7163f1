"""The response scheduler: never two responses at once, and never none when one is owed."""

from __future__ import annotations

import pytest

from protocols.realtime.client_events import ResponseCancel, ResponseCreate
from protocols.realtime.objects import ErrorDetail, RateLimit, Response, ResponseRequest
from protocols.realtime.response_slot import (
    MUTE_LIMIT_MS,
    REQUEST_LIMIT_MS,
    STALL_LIMIT_MS,
    BudgetAction,
    ResponseSlot,
)
from protocols.realtime.scheduler import (
    ALREADY_ACTIVE,
    ASKED,
    RATE_PATIENCE_MS,
    RATE_PAUSE_MS,
    Order,
    ResponseScheduler,
)

ASK = ResponseRequest()
ACTIVE = ErrorDetail(code=ALREADY_ACTIVE)


def ended(name: str, status: str = "completed") -> Response:
    return Response(id=name, status=status)


def ours(name: str, status: str = "completed") -> Response:
    return Response(id=name, status=status, metadata=ASKED)


def asked(request: ResponseRequest, number: int = 2) -> ResponseCreate:
    """number: of all requests of the session."""
    return ResponseCreate(event_id=f"ask-{number}", response=request.model_copy(update={"metadata": ASKED}))


def test_a_wish_in_a_free_slot_is_asked_for_at_once() -> None:
    scheduler = ResponseScheduler()
    assert scheduler.want(ASK, 0) == [asked(ASK, 1)]
    assert scheduler.slot is ResponseSlot.REQUESTED


def test_wishes_during_a_response_are_merged_into_one_and_wait_for_its_end() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.created(ended("r-1"), 0)
    assert scheduler.want(ASK, 1) == []
    assert scheduler.want(ResponseRequest(instructions="later"), 2) == []
    assert scheduler.done(ended("r-1"), spoke=True, called=False, now_ms=3) == [
        asked(ResponseRequest(instructions="later"))
    ]
    scheduler.created(ended("r-2"), 0)
    assert scheduler.done(ended("r-2"), spoke=True, called=False, now_ms=4) == []


def test_while_the_caller_speaks_nothing_is_asked_for_and_the_automatic_answer_covers_the_wish() -> None:
    scheduler = ResponseScheduler()
    scheduler.speech_started(0)
    assert scheduler.want(ASK, 0) == []
    scheduler.committed(1)
    assert scheduler.slot is ResponseSlot.REQUESTED
    scheduler.created(ended("auto"), 0)
    assert scheduler.done(ended("auto"), spoke=True, called=False, now_ms=2) == []


def test_a_response_that_we_asked_for_is_no_answer_to_a_turn_that_came_after_we_did() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(1)
    scheduler.committed(2)
    scheduler.created(ours("r-1"), 3)
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=4) == []
    assert scheduler.want(ResponseRequest(instructions="later"), 5) == [], "the server is about to answer"


def test_an_automatic_answer_that_does_not_know_of_the_latest_output_does_not_cover_the_wish() -> None:
    scheduler = ResponseScheduler()
    scheduler.speech_started(0)
    later = ResponseRequest(instructions="later")
    assert scheduler.want(later, 0) == []
    scheduler.committed(1)
    scheduler.created(ended("auto"), 2, knows_all=False)
    assert scheduler.done(ended("auto"), spoke=True, called=False, now_ms=3) == [asked(later, 1)]


def test_a_wish_between_the_callers_turn_and_the_automatic_answer_waits() -> None:
    scheduler = ResponseScheduler()
    scheduler.committed(0)
    assert scheduler.want(ASK, 1) == []
    scheduler.created(ended("auto"), 0)
    assert scheduler.done(ended("auto"), spoke=True, called=False, now_ms=2) == [asked(ASK, 1)]


def test_a_response_that_comes_while_the_caller_speaks_is_cancelled() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(0)
    assert scheduler.created(ended("r-1"), 0) == [ResponseCancel(response_id="r-1")]


def test_a_response_that_the_caller_speaks_over_is_not_mute() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.created(ours("r-1"), 0)
    scheduler.speech_started(1)
    assert scheduler.tick(sounds=False, now_ms=MUTE_LIMIT_MS) == []
    assert not scheduler.dead


# --- what stalls ---


def test_a_response_of_which_nothing_more_comes_is_cancelled_and_asked_for_again() -> None:
    scheduler = running()
    scheduler.part_arrived(2000)
    assert scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS) == []
    assert scheduler.next_tick_ms() == 2000 + STALL_LIMIT_MS
    assert scheduler.tick(sounds=True, now_ms=2000 + STALL_LIMIT_MS) == [ResponseCancel(response_id="r-1")]
    assert scheduler.done(ours("r-1", "cancelled"), spoke=True, called=False, now_ms=7100) == [asked(ASK, 2)]
    assert not scheduler.dead


def test_a_response_that_goes_on_may_take_as_long_as_it_likes() -> None:
    scheduler = running()
    for now_ms in range(0, 60_000, 1000):
        scheduler.part_arrived(now_ms)
        assert scheduler.tick(sounds=True, now_ms=now_ms) == []
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=60_000) == []


def test_a_stalled_response_that_does_not_even_end_when_it_is_cancelled_is_the_end_of_its_session() -> None:
    scheduler = running()
    scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS)
    scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS + 1)
    assert scheduler.slot is ResponseSlot.CANCELLED_STALLED
    scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS + REQUEST_LIMIT_MS)
    assert not scheduler.dead
    scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS + REQUEST_LIMIT_MS + 1)
    assert scheduler.dead


def test_a_stalled_response_that_has_called_a_function_is_not_asked_for_again() -> None:
    scheduler = running()
    scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS)
    scheduler.tick(sounds=True, now_ms=MUTE_LIMIT_MS)
    assert scheduler.done(ours("r-1", "cancelled"), spoke=True, called=True, now_ms=6000) == []


def test_an_unknown_response_that_never_ends_does_not_hold_the_slot_for_ever() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.refused(ACTIVE, 1)
    assert scheduler.next_tick_ms() == 1 + STALL_LIMIT_MS
    scheduler.part_arrived(3000)  # it goes on
    assert scheduler.tick(sounds=False, now_ms=1 + STALL_LIMIT_MS) == []
    assert scheduler.tick(sounds=False, now_ms=3000 + STALL_LIMIT_MS) == [asked(ASK, 2)]


def test_a_refusal_because_one_is_active_is_no_error_and_asks_again_afterwards() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.refused(ACTIVE, 1)
    assert scheduler.slot is ResponseSlot.UNKNOWN
    assert scheduler.done(ended("another"), spoke=True, called=False, now_ms=1) == [asked(ASK)]


def test_the_servers_answer_that_was_refused_because_ours_had_begun_is_asked_for_by_us() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(0)
    scheduler.created(ours("r-1"), 1)  # the server's interruption came before it
    scheduler.committed(2)
    scheduler.refused(ACTIVE, 1)
    assert scheduler.done(ours("r-1", "cancelled"), spoke=False, called=False, now_ms=3) == [asked(ASK)]


def test_our_request_that_was_refused_because_the_servers_answer_had_begun_is_covered_by_that() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(0)
    scheduler.committed(1)
    scheduler.created(ended("auto"), 2)
    scheduler.refused(ACTIVE, 1)
    assert scheduler.done(ended("auto"), spoke=True, called=False, now_ms=3) == []
    assert scheduler.slot is ResponseSlot.FREE


def test_an_answer_of_the_servers_that_never_comes_after_ours_is_asked_for_in_the_end() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(0)
    scheduler.created(ours("r-1"), 1)
    scheduler.committed(2)
    assert scheduler.done(ours("r-1", "cancelled"), spoke=False, called=False, now_ms=3) == []
    assert scheduler.tick(sounds=False, now_ms=2 + REQUEST_LIMIT_MS) == []
    assert scheduler.tick(sounds=False, now_ms=3 + REQUEST_LIMIT_MS) == [asked(ASK)]
    scheduler.created(ours("r-2"), 9000)
    assert scheduler.done(ours("r-2"), spoke=True, called=False, now_ms=9001) == []
    assert scheduler.slot is ResponseSlot.FREE


def test_a_failed_response_that_said_nothing_is_asked_for_once_more() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.created(ended("r-1"), 0)
    assert scheduler.done(ended("r-1", "failed"), spoke=False, called=False, now_ms=1) == [asked(ASK)]
    scheduler.created(ended("r-2"), 0)
    assert scheduler.done(ended("r-2", "failed"), spoke=False, called=False, now_ms=2) == []


def test_a_failed_response_that_had_begun_to_speak_is_not_repeated() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.created(ended("r-1"), 0)
    assert scheduler.done(ended("r-1", "failed"), spoke=True, called=False, now_ms=1) == []


def test_a_request_that_is_never_answered_frees_the_slot_and_is_made_again() -> None:
    scheduler = ResponseScheduler()
    first = ResponseRequest(instructions="first")
    scheduler.want(first, 0)
    assert scheduler.next_tick_ms() == REQUEST_LIMIT_MS
    assert scheduler.tick(False, REQUEST_LIMIT_MS - 1) == []
    assert scheduler.tick(False, REQUEST_LIMIT_MS) == [asked(first)]


def test_after_a_request_that_is_never_answered_a_later_one_is_made_in_its_place() -> None:
    scheduler = ResponseScheduler()
    later = ResponseRequest(instructions="later")
    scheduler.want(ResponseRequest(instructions="first"), 0)
    assert scheduler.want(later, 1) == []
    assert scheduler.tick(False, REQUEST_LIMIT_MS) == [asked(later)]


def test_a_request_that_was_given_up_is_not_made_again_for_an_answer_of_the_servers_that_failed() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ResponseRequest(instructions="once"), 0)
    scheduler.speech_started(1)
    assert scheduler.tick(False, REQUEST_LIMIT_MS) == []
    now_ms = REQUEST_LIMIT_MS + 1.0
    scheduler.committed(now_ms)
    scheduler.created(ended("auto"), now_ms)
    assert scheduler.done(ended("auto", "failed"), spoke=False, called=False, now_ms=now_ms) == [asked(ASK)]


def test_a_request_that_was_answered_is_not_made_again_for_an_answer_of_the_servers_that_failed() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ResponseRequest(instructions="once"), 0)
    scheduler.created(ours("r-1"), 1)
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=2) == []
    scheduler.speech_started(3)
    scheduler.committed(4)
    scheduler.created(ended("auto"), 5)
    assert scheduler.done(ended("auto", "failed"), spoke=False, called=False, now_ms=6) == [asked(ASK)]


def test_the_end_of_another_response_does_not_free_the_slot() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.created(ended("r-1"), 0)
    scheduler.want(ASK, 1)
    assert scheduler.done(ended("stray"), spoke=False, called=False, now_ms=2) == []
    assert scheduler.slot is ResponseSlot.AWAITING_SOUND


def test_cancel_is_only_sent_for_a_response_that_runs() -> None:
    scheduler = ResponseScheduler()
    assert scheduler.cancel() == []
    scheduler.want(ASK, 0)
    assert scheduler.cancel() == []
    scheduler.created(ended("r-1"), 0)
    assert scheduler.cancel() == [ResponseCancel(response_id="r-1")]
    scheduler.done(ended("r-1"), spoke=True, called=False, now_ms=1)
    assert scheduler.cancel() == []


# --- what is known ---


def running(now_ms: float = 0) -> ResponseScheduler:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, now_ms)
    scheduler.created(ours("r-1"), now_ms)
    return scheduler


def test_the_scheduler_is_idle_while_nobody_speaks_and_no_response_is_due() -> None:
    scheduler = ResponseScheduler()
    idle = [scheduler.idle]
    scheduler.want(ASK, 0)
    idle.append(scheduler.idle)
    scheduler.created(ours("r-1"), 0)
    scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=1)
    idle.append(scheduler.idle)
    scheduler.speech_started(2)
    idle.append(scheduler.idle)
    scheduler.want(ASK, 3)
    assert [*idle, scheduler.idle] == [True, False, True, False, False]
    assert scheduler.next_tick_ms() is None, "the caller's turn has no limit"


def test_after_a_limit_on_rates_the_repetition_waits_and_is_no_idle_moment() -> None:
    scheduler = running()
    error = {"type": "failed", "error": {"code": "rate_limit_exceeded"}}
    failed = Response.model_validate({"id": "r-1", "status": "failed", "status_details": error})
    assert scheduler.done(failed, spoke=False, called=False, now_ms=100) == []
    assert not scheduler.idle
    assert scheduler.next_tick_ms() == 100 + RATE_PAUSE_MS
    assert scheduler.tick(sounds=False, now_ms=99 + RATE_PAUSE_MS) == []
    assert scheduler.tick(sounds=False, now_ms=100 + RATE_PAUSE_MS) == [asked(ASK)]


def test_a_failure_of_another_kind_is_repeated_at_once() -> None:
    scheduler = running()
    assert scheduler.done(ours("r-1", "failed"), spoke=False, called=False, now_ms=100) == [asked(ASK)]


def test_a_response_that_only_called_functions_was_no_failure() -> None:
    scheduler = running()
    assert scheduler.done(ours("r-1"), spoke=False, called=True, now_ms=1) == []
    assert scheduler.idle


def test_a_spoken_response_in_between_resets_the_attempts() -> None:
    scheduler = running()
    assert scheduler.done(ours("r-1", "failed"), spoke=False, called=False, now_ms=1) == [asked(ASK)]
    scheduler.created(ours("r-2"), 2)
    assert scheduler.done(ours("r-2"), spoke=True, called=False, now_ms=3) == []
    scheduler.want(ASK, 4)
    scheduler.created(ours("r-3"), 5)
    (again,) = scheduler.done(ours("r-3", "failed"), spoke=False, called=False, now_ms=6)
    assert isinstance(again, ResponseCreate)


def test_a_response_that_fails_twice_is_given_up() -> None:
    scheduler = running()
    scheduler.done(ours("r-1", "failed"), spoke=False, called=False, now_ms=1)
    assert not scheduler.given_up
    scheduler.created(ours("r-2"), 2)
    scheduler.done(ours("r-2", "failed"), spoke=False, called=False, now_ms=3)
    assert scheduler.given_up


def test_a_session_that_leaves_two_requests_unanswered_is_dead() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.tick(sounds=False, now_ms=REQUEST_LIMIT_MS)
    assert not scheduler.dead
    scheduler.tick(sounds=False, now_ms=2 * REQUEST_LIMIT_MS)
    assert scheduler.dead


def test_a_session_that_answers_in_between_is_not_dead() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.tick(sounds=False, now_ms=REQUEST_LIMIT_MS)
    scheduler.created(ours("r-1"), REQUEST_LIMIT_MS)
    scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=REQUEST_LIMIT_MS)
    scheduler.want(ASK, REQUEST_LIMIT_MS)
    scheduler.tick(sounds=False, now_ms=2 * REQUEST_LIMIT_MS)
    assert not scheduler.dead


def test_a_session_whose_mute_response_does_not_even_end_when_it_is_cancelled_is_dead() -> None:
    scheduler = running()
    assert scheduler.tick(sounds=False, now_ms=MUTE_LIMIT_MS) == [ResponseCancel(response_id="r-1")]
    assert not scheduler.dead
    scheduler.tick(sounds=False, now_ms=MUTE_LIMIT_MS + REQUEST_LIMIT_MS)
    assert scheduler.dead


def test_a_request_of_ours_answers_the_callers_turn_as_well() -> None:
    scheduler = ResponseScheduler()
    scheduler.committed(0)
    scheduler.tick(sounds=False, now_ms=REQUEST_LIMIT_MS)  # the server owed an answer, and gave none
    scheduler.created(ours("r-1"), 9000)
    scheduler.refused(ACTIVE, 9001)  # of something else: nothing is owed
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=9002) == []
    assert scheduler.idle


def test_a_request_of_ours_that_was_made_while_an_answer_was_owed_is_that_answer() -> None:
    scheduler = running()
    scheduler.committed(1)  # the server cannot answer while ours runs
    scheduler.want(ASK, 2)
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=3) == [asked(ASK)]
    scheduler.created(ours("r-2"), 4)
    scheduler.refused(ACTIVE, 5)
    assert scheduler.done(ours("r-2"), spoke=True, called=False, now_ms=6) == []
    assert scheduler.idle


# --- refusals and limits on rates ---


def limited(name: str, message: str = "") -> Response:
    error = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": message}}
    return Response.model_validate({"id": name, "status": "failed", "status_details": error, "metadata": ASKED})


def test_the_wait_that_an_error_names_is_kept() -> None:
    scheduler = running()
    assert scheduler.done(limited("r-1", "Please try again in 8s."), spoke=False, called=False, now_ms=100) == []
    assert scheduler.held(8099)
    assert scheduler.next_tick_ms() == 8100
    assert scheduler.tick(sounds=False, now_ms=8100) == [asked(ASK)]
    assert not scheduler.held(8100)


@pytest.mark.parametrize("now_ms", [0.0, 1e6])
def test_a_limit_on_rates_is_waited_for_as_long_as_a_caller_can_be_asked_to_wait(now_ms: float) -> None:
    scheduler = running(now_ms)
    tries = 0
    while not scheduler.given_up:
        tries += 1
        scheduler.done(limited(f"r-{tries}", "try again in 8s"), spoke=False, called=False, now_ms=now_ms)
        now_ms += 8000
        if scheduler.tick(sounds=False, now_ms=now_ms):
            scheduler.created(ours(f"r-{tries + 1}"), now_ms)
    assert tries == 1 + RATE_PATIENCE_MS // 8000
    assert scheduler.limited


def test_a_limit_longer_than_that_is_given_up_at_once() -> None:
    scheduler = running()
    scheduler.done(limited("r-1", "try again in 1m0.5s"), spoke=False, called=False, now_ms=0)
    assert (scheduler.given_up, scheduler.limited) == (True, True)


def test_a_rate_limit_is_over_once_a_response_has_spoken() -> None:
    scheduler = running()
    scheduler.done(limited("r-1"), spoke=False, called=False, now_ms=0)
    scheduler.tick(sounds=False, now_ms=RATE_PAUSE_MS)
    scheduler.created(ours("r-2"), RATE_PAUSE_MS)
    assert scheduler.limited
    scheduler.done(ours("r-2"), spoke=True, called=False, now_ms=2000)
    assert not scheduler.limited


def test_rates_that_are_used_up_are_waited_for_but_not_until_all_is_there_again() -> None:
    scheduler = ResponseScheduler()
    scheduler.rates([RateLimit(name="requests", remaining=5, reset_seconds=60)], 0)
    scheduler.rates([RateLimit(name="tokens", remaining=-1, reset_seconds=60)], 0)
    scheduler.rates([RateLimit(name="tokens", limit=0, remaining=0, reset_seconds=60)], 0)
    assert scheduler.want(ASK, 0) == [asked(ASK, 1)]
    scheduler = ResponseScheduler()
    scheduler.rates([RateLimit(name="tokens", remaining=0, reset_seconds=float("nan"))], 0)
    scheduler.rates([RateLimit(name="tokens", remaining=0, reset_seconds=2.5)], 0)
    assert scheduler.want(ASK, 0) == []
    assert scheduler.next_tick_ms() == 2500
    scheduler.rates([RateLimit(name="tokens", remaining=0, reset_seconds=1e300)], 0)
    assert scheduler.next_tick_ms() == 15_000


def test_only_a_request_that_waits_for_a_limit_is_held() -> None:
    scheduler = ResponseScheduler()
    scheduler.rates([RateLimit(name="tokens", remaining=0, reset_seconds=2)], 0)
    held = [scheduler.held(0)]
    scheduler.want(ASK, 0)
    assert [*held, scheduler.held(0), scheduler.held(5000)] == [False, True, False]


def test_a_request_that_is_refused_is_made_again_at_once_and_then_given_up() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    given_up = [scheduler.given_up]
    assert scheduler.refused(ErrorDetail(code="bad", event_id="ask-1"), 10) == [asked(ASK)]
    given_up.append(scheduler.given_up)
    assert scheduler.refused(ErrorDetail(code="bad", event_id="ask-2"), 20) == []
    assert [*given_up, scheduler.given_up] == [False, False, True]
    assert scheduler.slot is ResponseSlot.FREE


def test_a_refused_request_waits_for_the_limit_on_rates_that_refused_it() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    # It need not say what it is about.
    assert scheduler.refused(ErrorDetail(code="rate_limit_exceeded", message="try again in 3s"), 10) == []
    assert scheduler.tick(sounds=False, now_ms=3010) == [asked(ASK)]


def test_errors_about_something_else_are_not_about_the_request() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    assert scheduler.refused(ErrorDetail(code="bad", event_id="ask-9"), 10) is None
    assert scheduler.refused(ErrorDetail(code="bad"), 10) is None
    scheduler.created(ours("r-1"), 20)
    assert scheduler.refused(ErrorDetail(code="bad", event_id="ask-1"), 30) is None
    assert scheduler.slot is ResponseSlot.AWAITING_SOUND


# --- the budget of a turn ---


def spend(scheduler: ResponseScheduler, calls: int = 0) -> list[list[Order]]:
    """What is asked for by a model that makes so many calls in each response, until nothing more is."""
    orders = []
    for number in range(100):
        orders.append(scheduler.want(ASK, number))
        if not any(isinstance(order, ResponseCreate) for order in orders[-1]):
            break
        scheduler.created(ours(f"r-{number}"), number)
        for _ in range(calls):
            scheduler.called()
        scheduler.done(ours(f"r-{number}"), spoke=calls == 0, called=calls > 0, now_ms=number)
    return orders


def test_a_turn_without_an_end_is_asked_about_without_functions_then_not_at_all() -> None:
    scheduler = ResponseScheduler()
    orders = spend(scheduler)
    assert len(orders) == 16 + 2
    action, last = orders[-2]
    assert action is BudgetAction.ASK_WITHOUT_FUNCTIONS
    assert isinstance(last, ResponseCreate)
    assert last.response is not None
    assert last.response.tool_choice == "none"
    assert orders[-1] == [BudgetAction.SAY_OWN_WORDS]
    assert scheduler.want(ASK, 200) == []
    assert scheduler.idle


def test_function_calls_have_a_budget_too() -> None:
    orders = spend(ResponseScheduler(), calls=20)
    assert len(orders) == 2 + 2


def test_a_caller_who_speaks_or_presses_a_key_opens_another_budget() -> None:
    scheduler = ResponseScheduler()
    spend(scheduler)
    scheduler.caller_acted()
    assert len(spend(scheduler)) == 16 + 2
    scheduler.speech_started(300)
    scheduler.dropped(301)
    assert len(spend(scheduler)) == 16 + 2
