"""One call: owns its two sockets and its tasks, their restarts, and the call's state of record.

May import: actors, protocols, store's record types, pykka, loguru. Rules from: docs/architecture.md 1, 4 and 5.
"""

from __future__ import annotations

from typing import assert_never

from loguru import logger

from actors import policies
from actors.call.dtmf import DtmfCollector
from actors.call.farewell import PendingHangup, hangup_after
from actors.call.handover import SERVICE_RESTART, DrainHandover
from actors.call.recorder import CallRecorder
from actors.call.replay import new_transcript
from actors.call.speech import BotSpeech
from actors.messages.call import (
    BotHeard,
    BotSaid,
    CallerArrived,
    CallerSpeaks,
    CallMessage,
    CallTimer,
    CallTimerKey,
    Describe,
    DigitsPressed,
    EndCall,
    FunctionCalled,
    LastFact,
    LifecycleMessage,
    ModelReady,
    MoveCall,
    Parked,
    Rebind,
    ResponseEnded,
    SpeechFact,
    StepLimit,
    TaskAnswered,
    TaskSettled,
    VaicEnded,
    VaicReady,
    WordsLimit,
)
from actors.messages.journal import ResumeState
from actors.messages.model import Heard, OutOfBandRequest
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import AwaitWords, HangUp, VaicSocketMessage
from actors.model.leg import ModelLeg, ModelRef
from actors.policies import MODEL, VAIC
from actors.services import Services
from actors.system.actor import LoopActor
from actors.system.address import ParentLink, StableRef
from actors.system.restart import Escalate
from actors.system.signals import ChildDied, Deadline, RestartDue, ShutdownTimeout
from actors.system.supervisor import Supervisor
from actors.system.timeouts import NamedTimers
from actors.tasks.router import TaskHandle, TaskReply, TaskRouter
from actors.transport.websocket import Wire
from actors.vaic.leg import CallerLeg
from protocols.media import MediaFormat, model_format
from protocols.vaic import SessionInitiate
from store.journal import CallRecord


