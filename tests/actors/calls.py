"""Shared by tests of a call's actors: fakes of VAIC and the model, and a call whose own actors are all real."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pykka

from actors.bots import ModelSettings
from actors.call.supervisor import CallSupervisor
from actors.clips import Clip, Recording
from actors.messages.call import Describe, Rebind
from actors.messages.journal import AppendRow, CallOpening, JournalMessage, ResumeState, WriteRecord
from actors.messages.journal_rows import JournalEntry, decode, encode
from actors.services import BotProfile, OneBot, Services
from actors.system.address import Address, ParentLink
from actors.system.dispatcher import TakesTurns
from actors.system.signals import ChildDied
from actors.transport.circuit import Milestone
from actors.transport.dialler import DialFailed, Dialled, Purpose
from actors.transport.websocket import WireClosed, WireMessage, WireText
from appointments.book_appointment import BOOK_APPOINTMENT
from fsm.agents.end_call import END_CALL
from fsm.effects import EffectRequest, EffectResult, Effects, Ok, TaskContext
from fsm.english import English
from fsm.spec import AgentSpec
from protocols.media import KNOWN, LPCM16_24, MediaFormat
from protocols.realtime.objects import Transcription
from protocols.vaic import SessionInitiate
from store.journal import CallRecord
from tests.cranked import CrankedDispatcher
from tests.fsm.tables import table
from tests.probe import Probe

# For tests that are not about silence.
NO_WATCH_S = 1e6
LOOK_AGAIN_S = 0.05
A = TypeVar("A", bound=pykka.Actor)

# In the model's 24 kHz format: 48 bytes a ms; four characters of base64 are three bytes.
MS_100 = "A" * 6400
Effect = Callable[[EffectRequest], EffectResult]
BEGAN = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)  # a Monday, five past two in Berlin
TEN_WORDS = "one two three four five six seven eight nine ten"
PIZZA = table()
# All slots that it needs: it asks for a yes next, and then carries out the effect "pizza.bake".
PIZZA_SLOTS: dict[str, object] = {"size": "small", "count": 2, "note": "none", "crisp": True}
AGENTS: dict[str, AgentSpec] = {each.name: each for each in (BOOK_APPOINTMENT, END_CALL, PIZZA)}


class Dialect(English):
    """A bot's language that differs from English in what is a goodbye."""

    def parting(self, text: str) -> bool:
        return text == "Tschüss!"


class WaitingDispatcher(CrankedDispatcher):
    """A hand-cranked dispatcher whose `until` waits for messages from threads."""

    def __init__(self) -> None:
        super().__init__()
        self._told = threading.Event()

    def ready(self, mailbox: TakesTurns) -> None:
        super().ready(mailbox)
        self._told.set()

    def until(self, happened: Callable[[], object], limit_s: float = 60) -> None:
        """Run mailboxes and due timers until the condition holds, waiting for messages from threads up to the limit.

        Looked at again without a message too: a thread's actor may have started, or written a row, and told nobody.
        """
        give_up_s = time.monotonic() + limit_s
        while True:
            self._told.clear()
            self.advance(0)
            if happened():
                return
            assert time.monotonic() < give_up_s, "it did not happen in time"
            self._told.wait(LOOK_AGAIN_S)


