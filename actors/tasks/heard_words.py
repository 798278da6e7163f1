"""The bot's sentences as the caller heard them, from facts that come in either order.

Pure state. May import: actors.messages, fsm, protocols, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.messages.call import BotHeard, BotSaid, SpeechFact
from fsm.consent import Language
from protocols.ledger import ItemHeard


@dataclass(slots=True)
class HeardWords:
    """Pairs the transcript of each item with how much of it was heard."""

    _said: dict[str, str] = field(default_factory=dict)  # words by item, as generated
    _heard: dict[str, ItemHeard] = field(default_factory=dict)  # items whose words are still to come

    def note(self, fact: SpeechFact) -> tuple[ItemHeard, str] | None:
        """Take a fact. Returns the item that it completes, with all its words."""
        match fact:
            case BotSaid():
                self._said[fact.item_id] = fact.text
                item = self._heard.pop(fact.item_id, None)
                return None if item is None else (item, fact.text)
            case BotHeard(item=item):
                if (text := self._said.get(item.item_id)) is not None:
                    return item, text
                self._heard[item.item_id] = item
                return None
            case _:
                return None


def holds(text: str, phrase: str, language: Language) -> bool:
    """Whether the words of the phrase stand in the text, in a row."""
    return any(_in_a_row(reader.words(text), reader.words(phrase)) for reader in language.readers())


def _in_a_row(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))
