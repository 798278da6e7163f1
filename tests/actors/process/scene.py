"""A switchboard by itself, for tests that inject messages and sockets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pykka
from sqlalchemy import Engine

from actors.messages.call import Describe
from actors.messages.journal import AppendRow
from actors.messages.journal_rows import JournalEntry, ResumedRow
from actors.messages.switchboard import (
    AdmissionRequest,
    FindCall,
    GetStatus,
    JournalLost,
    Peer,
    SwitchboardStatus,
    WireOpened,
)
from actors.process.journal_writer import JournalWriter
from actors.process.switchboard import Switchboard
from actors.system.address import NullRef, ParentLink
from actors.system.signals import ChildDied
from store.journal import CallRecord, Journal
from store.leases import Leases
from tests.actors.calls import BEGAN, FakeDialler, FakeWire, WaitingDispatcher, call_services, living
from tests.probe import Probe

FORMATS = ["raw/mulaw", "raw/lpcm16_24"]


def initiate(conversation_id: str = "c-1", **more: object) -> dict[str, object]:
    return {
        "type": "session.initiate", "conversationId": conversation_id, "botName": "practice", "caller": "+4930123",
        "expectAudioMessages": True, "supportedMediaFormats": FORMATS, **more,
    }  # fmt: skip


class Asking:
    """A socket that asks to be upgraded."""

    def __init__(self) -> None:
        self.answer = ""

    def admit(self) -> None:
        self.answer = "admitted"

    def refuse(self, reason: str) -> None:
        self.answer = reason


class Scene:
    """A real Switchboard with a real journal; the wires to VAIC and the model have no sockets.

    services: fields to replace in the Services.
    """

    def __init__(self, mailboxes: WaitingDispatcher, engine: Engine, max_calls: int = 3, **services: Any) -> None:
        self.mailboxes, self.dialler = mailboxes, FakeDialler()
        self.journal = Journal(engine)
        ours = replace(call_services(mailboxes, NullRef(), self.dialler), **services)
        self.bots = ours.bots
        self.leases = Leases(engine, "here")
        self.parent = Probe[ChildDied | JournalLost]("parent")
        link = ParentLink(self.parent, "switchboard")
        self.clock_s = 0.0
        self.ref = Switchboard.start(ours, self.journal, self.leases, max_calls, link, lambda: self.clock_s)
        mailboxes.drain()

    def told(self, *messages: object) -> None:
        for message in messages:
            self.ref.tell(message)
        self.mailboxes.drain()

    def opens(
        self,
        *frames: dict[str, object] | bytes,
        credential: str = "",
        others: tuple[str, ...] = (),
        address: str = "",
        path: str = "/",
    ) -> FakeWire:
        """Open a new socket of VAIC's, and send its first frames. credential, others, address, path: see Peer."""
        wire = FakeWire()
        self.told(WireOpened(wire, Peer(address, credential, others, path)))
        self.says(wire, *frames)
        return wire

    def says(self, wire: FakeWire, *frames: dict[str, object] | bytes) -> None:
        for frame in frames:
            wire.receives(frame)
        self.mailboxes.drain()

    def asks_admission(self) -> str:
        """What a socket that asks to be upgraded is answered."""
        asking = Asking()
        self.told(AdmissionRequest(asking))
        return asking.answer

    def ends(self, wire: FakeWire, conversation_id: str = "c-1") -> None:
        self.says(wire, {"type": "session.end", "conversationId": conversation_id, "reasonCode": "client-disconnected"})

    def asked(self, message: object) -> Any:
        answer = self.ref.ask(message, block=False)
        self.mailboxes.drain()
        return answer.get(timeout=60)

    def status(self) -> SwitchboardStatus:
        status = self.asked(GetStatus())
        assert isinstance(status, SwitchboardStatus)
        return status

    def writer(self) -> pykka.ActorRef[JournalWriter]:
        (writer,) = living(JournalWriter)
        return writer

    def has_written(self) -> Journal:
        """The journal, once all that its writer was told so far is in the database."""
        self.writer().ask(AppendRow(JournalEntry("-", 1, BEGAN, ResumedRow())), timeout=60)
        return self.journal


def refusal(wire: FakeWire) -> str:
    """Why a socket was refused."""
    (error,) = wire.frames
    assert error["type"] == "session.error"
    return str(error["reason"])


def described(scene: Scene, conversation_id: str = "c-1") -> CallRecord:
    """The record of a call in progress, so far."""
    answer = scene.asked(FindCall(conversation_id)).ask(Describe(), block=False)
    scene.mailboxes.drain()
    record = answer.get(timeout=60)
    assert isinstance(record, CallRecord)
    return record
