"""One run of a task: takes the model's function calls, walks the table, and says what the caller is to hear.

Pure but for the effects it is handed: it knows no socket, thread or clock.
May import: protocols, fsm, pydantic, the standard library. Rules from: design 4.5, specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, assert_never

from pydantic import JsonValue

from fsm.answer import Answer, Fault, Output, Snapshot
from fsm.arguments import CallFault, read_object, read_slots, read_yes
from fsm.effects import Effect, EffectRequest, Failed, Ok, Refused, TaskContext
from fsm.errors import SlotError
from fsm.instructions import instructions
from fsm.spec import Act, AgentSpec, Collect, Confirm, End, Known, ToolSpec
from fsm.table import fields
from fsm.tools import cancel_name, confirm_name, provide_name
from protocols.errors import MisuseError

__all__ = ["Answer", "Effect", "Fault", "Snapshot", "TaskContext", "TaskRun"]

NOT_UNDERSTOOD = "Sorry, I did not get that."


@dataclass(slots=True)
class _Step:
    """What one call came to, besides the states it led through.

    told: what the caller must hear before the next question. asked: the slot that this is about, "" if none.
    failed: it brought the task no further.
    """

    told: str = ""
    asked: str = ""
    failed: bool = False


class TaskRun:
    """One invocation, from the opening call to an End.

    effects: by the names the table uses. A bug in an effect or a check passes through: the run is then half changed,
    and its last snapshot is what to go on from.
    """

    def __init__(self, spec: AgentSpec, context: TaskContext, effects: Mapping[str, Effect]) -> None:
        self._spec = spec
        self._context = context
        self._effects = effects
        self._visited: list[str] = []
        self._slots: dict[str, Any] = {}
        self._attempts: Counter[str] = Counter()
        self._asked = ""
        self._say = ""
        self._values: dict[str, JsonValue] = {}
        self._step = _Step()

    @classmethod
    def restore(cls, spec: AgentSpec, context: TaskContext, effects: Mapping[str, Effect], snapshot: Snapshot) -> Self:
        """The run as it was when it was saved. Raises: MisuseError where the snapshot is not of this table."""
        if snapshot.agent != spec.name or not set(snapshot.visited) <= spec.states.keys():
            raise MisuseError(f"task {spec.name!r}: a snapshot of {snapshot.agent!r} does not fit its table")
        run = cls(spec, context, effects)
        run._visited = list(snapshot.visited)
        run._attempts = Counter(snapshot.attempts)
        run._asked, run._say, run._values = snapshot.asked, snapshot.say, dict(snapshot.values)
        try:
            run._slots = {name: spec.slots[name].read(value) for name, value in snapshot.slots.items()}
        except (KeyError, ValueError):
            raise MisuseError(f"task {spec.name!r}: the slots of a snapshot do not fit its table") from None
        return run

    def snapshot(self) -> Snapshot:
        """All there is to know, for `restore`."""
        return Snapshot(
            agent=self._spec.name,
            visited=self.visited,
            slots=self._written_slots(),
            attempts=dict(self._attempts),
            asked=self._asked,
            say=self._say,
            values=dict(self._values),
        )

    @property
    def state(self) -> str:
        """Where the run stands; before it was opened, where it will start."""
        return self._visited[-1] if self._visited else self._spec.start

    @property
    def visited(self) -> tuple[str, ...]:
        """Every state entered, in order, those passed through too."""
        return tuple(self._visited)

    @property
    def outcome(self) -> str | None:
        """How it ended; None while it has not."""
        state = self._spec.states[self.state]
        return state.outcome if self._visited and isinstance(state, End) else None

    def tools(self) -> tuple[ToolSpec, ...]:
        """What the model may call now."""
        return self._spec.tools_in(self.state)

    def instructions(self) -> str:
        """What the session's instructions are to say of this task while it is open; "" once it has ended."""
        return instructions(self._spec, self._context.run_id, self.state, self._needs())

    def open(self, arguments: object) -> Answer:
        """Take the opening call. It opens the task in any case: what cannot be read is asked for.

        arguments: JSON text as the model sent it.
        """
        if self._visited:
            return self.call(self._spec.name, arguments)
        fault: CallFault | None = None
        given: dict[str, Any] = {}
        try:
            given = read_slots(arguments, self._spec.slots)
        except CallFault as found:
            fault = found
        self._step = _Step()
        self._take(given)
        self._enter(self._spec.start)
        self._step.failed |= bool(given) and not self._slots
        self._settle()
        return self._answer(fault)

    def call(self, tool: str, arguments: object) -> Answer:
        """Take a call of one of this task's functions. arguments: JSON text as the model sent it.

        A call that does not fit changes nothing, and is answered with its fault and a hint how to make it good.
        """
        self._step = _Step()
        try:
            self._dispatch(tool, arguments)
        except CallFault as fault:
            return self._answer(fault)
        self._settle()
        return self._answer()

    # --- the calls ---

    def _dispatch(self, tool: str, arguments: object) -> None:
        name = self._spec.name
        if tool == name:  # the model begins again what is open already: it means the values
            tool = provide_name(name)
        if tool not in (provide_name(name), confirm_name(name), cancel_name(name)):
            raise CallFault("unknown_tool", f"This task has no function of that name. {self._allowed()}")
        if self.outcome is not None:
            raise CallFault("task_ended", "This task has ended; nothing can be called in it any more.")
        if tool not in (each.name for each in self.tools()):
            raise CallFault("wrong_state", f"{tool} cannot be called now. {self._allowed()}")
        if tool == provide_name(name):
            self._provide(read_slots(arguments, self._spec.slots))
        elif tool == confirm_name(name):
            self._answered(read_yes(arguments))
        else:
            read_object(arguments)
            self._enter(self._spec.cancelled)

    def _provide(self, given: Mapping[str, Any]) -> None:
        before, missing = dict(self._slots), len(self._missing())
        self._take(given)
        lost = [name for name in before if name not in self._slots]
        match self._spec.states[self.state]:
            case Collect(slots=slots) if not lost or lost[0] in slots:
                if given and not self._missing_here():
                    self._go("filled")
            case Confirm() if not lost:
                if self._slots != before:
                    self._enter(self.state)  # what was read back is no longer what will be done
            case _:
                self._enter(self._spec.home_of(lost[0]))
        if not given and not self._step.told:
            self._step.told = NOT_UNDERSTOOD
        self._step.failed |= len(self._missing()) >= missing

    def _answered(self, yes: bool) -> None:
        if yes:
            self._go("yes")
            return
        target = self._spec.transitions[self.state, "no"]
        if isinstance(self._spec.states[target], Collect):
            # All of it is filled, and yet it is not what the caller wants: it must not be passed through.
            self._visited.append(target)
            self._step.failed = True
        else:
            self._enter(target)

    def _take(self, given: Mapping[str, Any]) -> None:
        """Put new values in and check all again, in the table's order; keep what is good."""
        wanted = {**self._slots, **given}
        self._slots = {}
        for name, slot in self._spec.slots.items():
            if name in wanted:
                try:
                    self._slots[name] = slot.checked(wanted[name], Known(self._context.now(), dict(self._slots)))
                except SlotError as error:
                    if not self._step.told:
                        self._step.told, self._step.asked = error.say, name

    # --- the walk ---

    def _go(self, event: str) -> None:
        self._enter(self._spec.transitions[self.state, event])

    def _enter(self, name: str) -> None:
        """Enter a state, and go on until one waits or ends. The table has no way round that does neither."""
        self._visited.append(name)
        match self._spec.states[name]:
            case Collect() if not self._missing_here():
                self._go("filled")
            case Confirm() as confirm if unfilled := fields(confirm.template) - self._slots.keys():
                # A correction undid more than the way here has made good.
                self._enter(self._spec.home_of(min(unfilled, key=self._missing().index)))
            case Act(effect=effect):
                self._act(effect)
            case _:
                pass

    def _act(self, effect: str) -> None:
        # The number of states entered is the same again for whoever repeats this step from the last snapshot.
        key = f"{self._context.conversation_id}:{self._context.run_id}:{len(self._visited)}"
        result = self._effects[effect](EffectRequest(key, dict(self._slots), self._context))
        match result:
            case Ok():
                self._values.update(result.values)
                self._go("ok")
            case Refused():
                again = self._spec.states[self._spec.transitions[self.state, "refused"]]
                for slot in again.slots if isinstance(again, Collect) else ():
                    self._slots.pop(slot, None)
                self._step.told, self._step.failed = result.say, True
                self._go("refused")
            case Failed():
                self._step.told = result.say
                self._go("failed")
            case _:
                assert_never(result)

    def _settle(self) -> None:
        """Find the words for the state that the call has led to; a Collect state may give up first."""
        self._asked = ""
        match self._spec.states[self.state]:
            case Collect(retries=retries):
                if self._step.failed:
                    self._attempts[self.state] += 1
                    if self._attempts[self.state] >= retries:
                        self._step = _Step()
                        self._go("gave_up")
                        self._settle()
                        return
                self._asked = self._step.asked or next(iter(self._missing_here()), "")
                question = self._spec.slots[self._asked].ask if self._asked else self._change_question()
                told = self._step.told
                self._say = told if told.endswith("?") else f"{told} {question}".strip()
            case Confirm(template=template) | End(say=template):
                self._say = f"{self._step.told} {template.format_map(self._slots)}".strip()
            case _:
                pass

    def _change_question(self) -> str:
        """A Collect state waits with nothing missing only after a no: the Confirm before it knows how to ask."""
        confirm = self._spec.states[self._visited[-2]]
        return confirm.change if isinstance(confirm, Confirm) else ""

    # --- the answers ---

    def _answer(self, fault: CallFault | None = None) -> Answer:
        outcome = self.outcome
        too_late = fault is not None and outcome is not None
        output = Output(
            task=self._context.run_id,
            state=self.state,
            needs=self._needs(),
            say=None if too_late else self._say,
            slots=self._written_slots(),
            result=outcome,
            values=dict(self._values) or None,
            error=fault and fault.fault,
            hint=fault and fault.hint,
        )
        return Answer(output.model_dump_json(exclude_none=True), outcome, fault.fault if fault else "")

    def _allowed(self) -> str:
        names = ", ".join(each.name for each in self.tools())
        return f"Call one of: {names}." if names else "The task has ended."

    def _missing(self) -> list[str]:
        return [name for name in self._spec.slots if name not in self._slots]

    def _missing_here(self) -> list[str]:
        state = self._spec.states[self.state]
        return [name for name in state.slots if name not in self._slots] if isinstance(state, Collect) else []

    def _needs(self) -> tuple[str, ...]:
        """What is missing, first what is being asked for."""
        return tuple(sorted(self._missing(), key=lambda name: name != self._asked))

    def _written_slots(self) -> dict[str, JsonValue]:
        return {name: self._spec.slots[name].write(value) for name, value in self._slots.items()}
