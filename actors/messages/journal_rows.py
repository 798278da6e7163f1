"""The rows of a call's journal: one model per kind, written and read by the same class.

Every fact that a call's record is made of is a row. The process that sees the fact enters its row into the transcript
and appends it to the journal; the process that takes the call over reads the rows and enters them into a transcript of
its own. Both records are therefore the same.

Times are in ms from the call's start, since another process has another monotonic clock.

Compatibility: during a rolling deployment a call may move from the previous release to this one, and back. So
* a kind, and a field of it, keeps its name and meaning; a new field has a default;
* a reader ignores unknown fields, and skips unknown kinds (`UnreadRow`);
* a row that cannot be read is an `UnreadRow` too: the call goes on without it, and its record says so.

Pure. May import: fsm, pydantic, store's record types, the standard library. Rules from: docs/architecture.md 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from fsm.answer import Snapshot
from fsm.claims import Deed
from fsm.scratchpad import Note
from store.journal import JournalRow


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CallRow(_Row):
    """The call has begun; always the first row, and its moment is the call's start. bot, bot_digest: see Bot."""

    kind: Literal["call"] = "call"
    bot: str = ""
    bot_digest: str = ""
    caller: str = ""
    media: str = ""


class LookedUpRow(_Row):
    """The look-up before the call has ended. outcome: see LookedUp. values: what it has kept, by name.

    Not written by release 0.1.
    """

    kind: Literal["looked_up"] = "looked_up"
    outcome: str = ""
    values: dict[str, JsonValue] = {}


class StartRow(_Row):
    """VAIC's `start` has come. parameters: as they are kept, by name. Not written by release 0.1."""

    kind: Literal["start"] = "start"
    parameters: dict[str, JsonValue] = {}


class ActivitiesSeenRow(_Row):
    """VAIC has sent activities. ids: VAIC's. Not written by release 0.1."""

    kind: Literal["activities_seen"] = "activities_seen"
    ids: tuple[str, ...] = ()


class ActivityRow(_Row):
    """VAIC is asked for something. key: of what it is for; once for each. action: as in protocols.activities.

    sent: False if there is no socket, and it waits for one. Not written by release 0.1.
    """

    kind: Literal["activity"] = "activity"
    key: str
    action: dict[str, JsonValue] = {}
    sent: bool = True


class ImageRow(_Row):
    """A task shows the model an image, or could not; of one key the last row holds. file, kept, about, detail: as in
    protocols.activities.ShowImage. digest: of its content. at_ms: when it was first to be shown.

    unseen: why it is not seen, "" if it is. Not written by earlier releases.
    """

    kind: Literal["image"] = "image"
    key: str
    file: str = ""
    kept: str = ""
    about: str = ""
    detail: Literal["auto", "low", "high"] | None = None
    digest: str = ""
    at_ms: int = 0
    unseen: str = ""

    @property
    def name(self) -> str:
        return self.file or self.kept

    @property
    def run(self) -> str:
        """The run of the task that shows it."""
        return self.key.partition(":")[0]

    @property
    def item(self) -> str:
        """The id of its item in the model's conversation, the same in each session."""
        return f"image-{self.key}".replace(":", "-")[:32]


class CallerBeganRow(_Row):
    """The caller has begun to speak. item: the id of the model's item that this becomes. onset_ms: its first sample."""

    kind: Literal["caller_began"] = "caller_began"
    item: str
    began_ms: int
    onset_ms: int | None = None


class CallerSpokeRow(_Row):
    """The caller has stopped speaking. began_ms: None if the beginning was not seen. quiet_ms: the last sample."""

    kind: Literal["caller_spoke"] = "caller_spoke"
    item: str
    began_ms: int | None = None
    ended_ms: int
    quiet_ms: int | None = None


class _Billed(_Row):
    """What the provider bills. tokens: by kind, as in protocols.realtime.usage. seconds: of audio billed by time.

    cost_usd: None where the model has no price, or nothing was used.
    """

    model: str = ""
    tokens: dict[str, int] = {}
    seconds: float = 0.0
    cost_usd: float | None = None


