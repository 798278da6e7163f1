"""Messages to a call's supervisor: CallMessage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from pydantic import JsonValue

from actors.clips import Clip
from actors.messages.model import OutOfBandRequest
from actors.system.signals import ChildDied, Deadline, RestartDue, ShutdownTimeout
from actors.transport.websocket import Wire
from fsm.answer import Answer, TaskStatus
from protocols.ledger import ItemHeard


class CallTimer(Enum):
    """The time limits of a call, by what they wait for. Lengths are in actors/policies.py unless noted here."""

    START = "start"  # VAIC's `start` activity
    BEFORE = "before"  # the look-up before the call: the profile's
    RESUME = "resume"  # session.resume, after VAIC's socket was lost
    SILENCE = "silence"  # anybody to speak: actors/call/silence.py
    KEYS = "keys"  # another key: actors/call/dtmf.py
    MODEL = "model"  # a model session to be ready
    RENEW = "renew"  # the time to dial the next model session: actors/model/leg.py
    FAREWELL = "farewell"  # the last sentence to be heard
    END = "end"  # VAIC's answer to our hangup or transfer
    LONGEST = "longest"  # the end of the whole call: the profile's max_call_s
    COST = "cost"  # a pause in which to end a call whose budget is spent
    TRANSCRIPT = "transcript"  # of the caller's last turn, after the caller has left
    SETTLE = "settle"  # tasks in the middle of a step, after the caller has left
    RECORDING = "recording"  # the next block of the recording: actors/call/recording.py
    OVERTIME = "overtime"  # the same, after the preliminary record was written


@dataclass(frozen=True, slots=True)
class StepLimit:
    """The time limit of one step of a task."""

    step_id: str


@dataclass(frozen=True, slots=True)
class WordsLimit:
    """The time limit for the words of the caller's turn that a step depends on."""

    step_id: str


@dataclass(frozen=True, slots=True)
class WaitLimit:
    """How long the caller waits for an effect of a task before these words are said."""

    run_id: str
    say: str


CallTimerKey = CallTimer | StepLimit | WordsLimit | WaitLimit


@dataclass(frozen=True, slots=True)
class Usage:
    """What the provider bills of a response or a transcription. model: its name, "" if unknown.

    tokens: by kind, as in protocols.realtime.usage. seconds: of audio that is billed by time.
    """

    model: str = ""
    tokens: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


NOTHING_USED = Usage()


@dataclass(frozen=True, slots=True)
class CallerArrived:
    """VAIC's `start` event: the cue to greet."""

    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The look-up before the call has ended. outcome: ok, refused, failed or late. values: what it has kept."""

    outcome: str
    values: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class VaicReady:
    """The VAIC session is accepted: the caller can hear."""


@dataclass(frozen=True, slots=True)
class VaicEnded:
    """VAIC has ended the call. reason_code: of its session.end, or ours if there was none."""

    reason_code: str


@dataclass(frozen=True, slots=True)
class CallerInaudible:
    """The model says that the caller speaks, but for some seconds the caller's line has had no sound."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """Nobody has answered our transfer, and VAIC keeps the call. reason_code: VAIC's, or "unknown"."""

    reason_code: str


@dataclass(frozen=True, slots=True)
class ActivitiesSeen:
    """VAIC has sent activities with these ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoUserInput:
    """VAIC's own timer for a silent caller has fired (`noUserInput`)."""


@dataclass(frozen=True, slots=True)
class NotPlayed:
    """VAIC could not play a recording (`playUrlFailed`). reason: VAIC's."""

    reason: str


@dataclass(frozen=True, slots=True)
class DigitsPressed:
    """The caller pressed one or more keys."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallerWrote:
    """A text of the caller's: written in a chat, or recognised by VAIC."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model's session is configured. standby: it waits for TakeOver; else it can hear and speak.

    child: the session's name with its supervisor.
    expires_at: when the session ends by itself, in unix seconds; None if the server does not say.
    dialled_ms: how long its connection took to open.
    """

    child: str
    standby: bool = False
    expires_at: float | None = None
    dialled_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class CallerSpeaks:
    """The caller began to speak (`began` false: stopped). item_id: of the user item that the speech becomes.

    at_ms: when the model has told. spoken_ms: when the first (last) sample with speech was spoken, None if unknown.
    """

    item_id: str
    began: bool
    at_ms: float
    spoken_ms: float | None = None


@dataclass(frozen=True, slots=True)
class CallerSaid:
    """The transcript of a user item. used: what it has cost to make."""

    item_id: str
    text: str
    used: Usage = NOTHING_USED


@dataclass(frozen=True, slots=True)
class BotSaid:
    """The words of an assistant item, as generated; BotHeard says how much was heard."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class BotBegan:
    """Playback of an assistant item or a clip begins. item_id: as in the BotHeard or ClipHeard that reports its end.

    silent: without a sound; with the first one it is told again.
    """

    item_id: str
    clip: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class BotHeard:
    """An assistant item was heard to its end, or interrupted."""

    item: ItemHeard
    barged_in: bool


