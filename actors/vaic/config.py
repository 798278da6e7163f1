"""What a VaicSocket needs to know of its call.

May import: actors.messages.clips, protocols.media, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from actors.messages.clips import Clips
from protocols.media import MediaFormat


class SocketOrigin(Enum):
    """How an actor comes to its wire: with a new call, with a resumed one, or in place of one that crashed."""

    NEW = "new"
    RESUMED = "resumed"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class CallerSessionConfig:
    """What a VaicSocket needs to know of its call.

    incarnation: how many came before it in this call; it keeps stream ids unique. lead_ms: see Playout. filler_s: how
    long the caller waits for words before "one moment"; 0: as long as it takes.
    """

    conversation_id: str
    media: MediaFormat
    origin: SocketOrigin
    incarnation: int
    lead_ms: int
    filler_s: float
    clips: Clips
    new_id: Callable[[], str]
    timestamp: Callable[[], str]
