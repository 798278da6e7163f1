"""Compares the bot's statements that something was done with what the tasks of the call have done.

Pure: a language finds the statements (fsm/english_claims.py), the rules here compare them with what was done.
May import: fsm, the standard library. Rules from: docs/architecture.md 4.9.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from string import Formatter
from typing import Protocol


class Deed(Enum):
    """What can be done with an appointment, an order or the like."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    MOVED = "moved"


ANY_DEED = frozenset(Deed)


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that something has been done. deeds: which it may be ("all set": any). sentence: the bot's words.

    tasks: those whose End states the same; one of them must have done it.
    """

    deeds: frozenset[Deed]
    sentence: str
    tasks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that something it names has been done: "your parking space is booked".

    noun, participle: "space" and "booked", in the form in which a language compares words. deeds: those that the
    participle tells of, if any. sentence: the bot's words.
    """

    noun: str
    participle: str
    deeds: frozenset[Deed]
    sentence: str


class ClaimLanguage(Protocol):
    """What these rules need to know of a language: a part of fsm.consent's Language."""

    def dates(self, text: str, today: date) -> list[frozenset[date]]: ...

    def times(self, text: str, today: date) -> list[frozenset[time]]: ...

    def claims(self, text: str) -> list[Claim]: ...

    def statements(self, text: str) -> list[Statement]: ...


@dataclass(frozen=True, slots=True)
class Done:
    """What one task has done, or has found stored. dates, times: its values. say: the task's words about it.

    task: its name, if it has changed something; "" otherwise. found: it is what a look-up found, whatever that is.
    """

    deeds: frozenset[Deed]
    dates: frozenset[date]
    times: frozenset[time]
    say: str
    task: str = ""
    found: bool = False

    def concerns(self, claim: Claim) -> bool:
        """Whether this is what the claim may be about. "All done" may be about whatever a task has done."""
        if not self.deeds.isdisjoint(claim.deeds):
            return True
        if claim.tasks:
            return self.found or self.task in claim.tasks
        return bool(self.task) and claim.deeds == ANY_DEED

    def backs(self, claim: Claim, language: ClaimLanguage, today: date) -> bool:
        """Whether this makes the claim true: the same deed, and no other day or time."""
        return not unbacked([claim], [self], language, today)


def literal(template: str) -> str:
    """A format string as words, with a 0 for each value."""
    return "".join(text + "0" * (field is not None) for text, field, *_ in Formatter().parse(template))


def deeds_in(text: str, language: ClaimLanguage) -> frozenset[Deed]:
    """The deeds that words claim."""
    return frozenset(deed for claim in language.claims(text) for deed in claim.deeds)


def backs_also(deeds: frozenset[Deed]) -> frozenset[Deed]:
    """These deeds, and those that follow from them: what was moved is booked for its new time."""
    return deeds | {Deed.BOOKED} if Deed.MOVED in deeds else deeds


def unbacked(claims: Iterable[Claim], done: Iterable[Done], language: ClaimLanguage, today: date) -> list[Claim]:
    """The claims that nothing backs."""
    known = list(done)
    return [claim for claim in claims if not _backed(claim, known, language, today)]


def _backed(claim: Claim, done: Iterable[Done], language: ClaimLanguage, today: date) -> bool:
    """Whether any of these makes the claim true. Its words are parsed once, however many there are."""
    able = [each for each in done if each.concerns(claim)]
    if not able:
        return False
    dates, times = language.dates(claim.sentence, today), language.times(claim.sentence, today)
    return any(
        not any(one.isdisjoint(each.dates) for one in dates) and not any(one.isdisjoint(each.times) for one in times)
        for each in able
    )