@dataclass(frozen=True, slots=True)
class FunctionCalled:
    """The model called a function; the call is complete. arguments: JSON text.

    cut_off: the caller had begun to speak before the call was complete.
    """

    call_id: str
    name: str
    arguments: str
    response_id: str = ""
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class ResponseEnded:
    """A response has ended. spoken_items: its items that had audio. calls: how many functions it called.

    given_up: it should have been heard, was not, and is not requested again. limited: because of a rate limit that has
    lasted too long. response_id: as in FunctionCalled. used: its tokens by kind. asked_ms: when it was created.
    first_ms: when its first audio arrived, None if none did. rates_left: the least that was left of the account's
    limits in this session, as shares by name.
    """

    status: str
    spoken_items: tuple[str, ...]
    calls: int
    usage: Mapping[str, int]
    given_up: bool = False
    response_id: str = ""
    limited: bool = False
    used: Usage = NOTHING_USED
    asked_ms: float | None = None
    first_ms: float | None = None
    rates_left: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AskedAside:
    """An out-of-band response, to a task's question, has ended."""

    used: Usage


@dataclass(frozen=True, slots=True)
class PartyTranscribed:
    """What a party said to another was transcribed, for a bot that assists. Its words come as CallerWrote."""

    used: Usage


@dataclass(frozen=True, slots=True)
class TurnOverrun:
    """The model has used up the budget of one turn of the caller, and requests more."""


@dataclass(frozen=True, slots=True)
class SilenceBroken:
    """The model's server has waited for the caller for as long as the bot's idle_timeout_ms, and speaks by itself."""


@dataclass(frozen=True, slots=True)
class SettingRefused:
    """The model's server refuses a setting of the session, which does without it. setting: its path."""

    setting: str


@dataclass(frozen=True, slots=True)
class ImageRefused:
    """The model's server does not take an image. item_id: of its item. why: the server's code.

    lost: it has not refused it, but the session was lost before it took it.
    """

    item_id: str
    why: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class ClipHeard:
    """A recorded sentence was heard to its end, or interrupted."""

    clip: Clip
    item: ItemHeard


@dataclass(frozen=True, slots=True)
class TaskAnswered:
    """A task has taken a step: for a function call, keys or silence. status: the task's, after the step.

    answer: None if the keys meant nothing to the task, or it was not waiting.
    """

    run_id: str
    step_id: str
    answer: Answer | None
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class TaskNoted:
    """A task has noted something of the call, and taken no step. status: the task's now."""

    run_id: str
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class EffectBegan:
    """A task carries out an effect that may take a while. say, say_after_s, longest_s: as in fsm.effects.Remote."""

    run_id: str
    say: str
    say_after_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class EffectOver:
    """The effect is over. say: as in its EffectBegan."""

    run_id: str
    say: str


@dataclass(frozen=True, slots=True)
class EffectFailed:
    """An effect of a task was not carried out ("failed"), or nobody knows ("unclear"). key: its idempotency key.

    why: in a few words, "" if that is not known.
    """

    effect: str
    key: str
    result: Literal["failed", "unclear"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The store no longer has rows of this call that it had: what was arranged may be gone too."""


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """The store cannot be used any more, or can again. fault: why not, "" if it can."""

    fault: str


@dataclass(frozen=True, slots=True)
class TaskSettled:
    """The status of a task after the caller has left. outcome: None if it has none."""

    run_id: str
    outcome: str | None
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class Rebind:
    """VAIC lost its socket and is back on another one."""

    wire: Wire


@dataclass(frozen=True, slots=True)
class EndCall:
    """End this call. outcome: for its record. in_words: after a recorded sentence."""

    outcome: str
    in_words: bool = False


@dataclass(frozen=True, slots=True)
class MoveCall:
    """Hand the call over to another process at its next quiet moment; `now`: at once."""

    now: bool


@dataclass(frozen=True, slots=True)
class Parked:
    """The answer to Park: everything sent before it is in the journal, so any process may resume the call now."""


@dataclass(frozen=True, slots=True)
class Describe:
    """An `ask`, answered with the call's record so far; its outcome is "open"."""


CallMessage = (
    CallerArrived
    | LookedUp
    | VaicReady
    | VaicEnded
    | TransferFailed
    | CallerInaudible
    | ActivitiesSeen
    | NoUserInput
    | NotPlayed
    | DigitsPressed
    | CallerWrote
    | ModelReady
    | CallerSpeaks
    | CallerSaid
    | BotSaid
    | BotBegan
    | BotHeard
    | ClipHeard
    | FunctionCalled
    | ResponseEnded
    | AskedAside
    | PartyTranscribed
    | TurnOverrun
    | SettingRefused
    | SilenceBroken
    | ImageRefused
    | TaskAnswered
    | TaskNoted
    | TaskSettled
    | EffectBegan
    | EffectOver
    | EffectFailed
    | OutOfBandRequest
    | Rebind
    | EndCall
    | MoveCall
    | Parked
    | Forgotten
    | StoreChanged
    | Deadline[CallTimerKey]
    | Describe
    | RestartDue
    | ShutdownTimeout
    | ChildDied
)

# Facts about what was said and heard, which the recorder writes down.
SpeechFact = CallerSpeaks | CallerSaid | BotSaid | BotHeard | ClipHeard | ResponseEnded
# Facts that may arrive after the call's end and belong in its record.
LastFact = CallerSaid | BotHeard | ClipHeard | TaskAnswered | TaskSettled | EffectFailed
