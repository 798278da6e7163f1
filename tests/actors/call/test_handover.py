"""Admission before the upgrade, and calls that leave a draining process."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from actors.messages.call import BotHeard, EndCall, MoveCall, Parked
from actors.messages.journal import Park
from actors.messages.switchboard import AdmissionState, CallCrashed, EndCalls, MoveCalls, SetAdmission
from protocols.ledger import ItemHeard
from store.leases import Lease, LeaseRefused, Leases
from tests.actors.calls import TEN_WORDS, Call, StuckOven, WaitingDispatcher, with_a_hanging_task
from tests.actors.process.scene import Scene, initiate, refusal


@pytest.fixture
def scene(mailboxes: WaitingDispatcher, engine: Engine) -> Scene:
    return Scene(mailboxes, engine, max_calls=2)


def test_sockets_are_admitted_until_calls_and_pending_sockets_reach_the_limit(scene: Scene) -> None:
    assert scene.asks_admission() == "admitted"
    wire = scene.opens(initiate("c-1"))
    scene.opens()  # pending: it has sent nothing yet
    assert scene.asks_admission() == "too many calls"
    assert not scene.status().accepting
    scene.ends(wire)
    assert scene.asks_admission() == "admitted"


def test_a_scarce_resource_is_the_reason_for_the_refusal(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    scene = Scene(mailboxes, engine, short_of=lambda: "memory")
    assert scene.asks_admission() == "memory"
    assert not scene.status().accepting


def test_a_lame_duck_takes_calls_but_is_not_ready(scene: Scene) -> None:
    scene.told(SetAdmission(AdmissionState.LAME_DUCK))
    assert scene.asks_admission() == "admitted"
    assert not scene.status().accepting
    assert scene.opens(initiate("c-1")).types() == ["session.accepted"]


def test_closed_admission_admits_sockets_only_while_a_call_waits_for_its_caller(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.told(SetAdmission(AdmissionState.CLOSED))
    assert scene.asks_admission() == "shutting down"
    wire.breaks()
    scene.mailboxes.drain()
    assert scene.asks_admission() == "admitted"
    assert refusal(scene.opens(initiate("c-2"))) == "shutting down"
    # Nor does it take over what another process has.
    assert refusal(scene.opens({"type": "session.resume", "conversationId": "c-3"})) == "shutting down"
    back = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    assert back.types() == ["session.accepted"]
    assert scene.asks_admission() == "shutting down"


def test_a_crashed_call_leaves_no_pending_socket(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    wire.breaks()
    scene.mailboxes.drain()
    scene.told(CallCrashed("c-1"), SetAdmission(AdmissionState.CLOSED))
    assert scene.status().conversations == ()
    assert scene.asks_admission() == "shutting down"


def test_calls_are_moved_with_all_that_was_written(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.told(MoveCalls(now=True))
    scene.mailboxes.until(lambda: scene.status().conversations == ())
    assert wire.closed == 1012
    assert scene.has_written().record("c-1") is None
    assert [row.kind for row in scene.journal.rows("c-1")] == ["call", "parked"]


def test_a_caller_who_hangs_up_while_the_call_is_being_parked_leaves_a_record(scene: Scene, engine: Engine) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.has_written()
    with engine.begin():  # holds SQLite's write lock: the journal cannot park the call yet
        scene.told(MoveCalls(now=True))
        scene.ends(wire)
    scene.mailboxes.until(lambda: scene.status().conversations == ())
    record = scene.has_written().record("c-1")
    assert record is not None
    assert record.outcome == "client-disconnected"
    # And it cannot be resumed anywhere.
    assert Leases(engine, "there").claim("c-1", "") == LeaseRefused("ended")


def test_a_parked_call_that_another_process_has_taken_over_is_not_ended_by_this_one(
    scene: Scene, engine: Engine
) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.has_written()
    scene.told(MoveCalls(now=True))
    scene.has_written()
    assert isinstance(Leases(engine, "there").claim("c-1", ""), Lease)
    scene.ends(wire)
    scene.mailboxes.until(lambda: scene.status().conversations == ())
    assert scene.has_written().record("c-1") is None


def test_a_stop_in_words_plays_them_first(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.told(EndCalls("drained", in_words=True))
    told = wire.types()
    assert "playStream.chunk" in told
    assert "activities" not in told
    scene.mailboxes.advance(2500)
    assert wire.last("activities")["activities"][0]["name"] == "hangup"


def test_a_call_ends_in_words_only_where_somebody_hears_them(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.wire.breaks()
    mailboxes.drain()
    call.told(EndCall("drained", in_words=True))
    mailboxes.until(call.is_gone)
    assert call.outcome() == "drained"


# --- when a call leaves ---


@pytest.fixture
def call(mailboxes: WaitingDispatcher) -> Call:
    return Call(mailboxes).greeted()


def asked_to_park(call: Call) -> int:
    """How often the journal was asked to park the call, since the last check."""
    return len(call.journal.all(Park))


def test_a_quiet_call_is_handed_over_at_once(call: Call) -> None:
    call.told(MoveCall(now=False))
    assert asked_to_park(call) == 1
    call.told(Parked())
    assert (call.wire.closed, call.records()) == (1012, [])
    assert call.is_gone()


def test_a_call_in_which_the_bot_speaks_is_handed_over_once_the_bot_was_heard(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.caller_says("Go on.")  # and so the silence after the greeting is over
    call.bot_says(TEN_WORDS, ms=1000)
    call.told(MoveCall(now=False))
    call.mailboxes.advance(900)
    assert asked_to_park(call) == 0
    call.mailboxes.advance(100)
    assert asked_to_park(call) == 1


@pytest.mark.parametrize("begins", ["speaks", "presses", "calls"])
def test_a_call_in_which_something_has_begun_waits_for_the_next_quiet_moment(call: Call, begins: str) -> None:
    if begins == "speaks":
        call.caller_begins()
    elif begins == "presses":
        call.vaic("activities", activities=[{"type": "event", "name": "dtmf", "value": "4"}])
    else:
        call.model_calls(("call-1", "order_pizza", {}))
    call.told(MoveCall(now=False))
    call.mailboxes.advance(20_000)
    assert asked_to_park(call) == 0
    call.caller_says("Well.")
    call.bot_says("What did you say?", ms=500)
    call.mailboxes.advance(500)
    assert asked_to_park(call) == 1


def test_a_call_that_must_move_now_waits_for_nothing(call: Call) -> None:
    call.bot_says(TEN_WORDS, ms=1000)
    call.caller_begins()
    call.told(MoveCall(now=True))
    assert asked_to_park(call) == 1


def test_a_call_whose_caller_has_no_socket_is_handed_over_at_once(call: Call) -> None:
    call.caller_begins()
    call.wire.breaks()
    call.mailboxes.drain()
    call.told(MoveCall(now=False))
    assert asked_to_park(call) == 1


def test_a_call_that_is_to_move_does_so_when_its_caller_loses_the_socket(call: Call) -> None:
    call.caller_begins()
    call.told(MoveCall(now=False))
    assert asked_to_park(call) == 0
    call.wire.breaks()
    call.mailboxes.drain()
    assert asked_to_park(call) == 1


def test_a_call_is_handed_over_once_however_often_it_is_quiet(call: Call) -> None:
    call.told(MoveCall(now=False))
    call.bot_says("Anything else?", ms=500)
    call.mailboxes.advance(500)
    assert asked_to_park(call) == 1


def test_a_call_that_is_still_here_when_it_must_move_asks_again(call: Call) -> None:
    call.told(MoveCall(now=False), MoveCall(now=True))
    assert asked_to_park(call) == 2
    call.told(Parked(), Parked())
    assert call.is_gone()


# --- what happens while it leaves ---


def test_a_caller_who_hangs_up_after_the_call_was_parked_leaves_a_record(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.told(MoveCall(now=True), Parked())
    assert not call.is_gone(), "a task still hangs"
    call.ends("client-disconnected")
    assert call.outcome() == "client-disconnected"
    mailboxes.advance(1000)
    assert call.is_gone()
    assert len(call.records()) == 1


def test_a_parked_call_that_was_to_settle_first_is_closed_all_the_same(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.told(MoveCall(now=True))
    call.ends("client-disconnected")
    call.told(Parked())
    assert call.records() == []
    stuck.freed.set()
    mailboxes.until(lambda: bool(call.records()))
    assert call.outcome() == "client-disconnected"


def test_a_caller_who_is_back_after_the_call_is_parked_is_sent_elsewhere(
    mailboxes: WaitingDispatcher, stuck: StuckOven
) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.told(MoveCall(now=True), Parked())
    assert call.resumes().closed == 1012


def test_a_caller_who_is_back_before_the_call_is_parked_is_sent_elsewhere_with_it(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.drain()
    call.told(MoveCall(now=False))
    wire = call.resumes()
    assert wire.types() == ["session.accepted"]
    call.told(Parked())
    assert wire.closed == 1012
    assert call.records() == []


def test_a_caller_who_does_not_come_back_while_the_call_is_being_parked_is_lost(call: Call) -> None:
    call.wire.breaks()
    call.mailboxes.drain()
    call.told(MoveCall(now=False))
    call.mailboxes.advance(60_000)
    assert call.outcome() == "lost"


def test_a_process_that_must_end_before_the_journal_answers_does_not_hang_up(call: Call) -> None:
    call.told(MoveCall(now=True), EndCall("drained"))
    assert call.activities() == []
    assert (call.wire.closed, call.records()) == (1012, [])
    assert call.is_gone()


def test_a_farewell_that_is_heard_is_the_end_of_the_call_here(call: Call) -> None:
    call.answered("call-1", "end_call")
    call.told(MoveCall(now=False))
    call.bot_says("Goodbye.", ms=500)
    call.mailboxes.advance(500)
    call.played()
    assert asked_to_park(call) == 0
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "completed"


def test_a_pause_before_the_farewell_is_no_quiet_moment(call: Call) -> None:
    call.bot_says("One moment please.", ms=1000)
    call.answered("call-1", "end_call")
    call.told(MoveCall(now=False))
    call.mailboxes.advance(1000)
    assert asked_to_park(call) == 0


def test_a_farewell_that_is_called_off_leaves_the_call_to_be_moved(call: Call) -> None:
    call.answered("call-1", "end_call")
    call.told(MoveCall(now=False))
    call.caller_says("Wait, one more thing!")
    call.bot_says("Of course.", ms=500)
    call.mailboxes.advance(500)
    assert asked_to_park(call) == 1


def test_a_farewell_that_is_heard_while_the_call_is_being_parked_hangs_up(call: Call) -> None:
    call.answered("call-1", "end_call")
    call.told(MoveCall(now=True))
    call.bot_says("Goodbye.", ms=500)
    call.mailboxes.advance(500)
    call.played()
    call.told(Parked())
    assert [name for name, _ in call.activities()] == ["hangup"]
    call.ends("bot-disconnected")
    assert call.outcome() == "completed"


def test_a_call_that_hangs_up_is_not_moved(call: Call) -> None:
    call.told(EndCall("drained"), MoveCall(now=True))
    assert asked_to_park(call) == 0


def test_the_last_fact_of_a_caller_who_has_left_parks_nothing(mailboxes: WaitingDispatcher, stuck: StuckOven) -> None:
    call = with_a_hanging_task(mailboxes, stuck)
    call.bot_says(TEN_WORDS, item="i-last", ms=1000)
    call.told(MoveCall(now=False))
    call.ends("client-disconnected")
    call.told(BotHeard(ItemHeard("i-last", 1000, 1000, 0, complete=True), barged_in=False))
    assert asked_to_park(call) == 0
