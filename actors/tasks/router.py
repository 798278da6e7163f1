"""Routes the function calls of one call to its tasks' runs, and gathers their tools, instructions and outputs.

Not an actor: the part of a call's supervisor that knows its FsmAgents.
May import: actors, fsm, protocols, pykka, the standard library. Rules from: docs/architecture.md 4.5.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import count

import pykka

from actors.messages.call import (
    CallerSaid,
    CallerSpeaks,
    CallMessage,
    FunctionCalled,
    SpeechFact,
    StepLimit,
    TaskAnswered,
    TaskNoted,
    TaskSettled,
    WordsLimit,
)
from actors.messages.journal_rows import ForeignSnapshot, JournalEntry, OwedRow, TaskRow
from actors.messages.task import CallerLeft, CallerSilent, ImageUnseen, Invoke, KeysPressed
from actors.metrics import TASK_FAULTS, TASKS_ENDED
from actors.policies import EFFECT_MARGIN_S, STEP_LIMIT_S, TASK_POLICY, WORDS_LIMIT_S
from actors.services import BotProfile, Services
from actors.system.address import Address, ParentLink
from actors.system.supervisor import Supervisor
from actors.tasks.activity_tools import action_of, activity_tools
from actors.tasks.agent import FsmAgent
from actors.tasks.claims import Corrections, done_by
from actors.tasks.consent import ReadbackConsent
from actors.tasks.effect_attempts import UNSURE
from actors.tasks.handle import BEGUN_AGAIN, FAILED, OPEN, TaskHandle, TaskReply
from actors.tasks.owed_results import OwedResults
from actors.tasks.replay import calls_left, highest_run, owed_left, tasks_left
from actors.tasks.tools import LANGUAGE, amended, merged, which_language, which_run, with_language
from fsm.answer import Answer, Snapshot, TaskStatus
from fsm.arguments import CallFault, read_yes
from fsm.claims import deeds_in
from fsm.consent import Agreement, Readback, Verdict
from fsm.context import SLOT
from fsm.effects import TaskContext
from fsm.run import TaskRun
from fsm.spec import AgentSpec, End, ToolSpec
from fsm.tools import confirm_name
from protocols.activities import Action, ShowImage
from protocols.errors import MisuseError
from protocols.realtime.scheduler import MOST_CALLS

# Of a task that ends in a transfer, where the bot has nobody to transfer to.
NOT_TRANSFERRED = "not_transferred"
AGAIN = "I am sorry, I have to begin that again."
SORRY = "I am sorry, that did not work. Is there anything else I can do for you?"
# After a sentence.
_LAST_QUESTION = re.compile(r"(?<=[.!]) [^.!?]+\?$")
ANYTHING_ELSE = "Is there anything else I can do for you?"
NOBODY_THERE = "I am sorry, nobody is free to take your call at the moment. Is there anything else I can do for you?"


class TaskRouter:
    """The tasks of one call. caller: in E.164, "" if withheld. limit: starts a step's time limit, in s.

    now_ms: the clock of the conversation's facts.
    """

    def __init__(
        self,
        services: Services,
        conversation_id: str,
        caller: str,
        children: Supervisor,
        call: Address[CallMessage],
        limit: Callable[[StepLimit | WordsLimit, float], None],
        now_ms: Callable[[], float],
    ) -> None:
        self._services = services
        self._conversation_id = conversation_id
        self._caller = caller
        self._children = children
        self._call = call
        self._limit = limit
        self._now_ms = now_ms
        day_at = _days(services, now_ms)
        # The language that is spoken with the caller.
        self.locale = services.profile.locale
        self._consent = ReadbackConsent(self.locale.reader, day_at, services.profile.yes_without_words)
        self._owed = OwedResults(self.locale.reader)
        self._corrections = Corrections(self.locale, services.profile.agents)
        self._calls_in_a_row = 0
        self._prompted_ms = 0.0  # when the caller's silence was last broken by us
        self._seen: set[str] = set()  # the ids of function calls
        self._unsettled: set[str] = set()
        self._inherited: set[str] = set()  # function calls that the previous process left unanswered
        # Function calls that would end the call or transfer it, while they wait for the caller's transcript.
        self._end_requests: dict[str, FunctionCalled] = {}
        self._asked_to_stay: dict[str, float] = {}  # by run, when an end was refused because its read-back is open
        self._acted: dict[str, Readback] = {}  # by run, the confirmed effect that the previous process had begun
        self._late: dict[str, Invoke | KeysPressed | CallerSilent] = {}  # by run, a step that is overdue and may act
        self._numbers = count(1)  # of runs
        self._first_words: dict[str, str] = {}  # by step, what the caller must hear before its answer
        self._asked: dict[str, Action] = {}  # of VAIC, by key
        self._kept_images: dict[tuple[str, str], bytes] = {}  # by effects, by run and name
        self._to_show: dict[str, ShowImage] = {}  # by key
        self.runs: dict[str, TaskHandle] = {}
        self.unfit: list[TaskHandle] = []  # open runs of another process, of tasks whose table has changed since
        # Those of tasks that this release does not have, with the words for the caller.
        self.gone: list[tuple[TaskRow, str]] = []

    def restore(self, rows: Sequence[JournalEntry], acted: Collection[str] = ()) -> list[FunctionCalled]:
        """Restore the runs of a call that another process left. Returns the function calls it left unanswered.

        acted: the runs whose confirmed effect was begun after the last of these rows.
        An open run whose table has changed since begins again with its slots, in another run.
        """
        unanswered, answered = calls_left(rows)
        owed = owed_left(rows)
        self._owed.restore(owed.results)
        self._corrections.restore(owed.claims, self._owed.done())
        self._seen.update(answered)
        self._inherited = {call.call_id for call in unanswered}
        self._numbers = count(highest_run(rows) + 1)
        for each in tasks_left(rows):
            spec = self._services.profile.agents.get(each.agent)
            if spec is None and each.result == OPEN:
                self.gone.append((each, self.locale.of(UNSURE if each.run in acted else SORRY)))
            if spec is None or each.snapshot is None:
                continue  # of another release, or crashed in its first step: its call is made again
            self._speak(each.snapshot.language if isinstance(each.snapshot, Snapshot) else "")
            run = self._run(spec, each.run, each.response)
            run.result = each.result
            standing = self._standing(spec, run, each.snapshot)
            if run.result != OPEN:
                self._restore_ended(run, standing, each.snapshot)
            elif standing is None:
                self._give_way(run, each, acted)
            else:
                self._go_on(run, standing, acted, [call.name for call in unanswered])
        return unanswered

    def _standing(self, spec: AgentSpec, run: TaskHandle, snapshot: Snapshot | ForeignSnapshot) -> TaskRun | None:
        """The run from its snapshot. None: the snapshot is of another release, or its table has changed."""
        if isinstance(snapshot, ForeignSnapshot):
            return None
        try:
            return TaskRun.restore(spec, run.context, self._services.effects, snapshot)
        except MisuseError:
            return None

    def _go_on(self, run: TaskHandle, standing: TaskRun, acted: Collection[str], unanswered: Collection[str]) -> None:
        """Restore an open run. unanswered: the names of the function calls that will be made again."""
        run_id, run.status = run.context.run_id, standing.status()
        run.say = run.status.snapshot.say
        self._read_back(run)
        self._start(run)
        if run_id in acted and run.status.readback is not None:
            # Do not read back again: the effect may have been done already.
            self._acted[run_id] = run.status.readback
            if (confirm := confirm_name(run.spec.name)) not in unanswered:
                self._step(run, Invoke(self._step_id(), confirm, '{"yes": true}'))

    def _restore_ended(self, run: TaskHandle, standing: TaskRun | None, snapshot: Snapshot | ForeignSnapshot) -> None:
        """Restore what a run has done, and what was said of it; that needs no table. Where it cannot be read, or may
        have been done before the run failed, nobody knows.
        """
        if standing is not None:
            run.status = standing.status()
        elif isinstance(snapshot, Snapshot):
            run.status = TaskStatus(snapshot)
        if run.result == FAILED:
            run.say = self.locale.of(SORRY if standing is not None and standing.readback() is None else UNSURE)
        elif run.result == NOT_TRANSFERRED:
            run.say = self.locale.of(NOBODY_THERE)
        elif run.status is not None:
            run.say = run.status.snapshot.say
        elif run.result != BEGUN_AGAIN:
            run.say = self.locale.of(UNSURE)

    def _give_way(self, run: TaskHandle, left: TaskRow, acted: Collection[str]) -> None:
        """End a run whose table has changed, and begin it again with its slots: where the table takes that, it asks.

        Not after a yes that may have been carried out: the caller is told that nobody knows.
        """
        self.unfit.append(run)
        if left.run in acted:
            run.say = self.locale.of(UNSURE)
            self._end(run, FAILED)
            return
        self._end(run, BEGUN_AGAIN)
        items = left.snapshot.items if isinstance(left.snapshot, Snapshot) else ()
        told = {name for name, slot in run.spec.slots.items() if slot.told}
        asked = {item.name: item.value for item in items if item.category == SLOT and item.name in told}
        again = self._open(run.spec, FunctionCalled("", run.spec.name, json.dumps(asked), left.response))
        step = Invoke(self._step_id(), run.spec.name, again.arguments)
        self._first_words[step.step_id] = self.locale.of(AGAIN)
        self._step(again, step)

    # --- facts of the conversation ---

    def note(self, fact: SpeechFact) -> dict[str, str]:
        """Note a speech fact. Returns the outputs of calls that waited for it, by call id."""
        self._consent.note(fact)
        self._corrections.note(fact)
        self._owed.note(fact)
        match fact:
            case CallerSpeaks():
                self._calls_in_a_row = 0
            case CallerSaid():
                for run in self._open_runs():
                    self._take_next(run)
                return self._answer_end_requests(self._end_requests)
            case _:
                pass
        return {}

    def owed(self) -> OwedRow:
        """What the caller must hear yet, for the journal."""
        return OwedRow(results=self._owed.left(), claims=self._corrections.left())

    def owe(self, key: str, words: str) -> None:
        """The caller must hear these words. key: the run that has failed, or what else they are about."""
        self._owed.failed(key, words, words, self._services.local_now().date())

    @property
    def owes_result(self) -> bool:
        """Whether a task has done something that the caller has not heard about."""
        return self._owed.open

    def owes(self, key: str) -> bool:
        """Whether the caller has not heard yet what `owe` was told under this key."""
        return any(each.run == key for each in self._owed.left())

    def owed_result(self) -> str:
        """The sentence about it, to say now; "" if there is none."""
        return self._owed.tell()

    @property
    def correcting(self) -> bool:
        """A correction was asked for, and the caller has not heard it yet."""
        return self._corrections.correcting

    def correction(self, *, asks: bool = True, overdue: bool = False) -> str:
        """The words to say now because the model has told the caller something untrue; "" if there are none.

        asks: they end in a question, because the call goes on. overdue: nobody has been heard for a while.
        """
        if not self._corrections.open or self.busy:
            return ""
        asking, today = self._asking(), self._services.local_now().date()
        question = "" if asking is None else asking.say
        return self._corrections.words(self.runs.values(), question, today, self._now_ms(), asks=asks, overdue=overdue)

    def prompted(self) -> None:
        """The model is asked to break a silence: nothing that it does about that is the caller's wish."""
        self._prompted_ms = self._now_ms()

    def keys_pressed(self, at_ms: float) -> None:
        """The caller has pressed keys, whether a task asked for them or not."""
        self._consent.keys_pressed(at_ms)

    # --- steps ---

    def invoke(self, called: FunctionCalled) -> str | None:
        """Hand a function call to its run, which answers by TaskAnswered; or return the output at once.

        Also None for a call that is reported twice before it has its answer.
        """
        if called.call_id in self._seen:
            if self._waits(called.call_id):
                return None
            # The model has reused the id of an earlier call, and waits for an answer.
            return _refusal("call_id_used", "This call_id has been answered before. Nothing was done about this call.")
        self._seen.add(called.call_id)
        self._calls_in_a_row += 1
        if called.cut_off:
            hint = "The caller spoke before this was done, so nothing was done. Call it again if it is still wanted."
            return _refusal("cut_off", hint)
        if self._calls_in_a_row > MOST_CALLS:
            return _refusal("too_many_calls", "Call nothing more. Speak to the caller, and wait for an answer.")
        if called.name in self._services.profile.model_may:
            return self._ask_vaic(called)
        called = self._in_language(called)
        run_id, arguments = which_run(called.arguments)
        run = self._run_for(called, run_id)
        if run is None and (spec := self._services.profile.agents.get(called.name)) is not None:
            if spec.ends_call and called.call_id not in self._inherited:
                self._end_requests[called.call_id] = called
                return self._answer_end_requests((called.call_id,)).get(called.call_id)
            run = self._open(spec, called)
        if run is None:
            return self._answer_late(called) or self._refuse(called.name)
        if run.status is None:
            arguments = called.arguments  # its parameters may have any name
        self._step(run, Invoke(called.call_id, called.name, arguments, spoke=self._calls_in_a_row == 1))
        return None

    def _ask_vaic(self, called: FunctionCalled) -> str:
        """The model asks VAIC for something itself."""
        try:
            action = action_of(called.name, called.arguments, self._services.profile.recordings)
        except CallFault as fault:
            return _refusal(fault.fault, fault.hint)
        except ValueError as error:
            return _refusal("bad_value", str(error))
        self._asked[f"call:{called.call_id}"] = action
        return json.dumps({"result": "asked for"})

    def take_asked(self) -> dict[str, Action]:
        """What tasks and the model have asked VAIC for since the last time, by key; the same key again: the same."""
        asked, self._asked = self._asked, {}
        return asked

    def take_images(self) -> tuple[dict[tuple[str, str], bytes], dict[str, ShowImage]]:
        """What effects have kept since the last time, by run and name, and what is to be shown, by key."""
        taken = self._kept_images, self._to_show
        self._kept_images, self._to_show = {}, {}
        return taken

    def unseen(self, run_id: str, image: str) -> None:
        """An image of a run could not be shown to the model."""
        run = self.runs.get(run_id)
        if run is not None and run.result == OPEN:
            run.stable_ref.tell(ImageUnseen(image))

    def noted(self, message: TaskNoted) -> TaskHandle | None:
        """A run has noted something. None: it has ended."""
        run = self.runs.get(message.run_id)
        if run is None or run.result != OPEN:
            return None
        run.status = _without_images(message.status)
        return run

    def _waits(self, call_id: str) -> bool:
        """Whether a function call is not answered yet."""
        return call_id in self._end_requests or any(call_id in run.pending for run in self.runs.values())

    def keys_wanted(self) -> int | None:
        """How many keys answer the current question; 0: up to `#`. None: keys are not taken now."""
        run = self._asking()
        return None if run is None or run.status is None else run.status.keys

    def pressed(self, keys: str, at_ms: float) -> bool:
        """The caller has answered by keys. Returns whether a task takes them."""
        run = self._asking()
        if run is None:
            return False
        self._calls_in_a_row = 0
        self._step(run, KeysPressed(self._step_id(), keys, self._consent.keyed(run.context.run_id, at_ms)))
        return True

    def silence(self) -> bool:
        """The caller did not answer. Returns whether a task will say something about it."""
        run = self._asking()
        if run is not None:
            self._step(run, CallerSilent(self._step_id()))
        return run is not None

    @property
    def sensitive(self) -> bool:
        """Whether the caller is asked for what nobody may hear, or has just keyed it in."""
        waiting = [run.status for run in self._open_runs() if run.status is not None and run.status.waits]
        return bool(waiting) and waiting[-1].sensitive

    @property
    def busy(self) -> bool:
        """Whether a task is in the middle of a step, whose answer is still to come."""
        return any(run.pending for run in self._open_runs())

    def works(self, run_id: str) -> bool:
        """Whether a run's agent is taking a step whose answer is still to come."""
        return (run := self.runs.get(run_id)) is not None and run.taking in run.pending

    def takes_up_to(self, run_id: str, longest_s: float) -> None:
        """A run carries out an effect that ends by itself: its step is given that time, if that is more than it has."""
        run = self.runs.get(run_id)
        if run is not None and run.taking in run.pending and longest_s + EFFECT_MARGIN_S > STEP_LIMIT_S:
            self._limit(StepLimit(run.taking), longest_s + EFFECT_MARGIN_S)

    def ask_again(self) -> str:
        """The sentence to repeat; "" if no task is asking."""
        run = self._asking()
        return "" if run is None else run.say

    def answered(self, message: TaskAnswered) -> TaskReply | None:
        """Handle a run's answer to a step. None: it is late, and the step was already answered on the run's behalf."""
        run = self.runs.get(message.run_id)
        if run is not None and (late := self._late.get(message.run_id)) and late.step_id == message.step_id:
            return self._reply_late(run, message)
        if run is None or run.pending.pop(message.step_id, None) is None:
            return None
        run.status, run.taking = _without_images(message.status), ""
        for key, action in message.status.actions.items():
            if isinstance(action, ShowImage):
                self._to_show[key] = action
            else:
                self._asked[key] = action
        self._kept_images |= {(message.run_id, name): content for name, content in message.status.images.items()}
        self._read_back(run)
        reply = self._reply(run, message)
        self._take_next(run)
        return reply

    def _reply(self, run: TaskHandle, message: TaskAnswered) -> TaskReply:
        if message.answer is None:
            return TaskReply(run, {message.step_id: ""})
        answer, output = message.answer, message.answer.output
        if answer.fault:
            TASK_FAULTS.labels(answer.fault).inc()
        run.say = answer.say or run.say
        if ended := answer.outcome is not None and run.result == OPEN:
            output = self._take_end(run, answer)
        if words := self._first_words.pop(message.step_id, ""):
            output = amended(output, say=f"{words} {run.say}".strip())
        return TaskReply(run, {message.step_id: output}, ended=ended, word_for_word=answer.word_for_word and not ended)

    def _reply_late(self, run: TaskHandle, message: TaskAnswered) -> TaskReply:
        """The answer to an overdue step, after the caller was told that its outcome is unknown."""
        del self._late[message.run_id]
        self._children.stop(run.child)
        run.status, answer = _without_images(message.status), message.answer
        if answer is None:
            return TaskReply(run, {})
        run.say, words = answer.say, ""
        if answer.outcome is not None and answer.outcome not in ("transfer", "hangup"):
            self._end(run, answer.outcome)
            self._owe_result(run, answer.outcome, answer.told)
            words = answer.say
        elif answer.told:
            # The task does not go on, as the caller was told.
            words = f"{answer.told} {self.locale.of(ANYTHING_ELSE)}"
        told = json.dumps({"task": run.context.run_id, "result": run.result, "say": words})
        return TaskReply(run, {self._step_id(): told} if words else {})

    def words_overdue(self, step_id: str) -> dict[str, str]:
        """The transcript that a step waits for is late: take the step without it. Returns the same as `note`."""
        for run in self._open_runs():
            if run.waits_for_words and next(iter(run.pending), None) == step_id:
                self._take_next(run, final=True)
        return self._answer_end_requests({step_id} & self._end_requests.keys(), final=True)

    def started_again(self, child: str) -> None:
        """A run's agent was restarted from its snapshot: repeat the step in which it crashed."""
        for run in self.runs.values():
            if run.child == child:
                step = self._late.get(run.context.run_id) or run.pending.get(run.taking)
                if step is not None:
                    run.stable_ref.tell(step)
                if run.context.run_id in self._unsettled:
                    run.stable_ref.tell(CallerLeft())

    # --- ends ---

    def given_up(self, child: str) -> TaskReply | None:
        """A run has used up its restarts: end it; returns the outputs for its unanswered steps."""
        for run in self.runs.values():
            if run.child == child and run.result == OPEN:
                return self._fail(run)
            if run.child == child and self._late.pop(run.context.run_id, None) is not None:
                self._unsettled.discard(run.context.run_id)
                return TaskReply(run, {})
        return None

    def overdue(self, step_id: str) -> TaskReply | None:
        """A step has exceeded its time limit: the caller is told so, and its run has failed.

        Where the step may act its agent goes on: what it does is undone or finished like any other's when the caller
        hangs up, and told when it is known. Any other agent is abandoned, and later answers are ignored.
        """
        for run in self.runs.values():
            if (step := run.pending.get(step_id)) is not None:
                if run.taking == step_id and self._may_act(run):
                    self._late[run.context.run_id] = step
                else:
                    self._children.abandon(run.child)
                return self._fail(run)
        return None

    def caller_left(self) -> bool:
        """Notify the runs that are in the middle of a step. Returns whether any must be waited for.

        A yes is judged by the transcripts that have arrived; steps queued behind another one are dropped.
        """
        self._end_requests.clear()
        for run in self._open_runs():
            self._take_next(run, final=True)
            run.pending = {step_id: step for step_id, step in run.pending.items() if step_id == run.taking}
        self._unsettled = {run.context.run_id for run in self._open_runs() if run.pending} | self._late.keys()
        for run_id in self._unsettled:
            self.runs[run_id].stable_ref.tell(CallerLeft())
        return bool(self._unsettled)

    def settled(self, message: TaskSettled) -> TaskHandle | None:
        """Handle the last state of a run after the caller left. None: it was not waited for."""
        if message.run_id not in self._unsettled:
            return None
        self._unsettled.discard(message.run_id)
        run = self.runs[message.run_id]
        run.status = message.status
        outcome = message.outcome and self._carried_out(message.outcome)
        if outcome is not None and outcome != run.result:
            self._end(run, outcome)
        return run

    @property
    def unsettled(self) -> bool:
        """Whether runs are still waited for after the caller left."""
        return bool(self._unsettled)

    # --- tools and instructions of the model ---

    def tools(self) -> tuple[ToolSpec, ...]:
        """The functions the model may call: those of open runs, and the opening functions of the other tasks."""
        open_runs = self._open_runs()
        held = [(run.context.run_id, tool) for run in open_runs if run.status is not None for tool in run.status.tools]
        return opening_tools(self._services.profile, {run.spec.name for run in open_runs}, merged(held))

    def instructions(self) -> str:
        """The instructions about the open tasks; the newest one is the current task."""
        told = [run.status.instructions for run in self._open_runs() if run.status is not None]
        if len(told) > 1:
            told.insert(0, _SEVERAL)
        return "\n\n".join(told)

    # --- internals ---

    def _step(self, run: TaskHandle, step: Invoke | KeysPressed | CallerSilent) -> None:
        run.pending[step.step_id] = step
        self._take_next(run)

    def _take_next(self, run: TaskHandle, final: bool = False) -> None:
        """Send a run its next step once the previous one is answered; a yes also waits for the caller's transcript.

        final: do not wait for the transcript.
        """
        if run.taking or not run.pending:
            return
        step = next(iter(run.pending.values()))
        if isinstance(step, Invoke) and _says_yes(run.spec, step):
            agreement = self._agreement(run, final)
            if agreement is None:
                if not run.waits_for_words:
                    run.waits_for_words = True
                    self._limit(WordsLimit(step.step_id), WORDS_LIMIT_S)
                return
            # Kept, so that a restarted agent gets the same message.
            step = run.pending[step.step_id] = replace(step, agreement=agreement)
        run.taking, run.waits_for_words = step.step_id, False
        self._limit(StepLimit(step.step_id), STEP_LIMIT_S)
        run.stable_ref.tell(step)

    def _answer_end_requests(self, call_ids: Collection[str], final: bool = False) -> dict[str, str]:
        """Open the tasks that end or transfer the call, if the caller has spoken. Returns the outputs of the others."""
        outputs = {}
        for call_id in tuple(call_ids):
            spoken = self._consent.has_spoken(self._prompted_ms, final=final)
            if spoken is None:
                self._limit(WordsLimit(call_id), WORDS_LIMIT_S)
                continue
            called = self._end_requests.pop(call_id)
            if not spoken:
                outputs[call_id] = _refusal("not_asked_for", "The caller has said nothing. Ask what the caller wants.")
            elif (held := self._held_back_by(self._services.profile.agents[called.name])) is not None:
                outputs[call_id] = self._hold_back(held)
            else:
                run = self._open(self._services.profile.agents[called.name], called)
                self._step(run, Invoke(call_id, called.name, called.arguments))
        return outputs

    def _held_back_by(self, spec: AgentSpec) -> TaskHandle | None:
        """The run whose read-back is open, unless the caller was reminded of it and has spoken since.

        The model may have taken a yes for a farewell. Not where the caller has answered by a wish for a human.
        """
        for run in reversed(self._open_runs()):
            if run.status is not None and run.status.readback is not None and not run.pending:
                if _transfers(spec) and self._consent.wants_otherwise(run.context.run_id):
                    return None
                asked_ms = self._asked_to_stay.get(run.context.run_id)
                return run if asked_ms is None or not self._consent.has_spoken(asked_ms, final=True) else None
        return None

    def _hold_back(self, run: TaskHandle) -> str:
        self._asked_to_stay[run.context.run_id] = self._now_ms()
        TASK_FAULTS.labels("task_open").inc()
        confirm = confirm_name(run.spec.name)
        hint = f"The caller has not answered this. If the answer was yes, call {confirm}; else ask, and wait."
        return json.dumps({"task": run.context.run_id, "error": "task_open", "hint": hint, "say": run.say})

    def _agreement(self, run: TaskHandle, final: bool) -> Agreement | None:
        """How the caller's latest turn answers the run's read-back. None: its transcript is missing."""
        begun = self._acted.get(run.context.run_id)
        if begun is not None and run.status is not None and run.status.readback == begun:
            return Agreement(Verdict.AGREED, begun)
        return self._consent.judge(run.context.run_id, final=final)

    def _read_back(self, run: TaskHandle) -> None:
        readback = run.status.readback if run.status is not None and run.result == OPEN else None
        self._consent.asked(run.context.run_id, readback, self._now_ms())

    def _step_id(self) -> str:
        # Shares a namespace with function call ids, which the model chooses, so it must be one that it cannot choose.
        return f"step-{self._services.new_id()}"

    def _in_language(self, called: FunctionCalled) -> FunctionCalled:
        """A function call without the language that it names, in which the call goes on."""
        spec = self._services.profile.agents.get(called.name)
        if not self._services.profile.locales or spec is None or LANGUAGE in spec.slots:
            return called
        tag, arguments = which_language(called.arguments)
        self._speak(tag)
        return replace(called, arguments=arguments)

    def _speak(self, tag: str) -> None:
        """Go on in another language of the bot's; not for a tag that is none."""
        locale = self._services.profile.locales.get(tag)
        if locale is None or locale.tag == self.locale.tag:
            return
        self.locale = locale
        self._consent.language = self._owed.language = locale.reader
        self._corrections.speak(locale)

    def _open(self, spec: AgentSpec, called: FunctionCalled) -> TaskHandle:
        run = self._run(spec, f"t{next(self._numbers)}", called.response_id)
        run.arguments = called.arguments
        self._start(run)
        return run

    def _run(self, spec: AgentSpec, run_id: str, response_id: str) -> TaskHandle:
        notes = (note for run in self.runs.values() if run.status is not None for note in run.status.snapshot.notes)
        context = TaskContext(
            conversation_id=self._services.call_key(self._conversation_id),
            run_id=run_id,
            caller=self._caller,
            now=self._services.local_now,
            choices=_choices(self._services.profile),
            notes=tuple(notes) if spec.carries_notes else (),
            bot=self._services.bot.name,
            bot_digest=self._services.bot.digest,
            before=self._services.facts(),
            locale=self.locale,
        )
        run = self.runs[run_id] = TaskHandle(spec, context, response_id)
        return run

    def _start(self, run: TaskHandle) -> None:
        def start(parent_link: ParentLink) -> pykka.ActorRef[FsmAgent]:
            snapshot = run.status and run.status.snapshot
            # The key is known for good when the lease is opened; that may be later, when the store was away.
            run.context = replace(run.context, conversation_id=self._services.call_key(self._conversation_id))
            return FsmAgent.start(parent_link, run.spec, run.context, self._services.effects, snapshot, self._call)

        self._children.start(run.child, run.stable_ref, TASK_POLICY, start)

    def _open_runs(self) -> list[TaskHandle]:
        return [run for run in self.runs.values() if run.result == OPEN]

    def _asking(self) -> TaskHandle | None:
        """The run whose question the caller heard last, unless a step of it is pending."""
        runs = [run for run in self._open_runs() if run.status is not None and run.status.waits]
        return runs[-1] if runs and not runs[-1].pending else None

    def _run_for(self, called: FunctionCalled, run_id: str | None) -> TaskHandle | None:
        """The open run this function call belongs to: the one it names, or the newest with such a function."""
        if run_id is not None and (named := self.runs.get(run_id)) is not None and named.result == BEGUN_AGAIN:
            run_id = None
        for run in reversed(self._open_runs()):
            if called.name == run.spec.name:
                # Two different opening calls in one response open two runs; a later one refers to the open run.
                if run.response_id != called.response_id or _same(run.arguments, called.arguments):
                    return run
            elif called.name.startswith(f"{run.spec.name}_") and run_id in (None, run.context.run_id):
                return run
        return None

    def _answer_late(self, called: FunctionCalled) -> str:
        """The output of a call to a run that has ended in a process that died, or cannot go on; else ""."""
        run = self._ended_run(called)
        if run is None or run.result in (OPEN, "transfer", "hangup"):
            return ""
        return json.dumps({"task": run.context.run_id, "result": run.result, "say": run.say})

    def _ended_run(self, called: FunctionCalled) -> TaskHandle | None:
        """The newest run that a call was for which the previous process left unanswered."""
        runs = (run for run in reversed(self.runs.values()) if called.name.startswith(f"{run.spec.name}_"))
        return next(runs, None) if called.call_id in self._inherited else None

    def answers(self, run: TaskHandle, unanswered: Collection[FunctionCalled]) -> bool:
        """Whether the output of one of these calls will tell the caller how an unfit run has ended."""
        return any(self._ended_run(called) is run for called in unanswered)

    def _refuse(self, name: str) -> str:
        if any(name.startswith(f"{run.spec.name}_") for run in self.runs.values()):
            return _refusal("task_ended", "That task has ended; open a new one.")
        return _refusal("unknown_function", "There is no such function; use the declared ones.")

    def _take_end(self, run: TaskHandle, answer: Answer) -> str:
        """A run has ended by its table; go back to another one that waits."""
        outcome, output = self._carried_out(answer.outcome or ""), answer.output
        self._end(run, outcome)
        self._owe_result(run, outcome, answer.told)
        if not run.pending:  # else its agent still has to answer the other steps
            self._children.stop(run.child)
        if outcome == NOT_TRANSFERRED:
            # The caller must still hear the task's result.
            of = self.locale.of
            run.say = f"{answer.told} {of(ANYTHING_ELSE)}" if answer.told else of(NOBODY_THERE)
            return amended(output, result=outcome, say=run.say)
        outer = self._asking()
        if outer is None or outcome in ("transfer", "hangup"):
            return output
        # "Is there anything else?" before the other task's question would be two questions at once.
        if answer.say:
            run.say = _LAST_QUESTION.sub("", answer.say)
            output = amended(output, say=run.say)
        return amended(output, next=outer.say)

    def _carried_out(self, outcome: str) -> str:
        """What a table's outcome comes to in this bot's calls."""
        return NOT_TRANSFERRED if outcome == "transfer" and not self._services.profile.transfer_targets else outcome

    def _owe_result(self, run: TaskHandle, outcome: str, reason: str) -> None:
        """reason: why the task leads to a transfer; the caller must hear it, also if a new wish calls that off."""
        language, today = self.locale.reader, self._services.local_now().date()
        if deeds_in(run.say, language):
            done, *_ = done_by(run, language)
            self._owed.ended(run.context.run_id, done, today)
        elif outcome in ("transfer", NOT_TRANSFERRED) and reason:
            self._owed.failed(run.context.run_id, reason, f"{reason} {self.locale.of(ANYTHING_ELSE)}", today)

    def _fail(self, run: TaskHandle) -> TaskReply:
        self._end(run, FAILED)
        self._unsettled.discard(run.context.run_id)
        words = self.locale.of(UNSURE if self._may_act(run) else SORRY)
        told = {"task": run.context.run_id, "error": FAILED, "result": FAILED, "say": words}
        # Without a step the caller is told by one of ours.
        steps, run.pending, run.taking, run.say = list(run.pending) or [self._step_id()], {}, "", words
        return TaskReply(run, dict.fromkeys(steps, json.dumps(told)), ended=True)

    def _may_act(self, run: TaskHandle) -> bool:
        """After a yes the effect may have been carried out, even if the agent crashed."""
        read_back = run.status is not None and run.status.readback is not None
        return read_back and isinstance(run.pending.get(run.taking), Invoke | KeysPressed)

    def _end(self, run: TaskHandle, outcome: str) -> None:
        run.result = outcome
        self._corrections.ended(run.spec.name)
        TASKS_ENDED.labels(run.spec.name, outcome).inc()


