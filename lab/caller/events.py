"""The events of a simulated call, reported while it goes on. All times in ms since `session.initiate`.

May import: the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CallerSpoke:
    """A sentence of the script was said to its end; the times exclude the silence around the speech."""

    file: Path
    began_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class CallerRecognised:
    """The bot reported what it recognised (`userStream.speech.recognition`)."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class BotSpoke:
    """An utterance of the bot was heard, to its end or until it was cut. text: the stream's altText, if any."""

    began_ms: int
    ended_ms: int
    heard_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class BotWrote:
    """The bot has sent a text, in a chat."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class BargedIn:
    """The bot was interrupted. stop_ms: since the caller's speech began; None if the caller was not speaking."""

    at_ms: int
    stop_ms: int | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """The socket was lost. code: the close code, 1006 without one."""

    at_ms: int
    code: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The bot resumed the conversation on a new socket."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over."""

    at_ms: int
    outcome: str


CallerEvent = CallerSpoke | CallerRecognised | BotSpoke | BotWrote | BargedIn | Dropped | Resumed | Ended
