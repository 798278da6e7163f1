"""The heard ledger: of each assistant item, how much was generated, sent and heard.

Truncation, transcripts, rebuilt conversations and confirmations read it. Pure state: the time is handed in.
May import: the standard library. Rules from: docs/specs/openai-realtime.md 4.6, 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass

# Nobody misses the last moment of a sentence: it is the end of its last sound, and clocks do not agree to a hair.
LAST_MOMENT_MS = 100


@dataclass(frozen=True, slots=True)
class ItemHeard:
    """How much of one assistant item reached the caller, in ms from its start.

    generated_ms: how much of it there was by then. began_ms: when its first sound played, on the clock of `now_ms`;
    None if none did. complete: it was generated to its end and heard to
    its end, its last moment left aside.
    """

    item_id: str
    heard_ms: int
    generated_ms: int
    began_ms: int | None
    complete: bool


@dataclass(slots=True)
class _Entry:
    generated_ms: float = 0.0
    sent_ms: float = 0.0
    began_ms: float | None = None
    plays_until_ms: float = 0.0
    all_generated: bool = False

    def heard_ms(self, now_ms: float) -> float:
        return max(0.0, self.sent_ms - max(0.0, self.plays_until_ms - now_ms))


class HeardLedger:
    """Items in the order they are played. An item leaves when it was heard to its end, or was cut."""

    __slots__ = ("_entries", "ended")

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        # How many are generated to their end, and not yet heard to it: while there are none, there is nothing to tell.
        self.ended = 0

    def generated(self, item_id: str, length_ms: float) -> None:
        entry = self._entries.get(item_id)
        if entry is None:
            entry = self._entries[item_id] = _Entry()
        entry.generated_ms += length_ms

    def sent(self, item_id: str, length_ms: float, plays_from_ms: float) -> None:
        """A piece of what was generated was handed to VAIC, to be heard from `plays_from_ms` on."""
        entry = self._entries[item_id]
        if entry.began_ms is None:
            entry.began_ms = plays_from_ms
        entry.sent_ms += length_ms
        entry.plays_until_ms = plays_from_ms + length_ms

    def all_generated(self, item_id: str) -> None:
        """No more audio of this item will come."""
        entry = self._entries.get(item_id)
        if entry is not None and not entry.all_generated:
            entry.all_generated = True
            self.ended += 1

    def pop_finished(self, now_ms: float) -> list[ItemHeard]:
        """The items that have been heard to their end by now."""
        if not self.ended:
            return []
        finished = [
            item_id
            for item_id, entry in self._entries.items()
            if entry.all_generated and entry.sent_ms >= entry.generated_ms and now_ms >= entry.plays_until_ms
        ]
        return [self._pop(item_id, now_ms) for item_id in finished]

    def cut(self, now_ms: float) -> list[ItemHeard]:
        """Silence now: every item that was still to be heard, with what was heard of it."""
        return [self._pop(item_id, now_ms) for item_id in list(self._entries)]

    def next_end_ms(self) -> float | None:
        """When the next item that is wholly sent will have been heard to its end."""
        if not self.ended:
            return None
        ends = [
            entry.plays_until_ms
            for entry in self._entries.values()
            if entry.all_generated and entry.sent_ms >= entry.generated_ms
        ]
        return min(ends, default=None)

    def _pop(self, item_id: str, now_ms: float) -> ItemHeard:
        entry = self._entries.pop(item_id)
        self.ended -= entry.all_generated
        heard_ms = entry.heard_ms(now_ms)
        last_moment_ms = min(LAST_MOMENT_MS, entry.generated_ms / 2)
        complete = entry.all_generated and heard_ms >= entry.generated_ms - last_moment_ms
        if complete:
            heard_ms = entry.generated_ms
        began_ms = None if entry.began_ms is None or entry.began_ms > now_ms else round(entry.began_ms)
        return ItemHeard(item_id, int(heard_ms), int(entry.generated_ms), began_ms, complete)
