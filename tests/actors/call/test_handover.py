"""Places granted before the upgrade, and calls that leave a process which is told to end."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from actors.messages.call import EndCall
from actors.messages.switchboard import AdmissionRequest, AdmissionState, CallCrashed, EndCalls, MoveCalls, SetAdmission
from tests.actors.calls import Call, WaitingDispatcher
from tests.actors.process.test_switchboard import Scene, initiate, refusal


class Asking:
    """A socket that asks to be upgraded."""

    def __init__(self) -> None:
        self.answer = ""

    def admit(self) -> None:
        self.answer = "admitted"

    def refuse(self, reason: str) -> None:
        self.answer = reason


def asks_admission(scene: Scene) -> str:
    asking = Asking()
    scene.told(AdmissionRequest(asking))
    return asking.answer


@pytest.fixture
def scene(mailboxes: WaitingDispatcher, engine: Engine) -> Scene:
    return Scene(mailboxes, engine, max_calls=2)


def test_there_is_a_place_until_calls_and_guests_have_taken_all(scene: Scene) -> None:
    assert asks_admission(scene) == "admitted"
    wire = scene.opens(initiate("c-1"))
    scene.opens()  # a guest, who has said nothing yet
    assert asks_admission(scene) == "too many calls"
    assert not scene.status().accepting
    scene.ends(wire)
    assert asks_admission(scene) == "admitted"


def test_who_is_short_of_something_says_so(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    scene = Scene(mailboxes, engine, short_of=lambda: "memory")
    assert asks_admission(scene) == "memory"
    assert not scene.status().accepting


def test_a_lame_door_takes_calls_and_is_not_ready(scene: Scene) -> None:
    scene.told(SetAdmission(AdmissionState.LAME_DUCK))
    assert asks_admission(scene) == "admitted"
    assert not scene.status().accepting
    assert scene.opens(initiate("c-1")).types() == ["session.accepted"]


def test_a_shut_door_lets_in_only_while_a_call_waits_for_its_caller(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.told(SetAdmission(AdmissionState.CLOSED))
    assert asks_admission(scene) == "shutting down"
    wire.breaks()
    scene.mailboxes.drain()
    assert asks_admission(scene) == "admitted"
    assert refusal(scene.opens(initiate("c-2"))) == "shutting down"
    # Nor does it take over what another process has.
    assert refusal(scene.opens({"type": "session.resume", "conversationId": "c-3"})) == "shutting down"
    back = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    assert back.types() == ["session.accepted"]
    assert asks_admission(scene) == "shutting down"


def test_a_broken_call_leaves_nothing_at_the_door(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    wire.breaks()
    scene.mailboxes.drain()
    scene.told(CallCrashed("c-1"), SetAdmission(AdmissionState.CLOSED))
    assert scene.status().conversations == ()
    assert asks_admission(scene) == "shutting down"


def test_calls_are_moved_with_all_that_was_written(scene: Scene) -> None:
    wire = scene.opens(initiate("c-1"))
    scene.told(MoveCalls(now=True))
    scene.mailboxes.until(lambda: scene.status().conversations == ())
    assert wire.closed == 1012
    assert scene.has_written().record("c-1") is None
    assert [row.kind for row in scene.journal.rows("c-1")] == ["call", "parked"]


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
