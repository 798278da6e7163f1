"""Real tasks and the lab's mind, in text: takes what the caller says, returns what is said and done.

No audio, no sockets. Like a call it tracks the open runs, the declared tools and what comes next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from actors.tasks.tools import amended, merged, which_run
from fsm.effects import EffectRequest, EffectResult, Ok, TaskContext
from fsm.run import Answer, TaskRun
from fsm.spec import AgentSpec
from gateway.bots.files import EXAMPLE
from gateway.bots.loading import defaults_of, load_bots
from gateway.settings import read_settings
from lab.mind import AssistantSaid, Called, CallOutput, FunctionCall, Prompt, PromptItem, Tool, UserSaid, think
from tests.lab.mind_call import NOW

HERE = NOW.replace(tzinfo=ZoneInfo("Europe/Berlin"))
# The example's, as the model is told them.
INSTRUCTIONS = (
    load_bots(EXAMPLE, defaults_of(read_settings(openai_url="ws://127.0.0.1:1"), {}))
    .bots["linden"]
    .profile.instructions
)
# Function calls in a row without a word from the caller; beyond that the mind is in a loop.
MOST_CALLS = 4


@dataclass
class World:
    """The effects of the tasks. refusals: results of the first effects; all others succeed."""

    refusals: list[EffectResult] = field(default_factory=list)
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        if self.refusals:
            return self.refusals.pop(0)
        self.done.append((name, dict(request.slots)))
        return Ok()

    def begun(self, keys: Sequence[str]) -> bool:
        return False

    def spent(self, context: TaskContext) -> str:
        return ""

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        return False


class Desk:
    """A call in text. choices: as in a TaskContext."""

    def __init__(
        self,
        specs: Sequence[AgentSpec],
        refusals: Sequence[EffectResult] = (),
        choices: Mapping[str, tuple[str, ...]] | None = None,
        instructions: str = INSTRUCTIONS,
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._choices = choices or {}
        self._instructions = instructions
        self.world = World(list(refusals))
        self.runs: dict[str, TaskRun] = {}
        self.items: tuple[PromptItem, ...] = ()
        self.calls: list[FunctionCall] = []

    @property
    def ended(self) -> list[tuple[str, str]]:
        """The tasks that have ended, in the order they began: name and outcome."""
        return [(run.snapshot().agent, run.outcome) for run in self.runs.values() if run.outcome]

    def hears(self, text: str) -> str:
        """The caller says something; returns the reply, after all function calls."""
        self.items += (UserSaid(text),)
        for _ in range(MOST_CALLS):
            reply = think(Prompt(self._told(), None, self._tools(), "auto", self.items, NOW))
            if reply.text:
                self.items += (AssistantSaid(reply.text),)
            if not reply.calls:
                return reply.text
            self._carry_out(reply.calls)
        raise AssertionError(f"called on and on: {self.calls[-MOST_CALLS:]}")

    def says(self, sentence: str) -> None:
        """The call has a sentence said without a function call, as after keys or silence."""
        self.items += (AssistantSaid(sentence),)

    # --- the call's part ---

    def _carry_out(self, calls: Sequence[FunctionCall]) -> None:
        """The calls of one response; their outputs come after all of them."""
        ids = [f"call-{len(self.calls) + number}" for number in range(len(calls))]
        self.calls += calls
        made = (Called(call_id, call.name, call.arguments) for call_id, call in zip(ids, calls, strict=True))
        self.items += tuple(made)
        for number, call in enumerate(calls):
            self.items += (CallOutput(ids[number], self._output(call, first=number == 0)),)

    def _output(self, call: FunctionCall, first: bool) -> str:
        run_id, arguments = which_run(call.arguments)
        for own_id, run in reversed(self._open().items()):
            name = run.snapshot().agent
            if (call.name == name and first) or (call.name.startswith(f"{name}_") and run_id in (None, own_id)):
                return self._with_next(run.call(call.name, arguments))
        spec = self._specs[call.name]
        own_id = f"t{len(self.runs) + 1}"
        context = TaskContext("c-1", own_id, "+4930555010", lambda: HERE, self._choices)
        self.runs[own_id] = run = TaskRun(spec, context, self.world)
        return self._with_next(run.open(arguments))

    def _with_next(self, answer: Answer) -> str:
        outer = list(self._open().values())
        if answer.outcome in (None, "transfer", "hangup") or not outer:
            return answer.output
        return amended(answer.output, next=outer[-1].snapshot().say)

    def _open(self) -> dict[str, TaskRun]:
        return {own_id: run for own_id, run in self.runs.items() if run.outcome is None}

    def _tools(self) -> tuple[Tool, ...]:
        busy = {run.snapshot().agent for run in self._open().values()}
        openers = [spec.opening_tool(self._choices) for name, spec in self._specs.items() if name not in busy]
        held = [(own_id, tool) for own_id, run in self._open().items() for tool in run.tools()]
        return tuple(Tool(tool.name, tool.description, tool.parameters) for tool in (*openers, *merged(held)))

    def _told(self) -> str:
        today = f"Today is {HERE:%A, %Y-%m-%d, %H:%M} (Europe/Berlin)."
        return "\n\n".join((self._instructions, today, *(run.instructions() for run in self._open().values())))


def moment(day: str, at: str) -> dict[str, Any]:
    """The slots of an appointment."""
    return {"day": datetime.fromisoformat(day).date(), "at": datetime.fromisoformat(f"{day}T{at}").time()}
