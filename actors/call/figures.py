"""The figures of one call, from the rows of its journal: how its turns were answered, and what it used.

Pure state: rows go in, as into the transcript, and also those that another process wrote.
May import: actors.messages, store's record types, the standard library. docs/metrics.md explains the figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from actors.messages.journal_rows import (
    AnsweredRow,
    BotHeardRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    ClipRow,
    DialledRow,
    JournalEntry,
    ResponseRow,
)
from store.figures import AnswerFigures, CallFigures, Silence, ToolFigures, answer

# Shorter times in which nobody is heard are none that anybody notices.
SILENCE_MS = 1000
# The length of an audio token of the bot's (docs/specs/openai-realtime.md 5).
BOT_TOKEN_MS = 50


@dataclass(slots=True)
class Spent:
    """What was used: tokens by kind, seconds of audio billed by time, and what that costs. unpriced: models."""

    tokens: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    cost_usd: float | None = None
    unpriced: set[str] = field(default_factory=set)

    def add(self, row: ResponseRow | CallerSaidRow) -> None:
        self.tokens.update(row.tokens)
        self.seconds += row.seconds
        if row.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + row.cost_usd
        elif row.tokens or row.seconds:
            self.unpriced.add(row.model)

    def cost(self) -> float | None:
        """To the millionth of a dollar."""
        return None if self.cost_usd is None else round(self.cost_usd, 6)


@dataclass(slots=True)
class _CallerTurn:
    """onset_ms, quiet_ms: its first and its last sample with speech. turn_ms: when the model took it to be over.

    number: counts the caller's turns, from 0. answer: None while it is not told.
    """

    number: int
    onset_ms: int
    quiet_ms: int | None = None
    turn_ms: int | None = None
    yield_ms: int | None = None
    answer: AnswerFigures | None = None


@dataclass(slots=True)
class _Called:
    name: str
    at_ms: int
    answered_ms: int | None = None


class FiguresSoFar:
    """The figures as far as the rows go. Times are in ms from the call's start."""

    def __init__(self) -> None:
        self.all = Spent()
        self._started_at: datetime | None = None
        self._turns: dict[str, _CallerTurn] = {}
        self._in_order: list[_CallerTurn] = []
        self._heard: dict[str, BotHeardRow] = {}  # the first row of each of the bot's items of which something sounded
        self._cut: dict[str, tuple[int, int]] = {}  # what was generated and heard of each item, in all
        self._sounds: list[tuple[int, int]] = []  # of the bot: from, until
        self._replies: list[ResponseRow] = []
        self._spent: dict[str, Spent] = {}  # by the turn that it is kept at
        self._calls: dict[str, _Called] = {}
        self._dials_ms: list[int] = []
        self._rates_left: dict[str, float] = {}
        self._new: list[AnswerFigures] = []

    def enter(self, entry: JournalEntry) -> None:
        """Apply a row of the journal."""
        if self._started_at is None:
            self._started_at = entry.at  # the first row is the call's beginning
        match row := entry.row:
            case CallerBeganRow():
                onset_ms = row.began_ms if row.onset_ms is None else min(row.onset_ms, row.began_ms)
                self._turn(row.item, onset_ms)
            case CallerSpokeRow():
                turn = self._turn(row.item, row.ended_ms)
                turn.turn_ms = row.ended_ms
                quiet_ms = row.ended_ms if row.quiet_ms is None else row.quiet_ms
                turn.quiet_ms = max(turn.onset_ms, min(quiet_ms, row.ended_ms))
            case CallerSaidRow():
                self._spend(row.item, row)
            case ResponseRow():
                self._replies.append(row)
                for name, share in row.rates_left.items():
                    self._rates_left[name] = min(share, self._rates_left.get(name, share))
                self._spend(self._kept_at(row), row)
                self._look_for_answers(self._in_order[-2:], all_stages=True)
            case BotHeardRow():
                self._bot_heard(row)
                self._look_for_answers(self._in_order[-2:], all_stages=True)
            case ClipRow():
                self._sound(row.began_ms, row.heard_ms)
            case CalledRow():
                self._calls.setdefault(row.call, _Called(row.name, self._at_ms(entry)))
            case AnsweredRow():
                called = self._calls.get(row.call)
                if called is not None and called.answered_ms is None:
                    called.answered_ms = self._at_ms(entry)
            case DialledRow():
                self._dials_ms.append(row.took_ms)
            case _:
                pass

    # --- of turns ---

    def answer_of(self, item_id: str) -> AnswerFigures | None:
        """How a turn of the caller was answered; None if it was not, as far as is known."""
        turn = self._turns.get(item_id)
        return None if turn is None else turn.answer or self._answer(turn)

    def _answer(self, turn: _CallerTurn) -> AnswerFigures | None:
        if turn.turn_ms is None or turn.quiet_ms is None:
            return None
        first = self._first_heard(turn.turn_ms, self._next_onset_ms(turn))
        if first is None or first.began_ms is None:
            return None
        replies: list[ResponseRow] = []
        for row in reversed(self._replies):
            if row.asked_ms is not None and row.asked_ms < turn.turn_ms:
                break
            replies.append(row)
        spoken = next((row for row in replies if first.item in row.items), None)
        asked_ms = min((row.asked_ms for row in replies if row.asked_ms is not None), default=None)
        first_ms = None if spoken is None else spoken.first_ms
        tool_ms = 0 if asked_ms is None or first_ms is None else self._tool_ms(asked_ms, first_ms)
        return answer(
            item_id=first.item,
            quiet_ms=turn.quiet_ms,
            turn_ms=turn.turn_ms,
            asked_ms=None if spoken is None else asked_ms,
            first_ms=first_ms,
            sent_ms=first.sent_ms,
            heard_ms=first.began_ms,
            tool_ms=tool_ms,
        )

    def new_answers(self, *, over: bool = False) -> list[AnswerFigures]:
        """The answers that are complete now and were not the last time. over: those too that never will be."""
        if over:
            self._look_for_answers(self._in_order, all_stages=False)
        found, self._new = self._new, []
        return found

    def _look_for_answers(self, turns: Iterable[_CallerTurn], *, all_stages: bool) -> None:
        for turn in turns:
            if turn.answer is None and (figures := self._answer(turn)) is not None:
                if all_stages and not figures.complete:
                    continue
                turn.answer = figures
                self._new.append(figures)

    def yield_ms(self, item_id: str) -> int | None:
        """How long the bot went on speaking after the caller's turn began; None if it did not speak then."""
        turn = self._turns.get(item_id)
        return None if turn is None else turn.yield_ms

    def spent_at(self, item_id: str) -> Spent:
        """What was used from this turn to the caller's next one; of the bot's turns, of those before any."""
        return self._spent.get(item_id) or Spent()

    def unheard_ms(self, item_id: str) -> int:
        """How much of the bot's item was generated and not heard."""
        generated_ms, heard_ms = self._cut.get(item_id, (0, 0))
        return max(0, generated_ms - heard_ms)

    # --- of the call ---

    def figures(self) -> CallFigures:
        """Those of the call."""
        return CallFigures(
            greeting_ms=min((began_ms for began_ms, _ in self._sounds), default=None),
            silences=tuple(self._silences()),
            tools=tuple(
                ToolFigures(
                    name=each.name,
                    at_ms=each.at_ms,
                    length_ms=None if each.answered_ms is None else max(0, each.answered_ms - each.at_ms),
                )
                for each in self._calls.values()
            ),
            dials_ms=tuple(self._dials_ms),
            tokens=dict(self.all.tokens),
            transcribed_s=round(self.all.seconds, 3),
            cost_usd=self.all.cost(),
            unpriced=tuple(sorted(self.all.unpriced)),
            unheard_ms=self._all_unheard_ms(),
            rates_left=dict(self._rates_left),
        )

    def _silences(self) -> Iterable[Silence]:
        bot: list[tuple[int, int, Literal["caller", "bot"]]] = [(*sound, "bot") for sound in self._sounds]
        if not bot:
            return
        caller: list[tuple[int, int, Literal["caller", "bot"]]] = [
            (turn.onset_ms, turn.quiet_ms, "caller") for turn in self._turns.values() if turn.quiet_ms is not None
        ]
        until_ms, last = min(bot)[0], min(bot)[2]
        for began_ms, ended_ms, who in sorted(bot + caller):
            if began_ms - until_ms > SILENCE_MS:
                yield Silence(at_ms=until_ms, length_ms=began_ms - until_ms, after=last)
            if ended_ms >= until_ms:
                until_ms, last = ended_ms, who

    def _all_unheard_ms(self) -> int:
        """What the ledger knows of, and of responses that were cancelled what was generated and dropped at once."""
        dropped_ms = 0
        for reply in self._replies:
            passed_on_ms = sum(self._cut.get(item, (0, 0))[0] for item in reply.items)
            if reply.status in ("cancelled", "incomplete"):
                dropped_ms += max(0, reply.tokens.get("output_audio", 0) * BOT_TOKEN_MS - passed_on_ms)
        return dropped_ms + sum(self.unheard_ms(item) for item in self._cut)

    # --- rows ---

    def _bot_heard(self, row: BotHeardRow) -> None:
        generated_ms, heard_ms = self._cut.get(row.item, (0, 0))
        self._cut[row.item] = generated_ms + row.generated_ms, heard_ms + row.heard_ms
        self._sound(row.began_ms, row.heard_ms)
        if row.began_ms is None or not row.heard_ms:
            return
        self._heard.setdefault(row.item, row)
        if row.barged_in and self._in_order:
            turn = self._in_order[-1]
            until_ms = row.began_ms + row.heard_ms
            if turn.turn_ms is None and turn.yield_ms is None and row.began_ms < turn.onset_ms <= until_ms:
                turn.yield_ms = until_ms - turn.onset_ms

    def _sound(self, began_ms: int | None, heard_ms: int) -> None:
        if began_ms is not None and heard_ms:
            self._sounds.append((began_ms, began_ms + heard_ms))

    def _spend(self, item_id: str, row: ResponseRow | CallerSaidRow) -> None:
        self.all.add(row)
        self._spent.setdefault(item_id, Spent()).add(row)

    def _kept_at(self, row: ResponseRow) -> str:
        """The caller's turn that a response answers; before any, the first item that it said."""
        for item_id, turn in reversed(self._turns.items()):
            if turn.turn_ms is not None and (row.asked_ms is None or turn.turn_ms <= row.asked_ms):
                return item_id
        return next(iter(row.items), "")

    def _turn(self, item_id: str, onset_ms: int) -> _CallerTurn:
        turn = self._turns.get(item_id)
        if turn is None:
            turn = self._turns[item_id] = _CallerTurn(len(self._in_order), onset_ms)
            self._in_order.append(turn)
        return turn

    def _next_onset_ms(self, turn: _CallerTurn) -> float:
        after = self._in_order[turn.number + 1 : turn.number + 2]
        return after[0].onset_ms if after else float("inf")

    def _first_heard(self, since_ms: int, until_ms: float) -> BotHeardRow | None:
        """The bot's first item that sounded in this time."""
        first = None
        for row in reversed(self._heard.values()):
            if (began_ms := row.began_ms) is None or began_ms < since_ms:
                break
            if began_ms < until_ms:
                first = row
        return first

    def _tool_ms(self, since_ms: int, until_ms: int) -> int:
        """How long function calls were under way in this time, together."""
        length_ms, end_ms = 0, since_ms
        for called in sorted(self._calls.values(), key=lambda each: each.at_ms):
            answered_ms = until_ms if called.answered_ms is None else min(called.answered_ms, until_ms)
            began_ms = max(called.at_ms, end_ms)
            if called.at_ms >= since_ms and answered_ms > began_ms:
                length_ms += answered_ms - began_ms
                end_ms = answered_ms
        return length_ms

    def _at_ms(self, entry: JournalEntry) -> int:
        """By the wall clock, the only one that such a row has."""
        return 0 if self._started_at is None else round((entry.at - self._started_at).total_seconds() * 1000)
