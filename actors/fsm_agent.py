"""One function invocation: a thread of its own around a task's run, so that its database and its bugs are its own.

May import: actors, fsm, protocols, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from actors.address import Address, Post, send
from actors.messages import CallMessage, FsmAgentMessage, Invoke, TaskAnswered
from actors.runtime import ThreadActor
from fsm.run import Effect, Snapshot, TaskContext, TaskRun
from fsm.spec import AgentSpec


class FsmAgent(ThreadActor):
    """Is told: FsmAgentMessage. Tells the call's supervisor: TaskAnswered, once for each Invoke.

    snapshot: where a former holder of this run left off; None for a new one.
    """

    def __init__(
        self,
        post: Post,
        spec: AgentSpec,
        context: TaskContext,
        effects: Mapping[str, Effect],
        snapshot: Snapshot | None,
        call: Address[CallMessage],
    ) -> None:
        super().__init__(post)
        self._spec = spec
        self._context = context
        self._effects = effects
        self._snapshot = snapshot
        self._call = call

    def on_start(self) -> None:
        if self._snapshot is None:
            self._run = TaskRun(self._spec, self._context, self._effects)
        else:
            self._run = TaskRun.restore(self._spec, self._context, self._effects, self._snapshot)

    def on_receive(self, message: FsmAgentMessage) -> None:
        match message:
            case Invoke():
                opens = message.tool == self._spec.name and self._snapshot is None
                answer = self._run.open(message.arguments) if opens else self._run.call(message.tool, message.arguments)
                self._snapshot = self._run.snapshot()
                send(
                    self._call,
                    TaskAnswered(
                        run_id=self._context.run_id,
                        call_id=message.call_id,
                        answer=answer,
                        snapshot=self._snapshot,
                        tools=self._run.tools(),
                        instructions=self._run.instructions(),
                    ),
                )
            case _:
                assert_never(message)
