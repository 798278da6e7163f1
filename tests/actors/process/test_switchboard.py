"""The root of the tree by message injection: who is let in, who is alive, what it does when a child of its own dies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pykka
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, select

from actors.call.supervisor import CallSupervisor
from actors.messages.call import Describe
from actors.messages.journal import AppendRow
from actors.messages.journal_rows import JournalEntry, ResumedRow
from actors.messages.switchboard import FindCall, Leave, StopCalls, SwitchboardStatus, WhoIsAlive, WireOpened
from actors.process.journal_writer import JournalWriter
from actors.process.switchboard import CLAIM_LIMIT_S, Switchboard
from actors.system.address import NullRef
from store import schema
from store.database import reading
from store.journal import Journal
from store.leases import Leases
from tests.actors.calls import BEGAN, PaperExchange, PaperWire, WaitingDispatcher, living, paper_services

FORMATS = ["raw/mulaw", "raw/lpcm16_24"]


def initiate(conversation_id: str = "c-1", **more: object) -> dict[str, object]:
    return {
        "type": "session.initiate", "conversationId": conversation_id, "botName": "practice", "caller": "+4930123",
        "expectAudioMessages": True, "supportedMediaFormats": FORMATS, **more,
    }  # fmt: skip


class Services:
    """A real Switchboard with a real journal; VAIC and the model are paper. house: changes to the house."""

    def __init__(self, mailboxes: WaitingDispatcher, engine: Engine, max_calls: int = 3, **services: Any) -> None:
        self.mailboxes, self.exchange = mailboxes, PaperExchange()
        self.journal = Journal(engine)
        ours = replace(paper_services(mailboxes, NullRef(), self.exchange), **services)
        self.leases = Leases(engine, "here")
        self.ref = Switchboard.start(ours, self.journal, self.leases, max_calls)
        mailboxes.drain()

    def told(self, *messages: object) -> None:
        for message in messages:
            self.ref.tell(message)
        self.mailboxes.drain()

    def opens(self, *frames: dict[str, object] | bytes) -> PaperWire:
        """A new socket of VAIC's, and what it says first."""
        wire = PaperWire()
        self.told(WireOpened(wire))
        self.says(wire, *frames)
        return wire

    def says(self, wire: PaperWire, *frames: dict[str, object] | bytes) -> None:
        for frame in frames:
            wire.receives(frame)
        self.mailboxes.drain()

    def ends(self, wire: PaperWire, conversation_id: str = "c-1") -> None:
        self.says(wire, {"type": "session.end", "conversationId": conversation_id, "reasonCode": "client-disconnected"})

    def asked(self, message: object) -> Any:
        answer = self.ref.ask(message, block=False)
        self.mailboxes.drain()
        return answer.get(timeout=60)

    def status(self) -> SwitchboardStatus:
        status = self.asked(WhoIsAlive())
        assert isinstance(status, SwitchboardStatus)
        return status

    def writer(self) -> pykka.ActorRef[JournalWriter]:
        (writer,) = living(JournalWriter)
        return writer

    def has_written(self) -> Journal:
        """The journal, once all that its keeper was told so far is in the database."""
        self.writer().ask(AppendRow(JournalEntry("-", 1, BEGAN, ResumedRow())), timeout=60)
        return self.journal


@pytest.fixture
def services(mailboxes: WaitingDispatcher, engine: Engine) -> Services:
    return Services(mailboxes, engine)


def refusal(wire: PaperWire) -> str:
    """Why a socket was turned away."""
    (error,) = wire.frames
    assert error["type"] == "session.error"
    return str(error["reason"])


# --- at the door ---


def test_a_call_is_admitted_in_the_format_both_sides_speak_best(services: Services) -> None:
    wire = services.opens(initiate())
    assert wire.frames == [{"type": "session.accepted", "conversationId": "c-1", "mediaFormat": "raw/lpcm16_24"}]
    assert services.status() == SwitchboardStatus(("c-1",), max_calls=3, accepting=True)


