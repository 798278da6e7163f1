"""The model's leg of a call: which session is active, which stands by, and how long the call may be without one.

Not an actor: a part of a call's supervisor, which decides what the loss of the session means for the call.
May import: actors, protocols, pykka, the standard library.
Rules from: docs/specs/openai-realtime.md 1.3, 1.4, 4.7, 4.8.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count

import pykka

from actors import policies
from actors.messages.call import (
    CallMessage,
    CallTimer,
    CallTimerKey,
    ModelReady,
)
from actors.messages.model import Retire, TakeOver
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import AwaitWords, CallerFellSilent, VaicSocketMessage
from actors.metrics import RENEWALS_DELAYED, SESSIONS_RENEWED
from actors.model.audio_buffer import ModelRef
from actors.model.ears import Ears
from actors.model.session import OpenAISocket
from actors.policies import MODEL, POLICIES
from actors.services import Services
from actors.system.address import Address, ParentLink, StableRef
from actors.system.restart import Escalate
from actors.system.signals import ChildDied
from actors.system.supervisor import Supervisor
from actors.system.timeouts import NamedTimers
from protocols.errors import ModelRefused, TransportLost

RENEW_MARGIN_S = 60.0  # a session's remaining life when its successor is dialled
RENEW_SHARE = 0.5  # but at most this share of what is left when it becomes ready


class Loss(Enum):
    """What the end of a session actor means for its call."""

    NONE = "none"  # it was not the active session: it stood by, was told to stop, or was replaced before
    LOST = "lost"  # another session will become active
    FINAL = "final"  # no restart is left


def renew_in_s(left_s: float) -> tuple[float, str]:
    """How long after a session is ready to renew it, and why that is too late for its end ("" if it is not).

    left_s: to its end, by the server's `expires_at` and our clock. Either may be wrong, so there is a floor.
    """
    if left_s <= 0:
        return policies.RENEW_BLIND_S, "past"
    due_s = max(left_s - RENEW_MARGIN_S, left_s * RENEW_SHARE)
    return (due_s, "") if due_s >= policies.RENEW_FLOOR_S else (policies.RENEW_FLOOR_S, "near")


def cause_of(error: BaseException | None) -> str:
    """Why a session has ended, short and the same for all calls that end by it."""
    match error:
        case ModelRefused():
            return error.reason
        case TransportLost():
            return error.reason or f"closed with {error.code}"
        case None:
            return "it has ended"
        case _:
            return type(error).__name__


@dataclass(slots=True)
class _Spare:
    """The standby session. ready: it has reported so, and not ended since."""

    name: str
    ready: bool = False


class ModelLeg:
    """Starts, renews and replaces model sessions. ref: the address the rest of the call uses.

    config: gives the configuration of a session for the call as it is now. ears: of a bot that assists.
    """

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
        self._name = ""  # the active child's
        self._spare: _Spare | None = None
        self._delay_logged = False
        self.cause = ""  # of the loss that is being made good, in a word or two
        self.ears = Ears(services, ref.media, children, call, vaic, config) if services.profile.assists else None
        self._refused: tuple[str, float] | None = None  # the child that was refused and started again last, and when

    def start(self) -> None:
        """Dial the first session."""
        if self.ears is not None:
            self.ears.start()
        self._timers.start(CallTimer.MODEL, policies.MODEL_LIMIT_S)
        self._vaic.tell(AwaitWords(due=True))
        self._name = f"{MODEL}:{next(self._numbers)}"
        self._children.start(self._name, self._ref, POLICIES[MODEL], self._dial)

    def stop(self) -> None:
        """Stop all sessions; none is started again."""
        self._timers.cancel(CallTimer.MODEL)
        self._timers.cancel(CallTimer.RENEW)
        self._children.stop(self._name)
        self._stop_spare()
        if self.ears is not None:
            self.ears.stop()

    @property
    def gone(self) -> bool:
        """No session is left to restart, or none has come in time."""
        return self._name not in self._children or not (self._ref.live or CallTimer.MODEL in self._timers)

    def ready(self, session: ModelReady) -> bool:
        """A session is configured. Returns whether the caller's last utterance was sent to it again."""
        if session.standby:
            # A session that was given up may have reported ready before it ended.
            if self._spare is not None and self._spare.name == session.child:
                self._spare.ready = True
                self._ref.tell(Retire())
            return False
        self._timers.cancel(CallTimer.MODEL)
        self.cause = ""
        said_again = self._ref.hears(True)
        self._vaic.tell(AwaitWords(due=False))
        if session.expires_at is not None:
            self._renew_before(session.expires_at)
        return said_again

    def _renew_before(self, expires_at: float) -> None:
        left_s = expires_at - self._services.now().timestamp()
        due_s, delayed = renew_in_s(left_s)
        if delayed:
            RENEWALS_DELAYED.labels(delayed).inc()
            if not self._delay_logged:
                self._delay_logged = True
                self._log.warning(
                    "the model session expires at once by the server's clock", left_s=round(left_s), renewed_in_s=due_s
                )
        self._timers.start(CallTimer.RENEW, due_s)

    def renew(self) -> None:
        """The active session expires soon: start a standby session, which replaces an earlier one."""
        self._stop_spare()
        self._spare = _Spare(f"{MODEL}:{next(self._numbers)}")
        self._children.start(self._spare.name, StableRef(), POLICIES[MODEL], self._dial)

    def _stop_spare(self) -> None:
        if self._spare is not None:
            self._children.stop(self._spare.name)
            self._spare = None

    def died(self, death: ChildDied) -> Loss:
        """One of this leg's session actors has ended."""
        if death.child == self._name and self._spare is not None and self._spare.ready:
            return self._promote(death, self._spare.name)
        refused = (
            isinstance(death.reason, ModelRefused)
            and not self._tries_again(death.child)
            and self._children.unlink(death)
        )
        verdict = None if refused else self._children.died(death)
        for_good = refused or isinstance(verdict, Escalate)
        if death.child != self._name:
            if self._spare is not None and death.child == self._spare.name:
                self._spare.ready = False
                if for_good:
                    self._spare = None
                    self._log.warning("the standby session could not be opened", reason=death.reason)
            return Loss.NONE
        if for_good or verdict is not None:
            self.cause = cause_of(death.reason)
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

    def _tries_again(self, child: str) -> bool:
        """Whether a refusal is tried once more: the next connection may lead to another node of the model's."""
        now_s = self._children.now_ms() / 1000
        if self._refused is not None and self._refused[0] == child and now_s - self._refused[1] < policies.REFUSAL_S:
            return False
        self._refused = child, now_s
        return True

    def _promote(self, death: ChildDied, successor: str) -> Loss:
        if not self._children.unlink(death):
            return Loss.NONE
        self.cause = ""
        SESSIONS_RENEWED.inc()
        self._log.info("model session renewed")
        self._children.rebind(successor, self._ref)
        self._name, self._spare = successor, None
        self._ref.tell(TakeOver(self._config()))
        return Loss.LOST

    def _dial(self, parent_link: ParentLink) -> pykka.ActorRef[OpenAISocket]:
        # Evaluated at every start: a session that stood by may be the active one when it is restarted.
        standby = self._spare is not None and parent_link.child == self._spare.name
        config = replace(self._config(), standby=standby)
        return OpenAISocket.start(parent_link, config, self._services.dialler, self._call, self._vaic)