class CallerSaidRow(_Billed):
    """The transcript of what the caller has said."""

    kind: Literal["caller_said"] = "caller_said"
    item: str
    text: str


class CallerTypedRow(_Row):
    """The caller has pressed keys. text: what the model is told about it."""

    kind: Literal["caller_typed"] = "caller_typed"
    text: str
    at_ms: int


class BotSaidRow(_Row):
    """The words of an assistant item, as generated."""

    kind: Literal["bot_said"] = "bot_said"
    item: str
    text: str


class WordsRow(_Row):
    """All words of a turn of which some were held back until it was known that they are no part of a number.

    role: "caller" or "bot". Not written by release 0.1.
    """

    kind: Literal["words"] = "words"
    role: Literal["caller", "bot"]
    item: str
    text: str


class BotHeardRow(_Row):
    """How much of an assistant item was heard is final: an `ItemHeard` of the ledger. barged_in: the caller cut it."""

    kind: Literal["bot_heard"] = "bot_heard"
    item: str
    began_ms: int | None
    heard_ms: int
    generated_ms: int
    complete: bool
    barged_in: bool
    sent_ms: int | None = None


class ClipRow(_Row):
    """How much of a recorded sentence was heard is final. item, began_ms: not written by release 0.1."""

    kind: Literal["clip"] = "clip"
    text: str
    item: str = ""
    began_ms: int | None = None
    heard_ms: int
    generated_ms: int = 0
    complete: bool = True


class CalledRow(_Row):
    """The model has called a function. response: the id of that response. arguments: JSON text."""

    kind: Literal["called"] = "called"
    call: str
    name: str
    arguments: str
    response: str = ""


class AnsweredRow(_Row):
    """A function call has its output. output: JSON text."""

    kind: Literal["answered"] = "answered"
    call: str
    output: str


class ForeignSnapshot(_Row):
    """The parts of another release's snapshot that the record needs; its run begins again."""

    visited: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


class TaskRow(_Row):
    """A task has taken a step. response: the response whose function call opened it. result: "open" until it has ended.

    snapshot: its state after the step; None: unknown, the previous one still holds.
    """

    kind: Literal["task"] = "task"
    run: str
    agent: str
    response: str = ""
    state: str = ""
    result: str
    snapshot: Annotated[Snapshot | ForeignSnapshot | None, Field(union_mode="left_to_right")] = None


class OwedResult(_Row):
    """What a task has done, or why it failed, until the caller has heard it. words: what we say about it.

    mark: the part of a failure that must be heard; "" for something done, which any words tell that claim one of
    `deeds` and no other day or time. today: when it was done. tells: how often we have said it.
    """

    run: str
    words: str
    today: date
    mark: str = ""
    deeds: tuple[Deed, ...] = ()
    dates: tuple[date, ...] = ()
    times: tuple[time, ...] = ()
    tells: int = 0


class HeardClaim(_Row):
    """A statement of the bot that something was done, which no task backs and which is not corrected yet.

    tasks: those of which one must have done it, if it is none of these deeds. Not written by earlier releases.
    """

    deeds: tuple[Deed, ...]
    sentence: str
    tasks: tuple[str, ...] = ()


class OwedRow(_Row):
    """What the bot has to tell the caller yet; replaces the row of this kind before it. Not written by release 0.1."""

    kind: Literal["owed"] = "owed"
    results: tuple[OwedResult, ...] = ()
    claims: tuple[HeardClaim, ...] = ()


class ResponseRow(_Billed):
    """A response of the model has ended. usage: its tokens, in and out. items: those that had audio.

    asked_ms: when it was created. first_ms: when its first audio came. status: "aside" for an answer to a task's
    question, "transcript" for one of a party's words in a call that the bot assists; nobody hears either.
    rates_left: as in ResponseEnded. Not written by earlier releases.
    """

    kind: Literal["response"] = "response"
    status: str = ""
    usage: dict[str, int] = {}
    items: tuple[str, ...] = ()
    asked_ms: int | None = None
    first_ms: int | None = None
    rates_left: dict[str, float] = {}


class DialledRow(_Row):
    """A connection to the model was opened. took_ms: how long that took. Not written by release 0.1."""

    kind: Literal["dialled"] = "dialled"
    took_ms: int


