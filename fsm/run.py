"""One run of a task: takes the model's function calls, walks the table, and gives the sentence for the caller.

Pure but for the effects and the reasoning it is handed: it knows no socket, thread or clock.
May import: protocols, fsm, pydantic, the standard library.
Rules from: docs/architecture.md 4.5, docs/specs/reliability.md 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from fsm.answer import Answer, Fault, Output, Snapshot, TaskStatus
from fsm.arguments import CallFault, keyed_anew, read_choice, read_object, read_slots, read_yes
from fsm.consent import AGREED, UNHEARD, Agreement, Readback, Verdict, readback_of
from fsm.context import CHOICE, FACT, SLOT, Source
from fsm.effects import Effects, TaskContext, effect_keys_ahead
from fsm.errors import Incomplete, SlotError
from fsm.instructions import instructions
from fsm.memory import CERTAIN, HEARD, Memory
from fsm.secret import DOTS, Secret
from fsm.spec import AgentSpec, Choose, Collect, Confirm, End, ToolSpec
from fsm.states import DerivedArrow, DerivedEvent, piece_of, waits
from fsm.tools import cancel_name, choose_name, confirm_name, provide_name
from fsm.walk import Reasoner, Step, Taken, Walk, no_reasoning
from fsm.wording import settle

__all__ = ["Answer", "Fault", "Snapshot", "TaskContext", "TaskRun", "TaskStatus"]

# After the first refused yes the read-back is said word for word; from the second on, with a plain yes-or-no question.
# An answer to that which is neither yes nor no counts as a failed attempt: `retries` of them, and it gives up.
PLAIN_FROM = 2
# The key that gives up a question whose answer nobody may hear.
STOP = "*"
# The fact that names the image that could not be shown, the last one of several.
UNSEEN = "unseen"
MOST_READINGS = 8  # refused yeses that are not the caller's fault are no failed attempts; after so many it gives up


class TaskRun:
    """One invocation, from the opening call to an End.

    effects: carry out what the table names. reasoning: asks the model beside the conversation; may block. A bug in a
    rule or a check passes through: the run is then half changed, and its last snapshot is what to go on from.
    """

    def __init__(
        self, spec: AgentSpec, context: TaskContext, effects: Effects, reasoning: Reasoner = no_reasoning
    ) -> None:
        self._spec = spec
        self._context = context
        self._effects = effects
        self._reasoning = reasoning
        self._go_on_from(Memory(spec, context))

    @classmethod
    def restore(
        cls,
        spec: AgentSpec,
        context: TaskContext,
        effects: Effects,
        snapshot: Snapshot,
        reasoning: Reasoner = no_reasoning,
    ) -> Self:
        """The run that a snapshot holds. Raises: MisuseError if the snapshot does not fit this table."""
        run = cls(spec, context, effects, reasoning)
        run._go_on_from(Memory.restore(spec, context, snapshot))
        return run

    def _go_on_from(self, memory: Memory) -> None:
        self._memory = memory
        self._walk = Walk(self._spec, self._context, self._effects, self._reasoning, memory)
        self._taken_back = False

    def snapshot(self) -> Snapshot:
        """The whole state of the run, for `restore`."""
        return self._memory.snapshot()

    @property
    def state(self) -> str:
        """The current state; before the opening, the start state."""
        return self._memory.state

    @property
    def visited(self) -> tuple[str, ...]:
        """Every state entered, in order, including those passed through."""
        return self._memory.visited

    @property
    def taken(self) -> tuple[Taken, ...]:
        """The arrows taken by the last call, in order."""
        return tuple(self._walk.step.taken)

    @property
    def slots(self) -> Mapping[str, Any]:
        """The accepted values."""
        return dict(self._memory.slots)

    @property
    def outcome(self) -> str | None:
        """The outcome; None until the run has ended."""
        state = self._spec.states[self.state]
        if not self._memory.visited or not isinstance(state, End):
            return None
        return "undone" if self._taken_back else state.outcome

    def tools(self) -> tuple[ToolSpec, ...]:
        """The functions the model may call now."""
        return self._spec.tools_in(self.state, self._context.choices)

    def instructions(self) -> str:
        """The session's instructions about this task while it is open; "" once it has ended."""
        return instructions(self._spec, self._context.run_id, self.state, self._needs(), self._context.locale)

    def status(self) -> TaskStatus:
        """The run's state, for the supervisor of its call."""
        state = self._spec.states[self.state]
        target = self._memory.slots.get(state.target, "") if isinstance(state, End) and state.target else ""
        return TaskStatus(
            snapshot=self.snapshot(),
            tools=self.tools(),
            instructions=self.instructions(),
            waits=waits(state),
            keys=self._keys(),
            readback=self.readback(),
            transfer_to=str(target),
            actions=dict(self._walk.step.actions),
            images=dict(self._walk.step.images),
            sensitive=self._sensitive,
        )

    @property
    def _sensitive(self) -> bool:
        """Whether the caller is asked for what nobody may hear."""
        asked = self._memory.asked
        return isinstance(self._spec.states[self.state], Collect) and bool(asked) and self._spec.slots[asked].sensitive

    def readback(self) -> Readback | None:
        """What a yes would agree to now; None if nothing is read back."""
        state, memory = self._spec.states[self.state], self._memory
        if not isinstance(state, Confirm):
            return None
        reading = (len(memory.visited), memory.refused_yes)
        locale, values = self._context.locale, memory.context.values(SLOT)
        return readback_of(locale.of(state.template), memory.slots, reading, values, locale.formatter)

    # --- steps ---

    def open(self, arguments: object) -> Answer:
        """Take the opening call. It opens the task in any case: what cannot be read is asked for.

        arguments: JSON text as the model sent it.
        """
        if self._memory.visited:
            return self.call(self._spec.name, arguments)
        fault: CallFault | None = None
        given: dict[str, Any] = {}
        try:
            given = self._read_slots(arguments)
        except CallFault as found:
            fault, given = found, found.good
        step = self._begin_step()
        self._take_only_choices()
        self._take(given)
        self._walk.go(DerivedEvent.OPENED)
        step.failed |= bool(given) and not self._memory.slots and not step.piece
        self._settle()
        return self._answer(fault)

    def call(self, tool: str, arguments: object, agreement: Agreement = AGREED, spoke: bool = True) -> Answer:
        """Take a call of one of this task's functions. arguments: JSON text as the model sent it.

        agreement: how the caller's latest turn answers what is read back now; a yes counts by it alone. spoke: the
        caller has spoken since the last call; else a failed attempt is the model's, and not counted.
        A call that does not fit is answered with its fault and a hint how to make it good; it changes nothing but the
        values in it that are good.
        """
        step = self._begin_step()
        step.counts = spoke
        try:
            fault = self._dispatch(tool, arguments, UNHEARD if step.taken else agreement)
        except CallFault as refused:
            return self._answer(refused)
        self._settle()
        return self._answer(fault)

    def keyed(self, keys: str, agreement: Agreement = AGREED) -> Answer | None:
        """The caller has pressed keys. agreement: as for `call`. Returns None if the state takes no keys."""
        if self._keys() is None:
            return None
        step = self._begin_step()
        agreement = UNHEARD if step.taken else agreement
        match self._spec.states[self.state]:
            case Collect() if self._sensitive and keys == STOP:
                self._walk.go(DerivedEvent.CANCELLED)
            case Collect() if self._memory.asked:
                slot = self._memory.asked
                keypad = self._spec.slots[slot].keypad
                try:
                    given = {slot: keypad.read(keys, self._memory.known())} if keypad is not None else {}
                except ValueError:
                    given = {}
                self._provide(given, confidence=CERTAIN)
            case Confirm() if keys in ("1", "2"):
                self._confirm(keys == "1", agreement)
            case Choose(choices=choices) if keys.isdigit() and 1 <= int(keys) <= len(choices):
                self._choose(list(choices)[int(keys) - 1])
            case _:
                step.told, step.failed = self._said(self._spec.not_understood), True
        self._settle()
        return self._answer()

    def silence(self) -> Answer | None:
        """The caller was asked and said nothing. Returns None if the run does not wait for the caller."""
        if not self._memory.visited or not waits(self._spec.states[self.state]):
            return None
        step = self._begin_step()
        step.told, step.failed, step.silent = self._said(self._spec.still_there), True, True
        self._settle()
        return self._answer()

    def hung_up(self) -> None:
        """The caller hung up before the last answer was heard: undo its effects if their policy says so."""
        for effect, request in self._walk.step.acted:
            if self._effects.hung_up(effect, request):
                self._taken_back = True
                self._memory.note("fact", f"{effect}: taken back, the caller had hung up")

    def unseen(self, image: str) -> None:
        """An image of this run's could not be shown to the model: a fact, by which arrows may go another way."""
        self._memory.note("fact", f"show_image: {image} was not seen")
        self._memory.learn(FACT, UNSEEN, image)

    # --- function calls ---

    def _begin_step(self) -> Step:
        """Begin a step. If a value has expired, this takes an arrow, and an earlier read-back no longer counts.

        An optional value that has expired is missed only where it was part of what was read back. A task that has ended
        keeps its values: its last sentence may have to be said once more.
        """
        self._walk.step = Step()
        if self.outcome is not None:
            return self._walk.step
        self._miss_secrets()
        lost = self._memory.expire()
        read_back = isinstance(self._spec.states[self.state], Confirm)
        missed = lost if read_back else [name for name in lost if not self._spec.slots[name].optional]
        if missed:
            self._walk.go(DerivedEvent.EXPIRED)
            self._settle()
        return self._walk.step

    def _miss_secrets(self) -> None:
        """Secrets that have died with a process are asked for again, unless their effect may have been begun."""
        missed, memory = self._memory.lost_secrets(), self._memory
        if not missed:
            return
        keys = effect_keys_ahead(self._context.conversation_id, self._context.run_id, len(memory.visited))
        if isinstance(self._spec.states[self.state], Confirm) and self._effects.begun(keys):
            return  # the effect's log knows what became of it
        before = dict(memory.slots)
        for name in missed:
            memory.forget(name)
        if waits(self._spec.states[self.state]) and (lost := self._first_lost(before)) is not None:
            self._walk.go(DerivedEvent.INVALIDATED, lost)
            self._settle()

    def _dispatch(self, tool: str, arguments: object, agreement: Agreement) -> CallFault | None:
        """Carry out a call. Returns the fault of a call that was partly taken. Raises: CallFault if none of it was."""
        name = self._spec.name
        if tool == name:  # the model opens the task again: it means to provide values
            tool = provide_name(name)
        if tool not in (provide_name(name), confirm_name(name), choose_name(name), cancel_name(name)):
            raise CallFault("unknown_tool", f"This task has no function of that name. {self._allowed()}")
        if self.outcome is not None:
            raise CallFault("task_ended", "This task has ended; nothing can be called in it any more.")
        if tool not in (each.name for each in self.tools()):
            raise CallFault("wrong_state", f"{tool} cannot be called now. {self._allowed()}")
        state = self._spec.states[self.state]
        if tool == provide_name(name):
            return self._provide_good(arguments)
        if isinstance(state, Choose) and tool == choose_name(name):
            self._choose(read_choice(arguments, tuple(state.choices)))
        elif tool == confirm_name(name):
            return self._confirm(read_yes(arguments), agreement)
        else:
            read_object(arguments)
            self._walk.go(DerivedEvent.CANCELLED)
        return None

    def _provide_good(self, arguments: object) -> CallFault | None:
        """Take the valid values of a call. Raises: CallFault if there are none."""
        keyed = {name for name, slot in self._spec.slots.items() if slot.sensitive}
        arguments, anew = keyed_anew(arguments, keyed)
        try:
            self._provide(self._read_slots(arguments), anew=anew)
        except CallFault as fault:
            if not (fault.good or anew):
                raise
            self._provide(fault.good, anew=anew)
            return fault
        return None

    def _provide(self, given: Mapping[str, Any], confidence: float = HEARD, anew: frozenset[str] = frozenset()) -> None:
        """anew: the sensitive slots that the caller wants to key in again."""
        before, missing, step = dict(self._memory.slots), len(self._memory.missing()), self._walk.step
        for name in anew:
            self._memory.forget(name)
        self._take(given, confidence=confidence)
        match self._spec.states[self.state]:
            case _ if (lost := self._first_lost(before)) is not None:
                self._walk.go(DerivedEvent.INVALIDATED, lost)
            case Collect():
                if given and not self._walk.missing_here():
                    self._walk.go("filled")
            case Confirm() | Choose():
                if self._memory.slots != before:
                    # The read-back is no longer true, and a rule may decide differently.
                    self._walk.go(DerivedEvent.CORRECTED, self._first_changed(before))
        if not given and not anew and not step.told:
            step.told = self._said(self._spec.not_understood)
        step.failed |= len(self._memory.missing()) >= missing and not step.piece and not anew

    def _first_lost(self, before: Mapping[str, Any]) -> str | None:
        """The first slot whose value is no longer accepted and that was asked for before; None if there is none."""
        arrows = (arrow for event, arrow in self._spec.arrows_from(self.state) if event == DerivedEvent.INVALIDATED)
        asked = (arrow.about for arrow in arrows if isinstance(arrow, DerivedArrow) and self._was_asked(arrow.about))
        lost = before.keys() - self._memory.slots.keys()
        return next((slot for slot in asked if slot in lost), None)

    def _was_asked(self, slot: str) -> bool:
        """Whether the run passed the state that asks for this slot; otherwise it will be asked for in its turn."""
        return self._spec.home_of(slot) in self._memory.visited

    def _choose(self, event: str) -> None:
        self._memory.learn(CHOICE, self.state, event, source="caller")
        self._walk.go(event)

    def _first_changed(self, before: Mapping[str, Any]) -> str:
        """The first changed slot that the caller is asked for: its state may ask more. Else the first changed one."""
        slots, order = self._memory.slots, self._spec.slots
        changed = [name for name in order if slots.get(name) != before.get(name)]
        return next((name for name in changed if order[name].asked), changed[0])

    def _confirm(self, yes: bool, agreement: Agreement) -> CallFault | None:
        if not yes:
            self._walk.go("no")
            return None
        verdict = agreement.verdict if self._is_about_this(agreement) else Verdict.UNHEARD
        if verdict is Verdict.A_NO:  # the model has misheard it; a no changes nothing, so it needs no more certainty
            self._walk.go("no")
            return CallFault(*_NO_YES[verdict])
        if verdict is not Verdict.AGREED:
            return self._refuse_yes(verdict)
        before = dict(self._memory.slots)
        self._take({})  # a check may refuse by now what it accepted before the read-back
        if (lost := self._first_lost(before)) is not None:
            self._walk.go(DerivedEvent.INVALIDATED, lost)
        elif self._memory.slots != before:
            self._walk.go(DerivedEvent.CORRECTED, self._first_changed(before))
        else:
            self._memory.confirmed()
            self._walk.go("yes")
        return None

    def _is_about_this(self, agreement: Agreement) -> bool:
        """Whether it answers what is read back now. Where a secret was lost since, its digits cannot be compared."""
        judged, now = agreement.readback, self.readback()
        if judged is None or now is None or not self._memory.lost_secrets():
            return judged in (None, now)
        return judged.reading == now.reading

    def _refuse_yes(self, verdict: Verdict) -> CallFault:
        """Have the values read back again, more plainly each time."""
        step, refused = self._walk.step, self._memory.yes_refused()
        if refused >= MOST_READINGS:
            self._walk.go("gave_up")
        else:
            step.word_for_word = True
            step.told = self._said(self._spec.yes_or_no) if refused >= PLAIN_FROM else ""
            step.failed = refused > PLAIN_FROM and verdict in (Verdict.WORDLESS, Verdict.NOT_A_YES)
        fault, hint = _NO_YES[verdict]
        return CallFault(fault, hint)

    def _take(self, given: Mapping[str, Any], source: Source = "caller", confidence: float = HEARD) -> None:
        """Add new values and check all again, in the table's order; keep those accepted."""
        memory, step = self._memory, self._walk.step
        before = memory.slots
        wanted, memory.slots = {**before, **given}, {}
        for name, slot in self._spec.slots.items():
            if name not in wanted:
                continue
            known = replace(memory.known(), slots=dict(memory.slots))
            try:
                value = wanted[name]
                # One that was lost has passed its check while it was known.
                if not (isinstance(value, Secret) and value.lost):
                    value = slot.checked(value, known)
            except SlotError as error:
                memory.forget(name)
                if isinstance(error, Incomplete) and error.piece:
                    memory.learn(FACT, piece_of(name), {"said": error.piece, "whole": False}, source="caller")
                    step.piece = True
                if not step.told:
                    step.told, step.asked = self._said(_told_of(wanted[name], error)), name if slot.asked else ""
                continue
            if name in given or before.get(name) != value:
                memory.keep(name, value, source=source, confidence=confidence)
                if slot.pieces:  # more of it may follow
                    memory.learn(FACT, piece_of(name), {"said": str(value), "whole": True}, source="caller")
            else:
                memory.slots[name] = value

    def _take_only_choices(self) -> None:
        """Fill slots for which the settings allow only one value."""
        for name, slot in self._spec.slots.items():
            if slot.choices and len(only := self._context.choices.get(slot.choices, ())) == 1:
                self._memory.keep(name, slot.read(only[0]), source="store", confidence=CERTAIN)

    def _read_slots(self, arguments: object) -> dict[str, Any]:
        told = {name: slot for name, slot in self._spec.slots.items() if slot.told}
        return read_slots(arguments, told, self._context.choices, self._context.now())

    # --- the answers ---

    def _said(self, sentence: str) -> str:
        """A sentence in the language that is spoken with the caller."""
        return self._context.locale.of(sentence)

    def _settle(self) -> None:
        settle(self._spec, self._memory, self._walk)

    def _answer(self, fault: CallFault | None = None) -> Answer:
        outcome, memory = self.outcome, self._memory
        too_late = fault is not None and fault.fault == "task_ended"
        output = Output(
            task=self._context.run_id,
            state=self.state,
            needs=self._needs(),
            say=None if too_late else memory.say,
            slots=memory.context.values(SLOT),
            result=outcome,
            values=memory.results() or None,
            error=fault and fault.fault,
            hint=fault and fault.hint,
        )
        text = output.model_dump_json(exclude_none=True)
        step = self._walk.step
        word_for_word, told = step.word_for_word and outcome is None, step.told if output.say else ""
        return Answer(text, outcome, output.say or "", fault.fault if fault else "", word_for_word, told)

    def _allowed(self) -> str:
        names = ", ".join(each.name for each in self.tools())
        return f"Call one of: {names}." if names else "The task has ended."

    def _needs(self) -> tuple[str, ...]:
        """The missing slots, the one being asked for first."""
        return tuple(self._memory.needed())

    def _keys(self) -> int | None:
        """How many keys make an answer in the current state; 0 if `#` ends it, None if it takes none."""
        match self._spec.states[self.state]:
            case Collect() if self._memory.asked and (keypad := self._spec.slots[self._memory.asked].keypad):
                return keypad.length or 0
            case Confirm():
                return 1
            case Choose(ask=ask) if ask:
                return 1
            case _:
                return None


def _told_of(value: object, error: SlotError) -> str:
    """Why a value is refused; without the value, where that is a secret."""
    return error.say.replace(value.reveal(), DOTS) if isinstance(value, Secret) else error.say


# The fault and hint for the model, by why a yes does not count.
_NO_YES: dict[Verdict, tuple[Fault, str]] = {
    Verdict.UNHEARD: ("unheard", "The caller had not heard all of it. Say all of it once more, then wait."),
    Verdict.MISSTATED: ("misstated", "What was said is not what would be done. Say it word for word, then wait."),
    Verdict.WORDLESS: ("wordless", "The caller has not answered in words. Say all of it once more, then wait."),
    Verdict.A_NO: ("not_a_yes", "The caller has said no to this."),
    Verdict.NOT_A_YES: ("not_a_yes", "The caller has not said yes to this. Say all of it once more, then wait."),
}
