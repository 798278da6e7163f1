"""What one party of a call says, turn by turn, as it may be stored: a number may go on from one turn to the next.

Digits at the end of a turn that may be the beginning of a number which is left out are held back: the turn is stored
without them. Once later turns have shown that they are part of none, it is stored again, as it was said.
Pure. May import: fsm, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from fsm.redaction import LONGEST, MARKS, Found, OpenNumber, Redaction, digits_at_start

Role = Literal["caller", "bot"]
# Of what was said so much is looked at again: a card's number, spelled out, with hums; else an e-mail address.
NUMBER_CHARS, SAID_CHARS = 400, 60
# A number has ended after so many turns that do not go on with it.
TURNS_BETWEEN = 2
# At the end of the call no more digits are stored of a number that has not ended: so many name a card's bank.
MOST_AT_END = 8


class Words(NamedTuple):
    """All words of a turn of which some were held back. role, item: the turn's."""

    role: Role
    item: str
    text: str


class RedactedTurns:
    """Of one party, whose turns come in order. label: stands before its words, with which it is not given them."""

    def __init__(self, role: Role, label: str = "") -> None:
        self._role: Role = role
        self._label = label
        self._said = ""  # the end of it, without turns between two parts of a number
        self._held: dict[str, str] = {}  # by item, what is stored of turns once they are known to be harmless
        self._elsewhere = ""  # the item of a turn of which another process has held a number back
        self._between = 0

    def said(self, item: str, text: str, redaction: Redaction) -> tuple[str, list[Words]]:
        """Take the next turn. Returns what may be stored of it now, and earlier turns that may be stored whole."""
        self._held.pop(item, None)
        before = len(self._said) + 1 if self._said else 0
        joined = f"{self._said} {text[:LONGEST]}" if before else text[:LONGEST]
        found = redaction.found(joined)
        number = None if len(text) > LONGEST else redaction.open_number(joined)
        if number is not None and number.end <= before:
            number = None  # nothing of this turn belongs to it
        leads = digits_at_start(text[:LONGEST])
        if self._elsewhere and leads:
            found = [each for each in found if each.start >= before + leads]
            found.append(Found(before, before + leads, "digits"))
        self._go_on_elsewhere(item, leads, reaches_end=number is not None and number.start < before + leads)
        whole = stored = redaction.marked(text, found, before)
        if number is not None and (beside := _beside(number, found)) is not None:
            stored = redaction.marked(text, [*beside, Found(number.start, number.end, "digits")], before)
        free: list[Words] = []
        if any(each.start < before < each.end for each in found):
            self._held.clear()  # it was a beginning: it is never stored
        elif number is not None and number.start < before:
            pass  # it goes on
        elif leads or stored != whole:
            free = self._free()
        elif self._held:
            self._between += 1
            if self._between < TURNS_BETWEEN:
                return f"{self._label}{stored}", []
            free = self._free()
        if stored != whole:
            self._held[item], self._between = whole, 0
        self._said = text[-SAID_CHARS:] if number is None else joined[number.since :][-NUMBER_CHARS:]
        return f"{self._label}{stored}", free

    def ended(self, redaction: Redaction) -> list[Words]:
        """The call has ended. Returns what may be stored whole of the last turns; of a longer number nothing may."""
        number = redaction.open_number(self._said)
        return self._free() if number is not None and number.digits <= MOST_AT_END else []

    def restore(self, item: str, text: str, redaction: Redaction) -> None:
        """Take a turn as another process has stored it."""
        _, mark, behind = text.rpartition(MARKS["digits"])
        number = redaction.open_number(f"0{behind}") if mark else None
        self._go_on_elsewhere(item, digits_at_start(text[:LONGEST]), reaches_end=False)
        if number is not None and number.start == 0:
            self._elsewhere, self._between = item, 0
        self._said = f"{self._said} {text}"[-NUMBER_CHARS:]

    def restore_whole(self, item: str) -> None:
        """Another process has stored all of a turn."""
        if self._elsewhere == item:
            self._elsewhere = ""

    def _go_on_elsewhere(self, item: str, leads: int, *, reaches_end: bool) -> None:
        """Note whether a number that another process has held back may go on behind this turn."""
        if self._elsewhere and leads:
            self._elsewhere, self._between = item if reaches_end else "", 0
        elif self._elsewhere:
            self._between += 1
            if self._between >= TURNS_BETWEEN:
                self._elsewhere = ""

    def _free(self) -> list[Words]:
        free = [Words(self._role, item, f"{self._label}{text}") for item, text in self._held.items()]
        self._held.clear()
        return free


def _beside(number: OpenNumber, found: list[Found]) -> list[Found] | None:
    """What else is left out where a number is held back; None if it is not: it may begin nothing, or is known."""
    inside = [each for each in found if each.start < number.end and number.start < each.end]
    # Within a longer number what looks like one of a telephone may be part of a card's.
    unknown = all(each.kind == "phones" and each.end - each.start < number.end - number.start for each in inside)
    return [each for each in found if each not in inside] if number.may_begin and unknown else None


class RedactedSpeech:
    """Of all parties of a call. labelled: those of the role "caller" are several, each named before a colon."""

    def __init__(self, *, labelled: bool = False) -> None:
        self._labelled = labelled
        self._turns: dict[tuple[Role, str], RedactedTurns] = {}

    def said(self, role: Role, item: str, text: str, redaction: Redaction) -> tuple[str, list[Words]]:
        """As of `RedactedTurns`."""
        turns, words = self._of(role, text)
        return turns.said(item, words, redaction)

    def ended(self, redaction: Redaction) -> Iterator[Words]:
        """As of `RedactedTurns`."""
        for turns in self._turns.values():
            yield from turns.ended(redaction)

    def restore(self, role: Role, item: str, text: str, redaction: Redaction) -> None:
        """As of `RedactedTurns`."""
        turns, words = self._of(role, text)
        turns.restore(item, words, redaction)

    def restore_whole(self, role: Role, item: str, text: str) -> None:
        """As of `RedactedTurns`."""
        turns, _ = self._of(role, text)
        turns.restore_whole(item)

    def _of(self, role: Role, text: str) -> tuple[RedactedTurns, str]:
        """The turns of the party that has said this, and what it said."""
        name, colon, words = text.partition(": ") if self._labelled and role == "caller" else ("", "", text)
        label, words = (f"{name}{colon}", words) if colon else ("", text)
        return self._turns.setdefault((role, label), RedactedTurns(role, label)), words