class LostModelRow(_Row):
    """The model's session was lost, or could not be opened, and another one is tried. reason: as short as the cause of
    an error. Written once until a session is there, or the reason is another. Not written by release 0.1.
    """

    kind: Literal["lost_model"] = "lost_model"
    reason: str = ""


class ErrorRow(_Row):
    """Something failed in the call. text: a short description, without the caller's words."""

    kind: Literal["error"] = "error"
    text: str


class StoreRow(_Row):
    """The store can no longer be used, or can again. fault: why not, "" if it can. The first is noticed some seconds
    late, and written once the store takes rows again. Not written by release 0.1.
    """

    kind: Literal["store"] = "store"
    fault: str = ""


class ResumedRow(_Row):
    """VAIC has resumed the session on another socket, at the same process."""

    kind: Literal["resumed"] = "resumed"


class ParkedRow(_Row):
    """The process has released the call, to be resumed at another one."""

    kind: Literal["parked"] = "parked"


class InheritedRow(_Row):
    """Another process has taken the call over; the rows that follow are its own."""

    kind: Literal["inherited"] = "inherited"


class RecordingRow(_Row):
    """One step to a recording of the call, or to none: a ConsentStep, of which it has the fields.

    Not written by release 0.1.
    """

    kind: Literal["recording"] = "recording"
    what: str
    at_ms: int
    words: str = ""
    from_ms: int | None = None
    to_ms: int | None = None


class EndedRow(_Row):
    """The call has ended: the last row."""

    kind: Literal["ended"] = "ended"
    outcome: str


Row = (
    CallRow
    | LookedUpRow
    | StartRow
    | ActivitiesSeenRow
    | ActivityRow
    | ImageRow
    | CallerBeganRow
    | CallerSpokeRow
    | CallerSaidRow
    | CallerTypedRow
    | BotSaidRow
    | WordsRow
    | BotHeardRow
    | ClipRow
    | CalledRow
    | AnsweredRow
    | TaskRow
    | OwedRow
    | ResponseRow
    | DialledRow
    | LostModelRow
    | ErrorRow
    | StoreRow
    | ResumedRow
    | ParkedRow
    | InheritedRow
    | RecordingRow
    | EndedRow
)

_ROW: TypeAdapter[Row] = TypeAdapter(Annotated[Row, Field(discriminator="kind")])
_FIELDS: dict[str, frozenset[str]] = {
    model.model_fields["kind"].default: frozenset(model.model_fields) - {"kind"} for model in get_args(Row)
}
KINDS = frozenset(_FIELDS)


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A row that this release cannot use; it keeps its `seq`. known: its kind is known, but its body is invalid."""

    kind: str
    known: bool


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A row and its position. seq: counts a conversation's rows, from 1. at: by the wall clock."""

    conversation_id: str
    seq: int
    at: datetime
    row: Row | UnreadRow


def encode(entry: JournalEntry, epoch: int) -> JournalRow:
    """An entry as it is stored. epoch: of the lease under which it is written. Raises: TypeError for an UnreadRow."""
    row = entry.row
    if isinstance(row, UnreadRow):
        raise TypeError("a row that was not read cannot be written")
    body = row.model_dump(mode="json")
    kind = body.pop("kind")
    return JournalRow(entry.conversation_id, entry.seq, kind, body, entry.at, epoch)


def decode(stored: JournalRow) -> JournalEntry:
    """Read a stored row; an UnreadRow if this release cannot."""
    return JournalEntry(stored.conversation_id, stored.seq, stored.at, _row_of(stored))


def unknown_fields(stored: JournalRow) -> frozenset[str]:
    """The fields of a row of a known kind that this release ignores."""
    known = _FIELDS.get(stored.kind)
    return frozenset() if known is None else frozenset(stored.body) - known


def _row_of(stored: JournalRow) -> Row | UnreadRow:
    if stored.kind not in KINDS:
        return UnreadRow(stored.kind, known=False)
    try:
        return _ROW.validate_python({**stored.body, "kind": stored.kind})
    except (ValidationError, TypeError):  # TypeError: no object of JSON at all
        return UnreadRow(stored.kind, known=True)
