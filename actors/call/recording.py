"""When a call is recorded: what the caller must have heard or said before, and what is handed to the RecordingWriter.

Nothing touches a disk before the table says so, and whatever goes wrong costs the recording, never the call.
Not an actor: a part of a call's supervisor. May import: actors, fsm, protocols, recordings.facts, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, assert_never

from actors.bots import RecordingMode
from actors.call.recorder import CallRecorder
from actors.messages.call import CallerSaid, CallerSpeaks, CallTimer, CallTimerKey, SpeechFact
from actors.metrics import RECORDING_LOST
from actors.services import Services
from actors.system.timeouts import NamedTimers
from actors.tasks.heard_words import HeardWords, holds
from actors.vaic.tape import Tape
from fsm.consent import Readback, Reply, reply
from fsm.locales import Locale
from protocols.activities import Action
from protocols.errors import MisuseError
from protocols.ledger import LAST_MOMENT_MS, ItemHeard, words_heard
from protocols.transitions import Table, go, never, rows, stay
from recordings.facts import ConsentStep, Noted, PartFacts, SpoolBlock

# Of a part, in one block: a process that is killed loses no more.
BLOCK_S = 4.0


class RecordingState(Enum):
    UNDECIDED = "undecided"
    NOTICE = "notice"  # until the caller has heard it
    QUESTION = "question"  # the same; an answer is needed too
    ANSWER = "answer"  # of the caller's, to the question that was heard
    ON = "on"
    PAUSED = "paused"  # by a task, or the model
    DECLINED = "declined"
    OVER = "over"


class RecordingEvent(Enum):
    ALWAYS = "always"  # the bot's setting, as the three
    AFTER_NOTICE = "after notice"
    AFTER_YES = "after yes"
    NOTICE_HEARD = "notice heard"
    YES = "yes"
    NO_YES = "no yes"  # the caller has answered anything else
    # What VAIC is asked for its recording is asked of ours too.
    PAUSE = "paused"
    RESUME = "resumed"
    STOP = "stopped"  # as by a caller who takes the consent back
    CALL_OVER = "call over"  # or gone to another process


class RecordingAction(Enum):
    NOTHING = "nothing"
    BEGIN = "begin"
    END = "end"


_R, _E, _A = RecordingState, RecordingEvent, RecordingAction

RECORDING: Table[RecordingState, RecordingEvent, RecordingAction] = Table(
    "recording",
    _R.UNDECIDED,
    rows(
        go(_R.UNDECIDED, _E.ALWAYS, _R.ON, _A.BEGIN),
        go(_R.UNDECIDED, _E.AFTER_NOTICE, _R.NOTICE, _A.NOTHING),
        go(_R.UNDECIDED, _E.AFTER_YES, _R.QUESTION, _A.NOTHING),
        go(_R.NOTICE, _E.NOTICE_HEARD, _R.ON, _A.BEGIN),
        go(_R.QUESTION, _E.NOTICE_HEARD, _R.ANSWER, _A.NOTHING),
        go(_R.ANSWER, _E.YES, _R.ON, _A.BEGIN),
        go(_R.ANSWER, _E.NO_YES, _R.DECLINED, _A.NOTHING),
        go(_R.ON, _E.PAUSE, _R.PAUSED, _A.END),
        go(_R.PAUSED, _E.RESUME, _R.ON, _A.BEGIN),
        go(_R.ON, _E.STOP, _R.DECLINED, _A.END),
        go(_R.PAUSED, _E.STOP, _R.DECLINED, _A.NOTHING),
        # Before the consent both mean that there is to be none: it must not begin in a pause.
        go((_R.UNDECIDED, _R.NOTICE, _R.QUESTION, _R.ANSWER), (_E.PAUSE, _E.STOP), _R.DECLINED, _A.NOTHING),
        stay(_R.PAUSED, _E.PAUSE, _A.NOTHING),
        stay((_R.UNDECIDED, _R.NOTICE, _R.QUESTION, _R.ANSWER, _R.ON), _E.RESUME, _A.NOTHING),
        stay((_R.DECLINED, _R.OVER), (_E.PAUSE, _E.RESUME, _E.STOP), _A.NOTHING),
        go(_R.ON, _E.CALL_OVER, _R.OVER, _A.END),
        go(
            (_R.UNDECIDED, _R.NOTICE, _R.QUESTION, _R.ANSWER, _R.PAUSED, _R.DECLINED), _E.CALL_OVER, _R.OVER, _A.NOTHING
        ),
        stay(_R.OVER, _E.CALL_OVER, _A.NOTHING),
    ),
    rows(
        never(
            (each for each in RecordingState if each is not _R.UNDECIDED),
            (_E.ALWAYS, _E.AFTER_NOTICE, _E.AFTER_YES),
            "a call has one bot, and begins once",
        ),
        never(
            (each for each in RecordingState if each not in (_R.NOTICE, _R.QUESTION)),
            _E.NOTICE_HEARD,
            "it is listened for until it was heard, and not before",
        ),
        never(
            (each for each in RecordingState if each is not _R.ANSWER),
            (_E.YES, _E.NO_YES),
            "a yes to something else is none to this question",
        ),
    ),
)

_LISTENING = (RecordingState.NOTICE, RecordingState.QUESTION)
_BY_MODE = {
    RecordingMode.ALWAYS: _E.ALWAYS,
    RecordingMode.AFTER_NOTICE: _E.AFTER_NOTICE,
    RecordingMode.AFTER_YES: _E.AFTER_YES,
}


# What is asked of VAIC: see `Offered`. That it starts its recording is no consent to ours.
_ASKED = {"pause_call_recording": _E.PAUSE, "resume_call_recording": _E.RESUME, "stop_call_recording": _E.STOP}


class CallRecording:
    """The recording of one call at this process: one part, or one before each pause and one after the last.

    tape: for the call's sockets; None if there is none. audible: there is something to hear, not only to read.
    """

    def __init__(
        self,
        services: Services,
        recorder: CallRecorder,
        timers: NamedTimers[CallTimerKey],
        now_ms: Callable[[], float],
        log: Any,
        *,
        audible: bool,
    ) -> None:
        self._services = services
        self._queue = services.recordings
        self._recorder = recorder
        self._timers = timers
        self._now_ms = now_ms
        self._log = log
        self._state = RECORDING.start
        self._words = HeardWords()
        self._heard_ms = 0.0  # when the notice was heard to its end
        self._turn: CallerSpeaks | None = None  # the caller's newest
        self._facts: PartFacts | None = None
        self._part, self._blocks = "", 0
        wanted = audible and services.profile.recording is not RecordingMode.OFF
        if wanted and not self._queue.kept:
            RECORDING_LOST.labels("no folder").inc()
            log.warning("the call is not recorded as its bot wants: TIELINE_RECORDINGS is not set")
        self.tape = Tape(now_ms) if wanted and self._queue.kept else None

    def begin(self) -> None:
        """The call begins, or goes on here: by the steps that other processes have recorded a consent holds on."""
        if self.tape is None:
            return
        if not (steps := self._recorder.transcript.recording):
            self._happened(_BY_MODE[self._services.profile.recording])
            return
        try:
            for step in steps:
                self._state, _ = RECORDING.step(self._state, RecordingEvent(step.what))
        except (ValueError, MisuseError):  # rows are missing, or of a later release: what is not sure is not recorded
            self._log.warning("the call is not recorded: its journal does not tell that it may be")
            self._recorder.error("recording: its consent cannot be read")
            self._state = RecordingState.OVER
            self.tape.end()
            return
        if self._state is RecordingState.ON:
            self._begin_part()

    def asked(self, actions: Iterable[Action]) -> None:
        """VAIC was asked for these, by a task or the model."""
        if self.tape is None:
            return
        for action in actions:
            event = _ASKED.get(action.do)
            if event is not None and RECORDING.step(self._state, event)[0] is not self._state:
                self._happened(event)

    def note(self, fact: SpeechFact, locale: Locale) -> None:
        """locale: the language in which the notice is said and answered."""
        if isinstance(fact, CallerSpeaks) and fact.began:
            self._turn = fact
        if self._state in _LISTENING:
            if (heard := self._words.note(fact)) is not None:
                self._listen(*heard, locale)
        elif self._state is RecordingState.ANSWER and isinstance(fact, CallerSaid):
            self._judge(fact, locale)

    def _listen(self, item: ItemHeard, text: str, locale: Locale) -> None:
        notice = locale.of(self._services.profile.disclosure)
        if item.began_ms is not None and holds(words_heard(text, item), notice, locale.reader):
            self._heard_ms = item.began_ms + item.heard_ms
            self._happened(RecordingEvent.NOTICE_HEARD, notice, item.began_ms, self._heard_ms)

    def _judge(self, said: CallerSaid, locale: Locale) -> None:
        """The first words that the caller says to the notice decide: a yes to a later question is none to it."""
        turn = self._turn
        if turn is None or turn.item_id != said.item_id or turn.at_ms < self._heard_ms - LAST_MOMENT_MS:
            return
        asked = Readback(reading=(), slots={}, sentence=locale.of(self._services.profile.disclosure))
        answer = reply(asked, said.text, self._services.local_now().date(), locale.reader)
        if answer is not Reply.WORDLESS:
            event = RecordingEvent.YES if answer is Reply.YES else RecordingEvent.NO_YES
            self._happened(event, said.text, turn.at_ms)

    def caller_away(self) -> None:
        if self.tape is not None:
            self.tape.mark(Noted.AWAY)

    def caller_back(self) -> None:
        if self.tape is not None:
            self.tape.mark(Noted.BACK)

    def hand_over(self, *, last: bool = False) -> None:
        """Give the writer what was noted since the last time."""
        if self.tape is None or self._facts is None:
            return
        self._blocks += 1
        entries, now_ms = self.tape.take(), self._now_ms()
        key, epoch = self._queue.lease_of(self._facts.conversation_id)
        self._queue.put(SpoolBlock(self._part, self._facts, self._blocks, entries, now_ms, last, key, epoch))
        if not last:
            self._timers.start(CallTimer.RECORDING, BLOCK_S)

    def end(self) -> None:
        """The call is over, or leaves this process."""
        self._advance(RecordingEvent.CALL_OVER)

    def _happened(
        self, event: RecordingEvent, words: str = "", from_ms: float | None = None, to_ms: float | None = None
    ) -> None:
        """Record a step to the recording, and take it. from_ms, to_ms: by the clock of now_ms."""
        self._recorder.recording(event.value, self._now_ms(), words, from_ms, to_ms)
        self._log.info("recording", step=event.value)
        self._advance(event)

    def _advance(self, event: RecordingEvent) -> None:
        self._state, action = RECORDING.step(self._state, event)
        match action:
            case RecordingAction.NOTHING:
                pass
            case RecordingAction.BEGIN:
                self._begin_part()
            case RecordingAction.END:
                self._end_part()
            case _:
                assert_never(action)
        if self._state is RecordingState.OVER and self.tape is not None:
            self.tape.end()

    def _end_part(self) -> None:
        self.hand_over(last=True)
        self._facts = None
        self._timers.cancel(CallTimer.RECORDING)
        if self.tape is not None:
            self.tape.rest()

    def _begin_part(self) -> None:
        if self.tape is None:
            return
        services, transcript, now_ms = self._services, self._recorder.transcript, self._now_ms()
        self._part, self._blocks = services.new_id(), 0
        self._facts = PartFacts(
            conversation_id=transcript.conversation_id,
            bot=transcript.bot,
            bot_digest=transcript.bot_digest,
            media=transcript.media_format,
            began_at=services.now(),
            origin_ms=now_ms,
            since_call_ms=max(0, round(now_ms - transcript.began_ms)),
            mode=services.profile.recording.value,
            consent=tuple(ConsentStep(**step.model_dump()) for step in transcript.recording),
        )
        self.tape.begin()
        self._timers.start(CallTimer.RECORDING, BLOCK_S)