class FakeWire:
    """A wire without a socket: it records what is sent, and the test calls it with what is received.

    errors: raised by the next writes, one each.
    """

    def __init__(self, *errors: BaseException) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.errors = list(errors)
        self._owner: Address[WireMessage] | None = None
        self._only_next = False
        self._kept: list[WireMessage] = []

    # --- Wire ---

    def attach(self, owner: Address[WireMessage], *, only_next: bool = False) -> None:
        self._owner, self._only_next = owner, only_next
        kept, self._kept = self._kept, []
        for message in kept:
            self._deliver(message)

    def send(self, text: bytes) -> None:
        if self.errors:
            raise self.errors.pop(0)
        if self.closed is None:
            self.frames.append(json.loads(text))

    def close(self, code: int, reason: str = "") -> None:
        # As on a real wire, the peer only sees the first close.
        self.closed = code if self.closed is None else self.closed

    def abort(self) -> None:
        self.closed = 1006

    # --- the peer ---

    def receives(self, frame: Mapping[str, object] | bytes) -> None:
        self._deliver(WireText(frame if isinstance(frame, bytes) else json.dumps(frame).encode()))

    def breaks(self, code: int = 1006) -> None:
        self._deliver(WireClosed(code, ""))

    def types(self) -> list[str]:
        """The types of the frames sent since the last call, in order."""
        frames, self.frames = self.frames, []
        return [str(frame["type"]) for frame in frames]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every frame of a type, in order."""
        return [frame for frame in self.frames if frame["type"] == kind]

    def activities(self) -> list[dict[str, Any]]:
        """Every activity that was sent to VAIC, in order."""
        return [each for frame in self.all("activities") for each in frame["activities"]]

    def last(self, kind: str) -> dict[str, Any]:
        """The newest frame of a type."""
        found = self.all(kind)
        assert found, f"no {kind} was sent, but {[frame['type'] for frame in self.frames]}"
        return found[-1]

    def _deliver(self, message: WireMessage) -> None:
        if self._owner is None:
            self._kept.append(message)
            return
        owner = self._owner
        if self._only_next:
            self._owner = None
        owner.tell(message)


# Every clip takes 900 ms, in every format.
CLIPS = {
    clip: Recording(clip.value, {name: ("A" * (1200 * media.bytes_per_ms),) for name, media in KNOWN.items()})
    for clip in Clip
}


# Of the bot of a call, unless a test gives another one.
PROFILE = BotProfile(
    instructions="Be kind.",
    greeting="Hello.",
    model=ModelSettings("marin", Transcription(model="whisper-1")),
    time_zone=ZoneInfo("Europe/Berlin"),
    agents=AGENTS,
    clips=CLIPS,
)


class FakeDialler:
    """Connects at once with a fake wire. dials: who has dialled. refusals: outcomes of the next dials, one each.

    An exception is raised; None means no answer. away: the circuit breaker is open.
    """

    def __init__(self) -> None:
        self.wires: list[FakeWire] = []
        self.tripped: list[str] = []
        self.worked_up_to: Milestone | None = None
        self.dials: list[Address[Dialled | DialFailed]] = []
        self.purposes: list[Purpose] = []
        self.refusals: list[DialFailed | Exception | None] = []
        self.away = False

    def dial(self, caller: Address[Dialled | DialFailed], purpose: Purpose, /) -> None:
        self.dials.append(caller)
        self.purposes.append(purpose)
        outcome = self.refusals.pop(0) if self.refusals else self._connect()
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            caller.tell(outcome)

    def refused(self, reason: str, purpose: Purpose, step: Milestone, /) -> None:
        self.tripped.append(reason)

    def worked(self, step: Milestone, purpose: Purpose, /) -> None:
        self.worked_up_to = step

    def turns_away(self, settings: ModelSettings | None, /) -> bool:
        return self.away

    def did_without(self, paths: Iterable[str], purpose: Purpose, /) -> None:
        pass

    def left_out(self, purpose: Purpose, /) -> tuple[str, ...]:
        return ()

    def _connect(self) -> Dialled:
        self.wires.append(FakeWire())
        return Dialled(self.wires[-1])


class Clock:
    """A wall clock. After `holds` readings the next ones raise `errors`, one each."""

    def __init__(self, holds: int = 0) -> None:
        self.holds, self.errors = holds, list[BaseException]()

    def __call__(self) -> datetime:
        if self.errors and self.holds <= 0:
            raise self.errors.pop(0)
        self.holds -= 1
        return BEGAN


class Oven:
    """A scripted effect: returns its answers in turn, or raises them if they are exceptions."""

    def __init__(self, *answers: EffectResult | BaseException) -> None:
        self.answers = list(answers)
        self.requests: list[EffectRequest] = []

    def __call__(self, request: EffectRequest) -> EffectResult:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else Ok({"ticket": 7})
        if isinstance(answer, BaseException):
            raise answer
        return answer


class StuckOven:
    """An effect that hangs until `freed` is set."""

    def __init__(self) -> None:
        self.entered, self.freed = threading.Event(), threading.Event()
        self.result: EffectResult = Ok()

    def __call__(self, request: EffectRequest) -> EffectResult:
        self.entered.set()
        self.freed.wait(60)
        return self.result


BOOKED = Ok({"appointment": 1, "code": "4711"})


class Kitchen:
    """Carries out every effect with its function, without deduplication; missing ones with an Oven."""

    def __init__(self, effects: Mapping[str, Effect]) -> None:
        self._effects: dict[str, Effect] = {"pizza.bake": Oven(), "appointments.book": Oven(BOOKED), **effects}
        self.left: list[str] = []

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        return self._effects[name](request)

    def begun(self, keys: Sequence[str]) -> bool:
        return False

    def spent(self, context: TaskContext) -> str:
        return ""

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        self.left.append(name)
        return True


def call_services(
    mailboxes: CrankedDispatcher,
    journal: Address[JournalMessage],
    dialler: FakeDialler,
    effects: Mapping[str, Effect] | Effects | None = None,
    transfer_targets: Mapping[str, str] | None = None,
) -> Services:
    """Deterministic Services: their wall clock follows the dispatcher's."""
    ids = count(1)
    bots = OneBot(replace(PROFILE, transfer_targets=transfer_targets or {}), "practice")
    return Services(
        bots=bots,
        bot=bots.bot,
        dialler=dialler,
        effects=Kitchen(effects or {}) if effects is None or isinstance(effects, Mapping) else effects,
        journal=journal,
        now=lambda: BEGAN + timedelta(milliseconds=mailboxes.now_ms()),
        new_id=lambda: f"id-{next(ids)}",
        rand=lambda: 0.0,
    )


