"""Results of tasks that the caller has not heard yet, because the model said something else or was interrupted.

Pure state: the facts of one call go in, as they happen; out come the words to be said.
May import: actors.messages, fsm, protocols, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from actors.messages.call import BotHeard, BotSaid, SpeechFact
from fsm.claims import Done
from fsm.consent import Language
from protocols.ledger import ItemHeard, words_heard

# How often we say one result; a caller who interrupts it each time does not want to hear it.
MOST_TELLS = 2


@dataclass(slots=True)
class _Owed:
    done: Done
    today: date
    tells: int = 0


@dataclass(slots=True)
class OwedResults:
    """The results of one call, each until the caller has heard it in any wording."""

    language: Language
    _owed: dict[str, _Owed] = field(default_factory=dict)  # by run
    _said: dict[str, str] = field(default_factory=dict)  # words by item, as generated
    _heard: dict[str, ItemHeard] = field(default_factory=dict)  # items whose words are still to come

    def ended(self, run_id: str, done: Done, today: date) -> None:
        """A task has ended and has done something."""
        self._owed[run_id] = _Owed(done, today)

    def note(self, fact: SpeechFact) -> None:
        match fact:
            case BotSaid():
                self._said[fact.item_id] = fact.text
                if (item := self._heard.pop(fact.item_id, None)) is not None:
                    self._hear(item, fact.text)
            case BotHeard(item=item):
                if (text := self._said.get(item.item_id)) is not None:
                    self._hear(item, text)
                else:
                    self._heard[item.item_id] = item
            case _:
                pass

    def _hear(self, item: ItemHeard, text: str) -> None:
        claims = self.language.claims(words_heard(text, item))
        for run_id, owed in list(self._owed.items()):
            if any(owed.done.backs(claim, self.language, owed.today) for claim in claims):
                del self._owed[run_id]

    @property
    def open(self) -> bool:
        return bool(self._owed)

    def tell(self) -> str:
        """The sentence of the oldest unheard result, to say now; "" if there is none."""
        for run_id, owed in self._owed.items():
            owed.tells += 1
            if owed.tells == MOST_TELLS:
                del self._owed[run_id]
            return owed.done.say
        return ""
