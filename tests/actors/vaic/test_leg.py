"""The caller's leg: its socket may be lost and come back, and outlives the call's supervisor for the last words."""

from __future__ import annotations

import pytest

from actors.clips import Clip
from actors.messages.switchboard import CallCrashed, CallerAway
from actors.messages.vaic import LastWords
from actors.vaic.leg import MOST_SEEN
from actors.vaic.session import VaicSocket
from protocols.limits import MOST_ACTIVITIES
from tests.actors.calls import Call, FakeWire, WaitingDispatcher, living

HANGUP = ("hangup", {"hangupReason": "internal error"})
CLIP_MS = 900


def supervisor_fails(call: Call) -> None:
    call.ref.tell(object())  # no message of a call's


def socket_actor_crashes(call: Call) -> None:
    call.wire.errors.append(RuntimeError("of ours"))
    call.wire.receives({"type": "connection.validate"})


def test_a_call_whose_supervisor_fails_ends_in_words(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    supervisor_fails(call)
    mailboxes.drain()
    assert call.parent.expect(CallCrashed)
    mailboxes.advance(CLIP_MS)
    call.played()
    assert call.activities() == [HANGUP]
    call.ends("bot-disconnected")
    assert call.wire.closed == 1000
    assert living(VaicSocket) == []


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "restart due"])
def test_without_a_session_for_last_words_the_socket_is_closed(mailboxes: WaitingDispatcher, known: bool) -> None:
    call = Call(mailboxes).greeted()
    socket_actor_crashes(call)
    if known:
        mailboxes.drain()
    # Otherwise the supervisor comes to that crash after its own.
    supervisor_fails(call)
    mailboxes.drain()
    assert call.wire.closed == 1011
    assert living(VaicSocket) == []


def test_last_words_to_a_crashed_session_close_the_socket(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    (socket,) = living(VaicSocket)
    socket_actor_crashes(call)
    socket.tell(LastWords(Clip.CALL_AGAIN, "internal error"))
    mailboxes.drain()
    assert call.wire.closed == 1011


def test_a_lost_socket_is_reported_once_and_the_next_one_is_bound_to_the_call(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.parent.all(object)
    call.wire.breaks()
    mailboxes.drain()
    assert call.parent.expect(CallerAway).away
    wire: FakeWire = call.resumes()
    assert not call.parent.expect(CallerAway).away
    assert wire.types()[0] == "session.accepted"


def test_of_the_activities_that_came_before_the_newest_are_remembered(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    keys = [{"type": "event", "name": "DTMF", "value": "1", "id": f"a-{each}"} for each in range(MOST_SEEN + 1)]
    for begin in range(0, len(keys), MOST_ACTIVITIES):
        call.vaic("activities", activities=keys[begin : begin + MOST_ACTIVITIES])
    typed = call.row_kinds().count("caller_typed")
    assert call.row_kinds().count("activities_seen") == -(-len(keys) // MOST_ACTIVITIES)
    call.wire.breaks()
    call.wire = call.resumes()
    call.vaic("activities", activities=keys[1:MOST_ACTIVITIES])
    mailboxes.advance(1000)
    assert call.row_kinds().count("caller_typed") == typed
    call.vaic("activities", activities=keys[:1])
    mailboxes.advance(1000)
    assert call.row_kinds().count("caller_typed") == typed + 1
