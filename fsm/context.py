"""A run's context: items with their source, confidence and expiry.

Pure data. May import: pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

Source = Literal["caller", "model", "store"]
SLOT, CHOICE, FACT, RESULT = "slot", "choice", "fact", "result"


class ContextItem(BaseModel):
    """One known value. confidence: 0 to 1. expires_at: None if it is kept as long as the run."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # it is part of a Snapshot

    name: str
    value: JsonValue
    category: str
    source: Source
    confidence: float
    at: AwareDatetime
    expires_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects a part of a context. categories, sources: empty for all."""

    categories: frozenset[str] = frozenset()
    sources: frozenset[Source] = frozenset()
    min_confidence: float = 0.0

    def passes(self, item: ContextItem) -> bool:
        return (
            (not self.categories or item.category in self.categories)
            and (not self.sources or item.source in self.sources)
            and item.confidence >= self.min_confidence
        )


EVERYTHING = Filter()


class Context:
    """The items of one run, by name within their category. retention: how long a category's items are kept."""

    def __init__(self, retention: Mapping[str, timedelta], items: Iterable[ContextItem] = ()) -> None:
        self._retention = retention
        self._items = {(item.category, item.name): item for item in items}

    def put(
        self, category: str, name: str, value: JsonValue, *, source: Source, confidence: float, now: datetime
    ) -> None:
        """Store an item; it replaces an earlier one of the same name and category."""
        kept_for = self._retention.get(category)
        self._items[category, name] = ContextItem(
            name=name,
            value=value,
            category=category,
            source=source,
            confidence=confidence,
            at=now,
            expires_at=None if kept_for is None else now + kept_for,
        )

    def drop(self, category: str, name: str) -> None:
        self._items.pop((category, name), None)

    def forget(self, category: str) -> None:
        """Drop all items of a category."""
        self._items = {key: item for key, item in self._items.items() if item.category != category}

    def trust(self, category: str) -> None:
        """Mark the items of a category as confirmed by the caller."""
        for key, item in self._items.items():
            if item.category == category:
                self._items[key] = item.model_copy(update={"source": "caller", "confidence": 1.0})

    def expire(self, now: datetime) -> None:
        """Drop the items that have outlived their category's retention."""
        for key, item in list(self._items.items()):
            if item.expires_at is not None and item.expires_at <= now:
                del self._items[key]

    def items(self, seen: Filter = EVERYTHING) -> Iterator[ContextItem]:
        """The items that pass a filter, in the order they were first stored."""
        return (item for item in self._items.values() if seen.passes(item))

    def values(self, category: str) -> dict[str, JsonValue]:
        """The values of one category, by name."""
        return {item.name: item.value for item in self._items.values() if item.category == category}
