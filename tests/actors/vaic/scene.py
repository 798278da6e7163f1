"""Shared by tests of the VAIC session: the session on a fake wire, with probes for the other actors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from itertools import count

from actors.clips import Clips
from actors.messages.call import CallMessage, VaicReady
from actors.messages.model import ModelSocketMessage
from actors.messages.vaic import BotAudio, BotAudioEnded
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from actors.vaic.config import CallerSessionConfig, SocketOrigin
from actors.vaic.session import VaicSocket
from protocols.media import LPCM16_24, MediaFormat
from tests.actors.calls import CLIPS, FakeWire
from tests.cranked import CrankedDispatcher
from tests.probe import Probe

NOON = "2026-03-04T09:15:00.000Z"
MS_100 = b64encode(b"\x55" * 4800).decode()  # in the model's 24 kHz format
PLAYED: dict[str, object] = {"type": "activities", "activities": [{"type": "event", "name": "playFinished"}]}


class Scene:
    """One VaicSocket, its wire, and probes in place of the other actors."""

    def __init__(
        self,
        mailboxes: CrankedDispatcher,
        origin: SocketOrigin = SocketOrigin.NEW,
        media: MediaFormat = LPCM16_24,
        clips: Clips = CLIPS,
        wire: FakeWire | None = None,
        new_id: Callable[[], str] | None = None,
        text: bool = False,
    ) -> None:
        self.mailboxes = mailboxes
        self.wire = wire or FakeWire()
        self.call, self.model = Probe[CallMessage]("call"), Probe[ModelSocketMessage]("model")
        self.parent = Probe[ChildDied]("parent")
        ids = count(1)
        new_id = new_id or (lambda: f"id-{next(ids)}")
        config = CallerSessionConfig("c-1", media, origin, 0, 400, 1.5, clips, new_id, lambda: NOON, text)
        self.vaic = VaicSocket.start(ParentLink(self.parent, "vaic"), config, self.wire, self.call, self.model)
        mailboxes.drain()
        self.call.expect(VaicReady)

    def hears(self, *frames: dict[str, object] | bytes) -> None:
        """VAIC sends these; the conversation's id is added."""
        for frame in frames:
            self.wire.receives(frame if isinstance(frame, bytes) else {"conversationId": "c-1", **frame})
        self.mailboxes.drain()

    def told(self, *messages: object) -> None:
        """Other actors tell these."""
        for message in messages:
            self.vaic.tell(message)
        self.mailboxes.drain()

    def spoke(self, ms: int = 100) -> None:
        """The bot has spoken and was heard by our clock; VAIC has not confirmed it. ms: in hundreds."""
        self.told(*[BotAudio("spoken", MS_100)] * (ms // 100), BotAudioEnded("spoken"))
        self.mailboxes.advance(ms)

    def activities(self) -> list[tuple[str, dict[str, object]]]:
        """Name and parameters of the activities that VAIC was sent, in order."""
        sent = self.wire.activities()
        assert all(each["type"] == "event" for each in sent)
        return [(each["name"], each.get("activityParams", {})) for each in sent]
