"""What calls use: the services that all calls of a process share, and the bot that answers a call.

May import: actors, fsm, store, pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime

from pydantic import JsonValue

from actors.bots import OF_BEFORE, OF_START, Arrival, Bot, BotProfile, Bots, OneBot
from actors.messages.journal import JournalMessage
from actors.messages.recording import RecordingQueue
from actors.prices import Prices
from actors.spending import Spending
from actors.system.address import Address
from actors.transport.dialler import Dials
from fsm.effects import Effects
from store.call_keys import call_key

__all__ = ["Arrival", "Bot", "BotProfile", "Bots", "OneBot", "Services", "SharedServices"]


@dataclass(frozen=True, slots=True)
class SharedServices:
    """The services that all calls of a process share.

    bots: who may answer. dialler: opens sockets to the model. effects: carries out effects of tasks.
    journal: the JournalWriter's address.
    now: the wall clock, UTC. new_id: unique ids. rand: in [0, 1).
    short_of: the resource too scarce for another call, as a refusal's reason; "" if none.
    prices: what models cost. spending: what the bots have spent today. recordings: where what is recorded is handed.
    call_key: the key in the store of the call that this process has under a conversation id; see store/call_keys.py.
    """

    bots: Bots
    dialler: Dials
    effects: Effects
    journal: Address[JournalMessage]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    rand: Callable[[], float] = field(repr=False)
    short_of: Callable[[], str] = lambda: ""
    call_key: Callable[[str], str] = call_key
    prices: Prices = field(default_factory=Prices)
    spending: Spending = field(default_factory=Spending)
    recordings: RecordingQueue = field(default_factory=RecordingQueue)

    def of(self, bot: Bot) -> Services:
        """The services of a call that this bot answers."""
        before = {} if bot.profile.before_call is None else dict(bot.profile.before_call.defaults)
        shared = {each.name: getattr(self, each.name) for each in fields(SharedServices)}
        return Services(**shared, bot=bot, before=before)


@dataclass(frozen=True, slots=True)
class Services(SharedServices):
    """The services of one call. bot: the version that answers it, to its end.

    before: what the look-up before the call has found, or its defaults. start: parameters that VAIC's `start` has told.
    The call's supervisor puts both in, once.
    """

    bot: Bot = field(kw_only=True)
    before: dict[str, JsonValue] = field(kw_only=True, default_factory=dict)
    start: dict[str, JsonValue] = field(kw_only=True, default_factory=dict)

    @property
    def profile(self) -> BotProfile:
        return self.bot.profile

    def instructions(self, tasks: str) -> str:
        """The session's instructions: the profile's, the date and time, then `tasks`, the text about open tasks."""
        own = self.profile.filled(self.profile.instructions, self.before, self.start)
        return "\n\n".join(part for part in (own, self.clock(), tasks) if part)

    def greeting(self) -> str:
        """The first sentence of the call."""
        return self.profile.filled(self.profile.greeting, self.before, self.start)

    def facts(self) -> dict[str, JsonValue]:
        """What tasks know of the call from its beginning: `before.NAME` and `start.NAME`."""
        before = {f"{OF_BEFORE}{name}": value for name, value in self.before.items()}
        return before | {f"{OF_START}{name}": value for name, value in {**self.profile.start, **self.start}.items()}

    def clock(self) -> str:
        """Date and time to the minute, as the model reads them."""
        return f"Today is {self.local_now():%A, %Y-%m-%d, %H:%M} ({self.profile.time_zone.key})."

    def local_now(self) -> datetime:
        """The wall clock in the profile's time zone."""
        return self.now().astimezone(self.profile.time_zone)
