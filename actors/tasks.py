"""The tasks of one call: which function call belongs to which run, and what the model may call now.

Not an actor: the part of a call's supervisor that knows its FsmAgents.
May import: actors, fsm, pykka, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pykka

from actors.address import Address, Post, Seat
from actors.children import Children
from actors.counters import TASK_FAULTS, TASKS_ENDED
from actors.fsm_agent import FsmAgent
from actors.house import House
from actors.messages import CallMessage, FsmAgentMessage, FunctionCalled, Invoke, TaskAnswered
from actors.supervision import Restart, RestartPolicy
from fsm.run import Snapshot, TaskContext
from fsm.spec import AgentSpec, ToolSpec

TASK_POLICY = RestartPolicy(restart=Restart.TRANSIENT, intensity=2, period_s=30)
# A step that is not answered by then is given up, and so is the thread that hangs in it.
STEP_LIMIT_S = 10.0
FAILED = "failed"
SORRY = "I am sorry, that did not work. Is there anything else I can do for you?"


@dataclass(slots=True)
class TaskRun:
    """One invocation, as the call sees it. states: visited so far. result: "open" until it ended."""

    spec: AgentSpec
    context: TaskContext
    seat: Seat[FsmAgentMessage] = field(default_factory=Seat)
    pending: dict[str, Invoke] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    tools: tuple[ToolSpec, ...] = ()
    instructions: str = ""
    states: tuple[str, ...] = ()
    result: str = "open"

    @property
    def child(self) -> str:
        return f"task:{self.context.run_id}"


class TaskDesk:
    """answer: sends a function's output to the model. limit: starts a named time limit of the call, in s."""

    def __init__(
        self,
        house: House,
        conversation_id: str,
        caller: str,
        children: Children,
        call: Address[CallMessage],
        limit: Callable[[str, float], None],
    ) -> None:
        self._house = house
        self._conversation_id = conversation_id
        self._caller = caller
        self._children = children
        self._call = call
        self._limit = limit
        self.runs: dict[str, TaskRun] = {}

    def invoke(self, called: FunctionCalled) -> str | None:
        """Hand a function call to its run, which answers by TaskAnswered; or return the output at once."""
        run = self._run_for(called.name)
        if run is None and (spec := self._house.profile.agents.get(called.name)) is not None:
            run = self._open(spec)
        if run is None:
            return self._refuse(called.name)
        run.pending[called.call_id] = Invoke(called.call_id, called.name, called.arguments)
        self._limit(f"step:{called.call_id}", STEP_LIMIT_S)
        run.seat.tell(run.pending[called.call_id])
        return None

    def answered(self, message: TaskAnswered) -> TaskRun | None:
        """Note a run's next step. None: the call was already answered for it, and this comes too late."""
        run = self.runs.get(message.run_id)
        if run is None or run.pending.pop(message.call_id, None) is None:
            return None
        run.snapshot, run.tools, run.instructions = message.snapshot, message.tools, message.instructions
        run.states = message.snapshot.visited
        if message.answer.fault:
            TASK_FAULTS.labels(message.answer.fault).inc()
        if message.answer.outcome is not None:
            self._end(run, message.answer.outcome)
            self._children.stop(run.child)
        return run

    def started_again(self, child: str) -> None:
        """A run's agent was restarted from its snapshot: it is asked again what its predecessor died over."""
        for run in self.runs.values():
            if run.child == child:
                for invoke in run.pending.values():
                    run.seat.tell(invoke)

    def given_up(self, child: str) -> dict[str, str]:
        """A run has failed for good: the outputs for the calls it leaves unanswered."""
        for run in self.runs.values():
            if run.child == child and run.result == "open":
                return self._fail(run)
        return {}

    def overdue(self, call_id: str) -> dict[str, str]:
        """A step has hung: its agent is abandoned, and what it says later is ignored."""
        for run in self.runs.values():
            if call_id in run.pending:
                self._children.abandon(run.child)
                return self._fail(run)
        return {}

    def tools(self) -> tuple[ToolSpec, ...]:
        """What the model may call: the tools of open runs, and what opens those that are not."""
        open_runs = [run for run in self.runs.values() if run.result == "open"]
        busy = {run.spec.name for run in open_runs}
        openers = [spec.opening_tool() for name, spec in self._house.profile.agents.items() if name not in busy]
        return tuple(openers) + tuple(tool for run in open_runs for tool in run.tools)

    def instructions(self) -> str:
        """What the model is told of the open tasks."""
        return "\n\n".join(run.instructions for run in self.runs.values() if run.result == "open")

    def _open(self, spec: AgentSpec) -> TaskRun:
        house = self._house
        context = TaskContext(
            conversation_id=self._conversation_id,
            run_id=f"t{len(self.runs) + 1}",
            caller=self._caller,
            now=house.local_now,
        )
        run = self.runs[context.run_id] = TaskRun(spec, context)

        def start(post: Post) -> pykka.ActorRef[FsmAgent]:
            return FsmAgent.start(post, spec, context, house.effects, run.snapshot, self._call)

        self._children.start(run.child, run.seat, TASK_POLICY, start)
        return run

    def _run_for(self, tool: str) -> TaskRun | None:
        """The newest open run that this tool belongs to."""
        for run in reversed(self.runs.values()):
            if run.result == "open" and (tool == run.spec.name or tool.startswith(f"{run.spec.name}_")):
                return run
        return None

    def _refuse(self, name: str) -> str:
        ended = any(name.startswith(f"{run.spec.name}_") for run in self.runs.values())
        fault = "task_ended" if ended else "unknown_function"
        TASK_FAULTS.labels(fault).inc()
        hint = "That task has ended; open a new one." if ended else "There is no such function; use the declared ones."
        return json.dumps({"error": fault, "hint": hint})

    def _fail(self, run: TaskRun) -> dict[str, str]:
        self._end(run, FAILED)
        output = json.dumps({"task": run.context.run_id, "error": FAILED, "result": FAILED, "say": SORRY})
        calls, run.pending = list(run.pending), {}
        return dict.fromkeys(calls, output)

    def _end(self, run: TaskRun, outcome: str) -> None:
        run.result = outcome
        TASKS_ENDED.labels(run.spec.name, outcome).inc()
