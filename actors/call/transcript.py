"""A call's transcript: its turns as spoken and heard, its tasks, its end.

Pure state: journal rows go in; out come the call's record and the items that rebuild the conversation for a new model
session. `enter` is used both by the process that sees a fact and by one that reads it from the journal.
May import: actors.call.figures, actors.messages, protocols, store's record types, the standard library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from actors.call.figures import FiguresSoFar
from actors.messages.journal_rows import (
    ActivitiesSeenRow,
    ActivityRow,
    AnsweredRow,
    BotHeardRow,
    BotSaidRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    CallerTypedRow,
    CallRow,
    ClipRow,
    DialledRow,
    EndedRow,
    ErrorRow,
    ImageRow,
    InheritedRow,
    JournalEntry,
    LookedUpRow,
    LostModelRow,
    OwedRow,
    ParkedRow,
    RecordingRow,
    ResponseRow,
    ResumedRow,
    StartRow,
    StoreRow,
    TaskRow,
    UnreadRow,
    WordsRow,
)
from actors.tasks.handle import ABANDONED, OPEN
from protocols.images import MOST_IMAGE_BYTES, Image
from protocols.ledger import ItemHeard, words_heard
from protocols.limits import HISTORY_CHARS
from protocols.realtime.objects import (
    AssistantMessage,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImage,
    InputText,
    NewItem,
    OutputText,
    SystemMessage,
    UserMessage,
)
from store.journal import CallRecord, RecordingStep, TaskRecord, TurnRecord

# What an item of the history counts for besides its words.
ITEM_CHARS = 128


@dataclass(slots=True)
class _Turn:
    role: str
    item_id: str
    text: str = ""
    began_ms: float | None = None
    ended_ms: float | None = None
    heard: ItemHeard | None = None
    transcribed: bool = False

    def text_as_heard(self) -> str:
        """The words that were heard."""
        return self.text if self.role == "caller" or self.heard is None else words_heard(self.text, self.heard)


@dataclass(slots=True)
class _Invocation:
    name: str
    arguments: str
    output: str | None = None

    def item(self, call_id: str) -> FunctionCallItem:
        """The function call for a new session, which accepts ids of up to 32 characters from a client."""
        return FunctionCallItem(name=self.name, arguments=self.arguments, call_id=call_id[:32])


_Origin = _Turn | _Invocation | ImageRow


def image_item(row: ImageRow, image: Image | None) -> UserMessage | SystemMessage:
    """An image as an item of the conversation; None: the model is told of it in words."""
    if image is None:
        return SystemMessage(content=(InputText(text=f"There was an image for you that cannot be shown: {row.about}"),))
    told = InputText(text=f"[An image from the system, not from the caller: {row.about}]")
    detail: dict[str, Any] = {} if row.detail is None else {"detail": row.detail}
    return UserMessage(id=row.item, content=(told, InputImage(image_url=image.data_url(), **detail)))


def _together(first: ItemHeard, then: ItemHeard) -> ItemHeard:
    """One item that was played on two sockets; what the first had sent unheard is lost."""
    return ItemHeard(
        item_id=first.item_id,
        heard_ms=first.heard_ms + then.heard_ms,
        generated_ms=first.generated_ms + then.generated_ms,
        began_ms=then.began_ms if first.began_ms is None else first.began_ms,
        complete=then.complete and first.heard_ms >= first.generated_ms,
    )


@dataclass(slots=True)
class Transcript:
    """One call's transcript. began_ms: the call's start on this process's monotonic clock, in whole ms.

    ended: outcome and time of the end, if the journal holds one.
    """

    conversation_id: str
    bot: str
    caller: str
    media_format: str
    started_at: datetime
    began_ms: int
    bot_digest: str = ""
    barge_ins: int = 0
    ended: tuple[str, datetime] | None = None
    errors: list[str] = field(default_factory=list)
    usage: Counter[str] = field(default_factory=Counter)
    recording: list[RecordingStep] = field(default_factory=list)
    figures: FiguresSoFar = field(default_factory=FiguresSoFar)
    # Turns by item id and invocations by call id, in the order they were first reported.
    _entries: dict[str, _Turn | _Invocation] = field(default_factory=dict)
    _clips: dict[str, _Turn] = field(default_factory=dict)
    _images: dict[str, ImageRow] = field(default_factory=dict)  # by key
    _tasks: dict[str, TaskRecord] = field(default_factory=dict)

    def enter(self, entry: JournalEntry) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat match, a case a kind
        """Apply one journal row, whether just written or read back."""
        self.figures.enter(entry)
        match row := entry.row:
            case CallerBeganRow():
                self.caller_speaks(row.item, began=True, at_ms=self.began_ms + row.began_ms)
            case CallerSpokeRow():
                if row.began_ms is not None:
                    self.caller_speaks(row.item, began=True, at_ms=self.began_ms + row.began_ms)
                self.caller_speaks(row.item, began=False, at_ms=self.began_ms + row.ended_ms)
            case CallerSaidRow():
                self.caller_said(row.item, row.text)
            case CallerTypedRow():
                self.caller_typed(row.text, self.began_ms + row.at_ms)
            case BotSaidRow():
                self.bot_said(row.item, row.text)
            case WordsRow():
                self._turn(row.role, row.item).text = row.text
            case BotHeardRow():
                self.bot_heard(self._heard(row), row.barged_in)
            case ClipRow():
                self.clip_heard(self._heard(row) if row.item else self._clip_of_0_1(row, entry), row.text)
            case CalledRow():
                self.called(row.call, row.name, row.arguments)
            case AnsweredRow():
                self.answered(row.call, row.output)
            case TaskRow():
                self._enter_task(row)
            case ResponseRow():
                self.spent(row.usage)
            case ErrorRow():
                self.errors.append(row.text)
            case RecordingRow():
                self.recording.append(RecordingStep(**row.model_dump(exclude={"kind"})))
            case ImageRow():
                self._images[row.key] = row
            case EndedRow():
                self.ended = (row.outcome, entry.at)
            case InheritedRow():
                self.ended = None  # a process that crashed while ending the call wrote it; the call went on
            case UnreadRow(known=True):
                self.errors.append(f"journal: {row.kind} cannot be read")
            case (
                CallRow()
                | StartRow()
                | LookedUpRow()
                | ActivityRow()
                | ActivitiesSeenRow()
                | DialledRow()
                | LostModelRow()
                | OwedRow()
                | StoreRow()
                | ResumedRow()
                | ParkedRow()
                | UnreadRow()
            ):
                pass
            case _:
                assert_never(row)

    def _heard(self, row: BotHeardRow | ClipRow) -> ItemHeard:
        began_ms = None if row.began_ms is None else self.began_ms + row.began_ms
        return ItemHeard(row.item, row.heard_ms, row.generated_ms, began_ms, row.complete)

    def _clip_of_0_1(self, row: ClipRow, entry: JournalEntry) -> ItemHeard:
        """Release 0.1 wrote the row after the clip was heard, with neither its start nor its item id."""
        ended_ms = round((entry.at - self.started_at).total_seconds() * 1000)
        began_ms = self.began_ms + max(0, ended_ms - row.heard_ms)
        return ItemHeard(f"clip-{entry.seq}", row.heard_ms, row.generated_ms, began_ms, row.complete)

    def _enter_task(self, row: TaskRow) -> None:
        before = self._tasks.get(row.run)
        states, notes = (before.states, before.notes) if before else ((), ())
        if row.snapshot is not None:
            states = row.snapshot.visited
            notes = tuple((note.kind, note.state, note.text) for note in row.snapshot.notes)
        self.task(TaskRecord(agent=row.agent, run_id=row.run, states=states, result=row.result, notes=notes))

    def speech_began_ms(self, item_id: str) -> float | None:
        """When the caller began this utterance; None if unknown."""
        turn = self._entries.get(item_id)
        return turn.began_ms if isinstance(turn, _Turn) else None

    def caller_speaks(self, item_id: str, began: bool, at_ms: float) -> None:
        turn = self._turn("caller", item_id)
        if began:
            turn.began_ms = at_ms
        else:
            turn.ended_ms = at_ms

    def caller_said(self, item_id: str, text: str) -> None:
        turn = self._turn("caller", item_id)
        turn.text, turn.transcribed = text, True

    def bot_said(self, item_id: str, text: str) -> None:
        self._turn("bot", item_id).text = text

    def bot_heard(self, heard: ItemHeard, barged_in: bool) -> None:
        turn = self._turn("bot", heard.item_id)
        if heard.began_ms is not None:
            turn.began_ms = heard.began_ms if turn.began_ms is None else turn.began_ms
            turn.ended_ms = heard.began_ms + heard.heard_ms
        turn.heard = heard if turn.heard is None else _together(turn.heard, heard)
        if barged_in and not heard.complete and heard.heard_ms:
            self.barge_ins += 1

    def clip_heard(self, heard: ItemHeard, words: str) -> None:
        """A recorded clip was heard. It is part of the record but not of `history`: no model said it."""
        if heard.began_ms is not None:
            ended_ms = heard.began_ms + heard.heard_ms
            self._clips[heard.item_id] = _Turn("bot", heard.item_id, words, heard.began_ms, ended_ms, heard)

    def called(self, call_id: str, name: str, arguments: str) -> None:
        """The model has made a function call. Under an id of before it is not another one."""
        if not self.has_call(call_id):
            self._entries[call_id] = _Invocation(name, arguments)

    def answered(self, call_id: str, output: str) -> None:
        """Set a function call's output, if there is such a call and it has none."""
        invocation = self._entries.get(call_id)
        if isinstance(invocation, _Invocation) and invocation.output is None:
            invocation.output = output

    def has_call(self, call_id: str) -> bool:
        """Whether the model made a function call with this id."""
        return isinstance(self._entries.get(call_id), _Invocation)

    def caller_typed(self, text: str, at_ms: float) -> None:
        """The caller pressed keys. text: what the model is told about it."""
        turn = self._turn("caller", f"keys-{len(self._entries)}")
        turn.text, turn.began_ms, turn.ended_ms, turn.transcribed = text, at_ms, at_ms, True

    def task(self, task: TaskRecord) -> None:
        """Set a task's current state."""
        self._tasks[task.run_id] = task

    def spent(self, usage: Mapping[str, int]) -> None:
        self.usage.update(usage)

    def record(self, outcome: str, ended_at: datetime, *, over: bool = False) -> CallRecord:
        """The call's record for the store; turn times in ms from its start. over: no task goes on."""
        tasks: Iterable[TaskRecord] = self._tasks.values()
        if over:
            tasks = (
                each.model_copy(update={"result": ABANDONED}) if each.result == OPEN else each
                for each in self._tasks.values()
            )
        turns = [each for _, each in self._in_order(self._clips) if isinstance(each, _Turn)]
        return CallRecord(
            conversation_id=self.conversation_id,
            bot=self.bot,
            bot_digest=self.bot_digest,
            caller=self.caller,
            media_format=self.media_format,
            outcome=outcome,
            started_at=self.started_at,
            ended_at=ended_at,
            turns=tuple(self._turn_record(turn) for turn in turns),
            tasks=tuple(tasks),
            barge_ins=self.barge_ins,
            errors=tuple(self.errors),
            usage=dict(self.usage),
            recording=tuple(self.recording),
            figures=self.figures.figures(),
        )

    def history(self, image: Callable[[ImageRow], Image | None] = lambda _: None) -> tuple[NewItem, ...]:
        """The conversation so far, for a new model session: what was said and heard, calls with their outputs.

        Its newest HISTORY_CHARS, and the last turn in any case. image: gives one that was seen, None if it is gone; the
        newest MOST_IMAGE_BYTES are seen again.
        """
        newest: list[tuple[NewItem, ...]] = []
        left, left_bytes = HISTORY_CHARS, MOST_IMAGE_BYTES
        for key, origin in reversed(self._in_order(self._images)):
            match origin:
                case _Turn(role="caller", text=text) if text:
                    items: tuple[NewItem, ...] = (UserMessage(content=(InputText(text=text),)),)
                case _Turn(role="bot") if text := origin.text_as_heard():
                    items = (AssistantMessage(content=(OutputText(text=text),)),)
                case _Invocation(output=str() as text):
                    call = origin.item(key)
                    items = (call, FunctionCallOutputItem(call_id=call.call_id or key, output=text))
                    left -= len(call.arguments)
                case ImageRow(about=text):
                    seen = None if origin.unseen else image(origin)
                    if seen is not None and len(seen.content) > left_bytes:
                        seen = None
                    left_bytes -= 0 if seen is None else len(seen.content)
                    items = (image_item(origin, seen),)
                case _:
                    continue  # never transcribed, heard or answered: not part of the conversation
            left -= len(text) + ITEM_CHARS
            if left < 0 and newest:
                break
            newest.append(items)
        return tuple(item for items in reversed(newest) for item in items)

    def shows(self, key: str) -> bool:
        """Whether the image of this step of a task was shown, or could not be."""
        return key in self._images

    def images(self) -> Iterator[ImageRow]:
        """The images that were to be shown, in order, each as it is known last."""
        return iter(self._images.values())

    def is_blank(self) -> bool:
        """Nothing was said yet, by caller or bot, and no function called."""
        return not self._entries

    def item_ids(self) -> frozenset[str]:
        """The ids of all turns and function calls so far."""
        return frozenset(self._entries)

    def still_sounds(self, item_id: str) -> bool:
        """It is not known yet how much of this bot item was heard."""
        turn = self._entries.get(item_id)
        return not isinstance(turn, _Turn) or turn.heard is None

    def heard_to_end(self, item_id: str) -> bool:
        """The caller has heard all of this bot item."""
        turn = self._entries.get(item_id)
        return isinstance(turn, _Turn) and turn.heard is not None and turn.heard.complete

    def words_of(self, item_id: str) -> str | None:
        """The words of a caller's turn; None while they are not transcribed, or if it had none."""
        turn = self._entries.get(item_id)
        return turn.text or None if isinstance(turn, _Turn) else None

    def words_lost(self) -> bool:
        """The caller spoke last, and the utterance was never transcribed."""
        match next(reversed(self._entries.values()), None):
            case _Turn(role="caller", text="", ended_ms=float() | int()):
                return True
            case _:
                return False

    def last_words_due(self) -> bool:
        """Whether the transcript of the caller's last turn is missing."""
        turns = (each for each in reversed(self._entries.values()) if isinstance(each, _Turn) and each.role == "caller")
        last = next(turns, None)
        return last is not None and not last.transcribed

    def open_calls(self) -> dict[str, FunctionCallItem]:
        """Function calls without an output, by call id."""
        return {
            key: origin.item(key)
            for key, origin in self._entries.items()
            if isinstance(origin, _Invocation) and origin.output is None
        }

    def answer_due(self) -> bool:
        """The caller waits for the bot: the last turn was the caller's, or the bot's was not heard to its end."""
        match next(reversed(self._entries.values()), None):
            case _Turn(role="caller", text=text):
                return bool(text)
            case _Turn(text=text, heard=None):
                return not text  # with text, the whole sentence may still be playing
            case _Turn(heard=ItemHeard(complete=complete)):
                return not complete
            case _Invocation(output=output):
                return output is not None
            case _:
                return False

    def unsaid(self, cut_short: Collection[str] = ()) -> str | None:
        """The last function call's output, if no bot turn after it was heard to its end; else None.

        cut_short: bot items that the model did not bring to their end: to have heard those is not enough.
        """
        for origin in reversed(self._entries.values()):
            match origin:
                case _Invocation(output=output):
                    return output
                case _Turn(role="caller"):
                    return None
                case _Turn(heard=ItemHeard(complete=True)) if origin.item_id not in cut_short:
                    return None
                case _:
                    pass
        return None

    def _in_order(self, beside: Mapping[str, _Turn | ImageRow]) -> list[tuple[str, _Origin]]:
        """Sorted by start: a caller's turn may be reported, once transcribed, after the bot's answer to it."""
        began_ms: float = self.began_ms
        placed: list[tuple[float, str, _Origin]] = []
        for key, origin in (*self._entries.items(), *beside.items()):
            if isinstance(origin, _Turn) and origin.began_ms is not None:
                began_ms = origin.began_ms
            elif isinstance(origin, ImageRow):
                began_ms = self.began_ms + origin.at_ms - 0.5  # before the words about it, also within a ms
            placed.append((began_ms, key, origin))
        return [(key, origin) for _, key, origin in sorted(placed, key=lambda each: each[0])]

    def _turn(self, role: str, item_id: str) -> _Turn:
        turn = self._entries.get(item_id)
        if not isinstance(turn, _Turn):
            turn = self._entries[item_id] = _Turn(role, item_id)
        return turn

    def _turn_record(self, turn: _Turn) -> TurnRecord:
        began_ms = None if turn.began_ms is None else round(turn.began_ms - self.began_ms)
        ended_ms = None if turn.ended_ms is None else round(turn.ended_ms - self.began_ms)
        heard_ms = turn.heard.heard_ms if turn.heard else 0
        if turn.role == "caller" and began_ms is not None and ended_ms is not None:
            heard_ms = ended_ms - began_ms
        spent = self.figures.spent_at(turn.item_id)
        return TurnRecord(
            role=turn.role,
            text=turn.text_as_heard(),
            item_id=turn.item_id,
            began_ms=began_ms,
            ended_ms=ended_ms,
            heard_ms=heard_ms,
            answer=self.figures.answer_of(turn.item_id) if turn.role == "caller" else None,
            yield_ms=self.figures.yield_ms(turn.item_id) if turn.role == "caller" else None,
            unheard_ms=self.figures.unheard_ms(turn.item_id),
            tokens=dict(spent.tokens),
            cost_usd=spent.cost(),
        )
