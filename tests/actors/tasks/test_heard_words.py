"""The bot's sentences as the caller heard them."""

from __future__ import annotations

import pytest

from actors.messages.call import BotHeard, BotSaid, CallerSaid
from actors.tasks.heard_words import HeardWords, holds
from fsm.english import English
from protocols.ledger import ItemHeard

ITEM = ItemHeard("i-1", 400, 500, 0, complete=False)
SAID, HEARD = BotSaid("i-1", "It is booked."), BotHeard(ITEM, barged_in=True)


@pytest.mark.parametrize(("first", "second"), [(SAID, HEARD), (HEARD, SAID)])
def test_an_item_is_told_once_words_and_playback_are_known_in_either_order(
    first: BotSaid | BotHeard, second: BotSaid | BotHeard
) -> None:
    words = HeardWords()
    assert words.note(first) is None
    assert words.note(CallerSaid("u-1", "Yes.")) is None
    assert words.note(second) == (ITEM, "It is booked.")


def test_what_was_heard_of_another_item_is_kept_apart() -> None:
    words = HeardWords()
    words.note(HEARD)
    assert words.note(BotSaid("i-2", "Hello.")) is None
    assert words.note(SAID) == (ITEM, "It is booked.")


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("I am sorry, it is NOT booked yet.", "it is not booked", True),
        ("it is booked", "it is booked", True),
        ("it is now booked", "it is booked", False),
        ("booked", "it is booked", False),
    ],
)
def test_a_phrase_stands_in_a_text_word_by_word(text: str, phrase: str, found: bool) -> None:
    assert holds(text, phrase, English()) is found
