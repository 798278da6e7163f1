"""Places granted before the upgrade, and calls that leave a process which is told to end."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from actors.messages.call import EndCall
from actors.messages.switchboard import CallBroke, Door, Knock, MoveCalls, SetDoor, StopCalls
from tests.actors.calls import Call, WaitingDispatcher
from tests.actors.test_switchboard import House, initiate, refusal


class Asking:
    """A socket that asks to be upgraded."""

    def __init__(self) -> None:
        self.answer = ""

    def admit(self) -> None:
        self.answer = "admitted"

    def refuse(self, reason: str) -> None:
        self.answer = reason


def knocks(house: House) -> str:
    asking = Asking()
    house.told(Knock(asking))
    return asking.answer


@pytest.fixture
def house(mailboxes: WaitingDispatcher, engine: Engine) -> House:
    return House(mailboxes, engine, max_calls=2)


def test_there_is_a_place_until_calls_and_guests_have_taken_all(house: House) -> None:
    assert knocks(house) == "admitted"
    wire = house.opens(initiate("c-1"))
    house.opens()  # a guest, who has said nothing yet
    assert knocks(house) == "too many calls"
    assert not house.roll().accepting
    house.ends(wire)
    assert knocks(house) == "admitted"


def test_who_is_short_of_something_says_so(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    house = House(mailboxes, engine, short_of=lambda: "memory")
    assert knocks(house) == "memory"
    assert not house.roll().accepting


def test_a_lame_door_takes_calls_and_is_not_ready(house: House) -> None:
    house.told(SetDoor(Door.LAME))
    assert knocks(house) == "admitted"
    assert not house.roll().accepting
    assert house.opens(initiate("c-1")).types() == ["session.accepted"]


def test_a_shut_door_lets_in_only_while_a_call_waits_for_its_caller(house: House) -> None:
    wire = house.opens(initiate("c-1"))
    house.told(SetDoor(Door.SHUT))
    assert knocks(house) == "shutting down"
    wire.breaks()
    house.mailboxes.drain()
    assert knocks(house) == "admitted"
    assert refusal(house.opens(initiate("c-2"))) == "shutting down"
    # Nor does it take over what another process has.
    assert refusal(house.opens({"type": "session.resume", "conversationId": "c-3"})) == "shutting down"
    back = house.opens({"type": "session.resume", "conversationId": "c-1"})
    assert back.types() == ["session.accepted"]
    assert knocks(house) == "shutting down"


def test_a_broken_call_leaves_nothing_at_the_door(house: House) -> None:
    wire = house.opens(initiate("c-1"))
    wire.breaks()
    house.mailboxes.drain()
    house.told(CallBroke("c-1"), SetDoor(Door.SHUT))
    assert house.roll().conversations == ()
    assert knocks(house) == "shutting down"


def test_calls_are_moved_with_all_that_was_written(house: House) -> None:
    wire = house.opens(initiate("c-1"))
    house.told(MoveCalls(now=True))
    house.mailboxes.until(lambda: house.roll().conversations == ())
    assert wire.closed == 1012
    assert house.has_written().record("c-1") is None
    assert [row.kind for row in house.journal.rows("c-1")] == ["call"]


def test_a_stop_in_words_plays_them_first(house: House) -> None:
    wire = house.opens(initiate("c-1"))
    house.told(StopCalls("drained", in_words=True))
    told = wire.types()
    assert "playStream.chunk" in told
    assert "activities" not in told
    house.mailboxes.advance(2500)
    assert wire.last("activities")["activities"][0]["name"] == "hangup"


def test_a_call_ends_in_words_only_where_somebody_hears_them(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes).greeted()
    call.wire.breaks()
    mailboxes.drain()
    call.told(EndCall("drained", in_words=True))
    mailboxes.until(call.is_gone)
    assert call.outcome() == "drained"
