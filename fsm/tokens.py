"""A text as a row of tokens, in any language: words, numbers, punctuation marks, and signs for values that were read.

Pure. May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date

MARKS = ".,;:?!"


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number or a punctuation mark.

    text: normalised, for comparison. number: value of digits or of a number word. ordinal: as in "26th". clock: minutes
    past midnight, of "10:30". iso: of "2026-11-26".
    """

    text: str
    number: int | None = None
    ordinal: bool = False
    clock: int | None = None
    iso: date | None = None

    @property
    def is_mark(self) -> bool:
        return self.text in MARKS


NOTHING = Token(".")
# Stand for the tokens of a day or time, and of another value, that have been read.
VALUE, PHRASE = Token("#"), Token("#")


def day_token(text: str) -> Token:
    """The token of "2026-11-26"; of a day that there is not, a word."""
    try:
        return Token(text, iso=date.fromisoformat(text))
    except ValueError:
        return Token(text)


def clock_token(hour: int, minute: int) -> Token:
    """The token of "10:30"; of a time that there is not, a word."""
    return Token(f"{hour}:{minute:02}", clock=hour * 60 + minute if hour < 25 and minute < 60 else None)


def get(tokens: Sequence[Token], at: int) -> Token:
    return tokens[at] if 0 <= at < len(tokens) else NOTHING


def texts(tokens: Sequence[Token], at: int, count: int) -> tuple[str, ...]:
    return tuple(get(tokens, at + step).text for step in range(count))


def counts(following: Token, free: Container[str]) -> bool:
    """Whether a number before this token counts things ("ten people"). free: words that it counts not."""
    return not following.is_mark and following.text not in free and following.clock is None and not following.number


def is_at(tokens: Sequence[Token], at: int, before: Container[str]) -> bool:
    """Whether a bare number at this token can be a time: "at ten", "tomorrow, ten". before: words like "at"."""
    previous = get(tokens, at - 1 - (get(tokens, at - 1).text == ","))
    return previous.text in before or previous is VALUE


def places(tokens: Sequence[Token], words: tuple[str, ...]) -> list[tuple[int, int, None]]:
    """Where these words stand, whatever marks are between them: the first token, and the one after the last."""
    at = [index for index, token in enumerate(tokens) if not token.is_mark]
    found = [
        (at[first], at[first + len(words) - 1] + 1, None)
        for first in range(len(at) - len(words) + 1)
        if words and all(tokens[at[first + step]].text == word for step, word in enumerate(words))
    ]
    return [each for index, each in enumerate(found) if not index or each[0] >= found[index - 1][1]]


def take(tokens: list[Token], spans: Sequence[tuple[int, int, object]], sign: Token = VALUE) -> bool:
    """Replace the tokens of values that have been read. Whether there were any."""
    for first, end, _ in spans:
        tokens[first:end] = [sign] * (end - first)
    return bool(spans)
