"""The switchboard by message injection: admission, calls in progress, the end, and the death of its children."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from typing import Any
from weakref import ref

import pykka
import pytest
from loguru import logger
from sqlalchemy import Engine, select

import actors.process.journal_writer
from actors.bots import Arrival
from actors.call.supervisor import CallSupervisor
from actors.messages.journal import AppendRow, Park, RenewLeases, WriteRecord
from actors.messages.journal_rows import JournalEntry, ResumedRow, StoreRow, decode
from actors.messages.switchboard import (
    AdmissionRequest,
    CallsForgotten,
    EndCalls,
    FindCall,
    FirstText,
    FirstTextOverdue,
    JournalLost,
    ShutDown,
    StoreFile,
    StoreTried,
    SwitchboardStatus,
    Unwritten,
    WireOpened,
)
from actors.metrics import LOST_ROWS, STORE_READY
from actors.policies import STORE_LIMIT_S, WRITER_LIMIT_S
from actors.process.admission import MOST_KEPT, MOST_USELESS, SILENCE_S, dialled_in
from actors.process.journal_writer import JournalWriter
from actors.process.store_health import FILE_LOST, NO_ANSWER
from actors.process.switchboard import AWAIT_START_S, CLAIM_LIMIT_S, FIRST_TEXT_LIMIT_S
from protocols.limits import NAME_CHARS
from protocols.vaic import Activities, Activity
from store import schema
from store.database import reading
from store.journal import CallRecord, Journal
from store.leases import Leases
from tests.actors.bots import Folders, a_bot
from tests.actors.calls import BEGAN, FakeWire, WaitingDispatcher, living
from tests.actors.process.scene import Asking, Scene, described, initiate, refusal
from tests.actors.tasks.oven import database_lost
from tests.counted import counted
from tests.store.other_process import row


@pytest.fixture
def scene(mailboxes: WaitingDispatcher, engine: Engine) -> Scene:
    return Scene(mailboxes, engine)


# --- the store ---


@pytest.mark.parametrize("fault", ["no answer", "lost file"])
def test_without_its_store_a_process_takes_no_new_calls_and_those_in_progress_go_on(scene: Scene, fault: str) -> None:
    first = scene.opens(initiate())
    scene.has_written()
    scene.mailboxes.drain()
    assert (scene.asks_admission(), scene.status().accepting, STORE_READY._value.get()) == ("admitted", True, 1)
    if fault == "no answer":
        scene.clock_s += STORE_LIMIT_S + 0.1
        reason = NO_ANSWER
    else:
        scene.told(StoreFile("tieline.sqlite3"))
        reason = FILE_LOST
    assert (scene.asks_admission(), scene.status().accepting, STORE_READY._value.get()) == (reason, False, 0)
    assert refusal(scene.opens(initiate("c-2"))) == reason, "who was let in before"
    first.breaks()
    scene.mailboxes.drain()
    assert scene.asks_admission() == "admitted", "it may be the caller who comes back"
    assert scene.opens({"type": "session.resume", "conversationId": "c-1"}).types() == ["session.accepted"]
    scene.told(StoreFile(""), StoreTried(answered=True))
    assert (scene.asks_admission(), scene.status().accepting, STORE_READY._value.get()) == ("admitted", True, 1)
    rows = [decode(row).row for row in scene.has_written().rows("c-1")]
    assert [row for row in rows if isinstance(row, StoreRow)] == [StoreRow(fault=reason), StoreRow()]


def test_a_writer_that_says_nothing_hangs_and_one_whose_store_is_away_does_not(scene: Scene) -> None:
    for hangs in (False, True):
        scene.clock_s += WRITER_LIMIT_S + 0.1
        if not hangs:
            scene.told(StoreTried(answered=False))
        assert scene.status().writer_hangs == hangs


# --- readiness ---


def test_while_the_model_refuses_every_call_none_are_wanted_but_where_callers_are_put_through(scene: Scene) -> None:
    assert scene.status().not_ready == ""
    scene.dialler.away = True
    assert scene.status().not_ready == "the model refuses every call"
    assert scene.asks_admission() == "admitted", "who comes nevertheless hears an apology"
    scene.dialler.away = False
    assert scene.status().accepting


def test_a_bot_that_puts_callers_through_is_ready_without_the_model(
    mailboxes: WaitingDispatcher, engine: Engine
) -> None:
    bots = Folders("practice", "surgery")
    scene = Scene(mailboxes, engine, bots=bots)
    scene.dialler.away = True
    assert not scene.status().accepting
    surgery = bots.present_bots["surgery"]
    profile = replace(surgery.profile, transfer_targets={"reception": "tel:+4930555099"})
    bots.present_bots["surgery"] = replace(surgery, profile=profile)
    assert scene.status().accepting, "not every call would fail"
    bots.present_bots.clear()
    assert scene.status().not_ready == "no bot"


# --- admission ---


def test_a_call_is_admitted_in_the_format_both_sides_speak_best(scene: Scene) -> None:
    wire = scene.opens(initiate())
    assert wire.frames == [{"type": "session.accepted", "conversationId": "c-1", "mediaFormat": "raw/lpcm16_24"}]
    assert scene.status() == SwitchboardStatus(("c-1",), max_calls=3, not_ready="")


def test_a_call_in_progress_can_be_found_and_asked(scene: Scene) -> None:
    scene.opens(initiate())
    record = described(scene)
    assert (record.conversation_id, record.bot, record.caller) == ("c-1", "practice", "+4930123")
    assert scene.asked(FindCall("c-2")) is None


def test_a_call_of_which_the_store_has_lost_rows_is_told(scene: Scene) -> None:
    scene.opens(initiate())
    scene.told(CallsForgotten(("c-9", "c-1")))
    assert described(scene).errors == ("store: rows of this call were lost",)


def test_messages_before_the_call_has_its_actor_are_not_lost(scene: Scene) -> None:
    wire = FakeWire()
    wire.receives(initiate())
    wire.receives({"type": "userStream.start", "conversationId": "c-1"})
    scene.told(WireOpened(wire))
    assert wire.types() == ["session.accepted", "userStream.started"]


def test_a_connection_test_is_answered_and_a_call_may_follow_on_the_same_socket(scene: Scene) -> None:
    wire = scene.opens({"type": "connection.validate"})
    assert wire.frames == [{"type": "connection.validated", "success": True}]
    assert scene.status().conversations == ()
    wire.frames.clear()
    scene.says(wire, initiate())
    assert wire.types() == ["session.accepted"]


@pytest.mark.parametrize(
    "first",
    [
        b"{",
        b"[]",
        b'{"type":"session.dance"}',
        b'{"type":"session.end","conversationId":"c-1"}',
        b'{"type":"userStream.chunk","conversationId":"c-1","audioChunk":"AAAA"}',
    ],
)
def test_a_first_text_that_opens_no_session_is_ignored_and_the_next_one_counts(scene: Scene, first: bytes) -> None:
    wire = scene.opens(first, first)
    assert wire.frames == []
    assert scene.status().conversations == ()
    scene.says(wire, initiate())
    assert wire.types() == ["session.accepted"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"supportedMediaFormats": ["audio/alaw", "audio/opus"]}, "no common media format"),
        ({"supportedMediaFormats": []}, "no common media format"),
        ({"expectAudioMessages": False, "supportedMediaFormats": ["opus/48000"]}, "no common media format"),
    ],
)
def test_a_call_that_this_bot_cannot_serve_is_refused_with_the_reason(
    scene: Scene, more: dict[str, Any], reason: str
) -> None:
    assert refusal(scene.opens(initiate(**more))) == reason
    assert scene.status().conversations == ()
    assert scene.dialler.dials == []


def asked_for_text(scene: Scene) -> bool:
    """Whether the model of the one call is to write."""
    (dialled,) = scene.dialler.wires
    dialled.receives({"type": "session.created", "event_id": "e", "session": {"type": "realtime"}})
    scene.mailboxes.drain()
    modalities: list[str] = dialled.last("session.update")["session"]["output_modalities"]
    return modalities == ["text"]


@pytest.mark.parametrize(("formats", "accepted"), [([], {}), (["raw/mulaw"], {"mediaFormat": "raw/mulaw"})])
def test_a_call_that_expects_no_audio_is_taken_in_writing(
    scene: Scene, formats: list[str], accepted: dict[str, str]
) -> None:
    wire = scene.opens(initiate(expectAudioMessages=False, supportedMediaFormats=formats))
    assert wire.frames == [{"type": "session.accepted", "conversationId": "c-1"} | accepted]
    assert asked_for_text(scene)


def test_there_are_never_more_calls_than_allowed_and_an_ended_one_makes_room(scene: Scene) -> None:
    wires = [scene.opens(initiate(f"c-{number}")) for number in range(1, 4)]
    assert refusal(scene.opens(initiate("c-4"))) == "too many calls"
    scene.ends(wires[0])
    assert scene.opens(initiate("c-4")).types() == ["session.accepted"]
    assert scene.status().conversations == ("c-2", "c-3", "c-4")


def test_a_conversation_in_progress_cannot_be_initiated_again_until_it_has_ended(scene: Scene) -> None:
    first = scene.opens(initiate())
    assert refusal(scene.opens(initiate())) == "conversation already in progress"
    assert first.closed is None
    scene.ends(first)
    assert scene.opens(initiate()).types() == ["session.accepted"]


def test_a_refused_socket_is_closed_at_once(scene: Scene) -> None:
    assert scene.opens(initiate(supportedMediaFormats=[])).closed == 1000


@pytest.mark.parametrize("kind", ["session.initiate", "session.resume"])
@pytest.mark.parametrize("named", [{}, {"conversationId": ""}, {"conversationId": 7}, {"conversationId": None}])
def test_a_beginning_without_a_usable_id_is_answered_at_once(scene: Scene, kind: str, named: dict[str, Any]) -> None:
    wire = scene.opens({"type": kind, **named})
    (answer,) = wire.frames
    assert answer["type"] == "session.error"
    assert answer["reason"].startswith(f"the message cannot be read: {kind}.conversationId: ")
    assert wire.closed == 1000
    assert scene.status().conversations == ()


@pytest.mark.parametrize(
    "odd",
    [
        {"supportedMediaFormats": ["raw/lpcm16_24", None]},
        {"supportedMediaFormats": [7, "raw/lpcm16_24"]},
        {"expectAudioMessages": None},
        {"botName": 7},
        {"caller": ["+4930"]},
    ],
)
def test_what_is_wrong_in_a_beginning_and_not_needed_refuses_no_call(scene: Scene, odd: dict[str, Any]) -> None:
    assert scene.opens(initiate(**odd)).types() == ["session.accepted"]


def test_a_number_that_is_told_as_a_number_is_its_digits(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    before, bots = counted("tieline_bad_frames_total", reason="bad_fields"), Folders("linden")
    scene = Scene(mailboxes, engine, bots=bots)
    scene.opens(initiate(caller=4930123, botName=7))
    assert described(scene).caller == "4930123"
    assert (bots.arrivals[0].caller, bots.arrivals[0].bot_name) == ("4930123", "7")
    assert counted("tieline_bad_frames_total", reason="bad_fields") == before
    start = Activity(type="event", name="start", parameters={"callee": 4930555})
    assert dialled_in(Activities(activities=(start,))) == "4930555"


def test_of_two_beginnings_on_one_socket_the_first_is_a_call_and_the_other_is_answered(scene: Scene) -> None:
    wire = scene.opens(initiate(), initiate("c-2"), initiate())
    assert [(each["type"], each["conversationId"]) for each in wire.frames] == [
        ("session.accepted", "c-1"),
        ("session.error", "c-2"),
    ]
    assert scene.status().conversations == ("c-1",)
    assert wire.closed is None


def test_an_ended_call_cannot_be_resumed(scene: Scene) -> None:
    scene.ends(scene.opens(initiate()))
    scene.has_written()
    scene.mailboxes.drain()
    wire = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    scene.mailboxes.until(lambda: wire.frames)
    assert refusal(wire) == "unknown conversation"


def test_a_first_text_that_is_no_text_closes_the_socket(scene: Scene) -> None:
    assert scene.opens(b'{"type":"\xff"}').closed == 1007


def test_a_socket_that_opens_no_session_is_closed_after_five_seconds(scene: Scene) -> None:
    silent, noisy, tester = scene.opens(), scene.opens(b"{"), scene.opens({"type": "connection.validate"})
    scene.mailboxes.advance(4900)
    scene.says(noisy, b"{")
    assert [wire.closed for wire in (silent, noisy, tester)] == [None] * 3
    scene.mailboxes.advance(100)
    assert [wire.closed for wire in (silent, noisy, tester)] == [1008] * 3


def test_the_timer_of_a_socket_that_became_a_call_or_closed_is_cancelled(scene: Scene) -> None:
    before = scene.mailboxes.timers
    gone = scene.opens()
    assert scene.mailboxes.timers == before + 1
    gone.breaks()
    scene.mailboxes.drain()
    assert scene.mailboxes.timers == before
    wire = scene.opens(initiate())
    scene.mailboxes.advance(6000)
    assert wire.closed is None


# --- calls ---


def test_a_resumed_call_is_bound_to_its_new_socket(scene: Scene) -> None:
    old = scene.opens(initiate())
    old.breaks()
    scene.mailboxes.drain()
    assert scene.status().conversations == ("c-1",)
    wire = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    assert wire.types() == ["session.accepted"]
    scene.mailboxes.advance(15_000)
    assert scene.status().conversations == ("c-1",)


@pytest.mark.parametrize("credential", ["Bearer another", "", "Bearer our"])
def test_a_call_in_progress_is_not_resumed_by_another_credential(scene: Scene, credential: str) -> None:
    old = scene.opens(initiate(), credential="Bearer ours")
    old.breaks()
    scene.mailboxes.drain()
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-1"}
    wire = scene.opens(resume, credential=credential)
    assert refusal(wire) == "unknown conversation"
    assert scene.status().conversations == ("c-1",), "the call waits for its own caller"
    assert scene.opens(resume, credential="Bearer ours").types() == ["session.accepted"]


def test_a_call_is_resumed_by_another_credential_of_the_same_peer(scene: Scene) -> None:
    scene.opens(initiate(), credential="Bearer old").breaks()
    scene.mailboxes.drain()
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-1"}
    assert refusal(scene.opens(resume, credential="Bearer new", others=("Bearer \udcff",))) == "unknown conversation"
    wire = scene.opens(resume, credential="Bearer new", others=("Bearer \udcff", "Bearer old"))
    assert wire.types() == ["session.accepted"]


def test_a_credential_that_is_no_text_opens_and_resumes_its_own_call_and_no_other(scene: Scene) -> None:
    # As websockets 16 reads a header that is not ASCII.
    scene.opens(initiate(), credential="Bearer \udcff").breaks()
    scene.opens(initiate("c-2"), credential="Bearer ours").breaks()
    scene.mailboxes.drain()
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-2"}
    assert refusal(scene.opens(resume, credential="Bearer \udcff")) == "unknown conversation"
    mine = scene.opens({**resume, "conversationId": "c-1"}, credential="Bearer \udcff")
    assert mine.types() == ["session.accepted"]


class Unusable(FakeWire):
    """Breaks in the hand that sends on it."""

    def send(self, data: bytes) -> None:
        raise UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed")


def test_a_socket_whose_message_cannot_be_handled_is_dropped_alone(scene: Scene) -> None:
    live = scene.opens(initiate())
    bad = Unusable()
    scene.told(WireOpened(bad))
    scene.says(bad, {"type": "connection.validate"})
    assert bad.closed == 1011
    assert scene.ref.is_alive()
    assert live.closed is None
    assert scene.opens(initiate("c-2")).types() == ["session.accepted"]


def test_a_resume_from_another_address_is_logged_and_counted(scene: Scene, log_lines: list[str]) -> None:
    before = counted("tieline_calls_resumed_elsewhere_total")
    scene.opens(initiate(), address="192.0.2.1")
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-1"}
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.1"):
        assert scene.opens(resume, address=address).types() == ["session.accepted"]
    assert counted("tieline_calls_resumed_elsewhere_total") - before == 2
    told = [line for line in log_lines if "another address" in line]
    assert told == [
        f"WARNING call resumed from another address {{'conversation': 'c-1', 'address': '{now}', 'last': '{last}'}}"
        for now, last in (("192.0.2.2", "192.0.2.1"), ("192.0.2.1", "192.0.2.2"))
    ]


def test_an_unknown_conversation_cannot_be_resumed(scene: Scene) -> None:
    wire = scene.opens({"type": "session.resume", "conversationId": "c-9"})
    scene.mailboxes.until(lambda: wire.frames)
    assert refusal(wire) == "unknown conversation"


def test_a_claim_that_times_out_closes_the_socket_with_try_again_later(scene: Scene, engine: Engine) -> None:
    opening = {"bot": "practice", "caller": "+4930123", "media": "raw/mulaw"}
    Leases(engine, "there").open("c-9", "", opening)
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-9"}
    with engine.begin():  # holds SQLite's write lock
        wire = scene.opens(resume)
        scene.mailboxes.advance(CLAIM_LIMIT_S * 1000)
        assert (wire.closed, wire.frames) == (1013, [])
    # The claim succeeds when no socket waits for it any more: the call stays free to be resumed.
    status = select(schema.lease.c.status)

    def parked() -> bool:
        with reading(engine) as connection:
            return connection.scalar(status) == "parked"

    scene.has_written()
    scene.mailboxes.drain()
    scene.has_written()
    assert parked()
    assert not scene.leases.held
    scene.opens(resume)
    scene.mailboxes.until(lambda: scene.status().conversations)
    assert scene.status().conversations == ("c-9",)


def test_a_call_that_is_resumed_twice_while_the_store_is_away_begins_with_the_last_claim(
    scene: Scene, engine: Engine
) -> None:
    """A claim after its beginning would fence what the call does meanwhile."""
    opening = {"bot": "practice", "caller": "+4930123", "media": "raw/mulaw"}
    Leases(engine, "there").open("c-9", "mine", opening)
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-9"}
    with engine.begin():  # holds SQLite's write lock
        first, second = scene.opens(resume, credential="mine"), scene.opens(resume, credential="mine")
    began: list[int] = []

    def live() -> bool:
        began.extend([scene.leases.epoch("c-9")] if scene.status().conversations and not began else [])
        return bool(began)

    scene.mailboxes.until(live)
    scene.has_written()
    scene.mailboxes.drain()
    assert (first.closed, second.closed) == (1000, None)
    assert began == [scene.leases.epoch("c-9")] == [3]


def test_a_call_that_is_being_claimed_when_its_id_begins_a_new_one_is_not_kept(scene: Scene, engine: Engine) -> None:
    """Nobody would end it: a process goes on renewing what it has claimed."""
    there = Leases(engine, "there")
    there.open("c-9", "mine", {"bot": "practice", "caller": "+4930123", "media": "raw/mulaw"})
    Journal(engine).append([row(1, 1, "c-9")])
    with engine.begin():  # holds SQLite's write lock
        claims = scene.opens({"type": "session.resume", "conversationId": "c-9"}, credential="mine")
        begins = scene.opens(initiate("c-9"), credential="mine")
    scene.has_written()
    scene.mailboxes.drain()
    scene.has_written()
    assert begins.types() == ["session.accepted"]
    assert refusal(claims) == "unknown conversation"
    assert scene.leases.held == {"c-9~2": 1}
    column = schema.lease.c
    with reading(engine) as connection:
        status = select(column.status).where(column.conversation_id == "c-9")
        assert connection.scalar(status) == "parked"


def test_a_socket_does_not_get_the_call_that_another_one_has_claimed(scene: Scene, engine: Engine) -> None:
    opening = {"bot": "practice", "caller": "+4930123", "media": "raw/mulaw"}
    Leases(engine, "there").open("c-9", "mine", opening)
    resume: dict[str, object] = {"type": "session.resume", "conversationId": "c-9"}
    with engine.begin():
        scene.opens(resume, credential="mine")
        other = scene.opens(resume, credential="not mine")
    scene.mailboxes.until(lambda: other.frames)
    assert refusal(other) == "unknown conversation"
    scene.has_written()
    assert (scene.status().conversations, scene.leases.held) == ((), {})


def test_an_ended_call_leaves_the_switchboard_and_its_record_is_stored(scene: Scene) -> None:
    wire = scene.opens(initiate())
    scene.mailboxes.advance(1400)
    scene.ends(wire)
    assert scene.status().conversations == ()
    assert scene.asked(FindCall("c-1")) is None
    journal = scene.has_written()
    record = journal.record("c-1")
    assert record is not None
    assert (record.outcome, record.media_format) == ("client-disconnected", "raw/lpcm16_24")
    assert (record.ended_at - record.started_at).total_seconds() == 1.4
    assert [(row.seq, row.kind) for row in journal.rows("c-1")] == [(1, "call"), (2, "ended")]


def test_a_crashed_call_is_off_the_switchboard_and_the_others_go_on(scene: Scene) -> None:
    scene.opens(initiate("c-1"))
    other = scene.opens(initiate("c-2"))
    crashing = scene.asked(FindCall("c-1"))
    crashing.tell("no message of ours")
    scene.mailboxes.drain()
    assert scene.status().conversations == ("c-2",)
    record = scene.has_written().record("c-1")
    assert record is not None
    assert record.outcome == "failed"
    scene.says(other, {"type": "userStream.start", "conversationId": "c-2"})
    assert "userStream.started" in other.types()


def test_the_socket_of_a_call_that_fails_to_start_is_closed(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    def no_clock() -> None:
        raise RuntimeError("a bug")

    scene = Scene(mailboxes, engine, now=no_clock)
    wire = scene.opens(initiate())
    assert scene.status().conversations == ()
    scene.mailboxes.advance(10_000)
    assert wire.closed is not None


def test_a_call_that_ends_without_a_record_is_left_to_whoever_finds_it(
    mailboxes: WaitingDispatcher, engine: Engine
) -> None:
    def no_clock() -> None:
        raise RuntimeError("a bug")

    scene = Scene(mailboxes, engine, now=no_clock)
    scene.opens(initiate())
    scene.has_written()
    assert scene.leases.held == {}
    with reading(engine) as connection:
        assert connection.scalar(select(schema.lease.c.status)) == "parked"


def test_fifty_calls_leave_no_actor_and_no_timer_behind(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    scene = Scene(mailboxes, engine, max_calls=50)
    actors, timers = len(pykka.ActorRegistry.get_all()), mailboxes.timers
    wires = {f"c-{number}": scene.opens(initiate(f"c-{number}")) for number in range(50)}
    mailboxes.advance(1000)
    assert len(pykka.ActorRegistry.get_all()) == actors + 150
    for conversation_id, wire in wires.items():
        scene.ends(wire, conversation_id)
    assert len(pykka.ActorRegistry.get_all()) == actors
    assert mailboxes.timers == timers
    assert all(wire.closed is not None for wire in (*wires.values(), *scene.dialler.wires))
    journal = scene.has_written()
    assert all(journal.record(conversation_id) is not None for conversation_id in wires)


# --- the end ---


def test_stopping_calls_hangs_up_those_in_progress_and_refuses_new_ones(scene: Scene) -> None:
    wires = [scene.opens(initiate(f"c-{number}")) for number in (1, 2)]
    scene.told(EndCalls("drained"))
    for wire in wires:
        assert wire.last("activities")["activities"][0]["name"] == "hangup"
    assert refusal(scene.opens(initiate("c-3"))) == "shutting down"
    assert scene.opens({"type": "connection.validate"}).frames == [{"type": "connection.validated", "success": False}]
    assert not scene.status().accepting
    for number, wire in enumerate(wires, 1):
        scene.ends(wire, f"c-{number}")
    assert scene.status().conversations == ()
    record = scene.has_written().record("c-2")
    assert record is not None
    assert record.outcome == "drained"


def test_a_lost_call_is_ended_at_once_when_calls_are_stopped(scene: Scene) -> None:
    scene.opens(initiate()).breaks()
    scene.mailboxes.drain()
    scene.told(EndCalls("drained"))
    assert scene.status().conversations == ()


def test_shutting_down_writes_what_is_pending_and_ends_the_whole_tree(scene: Scene) -> None:
    scene.ends(scene.opens(initiate()))
    scene.told(ShutDown())
    scene.mailboxes.until(lambda: not scene.ref.is_alive())
    assert pykka.ActorRegistry.get_all() == []
    assert scene.mailboxes.timers == 0
    assert scene.journal.record("c-1") is not None


def test_shutting_down_ends_calls_in_progress(scene: Scene) -> None:
    wire = scene.opens(initiate())
    scene.told(ShutDown())
    scene.mailboxes.until(lambda: not scene.ref.is_alive())
    assert pykka.ActorRegistry.get_all() == []
    assert wire.closed is not None
    assert scene.journal.record("c-1") is not None


# --- the journal writer ---


ROW = AppendRow(JournalEntry("c-1", 1, BEGAN, ResumedRow()))
RECORD = WriteRecord(
    CallRecord(
        conversation_id="c-1",
        bot="practice",
        caller="",
        media_format="raw/mulaw",
        outcome="drained",
        started_at=BEGAN,
        ended_at=BEGAN,
    )
)
# A message that no writer knows: it crashes.
NONSENSE: Any = "nonsense"


def deaths() -> float:
    """How many writers have died, by the metrics."""
    return counted("tieline_child_deaths_total", child="journal")


def crash_writer(scene: Scene) -> None:
    """Crash the writer, and let the delay before its restart pass, if it is restarted."""
    scene.has_written()  # else unwritten rows would be lost with the bad message
    before = deaths()
    scene.writer().tell(NONSENSE)
    scene.mailboxes.until(lambda: deaths() > before)
    for _ in range(80):
        if living(JournalWriter):
            break
        scene.mailboxes.advance(100)


def test_a_journal_writer_that_dies_is_replaced_and_calls_never_notice(scene: Scene) -> None:
    wire = scene.opens(initiate())
    crash_writer(scene)
    scene.ends(wire)
    journal = scene.has_written()
    assert journal.record("c-1") is not None
    assert [row.kind for row in journal.rows("c-1")] == ["call", "ended"]
    assert scene.status().accepting


def test_a_call_that_ends_while_there_is_no_journal_writer_is_still_in_the_journal(scene: Scene) -> None:
    wire = scene.opens(initiate())
    crash_writer(scene)
    before = deaths()
    scene.writer().tell(NONSENSE)
    scene.mailboxes.until(lambda: deaths() > before)
    scene.ends(wire)
    scene.mailboxes.advance(1000)
    assert scene.has_written().record("c-1") is not None


def test_without_a_journal_no_new_calls_are_taken_and_none_is_ended(scene: Scene) -> None:
    for _ in range(10):
        crash_writer(scene)
        assert scene.status().accepting
    wire = scene.opens(initiate())
    crash_writer(scene)
    assert not living(JournalWriter)
    assert scene.parent.expect(JournalLost), "the process is to end"
    assert refusal(scene.opens(initiate("c-2"))) == "shutting down"
    scene.says(wire, {"type": "userStream.start", "conversationId": "c-1"})
    assert "userStream.started" in wire.types()
    scene.ends(wire)
    assert scene.status().conversations == ()
    assert not living(CallSupervisor)
    scene.told(ShutDown())
    scene.mailboxes.until(lambda: not scene.ref.is_alive())


@pytest.mark.parametrize(
    ("unwritten", "lost"), [((RenewLeases(), Park("c-1", None)), 0), ((RenewLeases(), ROW, RECORD), 2)]
)
def test_what_is_lost_without_a_journal_is_rows_and_records_only(
    scene: Scene, log_lines: list[str], unwritten: tuple[Any, ...], lost: int
) -> None:
    for _ in range(11):
        crash_writer(scene)
    assert not living(JournalWriter)
    before = LOST_ROWS._value.get()
    scene.told(*map(Unwritten, unwritten), ShutDown())
    scene.mailboxes.until(lambda: not scene.ref.is_alive())
    assert LOST_ROWS._value.get() - before == lost
    assert any("rows are lost" in line for line in log_lines) == (lost > 0)


def test_what_the_store_does_not_take_before_the_end_is_counted_and_told(
    scene: Scene, engine: Engine, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.process.journal_writer, "GIVE_UP_S", 0.1)
    wire = scene.opens(initiate())
    scene.has_written()
    before = LOST_ROWS._value.get()
    with database_lost(engine):
        scene.ends(wire)
        scene.told(ShutDown())
        scene.mailboxes.until(lambda: not scene.ref.is_alive())
    assert LOST_ROWS._value.get() > before
    assert scene.parent.expect(JournalLost), "the process ends with an error"
    assert any("rows are lost" in line and "c-1" in line for line in log_lines)


# --- sockets that begin nothing ---


def knocks(scene: Scene) -> str:
    knock = Asking()
    scene.told(AdmissionRequest(knock))
    return knock.answer


def test_the_oldest_silent_sockets_give_way_to_those_who_knock(scene: Scene) -> None:
    before = counted("tieline_connections_cut_total", reason="silent")
    call = scene.opens(initiate())
    silent = [scene.opens(), scene.opens()]
    assert knocks(scene) == "too many calls", "they may still begin"
    scene.mailboxes.advance(SILENCE_S * 1000)
    assert knocks(scene) == "admitted"
    assert [wire.closed for wire in (call, *silent)] == [None, 1008, None]
    assert scene.opens(initiate("c-2")).types() == ["session.accepted"]
    assert knocks(scene) == "admitted"
    assert scene.opens(initiate("c-3")).types() == ["session.accepted"]
    assert silent[1].closed == 1008
    assert knocks(scene) == "too many calls"
    assert counted("tieline_connections_cut_total", reason="silent") - before == 2


def test_a_silent_socket_is_not_closed_where_that_makes_no_room(scene: Scene) -> None:
    calls = [scene.opens(initiate(f"c-{number}")) for number in range(2)]
    silent, third = scene.opens(), scene.opens(initiate("c-2"))
    assert [wire.types() for wire in (*calls, third)] == [["session.accepted"]] * 3
    scene.mailboxes.advance(SILENCE_S * 1000)
    assert (knocks(scene), silent.closed) == ("too many calls", None)


def test_a_silent_socket_is_not_closed_for_one_that_is_refused(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    scene = Scene(mailboxes, engine, max_calls=1, short_of=lambda: "overloaded")
    silent = scene.opens()
    mailboxes.advance(SILENCE_S * 1000)
    assert (knocks(scene), silent.closed) == ("overloaded", None)


def test_a_socket_whose_messages_begin_no_session_is_closed(scene: Scene) -> None:
    before = counted("tieline_bad_frames_total", leg="admission", reason="flood")
    wire = scene.opens(*[b"{}", b'{"type":"no.such"}'] * (MOST_USELESS // 2))
    told = [wire.closed]
    scene.says(wire, {"type": "connection.validate"}, initiate())
    told.append(wire.closed)
    assert told == [None, 1008]
    assert scene.status().conversations == ()
    assert counted("tieline_bad_frames_total", leg="admission", reason="flood") - before == 1


def test_what_a_socket_sends_after_its_time_limit_is_ignored_and_logged_once(scene: Scene) -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(line.record["message"]), level="WARNING")
    wire = scene.opens(address="203.0.113.7")
    scene.mailboxes.advance(FIRST_TEXT_LIMIT_S * 1000)
    assert wire.closed == 1008
    for _ in range(5):
        scene.told(FirstText(wire, b"{}"), FirstText(wire, json.dumps(initiate()).encode()))
    logger.remove(sink)
    assert lines == ["a socket is closed"]
    assert scene.status().conversations == ()


def test_names_of_any_length_are_cut(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    before, bots = counted("tieline_cut_short_total", what="name"), Folders("linden")
    scene = Scene(mailboxes, engine, bots=bots)
    scene.opens(initiate(botName="b" * 1000, caller="+" * 1000))
    assert described(scene).caller == "+" * NAME_CHARS
    assert bots.arrivals[0].bot_name == "b" * NAME_CHARS
    assert counted("tieline_cut_short_total", what="name") - before == 2


# --- which bot answers ---


def test_the_bot_is_chosen_for_each_call_by_what_is_known_when_it_arrives(
    mailboxes: WaitingDispatcher, engine: Engine
) -> None:
    bots = Folders("linden", "dental")
    scene = Scene(mailboxes, engine, bots=bots)
    scene.opens(initiate("c-1"))
    scene.opens(initiate("c-2"), path="/dental")
    assert [(each.bot, each.bot_digest) for each in (described(scene), described(scene, "c-2"))] == [
        ("linden", "1"),
        ("dental", "1"),
    ]
    assert bots.arrivals[1] == Arrival("/dental", "practice", "", "+4930123", "c-2")


def test_a_call_for_which_there_is_no_bot_is_refused(
    mailboxes: WaitingDispatcher, engine: Engine, log_lines: list[str]
) -> None:
    before = counted("tieline_calls_refused_total", reason="no_bot_for_this_call")
    scene = Scene(mailboxes, engine, bots=Folders("linden"))
    assert refusal(scene.opens(initiate(), path="/dental")) == "no bot for this call"
    assert counted("tieline_calls_refused_total", reason="no_bot_for_this_call") - before == 1
    assert "'path': '/dental', 'bot_name': 'practice', 'dialled': ''" in "".join(log_lines)
    assert scene.status().conversations == ()


@pytest.mark.parametrize(
    ("formats", "answer"),
    [
        (("raw/mulaw", "raw/lpcm16_24"), {"type": "session.accepted", "mediaFormat": "raw/mulaw"}),
        (("raw/lpcm16_8",), {"type": "session.error", "reason": "no common media format"}),
    ],
)
def test_a_bot_that_names_its_formats_is_spoken_to_in_one_of_them_or_not_at_all(
    mailboxes: WaitingDispatcher, engine: Engine, formats: tuple[str, ...], answer: dict[str, str]
) -> None:
    bots = Folders("linden")
    bot = a_bot("linden", "1")
    bots.present_bots["linden"] = replace(bot, profile=replace(bot.profile, media_formats=formats))
    wire = Scene(mailboxes, engine, bots=bots).opens(initiate())
    assert wire.frames[0] == {"conversationId": "c-1", **answer}


def test_a_new_version_is_for_new_calls(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    bots = Folders("linden")
    scene = Scene(mailboxes, engine, bots=bots)
    scene.opens(initiate("c-1"))
    bots.present_bots["linden"] = a_bot("linden", "2")
    scene.opens(initiate("c-2"))
    assert [described(scene, each).bot_digest for each in ("c-1", "c-2")] == ["1", "2"]


def test_a_version_is_let_go_of_with_its_last_call(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    bots = Folders("linden")
    scene = Scene(mailboxes, engine, bots=bots)
    wire = scene.opens(initiate())
    version = ref(bots.present_bots["linden"])
    bots.present_bots["linden"] = a_bot("linden", "2")
    gc.collect()
    assert version() is not None
    scene.ends(wire)
    mailboxes.until(lambda: not scene.status().conversations)
    gc.collect()
    assert version() is None


def left_call(engine: Engine) -> None:
    """Another process has left a call in version 1 of the bot linden."""
    leases = Leases(engine, "there")
    leases.open("c-1", "", {"bot": "linden", "bot_digest": "1", "caller": "+4930123", "media": "raw/lpcm16"})


def taken_over(scene: Scene) -> CallRecord:
    """Resume that call here."""
    wire = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    scene.mailboxes.until(lambda: bool(wire.frames))
    return described(scene)


def test_a_call_taken_over_goes_on_in_the_version_it_began_in(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    left_call(engine)
    bots = Folders("linden")
    bots.present_bots["linden"] = a_bot("linden", "2")
    bots.versions["linden", "1"] = a_bot("linden", "1")
    record = taken_over(Scene(mailboxes, engine, bots=bots))
    assert (record.bot, record.bot_digest) == ("linden", "1")
    assert bots.asked == [("linden", "1")]


@pytest.mark.parametrize(("media", "accepted"), [("", {}), ("raw/mulaw", {"mediaFormat": "raw/mulaw"})])
def test_a_call_in_writing_goes_on_in_writing_where_it_is_taken_over(
    mailboxes: WaitingDispatcher, engine: Engine, media: str, accepted: dict[str, str]
) -> None:
    opening = {"bot": "practice", "caller": "+4930123", "media": media, "text": True}
    Leases(engine, "there").open("c-1", "", opening)
    scene = Scene(mailboxes, engine)
    wire = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    scene.mailboxes.until(lambda: bool(wire.frames))
    assert wire.frames == [{"type": "session.accepted", "conversationId": "c-1"} | accepted]
    assert asked_for_text(scene)


def test_a_call_whose_version_cannot_be_had_goes_on_in_the_present_one(
    mailboxes: WaitingDispatcher, engine: Engine, log_lines: list[str]
) -> None:
    left_call(engine)
    bots = Folders("dental", "linden")
    bots.present_bots["linden"] = a_bot("linden", "2")
    assert taken_over(Scene(mailboxes, engine, bots=bots)).bot_digest == "2"
    assert "the call goes on in another version of its bot" in "".join(log_lines)


def test_a_call_of_the_release_before_goes_on_with_the_bot_of_its_route(
    mailboxes: WaitingDispatcher, engine: Engine
) -> None:
    Leases(engine, "there").open("c-1", "", {"bot": "front-desk", "media": "raw/lpcm16"})
    assert taken_over(Scene(mailboxes, engine, bots=Folders("dental", "linden"))).bot == "dental"


def test_a_call_whose_bot_is_gone_is_given_back(mailboxes: WaitingDispatcher, engine: Engine) -> None:
    left_call(engine)
    scene = Scene(mailboxes, engine, bots=Folders())
    wire = scene.opens({"type": "session.resume", "conversationId": "c-1"})
    scene.mailboxes.until(lambda: bool(wire.frames))
    assert refusal(wire) == "unknown conversation"


# --- by the number that was dialled ---


def started(callee: str | None = "+4930555001") -> dict[str, object]:
    parameters = {} if callee is None else {"callee": callee}
    activity = {"type": "event", "name": "start", "parameters": parameters}
    return {"type": "activities", "conversationId": "c-1", "activities": [activity]}


@pytest.fixture
def bots() -> Folders:
    return Folders("linden", "dental")


@pytest.fixture
def by_number(mailboxes: WaitingDispatcher, engine: Engine, bots: Folders) -> Scene:
    bots.numbers, bots.by_number = {"+4930555001": "dental"}, True
    return Scene(mailboxes, engine, bots=bots)


def test_a_call_whose_bot_depends_on_the_dialled_number_waits_for_its_start(by_number: Scene) -> None:
    wire = by_number.opens(initiate(), {"type": "userStream.start", "conversationId": "c-1"})
    assert wire.types() == ["session.accepted"]
    assert by_number.status().conversations == ()
    by_number.says(wire, started())
    # What came before is not lost, and the session is accepted once.
    assert wire.types() == ["userStream.started", "activities"]
    assert described(by_number).bot == "dental"


@pytest.mark.parametrize("callee", [None, "+4930555002"])
def test_a_start_without_a_number_or_with_another_one_goes_by_what_else_is_known(
    by_number: Scene, callee: str | None
) -> None:
    by_number.opens(initiate(), started(callee))
    assert described(by_number).bot == "linden"


def test_a_call_without_a_start_begins_without_the_number(by_number: Scene) -> None:
    wire = by_number.opens(initiate())
    by_number.mailboxes.advance(1000 * AWAIT_START_S)
    assert described(by_number).bot == "linden"
    by_number.says(wire, started())
    assert described(by_number).bot == "linden"
    assert wire.types() == ["session.accepted", "activities"]


def test_a_socket_lost_before_the_start_leaves_a_call_that_can_be_resumed(by_number: Scene) -> None:
    by_number.opens(initiate()).breaks()
    by_number.mailboxes.drain()
    assert by_number.status().conversations == ("c-1",)
    again = by_number.opens({"type": "session.resume", "conversationId": "c-1"})
    assert again.types() == ["session.accepted"]


def test_a_caller_who_leaves_before_the_start_has_a_record(by_number: Scene) -> None:
    wire = by_number.opens(initiate())
    by_number.ends(wire)
    by_number.mailboxes.until(lambda: by_number.has_written().record("c-1") is not None)


def test_what_is_sent_before_the_start_is_kept_within_bounds(by_number: Scene) -> None:
    wire = by_number.opens(initiate())
    for _ in range(MOST_KEPT):
        by_number.says(wire, {"type": "userStream.start", "conversationId": "c-1"})
    assert by_number.status().conversations == ("c-1",)


def test_a_conversation_that_waits_for_its_start_counts_as_in_progress(by_number: Scene) -> None:
    by_number.opens(initiate())
    assert refusal(by_number.opens(initiate())) == "conversation already in progress"
    for number in (2, 3):
        by_number.opens(initiate(f"c-{number}"))
    assert refusal(by_number.opens(initiate("c-4"))) == "too many calls"


def test_a_call_that_waits_for_its_start_is_refused_when_the_process_closes(by_number: Scene) -> None:
    wire = by_number.opens(initiate())
    by_number.told(EndCalls("drained"))
    wire.frames.clear()
    by_number.says(wire, started())
    assert refusal(wire) == "shutting down"


def test_a_resume_that_comes_before_the_start_gets_the_call(by_number: Scene) -> None:
    lost = by_number.opens(initiate(), credential="secret")
    foreign = by_number.opens({"type": "session.resume", "conversationId": "c-1"}, credential="guess")
    by_number.mailboxes.until(lambda: bool(foreign.frames))
    assert refusal(foreign) == "unknown conversation"
    assert by_number.status().conversations == ()
    again = by_number.opens({"type": "session.resume", "conversationId": "c-1"}, credential="secret")
    assert again.types() == ["session.accepted"]
    assert described(by_number).bot == "linden"
    assert lost.closed is not None
    by_number.told(FirstTextOverdue(lost, "no start"))
    assert by_number.status().conversations == ("c-1",)


@pytest.mark.parametrize("event", ["no start", "lost", "start", "claimed"])
def test_a_bug_in_one_sockets_message_drops_that_socket_alone(
    by_number: Scene, bots: Folders, engine: Engine, event: str
) -> None:
    other = by_number.opens(initiate("c-0"), {**started(), "conversationId": "c-0"})
    bots.broken = True
    if event == "claimed":
        Leases(engine, "there").open("c-1", "", {"bot": "gone", "media": "raw/lpcm16"})
        wire = by_number.opens({"type": "session.resume", "conversationId": "c-1"})
    else:
        wire = by_number.opens(initiate())
    match event:
        case "no start":
            by_number.mailboxes.advance(1000 * AWAIT_START_S)
        case "lost":
            wire.breaks()
            by_number.mailboxes.drain()
        case "start":
            by_number.says(wire, started())
        case _:
            by_number.mailboxes.until(lambda: wire.closed is not None)
    assert wire.closed == 1011
    assert (by_number.status().conversations, other.closed) == (("c-0",), None)
    bots.broken = False
    assert by_number.opens(initiate("c-2")).types() == ["session.accepted"], "nothing of it is left"


def test_a_call_that_waits_for_its_start_does_not_end_the_one_that_was_taken_over_meanwhile(
    by_number: Scene, engine: Engine
) -> None:
    opening = {"bot": "linden", "caller": "+4930123", "media": "raw/mulaw"}
    there = Leases(engine, "there")
    there.open("c-1", "", opening)
    with engine.begin():  # SQLite's lock: the claim waits for it
        resumed = by_number.opens({"type": "session.resume", "conversationId": "c-1"})
        waits = by_number.opens(initiate())
    by_number.mailboxes.until(lambda: by_number.status().conversations)
    waits.frames.clear()
    by_number.says(waits, started())
    assert refusal(waits) == "conversation already in progress"
    assert resumed.closed is None
    assert by_number.status().conversations == ("c-1",)
