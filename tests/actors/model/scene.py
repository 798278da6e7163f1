"""One model session with an in-memory wire, and probes for all other actors: shared by the tests of the model's leg."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.bots import ModelSettings
from actors.messages.call import CallMessage, ModelReady
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import VaicSocketMessage
from actors.model.session import OpenAISocket
from actors.system.address import Address, ParentLink
from actors.system.signals import ChildDied
from actors.transport.circuit import Milestone
from actors.transport.dialler import DialFailed, Dialled, Purpose
from fsm.spec import ToolSpec
from protocols.media import LPCM16_24, MediaFormat
from protocols.realtime.objects import NewItem, Transcription
from tests.actors.calls import FakeWire
from tests.cranked import CrankedDispatcher
from tests.probe import Probe

MS_100 = "A" * 6400
TOOL = ToolSpec("book", "Books.", {"type": "object", "properties": {}})


MODEL = ModelSettings("marin", Transcription(model="whisper-1"))


class FakeDialler:
    """A dialler that does not connect: the test sends the outcome."""

    def __init__(self) -> None:
        self.callers: list[Address[Dialled | DialFailed]] = []
        self.tripped = ""
        self.worked_up_to: Milestone | None = None
        self.refused_settings: tuple[str, ...] = ()

    def dial(self, caller: Address[Dialled | DialFailed], purpose: Purpose, /) -> None:
        self.callers.append(caller)

    def refused(self, reason: str, purpose: Purpose, step: Milestone, /) -> None:
        self.tripped = reason

    def worked(self, step: Milestone, purpose: Purpose, /) -> None:
        self.worked_up_to = step

    def turns_away(self, settings: ModelSettings | None, /) -> bool:
        return False

    def did_without(self, paths: Iterable[str], purpose: Purpose, /) -> None:
        self.refused_settings = tuple(paths)

    def left_out(self, purpose: Purpose, /) -> tuple[str, ...]:
        return self.refused_settings


class Scene:
    """One OpenAISocket with its wire, and probes for everyone else."""

    def __init__(
        self,
        mailboxes: CrankedDispatcher,
        media: MediaFormat = LPCM16_24,
        history: tuple[NewItem, ...] = (),
        settings: ModelSettings = MODEL,
        **more: Any,
    ) -> None:
        self.mailboxes = mailboxes
        self.wire, self.dialler = FakeWire(), FakeDialler()
        self.call, self.vaic = Probe[CallMessage]("call"), Probe[VaicSocketMessage]("vaic")
        self.parent = Probe[ChildDied]("parent")
        self.config = ModelSessionConfig("c-1", media, settings, "Be kind.", (TOOL,), history, **more)
        self.model = OpenAISocket.start(
            ParentLink(self.parent, "model"), self.config, self.dialler, self.call, self.vaic
        )
        mailboxes.drain()

    def dialled(self) -> Scene:
        self.dialler.callers[0].tell(Dialled(self.wire))
        self.mailboxes.drain()
        return self

    def live(self) -> Scene:
        self.dialled()
        self.event("session.created", session={"type": "realtime"})
        self.event("session.updated", session={"type": "realtime"})
        self.call.expect(ModelReady)
        self.wire.frames.clear()
        return self

    def event(self, kind: str, **fields: Any) -> None:
        self.wire.receives({"type": kind, "event_id": "e", **fields})
        self.mailboxes.drain()

    def delta(self, response: str = "r-1", item: str = "i-1", payload: str = MS_100) -> None:
        self.event("response.output_audio.delta", response_id=response, item_id=item, output_index=0,
                   content_index=0, delta=payload)  # fmt: skip

    def created(self, response: str = "r-1") -> None:
        self.event("response.created", response={"id": response, "status": "in_progress"})

    def done(self, response: str = "r-1", status: str = "completed", **more: Any) -> None:
        self.event("response.done", response={"id": response, "status": status, **more})

    def function_call(self, response: str = "r-1", call_id: str = "call-1", status: str = "completed") -> None:
        item = {"id": f"fc-{call_id}", "type": "function_call", "status": status, "call_id": call_id,
                "name": "book", "arguments": '{"day":"2026-03-05"}'}  # fmt: skip
        self.event("response.output_item.done", response_id=response, output_index=0, item=item)

    def told(self, *messages: object) -> None:
        for message in messages:
            self.model.tell(message)
        self.mailboxes.drain()
