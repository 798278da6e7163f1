"""One function invocation: a task's run on its own thread, where it may block on the database and may crash.

May import: actors, fsm, protocols, pykka, the standard library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import pykka

from actors.messages.call import (
    CallMessage,
    EffectBegan,
    EffectFailed,
    EffectOver,
    TaskAnswered,
    TaskNoted,
    TaskSettled,
)
from actors.messages.model import OutOfBandRequest
from actors.messages.task import CallerLeft, CallerSilent, FsmAgentMessage, ImageUnseen, Invoke, KeysPressed
from actors.system.actor import ThreadActor
from actors.system.address import Address, ParentLink, send
from fsm.answer import Answer, Snapshot
from fsm.effects import EffectRequest, EffectResult, Effects, Failed, Remote, TaskContext, Unclear
from fsm.run import TaskRun
from fsm.spec import AgentSpec
from fsm.walk import ReasoningRequest
from protocols.errors import MisuseError


class FsmAgent(ThreadActor):
    """Runs one task.

    Receives: FsmAgentMessage. Sends the call's supervisor: TaskAnswered for each step, EffectBegan, EffectOver and
    EffectFailed within one, OutOfBandRequest, TaskNoted for an image that was not seen, and TaskSettled once the
    caller has left.
    snapshot: the run's last state, after a restart or a take-over; None for a new run.
    """

    def __init__(
        self,
        parent_link: ParentLink,
        spec: AgentSpec,
        context: TaskContext,
        effects: Effects,
        snapshot: Snapshot | None,
        call: Address[CallMessage],
    ) -> None:
        super().__init__(parent_link)
        self._spec = spec
        self._context = context
        self._effects = _ReportedEffects(spec, context.run_id, effects, call)
        self._snapshot = snapshot
        self._call = call

    def on_start(self) -> None:
        spec, context, effects = self._spec, self._context, self._effects
        if self._snapshot is None:
            self._run = TaskRun(spec, context, effects, self._consult)
        else:
            self._run = TaskRun.restore(spec, context, effects, self._snapshot, self._consult)

    def on_receive(self, message: FsmAgentMessage) -> None:
        run = self._run
        match message:
            case Invoke() if message.tool == self._spec.name and not run.visited:
                self._answer(message.step_id, run.open(message.arguments))
            case Invoke():
                answer = run.call(message.tool, message.arguments, message.agreement, message.spoke)
                self._answer(message.step_id, answer)
            case KeysPressed() if run.status().sensitive:
                self._take_secret(message)
            case KeysPressed():
                self._answer(message.step_id, run.keyed(message.keys, message.agreement))
            case CallerSilent():
                self._answer(message.step_id, run.silence())
            case ImageUnseen():
                run.unseen(message.image)
                send(self._call, TaskNoted(self._context.run_id, run.status()))
            case CallerLeft():
                run.hung_up()
                send(self._call, TaskSettled(self._context.run_id, run.outcome, run.status()))
            case _:
                assert_never(message)

    def _take_secret(self, message: KeysPressed) -> None:
        """Raises: MisuseError for any bug in a check or rule, whose own words may hold the keys."""
        fault = ""
        try:
            self._answer(message.step_id, self._run.keyed(message.keys, message.agreement))
        except Exception as error:  # noqa: BLE001 - code of a task
            fault = type(error).__name__
        if fault:  # outside the handler, so that it does not hang on what is raised
            raise MisuseError(f"a {fault} where the caller has keyed in a secret")

    def _answer(self, step_id: str, answer: Answer | None) -> None:
        send(self._call, TaskAnswered(self._context.run_id, step_id, answer, self._run.status()))

    def _consult(self, request: ReasoningRequest) -> str | None:
        """Ask the model outside the conversation and block for the answer; None if it is late or names no choice."""
        reply: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
        send(self._call, OutOfBandRequest(request, reply))
        try:
            choice = reply.get(timeout=request.limit_s)
        except pykka.Timeout:
            return None
        return choice if isinstance(choice, str) else None


class _ReportedEffects:
    """A run's effects, of which the call's supervisor is told.

    What failed or is unclear, whatever its task makes of that; what may take a while, when it begins and is over.
    """

    def __init__(self, spec: AgentSpec, run_id: str, effects: Effects, call: Address[CallMessage]) -> None:
        self._spec, self._run_id = spec, run_id
        self._effects, self._call = effects, call

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        result = self._timed(name, request)
        match result:
            case Failed(why=why):
                send(self._call, EffectFailed(name, request.key, "failed", why))
            case Unclear(why=why):
                send(self._call, EffectFailed(name, request.key, "unclear", why))
            case _:
                pass
        return result

    def _timed(self, name: str, request: EffectRequest) -> EffectResult:
        effect = self._spec.effects.get(name)
        if not isinstance(effect, Remote) or not (effect.say or effect.longest_s):
            return self._effects.carry_out(name, request)
        send(self._call, EffectBegan(self._run_id, effect.say, effect.say_after_s, effect.longest_s))
        try:
            return self._effects.carry_out(name, request)
        finally:
            send(self._call, EffectOver(self._run_id, effect.say))

    def begun(self, keys: Sequence[str]) -> bool:
        return self._effects.begun(keys)

    def spent(self, context: TaskContext) -> str:
        return self._effects.spent(context)

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        return self._effects.hung_up(name, request)
