"""Every message between actors, and what each mailbox takes. Frozen, typed, few.

Times are on the dispatcher's clock (`now_ms`: monotonic ms, any origin); audio is base64 text.
May import: protocols, fsm, store's record types, actors' runtime pieces, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

import pykka

from actors.address import Address, ChildDied
from actors.clips import Clip
from actors.dialler import DialFailed, Dialled
from actors.model_side import ModelSide
from actors.wire import Wire, WireClosed, WireQuiet, WireText
from fsm.answer import Answer, Stand
from fsm.spec import ToolSpec
from fsm.walk import Thought
from protocols.ledger import ItemHeard
from store.journal import CallRecord, JournalRow

# --- to the caller's side ---


# The two that carry audio are tuples: a frozen dataclass takes three times as long to make.


class BotAudio(NamedTuple):
    """The next piece of an assistant item's speech, in the model's format."""

    item_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class BotAudioEnded:
    """The model has generated all the speech of an item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class CallerBargedIn:
    """The caller began to speak: whatever the bot plays is to stop now."""


@dataclass(frozen=True, slots=True)
class CallerFellSilent:
    """The caller stopped speaking."""


@dataclass(frozen=True, slots=True)
class CallerTurnCommitted:
    """The caller's utterance is in the conversation; the bot owes the next move."""


@dataclass(frozen=True, slots=True)
class CallerRecognised:
    """The words of a caller's utterance."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call from our side; VAIC answers with session.end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to a human. target: a tel: or sip: URI."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class LastWords:
    """Nobody is left to decide on this call: say a sentence of ours, hang up, and end by yourself."""

    clip: Clip
    reason: str


@dataclass(frozen=True, slots=True)
class LastWordsOver:
    """They have taken long enough, or the answer to the hangup has."""


@dataclass(frozen=True, slots=True)
class PlayClip:
    """Say a sentence of ours, behind whatever the bot says now."""

    clip: Clip


@dataclass(frozen=True, slots=True)
class AwaitWords:
    """The caller waits for words of the bot; or, `due` false, for none after all."""

    due: bool


@dataclass(frozen=True, slots=True)
class PatienceOver:
    """The caller has waited long enough to be told that we are still there."""


@dataclass(frozen=True, slots=True)
class PlayoutDue:
    """The play stream asked to be looked at now."""


VaicSocketMessage = (
    WireText
    | WireClosed
    | BotAudio
    | BotAudioEnded
    | CallerBargedIn
    | CallerFellSilent
    | CallerTurnCommitted
    | CallerRecognised
    | HangUp
    | Transfer
    | LastWords
    | LastWordsOver
    | PlayClip
    | AwaitWords
    | PatienceOver
    | PlayoutDue
)

# --- to the model's side ---


class CallerAudio(NamedTuple):
    """The next piece of the caller's audio, in the model's format."""

    payload: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What reached the caller's ear of each item that was cut."""

    items: tuple[ItemHeard, ...]


@dataclass(frozen=True, slots=True)
class Speak:
    """Have the model say something by itself. instructions: replace the session's for this response.

    step_id: the task's step whose sentence that is, "" if of none.
    """

    instructions: str
    step_id: str = ""


@dataclass(frozen=True, slots=True)
class CallerTyped:
    """Words that reached us as no audio (keys pressed). answer: the model is to answer them by itself."""

    text: str
    answer: bool = True


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """The answer to a function call of the model. output: JSON text."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """What the model is told and may call from now on."""

    instructions: str
    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True, slots=True)
class Consult:
    """A task asks the model beside the conversation. reply: takes the event chosen, or None; who waits may be gone."""

    thought: Thought
    reply: pykka.Future[Any]


@dataclass(frozen=True, slots=True)
class ModelTick:
    """A watchdog of the model's side asked to be looked at now."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """To a session on standby: the call is yours from now on. side: the call as it stands."""

    side: ModelSide


@dataclass(frozen=True, slots=True)
class Retire:
    """Another session stands by: end at the next moment at which nobody speaks and nothing is owed."""


ModelSocketMessage = (
    Dialled
    | DialFailed
    | WireText
    | WireQuiet
    | WireClosed
    | CallerAudio
    | Heard
    | Speak
    | CallerTyped
    | FunctionOutput
    | SessionChanged
    | Consult
    | TakeOver
    | Retire
    | ModelTick
)

# --- to a function invocation ---