def test_a_call_in_progress_can_be_found_and_asked(services: Services) -> None:
    services.opens(initiate())
    call = services.asked(FindCall("c-1"))
    answer = call.ask(Describe(), block=False)
    services.mailboxes.drain()
    record = answer.get(timeout=60)
    assert (record.conversation_id, record.bot, record.caller) == ("c-1", "practice", "+4930123")
    assert services.asked(FindCall("c-2")) is None


def test_messages_before_the_call_has_its_actor_are_not_lost(services: Services) -> None:
    wire = PaperWire()
    wire.receives(initiate())
    wire.receives({"type": "userStream.start", "conversationId": "c-1"})
    services.told(WireOpened(wire))
    assert wire.types() == ["session.accepted", "userStream.started"]


def test_a_connection_test_is_answered_and_a_call_may_follow_on_the_same_socket(services: Services) -> None:
    wire = services.opens({"type": "connection.validate"})
    assert wire.frames == [{"type": "connection.validated", "success": True}]
    assert services.status().conversations == ()
    wire.frames.clear()
    services.says(wire, initiate())
    assert wire.types() == ["session.accepted"]


@pytest.mark.parametrize(
    "first",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"type":"session.dance"}',
        b'{"type":"session.initiate"}',
        b'{"type":"session.initiate","conversationId":""}',
        b'{"type":"session.end","conversationId":"c-1"}',
        b'{"type":"userStream.chunk","conversationId":"c-1","audioChunk":"AAAA"}',
    ],
)
def test_a_first_text_that_opens_no_session_is_ignored_and_the_next_one_counts(
    services: Services, first: bytes
) -> None:
    wire = services.opens(first, first)
    assert wire.frames == []
    assert services.status().conversations == ()
    services.says(wire, initiate())
    assert wire.types() == ["session.accepted"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"supportedMediaFormats": ["wav/lpcm16"]}, "no common media format"),
        ({"supportedMediaFormats": []}, "no common media format"),
        ({"expectAudioMessages": False}, "this bot can only speak audio"),
    ],
)
def test_a_call_that_this_bot_cannot_serve_is_refused_with_the_reason(
    services: Services, more: dict[str, Any], reason: str
) -> None:
    assert refusal(services.opens(initiate(**more))) == reason
    assert services.status().conversations == ()
    assert services.exchange.callers == []


def test_there_are_never_more_calls_than_allowed_and_an_ended_one_makes_room(services: Services) -> None:
    wires = [services.opens(initiate(f"c-{number}")) for number in range(1, 4)]
    assert refusal(services.opens(initiate("c-4"))) == "too many calls"
    services.ends(wires[0])
    assert services.opens(initiate("c-4")).types() == ["session.accepted"]
    assert services.status().conversations == ("c-2", "c-3", "c-4")


def test_a_conversation_in_progress_cannot_be_initiated_again_until_it_has_ended(services: Services) -> None:
    first = services.opens(initiate())
    assert refusal(services.opens(initiate())) == "conversation already in progress"
    assert first.closed is None
    services.ends(first)
    assert services.opens(initiate()).types() == ["session.accepted"]


def test_a_refused_socket_is_closed_by_us_if_vaic_does_not_close_it(services: Services) -> None:
    wire = services.opens(initiate(expectAudioMessages=False))
    services.mailboxes.advance(1900)
    assert wire.closed is None
    services.mailboxes.advance(100)
    assert wire.closed == 1008


def test_a_socket_that_opens_no_session_is_closed_after_five_seconds(services: Services) -> None:
    silent, noisy, tester = services.opens(), services.opens(b"{"), services.opens({"type": "connection.validate"})
    services.mailboxes.advance(4900)
    services.says(noisy, b"{")
    assert [wire.closed for wire in (silent, noisy, tester)] == [None] * 3
    services.mailboxes.advance(100)
    assert [wire.closed for wire in (silent, noisy, tester)] == [1008] * 3


def test_the_timer_of_a_socket_that_became_a_call_or_closed_is_cancelled(services: Services) -> None:
    before = services.mailboxes.timers
    gone = services.opens()
    assert services.mailboxes.timers == before + 1
    gone.breaks()
    services.mailboxes.drain()
    assert services.mailboxes.timers == before
    wire = services.opens(initiate())
    services.mailboxes.advance(6000)
    assert wire.closed is None


