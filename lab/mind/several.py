"""Which of several parameters of one kind a value is for: two dates, two numbers, two times of one task.

By the words before it ("until Friday", "my customer number is"), else by what was asked, else in the schema's order.
May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from lab.mind.language import stem, stems, words
from lab.mind.schema import Property
from lab.mind.spoken_words import Spoken, is_rejected, last_correction

T = TypeVar("T")

# Of a period, what names its beginning and its end.
_BEGINS = frozenset(
    {"from", "start", "begin", "arrival", "arrive", "earliest", "first", "pickup", "outbound", "checkin"}
)
_ENDS = frozenset({"until", "till", "to", "end", "return", "latest", "last", "through", "back", "checkout"})
# Words that name the kind of a value, and no parameter.
_OF_ANY = stems("number digits code day date time YYYY MM DD HH")
# What callers say for the words that schemas have.
_ALIKE = {"arrive": "arrival", "arriving": "arrival", "leave": "departure", "leaving": "departure", "back": "return"}
# These say so only directly before a value: "I want to come on Monday" names no end.
_DIRECTLY = re.compile(
    r"\b(?:(?P<begin>from|starting|beginning)|(?P<end>to|until|till|through))(?: on| at)?(?: the)? ?$"
)


def assigned(
    found: Sequence[Spoken[T]], wanted: Sequence[Property], text: str, asked: str, *, in_order: bool
) -> dict[str, Spoken[T]]:
    """By parameter, the value that was said for it; the newest of a correction.

    found: the values in `text`, which is `plain`. asked: the parameter that was asked for, or "". in_order: whether
    values that nothing names go to the parameters in their order.
    """
    cues = _cues(wanted)
    given: dict[str, Spoken[T]] = {}
    latest = ""
    before = 0
    for at, value in enumerate(found):
        gap = text[before : value.start]
        following = text[value.end : found[at + 1].start] if at + 1 < len(found) else text[value.end :]
        before = value.end
        if is_rejected(text, value):
            continue
        named = _named_before(gap, wanted, cues) or _named_after(following, cues, last=at + 1 == len(found))
        if not named and latest and last_correction(gap):
            named = latest
        if not named:
            free = [one.name for one in wanted if one.name not in given]
            named = asked if asked in free else next(iter(free), "") if in_order and asked not in given else ""
        if named:
            given[named] = value
            latest = named
    return given


def _named_before(gap: str, wanted: Sequence[Property], cues: Mapping[str, str]) -> str:
    """The parameter that the words before a value name last."""
    directly = _DIRECTLY.search(gap)
    if directly is not None:
        sides = _sides(wanted)
        if sides is not None:
            return sides[0] if directly["begin"] else sides[1]
    said = [cues[word] for word in _said(gap) if word in cues]
    return said[-1] if said else ""


def _named_after(gap: str, cues: Mapping[str, str], *, last: bool) -> str:
    """The parameter that the words after a value name: "… is my customer number".

    The last one that they name is that of the value which follows them, if there is one.
    """
    if re.match(r"\W*(?:is|was|as|for)\b", gap) is None:
        return ""
    said = [cues[word] for word in _said(gap) if word in cues]
    return said[0] if said and (last or len(set(said)) > 1) else ""


def _said(gap: str) -> list[str]:
    return [stem(_ALIKE.get(word, word)) for word in words(gap)]


def _cues(wanted: Sequence[Property]) -> dict[str, str]:
    """The word stems that name one of the parameters alone."""
    own = {one.name: _about(one) for one in wanted}
    return {
        word: name
        for name, about in own.items()
        for word in about
        if not any(word in other for them, other in own.items() if them != name)
    }


def _about(one: Property) -> frozenset[str]:
    """The stems of a parameter's name, and of what it is; not of how it is to be passed."""
    return (stems(one.name) | stems(one.description.partition(":")[0])) - _OF_ANY


def _sides(wanted: Sequence[Property]) -> tuple[str, str] | None:
    """The parameters for the beginning and the end of a period, if two are that."""
    if len(wanted) != 2:
        return None
    for first, second in ((0, 1), (1, 0)):
        begins = _words(wanted[first]) & _BEGINS
        ends = _words(wanted[second]) & _ENDS
        if (begins or ends) and not _words(wanted[second]) & _BEGINS and not _words(wanted[first]) & _ENDS:
            return wanted[first].name, wanted[second].name
    return None


def _words(one: Property) -> frozenset[str]:
    named = frozenset(words(one.name))
    return named if named & (_BEGINS | _ENDS) else named | frozenset(words(one.description.partition(":")[0]))
