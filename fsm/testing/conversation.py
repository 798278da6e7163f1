"""A scripted conversation with one task: what the caller does, what the model calls, and the results.

May import: fsm, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from fsm.answer import Answer, Snapshot
from fsm.consent import AGREED, UNHEARD, Agreement, Verdict
from fsm.effects import EffectRequest, EffectResult, Effects, Ok, TaskContext
from fsm.locales import ENGLISH, Locale
from fsm.run import TaskRun
from fsm.spec import AgentSpec
from fsm.tools import cancel_name, choose_name, confirm_name, provide_name
from fsm.walk import Reasoner, no_reasoning

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday


@dataclass(slots=True)
class Recorder:
    """Carries out every effect in memory, once for a key, as the product does in its database.

    results: of each effect by name, in turn; Ok after the last. undone: the effects that a hang-up undoes.
    limit: what a caller is told who may have no further effect; "" for one who may.
    """

    results: Mapping[str, Sequence[EffectResult]] = field(default_factory=dict)
    undone: frozenset[str] = frozenset()
    limit: str = ""
    requests: list[tuple[str, EffectRequest]] = field(default_factory=list)
    done: dict[str, EffectResult] = field(default_factory=dict)

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        if request.key not in self.done:
            turn = sum(each == name for each, _ in self.requests)
            results = self.results.get(name, ())
            self.requests.append((name, request))
            self.done[request.key] = results[turn] if turn < len(results) else Ok()
        return self.done[request.key]

    def begun(self, keys: Sequence[str]) -> bool:
        return not self.done.keys().isdisjoint(keys)

    def spent(self, context: TaskContext) -> str:
        return self.limit

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        return name in self.undone and isinstance(self.done.get(request.key), Ok)


class Conversation:
    """One run and its script. Every method that acts returns the conversation, so that calls can be chained.

    There is no model: the script makes the function calls, and so tests the task alone.
    """

    def __init__(self, spec: AgentSpec, context: TaskContext, effects: Effects, reasoning: Reasoner) -> None:
        self._spec = spec
        self._context = context
        self._effects = effects
        self._reasoning = reasoning
        self._run = TaskRun(spec, context, effects, reasoning)
        self._saved: Snapshot | None = None
        self._agreement = AGREED
        self.answers: list[dict[str, Any]] = []

    # --- what the model calls for the caller ---

    def opens(self, **slots: object) -> Self:
        """The model opens the task with the values the caller has already said."""
        return self._called(self._spec.name, slots)

    def gives(self, **slots: object) -> Self:
        """The caller gives or corrects values."""
        return self._called(provide_name(self._spec.name), slots)

    def says_yes(self) -> Self:
        return self._called(confirm_name(self._spec.name), {"yes": True})

    def says_no(self) -> Self:
        return self._called(confirm_name(self._spec.name), {"yes": False})

    def chooses(self, choice: str) -> Self:
        return self._called(choose_name(self._spec.name), {"choice": choice})

    def gives_up(self) -> Self:
        return self._called(cancel_name(self._spec.name), {})

    def calls(self, tool: str, arguments: str) -> Self:
        """Call any function with any text as its arguments."""
        return self._take(self._call(tool, arguments))

    # --- what the caller does without the model ---

    def talks_over(self) -> Self:
        """The caller interrupts the last sentence, so the next call does not answer it."""
        self._agreement = UNHEARD
        return self

    def answers_otherwise(self, verdict: Verdict) -> Self:
        """The next call's yes gets this verdict: what the caller said or heard does not make it count."""
        self._agreement = Agreement(verdict, self._run.readback())
        return self

    def keys(self, keys: str) -> Self:
        """The caller presses keys that make up one answer."""
        return self._take(self._run.keyed(keys, self._agreement))

    def is_silent(self) -> Self:
        return self._take(self._run.silence())

    def hangs_up(self) -> Self:
        """The caller hangs up during the last step, before its answer was heard."""
        self._run.hung_up()
        return self

    # --- crashes ---

    def crashes(self, *, before_it_was_saved: bool = False) -> Self:
        """The run crashes and is restored from the snapshot saved after the last step, or from the one before it."""
        saved = self._saved if before_it_was_saved else self._run.snapshot()
        if saved is None:
            self._run = TaskRun(self._spec, self._context, self._effects, self._reasoning)
        else:
            self._run = TaskRun.restore(self._spec, self._context, self._effects, saved, self._reasoning)
        return self

    # --- results ---

    @property
    def says(self) -> str:
        """The sentence the caller is to hear."""
        return str(self.answers[-1].get("say", ""))

    @property
    def fault(self) -> str:
        """The fault of the last call; "" if it was valid."""
        return str(self.answers[-1].get("error", ""))

    @property
    def state(self) -> str:
        return self._run.state

    @property
    def states(self) -> tuple[str, ...]:
        """Every state entered, in order."""
        return self._run.visited

    @property
    def slots(self) -> dict[str, object]:
        """The values so far, as JSON."""
        return dict(self.answers[-1]["slots"])

    @property
    def outcome(self) -> str | None:
        return self._run.outcome

    @property
    def run(self) -> TaskRun:
        """The run itself, for what this class does not offer."""
        return self._run

    # --- inside ---

    def _called(self, tool: str, arguments: Mapping[str, object]) -> Self:
        return self._take(self._call(tool, json.dumps(arguments)))

    def _call(self, tool: str, arguments: str) -> Answer:
        saved = self._run.snapshot() if self._run.visited else None
        if tool == self._spec.name and not self._run.visited:
            answer = self._run.open(arguments)
        else:
            answer = self._run.call(tool, arguments, self._agreement)
        self._saved = saved
        return answer

    def _take(self, answer: Answer | None) -> Self:
        if answer is not None:
            self.answers.append(json.loads(answer.output))
            self._agreement = AGREED
        return self


def converse(
    spec: AgentSpec,
    *,
    effects: Effects | None = None,
    now: datetime = NOON,
    caller: str = "+4930123",
    choices: Mapping[str, tuple[str, ...]] | None = None,
    reasoning: Reasoner = no_reasoning,
    locale: Locale = ENGLISH,
) -> Conversation:
    """A conversation with a task that is not opened yet. effects: default a Recorder.

    choices, locale: as in TaskContext; `locale_of("de-DE")` (fsm.locales) speaks German.
    """
    context = TaskContext("call-1", "t1", caller, lambda: now, choices or {}, locale=locale)
    return Conversation(spec, context, effects or Recorder(), reasoning)
