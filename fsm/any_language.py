"""Several languages as one: a bot that speaks its caller's hears any of them, also before it has changed to it.

Pure. May import: fsm, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, time

from fsm.claims import Claim, Deed, Statement
from fsm.consent import JUDGED_CHARS
from fsm.reading import WordReader


class AnyLanguage:
    """A `Language`. own: the one that the bot speaks now. others: those that its callers may speak as well."""

    def __init__(self, own: WordReader, others: Sequence[WordReader]) -> None:
        self._readers = (own, *others)

    def readers(self) -> Sequence[WordReader]:
        return self._readers

    def dates(self, text: str, today: date) -> list[frozenset[date]]:
        return self._of(text).dates(text, today)

    def times(self, text: str, today: date) -> list[frozenset[time]]:
        return self._of(text).times(text, today)

    def _of(self, text: str) -> WordReader:
        """The language that a text is in, by its commonest words: another one would find other values in it."""
        words = re.findall(r"[^\W\d_]+", text[-JUDGED_CHARS:].lower())
        return max(self._readers, key=lambda each: sum(word in each.common for word in words))

    def wordless(self, text: str) -> bool:
        return any(each.wordless(text) for each in self._readers)

    def parting(self, text: str) -> bool:
        return any(each.parting(text) for each in self._readers)

    def claims(self, text: str) -> list[Claim]:
        return [claim for each in self._readers for claim in each.claims(text)]

    def statements(self, text: str) -> list[Statement]:
        return [statement for each in self._readers for statement in each.statements(text)]

    def denial(self, deeds: frozenset[Deed]) -> str:
        return self._readers[0].denial(deeds)
