"""The simulated caller's script, in Python or as words on a command line.

May import: the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_KEYS = re.compile(r"[0-9*#]+")


class ScriptError(ValueError):
    """The script cannot be played: an unknown word, or a file that is not readable speech."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say a WAV file, once the bot has spoken and then been quiet."""

    file: Path


@dataclass(frozen=True, slots=True)
class Write:
    """Write a text, once the bot has answered and then been quiet: in a chat, or as what VAIC has recognised."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Say a WAV file while the bot speaks, after `after_ms` of its speech were heard."""

    file: Path
    after_ms: int = 800


@dataclass(frozen=True, slots=True)
class Dtmf:
    """Press keys, once the bot has spoken and then been quiet."""

    digits: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Lose the socket at once, and come back with `session.resume` after a while."""

    resume_after_ms: int = 500


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for a while."""

    ms: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up at once."""


ScriptStep = Say | Write | Interrupt | Dtmf | Drop | Wait | HangUp


def parse_script(words: Iterable[str], record: Callable[[str], Path] | None = None) -> list[ScriptStep]:
    """A script from words: FILE, text:WORDS, write:WORDS, interrupt:FILE@MS, dtmf:12, drop, drop:MS, wait:MS, hangup.

    record: makes a WAV file of words; None: they cannot be said. Raises: ScriptError, naming the word.
    """
    return [_step(word, record) for word in words]


def parse_start(words: Sequence[str]) -> dict[str, str]:
    """Parameters of `start` from words: NAME=VALUE. Raises: ScriptError, naming the word."""
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise ScriptError(f"{wrong[0]}: a parameter is written NAME=VALUE")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def _step(word: str, record: Callable[[str], Path] | None) -> ScriptStep:
    kind, colon, rest = word.partition(":")
    match kind if colon or kind in ("drop", "hangup") else "":
        case "interrupt":
            file, at, after_ms = rest.rpartition("@")
            return Interrupt(Path(file), _ms(after_ms, word)) if at else Interrupt(Path(rest))
        case "text" if record is not None:
            return Say(record(rest))
        case "text":
            raise ScriptError(f"{word}: nothing here can speak")
        case "write" if rest.strip():
            return Write(rest)
        case "dtmf":
            if not _KEYS.fullmatch(rest):
                raise ScriptError(f"{word}: keys are digits, * and #")
            return Dtmf(rest)
        case "drop":
            return Drop(_ms(rest, word)) if colon else Drop()
        case "wait":
            return Wait(_ms(rest, word))
        case "hangup":
            return HangUp()
        case _:
            return Say(Path(word))


def _ms(text: str, word: str) -> int:
    if not text.isdecimal():
        raise ScriptError(f"{word}: {text!r} is no number of milliseconds")
    return int(text)


def as_word(step: ScriptStep) -> str:
    """The step as one word, the way `parse_script` reads it."""
    match step:
        case Say():
            return str(step.file)
        case Write():
            return f"write:{step.text}"
        case Interrupt():
            return f"interrupt:{step.file}@{step.after_ms}"
        case Dtmf():
            return f"dtmf:{step.digits}"
        case Drop():
            return f"drop:{step.resume_after_ms}"
        case Wait():
            return f"wait:{step.ms}"
        case HangUp():
            return "hangup"
