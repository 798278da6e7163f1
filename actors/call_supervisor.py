"""One call: owns its two sockets and its tasks, their restarts, and the call's state of record.

May import: actors, protocols, store's record types, pykka, loguru. Rules from: design 1, 4 and 5.
"""

from __future__ import annotations

from typing import assert_never

from loguru import logger

from actors import limits
from actors.address import ChildDied, Post, Seat
from actors.children import Children
from actors.departure import SERVICE_RESTART, Departure
from actors.diary import Diary
from actors.farewell import Farewell, farewell_after
from actors.house import House
from actors.inheritance import new_book
from actors.keypresses import KeyPresses
from actors.messages.call import (
    BotHeard,
    BotSaid,
    CallerArrived,
    CallerSpeaks,
    CallMessage,
    ChildOverdue,
    Course,
    Deadline,
    Describe,
    DigitsPressed,
    EndCall,
    FunctionCalled,
    LastFact,
    ModelReady,
    MoveCall,
    Parked,
    Rebind,
    ResponseEnded,
    SpeechFact,
    StartAgain,
    TaskAnswered,
    TaskSettled,
    VaicEnded,
    VaicReady,
)
from actors.messages.journal import Inheritance
from actors.messages.model import Consult, Heard
from actors.messages.vaic import AwaitWords, HangUp, VaicSocketMessage
from actors.model_place import ModelPlace, ModelSeat
from actors.model_side import ModelSide
from actors.runtime import LoopActor
from actors.supervision import MODEL, VAIC, Escalate
from actors.talk import Talk
from actors.tasks import TaskDesk, TaskReply, TaskRun
from actors.vaic_place import VaicPlace
from actors.wire import Wire
from protocols.media import MediaFormat, model_side
from protocols.vaic import SessionInitiate
from store.journal import CallRecord


