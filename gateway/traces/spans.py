"""A call's trace, from its record, its journal and the log of its effects: the same however often it is made.

call → turn → caller's speech, inference, function call (→ effect), bot's speech. A turn is all that one turn of the
caller has led to; what came before any is the first one. The whole journal is read, whichever processes wrote it.

Pure. May import: actors' rows, gateway.call_queries, http_tools.trace_context, store's record types, the standard
library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from actors.messages.journal_rows import (
    AnsweredRow,
    CalledRow,
    CallerSaidRow,
    DialledRow,
    ErrorRow,
    InheritedRow,
    JournalEntry,
    LookedUpRow,
    LostModelRow,
    ParkedRow,
    ResponseRow,
    ResumedRow,
    StoreRow,
    TaskRow,
)
from gateway.call_queries import masked, without_caller
from gateway.traces import names
from http_tools.trace_context import CALL, EFFECT, TraceIds
from store.effect_log import LoggedEffect
from store.journal import CallRecord, TurnRecord

Value = str | int | float | tuple[str, ...]
Kind = Literal["server", "client", "internal"]
# Outcomes of calls that failed; a caller who hangs up in a task is none.
FAILED_CALLS = frozenset({"failed", "lost", "error"})
# Within words: numbers that may be somebody's, with or without blanks. A date is none, it has hyphens.
_NUMBER = re.compile(r"\+?\d(?: ?\d){6,}")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at one moment."""

    name: str
    at: datetime
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """A part of a call. parent_id: None for the call itself. error: what failed, "" if nothing did."""

    span_id: int
    parent_id: int | None
    name: str
    kind: Kind
    began: datetime
    ended: datetime
    attributes: Mapping[str, Value]
    events: tuple[Event, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans of a call, each after its parent. key: the call's."""

    key: str
    trace_id: int
    spans: tuple[TraceSpan, ...]


@dataclass(slots=True)
class _Turn:
    """One turn of the caller and what it led to. caller: None before any. over_ms: when it was over for the model."""

    span_id: int
    caller: TurnRecord | None = None
    over_ms: float = float("-inf")
    parts: list[TraceSpan] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def trace_of(
    record: CallRecord,
    entries: Sequence[JournalEntry],
    effects: Sequence[LoggedEffect] = (),
    *,
    ids: TraceIds,
    provider: str,
    words: bool = False,
) -> Trace:
    """The trace of a call that has ended. entries: its journal. effects: that it has begun. provider: of its model.

    words: with what was said, and what functions were told and answered.
    """
    made = _Maker(record, ids, provider)
    for turn in record.turns:
        made.turn(turn)
    for entry in entries:
        made.response(entry)
        made.event(entry)
    for span in _function_calls(made, entries):
        made.put(span, span.began)
    for effect in effects:
        made.effect(effect)
    spans = made.spans()
    return Trace(record.conversation_id, ids.trace(record.conversation_id), tuple(_hidden(spans, record.caller, words)))


class _Maker:
    """A trace that is being made. Times are in ms from the call's start where they are numbers."""

    def __init__(self, record: CallRecord, ids: TraceIds, provider: str) -> None:
        self.record = record
        self._ids = ids
        self._provider = provider
        self._call_id = self.id(CALL)
        self._before = _Turn(self.id("turn", "0"))
        callers = [turn for turn in record.turns if turn.role == "caller" and turn.began_ms is not None]
        self._turns = [self._before] + [
            _Turn(self.id("turn", str(number)), turn, turn.began_ms or 0 if turn.ended_ms is None else turn.ended_ms)
            for number, turn in enumerate(callers, 1)
        ]
        self._events: list[Event] = []
        self._spoken = 0

    def id(self, *of: str) -> int:
        return self._ids.span(self.record.conversation_id, *of)

    def at(self, ms: float) -> datetime:
        return self.record.started_at + timedelta(milliseconds=ms)

    def put(self, span: TraceSpan, at: datetime) -> None:
        """Put a span into the turn to which a moment belongs."""
        turn = self._turn_at(at)
        turn.parts.append(replace(span, parent_id=turn.span_id))

    def _turn_at(self, at: datetime) -> _Turn:
        """The last turn that was over by then: what the model does while the caller speaks still belongs to the one
        before.
        """
        at_ms = (at - self.record.started_at) / timedelta(milliseconds=1)
        return next((turn for turn in reversed(self._turns) if turn.over_ms <= at_ms), self._before)

    def turn(self, turn: TurnRecord) -> None:
        """What somebody has said."""
        if turn.began_ms is None:
            return  # never heard
        self._spoken += 1
        began, by_caller = self.at(turn.began_ms), turn.role == "caller"
        ended_ms = turn.began_ms if turn.ended_ms is None else turn.ended_ms
        attributes: dict[str, Value] = {names.HEARD_MS: turn.heard_ms}
        if by_caller:
            ended_ms = ended_ms if turn.answer is None else turn.answer.quiet_ms
            attributes |= {} if turn.yield_ms is None else {names.YIELD_MS: turn.yield_ms}
        elif turn.unheard_ms:
            attributes[names.UNHEARD_MS] = turn.unheard_ms
        if turn.text:
            role, name = ("user", names.INPUT_WORDS) if by_caller else ("assistant", names.OUTPUT_WORDS)
            attributes[name] = _message(role, turn.text)
        span = TraceSpan(
            self.id("speech", str(self._spoken)),
            None,
            names.CALLER_SPEECH if by_caller else names.BOT_SPEECH,
            "internal",
            began,
            max(began, self.at(ended_ms)),
            attributes,
        )
        own = next((each for each in self._turns if each.caller is turn), None)
        if own is None:
            self.put(span, began)
        else:
            own.parts.append(replace(span, parent_id=own.span_id))

    def response(self, entry: JournalEntry) -> None:
        """An inference."""
        row = entry.row
        if not isinstance(row, ResponseRow):
            return
        began = entry.at if row.asked_ms is None else min(self.at(row.asked_ms), entry.at)
        attributes: dict[str, Value] = {
            names.OPERATION: names.CHAT,
            names.PROVIDER: self._provider,
            names.CONVERSATION: self.record.conversation_id,
            names.OUTPUT_TYPE: "speech" if row.items else "text",
            names.STATUS: row.status,
            **names.usage(row.tokens),
        }
        if row.model:
            attributes[names.REQUEST_MODEL] = row.model
        if row.asked_ms is not None and row.first_ms is not None:
            attributes[names.FIRST_CHUNK_S] = max(0, row.first_ms - row.asked_ms) / 1000
        if row.cost_usd is not None:
            attributes[names.COST_USD] = row.cost_usd
        error = "the response failed" if row.status == "failed" else ""
        if error:
            attributes[names.ERROR_TYPE] = "failed"
        name = f"{names.CHAT} {row.model}".rstrip()
        span = TraceSpan(
            self.id("response", str(entry.seq)), None, name, "client", began, entry.at, attributes, error=error
        )
        self.put(span, began)

    def event(self, entry: JournalEntry) -> None:
        """What happened at one moment: to the call, or within a turn."""
        found = _event(entry)
        if found is None:
            return
        if found.name in {names.TRANSCRIBED, names.TASK_STEP}:
            self._turn_at(found.at).events.append(found)
        else:
            self._events.append(found)

    def effect(self, effect: LoggedEffect) -> None:
        """Below the function call during which it was begun."""
        ended = self.record.ended_at if effect.settled_at is None or effect.status == "intended" else effect.settled_at
        failed = effect.status in {"failed", "unclear"}
        attributes: dict[str, Value] = {
            names.EFFECT: effect.name,
            names.EFFECT_KEY: effect.key,
            names.EFFECT_STATUS: effect.status,
            names.TASK_RUN: effect.run_id,
        }
        span = TraceSpan(
            self.id(EFFECT, effect.key),
            None,
            f"effect {effect.name}",
            "client",
            effect.intended_at,
            max(effect.intended_at, ended),
            attributes | ({names.ERROR_TYPE: effect.status} if failed else {}),
            error=effect.status if failed else "",
        )
        turn = self._turn_at(effect.intended_at)
        callers = [
            each
            for each in turn.parts
            if each.name.startswith(names.EXECUTE_TOOL) and each.began <= effect.intended_at <= each.ended
        ]
        turn.parts.append(replace(span, parent_id=callers[-1].span_id if callers else turn.span_id))

    def spans(self) -> Iterator[TraceSpan]:
        yield self._call()
        for number, turn in enumerate(self._turns):
            if turn.parts or turn.events:
                yield self._whole(number, turn)
                yield from turn.parts  # in the order in which they were put in: effects last

    def _call(self) -> TraceSpan:
        record, figures = self.record, self.record.figures
        attributes: dict[str, Value] = {
            names.CONVERSATION: record.conversation_id,
            names.AGENT: record.bot,
            names.OUTCOME: record.outcome,
            names.MEDIA: record.media_format,
            names.BARGE_INS: record.barge_ins,
            names.UNHEARD_MS: figures.unheard_ms,
        }
        more = {
            names.AGENT_VERSION: record.bot_digest,
            names.CALLER: masked(record.caller),
            names.GREETING_MS: figures.greeting_ms,
            names.COST_USD: figures.cost_usd,
        }
        attributes |= {name: value for name, value in more.items() if value not in (None, "")}
        failed = record.outcome in FAILED_CALLS
        if failed:
            attributes[names.ERROR_TYPE] = record.outcome
        return TraceSpan(
            self._call_id,
            None,
            f"call {record.bot}".rstrip(),
            "server",
            record.started_at,
            max(record.started_at, record.ended_at),
            attributes,
            tuple(self._events),
            error=(record.errors[-1] if record.errors else record.outcome) if failed else "",
        )

    def _whole(self, number: int, turn: _Turn) -> TraceSpan:
        """The turn itself, as long as all that is in it."""
        moments = [moment for each in turn.parts for moment in (each.began, each.ended)]
        moments = moments or [each.at for each in turn.events]
        record = self.record
        attributes: dict[str, Value] = {
            names.OPERATION: names.INVOKE_AGENT,
            names.PROVIDER: self._provider,
            names.CONVERSATION: record.conversation_id,
            names.AGENT: record.bot,
            names.TURN: number,
        }
        if turn.caller is not None and (answer := turn.caller.answer) is not None:
            attributes[names.ANSWER_MS] = answer.answer_ms
            attributes |= {names.stage_ms(stage): length_ms for stage, length_ms in answer.stages.items()}
        if turn.caller is not None and turn.caller.cost_usd is not None:
            attributes[names.COST_USD] = turn.caller.cost_usd
        name = f"{names.INVOKE_AGENT} {record.bot}".rstrip()
        began, ended = min(moments), max(moments)
        return TraceSpan(turn.span_id, self._call_id, name, "internal", began, ended, attributes, tuple(turn.events))


def _function_calls(made: _Maker, entries: Sequence[JournalEntry]) -> Iterator[TraceSpan]:
    """The function calls of the model, each until its output was there; without one until the call's end."""
    answered: dict[str, tuple[datetime, str]] = {}
    runs: dict[str, TaskRow] = {}  # by the response that opened the task
    for entry in entries:
        match entry.row:
            case AnsweredRow(call=call, output=output):
                answered.setdefault(call, (entry.at, output))
            case TaskRow(response=response) as row if response:
                runs.setdefault(response, row)
            case _:
                pass
    seen = set()
    for entry in entries:
        called = entry.row
        if not isinstance(called, CalledRow) or called.call in seen:
            continue
        seen.add(called.call)
        ended, output = answered.get(called.call, (made.record.ended_at, ""))
        error = error_of(output) if output else "never answered"
        attributes: dict[str, Value] = {
            names.OPERATION: names.EXECUTE_TOOL,
            names.TOOL: called.name,
            names.TOOL_CALL: called.call,
            names.TOOL_TYPE: "function",
            names.ARGUMENTS: called.arguments,
        }
        attributes |= {names.RESULT: output} if output else {}
        attributes |= {names.ERROR_TYPE: error} if error else {}
        if (run := runs.get(called.response)) is not None:
            attributes |= {names.TASK: run.agent, names.TASK_RUN: run.run}
        name, span_id = f"{names.EXECUTE_TOOL} {called.name}", made.id("function", called.call)
        yield TraceSpan(span_id, None, name, "internal", entry.at, max(entry.at, ended), attributes, error=error)


def _event(entry: JournalEntry) -> Event | None:  # noqa: PLR0911 - one flat match, a case a kind
    at = entry.at
    match entry.row:
        case DialledRow(took_ms=took_ms):
            return Event(names.DIALLED, at, {names.TOOK_MS: took_ms})
        case LostModelRow(reason=reason):
            return Event(names.LOST_MODEL, at, {names.REASON: reason})
        case ErrorRow(text=text):
            return Event(names.BROKEN, at, {names.REASON: text})
        case StoreRow(fault=""):
            return Event(names.STORE_BACK, at)
        case StoreRow(fault=fault):
            return Event(names.STORE_AWAY, at, {names.REASON: fault})
        case LookedUpRow(outcome=outcome):
            return Event(names.LOOKED_UP, at, {names.REASON: outcome})
        case ResumedRow():
            return Event(names.RESUMED, at)
        case ParkedRow():
            return Event(names.RELEASED, at)
        case InheritedRow():
            return Event(names.TAKEN_OVER, at)
        case CallerSaidRow() as row:
            return Event(names.TRANSCRIBED, at, {names.MODEL: row.model, **names.usage(row.tokens)})
        case TaskRow() as row:
            step: dict[str, Value] = {names.TASK: row.agent, names.TASK_RUN: row.run, names.TASK_STATE: row.state}
            return Event(names.TASK_STEP, at, step | {names.TASK_RESULT: row.result})
        case _:
            return None


def error_of(output: str) -> str:
    """What is wrong with a function call, by its output; "" for nothing. A short word of ours, or the tool's kind."""
    try:
        told = json.loads(output)
    except (ValueError, RecursionError):
        return ""
    error = told.get("error") if isinstance(told, dict) else None
    if error is None:
        return ""
    # Ours are short names; anything else may be somebody's words.
    return error if isinstance(error, str) and error.isidentifier() else "error"


def _message(role: str, text: str) -> str:
    """Words as the conventions have them."""
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)


# --- what is not told ---


def _hidden(spans: Iterator[TraceSpan], caller: str, words: bool) -> Iterator[TraceSpan]:
    """The spans without callers' numbers, and without words unless they are wanted."""
    for span in spans:
        events = tuple(replace(each, attributes=_told(each.attributes, caller, words)) for each in span.events)
        error = without_caller(span.error, caller)
        yield replace(span, attributes=_told(span.attributes, caller, words), events=events, error=error)


def _told(attributes: Mapping[str, Value], caller: str, words: bool) -> dict[str, Value]:
    told: dict[str, Value] = {}
    for name, value in attributes.items():
        if name in names.WORDS:
            if words:
                told[name] = _NUMBER.sub(lambda found: masked(found[0]), without_caller(str(value), caller))
        elif isinstance(value, str) and name != names.CONVERSATION:
            told[name] = without_caller(value, caller)
        else:
            told[name] = value
    return told
