"""One call: owns its two sockets and its tasks, their restarts, and the call's state of record.

May import: actors, protocols, store's record types, pykka, loguru. Rules from: design 1, 4 and 5.
"""

from __future__ import annotations

from typing import assert_never

import pykka
from loguru import logger

from actors.address import ChildDied, Post, Seat, send
from actors.call_book import CallBook
from actors.children import Children
from actors.counters import CALLS_ENDED
from actors.dispatch import Timer
from actors.farewell import Farewell
from actors.house import House
from actors.messages import (
    BotHeard,
    BotSaid,
    CallerArrived,
    CallerSaid,
    CallerSpeaks,
    CallerTyped,
    CallMessage,
    Close,
    Deadline,
    Describe,
    DigitsPressed,
    EndCall,
    FunctionCalled,
    FunctionOutput,
    HangUp,
    Jot,
    ModelReady,
    ModelSocketMessage,
    Rebind,
    ResponseEnded,
    SessionChanged,
    Speak,
    StartAgain,
    TaskAnswered,
    Transfer,
    VaicEnded,
    VaicSocketMessage,
)
from actors.model_side import ModelSide
from actors.openai_socket import OpenAISocket
from actors.runtime import LoopActor
from actors.supervision import Escalate, Restart, RestartPolicy
from actors.tasks import TaskDesk
from actors.vaic_socket import Entry, VaicSide, VaicSocket
from actors.wire import Wire
from protocols.errors import TransportLost
from protocols.media import MediaFormat, model_side
from protocols.vaic import SessionInitiate
from store.journal import CallRecord, JournalRow