@dataclass(frozen=True, slots=True)
class Invoke:
    """The model called a function of this task. step_id: the function call's id. arguments: JSON text as it was sent.

    heard: the caller spoke after hearing the task's last sentence to its end. spoke: the caller has spoken since the
    last call, so that this one may stand for an answer.
    """

    step_id: str
    tool: str
    arguments: str
    heard: bool = True
    spoke: bool = True


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """The caller has answered this task by the telephone's keys. heard: as for Invoke."""

    step_id: str
    keys: str
    heard: bool = True


@dataclass(frozen=True, slots=True)
class CallerSilent:
    """The caller was asked by this task, and has said nothing for a while."""

    step_id: str


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The call is over, in the middle of a step of this task. Answered with TaskSettled."""


FsmAgentMessage = Invoke | KeysPressed | CallerSilent | CallerLeft

# --- to the call's supervisor ---


@dataclass(frozen=True, slots=True)
class CallerArrived:
    """VAIC's `start` event: the cue to greet."""

    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VaicReady:
    """The caller's side has been accepted, and its socket is in hand."""


@dataclass(frozen=True, slots=True)
class VaicEnded:
    """VAIC's last word on this call."""

    reason_code: str


@dataclass(frozen=True, slots=True)
class DigitsPressed:
    """Keys, one or many."""

    digits: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model's session is configured. standby: to take over some time; else it can hear and speak.

    expires_at: when the session ends by itself, in unix seconds; None where it does not say.
    """

    standby: bool = False
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class CallerSpeaks:
    """The caller's voice began (or, `began` false, ended). item_id: of the user item it will be."""

    item_id: str
    began: bool
    at_ms: float


@dataclass(frozen=True, slots=True)
class CallerSaid:
    """The transcript of a user item."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class BotSaid:
    """The words of an assistant item, as generated; how much was heard is told apart."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class BotHeard:
    """An assistant item has ended for the caller: heard to its end, or cut."""

    item: ItemHeard
    barged_in: bool


@dataclass(frozen=True, slots=True)
class FunctionCalled:
    """The model called a function, completely, in the course of a response. arguments: JSON text."""

    call_id: str
    name: str
    arguments: str
    response_id: str = ""


@dataclass(frozen=True, slots=True)
class ResponseEnded:
    """A response is over. spoken_items: its items that had audio. calls: how many functions it called.

    steps: of tasks, whose answers it was the first to know of. given_up: the caller was to hear something, did not, and
    will not be answered.
    """

    status: str
    spoken_items: tuple[str, ...]
    calls: int
    usage: Mapping[str, int]
    steps: tuple[str, ...] = ()
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class ClipHeard:
    """What was heard of a sentence of ours is final: all of it, or it was cut."""

    clip: Clip
    item: ItemHeard


@dataclass(frozen=True, slots=True)
class TaskAnswered:
    """A task's next step: the answer to a function call, to keys or to silence, and the task as it stands.

    answer: None where the task has no use for the keys, or does not wait.
    """

    run_id: str
    step_id: str
    answer: Answer | None
    stand: Stand


@dataclass(frozen=True, slots=True)
class TaskSettled:
    """How a task stands whose caller has left. outcome: None while it has none."""

    run_id: str
    outcome: str | None
    stand: Stand


@dataclass(frozen=True, slots=True)
class Rebind:
    """VAIC lost its socket and is back on another one."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class EndCall:
    """The daemon wants this call to end. outcome: for its record. in_words: after a sentence of ours."""

    outcome: str
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class MoveCall:
    """This call is to go on at another process, from its next quiet moment on; or, now, whatever it does."""

    now: bool


@dataclass(frozen=True, slots=True)
class Parked:
    """All that was written of this call is in the journal, and its lease is for whoever it is resumed at."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A time limit of the call has run out. name: which."""

    name: str


@dataclass(frozen=True, slots=True)
class Describe:
    """An `ask`: answered with the call's record as it stands, its outcome "open"."""


@dataclass(frozen=True, slots=True)
class StartAgain:
    """The delay before a child's restart is over."""

    child: str


@dataclass(frozen=True, slots=True)
class ChildOverdue:
    """A child that was told to stop has had its time."""

    child: str
    generation: int


CallMessage = (
    CallerArrived
    | VaicReady
    | VaicEnded
    | DigitsPressed
    | ModelReady
    | CallerSpeaks
    | CallerSaid
    | BotSaid
    | BotHeard
    | ClipHeard
    | FunctionCalled
    | ResponseEnded
    | TaskAnswered
    | TaskSettled
    | Consult
    | Rebind
    | EndCall
    | MoveCall
    | Parked
    | Deadline
    | Describe
    | StartAgain
    | ChildOverdue
    | ChildDied
)