def read_again(entry: JournalEntry) -> JournalEntry:
    """The entry as another process reads it from the journal."""
    stored = encode(entry, epoch=1)
    return decode(replace(stored, body=json.loads(json.dumps(stored.body))))


def rows_of(call: Call) -> tuple[JournalEntry, ...]:
    """The journal of a call since the last look, as another process reads it."""
    return tuple(read_again(told.entry) for told in call.journal.all(AppendRow))


def left_by(call: Call) -> ResumeState:
    """What a process that takes the call over has of it."""
    return ResumeState(CallOpening(), rows_of(call))


def living(kind: type[A]) -> list[pykka.ActorRef[A]]:
    """The actors of a kind that are alive."""
    return pykka.ActorRegistry.get_by_class(kind)


class Call:
    """A real CallSupervisor with its real children; VAIC and the model are fake wires on which the test speaks.

    profile: of the bot. services: fields to replace in the Services. effects: by name; default Ovens.
    """

    def __init__(  # noqa: PLR0913 - what a test may change about a call
        self,
        mailboxes: WaitingDispatcher,
        *,
        effects: Mapping[str, Effect] | Effects | None = None,
        transfer_targets: Mapping[str, str] | None = None,
        media: MediaFormat = LPCM16_24,
        agents: Mapping[str, AgentSpec] | None = None,
        wire: FakeWire | None = None,
        dialler: FakeDialler | None = None,
        resume_state: ResumeState | None = None,
        caller: str = "+4930123",
        no_input_s: float = 8,
        text: bool = False,
        profile: BotProfile | None = None,
        accepted: bool = False,
        **services: Any,
    ) -> None:
        self.mailboxes = mailboxes
        self.wire, self.dialler = wire or FakeWire(), dialler or FakeDialler()
        self.journal, self.parent = Probe[JournalMessage]("journal"), Probe[ChildDied]("switchboard")
        ours = call_services(mailboxes, self.journal, self.dialler, effects, transfer_targets)
        profile = profile or replace(ours.profile, agents=agents or ours.profile.agents, no_input_s=no_input_s)
        ours = replace(ours, bot=replace(ours.bot, profile=profile))
        initiate = SessionInitiate(
            conversation_id="c-1", bot_name="practice", caller=caller, expect_audio_messages=not text
        )
        parent_link = ParentLink(self.parent, "call:c-1", 1)
        self.ref = CallSupervisor.start(
            parent_link, replace(ours, **services), initiate, media, self.wire, resume_state, accepted
        )
        self._numbers = count(1)
        mailboxes.drain()

    def greeted(self) -> Call:
        """Play the call up to the point where the greeting was heard."""
        self.starts()
        self.model_is_ready()
        self.bot_says("Hello.", item="hello")
        self.mailboxes.advance(1000)
        self.played()
        self.wire.frames.clear()
        self.model.frames.clear()
        return self

    # --- VAIC's side ---

    def vaic(self, kind: str, **fields: object) -> None:
        self.wire.receives({"type": kind, "conversationId": "c-1", **fields})
        self.mailboxes.drain()

    def writes(self, text: str) -> None:
        """The caller writes, some time after what came before."""
        self.mailboxes.advance(100)
        self.vaic("activities", activities=[{"type": "message", "text": text}])

    def texts(self) -> list[str]:
        """The texts that VAIC was sent, in order."""
        return [each["text"] for each in self.wire.activities() if each["type"] == "message"]

    def starts(self) -> None:
        self.vaic("activities", activities=[{"type": "event", "name": "start"}])

    def played(self) -> None:
        """VAIC has played everything it was sent."""
        self.vaic("activities", activities=[{"type": "event", "name": "playFinished"}])

    def ends(self, reason_code: str = "client-disconnected") -> None:
        self.vaic("session.end", reasonCode=reason_code)

    def resumes(self) -> FakeWire:
        """VAIC resumes on another wire, which is returned."""
        wire = FakeWire()
        self.told(Rebind(wire))
        return wire

    def activities(self) -> list[tuple[str, dict[str, Any]]]:
        """The activities sent to VAIC, except `config`: names and parameters, in order."""
        return [
            (each["name"], each.get("activityParams", {}))
            for each in self.wire.activities()
            if each.get("name", "config") != "config"
        ]

    # --- the model's side ---

    @property
    def model(self) -> FakeWire:
        """The newest wire to the model."""
        return self.dialler.wires[-1]

    def event(self, kind: str, **fields: object) -> None:
        self.model.receives({"type": kind, "event_id": "e", **fields})
        self.mailboxes.drain()

    def model_is_ready(self) -> None:
        self.event("session.created", session={"type": "realtime"})
        self.event("session.updated", session={"type": "realtime"})

    def refused_for_good(self) -> None:
        """The model closes the session as final, and the one that is dialled after it."""
        for _ in range(2):
            self.model.breaks(4000)
            self.mailboxes.advance(0)

    def bot_says(self, text: str, item: str = "", ms: int = 500, status: str = "completed") -> None:
        """A whole response with one item of speech, faster than real time. ms: a multiple of 100."""
        number = next(self._numbers)
        response, item = f"r-{number}", item or f"i-{number}"
        self.event("response.created", response={"id": response, "status": "in_progress"})
        part: dict[str, Any] = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        for _ in range(ms // 100):
            self.event("response.output_audio.delta", **part, delta=MS_100)
        self.event("response.output_audio.done", **part)
        self.event("response.output_audio_transcript.done", **part, transcript=text)
        self.event("response.done", response={"id": response, "status": status, "usage": {"output_tokens": ms // 10}})

    def bot_writes(self, text: str, item: str = "") -> None:
        """A whole response with one item in writing."""
        number = next(self._numbers)
        response, item = f"r-{number}", item or f"i-{number}"
        self.event("response.created", response={"id": response, "status": "in_progress"})
        written = {"id": item, "type": "message", "role": "assistant", "status": "completed",
                   "content": [{"type": "output_text", "text": text}]}  # fmt: skip
        self.event("response.output_item.done", response_id=response, output_index=0, item=written)
        self.event("response.done", response={"id": response, "status": "completed"})

    def model_calls(self, *calls: tuple[str, str, dict[str, object]]) -> None:
        """A whole response with these function calls: call id, name, arguments."""
        response = f"r-{next(self._numbers)}"
        self.event("response.created", response={"id": response, "status": "in_progress"})
        for call_id, name, arguments in calls:
            item = {"id": f"fc-{call_id}", "type": "function_call", "status": "completed", "call_id": call_id,
                    "name": name, "arguments": json.dumps(arguments)}  # fmt: skip
            self.event("response.output_item.done", response_id=response, output_index=0, item=item)
        self.event("response.done", response={"id": response, "status": "completed"})

    def caller_says(self, text: str, item: str = "") -> None:
        """A whole turn of the caller, in no time, with its transcript."""
        item = item or f"u-{next(self._numbers)}"
        self.caller_begins(item)
        self.event("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=900)
        self.event("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        self.event(
            "conversation.item.input_audio_transcription.completed", item_id=item, content_index=0, transcript=text
        )

    def caller_begins(self, item: str = "u-0") -> None:
        self.event("input_audio_buffer.speech_started", item_id=item, audio_start_ms=100)

    def outputs(self) -> dict[str, dict[str, Any]]:
        """The function outputs sent to any session of the model, by call id."""
        return {item["call_id"]: json.loads(item["output"]) for item in self.items("function_call_output")}

    def items(self, kind: str, wires: Iterable[FakeWire] | None = None) -> list[dict[str, Any]]:
        """The conversation items of a type that we created. wires: default those of all sessions."""
        every = [
            frame["item"] for wire in wires or self.dialler.wires for frame in wire.all("conversation.item.create")
        ]
        return [item for item in every if item["type"] == kind]

    def hears_out(self, *, until_ms: int = 1000) -> None:
        """The bot says the last function output, the caller hears it until `until_ms` and says yes."""
        for item in self.items("function_call_output"):
            self.event("conversation.item.added", item={"id": f"o-{item['call_id']}", **item})
        said = [f"{told['say']} {told.get('next', '')}" for told in self.outputs().values() if "say" in told]
        self.bot_says(said[-1], ms=1000)
        self.mailboxes.advance(until_ms)
        self.caller_says("Yes.")

    def answered(self, call_id: str, name: str, /, **arguments: object) -> dict[str, Any]:
        """Have the model call one function, and wait for its output.

        A yes follows a read-back that was heard; a hang-up or transfer, the caller's request for it.
        """
        if arguments.get("yes"):
            self.hears_out()
        elif name in ("end_call", "hand_over"):
            self.caller_says("That is all, thank you.")
        self.model_calls((call_id, name, arguments))
        self.mailboxes.until(lambda: call_id in self.outputs())
        return self.outputs()[call_id]

    def thinks(self, answer: str) -> None:
        """The model answers a task's out-of-band request."""

        def asked() -> list[dict[str, Any]]:
            return [
                each["response"] for each in self.model.all("response.create") if "conversation" in each["response"]
            ]

        self.mailboxes.until(lambda: bool(asked()))
        metadata = asked()[-1]["metadata"]
        content = [{"type": "output_text", "text": answer}]
        item = {"id": "i-c", "type": "message", "role": "assistant", "content": content}
        self.event("response.created", response={"id": "r-c", "status": "in_progress", "metadata": metadata})
        self.event(
            "response.done", response={"id": "r-c", "status": "completed", "metadata": metadata, "output": [item]}
        )

    # --- our other actors ---

    def told(self, *messages: object) -> None:
        for message in messages:
            self.ref.tell(message)
        self.mailboxes.drain()

    def describe(self) -> CallRecord:
        future = self.ref.ask(Describe(), block=False)
        self.mailboxes.drain()
        record = future.get(timeout=60)
        assert isinstance(record, CallRecord)
        return record

    def records(self) -> list[CallRecord]:
        """The records that were written to the journal."""
        return [message.record for message in self.journal.arrived if isinstance(message, WriteRecord)]

    def row_kinds(self) -> list[str]:
        """The kinds of the rows written to the journal, in order."""
        return [message.entry.row.kind for message in self.journal.arrived if isinstance(message, AppendRow)]

    def outcome(self) -> str:
        (record,) = self.records()
        return record.outcome

    def is_gone(self) -> bool:
        """Whether its end was reported to the parent."""
        return any(isinstance(each, ChildDied) for each in self.parent.arrived)


def clips(call: Call) -> list[str]:
    """The recorded sentences that were heard, as the record tells it."""
    words = {clip.value for clip in Clip}
    return [turn.text for turn in call.describe().turns if turn.text in words]


def with_a_hanging_task(mailboxes: WaitingDispatcher, oven: StuckOven, **more: Any) -> Call:
    """A call whose task hangs in its effect; "call-2" is the yes whose output is missing. more: see Call."""
    call = Call(mailboxes, effects={"pizza.bake": oven}, **more).greeted()
    call.answered("call-1", "order_pizza", **PIZZA_SLOTS)
    call.hears_out()
    call.model_calls(("call-2", "order_pizza_confirm", {"yes": True}))
    assert oven.entered.wait(5)
    return call
