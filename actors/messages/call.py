"""What a call's supervisor is told: CallMessage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from actors.messages.clips import Clip
from actors.messages.model import OutOfBandRequest
from actors.system.signals import ChildDied, Deadline, RestartDue, ShutdownTimeout
from actors.transport.websocket import Wire
from fsm.answer import Answer, TaskStatus
from protocols.ledger import ItemHeard


class CallTimer(Enum):
    """A time limit of a call; how long each is stands in actors/policies.py, unless it is said here."""

    START = "start"  # for VAIC's `start` activity
    RESUME = "resume"  # for a caller whose socket was lost
    SILENCE = "silence"  # of the caller, from when the bot was heard out: the profile's no_input_s
    KEYS = "keys"  # for another key: actors/call/dtmf.py
    MODEL = "model"  # for a model session
    RENEW = "renew"  # until the session's successor is dialled: actors/model/leg.py
    FAREWELL = "farewell"  # for the last sentence to be heard
    END = "end"  # for the answer to our hangup or transfer
    SETTLE = "settle"  # for tasks in the middle of a step, after the caller has left


@dataclass(frozen=True, slots=True)
class StepLimit:
    """The time limit of one step of a task."""

    step_id: str


@dataclass(frozen=True, slots=True)
class WordsLimit:
    """The time limit for the words of the caller's turn that a step depends on."""

    step_id: str


CallTimerKey = CallTimer | StepLimit | WordsLimit


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
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class TaskSettled:
    """How a task stands whose caller has left. outcome: None while it has none."""

    run_id: str
    outcome: str | None
    status: TaskStatus


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
    """Go on at another process, from its next quiet moment on; or, now, whatever it does."""

    now: bool


@dataclass(frozen=True, slots=True)
class Parked:
    """All that was written of this call is in the journal, and its lease is for whoever it is resumed at."""


@dataclass(frozen=True, slots=True)
class Describe:
    """An `ask`: answered with the call's record as it stands, its outcome "open"."""


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
    | OutOfBandRequest
    | Rebind
    | EndCall
    | MoveCall
    | Parked
    | Deadline[CallTimerKey]
    | Describe
    | RestartDue
    | ShutdownTimeout
    | ChildDied
)

# What decides where a call goes as a whole.
LifecycleMessage = CallerArrived | ModelReady | VaicReady | VaicEnded | Rebind | EndCall | MoveCall | Parked
# What is spoken and heard in a call, as it is written down.
SpeechFact = CallerSpeaks | CallerSaid | BotSaid | BotHeard | ClipHeard | ResponseEnded
# What may still come when a call is over, and belongs into its record.
LastFact = BotHeard | ClipHeard | TaskAnswered | TaskSettled
