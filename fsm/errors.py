"""Errors that a task's own code raises.

May import: protocols, the standard library.
"""

from __future__ import annotations

from protocols.errors import TielineError


class SlotError(TielineError):
    """A slot's value is not acceptable. say: what the caller hears; the slot's question follows unless it asks one."""

    def __init__(self, say: str) -> None:
        self.say = say


class Incomplete(SlotError):
    """What the caller has said is a part of the value. piece: of it so far, with which the next part is put together.

    An empty piece begins anew, and counts as a failed attempt.
    """

    def __init__(self, say: str, piece: str) -> None:
        super().__init__(say)
        self.piece = piece