# --- calls ---


def test_a_resumed_call_is_bound_to_its_new_socket(services: Services) -> None:
    old = services.opens(initiate())
    old.breaks()
    services.mailboxes.drain()
    assert services.status().conversations == ("c-1",)
    wire = services.opens({"type": "session.resume", "conversationId": "c-1"})
    assert wire.types() == ["session.accepted"]
    services.mailboxes.advance(15_000)
    assert services.status().conversations == ("c-1",)


def test_an_unknown_conversation_cannot_be_resumed(services: Services) -> None:
    wire = services.opens({"type": "session.resume", "conversationId": "c-9"})
    services.mailboxes.until(lambda: wire.frames)
    assert refusal(wire) == "unknown conversation"


def test_a_claim_that_times_out_closes_the_socket_with_try_again_later(services: Services, engine: Engine) -> None:
    opening = {"bot": "practice", "caller": "+4930123", "media": "raw/mulaw"}
    Leases(engine, "there").open("c-9", "", opening)
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-9"}
    with engine.begin():  # somebody holds SQLite's one pen
        wire = services.opens(resume)
        services.mailboxes.advance(CLAIM_LIMIT_S * 1000)
        assert (wire.closed, wire.frames) == (1013, [])
    # The claim comes through when nobody waits for it any more: the call is left to whoever is resumed next.
    status = select(schema.lease.c.status)

    def parked() -> bool:
        with reading(engine) as connection:
            return connection.scalar(status) == "parked"

    services.mailboxes.until(lambda: services.leases.held)
    services.has_written()
    services.mailboxes.drain()
    services.has_written()
    assert parked()
    assert not services.leases.held
    services.opens(resume)
    services.mailboxes.until(lambda: services.status().conversations)
    assert services.status().conversations == ("c-9",)


def test_an_ended_call_is_off_the_switchboard_and_its_record_in_the_database(services: Services) -> None:
    wire = services.opens(initiate())
    services.mailboxes.advance(1400)
    services.ends(wire)
    assert services.status().conversations == ()
    assert services.asked(FindCall("c-1")) is None
    journal = services.has_written()
    record = journal.record("c-1")
    assert record is not None
    assert (record.outcome, record.media_format) == ("client-disconnected", "raw/lpcm16_24")
    assert (record.ended_at - record.started_at).total_seconds() == 1.4
    assert [(row.seq, row.kind) for row in journal.rows("c-1")] == [(1, "call"), (2, "ended")]


def test_a_crashed_call_is_off_the_switchboard_and_the_others_go_on(services: Services) -> None:
    services.opens(initiate("c-1"))
    other = services.opens(initiate("c-2"))
    crashing = services.asked(FindCall("c-1"))
    crashing.tell("no message of ours")
    services.mailboxes.drain()
    assert services.status().conversations == ("c-2",)
    record = services.has_written().record("c-1")
    assert record is not None
    assert record.outcome == "failed"
    services.says(other, {"type": "userStream.start", "conversationId": "c-2"})
    assert "userStream.started" in other.types()


