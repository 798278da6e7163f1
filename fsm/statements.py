"""What finding a statement that something was done has in common in all languages.

A language adds its words (fsm/english_claims.py, fsm/german_claims.py).
Pure. May import: fsm.claims, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fsm.claims import Claim, Deed, Statement

# Of a long sentence, what stands so near to a statement is taken for its values; in characters.
AROUND = 200


@dataclass(frozen=True, slots=True)
class StatementWords:
    """One language's words. deeds: those that a participle tells of. noun: what claims about those deeds are about.

    own: each finds "your parking space is booked", with the groups `noun` and `done`. splits: what ends a clause.
    harmless: taken out first. none_before, none_after: make something else of a statement before and behind it.
    taken: says that another caller has it, unless `yours` is in the statement. noted: participles that all say that
    something was written down or arranged: a statement has the first in place of each.
    """

    deeds: Mapping[str, frozenset[Deed]]
    noun: str
    own: tuple[re.Pattern[str], ...]
    splits: re.Pattern[str]
    harmless: re.Pattern[str]
    none_before: re.Pattern[str]
    none_after: re.Pattern[str]
    taken: re.Pattern[str]
    yours: re.Pattern[str]
    noted: tuple[str, ...]

    def clauses(self, sentence: str) -> list[str]:
        """The clauses of a plain sentence, in each of which a statement stands by itself."""
        return self.splits.split(self.harmless.sub(" ", sentence))

    def statements_in(self, sentence: str) -> Iterator[Statement]:
        """The statements in one plain sentence that something it names was done, whatever that is."""
        if sentence.rstrip().endswith("?"):
            return
        for clause in map(str.strip, self.clauses(sentence)):
            if self.none_after.search(clause):
                continue
            never, taken = first_end(self.none_before, clause), first_end(self.taken, clause)
            for match in (each for pattern in self.own for each in pattern.finditer(clause)):
                ours = taken > match.end() or self.yours.search(match[0]) is not None
                if never > match.end() and ours:
                    deeds = self.deeds.get(match["done"], frozenset())
                    if not (deeds and re.fullmatch(self.noun, match["noun"])):  # else it is a claim
                        done = self.noted[0] if match["done"] in self.noted else match["done"]
                        yield Statement(match["noun"], done, deeds, near(clause, match.end()))


def near(clause: str, end: int) -> str:
    """What a statement that ends there may name."""
    return clause[max(0, end - AROUND) : end + AROUND]


def stated(
    clause: str, statements: Iterable[tuple[re.Pattern[str], frozenset[Deed]]], never: int, unless: int
) -> Claim | None:
    """The first of these statements that a clause makes.

    never: where the first words end that make something else of what follows them. unless: where the last ones begin
    that do so to what precedes them.
    """
    for pattern, deeds in statements:
        found = pattern.search(clause)
        if found is not None and never > found.start() and unless < found.end():
            return Claim(deeds, near(clause, found.end()))
    return None


def first_end(pattern: re.Pattern[str], clause: str) -> int:
    """Where the first such words end; past the clause if it has none."""
    found = pattern.search(clause)
    return len(clause) + 1 if found is None else found.end()