def opening_tools(
    profile: BotProfile, busy: Collection[str] = (), held: Iterable[ToolSpec] = ()
) -> tuple[ToolSpec, ...]:
    """The functions of a session: those that open a task, those of open ones, those of the bot's own. busy: names of
    the open tasks. held: their functions.
    """
    choices = _choices(profile)
    offered = [spec for name, spec in profile.agents.items() if name not in busy]
    # A task without any allowed value, such as a transfer without targets, is not offered.
    openers = [spec.opening_tool(choices) for spec in offered if all(choices.get(it) for it in spec.choices())]
    openers = [with_language(tool, tuple(profile.locales)) for tool in openers]
    return (*openers, *held, *activity_tools(profile.model_may, profile.recordings))


def _choices(profile: BotProfile) -> dict[str, tuple[str, ...]]:
    return {"transfer_targets": tuple(profile.transfer_targets)}


def _refusal(fault: str, hint: str) -> str:
    TASK_FAULTS.labels(fault).inc()
    return json.dumps({"error": fault, "hint": hint})


def _days(services: Services, now_ms: Callable[[], float]) -> Callable[[float], date]:
    """Tells the caller's day at a time of the conversation's clock. No method: a router that it referred back to would
    wait for the garbage collector.
    """

    def day_at(at_ms: float) -> date:
        then = services.now() - timedelta(milliseconds=now_ms() - at_ms)
        return then.astimezone(services.profile.time_zone).date()

    return day_at


def _without_images(status: TaskStatus) -> TaskStatus:
    """What is known of a run until its next step: the images that its effects have kept are with the call's."""
    return replace(status, images={}) if status.images else status


def _transfers(spec: AgentSpec) -> bool:
    """Whether a task that ends the talk with the bot leads to a human, not to a farewell."""
    return any(isinstance(state, End) and state.outcome == "transfer" for state in spec.states.values())


def _says_yes(spec: AgentSpec, step: Invoke) -> bool:
    if step.tool != confirm_name(spec.name):
        return False
    try:
        return read_yes(step.arguments)
    except CallFault:
        return False


def _same(one: str, other: str) -> bool:
    """Whether two calls have equal arguments, regardless of JSON formatting."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return one == other


_SEVERAL = "Several tasks are open. Go on with the last of them first; when it has ended, come back to the one before."
