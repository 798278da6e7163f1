"""The languages that bots speak: sentences, dates and times for the ear, and who reads what is said in each.

A sentence stands in English where it is said, and in every language in that language's file, under one key:
fsm/sentences/en.toml has the keys and today's English, the other files what is said instead. What is in no file is said
as it stands: the words of a bot's author, which are in the bot's language already.
May import: fsm.consent, fsm.english, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from fsm.consent import Language
from fsm.english import English

# Who reads what is said, by language; where there is none, English reads.
READERS: Mapping[str, Callable[[], Language]] = {"en": English}


@dataclass(frozen=True, slots=True)
class Locale:
    """One language as a bot speaks it. tag: BCP 47, as "de-DE". reader: reads days, times and a yes in it."""

    tag: str = "en-GB"
    reader: Language = field(default_factory=English, compare=False, repr=False)

    @property
    def language(self) -> str:
        """The language without its region: "de"."""
        return self.tag.partition("-")[0]


@cache
def locale_of(tag: str) -> Locale:
    """The locale of a BCP 47 tag."""
    return Locale(tag, READERS.get(tag.partition("-")[0], English)())


ENGLISH = locale_of("en-GB")
