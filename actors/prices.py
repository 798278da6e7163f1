"""What models cost: a list of prices of one day.

May import: loguru, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from loguru import logger

# Models whose absence from the list is logged: the server chooses the names.
MOST_LOGGED = 20
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Price:
    """Of one model. tokens: US dollars for a million, by kind, as in protocols.realtime.usage. minute: of audio."""

    tokens: Mapping[str, float] = field(default_factory=dict)
    minute: float | None = None

    def of(self, tokens: Mapping[str, int], seconds: float) -> float | None:
        """In US dollars; None if something of it has no price."""
        if not tokens.keys() <= self.tokens.keys() or (seconds and self.minute is None):
            return None
        return sum(count * self.tokens[kind] for kind, count in tokens.items()) / 1e6 + seconds / 60 * (
            self.minute or 0.0
        )


class Prices:
    """A list of prices, in US dollars. as_of: when they held. A dated snapshot of a model costs what the model does."""

    def __init__(self, models: Mapping[str, Price] | None = None, as_of: date | None = None) -> None:
        self._models = dict(models or {})
        self.as_of = as_of
        self._missed: set[str] = set()

    def name(self, model: str) -> str:
        """The name under which the list has the model; "other" if it has not."""
        if model in self._models:
            return model
        base = _SNAPSHOT.sub("", model)
        return base if base in self._models else "other"

    def cost(self, model: str, tokens: Mapping[str, int], seconds: float = 0.0) -> float | None:
        """What was used, in US dollars; None if nothing was, or it has no price. Logged once for each such model."""
        if not tokens and not seconds:
            return None
        price = self._models.get(self.name(model))
        cost = None if price is None else price.of(tokens, seconds)
        if cost is None and model not in self._missed and len(self._missed) < MOST_LOGGED:
            self._missed.add(model)
            logger.warning("no price for a model: its tokens are counted, its cost is not", model=model)
        return cost
