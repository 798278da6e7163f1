"""What happened in a call: what the caller did, how that was heard, and which functions were called for it.

Pure. May import: tests.talk, actors' journal rows, lab.mind, store's record types, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.messages.journal_rows import (
    AnsweredRow,
    BotHeardRow,
    BotSaidRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    CallerTypedRow,
    ClipRow,
    JournalEntry,
    TaskRow,
    WordsRow,
)
from lab.mind import Prompt, Reply
from store.journal import CallRecord
from tests.talk.scenario import Answer, Asked

# (time as "2026-11-26 10:30", name, caller)
Appointment = tuple[str, str, str]
# A turn is an utterance's if they overlap, or nearly: the daemon's clock begins when the telephone's does, but runs on
# what has arrived.
_SLACK_MS = 700


@dataclass(slots=True)
class Done:
    """What the caller did once. asked: what for. onset_ms, end_ms: by the telephone's clock."""

    answer: Answer
    asked: Asked
    onset_ms: int
    end_ms: int


@dataclass(slots=True)
class HeardTurn:
    """A turn of the caller's, as the voice detection cut it. text: its transcript; None without one."""

    item: str
    began_ms: int
    ended_ms: int | None = None
    text: str | None = None


@dataclass(slots=True)
class Call:
    """A function call of the model. output: what it was answered with; None if it was not."""

    name: str
    arguments: dict[str, Any]
    output: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One response of the rules that stand in for the model. at_ms: by the telephone's clock."""

    at_ms: int
    prompt: Prompt
    reply: Reply


@dataclass(slots=True)
class Exchange:
    """What the caller did, the turns that were heard of it, and the calls until the caller was heard again."""

    done: Done
    turns: list[HeardTurn] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    @property
    def heard(self) -> str:
        return " ".join(turn.text for turn in self.turns if turn.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One call.

    before, stored: the appointments there were and are. outcome: how it ended for the telephone; to: whom it was
    transferred to. gave_up: why the caller put the phone down, who would not have. silence_s: the longest. broken: the
    rules of VAIC's protocol. crashed: exceptions in the log. voiced: when somebody spoke in what the caller's line
    carried, by the voice detection alone.
    """

    done: Sequence[Done]
    journal: Sequence[JournalEntry]
    replies: Sequence[ModelReply] = ()
    before: Sequence[Appointment] = ()
    stored: Sequence[Appointment] = ()
    outcome: str = ""
    to: str | None = None
    gave_up: str = ""
    silence_s: float = 0.0
    broken: Sequence[str] = ()
    crashed: Sequence[str] = ()
    record: CallRecord | None = None
    voiced: Sequence[tuple[int, int]] = ()

    @property
    def rows(self) -> Iterator[Any]:
        return (entry.row for entry in self.journal)

    @property
    def calls(self) -> list[Call]:
        return list(calls_in(self.rows))

    @property
    def results(self) -> list[str]:
        """How the tasks ended, in that order."""
        ended: dict[str, str] = {}
        for row in self.rows:
            if isinstance(row, TaskRow) and row.result != "open":
                ended.setdefault(row.run, row.result)
        return list(ended.values())


def calls_in(rows: Iterable[Any]) -> Iterator[Call]:
    """The function calls of a journal."""
    called: dict[str, Call] = {}
    for row in rows:
        match row:
            case CalledRow():
                called[row.call] = Call(row.name, _parsed(row.arguments))
            case AnsweredRow() if row.call in called:
                called[row.call].output = _parsed(row.output)
            case _:
                pass
    yield from called.values()


def words_heard(rows: Iterable[Any]) -> list[str]:
    """What the caller has heard of the bot, in order; of what was cut, about as much as was heard."""
    rows = list(rows)
    words, whole = dict[str, str](), {row.item: row.text for row in rows if isinstance(row, WordsRow)}
    heard = []
    for row in rows:
        match row:
            case BotSaidRow():
                words[row.item] = whole.get(row.item, row.text)
            case BotHeardRow() if row.heard_ms:
                text = words.get(row.item, "")
                share = 1.0 if row.complete else row.heard_ms / max(row.generated_ms, 1)
                heard.append(text[: round(len(text) * share)])
            case ClipRow() if row.heard_ms:
                heard.append(row.text)
            case _:
                pass
    return heard


def exchanges(facts: Facts) -> tuple[list[Exchange], list[HeardTurn]]:
    """What each answer of the caller led to, and unclaimed turns: heard where the caller said nothing."""
    found = [Exchange(done) for done in facts.done]
    unclaimed: list[HeardTurn] = []
    turns: dict[str, HeardTurn] = {}
    called: dict[str, Call] = {}
    current: Exchange | None = None
    for row in facts.rows:
        match row:
            case CallerBeganRow():
                turns[row.item] = HeardTurn(row.item, row.began_ms)
                current = _at(found, row.began_ms, None) or current
            case CallerSpokeRow():
                turn = turns.setdefault(row.item, HeardTurn(row.item, row.began_ms or row.ended_ms))
                turn.ended_ms = row.ended_ms
                current = _at(found, turn.began_ms, turn.ended_ms) or current
            case CallerSaidRow() | WordsRow() if row.item in turns:
                turns[row.item].text = row.text
            case CallerTypedRow():
                current = _at(found, row.at_ms, row.at_ms) or current
            case CalledRow():
                called[row.call] = Call(row.name, _parsed(row.arguments))
                if current is not None:
                    current.calls.append(called[row.call])
            case AnsweredRow() if row.call in called:
                called[row.call].output = _parsed(row.output)
            case _:
                pass
    for turn in turns.values():
        whose = [each for each in found if _overlap(each.done, turn.began_ms, turn.ended_ms)]
        for each in whose:
            each.turns.append(turn)
        if not whose:
            unclaimed.append(turn)
    return found, unclaimed


def _at(found: Sequence[Exchange], began_ms: int, ended_ms: int | None) -> Exchange | None:
    return next((each for each in reversed(found) if _overlap(each.done, began_ms, ended_ms)), None)


def _overlap(done: Done, began_ms: int, ended_ms: int | None) -> bool:
    if done.onset_ms == done.end_ms:  # nothing was said
        return False
    until_ms = began_ms if ended_ms is None else ended_ms
    return done.onset_ms - _SLACK_MS <= until_ms and began_ms <= done.end_ms + _SLACK_MS


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
