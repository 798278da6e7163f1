"""What a call may cost, and its bot in a day: when that is spent.

Pure state. May import: actors.bots, actors.call.figures, actors.spending, the standard library.
"""

from __future__ import annotations

from actors.bots import BotProfile
from actors.call.figures import Spent
from actors.spending import Spending


class CostLimit:
    """The budget of one call. spent: what it has used so far. spending: of all calls that the bot has in a day.

    since_ms: when its end was found to be due; None while it is not.
    """

    __slots__ = ("_bot", "_conversation_id", "_profile", "_spending", "_spent", "since_ms")

    def __init__(self, conversation_id: str, bot: str, profile: BotProfile, spent: Spent, spending: Spending) -> None:
        self._conversation_id = conversation_id
        self._bot = bot
        self._profile = profile
        self._spent = spent
        self._spending = spending
        self.since_ms: float | None = None
        if profile.max_cost_usd_per_day:
            spending.watch(bot, profile.time_zone)

    def newly_spent(self, now_ms: float) -> str:
        """Which budget is spent, the first time that one is; "" if none is, or it was told."""
        if self.since_ms is not None:
            return ""
        of_call = self._spent.cost_usd or 0.0
        self._spending.costs(self._bot, self._conversation_id, of_call)
        most, most_a_day = self._profile.max_cost_usd, self._profile.max_cost_usd_per_day
        which = ""
        if most and of_call >= most:
            which = "call"
        elif most_a_day and self._spending.today(self._bot) >= most_a_day:
            which = "day"
        if which:
            self.since_ms = now_ms
        return which

    def close(self) -> None:
        """The call has ended here: its record tells from now on what it has cost."""
        self._spending.over(self._bot, self._conversation_id)
