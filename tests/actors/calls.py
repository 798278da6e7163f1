"""What tests of a call's actors share: the outside of a call on paper, and the call with everything of ours real."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pykka
import pytest

from actors.call.supervisor import CallSupervisor
from actors.messages.call import Describe, Rebind
from actors.messages.clips import Clip, Recording
from actors.messages.journal import AppendRow, JournalMessage, ResumeState, WriteRecord
from actors.messages.journal_rows import JournalEntry, decode, encode
from actors.services import BotProfile, Services
from actors.system.address import Address, ParentLink
from actors.system.dispatcher import TakesTurns
from actors.system.signals import ChildDied
from actors.transport.dialler import DialFailed, Dialled
from actors.transport.websocket import WireClosed, WireMessage, WireText
from fsm.agents.book_appointment import BOOK_APPOINTMENT
from fsm.agents.end_call import END_CALL
from fsm.effects import EffectRequest, EffectResult, Effects, Ok
from fsm.spec import AgentSpec
from protocols.media import KNOWN, LPCM16_24, MediaFormat
from protocols.vaic import SessionInitiate
from store.journal import CallRecord
from tests.cranked import CrankedDispatcher
from tests.fsm.tables import table
from tests.probe import Probe

# For calls of which silence is not the subject.
NO_WATCH_S = 1e6
A = TypeVar("A", bound=pykka.Actor)

# In the model's 24 kHz format; four characters of base64 are three bytes, and a ms has 48 of them.
MS_100 = "A" * 6400
Effect = Callable[[EffectRequest], EffectResult]
BEGAN = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)  # a Monday, five past two in Berlin
TEN_WORDS = "one two three four five six seven eight nine ten"
PIZZA = table()
# All that it needs: it asks for a yes next, and then uses the effect "pizza.bake".
PIZZA_SLOTS: dict[str, object] = {"size": "small", "count": 2, "note": "none", "crisp": True}
AGENTS: dict[str, AgentSpec] = {each.name: each for each in (BOOK_APPOINTMENT, END_CALL, PIZZA)}


def known_defect(what: str) -> pytest.MarkDecorator:
    """A test that says what should be and is not yet; once it is, the mark must go. what: where it lies."""
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=what)


class WaitingDispatcher(CrankedDispatcher):
    """Turned by hand too, but where a thread is about to tell something, that is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._told = threading.Event()

    def ready(self, mailbox: TakesTurns) -> None:
        super().ready(mailbox)
        self._told.set()

    def until(self, happened: Callable[[], object], limit_s: float = 60) -> None:
        """Run the mailboxes, and timers due at once, until it happened. Threads are waited for, up to the limit."""
        give_up_s = time.monotonic() + limit_s
        while True:
            self._told.clear()
            self.advance(0)
            if happened():
                return
            assert self._told.wait(max(0.0, give_up_s - time.monotonic())), "it did not happen in time"


