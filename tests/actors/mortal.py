"""Actors that crash in a chosen hook or handler, with a chosen exception."""

from __future__ import annotations

import sys

from actors.system.actor import LoopActor, ThreadActor
from actors.system.address import ParentLink
from protocols.errors import TransportLost


class Boom(Exception):
    """The exception that they raise."""


class Mortal:
    """A mixin, placed before an actor's class.

    dies_in: the hook in which it raises, or "exit in" it. A message is what becomes of its handling; a number, after so
    many s. seen: every message, in order.
    """

    def __init__(self, parent_link: ParentLink | None, dies_in: str = "", seen: list[object] | None = None) -> None:
        self.dies_in = dies_in
        self._maybe("__init__")
        super().__init__(parent_link)  # type: ignore[call-arg]  # the actor class behind it
        self.seen = [] if seen is None else seen

    def on_start(self) -> None:
        self._maybe("on_start")

    def on_stop(self) -> None:
        self._maybe("on_stop")

    def on_failure(self, *_: object) -> None:
        self._maybe("on_failure")

    def on_receive(self, message: object) -> object:
        self.seen.append(message)
        match message:
            case "boom":
                raise Boom
            case "exit":
                sys.exit(3)
            case "interrupt":
                raise KeyboardInterrupt
            case "lost":
                raise TransportLost(1006)
            case Exception():
                raise message
            case float():
                self.after(message, "boom")  # type: ignore[attr-defined]  # a loop actor's
        return message

    def _maybe(self, where: str) -> None:
        if self.dies_in == where:
            raise Boom
        if self.dies_in == f"exit in {where}":
            sys.exit(3)


class OnLoop(Mortal, LoopActor):
    pass


class OnThread(Mortal, ThreadActor):
    pass
