"""One call: owns its two sockets and its tasks, their restarts, and the call's state of record.

May import: actors, protocols, store's record types, pykka, loguru. Rules from: design 1, 4 and 5.
"""

from __future__ import annotations

import json
from typing import assert_never

import pykka
from loguru import logger

from actors.address import ChildDied, Post, Seat
from actors.call_book import CallBook
from actors.children import Children
from actors.diary import Diary
from actors.farewell import Farewell
from actors.house import House
from actors.limits import Limits
from actors.messages import (
    BotHeard,
    BotSaid,
    CallerArrived,
    CallerSaid,
    CallerSpeaks,
    CallerTyped,
    CallMessage,
    Consult,
    Deadline,
    Describe,
    DigitsPressed,
    EndCall,
    FunctionCalled,
    FunctionOutput,
    HangUp,
    ModelReady,
    ModelSocketMessage,
    Rebind,
    ResponseEnded,
    SessionChanged,
    Speak,
    StartAgain,
    TaskAnswered,
    TaskSettled,
    Transfer,
    VaicEnded,
    VaicSocketMessage,
)
from actors.model_side import ModelSide
from actors.openai_socket import OpenAISocket
from actors.runtime import LoopActor
from actors.supervision import Escalate, Restart, RestartPolicy
from actors.tasks import TaskDesk, TaskRun
from actors.vaic_socket import Entry, VaicSide, VaicSocket
from actors.wire import Wire
from protocols.errors import TransportLost
from protocols.media import MediaFormat, model_side
from protocols.vaic import SessionInitiate
from store.journal import CallRecord

VAIC, MODEL = "vaic", "model"
POLICIES = {
    # A crash of ours is repaired on the same wire; a lost socket is not an error to repair: VAIC comes back by itself.
    VAIC: RestartPolicy(restart=Restart.TRANSIENT, intensity=3, period_s=10),
    MODEL: RestartPolicy(restart=Restart.PERMANENT, intensity=5, period_s=60, backoff_s=0.5),
}
# Time limits, in s: for VAIC's `start` once the model is ready, for its return after a loss, for last words to be
# spoken, for session.end after our hangup, and for children to end; for a task's step before the caller is asked for
# patience, and for the next key.
FILLER_S, KEYS_LIMIT_S = 2.5, 3.0
FILLER = "One moment, please."
START_LIMIT_S, RESUME_LIMIT_S, FAREWELL_LIMIT_S, END_LIMIT_S, CHILDREN_LIMIT_S = 3.0, 60.0, 20.0, 5.0, 3.0


