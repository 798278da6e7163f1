"""What a simulated call tells while it goes on, for a line of progress. All times in ms since `session.initiate`.

May import: the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CallerSpoke:
    """A sentence of the script was said to its end; the times are of the speech, without silence round it."""

    file: Path
    began_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class CallerRecognised:
    """The bot told (`userStream.speech.recognition`) what it understood."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class BotSpoke:
    """An utterance of the bot was heard, to its end or to where it was cut. `text` is the stream's altText, if any."""

    began_ms: int
    ended_ms: int
    heard_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class BargedIn:
    """The bot was cut. `stop_ms`: since the caller's speech began; None when the caller was not speaking."""

    at_ms: int
    stop_ms: int | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """The socket is lost. `code`: how it was closed; 1006 when it was not."""

    at_ms: int
    code: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The bot took the conversation up again on a new socket."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over."""

    at_ms: int
    outcome: str


CallerEvent = CallerSpoke | CallerRecognised | BotSpoke | BargedIn | Dropped | Resumed | Ended