class CallSupervisor(LoopActor):
    """Is told: CallMessage. Its parent is the switchboard. Its end, by `finish`, is always a normal one."""

    def __init__(
        self,
        parent_link: ParentLink,
        services: Services,
        initiate: SessionInitiate,
        media: MediaFormat,
        wire: Wire,
        resume_state: ResumeState | None = None,
    ) -> None:
        super().__init__(parent_link)
        self._services = services
        self._id = initiate.conversation_id
        self._media = media
        self._log = logger.bind(conversation=self._id)
        self._vaic: StableRef[VaicSocketMessage] = StableRef()
        self._call_timers: NamedTimers[CallTimerKey] = NamedTimers(self.after)
        self._children = Supervisor(self.actor_ref, self.now_ms, services.rand, self.after, self._log)
        self._tasks = TaskRouter(
            services, self._id, initiate.caller, self._children, self.actor_ref, self._call_timers.start, self.now_ms
        )
        self._transcript = new_transcript(services, initiate, media, self.now_ms(), resume_state)
        self._recorder = CallRecorder(services, self._transcript, self._log)
        self._model = ModelRef(model_format(media))
        self._speech = BotSpeech(services, self._tasks, self._recorder, self._model, self._vaic)
        self._model_leg = ModelLeg(
            services, self._model, self._children, self._call_timers, self.actor_ref, self._vaic, self._config
        )
        self._caller_leg = CallerLeg(
            services, self._vaic, self._children, self._call_timers, parent_link.parent, self._id, media, wire
        )
        self._keys = DtmfCollector(self._tasks, self._call_timers, self.now_ms, self._speech.typed)
        self._caller_arrived = self._model_ready = self._greeted = self._finished = False
        self._pending_hangup: PendingHangup | None = None
        self._left: PendingHangup | None = None  # set when we end the call by ourselves
        self._ending: str | None = None  # set when it has ended, and is to be written down
        self._handover = DrainHandover(
            self._id, services.journal, self._call_timers, self.actor_ref, self._recorder.parked
        )
        self._resume_state = resume_state
        self._words_owed = False  # to the caller, for having been away

    def on_start(self) -> None:
        if self._resume_state is not None:
            self._restore(self._resume_state)
        else:
            self._log.info("call began", bot=self._transcript.bot, media=self._media.name)
            self._recorder.began()
        self._caller_leg.start(self.actor_ref, self._model)
        self._model_leg.start()

    def on_stop(self) -> None:
        if not self._finished:  # told to go in the middle of the call
            self._write_record("drained")
            self._children.let_go()

    def on_failure(self, *_: object) -> None:
        self._caller_leg.break_off()
        try:
            if not self._finished:
                self._write_record("failed")
        finally:
            self._children.let_go(spared=VAIC)

    def on_receive(self, message: CallMessage) -> CallRecord | None:
        match message:
            case ChildDied():
                self._judge(message)
            case ShutdownTimeout():
                self._children.overdue(message)
                self._leave_when_alone()
            case Deadline():
                if self._call_timers.expire(message):
                    self._overdue(message.key)
            case RestartDue():
                self._children.restart(message.child)
                self._tasks.started_again(message.child)
            case Describe():
                return self._transcript.record("open", self._services.now())
            case Rebind() if self._ending is not None:
                message.wire.close(1000, "the call has ended")
            case _ if self._finished or (self._ending is not None and not isinstance(message, LastFact)):
                pass  # late facts of a call that is in the books
            case _ if isinstance(message, LifecycleMessage):
                self._take_lifecycle(message)
            case DigitsPressed():
                self._call_timers.cancel(CallTimer.SILENCE)
                self._keys.pressed(message.digits)
            case FunctionCalled() | TaskAnswered() | TaskSettled():
                self._task(message)
            case OutOfBandRequest():
                self._model.tell(message)
            case _ if isinstance(message, SpeechFact):
                self._note(message)
            case _:
                assert_never(message)
        return None

    def _take_lifecycle(self, message: LifecycleMessage) -> None:
        match message:
            case CallerArrived():
                self._caller_arrived = True
                self._greet()
            case ModelReady(standby=True):
                self._model_leg.ready(message)
            case ModelReady():
                said_again, self._model_ready = self._model_leg.ready(message), True
                self._call_timers.start(CallTimer.START, policies.START_LIMIT_S)
                self._greet()
                self._speech.model_back(self._words_owed, said_again)
                self._words_owed = False
            case VaicReady():
                if self._caller_leg.ready():
                    self._go_on()
            case VaicEnded():
                self._finish(self._left.outcome if self._left else message.reason_code)
            case Rebind():
                self._rebind(message.wire)
            case EndCall(in_words=True) if VAIC in self._children:
                self._part(self._speech.goodbye(message.outcome))
            case EndCall():
                self._leave(PendingHangup(HangUp(message.outcome), message.outcome))
            case MoveCall():
                self._handover.wanted(message, away=VAIC not in self._children)
            case Parked():
                # Whoever the call is resumed at writes its record.
                self._log.info("call leaves for another process")
                self._caller_leg.wire.close(SERVICE_RESTART, "going on elsewhere")
                self._finished = True
                self._call_timers.clear()
                self._disband()
            case _:
                assert_never(message)

    # --- the conversation ---

    def _greet(self) -> None:
        if self._greeted or not (self._caller_arrived and self._model_ready):
            return
        self._greeted = True
        self._call_timers.cancel(CallTimer.START)
        self._speech.greet()

    def _note(self, fact: SpeechFact) -> None:
        self._recorder.note(fact)
        self._model.note(fact)
        self._tasks.note(fact)
        match fact:
            case BotSaid() if VAIC not in self._children and self._transcript.still_sounds(fact.item_id):
                self._model.tell(Heard((self._recorder.bot_unheard(fact.item_id),)))
            case CallerSpeaks(began=True):
                self._call_timers.cancel(CallTimer.SILENCE)
            case BotHeard():
                if fact.item.complete:
                    self._call_timers.start(CallTimer.SILENCE, self._services.profile.no_input_s)
                    self._handover.look()
            case ResponseEnded():
                if self._speech.response_ended(fact):
                    self._do_without_model("answers nothing")
            case _:
                pass
        if self._pending_hangup is not None and self._pending_hangup.note(fact):
            self._leave(self._pending_hangup)

    def _task(self, message: FunctionCalled | TaskAnswered | TaskSettled) -> None:
        match message:
            case FunctionCalled():
                self._call_timers.cancel(CallTimer.SILENCE)
                self._model.note(message)
                self._recorder.called(message)
                if (output := self._tasks.invoke(message)) is not None:
                    self._speech.answer({message.call_id: output})
                else:
                    self._vaic.tell(AwaitWords(due=True))
            case TaskAnswered():
                self._reply(self._tasks.answered(message))
            case TaskSettled():
                if (run := self._tasks.settled(message)) is not None:
                    self._recorder.task(run)
                if self._ending is not None and not self._tasks.unsettled:
                    self._close(self._ending)

    def _reply(self, reply: TaskReply | None) -> None:
        if reply is None:
            return
        for step_id in reply.outputs:
            self._call_timers.cancel(StepLimit(step_id))
        self._recorder.task(reply.run)
        if reply.ended:
            self._prepare_end(reply.run)
        outputs = {step_id: output for step_id, output in reply.outputs.items() if output}
        if outputs and self._ending is None:
            self._speech.answer(outputs, self._model_ready, reply.word_for_word)

    def _prepare_end(self, run: TaskHandle) -> None:
        """A task's outcome may be the end of the call, once its last sentence was heard."""
        self._pending_hangup = hangup_after(run.result, run.status, self._services.profile.transfer_targets)
        if self._pending_hangup is not None:
            self._call_timers.start(CallTimer.FAREWELL, policies.FAREWELL_LIMIT_S)

    def _config(self) -> ModelSessionConfig:
        answer_due = self._greeted and not self._words_owed and self._transcript.answer_due()
        return self._speech.model_format(model_format(self._media), answer_due)

    def _judge(self, death: ChildDied) -> None:
        if self._finished:
            self._children.died(death)
            self._leave_when_alone()
        elif self._caller_leg.lost(death):
            self._handover.look(now=VAIC not in self._children)
        elif death.child.startswith(MODEL):
            self._model_ready = False
            # A greeting that was lost with its session is given again.
            self._greeted = self._greeted and not self._transcript.is_blank()
            if self._model_leg.died(death):
                self._do_without_model(repr(death.reason))
        elif isinstance(self._children.died(death), Escalate):
            self._recorder.error(f"{death.child}: {type(death.reason).__name__}")
            if death.child.startswith("task:"):
                self._reply(self._tasks.given_up(death.child))
            else:
                # Nobody is left to hang up in words: VAIC does it by itself when it is not let back in.
                self._caller_leg.wire.close(1011, "internal error")
                self._finish("failed")

    def _do_without_model(self, reason: str) -> None:
        if self._ending is not None:
            return
        self._log.error("no model for this call", reason=reason)
        self._recorder.error(f"model: {reason}")
        self._part(self._speech.without_model())

    def _part(self, pending_hangup: PendingHangup) -> None:
        self._model_leg.stop()  # the words are our own
        self._pending_hangup = pending_hangup
        self._call_timers.start(CallTimer.FAREWELL, policies.FAREWELL_LIMIT_S)

    def _rebind(self, wire: Wire) -> None:
        self._log.info("call resumed")
        self._recorder.resumed()
        self._caller_leg.rebind(wire)
        self._go_on()

    def _go_on(self) -> None:
        """The caller's side is there again, and may not have been able to do what it was told."""
        if self._left is not None:
            self._vaic.tell(self._left.act)
        elif self._greeted:
            self._speech.take_up()

    def _restore(self, left: ResumeState) -> None:
        """Go on with a call that another process has left, in the state in which it was."""
        self._log.info("call taken over", rows=len(left.rows))
        self._recorder.restore(left.rows)
        self._caller_leg.resumed()
        self._caller_arrived = True
        self._caller_leg.incarnation = len(left.rows)  # more than there ever were
        self._greeted = not self._transcript.is_blank()
        # A greeting that nobody knows of is given again; an answer that is on its way comes by itself.
        self._words_owed = self._greeted
        for called in self._tasks.restore(left.rows, left.acted):
            self._words_owed = False
            self._task(called)

    # --- the end ---

    def _leave(self, pending_hangup: PendingHangup) -> None:
        self._pending_hangup = None
        self._call_timers.cancel(CallTimer.FAREWELL)
        if VAIC not in self._children:
            self._finish(pending_hangup.outcome)
            return
        self._left = pending_hangup
        self._vaic.tell(pending_hangup.act)
        self._call_timers.start(CallTimer.END, policies.END_LIMIT_S)

    def _finish(self, outcome: str) -> None:
        """Let tasks in the middle of a step end it, for the record to be true; then close."""
        if self._ending is not None:
            return
        self._ending = outcome
        self._call_timers.clear()
        if self._tasks.caller_left():
            self._children.stop(VAIC)
            self._model_leg.stop()
            self._call_timers.start(CallTimer.SETTLE, policies.SETTLE_LIMIT_S)
        else:
            self._close(outcome)

    def _close(self, outcome: str) -> None:
        """Write the record, stop the children; when they are gone, go."""
        if self._finished:
            return
        self._write_record(outcome)
        self._call_timers.cancel(CallTimer.SETTLE)
        self._disband()

    def _disband(self) -> None:
        self._children.stop_all()
        self._leave_when_alone()

    def _write_record(self, outcome: str) -> None:
        self._finished = True
        self._recorder.close(outcome)

    def _leave_when_alone(self) -> None:
        if self._finished and not self._children.leaving:
            self.stop()

    def _overdue(self, key: CallTimerKey) -> None:
        match key:
            case StepLimit():
                self._log.warning("task step overdue")
                self._reply(self._tasks.overdue(key.step_id))
            case WordsLimit():
                self._tasks.words_overdue(key.step_id)
            case CallTimer.START:
                self._caller_arrived = True  # VAIC may be set up to send no `start` at all
                self._greet()
            case CallTimer.RENEW:
                self._model_leg.renew()
            case CallTimer.MODEL:
                self._do_without_model("away for too long")
            case CallTimer.SILENCE:
                self._tasks.silence()
            case CallTimer.KEYS:
                self._keys.complete()
            case CallTimer.SETTLE:
                self._log.warning("a task did not end in time")
                if self._ending is not None:
                    self._close(self._ending)
            case CallTimer.FAREWELL:
                if self._pending_hangup is not None and not self._pending_hangup.called_off:
                    self._leave(self._pending_hangup)
            case CallTimer.RESUME:
                self._finish("lost")
            case CallTimer.END:
                if self._left is not None:
                    self._finish(self._left.outcome)
            case _:
                assert_never(key)
