"""A run of a task, as its call's supervisor sees it.

Types only. May import: actors.messages, actors.system, fsm, the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.messages.task import CallerSilent, FsmAgentMessage, Invoke, KeysPressed
from actors.system.address import StableRef
from fsm.answer import TaskStatus
from fsm.effects import TaskContext
from fsm.spec import AgentSpec

OPEN = "open"
FAILED = "failed"
# The call has ended before the task has.
ABANDONED = "abandoned"
# Another release's table: another run took its place.
BEGUN_AGAIN = "begun_again"


@dataclass(slots=True)
class TaskHandle:
    """One run, as its call's supervisor sees it. result: "open" until it has ended.

    response_id, arguments: of the function call that opened it. pending: unanswered steps, in order; they are taken one
    after another. taking: the step that its agent is working on, "" for none. waits_for_words: the next step is a yes,
    and the transcript of the caller's answer is missing.
    """

    spec: AgentSpec
    context: TaskContext
    response_id: str
    arguments: str = ""
    stable_ref: StableRef[FsmAgentMessage] = field(default_factory=StableRef)
    pending: dict[str, Invoke | KeysPressed | CallerSilent] = field(default_factory=dict)
    taking: str = ""
    waits_for_words: bool = False
    status: TaskStatus | None = None
    say: str = ""
    result: str = OPEN

    @property
    def child(self) -> str:
        return f"task:{self.context.run_id}"


@dataclass(frozen=True, slots=True)
class TaskReply:
    """A run that has taken a step. outputs: by step id, "" if it ignored the step. ended: whether this step ended it.

    word_for_word: the outputs' sentences must be spoken verbatim.
    """

    run: TaskHandle
    outputs: dict[str, str]
    ended: bool = False
    word_for_word: bool = False
