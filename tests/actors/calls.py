"""What tests of a call's actors share: a wire that is written to, and frames to read from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from actors.address import Address
from actors.wire import WireClosed, WireMessage, WireText


class PaperWire:
    """A wire without a socket: what is sent stands on paper, what is received is said by the test."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: int | None = None
        self._owner: Address[WireMessage] | None = None
        self._only_next = False
        self._kept: list[WireMessage] = []

    # --- Wire ---

    def attach(self, owner: Address[WireMessage], *, only_next: bool = False) -> None:
        self._owner, self._only_next = owner, only_next
        kept, self._kept = self._kept, []
        for message in kept:
            self._deliver(message)

    def send(self, text: str) -> None:
        if self.closed is None:
            self.frames.append(json.loads(text))

    def close(self, code: int, reason: str = "") -> None:
        self.closed = code

    def abort(self) -> None:
        self.closed = 1006

    # --- the peer ---

    def receives(self, frame: Mapping[str, object] | bytes) -> None:
        self._deliver(WireText(frame if isinstance(frame, bytes) else json.dumps(frame).encode()))

    def breaks(self, code: int = 1006) -> None:
        self._deliver(WireClosed(code, ""))

    def types(self) -> list[str]:
        """The types of what was sent since the last time, in order."""
        frames, self.frames = self.frames, []
        return [str(frame["type"]) for frame in frames]

    def last(self, kind: str) -> dict[str, Any]:
        """The newest frame of a type."""
        for frame in reversed(self.frames):
            if frame["type"] == kind:
                found: dict[str, Any] = frame
                return found
        raise AssertionError(f"no {kind} was sent, but {[frame['type'] for frame in self.frames]}")

    def _deliver(self, message: WireMessage) -> None:
        if self._owner is None:
            self._kept.append(message)
            return
        owner = self._owner
        if self._only_next:
            self._owner = None
        owner.tell(message)