class PaperWire:
    """A wire without a socket: what is sent stands on paper, what is received is said by the test.

    tears: what the next writes raise, one each.
    """

    def __init__(self, *tears: BaseException) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.tears = list(tears)
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
        if self.tears:
            raise self.tears.pop(0)
        if self.closed is None:
            self.frames.append(json.loads(text))

    def close(self, code: int, reason: str = "") -> None:
        # As on a real one, the first close is the one that the peer hears of.
        self.closed = code if self.closed is None else self.closed

    def abort(self) -> None:
        self.closed = 1006

    # --- the peer ---

    def receives(self, frame: Mapping[str, object] | bytes) -> None:
        self._deliver(WireText(frame if isinstance(frame, bytes) else json.dumps(frame).encode()))

    def breaks(self, code: int = 1006) -> None:
        self._deliver(WireClosed(code, ""))

    def types(self) -> list[str]:
        """The types of what was sent since the last time, in order."""
        frames, self.frames = self.frames, []
        return [str(frame["type"]) for frame in frames]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every frame of a type, in order."""
        return [frame for frame in self.frames if frame["type"] == kind]

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


# A sentence of ours takes 900 ms, in every format.
CLIPS = {
    clip: Recording(clip.value, {name: ("A" * (1200 * media.bytes_per_ms),) for name, media in KNOWN.items()})
    for clip in Clip
}


class PaperExchange:
    """Who dials gets a paper wire at once. refusals: what the next dials come to instead, one each.

    An exception among them is raised; None leaves who dialled without an answer.
    """

    def __init__(self) -> None:
        self.wires: list[PaperWire] = []
        self.tripped: list[str] = []
        self.callers: list[Address[Dialled | DialFailed]] = []
        self.refusals: list[DialFailed | Exception | None] = []

    def dial(self, caller: Address[Dialled | DialFailed], /) -> None:
        self.callers.append(caller)
        outcome = self.refusals.pop(0) if self.refusals else self._connect()
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            caller.tell(outcome)

    def trip(self, reason: str, /) -> None:
        self.tripped.append(reason)

    def _connect(self) -> Dialled:
        self.wires.append(PaperWire())
        return Dialled(self.wires[-1])


class Clock:
    """The wall clock of a house; `tears` is what its next readings raise, after as many as `holds` that go well."""

    def __init__(self, holds: int = 0) -> None:
        self.holds, self.tears = holds, list[BaseException]()

    def __call__(self) -> datetime:
        if self.tears and self.holds <= 0:
            raise self.tears.pop(0)
        self.holds -= 1
        return BEGAN


class Oven:
    """An effect that does as it is told: each time the next of its answers, raised where that is an exception."""

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
    """An effect that hangs until it is let go."""

    def __init__(self) -> None:
        self.entered, self.freed = threading.Event(), threading.Event()
        self.result: EffectResult = Ok()

    def __call__(self, request: EffectRequest) -> EffectResult:
        self.entered.set()
        self.freed.wait(10)
        return self.result


BOOKED = Ok({"appointment": 1, "code": "4711"})


class Kitchen:
    """Carries out every effect by its function, each time it is asked; by an oven where there is none."""

    def __init__(self, effects: Mapping[str, Effect]) -> None:
        self._effects: dict[str, Effect] = {"pizza.bake": Oven(), "appointments.book": Oven(BOOKED), **effects}
        self.left: list[str] = []

    def carry_out(self, name: str, request: EffectRequest) -> EffectResult:
        return self._effects[name](request)

    def hung_up(self, name: str, request: EffectRequest) -> bool:
        self.left.append(name)
        return True


def paper_services(
    mailboxes: CrankedDispatcher,
    journal: Address[JournalMessage],
    exchange: PaperExchange,
    effects: Mapping[str, Effect] | Effects | None = None,
    transfer_targets: Mapping[str, str] | None = None,
) -> Services:
    """A house whose wall clock is the dispatcher's, and where nothing is left to chance."""
    ids = count(1)
    profile = BotProfile(
        instructions="Be kind.",
        greeting="Hello.",
        voice="marin",
        transcription_model="whisper-1",
        time_zone=ZoneInfo("Europe/Berlin"),
        agents=AGENTS,
        transfer_targets=transfer_targets or {},
        clips=CLIPS,
    )
    return Services(
        profile=profile,
        dialler=exchange,
        effects=Kitchen(effects or {}) if effects is None or isinstance(effects, Mapping) else effects,
        journal=journal,
        now=lambda: BEGAN + timedelta(milliseconds=mailboxes.now_ms()),
        new_id=lambda: f"id-{next(ids)}",
        rand=lambda: 0.0,
    )


def read_again(entry: JournalEntry) -> JournalEntry:
    """Written by one process, read by another: between them it is JSON in a column."""
    stored = encode(entry, epoch=1)
    return decode(replace(stored, body=json.loads(json.dumps(stored.body))))


def living(kind: type[A]) -> list[pykka.ActorRef[A]]:
    """The actors of a kind that are alive."""
    return pykka.ActorRegistry.get_by_class(kind)


