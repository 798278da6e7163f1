"""The settings of a probe.

May import: the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Unreachable(Exception):
    """There is nothing to grade: no connection, or the upgrade is refused. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """What to grade, and how patiently.

    url: the peer's, ws:// or wss://. token: the bearer token or API key, "" for none. scenes: names of those to play,
    all if empty. patience_s: how long the peer may take for an answer. soon_s: in which time a bot should take a call.
    speed: a multiple of real time for audio, for peers that keep up. at_once: how many scenes are played beside each
    other. model: in a Realtime server's URL.
    """

    url: str
    token: str = field(default="", repr=False)
    scenes: tuple[str, ...] = ()
    patience_s: float = 10.0
    soon_s: float = 3.0
    speed: float = 1.0
    at_once: int = 3
    model: str = "gpt-realtime"
