"""Places granted before the upgrade, and calls that leave a process which is told to end."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from actors.messages.call import EndCall
from actors.messages.switchboard import AdmissionRequest, AdmissionState, CallBroke, MoveCalls, SetAdmission, StopCalls
from tests.actors.calls import Call, WaitingDispatcher
from tests.actors.process.test_switchboard import Services, initiate, refusal


class Asking:
    """A socket that asks to be upgraded."""

    def __init__(self) -> None:
        self.answer = ""

    def admit(self) -> None:
        self.answer = "admitted"

    def refuse(self, reason: str) -> None:
        self.answer = reason


def knocks(services: Services) -> str:
    asking = Asking()
    services.told(AdmissionRequest(asking))
    return asking.answer


@pytest.fixture
def services(mailboxes: WaitingDispatcher, engine: Engine) -> Services:
    return Services(mailboxes, engine, max_calls=2)


def test_there_is_a_place_until_calls_and_guests_have_taken_all(services: Services) -> None:
    assert knocks(services) == "admitted"
    wire = services.opens(initiate("c-1"))
    services.opens()  # a guest, who has said nothing yet
    assert knocks(services) == "too many calls"
    assert not services.status().accepting
    services.ends(wire)
    assert knocks(services) == "admitted"


def test_who_is_short_of_something_says_so(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    services = Services(mailboxes, engine, short_of=lambda: "memory")
    assert knocks(services) == "memory"
    assert not services.status().accepting


def test_a_lame_door_takes_calls_and_is_not_ready(services: Services) -> None:
    services.told(SetAdmission(AdmissionState.LAME))
    assert knocks(services) == "admitted"
    assert not services.status().accepting
    assert services.opens(initiate("c-1")).types() == ["session.accepted"]


def test_a_shut_door_lets_in_only_while_a_call_waits_for_its_caller(services: Services) -> None:
    wire = services.opens(initiate("c-1"))
    services.told(SetAdmission(AdmissionState.SHUT))
    assert knocks(services) == "shutting down"
    wire.breaks()
    services.mailboxes.drain()
    assert knocks(services) == "admitted"
    assert refusal(services.opens(initiate("c-2"))) == "shutting down"
    # Nor does it take over what another process has.
    assert refusal(services.opens({"type": "session.resume", "conversationId": "c-3"})) == "shutting down"
    back = services.opens({"type": "session.resume", "conversationId": "c-1"})
    assert back.types() == ["session.accepted"]
    assert knocks(services) == "shutting down"


def test_a_broken_call_leaves_nothing_at_the_door(services: Services) -> None:
    wire = services.opens(initiate("c-1"))
    wire.breaks()
    services.mailboxes.drain()
    services.told(CallBroke("c-1"), SetAdmission(AdmissionState.SHUT))
    assert services.status().conversations == ()
    assert knocks(services) == "shutting down"


def test_calls_are_moved_with_all_that_was_written(services: Services) -> None:
    wire = services.opens(initiate("c-1"))
    services.told(MoveCalls(now=True))
    services.mailboxes.until(lambda: services.status().conversations == ())
    assert wire.closed == 1012
    assert services.has_written().record("c-1") is None
    assert [row.kind for row in services.journal.rows("c-1")] == ["call", "parked"]


def test_a_stop_in_words_plays_them_first(services: Services) -> None:
    wire = services.opens(initiate("c-1"))
    services.told(StopCalls("drained", in_words=True))
    told = wire.types()
    assert "playStream.chunk" in told
    assert "activities" not in told
    services.mailboxes.advance(2500)
    assert wire.last("activities")["activities"][0]["name"] == "hangup"


def test_a_call_ends_in_words_only_where_somebody_hears_them(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.wire.breaks()
    mailboxes.drain()
    call.told(EndCall("drained", in_words=True))
    mailboxes.until(call.is_gone)
    assert call.outcome() == "drained"