class Call:
    """A real CallSupervisor with its real children; VAIC and the model are paper, and the test speaks for both.

    house: changes to the house. The effects are ovens unless others are given.
    """

    def __init__(  # noqa: PLR0913 - what a test may change about a call
        self,
        mailboxes: WaitingDispatcher,
        *,
        effects: Mapping[str, Effect] | Effects | None = None,
        transfer_targets: Mapping[str, str] | None = None,
        media: MediaFormat = LPCM16_24,
        agents: Mapping[str, AgentSpec] | None = None,
        wire: PaperWire | None = None,
        exchange: PaperExchange | None = None,
        resume_state: ResumeState | None = None,
        caller: str = "+4930123",
        no_input_s: float = 8,
        **services: Any,
    ) -> None:
        self.mailboxes = mailboxes
        self.wire, self.exchange = wire or PaperWire(), exchange or PaperExchange()
        self.journal, self.parent = Probe[JournalMessage]("journal"), Probe[ChildDied]("switchboard")
        ours = paper_services(mailboxes, self.journal, self.exchange, effects, transfer_targets)
        profile = replace(ours.profile, agents=agents or ours.profile.agents, no_input_s=no_input_s)
        ours = replace(ours, profile=profile)
        initiate = SessionInitiate(conversation_id="c-1", bot_name="practice", caller=caller)
        parent_link = ParentLink(self.parent, "call:c-1", 1)
        self.ref = CallSupervisor.start(
            parent_link, replace(ours, **services), initiate, media, self.wire, resume_state
        )
        self._numbers = count(1)
        mailboxes.drain()

    def greeted(self) -> Call:
        """The call as it is once the greeting was heard."""
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

    def starts(self) -> None:
        self.vaic("activities", activities=[{"type": "event", "name": "start"}])

    def played(self) -> None:
        """VAIC has played all that it was sent."""
        self.vaic("activities", activities=[{"type": "event", "name": "playFinished"}])

    def ends(self, reason_code: str = "client-disconnected") -> None:
        self.vaic("session.end", reasonCode=reason_code)

    def resumes(self) -> PaperWire:
        """VAIC is back on another wire."""
        wire = PaperWire()
        self.told(Rebind(wire))
        return wire

    def activities(self) -> list[tuple[str, dict[str, Any]]]:
        """What we asked of VAIC besides settings: name and parameters, in order."""
        all_asked = [each for frame in self.wire.all("activities") for each in frame["activities"]]
        return [(each["name"], each.get("activityParams", {})) for each in all_asked if each["name"] != "config"]

    # --- the model's side ---

    @property
    def model(self) -> PaperWire:
        """The model's newest wire."""
        return self.exchange.wires[-1]

    def event(self, kind: str, **fields: object) -> None:
        self.model.receives({"type": kind, "event_id": "e", **fields})
        self.mailboxes.drain()

    def model_is_ready(self) -> None:
        self.event("session.created", session={"type": "realtime"})
        self.event("session.updated", session={"type": "realtime"})

    def bot_says(self, text: str, item: str = "", ms: int = 500, status: str = "completed") -> None:
        """A whole response with one item of speech, faster than it can be heard. ms: in hundreds."""
        number = next(self._numbers)
        response, item = f"r-{number}", item or f"i-{number}"
        self.event("response.created", response={"id": response, "status": "in_progress"})
        part: dict[str, Any] = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        for _ in range(ms // 100):
            self.event("response.output_audio.delta", **part, delta=MS_100)
        self.event("response.output_audio.done", **part)
        self.event("response.output_audio_transcript.done", **part, transcript=text)
        self.event("response.done", response={"id": response, "status": status, "usage": {"output_tokens": ms // 10}})

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
        """A whole turn of the caller, of no length; its words are recognised."""
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
        """The functions' outputs that any session of the model was given, by call id."""
        return {item["call_id"]: json.loads(item["output"]) for item in self.items("function_call_output")}

    def items(self, kind: str, wires: Iterable[PaperWire] | None = None) -> list[dict[str, Any]]:
        """The conversation items of a type that we created. wires: by default of every session so far."""
        every = [
            frame["item"] for wire in wires or self.exchange.wires for frame in wire.all("conversation.item.create")
        ]
        return [item for item in every if item["type"] == kind]

    def hears_out(self, *, until_ms: int = 1000) -> None:
        """What the functions gave last is spoken, the caller hears it for so long, and says yes to it."""
        for item in self.items("function_call_output"):
            self.event("conversation.item.added", item={"id": f"o-{item['call_id']}", **item})
        said = [f"{told['say']} {told.get('next', '')}" for told in self.outputs().values() if "say" in told]
        self.bot_says(said[-1], ms=1000)
        self.mailboxes.advance(until_ms)
        self.caller_says("Yes.")

    def answered(self, call_id: str, name: str, /, **arguments: object) -> dict[str, Any]:
        """Have the model call one function, and wait for its output. A yes is one to what was heard.

        A caller who is to leave has asked for it.
        """
        if arguments.get("yes"):
            self.hears_out()
        elif name in ("end_call", "hand_over"):
            self.caller_says("That is all, thank you.")
        self.model_calls((call_id, name, arguments))
        self.mailboxes.until(lambda: call_id in self.outputs())
        return self.outputs()[call_id]

    def thinks(self, answer: str) -> None:
        """The model answers what a task has asked it beside the conversation."""

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

    # --- the rest of the house ---

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
        """What was given to the journal to be kept of this call: at its end, once."""
        return [message.record for message in self.journal.arrived if isinstance(message, WriteRecord)]

    def row_kinds(self) -> list[str]:
        """The kinds of what the journal was told, in order."""
        return [message.entry.row.kind for message in self.journal.arrived if isinstance(message, AppendRow)]

    def outcome(self) -> str:
        (record,) = self.records()
        return record.outcome

    def is_gone(self) -> bool:
        """Its end was reported to the parent."""
        return any(isinstance(each, ChildDied) for each in self.parent.arrived)
