"""One function invocation: a thread of its own around a task's run, so that its database and its bugs are its own.

May import: actors, fsm, protocols, pykka, the standard library.
"""

from __future__ import annotations

from typing import Any, assert_never

import pykka

from actors.messages.call import CallMessage, TaskAnswered, TaskSettled
from actors.messages.model import OutOfBandRequest
from actors.messages.task import CallerLeft, CallerSilent, FsmAgentMessage, Invoke, KeysPressed
from actors.system.actor import ThreadActor
from actors.system.address import Address, ParentLink, send
from fsm.answer import Answer, Snapshot
from fsm.effects import Effects, TaskContext
from fsm.run import TaskRun
from fsm.spec import AgentSpec
from fsm.walk import ReasoningRequest


class FsmAgent(ThreadActor):
    """Is told: FsmAgentMessage. Tells the call's supervisor: TaskAnswered, once for each step; and Consult.

    snapshot: where a former holder of this run left off; None for a new one.
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
        self._effects = effects
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
            case KeysPressed():
                self._answer(message.step_id, run.keyed(message.keys, message.agreement))
            case CallerSilent():
                self._answer(message.step_id, run.silence())
            case CallerLeft():
                run.hung_up()
                send(self._call, TaskSettled(self._context.run_id, run.outcome, run.status()))
            case _:
                assert_never(message)

    def _answer(self, step_id: str, answer: Answer | None) -> None:
        send(self._call, TaskAnswered(self._context.run_id, step_id, answer, self._run.status()))

    def _consult(self, request: ReasoningRequest) -> str | None:
        """Ask the model beside the conversation, and wait: this thread has nothing else to do."""
        reply: pykka.ThreadingFuture[Any] = pykka.ThreadingFuture()
        send(self._call, OutOfBandRequest(request, reply))
        try:
            choice = reply.get(timeout=request.limit_s)
        except pykka.Timeout:
            return None
        return choice if isinstance(choice, str) else None
