"""Sessions of the model that no call has: whether it accepts again what it has refused several calls in a session.

The circuit breaker asks for one when that is due, and hears of it what it would hear of a call's; so nobody has to call
for it to be closed.
May import: actors, protocols, pykka, the standard library. Rules from: docs/specs/reliability.md 3.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pykka

from actors.bots import Bot
from actors.messages.call import CallMessage, ModelReady, ResponseEnded
from actors.messages.model import ModelSocketMessage, Speak
from actors.messages.model_config import ModelSessionConfig
from actors.messages.switchboard import ProbeModel
from actors.model.ears import may_dial
from actors.model.session import OpenAISocket
from actors.policies import PROBE_POLICY
from actors.services import SharedServices
from actors.system.address import NullRef, ParentLink, StableRef
from actors.system.supervisor import Supervisor
from actors.tasks.router import opening_tools

PROBE = "probe"
# As short an answer as can be had: it is billed.
ASKED = "Say yes, and nothing else."


class _NoCall:
    """In place of a session's call. session: its address. answers: whether an answer is what was refused. over: ends
    the session.
    """

    def __init__(self, session: StableRef[ModelSocketMessage], answers: bool, over: Callable[[], None]) -> None:
        self._session, self._answers, self._over = session, answers, over

    def tell(self, message: CallMessage, /) -> None:
        match message:
            case ModelReady() if self._answers:
                self._session.tell(Speak(ASKED))
            case ModelReady() | ResponseEnded():
                self._over()
            case _:
                pass


class ModelProbes:
    """Starts such sessions as children of an actor. They end by themselves, at the latest when they are overdue."""

    def __init__(self, services: SharedServices, children: Supervisor) -> None:
        self._services, self._children = services, children
        self._numbers = count(1)
        self._begun: list[str] = []

    def begin(self, message: ProbeModel) -> None:
        """Nothing if no bot's new calls have these settings any more."""
        profiles = self._services.bots.profiles()
        settings = message.purpose.settings
        profile = next((each for each in profiles if may_dial(each, settings)), None)
        if profile is None or settings is None:
            return
        config = ModelSessionConfig(
            conversation_id=PROBE,
            media=message.purpose.media,
            settings=settings,
            instructions=self._services.of(Bot(PROBE, "", profile)).instructions(""),
            tools=opening_tools(profile),
        )
        session = StableRef[ModelSocketMessage]()
        name = f"{PROBE}:{next(self._numbers)}"
        call = _NoCall(session, message.answers, lambda: self._children.stop(name))

        def start(link: ParentLink) -> pykka.ActorRef[OpenAISocket]:
            return OpenAISocket.start(link, config, self._services.dialler, call, NullRef())

        self._begun = [each for each in self._begun if each in self._children] + [name]
        self._children.start(name, session, PROBE_POLICY, start)

    def stop(self) -> None:
        """The process leaves."""
        for name in self._begun:
            self._children.stop(name)
