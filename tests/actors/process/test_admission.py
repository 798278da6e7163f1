"""Sockets without a call: their messages go to the switchboard, and the conversation id in them to the log."""

from __future__ import annotations

import pytest

from actors.messages.switchboard import FirstText, SwitchboardMessage, WireLeft
from actors.process.admission import PendingInbox, conversation_of
from actors.transport.websocket import WireClosed, WireText
from tests.actors.calls import FakeWire
from tests.probe import Probe


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b'{"type":"x","conversationId":"c-1"}', "c-1"),
        (b'{"conversationId":"c-1","type":', "c-1"),
        (b'{"conversationId":"' + b"c" * 500 + b'"}', "c" * 100),
        (b'{"conversationId":7}', "-"),
        (b'{"type":"x"}', "-"),
        (b'["conversationId"]', "-"),
        (b"\xff\xfe", "-"),
        (b"", "-"),
    ],
)
def test_the_conversation_is_named_as_far_as_the_frame_can_be_read(data: bytes, named: str) -> None:
    assert conversation_of(data) == named


def test_what_arrives_is_forwarded_with_its_wire() -> None:
    wire, switchboard = FakeWire(), Probe[SwitchboardMessage]("switchboard")
    inbox = PendingInbox(wire, switchboard)
    inbox.tell(WireText(b"{}"))
    inbox.tell(WireClosed(1006, ""))
    assert switchboard.arrived == [FirstText(wire, b"{}"), WireLeft(wire)]
