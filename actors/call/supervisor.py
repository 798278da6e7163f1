"""One call: owns its two sessions and its tasks, their restarts, and the call's record.

May import: actors, protocols, store's record types, pykka, loguru. Rules from: docs/architecture.md 1, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, assert_never

from loguru import logger

from actors import policies
from actors.bots import known_start
from actors.call.activities import CallActivities
from actors.call.before import LATE, LookUpBefore
from actors.call.dtmf import DtmfCollector
from actors.call.farewell import (
    TOO_LONG,
    PendingHangup,
    Transfers,
    TurnsSince,
    hangup_after,
    hangup_by_us,
    hangup_over_budget,
    hangup_unless_answered,
    hangup_without_model,
    transfers,
)
from actors.call.handover import DRAIN, SERVICE_RESTART, DrainEvent
from actors.call.images import CallImages
from actors.call.phase import (
    CALL,
    GOING_ON,
    GREETED,
    MODEL_THERE,
    OVER,
    READINESS,
    CallAction,
    CallEvent,
    Phase,
    Readiness,
    ReadinessAction,
    ReadinessEvent,
)
from actors.call.recorder import CallRecorder
from actors.call.recording import CallRecording
from actors.call.replay import LOST, new_transcript
from actors.call.sensitive import SensitiveZone
from actors.call.silence import Line, LineAction, LineEvent, SilenceWatch
from actors.call.speech import NOT_UNDERSTOOD, BotSpeech
from actors.clips import Clip
from actors.messages.call import (
    ActivitiesSeen,
    AskedAside,
    BotBegan,
    BotHeard,
    BotSaid,
    CallerArrived,
    CallerInaudible,
    CallerSaid,
    CallerSpeaks,
    CallerWrote,
    CallMessage,
    CallTimer,
    CallTimerKey,
    ClipHeard,
    Describe,
    DigitsPressed,
    EffectBegan,
    EffectFailed,
    EffectOver,
    EndCall,
    Forgotten,
    FunctionCalled,
    ImageRefused,
    LastFact,
    LookedUp,
    ModelReady,
    MoveCall,
    NotPlayed,
    NoUserInput,
    Parked,
    PartyTranscribed,
    Rebind,
    ResponseEnded,
    SettingRefused,
    SilenceBroken,
    SpeechFact,
    StepLimit,
    StoreChanged,
    TaskAnswered,
    TaskNoted,
    TaskSettled,
    TransferFailed,
    TurnOverrun,
    VaicEnded,
    VaicReady,
    WaitLimit,
    WordsLimit,
)
from actors.messages.journal import Park, ResumeState
from actors.messages.journal_rows import ActivitiesSeenRow, StartRow
from actors.messages.model import Heard, OutOfBandRequest
from actors.messages.model_config import ModelSessionConfig
from actors.messages.vaic import AwaitWords, Transfer, UseClips, VaicSocketMessage
from actors.metrics import TIMERS_FLOORED, TRANSFERS_FAILED
from actors.model.audio_buffer import ModelRef
from actors.model.leg import Loss, ModelLeg
from actors.policies import EAR, MODEL, VAIC
from actors.services import Services
from actors.system.actor import LoopActor
from actors.system.address import ParentLink, StableRef, send
from actors.system.restart import Escalate, LetGo
from actors.system.signals import ChildDied, Deadline, RestartDue, ShutdownTimeout
from actors.system.supervisor import Supervisor
from actors.system.timeouts import NamedTimers
from actors.tasks.handle import TaskReply
from actors.tasks.owed_results import DISCLOSURE
from actors.tasks.router import NOBODY_THERE, TaskRouter
from actors.transport.websocket import Wire
from actors.vaic.leg import CallerLeg
from protocols.caller_id import e164
from protocols.errors import MisuseError
from protocols.media import MediaFormat, model_format
from protocols.vaic import SessionInitiate
from store.journal import CallRecord

T = TypeVar("T")
# Why a call has no model where none has failed: it did not answer.
NO_SESSION = "no session in time"
# Under this key the caller is owed NOT_CERTAIN; no run has it.
BOOKS = "books"
# What was arranged may not be in the store any more.
NOT_CERTAIN = (
    "I am sorry, we have just lost a part of our books. I cannot confirm what we have arranged: please check with us "
    "before you rely on it."
)


class CallSupervisor(LoopActor):
    """Supervises one call. Receives: CallMessage. Parent: the switchboard.

    Each message becomes an event of actors/call/phase.py or handover.py, whose tables decide what to do.
    wire: the caller's socket. resume_state: what another process left of the call; None for a new call.
    accepted: session.initiate is answered already.
    """

    __slots__ = ("_activities", "_calling", "_outcome")  # see the base class

    def __init__(
        self,
        parent_link: ParentLink,
        services: Services,
        initiate: SessionInitiate,
        media: MediaFormat,
        wire: Wire,
        resume_state: ResumeState | None = None,
        accepted: bool = False,
    ) -> None:
        super().__init__(parent_link)
        self._services = services
        self._id = initiate.conversation_id
        self._log = logger.bind(conversation=self._id)
        self._vaic: StableRef[VaicSocketMessage] = StableRef()
        self._call_timers: NamedTimers[CallTimerKey] = NamedTimers(self.after)
        self._children = Supervisor(self.actor_ref, self.now_ms, services.rand, self.after, self._log, log_once=True)
        self._tasks = TaskRouter(
            services,
            self._id,
            e164(initiate.caller, services.profile.region),
            self._children,
            self.actor_ref,
            self._call_timers.start,
            self.now_ms,
        )
        self._transcript = new_transcript(services, initiate, media, self.now_ms(), resume_state)
        self._recorder = CallRecorder(services, self._transcript, self._log)
        self._recording = CallRecording(
            services,
            self._recorder,
            self._call_timers,
            self.now_ms,
            self._log,
            audible=initiate.expect_audio_messages,
        )
        self._activities = CallActivities(self._id, self._vaic, self._recorder, self._log)
        self._before = LookUpBefore(
            services,
            self._id,
            e164(initiate.caller, services.profile.region),
            self._children,
            self._call_timers,
            self.actor_ref,
            self._recorder,
        )
        self._model = ModelRef(model_format(media))
        self._caller_leg = CallerLeg(
            services,
            self._vaic,
            self._children,
            self._call_timers,
            parent_link.parent,
            initiate,
            media,
            wire,
        )
        text = self._caller_leg.text
        images = CallImages(services.profile, self._tasks, self._recorder, self._model, self._log)
        self._speech = BotSpeech(services, self._tasks, self._recorder, self._model, self._vaic, images, text)
        self._model_leg = ModelLeg(
            services, self._model, self._children, self._call_timers, self.actor_ref, self._vaic, self._config
        )
        self._sensitive = SensitiveZone(self._activities, self._caller_leg, self._vaic)
        if accepted:
            self._caller_leg.accepted()
        self._keys = DtmfCollector(self._tasks, self._call_timers, self.now_ms, self._speech.typed)
        self._phase, self._readiness, self._drain = CALL.start, READINESS.start, DRAIN.start
        self._silence = SilenceWatch(None if services.profile.assists else services.profile.no_input_s, text)
        self._hangup: PendingHangup | None = None  # the end that is due or under way
        self._kept_end: PendingHangup | None = None  # the daemon's, asked for while the call is being transferred
        self._turns_since = TurnsSince()
        self._calling: ResponseEnded | None = None  # the last response that called functions
        self._outcome = ""  # of the call, once it is decided
        self._resume_state = resume_state

    def on_start(self) -> None:
        if self._resume_state is not None:
            self._restore(self._resume_state)
        else:
            self._log.info("call began", bot=self._transcript.bot, media=self._transcript.media_format)
            self._recorder.began()
            self._recording.begin()
            self._before.call_began()
        ears = self._model_leg.ears
        self._caller_leg.start(self.actor_ref, self._model, () if ears is None else ears.refs, self._recording.tape)
        self._model_leg.start()
        self._limit_length()

    def _limit_length(self) -> None:
        if max_call_s := self._services.profile.max_call_s:
            gone_s = (self.now_ms() - self._transcript.began_ms) / 1000
            self._call_timers.start(CallTimer.LONGEST, self._left_s(max_call_s, gone_s))

    def _left_s(self, longest_s: float, gone_s: float) -> float:
        """How long the call may still last, in s. gone_s: its age; after a takeover by the clocks of two processes."""
        left_s = min(longest_s, longest_s - gone_s)
        if left_s >= policies.LONGEST_FLOOR_S or self._resume_state is None:
            return left_s
        TIMERS_FLOORED.labels("longest call").inc()
        self._log.warning("the call taken over exceeds its longest time by our clock", gone_s=round(gone_s))
        return policies.LONGEST_FLOOR_S

    def on_stop(self) -> None:
        self._recording.end()
        self._advance(CallEvent.STOPPED, outcome="drained")
        self._children.let_go()

    def on_failure(self, *_: object) -> None:
        self._caller_leg.break_off()
        try:
            self._advance(CallEvent.CRASHED, outcome="failed")
        finally:
            self._recording.end()
            self._children.let_go(spared=VAIC)

    def on_receive(  # noqa: C901, PLR0912, PLR0915 - one flat match, a case a message
        self, message: CallMessage
    ) -> CallRecord | None:
        match message:
            case ChildDied():
                self._judge(message)
            case ShutdownTimeout():
                self._children.overdue(message)
                self._leave_when_alone()
            case RestartDue():
                self._children.restart(message.child)
                self._tasks.started_again(message.child)
            case Deadline():
                if self._call_timers.expire(message):
                    self._overdue(message.key)
            case Describe():
                return self._recorder.describe()
            case VaicEnded():
                self._advance(CallEvent.CALLER_GONE, outcome=message.reason_code)
            case Rebind():
                self._advance(CallEvent.RESUMED, wire=message.wire)
            case EndCall():
                self._end_call(hangup_by_us(message.outcome, Clip.CALL_AGAIN if message.in_words else None))
            case MoveCall():
                self._move(message)
            case Forgotten():
                self._recorder.error("store: rows of this call were lost")
                if self._tasks.runs and self._phase in (Phase.TALKING, Phase.FAREWELL, Phase.HANDING_OVER):
                    self._delay_end()
                    self._must_hear(BOOKS, NOT_CERTAIN)
                elif self._tasks.runs and self._phase is Phase.HANGING_UP:
                    self._must_hear(BOOKS, NOT_CERTAIN, told=True)  # said only if the call's transfer fails
            case Parked():
                self._advance(CallEvent.HANDED_OVER)
            case _ if self._phase in OVER or (self._phase is Phase.SETTLING and not isinstance(message, LastFact)):
                pass  # late facts of a call that has ended
            case StoreChanged():
                self._recorder.store_changed(message.fault)
            case CallerArrived():
                self._started(message.parameters)
                self._greeting_due(self._before.greeting_due(message.parameters))
            case LookedUp():
                self._greeting_due(self._before.done(message))
            case VaicReady():
                self._activities.caller_back()
                if self._caller_leg.ready():
                    self._advance(CallEvent.REPLACED)
            case ActivitiesSeen():
                self._caller_leg.saw(message.ids)
                self._recorder.activities_seen(message.ids)
            case NoUserInput():
                # Else somebody speaks, or the bot is about to.
                if CallTimer.SILENCE in self._call_timers or self._silence.left_to_vaic:
                    self._break_silence()
            case NotPlayed():
                self._recorder.not_played(message.reason)
            case CallerInaudible():
                self._end_dead_turn()
            case TransferFailed():
                self._transfer_failed(message.reason_code)
            case ModelReady(standby=True):
                self._dialled(message)
                self._model_leg.ready(message)
            case ModelReady():
                self._dialled(message)
                self._get_ready(ReadinessEvent.MODEL_READY, said_again=self._model_leg.ready(message))
            case DigitsPressed():
                self._silence.caller_acted()
                self._watch(LineEvent.ACTED)
                self._keys.pressed(message.digits)
            case CallerWrote() if self._sensitive.closed:
                pass  # VAIC's transcript of what nobody may hear
            case CallerWrote():
                self._speech.unread.append(message.text)
                self._read_texts()
            case FunctionCalled():
                self._invoke(message)
            case SettingRefused():
                self._recorder.setting_refused(message.setting)
            case SilenceBroken():
                if self._phase in (Phase.TALKING, Phase.HANDING_OVER):
                    self._after_silence(self._silence.broken_by_model())
            case AskedAside():
                self._recorder.asked_aside(message)
                self._look_at_budget()
            case PartyTranscribed():
                self._recorder.party_transcribed(message)
            case TurnOverrun():
                self._recorder.error("model: does not come to an end")
                if self._phase is Phase.FAREWELL:
                    self._farewell_overdue()
                elif lost := self._speech.overrun():
                    self._do_without_model(lost)
            case ImageRefused():
                self._speech.images.refused(message)
            case TaskNoted():
                if (run := self._tasks.noted(message)) is not None:
                    self._recorder.task(run)
            case TaskAnswered():
                self._reply(self._tasks.answered(message))
            case TaskSettled():
                self._settled(message)
            case EffectBegan():
                self._effect_began(message)
            case EffectOver():
                if (limit := WaitLimit(message.run_id, message.say)) in self._call_timers:
                    self._call_timers.cancel(limit)
                    self._vaic.tell(AwaitWords(due=True))
            case EffectFailed():
                self._recorder.effect_failed(message)
            case OutOfBandRequest():
                self._model.tell(message)
            case BotBegan():
                if self._silence.note(message):
                    self._time_silence()
                if self._hangup is not None and not message.clip:
                    self._farewell_begins()
            case CallerSpeaks() | CallerSaid() | BotSaid() | BotHeard() | ClipHeard() | ResponseEnded():
                self._note(message)
            case _:
                assert_never(message)
        return None

    # --- messages to events ---

    def _overdue(self, key: CallTimerKey) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat match, a case a limit
        match key:
            case StepLimit():
                self._log.warning("task step overdue")
                self._reply(self._tasks.overdue(key.step_id))
            case WordsLimit():
                if outputs := self._tasks.words_overdue(key.step_id):
                    self._speech.answer(outputs, self._readiness in MODEL_THERE)
            case WaitLimit():
                self._say_in_wait(key)
            case CallTimer.START:  # VAIC may be set up to send no `start` at all
                if self._before.greeting_due(None):
                    self._get_ready(ReadinessEvent.START_OVERDUE)
            case CallTimer.BEFORE:
                self._greeting_due(self._before.done(LookedUp(LATE)))
            case CallTimer.RENEW:
                self._model_leg.renew()
            case CallTimer.MODEL:
                self._do_without_model(self._model_leg.cause or NO_SESSION)
            case CallTimer.SILENCE:
                self._break_silence()
            case CallTimer.KEYS:
                self._keys.complete()
            case CallTimer.FAREWELL:
                self._farewell_overdue()
            case CallTimer.RESUME:
                self._advance(CallEvent.RESUME_TIMEOUT, outcome=LOST)
            case CallTimer.END:
                self._advance(CallEvent.END_TIMEOUT)
            case CallTimer.LONGEST | CallTimer.COST:
                self._end_at_pause(key)
            case CallTimer.TRANSCRIPT:
                self._stop_listening()
                self._look_at_last_facts()
            case CallTimer.RECORDING:
                self._recording.hand_over()
            case CallTimer.SETTLE:
                self._advance(CallEvent.SETTLE_TIMEOUT)
            case CallTimer.OVERTIME:
                self._log.warning("a task did not end in time")
                self._advance(CallEvent.OVERTIME_TIMEOUT)
            case _:
                assert_never(key)

    def _judge(self, death: ChildDied) -> None:
        if self._phase in OVER:
            self._children.died(death)
            self._leave_when_alone()
        elif self._caller_leg.lost(death):
            if self._caller_away:
                self._recording.caller_away()
                self._watch(LineEvent.CLOSED)
                self._look_at_drain(DrainEvent.CALLER_AWAY)
        elif self._model_leg.ears is not None and death.child.startswith(EAR):
            self._model_leg.ears.died(death)
        elif death.child.startswith(MODEL):
            loss = self._model_leg.died(death)
            if self._phase is Phase.SETTLING:
                if loss is not Loss.NONE:
                    self._stop_listening()
                    self._look_at_last_facts()
                return
            if loss is Loss.LOST and (cause := self._model_leg.cause):
                self._recorder.lost_model(cause, was_there=self._readiness in MODEL_THERE)
            if loss is not Loss.NONE:
                self._lose_model()
            if loss is Loss.FINAL:
                self._do_without_model(self._model_leg.cause)
        elif death.child.startswith("task:"):
            # An agent never ends by itself: one that somebody else has stopped leaves its task as a failed one does.
            if isinstance(self._children.died(death), Escalate | LetGo):
                self._recorder.error(f"{death.child}: {_cause(death)}")
                self._reply(self._tasks.given_up(death.child))
        elif isinstance(self._children.died(death), Escalate):
            self._recorder.error(f"{death.child}: {_cause(death)}")
            self._advance(CallEvent.ESCALATED, outcome="failed")

    def _note(self, fact: SpeechFact) -> None:
        fact = self._recorder.note(fact)
        self._model.note(fact)
        if self._phase is Phase.SETTLING:
            self._look_at_last_facts()
            return
        self._recording.note(fact, self._tasks.locale)
        owed = self._tasks.owes_result
        outputs = self._tasks.note(fact)
        if self._silence.note(fact) or owed != self._tasks.owes_result:
            self._time_silence()
        if outputs:
            self._speech.answer(outputs, self._readiness in MODEL_THERE)
        match fact:
            case BotSaid() if self._caller_away and self._transcript.still_sounds(fact.item_id):
                self._model.tell(Heard((self._recorder.bot_unheard(fact.item_id),)))
            case CallerSpeaks():
                self._interrupted(fact)
            case ResponseEnded(given_up=True) if self._phase is Phase.FAREWELL and _required(self._hangup).clip is None:
                self._farewell_overdue()
            case CallerSaid():
                self._look_at_budget()
            case ResponseEnded():
                self._look_at_budget()
                if fact.calls:
                    self._calling = fact
                    self._said_with_end(self._hangup)
                if lost := self._speech.response_ended(fact):
                    self._do_without_model(lost)
            case _:
                pass
        self._correct()
        self._recorder.owed(self._tasks.owed())
        hangup = self._hangup
        event = None if hangup is None else hangup.note(fact)
        if hangup is not None and event is not None:
            waits = event is CallEvent.FAREWELL_HEARD and self._more_to_hear(hangup)
            if not waits:
                self._advance(event)
        if isinstance(fact, BotHeard) and fact.item.complete:
            self._look_at_drain(DrainEvent.QUIET)

    def _correct(self, *, overdue: bool = False) -> bool:
        """Correct what the model has told the caller and is not true. Returns whether there is something to correct."""
        if self._phase not in (Phase.TALKING, Phase.FAREWELL) or self._readiness not in MODEL_THERE:
            return False
        transfer = self._hangup is not None and isinstance(self._hangup.act, Transfer)
        words = self._tasks.correction(asks=not transfer, overdue=overdue)
        if not words:
            return False
        self._log.warning("the model has told the caller something untrue")
        self._delay_end()
        self._speech.say(words)
        return True

    def _more_to_hear(self, hangup: PendingHangup) -> bool:
        """Whether the end waits for something that the caller must hear before it, though the farewell was heard."""
        if self._readiness not in MODEL_THERE:
            return False
        if self._tasks.correcting:
            hangup.wait_for_another()
            return True
        if self._tasks.owes(BOOKS) and (words := self._tasks.owed_result()):
            hangup.wait_for_another()
            self._speech.say(words)
            return True
        return False

    def _delay_end(self) -> None:
        """The caller must hear something else before the end that is due: that calls a hang-up off."""
        if self._hangup is not None and isinstance(self._hangup.act, Transfer):
            self._hangup.wait_for_another()
        elif self._hangup is not None:
            self._advance(CallEvent.CALLED_OFF)

    def _must_hear(self, key: str, words: str, *, told: bool = False) -> None:
        """Say a sentence now, or once there is a model, and again until the caller has heard it. key: of what it is.

        told: the output of a function call says it now.
        """
        words = self._tasks.locale.of(words)
        self._tasks.owe(key, words)
        self._recorder.owed(self._tasks.owed())
        if not told:
            self._speech.say_or_owe(words, self._readiness in MODEL_THERE)
        self._time_silence()

    def _invoke(self, called: FunctionCalled) -> None:
        self._watch(LineEvent.ACTED)
        self._model.note(called)
        self._recorder.called(called)
        self._turns_since.called(called.call_id)
        if self._hangup is not None and self._hangup.interrupted:
            self._advance(CallEvent.CALLED_OFF)  # what the caller said during the farewell is a new request
        output = self._tasks.invoke(called)
        self._ask_vaic()
        self._use_clips()
        if output is not None:
            self._speech.answer({called.call_id: output})
        else:
            self._vaic.tell(AwaitWords(due=True))

    def _ask_vaic(self) -> None:
        """Ask for what the tasks and the model want of VAIC, and show the model images, while the caller is there or
        expected back.
        """
        asked, told = self._tasks.take_asked(), self._phase in GOING_ON
        if told:
            self._recording.asked(self._activities.ask(asked, away=self._caller_away))
            self._speech.images.look(self.now_ms())
        self._sensitive.look(asked=self._tasks.sensitive, told=told, away=self._caller_away)

    def _started(self, parameters: Mapping[str, object]) -> None:
        """Keep what VAIC's `start` tells; of one that comes again what is new."""
        told = known_start(parameters)
        known = self._services.start
        if any(known.get(name) != value for name, value in told.items()):
            known.update(told)
            self._recorder.started(told)

    def _use_clips(self) -> None:
        """Play the recordings of the language that the call goes on in."""
        clips = self._services.profile.clips_in(self._tasks.locale)
        if clips is not self._recorder.clips:
            self._recorder.clips = self._caller_leg.clips = clips
            self._vaic.tell(UseClips(clips))

    def _reply(self, reply: TaskReply | None) -> None:
        if reply is None:
            return
        turns: list[str] = []
        for step_id in reply.outputs:
            self._call_timers.cancel(StepLimit(step_id))
            turns += self._turns_since.answered(step_id)
        self._recorder.task(reply.run)
        self._ask_vaic()
        self._recorder.owed(self._tasks.owed())
        if reply.ended:
            language = self._tasks.locale.reader
            hangup = hangup_after(reply.run.result, reply.run.status, self._transfers(), language)
            if hangup is not None:
                self._end_after_words(hangup, reply.run.response_id, turns)
        outputs = {step_id: output for step_id, output in reply.outputs.items() if output}
        if self._phase is Phase.SETTLING:
            self._look_at_last_facts()
            return
        if outputs:
            self._speech.answer(outputs, self._readiness in MODEL_THERE, reply.word_for_word)
        self._keys.go_on()

    def _effect_began(self, effect: EffectBegan) -> None:
        self._tasks.takes_up_to(effect.run_id, effect.longest_s)
        if effect.say and self._tasks.works(effect.run_id):
            self._vaic.tell(AwaitWords(due=False))  # these words instead of the recorded ones
            self._call_timers.start(WaitLimit(effect.run_id, effect.say), effect.say_after_s)

    def _say_in_wait(self, limit: WaitLimit) -> None:
        """The caller has waited for an effect for so long that its own words are said."""
        self._vaic.tell(AwaitWords(due=True))  # for those too
        if self._tasks.works(limit.run_id) and self._phase is Phase.TALKING and self._readiness in MODEL_THERE:
            self._speech.say(limit.say)

    def _settled(self, message: TaskSettled) -> None:
        if (run := self._tasks.settled(message)) is not None:
            self._recorder.task(run)
            self._look_at_last_facts()

    def _look_at_last_facts(self) -> None:
        """The caller has left: check whether facts for the record are still missing."""
        if CallTimer.TRANSCRIPT in self._call_timers and not self._transcript.last_words_due():
            self._stop_listening()
        if not self._tasks.unsettled and CallTimer.TRANSCRIPT not in self._call_timers:
            self._advance(CallEvent.SETTLED)

    def _stop_listening(self) -> None:
        self._call_timers.cancel(CallTimer.TRANSCRIPT)
        self._model_leg.stop()

    # --- the farewell ---

    def _end_after_words(self, hangup: PendingHangup, response_id: str, turns: list[str]) -> None:
        """A task has ended with a hang-up or transfer. turns: of the caller since the call that has led to it."""
        if self._tasks.owes(BOOKS) and not isinstance(hangup.act, Transfer):
            return  # the caller learns only now that nothing is certain, and will have something to ask
        hangup.response_id = response_id
        self._said_with_end(hangup)
        for item_id in turns:
            hangup.spoken_into(item_id)
            words = self._transcript.words_of(item_id)
            if words is not None and hangup.note(CallerSaid(item_id, words)) is CallEvent.CALLED_OFF:
                return
        self._advance(CallEvent.FAREWELL_DUE, hangup)

    def _said_with_end(self, hangup: PendingHangup | None) -> None:
        """What the response said that called for the end; the task may have ended before this response has."""
        said = self._calling
        if hangup is not None and said is not None and hangup.response_id == said.response_id:
            hangup.said_before(said.spoken_items, filter(self._transcript.heard_to_end, said.spoken_items))

    def _interrupted(self, fact: CallerSpeaks) -> None:
        if fact.began:
            self._turns_since.began(fact.item_id)
            self._speech.keep_time()
        if self._phase is Phase.FAREWELL:
            limit_s = policies.INTERRUPTION_LIMIT_S if fact.began else policies.FAREWELL_START_LIMIT_S
            self._call_timers.start(CallTimer.FAREWELL, limit_s)

    def _farewell_begins(self) -> None:
        hangup = _required(self._hangup)
        if hangup.clip is None and self._phase is Phase.FAREWELL and not hangup.begun:
            hangup.begun = True
            self._call_timers.start(CallTimer.FAREWELL, policies.FAREWELL_LIMIT_S)

    def _farewell_overdue(self) -> None:
        hangup = _required(self._hangup)
        if self._phase is Phase.FAREWELL and hangup.unsaid and not self._caller_away:
            if self._tasks.busy:  # its output comes with the farewell
                self._call_timers.start(CallTimer.FAREWELL, policies.FAREWELL_START_LIMIT_S)
            elif self._silence.line is Line.BOT:
                self._farewell_begins()
            else:
                self._advance(CallEvent.END_IN_WORDS)  # the end that is due
        else:
            self._advance(CallEvent.FAREWELL_OVERDUE)

    def _transfer_failed(self, reason_code: str) -> None:
        self._log.warning("transfer failed", reason=reason_code)
        TRANSFERS_FAILED.labels(reason_code).inc()
        self._recorder.error(f"transfer failed: {reason_code}")
        failed = self._hangup
        # It was announced by a clip because the model was stopped, unless another target had been tried before.
        mute = self._model_leg.gone or (failed is not None and failed.clip is not None and not failed.revocable)
        another = None if failed is None else failed.to_next(revocable=not mute)
        if self._kept_end is not None:
            self._advance(CallEvent.TRANSFER_FAILED_MUTE, self._kept_end.in_words_of_ours())
        elif mute:
            self._advance(CallEvent.TRANSFER_FAILED_MUTE, another or hangup_without_model({}))
        elif another is not None:
            self._advance(CallEvent.TRANSFER_FAILED_NEXT, another)
        else:
            self._advance(CallEvent.TRANSFER_FAILED)

    def _transfers(self) -> Transfers:
        services = self._services
        return transfers(services.profile, services.before, services.start, services.local_now())

    def _move(self, message: MoveCall) -> None:
        self._look_at_drain(DrainEvent.MOVE_NOW if message.now else DrainEvent.MOVE_WANTED)
        if self._caller_away:
            self._look_at_drain(DrainEvent.CALLER_AWAY)
        elif self._silence.line is Line.LISTENING:
            # It is quiet already: the next QUIET would come only after the bot's next sentence.
            self._look_at_drain(DrainEvent.QUIET)

    def _end_call(self, hangup: PendingHangup) -> None:
        """End the call for the daemon's own reasons: of a caller who is away at once, without a farewell."""
        if self._services.profile.assists:  # it is not ours to end: another process may go on with it
            self._look_at_drain(DrainEvent.MOVE_NOW)
            return
        if self._caller_away:
            hangup = hangup_by_us(hangup.outcome, None)
        self._advance(CallEvent.END_CALL if hangup.clip is None else CallEvent.END_IN_WORDS, hangup)

    def _end_at_pause(self, key: CallTimer) -> None:
        """The call has lasted as long, or cost as much, as the bot's may: end it in a pause, soon."""
        profile = self._services.profile
        if key is CallTimer.COST:
            since_ms = _required(self._recorder.budget.since_ms)
            hangup = hangup_over_budget(self._transfers())
        else:
            since_ms = self._transcript.began_ms + 1000 * profile.max_call_s
            hangup = hangup_by_us(TOO_LONG, Clip.GOODBYE)
        someone_speaks = self._silence.caller_speaks or self._silence.line is Line.BOT
        result_due = self._tasks.busy or self._tasks.owes_result
        limit_ms = since_ms + 1000 * policies.LONGEST_GRACE_S
        if (someone_speaks or result_due or self._phase is Phase.FAREWELL) and self.now_ms() < limit_ms:
            self._call_timers.start(key, policies.PAUSE_LOOK_S)
            return
        self._log.warning("the call has had all that it may", outcome=hangup.outcome)
        self._end_call(hangup)

    def _look_at_budget(self) -> None:
        """What the call has cost may have changed, or what its bot has spent today."""
        if which := self._recorder.budget.newly_spent(self.now_ms()):
            self._log.warning("a budget is spent", of=which)
            self._recorder.error(f"the budget of the {which} is spent")
            self._call_timers.start(CallTimer.COST, 0)

    # --- silence ---

    def _watch(self, event: LineEvent) -> None:
        self._silence.happened(event)
        self._time_silence()

    def _time_silence(self) -> None:
        limit_s = self._silence.limit_s(owed=self._tasks.owes_result)
        if limit_s is None:
            self._call_timers.cancel(CallTimer.SILENCE)
        else:
            self._call_timers.start(CallTimer.SILENCE, limit_s)

    def _end_dead_turn(self) -> None:
        """The caller's turn goes on without a sound: whatever it is waited for, its limit has passed."""
        if not self._silence.caller_speaks:
            return  # it has ended meanwhile
        if self._phase is Phase.FAREWELL:
            self._farewell_overdue()
        else:
            self._break_silence()

    def _break_silence(self) -> None:
        """Nobody has been heard for too long, or the caller's turn does not end."""
        if self._phase not in (Phase.TALKING, Phase.HANDING_OVER):
            return  # the end of the call has limits of its own
        self._after_silence(self._silence.overdue())

    def _after_silence(self, action: LineAction) -> None:
        self._log.info("silence", action=action.value)
        match action:
            case LineAction.NOTHING:
                pass
            case LineAction.ASK if self._readiness in MODEL_THERE:
                if not self._correct(overdue=True):
                    self._speech.break_silence()
            case LineAction.ASK:
                self._speech.own_words(Clip.ONE_MOMENT)
            case LineAction.PLAY_CLIP:
                self._speech.own_words(Clip.STILL_THERE)
            case LineAction.END_TURN:
                self._model.end_turn()
                self._speech.say(NOT_UNDERSTOOD)
            case LineAction.END_CALL:
                self._advance(CallEvent.GOODBYE_DUE, hangup_unless_answered(self._tasks.locale.reader))
            case _:
                assert_never(action)
        self._time_silence()

    def _do_without_model(self, reason: str) -> None:
        """reason: what stands in the record, by which calls are counted."""
        self._log.error("no model for this call", reason=reason, lost=self._children.losses(MODEL))
        self._recorder.error(f"model: {reason}")
        if not self._services.profile.assists:  # else the two go on without advice
            self._advance(CallEvent.MODEL_GONE, hangup_without_model(self._transfers()))

    def _dialled(self, ready: ModelReady) -> None:
        if ready.dialled_ms:
            self._recorder.dialled(ready.dialled_ms)

    def _lose_model(self) -> None:
        blank = self._transcript.is_blank()
        self._get_ready(ReadinessEvent.GREETING_LOST if blank else ReadinessEvent.MODEL_LOST)

    def _restore(self, left: ResumeState) -> None:
        """Continue a call that another process left, in the state its journal shows."""
        self._log.info("call taken over", rows=len(left.rows))
        self._recorder.restore(left.rows, left.last_seq)
        self._recording.begin()
        self._before.restore(left.rows)
        self._activities.restore(left.rows)
        for entry in left.rows:
            match entry.row:
                case ActivitiesSeenRow(ids=ids):
                    self._caller_leg.saw(ids)
                case StartRow(parameters=parameters):
                    self._services.start.update(parameters)
        self._caller_leg.resumed()
        self._caller_leg.incarnation = len(left.rows)  # greater than any the call has had
        blank = self._transcript.is_blank()
        self._get_ready(ReadinessEvent.TAKEN_OVER_BLANK if blank else ReadinessEvent.TAKEN_OVER)
        unanswered = self._tasks.restore(left.rows, left.acted)
        self._sensitive.restore(left.rows)
        self._ask_vaic()
        self._use_clips()
        for run in self._tasks.unfit:
            self._recorder.task(run)
            self._log.warning(
                "a task's table has changed", run=run.context.run_id, agent=run.spec.name, result=run.result
            )
            if run.say:
                self._must_hear(run.context.run_id, run.say, told=self._tasks.answers(run, unanswered))
        for row, words in self._tasks.gone:
            self._recorder.task_gone(row)
            self._log.warning("this release does not have a task", run=row.run, agent=row.agent)
            self._must_hear(row.run, words)
        for called in unanswered:
            self._get_ready(ReadinessEvent.ANSWER_DUE)
            self._invoke(called)

    # --- tables and their actions ---

    def _advance(  # noqa: C901, PLR0912, PLR0915 - one flat match, a case an action
        self, event: CallEvent, hangup: PendingHangup | None = None, *, outcome: str = "", wire: Wire | None = None
    ) -> None:
        """hangup, outcome, wire: the event's parameters, for the actions it leads to."""
        self._phase, actions = CALL.step(self._phase, event)
        for action in actions:
            match action:
                case CallAction.AWAIT_FAREWELL:
                    self._await_farewell(_required(hangup))
                case CallAction.FORGET_FAREWELL:
                    self._hangup = None
                    self._call_timers.cancel(CallTimer.FAREWELL)
                    self._call_timers.cancel(CallTimer.END)
                    if self._silence.line is Line.OFF and not self._caller_away:
                        self._silence.happened(LineEvent.OPENED)
                    self._time_silence()
                case CallAction.TELL_FAILURE:
                    self._outcome = ""
                    self._limit_length()
                    self._speech.say_or_owe(NOBODY_THERE, self._readiness in MODEL_THERE)
                case CallAction.SIGN_OFF:
                    self._await_farewell(self._hangup.in_words_of_ours() if self._hangup else _required(hangup))
                    self._say_own_words()
                    self._model_leg.stop()
                    self._lose_model()
                case CallAction.PLAY_FAREWELL:
                    self._say_own_words()
                case CallAction.HANG_UP:
                    self._hang_up(_required(hangup or self._hangup))
                case CallAction.KEEP_END:
                    self._kept_end = hangup
                case CallAction.REPEAT_HANG_UP:
                    self._vaic.tell(_required(self._hangup).act)
                case CallAction.TAKE_UP:
                    if self._readiness in GREETED:
                        self._speech.take_up()
                case CallAction.REBIND:
                    self._watch(LineEvent.OPENED)
                    self._log.info("call resumed")
                    self._recorder.resumed()
                    self._recording.caller_back()
                    self._caller_leg.rebind(_required(wire))
                case CallAction.TURN_AWAY:
                    _required(wire).close(1000, "the call has ended")
                case CallAction.SEND_ELSEWHERE:
                    if wire is None:  # else the caller has come back here once more
                        self._log.info("call left to be resumed elsewhere")
                    (wire or self._caller_leg.wire).close(SERVICE_RESTART, "going on elsewhere")
                case CallAction.PARK:
                    self._recorder.parked()
                    send(self._services.journal, Park(self._id, self.actor_ref))
                case CallAction.TAKE_OUTCOME:
                    self._outcome = outcome
                case CallAction.CLOSE_WIRE:
                    # No VAIC session is left to send a hang-up: VAIC ends the call when its resume is refused.
                    self._caller_leg.wire.close(1011, "internal error")
                case CallAction.SETTLE:
                    self._settle()
                case CallAction.RECORD_SO_FAR:
                    self._recorder.draft(self._outcome)
                    self._call_timers.start(CallTimer.OVERTIME, policies.OVERTIME_LIMIT_S)
                case CallAction.HURRY:
                    self._call_timers.start(CallTimer.OVERTIME, policies.SETTLE_LIMIT_S)
                case CallAction.RECORD:
                    self._recorder.close(self._outcome)
                case CallAction.DISBAND:
                    self._recording.end()
                    self._recorder.budget.close()
                    self._call_timers.clear()
                    self._children.stop_all()
                    self._leave_when_alone()
                case _:
                    assert_never(action)

    def _greeting_due(self, due: bool) -> None:
        """due: the look-up before the call, if there is one, holds the greeting up no more."""
        if due:
            self._get_ready(ReadinessEvent.CALLER_ARRIVED)

    def _get_ready(self, event: ReadinessEvent, *, said_again: bool = False) -> None:
        """said_again: the model session is sent the caller's last utterance again."""
        self._readiness, actions = READINESS.step(self._readiness, event)
        for action in actions:
            match action:
                case ReadinessAction.AWAIT_START:
                    self._call_timers.start(CallTimer.START, policies.START_LIMIT_S)
                case ReadinessAction.GREET:
                    self._call_timers.cancel(CallTimer.START)
                    self._watch(LineEvent.OPENED)
                    self._look_at_budget()
                    if self._recorder.budget.since_ms is None:
                        self._greet()
                case ReadinessAction.WATCH:
                    self._watch(LineEvent.OPENED)
                case ReadinessAction.CATCH_UP:
                    self._speech.model_back(said_again)
                case ReadinessAction.TAKE_UP:
                    self._watch(LineEvent.OPENED)
                    self._speech.take_up(asked=True)
                case _:
                    assert_never(action)
        self._read_texts()

    def _read_texts(self) -> None:
        """Take what the caller has written as turns, once there is a model, and after the greeting."""
        while self._speech.unread and self._readiness is Readiness.BOTH:
            text, item_id, now_ms = self._speech.unread.popleft(), f"text-{self._services.new_id()}", self.now_ms()
            self._note(CallerSpeaks(item_id, began=True, at_ms=now_ms))
            self._note(CallerSpeaks(item_id, began=False, at_ms=now_ms))
            self._note(CallerSaid(item_id, text))
            self._speech.wrote(text)

    def _greet(self) -> None:
        self._speech.greet()
        if disclosure := self._services.profile.disclosure:
            self._must_hear(DISCLOSURE, disclosure, told=True)

    def _look_at_drain(self, event: DrainEvent) -> None:
        self._drain, move = DRAIN.step(self._drain, event)
        if move is not None:
            self._advance(move)

    def _await_farewell(self, hangup: PendingHangup) -> None:
        self._hangup = hangup
        limit_s = policies.FAREWELL_START_LIMIT_S if hangup.clip is None else policies.FAREWELL_LIMIT_S
        self._call_timers.start(CallTimer.FAREWELL, limit_s)

    def _say_own_words(self) -> None:
        if (clip := _required(self._hangup).clip) is not None:
            self._speech.own_words(clip)

    def _hang_up(self, hangup: PendingHangup) -> None:
        self._hangup, self._outcome = hangup, hangup.outcome
        self._call_timers.cancel(CallTimer.FAREWELL)
        if self._caller_away:
            self._advance(CallEvent.END_TIMEOUT)
        else:
            self._vaic.tell(hangup.act)
            transfer = isinstance(hangup.act, Transfer)
            self._call_timers.start(CallTimer.END, policies.TRANSFER_END_LIMIT_S if transfer else policies.END_LIMIT_S)

    def _settle(self) -> None:
        self._recording.end()
        self._call_timers.clear()
        self._children.stop(VAIC)
        if self._tasks.caller_left():
            self._call_timers.start(CallTimer.SETTLE, policies.SETTLE_LIMIT_S)
        if self._transcript.last_words_due() and self._readiness in MODEL_THERE:
            if self._model.caller_speaks:
                self._model.end_turn()  # otherwise the turn would get no end and no transcript
            self._call_timers.start(CallTimer.TRANSCRIPT, policies.WORDS_LIMIT_S)
        else:
            self._model_leg.stop()
        self._look_at_last_facts()

    # --- its parts ---

    @property
    def _caller_away(self) -> bool:
        """Whether the caller has no socket at the moment."""
        return VAIC not in self._children

    def _config(self) -> ModelSessionConfig:
        """The configuration of a model session for the call as it is now."""
        spoken_to = self._readiness in GREETED and self._readiness is not Readiness.TAKEN_OVER
        return self._speech.model_format(self._model.media, spoken_to and self._transcript.answer_due())

    def _leave_when_alone(self) -> None:
        if self._phase in OVER and not self._children.leaving:
            self.stop()


def _required(parameter: T | None) -> T:
    """The parameter of an action, which the event that leads to it must carry. Raises: MisuseError if it is missing."""
    if parameter is None:
        raise MisuseError("an action lacks its parameter")
    return parameter


def _cause(death: ChildDied) -> str:
    return "stopped" if death.reason is None else type(death.reason).__name__