class CallSupervisor(LoopActor):
    """Is told: CallMessage. Its parent is the switchboard. Its end, by `finish`, is always a normal one."""

    def __init__(self, post: Post, house: House, initiate: SessionInitiate, media: MediaFormat, wire: Wire) -> None:
        super().__init__(post)
        self._house = house
        self._id = initiate.conversation_id
        self._media = media
        self._wire = wire
        self._log = logger.bind(conversation=self._id)
        self._vaic: Seat[VaicSocketMessage] = Seat()
        self._model: Seat[ModelSocketMessage] = Seat()
        self._limits = Limits(self.after)
        self._children = Children(self.actor_ref, self.now_ms, house.rand, self._start_again, self._log)
        self._tasks = TaskDesk(house, self._id, initiate.caller, self._children, self.actor_ref, self._limits.start)
        book = CallBook(self._id, initiate.bot_name, initiate.caller, media.name, house.now(), self.now_ms())
        self._book, self._diary = book, Diary(house, book, self._log)
        self._entry, self._incarnation = Entry.NEW, 0
        self._caller_arrived = self._model_ready = self._greeted = False
        self._farewell: Farewell | None = None
        self._keys = ""
        self._outcome: str | None = None  # set when we end the call by ourselves
        self._ending: str | None = None  # set when it has ended, and is to be written down
        self._finished = False

    def on_start(self) -> None:
        self._log.info("call began", bot=self._book.bot, media=self._media.name)
        self._diary.jot("call", bot=self._book.bot, caller=self._book.caller, media=self._media.name)
        self._children.start(VAIC, self._vaic, POLICIES[VAIC], self._start_vaic)
        self._children.start(MODEL, self._model, POLICIES[MODEL], self._start_model)

    def on_failure(self, *_: object) -> None:
        # Our own crash: VAIC is told at once, for nobody will listen to it any more.
        self._vaic.tell(HangUp("internal error"))
        self._write_record("failed")
        self._children.stop_all()

    def on_receive(self, message: CallMessage) -> CallRecord | None:
        match message:
            case ChildDied():
                self._judge(message)
            case Deadline():
                self._overdue(message.name)
            case StartAgain():
                self._children.restart(message.child)
                self._tasks.started_again(message.child)
            case Describe():
                return self._book.record("open", self._house.now())
            case _ if self._finished:
                pass  # late facts of a call that is in the books
            case CallerArrived():
                self._caller_arrived = True
                self._greet()
            case ModelReady():
                self._model_ready = True
                self._limits.start("start", START_LIMIT_S)
                self._greet()
            case VaicEnded():
                self._finish(self._outcome or message.reason_code)
            case Rebind():
                self._rebind(message.wire)
            case EndCall():
                self._hang_up(HangUp(message.outcome), message.outcome)
            case DigitsPressed():
                self._press(message.digits)
            case FunctionCalled() | TaskAnswered() | TaskSettled():
                self._task(message)
            case Consult():
                self._model.tell(message)
            case CallerSpeaks() | CallerSaid() | BotSaid() | BotHeard() | ResponseEnded():
                self._note(message)
            case _:
                assert_never(message)
        return None

    # --- the conversation ---

    def _greet(self) -> None:
        if self._greeted or not (self._caller_arrived and self._model_ready):
            return
        self._greeted = True
        self._limits.cancel("start")
        self._model.tell(Speak(f"{self._instructions()}\n\nGreet the caller with: {self._house.profile.greeting}"))

    def _note(self, fact: CallerSpeaks | CallerSaid | BotSaid | BotHeard | ResponseEnded) -> None:
        self._diary.note(fact)
        match fact:
            case CallerSpeaks(began=True):
                self._limits.cancel("silence")
                self._tasks.caller_began(fact.at_ms)
            case BotHeard():
                self._tasks.agreement.heard(fact.item)
                if fact.item.complete:
                    self._limits.start("silence", self._house.profile.no_input_s)
                if self._farewell is not None and self._farewell.bot_heard(fact):
                    self._leave(self._farewell.act)
            case ResponseEnded():
                self._tasks.agreement.spoken(fact.steps, fact.spoken_items, fact.status == "completed")
                if self._farewell is not None and self._farewell.response_ended(fact):
                    self._leave(self._farewell.act)
            case _:
                pass

    def _task(self, message: FunctionCalled | TaskAnswered | TaskSettled) -> None:
        match message:
            case FunctionCalled():
                self._limits.cancel("silence")
                self._diary.called(message)
                if (output := self._tasks.invoke(message)) is not None:
                    self._answer({message.call_id: output})
                else:
                    self._limits.start(f"filler:{message.call_id}", FILLER_S)
            case TaskAnswered():
                self._limits.cancel(f"step:{message.step_id}")
                self._limits.cancel(f"filler:{message.step_id}")
                if (reply := self._tasks.answered(message)) is not None:
                    self._diary.task(reply.run)
                    self._prepare_end(reply.run)
                    self._answer(reply.outputs)
            case TaskSettled():
                if (run := self._tasks.settled(message)) is not None:
                    self._diary.task(run)
                if self._ending is not None and not self._tasks.unsettled:
                    self._close(self._ending)

    def _answer(self, outputs: dict[str, str]) -> None:
        """Give the outputs of steps to the model, and before them what it may call from now on."""
        if not outputs or self._ending is not None:
            return
        self._model.tell(SessionChanged(self._instructions(), self._tasks.tools()))
        for step_id, output in outputs.items():
            if self._book.answered(step_id, output):
                self._model.tell(FunctionOutput(step_id, output))
            else:  # no function was called: keys, or silence
                told = json.loads(output)
                self._say(" ".join(filter(None, (told.get("say"), told.get("next")))), step_id)

    def _say(self, words: str, step_id: str = "") -> None:
        # Quoted, for there may be a caller's words in it, and those are no instructions.
        told = f"Say to the caller, word for word: {json.dumps(words, ensure_ascii=False)}"
        self._model.tell(Speak(f"{self._instructions()}\n\n{told}", step_id))

    def _prepare_end(self, run: TaskRun) -> None:
        """A task's outcome may be the end of the call, once its last sentence was heard."""
        targets = self._house.profile.transfer_targets
        if run.result == "hangup":
            self._farewell = Farewell(HangUp("conversation ended"))
        elif run.result == "transfer" and targets and run.stand is not None:
            target = targets.get(run.stand.transfer_to) or next(iter(targets.values()))
            self._farewell = Farewell(Transfer(target, "handed over by a task"))
        else:
            return
        self._limits.start("farewell", FAREWELL_LIMIT_S)

    # --- keys and silence ---

    def _press(self, digits: str) -> None:
        """Gather keys until they make an answer to what a task has asked; else the model is told of them."""
        self._limits.cancel("silence")
        if (wanted := self._tasks.keys_wanted()) is None:
            self._type(digits, answer=True)
            return
        self._keys += digits
        if "#" in self._keys or len(self._keys) == wanted:
            self._press_done()
        else:
            self._limits.start("keys", KEYS_LIMIT_S)

    def _press_done(self) -> None:
        self._limits.cancel("keys")
        keys, self._keys = self._keys.partition("#")[0], ""
        taken = self._tasks.pressed(keys, self.now_ms())
        self._type(keys, answer=not taken)

    def _type(self, keys: str, *, answer: bool) -> None:
        text = f"The caller pressed these keys: {' '.join(keys)}."
        self._diary.typed(text, self.now_ms())
        self._model.tell(CallerTyped(text, answer))

    def _instructions(self) -> str:
        return self._house.instructions(self._tasks.instructions())

    # --- children ---

    def _start_vaic(self, post: Post) -> pykka.ActorRef[VaicSocket]:
        side = VaicSide(
            conversation_id=self._id,
            media=self._media,
            entry=self._entry,
            incarnation=self._incarnation,
            lead_ms=self._house.profile.lead_ms,
            new_id=self._house.new_id,
            timestamp=lambda: self._house.now().isoformat(timespec="milliseconds"),
        )
        # Whoever comes next in this place takes over the wire of one that crashed.
        self._entry = Entry.REPLACED
        self._incarnation += 1
        return VaicSocket.start(post, side, self._wire, self.actor_ref, self._model)

    def _start_model(self, post: Post) -> pykka.ActorRef[OpenAISocket]:
        self._model_ready = False
        profile = self._house.profile
        side = ModelSide(
            conversation_id=self._id,
            media=model_side(self._media),
            voice=profile.voice,
            transcription_model=profile.transcription_model,
            vad=profile.vad,
            instructions=self._instructions(),
            tools=self._tasks.tools(),
            history=self._book.history(),
            open_calls=self._book.open_calls(),
            answer_due=self._greeted and self._book.answer_due(),
        )
        return OpenAISocket.start(post, side, self._house.dialler, self.actor_ref, self._vaic)

    def _start_again(self, child: str, delay_s: float) -> None:
        if not self._finished:
            self.after(delay_s, StartAgain(child))

    def _judge(self, death: ChildDied) -> None:
        if death.child == VAIC and isinstance(death.reason, TransportLost) and not self._finished:
            self._children.forget(death)
            self._log.warning("VAIC's socket is lost", reason=str(death.reason))
            self._limits.start("resume", RESUME_LIMIT_S)
            return
        verdict = self._children.died(death)
        if self._finished:
            self._leave_when_alone()
        elif isinstance(verdict, Escalate):
            self._book.errors.append(f"{death.child}: {type(death.reason).__name__}")
            if death.child.startswith("task:"):
                self._answer(self._tasks.given_up(death.child))
            elif death.child == MODEL:
                self._hang_up(HangUp("speech model unavailable"), "failed")
            else:
                self._finish("failed")

    def _rebind(self, wire: Wire) -> None:
        self._log.info("call resumed")
        self._limits.cancel("resume")
        self._diary.jot("resumed")
        self._wire, self._entry = wire, Entry.RESUMED
        self._children.start(VAIC, self._vaic, POLICIES[VAIC], self._start_vaic)

    # --- the end ---

    def _hang_up(self, act: HangUp | Transfer, outcome: str) -> None:
        if VAIC not in self._children:
            self._finish(outcome)
            return
        self._outcome = outcome
        self._vaic.tell(act)
        self._limits.start("end", END_LIMIT_S)

    def _leave(self, act: HangUp | Transfer) -> None:
        self._farewell = None
        self._limits.cancel("farewell")
        self._hang_up(act, "transferred" if isinstance(act, Transfer) else "completed")

    def _finish(self, outcome: str) -> None:
        """Let tasks in the middle of a step end it, for the record to be true; then close."""
        if self._ending is not None:
            return
        self._ending = outcome
        self._limits.clear()
        if self._tasks.caller_left():
            self._limits.start("settle", CHILDREN_LIMIT_S)
        else:
            self._close(outcome)

    def _close(self, outcome: str) -> None:
        """Write the record, stop the children; when they are gone, go."""
        if self._finished:
            return
        self._write_record(outcome)
        self._limits.cancel("settle")
        self._children.stop_all()
        self.after(CHILDREN_LIMIT_S, Deadline("children"))
        self._leave_when_alone()

    def _write_record(self, outcome: str) -> None:
        if self._finished:
            return
        self._finished = True
        self._diary.close(outcome)

    def _leave_when_alone(self) -> None:
        if not self._children.leaving:
            self.stop()

    def _overdue(self, name: str) -> None:
        self._limits.cancel(name)
        kind, _, call_id = name.partition(":")
        match kind:
            case "start":
                self._caller_arrived = True  # VAIC may be set up to send no `start` at all
                self._greet()
            case "step":
                self._log.warning("task step overdue")
                self._answer(self._tasks.overdue(call_id))
            case "filler":
                self._say(FILLER)
            case "silence":
                self._tasks.silence()
            case "keys":
                self._press_done()
            case "settle" if self._ending is not None:
                self._close(self._ending)
            case "farewell" if self._farewell is not None and not self._farewell.called_off:
                self._leave(self._farewell.act)
            case "resume":
                self._finish("lost")
            case "end":
                self._finish(self._outcome or "completed")
            case "children":
                self._log.warning("children did not end in time")
                self.stop()
            case _:
                pass