VAIC, MODEL = "vaic", "model"
POLICIES = {
    # A crash of ours is repaired on the same wire; a lost socket is not an error to repair: VAIC comes back by itself.
    VAIC: RestartPolicy(restart=Restart.TRANSIENT, intensity=3, period_s=10),
    MODEL: RestartPolicy(restart=Restart.PERMANENT, intensity=5, period_s=60, backoff_s=0.5),
}
# Time limits, in s: for VAIC's `start` once the model is ready, for its return after a loss, for last words to be
# spoken, for session.end after our hangup, and for children to end.
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
        self._children = Children(self.actor_ref, self.now_ms, house.rand, self._start_again, self._log)
        self._tasks = TaskDesk(house, self._id, initiate.caller, self._children, self.actor_ref, self._limit)
        self._book = CallBook(self._id, initiate.bot_name, initiate.caller, media.name, house.now(), self.now_ms())
        self._limits: dict[str, Timer] = {}
        self._entry, self._incarnation = Entry.NEW, 0
        self._rows = 0
        self._caller_arrived = self._model_ready = self._greeted = False
        self._farewell: Farewell | None = None
        self._outcome: str | None = None  # set when we end the call by ourselves
        self._finished = False

    def on_start(self) -> None:
        self._log.info("call began", bot=self._book.bot, media=self._media.name)
        self._jot("call", bot=self._book.bot, caller=self._book.caller, media=self._media.name)
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
                self._limit("start", START_LIMIT_S)
                self._greet()
            case VaicEnded():
                self._finish(self._outcome or message.reason_code)
            case Rebind():
                self._rebind(message.wire)
            case EndCall():
                self._hang_up(HangUp(message.outcome), message.outcome)
            case DigitsPressed():
                self._model.tell(CallerTyped(f"The caller pressed these keys: {' '.join(message.digits)}."))
            case FunctionCalled() | TaskAnswered():
                self._task(message)
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
        self._unlimit("start")
        self._model.tell(Speak(f"{self._instructions()}\n\nGreet the caller with: {self._house.profile.greeting}"))

    def _note(self, fact: CallerSpeaks | CallerSaid | BotSaid | BotHeard | ResponseEnded) -> None:
        match fact:
            case CallerSpeaks():
                self._book.caller_speaks(fact.item_id, fact.began, fact.at_ms)
            case CallerSaid():
                self._book.caller_said(fact.item_id, fact.text)
                self._jot("caller_said", item=fact.item_id, text=fact.text)
            case BotSaid():
                self._book.bot_said(fact.item_id, fact.text)
                self._jot("bot_said", item=fact.item_id, text=fact.text)
            case BotHeard():
                self._book.bot_heard(fact.item, fact.barged_in)
                self._jot("bot_heard", item=fact.item.item_id, heard_ms=fact.item.heard_ms, complete=fact.item.complete)
                if self._farewell is not None and self._farewell.bot_heard(fact):
                    self._leave(self._farewell.act)
            case ResponseEnded():
                self._book.spent(fact.usage)
                if self._farewell is not None and self._farewell.response_ended(fact):
                    self._leave(self._farewell.act)

    def _task(self, message: FunctionCalled | TaskAnswered) -> None:
        match message:
            case FunctionCalled():
                self._book.called(message.call_id, message.name, message.arguments)
                self._jot("called", call=message.call_id, name=message.name)
                if (output := self._tasks.invoke(message)) is not None:
                    self._answer({message.call_id: output})
            case TaskAnswered():
                run = self._tasks.answered(message)
                if run is None:
                    return
                self._unlimit(f"step:{message.call_id}")
                self._book.task(message.run_id, run.spec.name, run.states, run.result)
                snapshot = message.snapshot.model_dump(mode="json")
                self._jot("task", run=message.run_id, state=run.states[-1], result=run.result, snapshot=snapshot)
                self._log.info("task", run=message.run_id, agent=run.spec.name, state=run.states[-1], result=run.result)
                self._prepare_end(run.result)
                self._answer({message.call_id: message.answer.output})

    def _answer(self, outputs: dict[str, str]) -> None:
        """Give the model its functions' outputs, and before them what it may call from now on."""
        self._model.tell(SessionChanged(self._instructions(), self._tasks.tools()))
        for call_id, output in outputs.items():
            self._book.answered(call_id, output)
            self._model.tell(FunctionOutput(call_id, output))

    def _prepare_end(self, result: str) -> None:
        """A task's outcome may be the end of the call, once its last sentence was heard."""
        target = self._house.profile.transfer_target
        if result == "hangup":
            self._farewell = Farewell(HangUp("conversation ended"))
        elif result == "transfer" and target:
            self._farewell = Farewell(Transfer(target, "handed over by a task"))
        else:
            return
        self._limit("farewell", FAREWELL_LIMIT_S)

    def _instructions(self) -> str:
        now, profile = self._house.local_now(), self._house.profile
        today = f"Today is {now:%A, %Y-%m-%d, %H:%M} ({profile.time_zone.key})."
        return "\n\n".join(part for part in (profile.instructions, today, self._tasks.instructions()) if part)

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
            self._limit("resume", RESUME_LIMIT_S)
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
        self._unlimit("resume")
        self._jot("resumed")
        self._wire, self._entry = wire, Entry.RESUMED
        self._children.start(VAIC, self._vaic, POLICIES[VAIC], self._start_vaic)

    # --- the end ---

    def _hang_up(self, act: HangUp | Transfer, outcome: str) -> None:
        if VAIC not in self._children:
            self._finish(outcome)
            return
        self._outcome = outcome
        self._vaic.tell(act)
        self._limit("end", END_LIMIT_S)

    def _leave(self, act: HangUp | Transfer) -> None:
        self._farewell = None
        self._unlimit("farewell")
        self._hang_up(act, "transferred" if isinstance(act, Transfer) else "completed")

    def _finish(self, outcome: str) -> None:
        """Write the record, stop the children; when they are gone, go."""
        if self._finished:
            return
        self._write_record(outcome)
        for name in list(self._limits):
            self._unlimit(name)
        self._children.stop_all()
        self.after(CHILDREN_LIMIT_S, Deadline("children"))
        self._leave_when_alone()

    def _write_record(self, outcome: str) -> None:
        if self._finished:
            return
        self._finished = True
        CALLS_ENDED.labels(outcome if outcome in OUTCOMES else "other").inc()
        self._log.info("call ended", outcome=outcome)
        self._jot("ended", outcome=outcome)
        send(self._house.journal, Close(self._book.record(outcome, self._house.now())))

    def _leave_when_alone(self) -> None:
        if not self._children.leaving:
            self.stop()

    def _overdue(self, name: str) -> None:
        self._limits.pop(name, None)
        kind, _, call_id = name.partition(":")
        match kind:
            case "start":
                self._caller_arrived = True  # VAIC may be set up to send no `start` at all
                self._greet()
            case "step":
                self._log.warning("task step overdue")
                self._answer(self._tasks.overdue(call_id))
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

    def _limit(self, name: str, delay_s: float) -> None:
        self._unlimit(name)
        self._limits[name] = self.after(delay_s, Deadline(name))

    def _unlimit(self, name: str) -> None:
        if (timer := self._limits.pop(name, None)) is not None:
            timer.cancel()

    def _jot(self, kind: str, **body: object) -> None:
        self._rows += 1
        row = JournalRow(conversation_id=self._id, seq=self._rows, kind=kind, body=body, at=self._house.now())
        send(self._house.journal, Jot(row))


# The outcomes that are told apart in the metrics: ours, and VAIC's reason codes.
OUTCOMES = frozenset(
    {
        "completed",
        "transferred",
        "failed",
        "lost",
        "drained",
        "client-disconnected",
        "bot-disconnected",
        "machine-detected",
        "error",
    }
)
