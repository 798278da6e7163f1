"""What the bots with a budget have spent today: by the store, and in the calls that this process has.

For any thread: each assignment replaces a whole.
May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

_NOTHING: Mapping[str, float] = MappingProxyType({})


class Spending:
    """watched: the bots with a budget a day, by name, and the time zone of that day.

    The calls of other processes count once they have ended.
    """

    __slots__ = ("_live", "_stored", "watched")

    def __init__(self) -> None:
        self.watched: Mapping[str, ZoneInfo] = {}
        self._stored: Mapping[str, float] = _NOTHING
        self._live: dict[str, dict[str, float]] = {}

    def watch(self, bot: str, zone: ZoneInfo) -> None:
        """Have what this bot has spent today read: it has a budget. From the loop."""
        if self.watched.get(bot) != zone:
            self.watched = {**self.watched, bot: zone}

    def read(self, stored: Mapping[str, float]) -> None:
        """What the ended calls of today have cost, in US dollars, by the watched bots."""
        self._stored = dict(stored)

    def costs(self, bot: str, conversation_id: str, usd: float) -> None:
        """What a call that goes on has cost so far. From the loop, as the rest."""
        if bot in self.watched:
            self._live.setdefault(bot, {})[conversation_id] = usd

    def over(self, bot: str, conversation_id: str) -> None:
        """The call has ended, or left."""
        if bot in self._live:
            self._live[bot].pop(conversation_id, None)

    def today(self, bot: str) -> float:
        """In US dollars."""
        return self._stored.get(bot, 0.0) + sum(self._live.get(bot, _NOTHING).values())
