"""The configuration of a VaicSocket.

May import: actors.clips, actors.vaic, protocols, pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pydantic import JsonValue

from actors.clips import Clips
from actors.vaic.seen import SeenActivities
from actors.vaic.tape import Tape
from protocols.media import MediaFormat
from protocols.wav import WavHeader


class SocketOrigin(Enum):
    """How an actor got its socket."""

    NEW = "new"  # with session.initiate
    ACCEPTED = "accepted"  # with session.initiate, which is answered already
    RESUMED = "resumed"  # with session.resume, after another socket of the call was lost
    REPLACED = "replaced"  # from an actor that crashed; VAIC has not noticed


@dataclass(frozen=True, slots=True)
class CallerSessionConfig:
    """What a VaicSocket needs from its call.

    incarnation: how many VaicSockets the call had before, so that stream ids are unique. lead_ms: see Playout.
    filler_s: how long the caller waits for the bot to speak before "one moment" is played; 0 for never.
    text: the bot answers in writing, by activities; then neither silence nor waiting is filled with words.
    new_id: ids of activities and clips. timestamp: the time of day in ISO 8601, for activities.
    settings: VAIC's parameters for this bot's calls, besides those that every call needs. seen: the activities that
    came before.
    wav_header: see Playout. tape: for what is heard of both sides; None if the call is not recorded.
    unheard: see CallerUnheard.
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
    text: bool = False
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    seen: SeenActivities = field(default_factory=SeenActivities)
    wav_header: WavHeader = WavHeader.STREAM
    unheard: bool = False
    tape: Tape | None = None
