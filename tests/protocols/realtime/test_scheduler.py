"""The response scheduler: never two responses at once, and never none when one is owed."""

from __future__ import annotations

from protocols.realtime.client_events import ResponseCancel, ResponseCreate
from protocols.realtime.objects import Response, ResponseRequest
from protocols.realtime.response_slot import MUTE_LIMIT_MS, REQUEST_LIMIT_MS, ResponseSlot
from protocols.realtime.scheduler import ALREADY_ACTIVE, ASKED, RATE_PAUSE_MS, ResponseScheduler

ASK = ResponseRequest()


def ended(name: str, status: str = "completed") -> Response:
    return Response(id=name, status=status)


def ours(name: str, status: str = "completed") -> Response:
    return Response(id=name, status=status, metadata=ASKED)


def asked(request: ResponseRequest) -> ResponseCreate:
    return ResponseCreate(response=request.model_copy(update={"metadata": ASKED}))


def test_a_wish_in_a_free_slot_is_asked_for_at_once() -> None:
    scheduler = ResponseScheduler()
    assert scheduler.want(ASK, 0) == [asked(ASK)]
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


def test_an_automatic_answer_that_does_not_know_of_the_latest_output_does_not_cover_the_wish() -> None:
    scheduler = ResponseScheduler()
    scheduler.speech_started(0)
    later = ResponseRequest(instructions="later")
    assert scheduler.want(later, 0) == []
    scheduler.committed(1)
    scheduler.created(ended("auto"), 2, knows_all=False)
    assert scheduler.done(ended("auto"), spoke=True, called=False, now_ms=3) == [asked(later)]


def test_a_wish_between_the_callers_turn_and_the_automatic_answer_waits() -> None:
    scheduler = ResponseScheduler()
    scheduler.committed(0)
    assert scheduler.want(ASK, 1) == []
    scheduler.created(ended("auto"), 0)
    assert scheduler.done(ended("auto"), spoke=True, called=False, now_ms=2) == [asked(ASK)]


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
    assert scheduler.next_tick_ms() is None
    assert scheduler.tick(sounds=False, now_ms=MUTE_LIMIT_MS) == []
    assert not scheduler.dead


def test_a_refusal_because_one_is_active_is_no_error_and_asks_again_afterwards() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.refused(ALREADY_ACTIVE, 1)
    assert scheduler.slot is ResponseSlot.UNKNOWN
    assert scheduler.done(ended("another"), spoke=True, called=False, now_ms=1) == [asked(ASK)]


def test_the_servers_answer_that_was_refused_because_ours_had_begun_is_asked_for_by_us() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(0)
    scheduler.created(ours("r-1"), 1)  # the server's interruption came before it
    scheduler.committed(2)
    scheduler.refused(ALREADY_ACTIVE, 1)
    assert scheduler.done(ours("r-1", "cancelled"), spoke=False, called=False, now_ms=3) == [asked(ASK)]


def test_our_request_that_was_refused_because_the_servers_answer_had_begun_is_covered_by_that() -> None:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, 0)
    scheduler.speech_started(0)
    scheduler.committed(1)
    scheduler.created(ended("auto"), 2)
    scheduler.refused(ALREADY_ACTIVE, 1)
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
    scheduler.want(ASK, 0)
    assert scheduler.next_tick_ms() == REQUEST_LIMIT_MS
    assert scheduler.tick(False, REQUEST_LIMIT_MS - 1) == []
    assert scheduler.tick(False, REQUEST_LIMIT_MS) == [asked(ASK)]


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


# --- what is known ---


def running(now_ms: float = 0) -> ResponseScheduler:
    scheduler = ResponseScheduler()
    scheduler.want(ASK, now_ms)
    scheduler.created(ours("r-1"), now_ms)
    return scheduler


def test_it_is_idle_while_nobody_speaks_or_is_about_to() -> None:
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


def test_what_was_not_heard_twice_is_given_up() -> None:
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
    scheduler.refused(ALREADY_ACTIVE, 9001)  # of something else: nothing is owed
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=9002) == []
    assert scheduler.idle


def test_a_request_of_ours_that_was_made_while_an_answer_was_owed_is_that_answer() -> None:
    scheduler = running()
    scheduler.committed(1)  # the server cannot answer while ours runs
    scheduler.want(ASK, 2)
    assert scheduler.done(ours("r-1"), spoke=True, called=False, now_ms=3) == [asked(ASK)]
    scheduler.created(ours("r-2"), 4)
    scheduler.refused(ALREADY_ACTIVE, 5)
    assert scheduler.done(ours("r-2"), spoke=True, called=False, now_ms=6) == []
    assert scheduler.idle
