"""Whether a caller's yes counts: the read-back was said, heard to its end, and then answered in words.

Pure state: it is given the facts of one call as they happen, and judges a yes when the task takes the step.
May import: actors.messages, fsm, protocols, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from actors.messages.call import BotHeard, BotSaid, CallerSaid, CallerSpeaks, SpeechFact
from fsm.consent import Agreement, Language, Readback, Reply, Spoken, Verdict, reply, states
from protocols.ledger import LAST_MOMENT_MS, ItemHeard

# An item's start is reported in whole ms, the time of a step in fractions of it.
ROUNDING_MS = 1
# In less the bot has not offered anything else.
NO_OFFER_MS = 500
# Turns since a read-back that are judged: who has said more is asked again.
MOST_TURNS = 12


@dataclass(slots=True)
class _Turn:
    """A turn of the caller. words: None until its transcript arrives. worded: they are more than hums and noise."""

    began_ms: float
    words: str | None = None
    worded: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    readback: Readback
    at_ms: float


@dataclass(slots=True)
class ReadbackConsent:
    """The consent rules of one call. All times are in ms on the clock of its facts.

    day_at: the caller's day at a time of that clock: "tomorrow" is counted from the day on which it was said.
    yes_without_words: whether a turn without a transcript may be a yes.
    """

    language: Language
    day_at: Callable[[float], date]
    yes_without_words: bool = False
    _asked: dict[str, _Asked] = field(default_factory=dict)  # by run
    _said: dict[str, str] = field(default_factory=dict)  # the bot's words, by item
    _heard: dict[str, ItemHeard] = field(default_factory=dict)  # by item, in the order heard
    _turns: dict[str, _Turn] = field(default_factory=dict)  # by item, in the order begun
    _keyed_ms: float | None = None  # when the caller last pressed keys

    def asked(self, run_id: str, readback: Readback | None, at_ms: float) -> None:
        """A run has taken a step and reads this back, or nothing. A repeated read-back keeps its first time."""
        known = self._asked.get(run_id)
        if readback is None:
            self._asked.pop(run_id, None)
        elif known is None or known.readback != readback:
            self._asked[run_id] = _Asked(readback, at_ms)

    def note(self, fact: SpeechFact) -> None:
        match fact:
            case BotSaid():
                self._said[fact.item_id] = fact.text
            case BotHeard():
                self._hear(fact.item)
            case CallerSpeaks(began=True):
                self._turns[fact.item_id] = _Turn(fact.at_ms)
            case CallerSaid() if (turn := self._turns.get(fact.item_id)) is not None:
                turn.words, turn.worded = fact.text, not self.language.wordless(fact.text)
            case _:
                pass

    def _hear(self, item: ItemHeard) -> None:
        before = self._heard.pop(item.item_id, None)
        if before is not None:  # played on two sockets: the second does not repeat what the first left unheard
            whole = item.complete and before.heard_ms >= before.generated_ms
            item = replace(item, complete=whole)
        self._heard[item.item_id] = item

    def judge(self, run_id: str, *, final: bool = False) -> Agreement | None:
        """Judge the caller's latest turn as the answer to the run's read-back. None: its transcript is missing.

        final: the transcript is not waited for any longer; judge without it.
        """
        asked = self._asked.get(run_id)
        if asked is None:
            return Agreement(Verdict.UNHEARD)
        turns = [turn for turn in self._turns.values() if turn.began_ms >= asked.at_ms]
        worded = [turn for turn in turns if turn.words is None or turn.worded]
        if not worded:
            # No turn has words, and a cough is not an answer.
            return self._no_words(asked, turns)
        *before, answer = worded
        while before and self._only_thanks(before[-1], answer, asked.readback):
            answer = before.pop()
        verdict = self._verdict(asked, before, answer, final)
        return None if verdict is None else Agreement(verdict, asked.readback)

    def wants_otherwise(self, run_id: str) -> bool:
        """Whether the caller's latest words since the run's read-back are something else than an answer to it."""
        if (asked := self._asked.get(run_id)) is None:
            return False
        turns = [turn for turn in self._turns.values() if turn.began_ms >= asked.at_ms and turn.worded]
        return bool(turns) and self._reply(turns[-1], asked.readback) is Reply.OTHER

    def keys_pressed(self, at_ms: float) -> None:
        """The caller has pressed keys, no matter which."""
        self._keyed_ms = at_ms

    def has_spoken(self, since_ms: float = 0.0, *, final: bool = False) -> bool | None:
        """Whether the caller has spoken words or pressed keys since the bot was last heard to its end.

        since_ms: and since this time. final: do not wait for a missing transcript. Returns None while one is missing.
        """
        newest_ms = next((turn.began_ms for turn in reversed(self._turns.values())), 0.0)
        ends_ms = (_end_ms(item) for item in self._heard.values() if item.complete and _ended_by(item, newest_ms))
        since_ms = max(since_ms, *ends_ms, 0.0)
        if self._keyed_ms is not None and self._keyed_ms >= since_ms:
            return True
        turns = [turn for turn in self._turns.values() if turn.began_ms >= since_ms]
        if any(turn.worded for turn in turns):
            return True
        if all(turn.words is not None for turn in turns):
            return False
        return self.yes_without_words if final else None

    def keyed(self, run_id: str, at_ms: float) -> Agreement:
        """Judge the key for yes, pressed at this time, as the answer to the run's read-back."""
        asked = self._asked.get(run_id)
        if asked is None:
            return Agreement(Verdict.UNHEARD)
        return Agreement(self._statement(asked.readback, self._items(asked.at_ms, at_ms), at_ms), asked.readback)

    def _no_words(self, asked: _Asked, turns: Sequence[_Turn]) -> Agreement:
        verdict = Verdict.UNHEARD
        if turns:
            until_ms = turns[-1].began_ms
            verdict = self._statement(asked.readback, self._items(asked.at_ms, until_ms), until_ms)
        return Agreement(Verdict.WORDLESS if verdict is Verdict.AGREED else verdict, asked.readback)

    def _verdict(self, asked: _Asked, before: Sequence[_Turn], answer: _Turn, final: bool) -> Verdict | None:
        since_ms = asked.at_ms
        for count, turn in enumerate(reversed(before), 2):
            decides = turn.words is not None and self._reply(turn, asked.readback) not in (Reply.YES, Reply.UNDECIDED)
            if decides or count > MOST_TURNS:
                since_ms = turn.began_ms  # a yes after it answers what the bot says then: it needs another reading
                break
        verdict = self._statement(asked.readback, self._items(since_ms, answer.began_ms), answer.began_ms)
        if verdict is not Verdict.AGREED:
            return verdict
        if any(turn.words is None for turn in (*before, answer)):  # those of an earlier turn may be a no
            if not final:
                return None
            if not self.yes_without_words:
                return Verdict.WORDLESS
        said = Reply.YES if answer.words is None else self._reply(answer, asked.readback)
        return {Reply.YES: Verdict.AGREED, Reply.NO: Verdict.A_NO}.get(said, Verdict.NOT_A_YES)

    def _items(self, since_ms: float, until_ms: float) -> list[ItemHeard]:
        """The bot's items that began between these times."""
        return [
            item
            for item in self._heard.values()
            if item.began_ms is not None and since_ms - ROUNDING_MS <= item.began_ms < until_ms
        ]

    def _statement(self, readback: Readback, items: Iterable[ItemHeard], until_ms: float) -> Verdict:
        """Whether these items, as far as heard by then, state the read-back."""
        spoken = [self._spoken(item, until_ms) for item in items]
        if states(readback, spoken, self.language):
            return Verdict.AGREED
        return Verdict.MISSTATED if any(each.heard for each in spoken) else Verdict.UNHEARD

    def _spoken(self, item: ItemHeard, until_ms: float) -> Spoken:
        text = self._said.get(item.item_id, "")
        return Spoken(text, _ended_by(item, until_ms), self.day_at(item.began_ms or 0))

    def _only_thanks(self, before: _Turn, turn: _Turn, readback: Readback) -> bool:
        """Whether a turn only goes on with the one before, and answers nothing itself: "yes", "thank you, bye"."""
        if turn.words is None or not self.language.parting(turn.words):
            return False
        between = self._items(before.began_ms, turn.began_ms)
        return self._reply(turn, readback) is Reply.OTHER and all(item.heard_ms < NO_OFFER_MS for item in between)

    def _reply(self, turn: _Turn, readback: Readback) -> Reply:
        return reply(readback, turn.words or "", self.day_at(turn.began_ms), self.language)


def _ended_by(item: ItemHeard, at_ms: float) -> bool:
    """Whether it was heard to its end by then; an answer within its last LAST_MOMENT_MS counts as after it."""
    return item.complete and item.began_ms is not None and _end_ms(item) <= at_ms


def _end_ms(item: ItemHeard) -> float:
    """When its last LAST_MOMENT_MS begin; in a short item, its second half."""
    return (item.began_ms or 0) + item.heard_ms - min(LAST_MOMENT_MS, item.generated_ms / 2)
