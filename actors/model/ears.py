"""The ears of a bot that assists: a model session for each of the two parties, which transcribes and never answers.

Not an actor: a part of a call's supervisor.
May import: actors, protocols, pykka, the standard library. Rules from: docs/specs/vaic-streaming.md 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pykka

from actors.bots import BotProfile, ModelSettings
from actors.messages.call import CallerSaid, CallMessage, ModelReady, PartyTranscribed
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import Overheard, OverheardMessage, VaicSocketMessage
from actors.model.audio_buffer import ModelRef
from actors.model.session import OpenAISocket
from actors.policies import EAR, POLICIES
from actors.services import Services
from actors.system.address import Address, ParentLink, send
from actors.system.signals import ChildDied
from actors.system.supervisor import Supervisor
from protocols.limits import MOST_PARTICIPANTS
from protocols.media import MediaFormat
from protocols.realtime.objects import ServerVad


class _ToVaic:
    """Passes on what one ear tells the VAIC session of a call."""

    def __init__(self, ear: int, vaic: Address[VaicSocketMessage]) -> None:
        self._ear = ear
        self._vaic = vaic

    def tell(self, message: VaicSocketMessage, /) -> None:
        if isinstance(message, OverheardMessage):
            self._vaic.tell(Overheard(self._ear, message))


class _ToCall:
    """Takes what one ear tells its call: that it hears, and what is billed; its words come by the VAIC session."""

    def __init__(self, ref: ModelRef, call: Address[CallMessage]) -> None:
        self._ref = ref
        self._call = call

    def tell(self, message: CallMessage, /) -> None:
        match message:
            case ModelReady():
                self._ref.hears(True)
            case CallerSaid(used=used) if used.tokens or used.seconds:
                send(self._call, PartyTranscribed(used))
            case _:
                pass


def only_hearing(settings: ModelSettings) -> ModelSettings:
    """The settings of a session that never speaks, from those of a bot's."""
    detection = settings.turn_detection.model_copy(update={"create_response": False, "interrupt_response": False})
    if isinstance(detection, ServerVad):  # after which the server would speak by itself
        detection = detection.model_copy(update={"idle_timeout_ms": None})
    return replace(settings, turn_detection=detection, mcp=(), prompt=None)


def may_dial(profile: BotProfile, settings: ModelSettings | None) -> bool:
    """Whether new calls of a bot have sessions with these settings."""
    return settings == profile.model or (profile.assists and settings == only_hearing(profile.model))


class Ears:
    """Starts the sessions; one that ends is started again. refs: take each party's audio, for the whole call.

    config: of a session of the call as it is now.
    """

    def __init__(
        self,
        services: Services,
        media: MediaFormat,
        children: Supervisor,
        call: Address[CallMessage],
        vaic: Address[VaicSocketMessage],
        config: Callable[[], ModelSessionConfig],
    ) -> None:
        self._services = services
        self._call = call
        self._children = children
        self._vaic = vaic
        self._config = config
        self.refs = tuple(ModelRef(media) for _ in range(MOST_PARTICIPANTS))

    def start(self) -> None:
        for ear, ref in enumerate(self.refs):
            self._children.start(f"{EAR}:{ear}", ref, POLICIES[EAR], self._dial(ear, ref))

    def stop(self) -> None:
        for ear in range(len(self.refs)):
            self._children.stop(f"{EAR}:{ear}")

    def died(self, death: ChildDied) -> None:
        """One of them has ended. The call goes on, and so does the other."""
        self.refs[int(death.child.rpartition(":")[2])].hears(False)
        self._children.died(death)

    def _dial(self, ear: int, ref: ModelRef) -> Callable[[ParentLink], pykka.ActorRef[OpenAISocket]]:
        to_call, to_vaic = _ToCall(ref, self._call), _ToVaic(ear, self._vaic)

        def dial(parent_link: ParentLink) -> pykka.ActorRef[OpenAISocket]:
            return OpenAISocket.start(parent_link, self._only_hears(), self._services.dialler, to_call, to_vaic)

        return dial

    def _only_hears(self) -> ModelSessionConfig:
        base = self._config()
        return ModelSessionConfig(
            conversation_id=base.conversation_id,
            media=base.media,
            settings=only_hearing(base.settings),
            instructions="",
            tools=(),
            text=True,
            only_hears=True,
        )
