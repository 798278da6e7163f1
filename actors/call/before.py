"""The look-up before a call: who is calling, asked while the model is dialled. The greeting waits for it, briefly.

The table says when the greeting may go out; `CallLookUp` does the asking, on a thread of its own.
May import: actors, fsm, protocols, pydantic, pykka, loguru, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import pykka
from loguru import logger

from actors.bots import DIALLED, OF_START, BeforeCall, known_before
from actors.call.recorder import CallRecorder
from actors.messages.call import CallMessage, CallTimer, CallTimerKey, LookedUp
from actors.messages.journal_rows import JournalEntry, LookedUpRow
from actors.metrics import BEFORE_CALL
from actors.policies import LOOK_UP_POLICY
from actors.services import Services
from actors.system.actor import ThreadActor
from actors.system.address import Address, ParentLink, StableRef, send
from actors.system.supervisor import Supervisor
from actors.system.timeouts import NamedTimers
from actors.tasks.effect_attempts import checked
from fsm.effects import EffectRequest, EffectResult, Failed, Ok, Refused, TaskContext
from protocols.text import text_of
from protocols.transitions import Table, go, never, rows, stay

OK, REFUSED, FAILED = "ok", "refused", "failed"
# The outcome of one that has not ended within its limit.
LATE = "late"
CHILD = "before"
# The parameter of VAIC's `start` with the number that was dialled (docs/specs/vaic-streaming.md 4.2).
CALLEE = "callee"


class Before(Enum):
    UNASKED = "unasked"
    AWAITED = "awaited"
    HOLDS = "holds the greeting"  # the caller is there, and the answer is not
    OVER = "over"  # answered, failed or late; or the caller is greeted without


class BeforeEvent(Enum):
    ASKED = "asked"
    GREETING_DUE = "greeting due"  # VAIC's `start` has come, or is overdue
    DONE = "done"  # answered, failed, or late


class BeforeAction(Enum):
    NOTHING = "nothing"
    GREET = "greet"  # as far as the look-up is concerned


_B, _E, _A = Before, BeforeEvent, BeforeAction

BEFORE: Table[Before, BeforeEvent, BeforeAction] = Table(
    "look-up before the call",
    Before.UNASKED,
    rows(
        go(_B.UNASKED, _E.ASKED, _B.AWAITED, _A.NOTHING),
        go(_B.UNASKED, _E.GREETING_DUE, _B.OVER, _A.GREET),
        go(_B.AWAITED, _E.GREETING_DUE, _B.HOLDS, _A.NOTHING),
        go(_B.AWAITED, _E.DONE, _B.OVER, _A.NOTHING),
        stay(_B.HOLDS, _E.GREETING_DUE, _A.NOTHING),
        go(_B.HOLDS, _E.DONE, _B.OVER, _A.GREET),
        stay(_B.OVER, _E.GREETING_DUE, _A.GREET),
        stay(_B.OVER, _E.DONE, _A.NOTHING),  # an answer that crosses its limit
    ),
    rows(
        never((_B.AWAITED, _B.HOLDS, _B.OVER), _E.ASKED, "a call is asked about once"),
        never(_B.UNASKED, _E.DONE, "nothing was asked"),
    ),
)


class CallLookUp(ThreadActor):
    """Asks once, tells the call LookedUp, and ends. What it raises counts as failed."""

    def __init__(
        self, parent_link: ParentLink, hook: BeforeCall, request: EffectRequest, call: Address[CallMessage]
    ) -> None:
        super().__init__(parent_link)
        self._hook, self._request, self._call = hook, request, call

    def on_start(self) -> None:
        result: EffectResult = Failed("")
        try:
            result = checked(self._hook.look_up(self._request))
        except (Exception, SystemExit):  # noqa: BLE001 - as for the look-ups of tasks: the call goes on without it
            logger.bind(conversation=self._request.context.conversation_id).exception("the look-up before the call")
        match result:
            case Ok():
                # Here: a reply may be long, and the call's own thread is that of all calls.
                send(self._call, LookedUp(OK, known_before(result.values)))
            case Refused():
                send(self._call, LookedUp(REFUSED))
            case _:
                send(self._call, LookedUp(FAILED))
        self.stop()


class LookUpBefore:
    """The look-up before one call. Not an actor: a part of the call's supervisor, which is told LookedUp.

    caller: in E.164. recorder: gets what is found. Without a look-up the greeting waits for nothing.
    """

    def __init__(
        self,
        services: Services,
        conversation_id: str,
        caller: str,
        children: Supervisor,
        timers: NamedTimers[CallTimerKey],
        call: Address[CallMessage],
        recorder: CallRecorder,
    ) -> None:
        self._services = services
        self._hook = services.profile.before_call
        self._conversation_id = conversation_id
        self._caller = caller
        self._children = children
        self._timers = timers
        self._call = call
        self._recorder = recorder
        self._state = BEFORE.start

    def call_began(self) -> None:
        """A new call has begun."""
        if self._hook is not None and not self._hook.needs_start:
            self._ask(self._hook)

    def greeting_due(self, parameters: Mapping[str, object] | None) -> bool:
        """The caller is there. parameters: of VAIC's `start`, which the services know; None without one.

        Returns whether to greet now.
        """
        if self._hook is not None and self._hook.needs_start and self._state is Before.UNASKED and parameters:
            self._ask(self._hook)
        return self._step(BeforeEvent.GREETING_DUE)

    def done(self, looked_up: LookedUp) -> bool:
        """It has ended, one way or another. Returns whether to greet now."""
        if self._state not in (Before.AWAITED, Before.HOLDS):
            return self._step(BeforeEvent.DONE)
        self._timers.cancel(CallTimer.BEFORE)
        if looked_up.outcome == LATE:
            self._children.abandon(CHILD)
        self._services.before.update(looked_up.values)
        BEFORE_CALL.labels(looked_up.outcome).inc()
        self._recorder.looked_up(looked_up)
        log = self._children.log.bind(tool=self._hook.tool if self._hook else "", outcome=looked_up.outcome)
        (log.info if looked_up.outcome in (OK, REFUSED) else log.warning)("look-up before the call")
        return self._step(BeforeEvent.DONE)

    def restore(self, rows: Sequence[JournalEntry]) -> None:
        """Another process has begun the call: it is not asked about again. rows: what that one has left."""
        for entry in rows:
            if isinstance(entry.row, LookedUpRow):
                self._services.before.update(entry.row.values)
        self._state = Before.OVER

    def _ask(self, hook: BeforeCall) -> None:
        request = self._request()

        def start(parent_link: ParentLink) -> pykka.ActorRef[CallLookUp]:
            return CallLookUp.start(parent_link, hook, request, self._call)

        self._timers.start(CallTimer.BEFORE, hook.within_s)
        self._step(BeforeEvent.ASKED)
        self._children.start(CHILD, StableRef(), LOOK_UP_POLICY, start)

    def _request(self) -> EffectRequest:
        services = self._services
        key = services.call_key(self._conversation_id)
        bot = services.bot
        context = TaskContext(key, CHILD, self._caller, services.local_now, bot=bot.name, bot_digest=bot.digest)
        facts = {name: each for name, each in services.facts().items() if name.startswith(OF_START)}
        return EffectRequest(f"{key}:{CHILD}", {}, context, {DIALLED: text_of(services.start.get(CALLEE)), **facts})

    def _step(self, event: BeforeEvent) -> bool:
        self._state, action = BEFORE.step(self._state, event)
        return action is BeforeAction.GREET
