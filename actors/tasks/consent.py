"""Whether a caller's yes came after the read-back was heard to its end: only then has the caller agreed to it.

Pure state: facts go in, in any order.
May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 7.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocols.ledger import ItemHeard

# A step goes by its function call's id, which a fresh session knows by its first 32 characters only.
ID_CHARS = 32


@dataclass(slots=True)
class ReadbackConsent:
    """For one call; times are on the clock that its facts bear."""

    _asked: dict[str, str] = field(default_factory=dict)  # run id -> the step that gave its read-back
    _spoken: dict[str, tuple[str, ...]] = field(default_factory=dict)  # step -> the items that spoke of it, completely
    _heard_until_ms: dict[str, float] = field(default_factory=dict)  # item -> when its end was heard

    def asked(self, run_id: str, step_id: str) -> None:
        """A step's sentence is what the run's next yes will be to."""
        self._asked[run_id] = step_id[:ID_CHARS]

    def spoken(self, steps: Iterable[str], items: tuple[str, ...], completed: bool) -> None:
        """A response that saw these steps' outputs has ended. items: those of it that had audio."""
        for step_id in steps:
            # Only the first response after it says it; what comes later speaks of something else.
            self._spoken.setdefault(step_id[:ID_CHARS], items if completed else ())

    def heard(self, item: ItemHeard) -> None:
        """An item has ended for the caller."""
        if item.complete and item.began_ms is not None:
            self._heard_until_ms[item.item_id] = item.began_ms + item.heard_ms

    def holds(self, run_id: str, caller_began_ms: float | None) -> bool:
        """Whether what the caller began to say (or key) then can be an answer to the run's read-back."""
        items = self._spoken.get(self._asked.get(run_id, ""), ())
        if not items or caller_began_ms is None:
            return False
        return all(self._heard_until_ms.get(item_id, float("inf")) <= caller_began_ms for item_id in items)
