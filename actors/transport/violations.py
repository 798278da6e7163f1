"""Violations of the protocol by a peer: counted each time, logged once per conversation and kind.

May import: actors.metrics, loguru, protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.metrics import BAD_FRAMES, CUT_SHORT, UNKNOWN_FRAMES
from protocols.errors import WireError

if TYPE_CHECKING:
    from loguru import Logger


def cut(text: str, most: int, what: str) -> str:
    """The beginning of a text, if it is longer than that; this is counted. what: a label of the counter."""
    if len(text) <= most:
        return text
    CUT_SHORT.labels(what).inc()
    return text[:most]


class ProtocolViolations:
    """The violations on one leg of a call.

    leg: "vaic", "model" or "admission", a label of the counters. log: bound to the conversation.
    """

    def __init__(self, leg: str, log: Logger) -> None:
        self._leg = leg
        self._log = log
        self._seen: set[tuple[str, str]] = set()

    def bad_frame(self, error: WireError) -> None:
        """A frame that cannot be used and is ignored. error: its reason is a label of the counter."""
        BAD_FRAMES.labels(self._leg, error.reason).inc()
        self._once("frame ignored", error.reason, error.detail)

    def bad_field(self, error: WireError) -> None:
        """A field that cannot be read, of a frame that is used without it. error: as in `bad_frame`."""
        BAD_FRAMES.labels(self._leg, error.reason).inc()
        self._once("field ignored", error.reason, error.detail)

    def unknown(self, kind: str) -> None:
        """A frame of an unknown type, which a newer peer may send."""
        UNKNOWN_FRAMES.labels(self._leg).inc()
        self._once("frame ignored", "unknown_type", kind)

    def _once(self, what: str, reason: str, detail: str) -> None:
        if (what, reason) not in self._seen:
            self._seen.add((what, reason))
            self._log.warning(what, leg=self._leg, reason=reason, detail=detail)