class CallSupervisor(LoopActor):
    """Is told: CallMessage. Its parent is the switchboard. Its end, by `finish`, is always a normal one."""

    def __init__(
        self,
        post: Post,
        house: House,
        initiate: SessionInitiate,
        media: MediaFormat,
        wire: Wire,
        inheritance: Inheritance | None = None,
    ) -> None:
        super().__init__(post)
        self._house = house
        self._id = initiate.conversation_id
        self._media = media
        self._log = logger.bind(conversation=self._id)
        self._vaic: Seat[VaicSocketMessage] = Seat()
        self._limits = limits.Limits(self.after)
        self._children = Children(self.actor_ref, self.now_ms, house.rand, self.after, self._log)
        self._tasks = TaskDesk(house, self._id, initiate.caller, self._children, self.actor_ref, self._limits.start)
        self._book = new_book(house, initiate, media, self.now_ms(), inheritance)
        self._diary = Diary(house, self._book, self._log)
        self._model = ModelSeat(model_side(media))
        self._talk = Talk(house, self._tasks, self._diary, self._model, self._vaic)
        self._place = ModelPlace(
            house, self._model, self._children, self._limits, self.actor_ref, self._vaic, self._side
        )
        self._caller = VaicPlace(house, self._vaic, self._children, self._limits, post.parent, self._id, media, wire)
        self._keys = KeyPresses(self._tasks, self._limits, self.now_ms, self._talk.typed)
        self._caller_arrived = self._model_ready = self._greeted = self._finished = False
        self._farewell: Farewell | None = None
        self._left: Farewell | None = None  # set when we end the call by ourselves
        self._ending: str | None = None  # set when it has ended, and is to be written down
        self._departure = Departure(self._id, house.journal, self._limits, self.actor_ref)
        self._inheritance = inheritance
        self._words_owed = False  # to the caller, for having been away

    def on_start(self) -> None:
        if self._inheritance is not None:
            self._inherit(self._inheritance)
        else:
            self._log.info("call began", bot=self._book.bot, media=self._media.name)
            self._diary.jot("call", bot=self._book.bot, caller=self._book.caller, media=self._media.name)
        self._caller.start(self.actor_ref, self._model)
        self._place.start()

    def on_stop(self) -> None:
        if not self._finished:  # told to go in the middle of the call
            self._write_record("drained")
            self._children.let_go()

    def on_failure(self, *_: object) -> None:
        self._caller.break_off()
        try:
            if not self._finished:
                self._write_record("failed")
        finally:
            self._children.let_go(spared=VAIC)

    def on_receive(self, message: CallMessage) -> CallRecord | None:
        match message:
            case ChildDied():
                self._judge(message)
            case ChildOverdue():
                self._children.overdue(message)
                self._leave_when_alone()
            case Deadline():
                self._overdue(message.name)
            case StartAgain():
                self._children.restart(message.child)
                self._tasks.started_again(message.child)
            case Describe():
                return self._book.record("open", self._house.now())
            case Rebind() if self._ending is not None:
                message.wire.close(1000, "the call has ended")
            case _ if self._finished or (self._ending is not None and not isinstance(message, LastFact)):
                pass  # late facts of a call that is in the books
            case _ if isinstance(message, Course):
                self._take_course(message)
            case DigitsPressed():
                self._limits.cancel("silence")
                self._keys.pressed(message.digits)
            case FunctionCalled() | TaskAnswered() | TaskSettled():
                self._task(message)
            case Consult():
                self._model.tell(message)
            case _ if isinstance(message, SpeechFact):
                self._note(message)
            case _:
                assert_never(message)
        return None

    def _take_course(self, message: Course) -> None:
        match message:
            case CallerArrived():
                self._caller_arrived = True
                self._greet()
            case ModelReady(standby=True):
                self._place.ready(message)
            case ModelReady():
                said_again, self._model_ready = self._place.ready(message), True
                self._limits.start("start", limits.START_LIMIT_S)
                self._greet()
                self._talk.model_back(self._words_owed, said_again)
                self._words_owed = False
            case VaicReady():
                if self._caller.ready():
                    self._go_on()
            case VaicEnded():
                self._finish(self._left.outcome if self._left else message.reason_code)
            case Rebind():
                self._rebind(message.wire)
            case EndCall(in_words=True) if VAIC in self._children:
                self._part(self._talk.goodbye(message.outcome))
            case EndCall():
                self._leave(Farewell(HangUp(message.outcome), message.outcome))
            case MoveCall():
                self._departure.wanted(message, away=VAIC not in self._children)
            case Parked():
                # Whoever the call is resumed at writes its record.
                self._log.info("call leaves for another process")
                self._caller.wire.close(SERVICE_RESTART, "going on elsewhere")
                self._finished = True
                self._limits.clear()
                self._disband()
            case _:
                assert_never(message)

    # --- the conversation ---

    def _greet(self) -> None:
        if self._greeted or not (self._caller_arrived and self._model_ready):
            return
        self._greeted = True
        self._limits.cancel("start")
        self._talk.greet()

    def _note(self, fact: SpeechFact) -> None:
        self._diary.note(fact)
        self._model.note(fact)
        match fact:
            case BotSaid() if VAIC not in self._children and self._book.still_sounds(fact.item_id):
                self._model.tell(Heard((self._book.bot_unheard(fact.item_id),)))
            case CallerSpeaks(began=True):
                self._limits.cancel("silence")
                self._tasks.caller_began(fact.at_ms)
            case BotHeard():
                self._tasks.agreement.heard(fact.item)
                if fact.item.complete:
                    self._limits.start("silence", self._house.profile.no_input_s)
                    self._departure.look()
            case ResponseEnded():
                self._tasks.agreement.spoken(fact.steps, fact.spoken_items, fact.status == "completed")
                if self._talk.response_ended(fact):
                    self._do_without_model("answers nothing")
            case _:
                pass
        if self._farewell is not None and self._farewell.note(fact):
            self._leave(self._farewell)

    def _task(self, message: FunctionCalled | TaskAnswered | TaskSettled) -> None:
        match message:
            case FunctionCalled():
                self._limits.cancel("silence")
                self._model.note(message)
                self._diary.called(message)
                if (output := self._tasks.invoke(message)) is not None:
                    self._talk.answer({message.call_id: output})
                else:
                    self._vaic.tell(AwaitWords(due=True))
            case TaskAnswered():
                self._reply(self._tasks.answered(message))
            case TaskSettled():
                if (run := self._tasks.settled(message)) is not None:
                    self._diary.task(run)
                if self._ending is not None and not self._tasks.unsettled:
                    self._close(self._ending)

    def _reply(self, reply: TaskReply | None) -> None:
        if reply is None:
            return
        for step_id in reply.outputs:
            self._limits.cancel(f"step:{step_id}")
        self._diary.task(reply.run)
        if reply.ended:
            self._prepare_end(reply.run)
        outputs = {step_id: output for step_id, output in reply.outputs.items() if output}
        if outputs and self._ending is None:
            self._talk.answer(outputs, self._model_ready)

    def _prepare_end(self, run: TaskRun) -> None:
        """A task's outcome may be the end of the call, once its last sentence was heard."""
        self._farewell = farewell_after(run.result, run.stand, self._house.profile.transfer_targets)
        if self._farewell is not None:
            self._limits.start("farewell", limits.FAREWELL_LIMIT_S)

    def _side(self) -> ModelSide:
        answer_due = self._greeted and not self._words_owed and self._book.answer_due()
        return self._talk.model_side(model_side(self._media), answer_due)

    def _judge(self, death: ChildDied) -> None:
        if self._finished:
            self._children.died(death)
            self._leave_when_alone()
        elif self._caller.lost(death):
            self._departure.look(now=VAIC not in self._children)
        elif death.child.startswith(MODEL):
            self._model_ready = False
            # A greeting that was lost with its session is given again.
            self._greeted = self._greeted and not self._book.is_blank()
            if self._place.died(death):
                self._do_without_model(repr(death.reason))
        elif isinstance(self._children.died(death), Escalate):
            self._book.errors.append(f"{death.child}: {type(death.reason).__name__}")
            if death.child.startswith("task:"):
                self._reply(self._tasks.given_up(death.child))
            else:
                # Nobody is left to hang up in words: VAIC does it by itself when it is not let back in.
                self._caller.wire.close(1011, "internal error")
                self._finish("failed")

    def _do_without_model(self, reason: str) -> None:
        if self._ending is not None:
            return
        self._log.error("no model for this call", reason=reason)
        self._book.errors.append(f"model: {reason}")
        self._part(self._talk.without_model())

    def _part(self, farewell: Farewell) -> None:
        self._place.stop()  # the words are our own
        self._farewell = farewell
        self._limits.start("farewell", limits.FAREWELL_LIMIT_S)

    def _rebind(self, wire: Wire) -> None:
        self._log.info("call resumed")
        self._diary.jot("resumed")
        self._caller.rebind(wire)
        self._go_on()

    def _go_on(self) -> None:
        """The caller's side is there again, and may not have been able to do what it was told."""
        if self._left is not None:
            self._vaic.tell(self._left.act)
        elif self._greeted:
            self._talk.take_up()

    def _inherit(self, left: Inheritance) -> None:
        """Go on with a call that another process has left, in the state in which it was."""
        self._log.info("call taken over", rows=len(left.rows))
        self._diary.inherit(left.rows)
        self._caller.resumed()
        self._caller_arrived = True
        self._caller.incarnation = len(left.rows)  # more than there ever were
        self._greeted = not self._book.is_blank()
        # A greeting that nobody knows of is given again; an answer that is on its way comes by itself.
        self._words_owed = self._greeted
        for called in self._tasks.inherit(left.rows, left.acted):
            self._words_owed = False
            self._task(called)

    # --- the end ---

    def _leave(self, farewell: Farewell) -> None:
        self._farewell = None
        self._limits.cancel("farewell")
        if VAIC not in self._children:
            self._finish(farewell.outcome)
            return
        self._left = farewell
        self._vaic.tell(farewell.act)
        self._limits.start("end", limits.END_LIMIT_S)

    def _finish(self, outcome: str) -> None:
        """Let tasks in the middle of a step end it, for the record to be true; then close."""
        if self._ending is not None:
            return
        self._ending = outcome
        self._limits.clear()
        if self._tasks.caller_left():
            self._children.stop(VAIC)
            self._place.stop()
            self._limits.start("settle", limits.SETTLE_LIMIT_S)
        else:
            self._close(outcome)

    def _close(self, outcome: str) -> None:
        """Write the record, stop the children; when they are gone, go."""
        if self._finished:
            return
        self._write_record(outcome)
        self._limits.cancel("settle")
        self._disband()

    def _disband(self) -> None:
        self._children.stop_all()
        self._leave_when_alone()

    def _write_record(self, outcome: str) -> None:
        self._finished = True
        self._diary.close(outcome)

    def _leave_when_alone(self) -> None:
        if self._finished and not self._children.leaving:
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
                self._reply(self._tasks.overdue(call_id))
            case "renew":
                self._place.renew()
            case "model":
                self._do_without_model("away for too long")
            case "silence":
                self._tasks.silence()
            case "keys":
                self._keys.complete()
            case "settle" if self._ending is not None:
                self._log.warning("a task did not end in time")
                self._close(self._ending)
            case "farewell" if self._farewell is not None and not self._farewell.called_off:
                self._leave(self._farewell)
            case "resume":
                self._finish("lost")
            case "end" if self._left is not None:
                self._finish(self._left.outcome)
            case _:
                pass
