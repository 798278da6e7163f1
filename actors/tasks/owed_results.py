"""Results of tasks that the caller has not heard yet, because the model said something else or was interrupted.

Pure state: the facts of one call go in, as they happen; out come the words to be said.
May import: actors.messages, fsm, protocols, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from actors.messages.call import SpeechFact
from actors.messages.journal_rows import OwedResult
from actors.tasks.heard_words import HeardWords, holds
from fsm.claims import Claim, Done
from fsm.consent import Language
from protocols.ledger import ItemHeard, words_heard

# How often we say one result; a caller who interrupts it each time does not want to hear it.
MOST_TELLS = 2
# What a caller has to be told, whether they want to hear it or not; the key under which it is owed.
DISCLOSURE, MOST_DISCLOSURES = "disclosure", 5


@dataclass(slots=True)
class _Owed:
    """words: what we say. done: what any words may claim instead; None if it failed and `mark` must be heard."""

    words: str
    today: date
    done: Done | None = None
    mark: str = ""
    tells: int = 0


@dataclass(slots=True)
class OwedResults:
    """The results of one call, each until the caller has heard it in any wording."""

    language: Language
    _owed: dict[str, _Owed] = field(default_factory=dict)  # by run
    _words: HeardWords = field(default_factory=HeardWords)

    def ended(self, run_id: str, done: Done, today: date) -> None:
        """A task has ended and has done something."""
        self._owed[run_id] = _Owed(done.say, today, done)

    def failed(self, run_id: str, reason: str, words: str, today: date) -> None:
        """A task has ended because something failed. reason: the part of `words` that the caller must hear."""
        self._owed[run_id] = _Owed(words, today, mark=reason)

    def note(self, fact: SpeechFact) -> None:
        if (heard := self._words.note(fact)) is not None:
            self._hear(*heard)

    def _hear(self, item: ItemHeard, text: str) -> None:
        heard = words_heard(text, item)
        claims = self.language.claims(heard) if self._owed else []
        for run_id, owed in list(self._owed.items()):
            if self._tells(heard, claims, owed):
                del self._owed[run_id]

    def _tells(self, heard: str, claims: Iterable[Claim], owed: _Owed) -> bool:
        if owed.done is None:
            return holds(heard, owed.mark, self.language)
        return any(owed.done.backs(claim, self.language, owed.today) for claim in claims)

    @property
    def open(self) -> bool:
        return bool(self._owed)

    def done(self) -> list[Done]:
        """What was done and the caller has not heard yet."""
        return [owed.done for owed in self._owed.values() if owed.done is not None]

    def left(self) -> tuple[OwedResult, ...]:
        """What the caller has not heard yet, for the journal."""
        return tuple(_entry(run_id, owed) for run_id, owed in self._owed.items())

    def restore(self, left: Iterable[OwedResult]) -> None:
        """Go on from what the process before has left."""
        self._owed = {each.run: _Owed(each.words, each.today, _done(each), each.mark, each.tells) for each in left}

    def tell(self) -> str:
        """The sentence of the oldest unheard result, to say now; "" if there is none."""
        for run_id, owed in self._owed.items():
            owed.tells += 1
            if owed.tells == (MOST_DISCLOSURES if run_id == DISCLOSURE else MOST_TELLS):
                del self._owed[run_id]
            return owed.words
        return ""


def _entry(run_id: str, owed: _Owed) -> OwedResult:
    done = owed.done
    return OwedResult(
        run=run_id,
        words=owed.words,
        today=owed.today,
        mark=owed.mark,
        deeds=tuple(sorted(done.deeds, key=lambda deed: deed.value)) if done else (),
        dates=tuple(sorted(done.dates)) if done else (),
        times=tuple(sorted(done.times)) if done else (),
        tells=owed.tells,
    )


def _done(left: OwedResult) -> Done | None:
    if left.mark:
        return None
    return Done(frozenset(left.deeds), frozenset(left.dates), frozenset(left.times), left.words)
