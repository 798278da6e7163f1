"""What a task's own code raises.

May import: protocols, the standard library.
"""

from __future__ import annotations

from protocols.errors import TielineError


class SlotError(TielineError):
    """A value will not do. `say`: the sentence the caller hears; the slot's own question follows it unless it asks."""

    def __init__(self, say: str) -> None:
        super().__init__(say)
        self.say = say