def test_the_socket_of_a_call_that_fails_to_start_is_closed(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    def no_clock() -> None:
        raise RuntimeError("a bug")

    services = Services(mailboxes, engine, now=no_clock)
    wire = services.opens(initiate())
    assert services.status().conversations == ()
    services.mailboxes.advance(10_000)
    assert wire.closed is not None


def test_fifty_calls_leave_no_actor_and_no_timer_behind(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    services = Services(mailboxes, engine, max_calls=50)
    actors, timers = len(pykka.ActorRegistry.get_all()), mailboxes.timers
    wires = {f"c-{number}": services.opens(initiate(f"c-{number}")) for number in range(50)}
    mailboxes.advance(1000)
    assert len(pykka.ActorRegistry.get_all()) == actors + 150
    for conversation_id, wire in wires.items():
        services.ends(wire, conversation_id)
    assert len(pykka.ActorRegistry.get_all()) == actors
    assert mailboxes.timers == timers
    assert all(wire.closed is not None for wire in (*wires.values(), *services.exchange.wires))
    journal = services.has_written()
    assert all(journal.record(conversation_id) is not None for conversation_id in wires)


# --- the end ---


def test_stopping_calls_hangs_up_those_in_progress_and_refuses_new_ones(services: Services) -> None:
    wires = [services.opens(initiate(f"c-{number}")) for number in (1, 2)]
    services.told(StopCalls("drained"))
    for wire in wires:
        assert wire.last("activities")["activities"][0]["name"] == "hangup"
    assert refusal(services.opens(initiate("c-3"))) == "shutting down"
    assert services.opens({"type": "connection.validate"}).frames == [
        {"type": "connection.validated", "success": False}
    ]
    assert not services.status().accepting
    for number, wire in enumerate(wires, 1):
        services.ends(wire, f"c-{number}")
    assert services.status().conversations == ()
    record = services.has_written().record("c-2")
    assert record is not None
    assert record.outcome == "drained"


def test_a_lost_call_is_ended_at_once_when_calls_are_stopped(services: Services) -> None:
    services.opens(initiate()).breaks()
    services.mailboxes.drain()
    services.told(StopCalls("drained"))
    assert services.status().conversations == ()


def test_shutting_down_writes_what_is_pending_and_ends_the_whole_tree(services: Services) -> None:
    services.ends(services.opens(initiate()))
    services.told(Leave())
    services.mailboxes.until(lambda: not services.ref.is_alive())
    assert pykka.ActorRegistry.get_all() == []
    assert services.mailboxes.timers == 0
    assert services.journal.record("c-1") is not None


def test_shutting_down_ends_calls_in_progress(services: Services) -> None:
    wire = services.opens(initiate())
    services.told(Leave())
    services.mailboxes.until(lambda: not services.ref.is_alive())
    assert pykka.ActorRegistry.get_all() == []
    assert wire.closed is not None
    assert services.journal.record("c-1") is not None


# --- the journal's keeper ---


# What no keeper understands: it dies of it.
NONSENSE: Any = "nonsense"


def deaths() -> float:
    """How many keepers' deaths were judged, as the metrics have it."""
    return REGISTRY.get_sample_value("tieline_child_deaths_total", {"child": "journal"}) or 0.0


def loses_its_keeper(services: Services) -> None:
    """Kill the keeper, and let the delay before the next one pass, if there is to be one."""
    services.has_written()  # else what is not written yet would be lost with the bad row
    before = deaths()
    services.writer().tell(NONSENSE)
    services.mailboxes.until(lambda: deaths() > before)
    for _ in range(80):
        if living(JournalWriter):
            break
        services.mailboxes.advance(100)


def test_a_journal_writer_that_dies_is_replaced_and_calls_never_notice(services: Services) -> None:
    wire = services.opens(initiate())
    loses_its_keeper(services)
    services.ends(wire)
    journal = services.has_written()
    assert journal.record("c-1") is not None
    assert [row.kind for row in journal.rows("c-1")] == ["call", "ended"]
    assert services.status().accepting


def test_a_call_that_ends_while_there_is_no_journal_writer_is_still_in_the_journal(services: Services) -> None:
    wire = services.opens(initiate())
    loses_its_keeper(services)
    before = deaths()
    services.writer().tell(NONSENSE)
    services.mailboxes.until(lambda: deaths() > before)
    services.ends(wire)
    services.mailboxes.advance(1000)
    assert services.has_written().record("c-1") is not None


def test_without_a_journal_no_new_calls_are_taken_and_none_is_ended(services: Services) -> None:
    for _ in range(10):
        loses_its_keeper(services)
        assert services.status().accepting
    wire = services.opens(initiate())
    loses_its_keeper(services)
    assert not living(JournalWriter)
    assert refusal(services.opens(initiate("c-2"))) == "shutting down"
    services.says(wire, {"type": "userStream.start", "conversationId": "c-1"})
    assert "userStream.started" in wire.types()
    services.ends(wire)
    assert services.status().conversations == ()
    assert not living(CallSupervisor)
    services.told(Leave())
    services.mailboxes.until(lambda: not services.ref.is_alive())
