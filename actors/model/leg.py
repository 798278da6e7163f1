"""The model's place in a call: who speaks there, for how long it may be empty, and who comes next.

Not an actor: a part of a call's supervisor, which decides what an empty place means for the call.
May import: actors, protocols, pykka, the standard library.
Rules from: docs/specs/openai-realtime.md 1.3, 1.4, 4.7, 4.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from itertools import count

import pykka

from actors import policies
from actors.messages.call import (
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    CallMessage,
    CallTimer,
    CallTimerKey,
    FunctionCalled,
    ModelReady,
    SpeechFact,
)
from actors.messages.model import CallerAudio, ModelSocketMessage, Retire, TakeOver
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import AwaitWords, CallerFellSilent, VaicSocketMessage
from actors.metrics import SESSIONS_RENEWED
from actors.model.audio_buffer import AudioBuffer, Utterance
from actors.model.session import OpenAISocket
from actors.policies import MODEL, POLICIES
from actors.services import Services
from actors.system.address import Address, ParentLink, StableRef
from actors.system.restart import Escalate
from actors.system.signals import ChildDied
from actors.system.supervisor import Supervisor
from actors.system.timeouts import NamedTimers
from protocols.errors import ModelRefused
from protocols.media import MediaFormat, decoded_bytes

# What is left of a session's life when its successor is dialled: in s, and at most this share of it.
RENEW_MARGIN_S, RENEW_MARGIN = 60.0, 0.5


class Loss(Enum):
    """What the end of a session means for its call."""

    NONE = "none"  # it did not hold the place: it stood by, was told to go, or was replaced before
    LOST = "lost"  # another one will hold it
    FINAL = "final"  # there is to be no model any more


class ModelRef(StableRef[ModelSocketMessage]):
    """While nobody there can hear, the caller's audio is kept; so is an utterance that was not understood yet.

    media: the model's format. caller_speaks: as far as whoever had the place has told.
    """

    __slots__ = ("_hears", "_kept", "_utterance", "caller_speaks")

    def __init__(self, media: MediaFormat) -> None:
        super().__init__()

        def length_ms(payload: str) -> float:
            return decoded_bytes(payload) / media.bytes_per_ms

        self._kept, self._utterance = AudioBuffer(length_ms), Utterance(length_ms)
        self._hears = self.caller_speaks = False

    def tell(self, message: ModelSocketMessage, /) -> None:
        if isinstance(message, CallerAudio):
            if not self._hears:
                self._kept.append(message.payload)
                return
            self._utterance.append(message.payload)
        super().tell(message)

    def note(self, fact: SpeechFact | FunctionCalled) -> None:
        """What the model has told: a turn of the caller's that it has made something of was understood."""
        match fact:
            case CallerSpeaks():
                self.caller_speaks = fact.began
                if fact.began:
                    self._utterance.begin()
            case CallerSaid() | BotSaid() | FunctionCalled():
                self._utterance.forget()
            case _:
                pass

    def hears(self, whether: bool) -> bool:
        """Whoever has the place can hear: what was not understood goes there first, and what was kept. Or nobody can.

        Returns whether an utterance is said again.
        """
        self._hears = whether
        said_again = self._utterance.take() if whether else []
        if whether:
            for payload in (*said_again, *self._kept.take()):
                super().tell(CallerAudio(payload))
        return bool(said_again)


class ModelLeg:
    """seat: where the rest of the call finds the model. side: the call as a session is to know it, just now."""

    def __init__(
        self,
        services: Services,
        ref: ModelRef,
        children: Supervisor,
        timers: NamedTimers[CallTimerKey],
        call: Address[CallMessage],
        vaic: Address[VaicSocketMessage],
        config: Callable[[], ModelSessionConfig],
    ) -> None:
        self._ref = ref
        self._services = services
        self._children = children
        self._timers = timers
        self._call = call
        self._vaic = vaic
        self._config = config
        self._log = children.log
        self._numbers = count(1)
        self._name = self._next = ""  # of the child that has the place, and of the one that stands by
        self._next_ready = False

    def start(self) -> None:
        """Dial."""
        self._timers.start(CallTimer.MODEL, policies.MODEL_LIMIT_S)
        self._vaic.tell(AwaitWords(due=True))
        self._name = f"{MODEL}:{next(self._numbers)}"
        self._children.start(self._name, self._ref, POLICIES[MODEL], self._dial)

    def stop(self) -> None:
        """There is to be no model any more."""
        self._timers.cancel(CallTimer.MODEL)
        self._timers.cancel(CallTimer.RENEW)
        self._children.stop(self._name)
        self._children.stop(self._next)

    def ready(self, session: ModelReady) -> bool:
        """A session is configured. Returns whether what the caller said last is said to it again."""
        if session.standby:
            self._next_ready = True
            self._ref.tell(Retire())
            return False
        self._timers.cancel(CallTimer.MODEL)
        said_again = self._ref.hears(True)
        self._vaic.tell(AwaitWords(due=False))
        if session.expires_at is not None:
            left_s = session.expires_at - self._services.now().timestamp()
            self._timers.start(CallTimer.RENEW, max(left_s - RENEW_MARGIN_S, left_s * RENEW_MARGIN, 0.0))
        return said_again

    def renew(self) -> None:
        """The session will end before long: have another stand by."""
        self._next, self._next_ready = f"{MODEL}:{next(self._numbers)}", False
        self._children.start(self._next, StableRef(), POLICIES[MODEL], self._dial)

    def died(self, death: ChildDied) -> Loss:
        """One of the children of this place has ended."""
        if death.child == self._name and self._next_ready:
            return self._promote(death)
        refused = isinstance(death.reason, ModelRefused) and self._children.unlink(death)
        verdict = None if refused else self._children.died(death)
        for_good = refused or isinstance(verdict, Escalate)
        if death.child != self._name:
            self._next_ready = self._next_ready and death.child != self._next
            if for_good:
                self._log.warning("no session stands by", reason=repr(death.reason))
            return Loss.NONE
        if for_good:
            return Loss.FINAL
        if verdict is None:
            return Loss.NONE
        self._ref.hears(False)
        if self._ref.caller_speaks:
            self._ref.caller_speaks = False
            self._vaic.tell(CallerFellSilent())
        self._timers.start_once(CallTimer.MODEL, policies.MODEL_LIMIT_S)
        self._vaic.tell(AwaitWords(due=True))
        return Loss.LOST

    def _promote(self, death: ChildDied) -> Loss:
        if not self._children.unlink(death):
            return Loss.NONE
        SESSIONS_RENEWED.inc()
        self._log.info("model session renewed")
        self._children.rebind(self._next, self._ref)
        self._name, self._next, self._next_ready = self._next, "", False
        self._ref.tell(TakeOver(self._config()))
        return Loss.LOST

    def _dial(self, parent_link: ParentLink) -> pykka.ActorRef[OpenAISocket]:
        # Asked at every start: one that stood by at first may have the call when it is restarted.
        standby = parent_link.child == self._next
        config = replace(self._config(), standby=standby)
        return OpenAISocket.start(parent_link, config, self._services.dialler, self._call, self._vaic)