# What decides where a call goes as a whole.
Course = CallerArrived | ModelReady | VaicReady | VaicEnded | Rebind | EndCall | MoveCall | Parked
# What is spoken and heard in a call, as it is written down.
SpeechFact = CallerSpeaks | CallerSaid | BotSaid | BotHeard | ClipHeard | ResponseEnded
# What may still come when a call is over, and belongs into its record.
LastFact = BotHeard | ClipHeard | TaskAnswered | TaskSettled

# --- to the switchboard ---


@dataclass(frozen=True, slots=True)
class WireOpened:
    """A socket from VAIC is upgraded and authenticated; its first message tells what it is for.

    credential: with which it came; "" where none is asked for.
    """

    wire: Wire
    credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FirstText:
    """What arrived on a wire that belongs to no call yet."""

    wire: Wire
    data: bytes


@dataclass(frozen=True, slots=True)
class FirstTextOverdue:
    """A wire that belongs to no call is to be closed now, whatever it says. reason: for its close frame."""

    wire: Wire
    reason: str


@dataclass(frozen=True, slots=True)
class WireLeft:
    """A wire that belongs to no call is gone."""

    wire: Wire


class Upgrade(Protocol):
    """A socket from VAIC that asks to be upgraded. Each may be told one of the two, on the loop."""

    def admit(self) -> None: ...

    def refuse(self, reason: str) -> None:
        """Not now: it may ask again, here or elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody with the right token wants in."""

    upgrade: Upgrade


@dataclass(frozen=True, slots=True)
class CallerAway:
    """A call has lost its caller's socket, and waits for another; or, away false, has one again."""

    conversation_id: str
    away: bool


@dataclass(frozen=True, slots=True)
class CallBroke:
    """A call's supervisor has met a bug of ours. Its caller's side is left to end the call in words, by itself."""

    conversation_id: str


class Door(Enum):
    """OPEN: new calls are taken. LAME: still, but nobody is to send more. SHUT: only calls that are here go on."""

    OPEN = "open"
    LAME = "lame"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class SetDoor:
    """How new calls are treated from now on."""

    door: Door


@dataclass(frozen=True, slots=True)
class StopCalls:
    """No new calls; end those in progress. outcome: for their records. in_words: each after a sentence of ours."""

    outcome: str
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class MoveCalls:
    """Those in progress are to go on at other processes: see MoveCall."""

    now: bool


@dataclass(frozen=True, slots=True)
class Leave:
    """End the whole tree, children first."""


@dataclass(frozen=True, slots=True)
class WhoIsAlive:
    """An `ask`: answered with a Roll."""


@dataclass(frozen=True, slots=True)
class FindCall:
    """An `ask`: answered with the address of a call in progress, or None."""

    conversation_id: str


@dataclass(frozen=True, slots=True)
class Roll:
    """Who is alive. accepting: new calls are taken."""

    conversations: tuple[str, ...]
    max_calls: int
    accepting: bool


@dataclass(frozen=True, slots=True)
class RenewLeases:
    """The leases are to last longer; and who has left calls behind for good, has them ended."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """A call as another process left it. rows: its journal, in order. acted: runs whose yes was carried out since."""

    opening: Mapping[str, Any]
    rows: tuple[JournalRow, ...]
    acted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CallClaimed:
    """A call that was resumed here is ours now; or, inheritance None, it cannot be had. reason: for our log."""

    conversation_id: str
    inheritance: Inheritance | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallsLost:
    """Other processes have taken these calls over."""

    conversation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What a journal's keeper that has ended did not come to, in order."""

    message: JournalMessage


SwitchboardMessage = (
    Unwritten
    | CallClaimed
    | CallsLost
    | RenewLeases
    | WireOpened
    | FirstText
    | FirstTextOverdue
    | WireLeft
    | Knock
    | CallerAway
    | CallBroke
    | SetDoor
    | StopCalls
    | MoveCalls
    | Leave
    | WhoIsAlive
    | FindCall
    | ChildDied
    | ChildOverdue
    | StartAgain
)

# --- to the journal ---


@dataclass(frozen=True, slots=True)
class Jot:
    """One control-plane event for the journal."""

    row: JournalRow


@dataclass(frozen=True, slots=True)
class Close:
    """A call's record, final."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class OpenLease:
    """A call has begun here: nobody else is to write for it. opening: what whoever takes it over must know."""

    conversation_id: str
    credential: str = field(repr=False)
    opening: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClaimCall:
    """A call is resumed that is not here. Answered with CallClaimed."""

    conversation_id: str
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Park:
    """A call leaves this process. Answered with Parked once nothing more of it is to be written."""

    conversation_id: str
    call: Address[Parked]


JournalMessage = Jot | Close | OpenLease | ClaimCall | Park | RenewLeases
