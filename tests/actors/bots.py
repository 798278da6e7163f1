"""Bots that a test makes, and what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

from actors.bots import AfterCall, Arrival, Bot, BotProfile, ModelSettings
from fsm.effects import EffectRequest, EffectResult, Remote
from fsm.spec import AgentSpec
from protocols.realtime.objects import Transcription
from tests.fsm.tables import table


def a_bot(name: str, digest: str = "1") -> Bot:
    """A bot without tasks, whose greeting says its name and version."""
    profile = BotProfile(
        instructions="Be kind.",
        greeting=f"{name} {digest}",
        model=ModelSettings("marin", Transcription(model="whisper-1")),
        time_zone=ZoneInfo("Europe/Berlin"),
        agents={},
    )
    return Bot(name, digest, profile)


def telling(name: str, send: Callable[[EffectRequest], EffectResult]) -> Bot:
    """A bot without tasks that tells of its calls by this, without their words."""
    bot = a_bot(name)
    hook = AfterCall("crm.ended", send, longest_s=6.0, words=False)
    return replace(bot, profile=replace(bot.profile, region="DE", after_call=hook))


class Folders:
    """Bots of these names. The path "/NAME" leads to one, "/" to the first.

    present_bots: by name. versions: those that can be had, and asked: those that were asked for, by name and digest.
    arrivals: for which a bot was chosen. numbers: whose bot by the number dialled. by_number: which therefore counts.
    store_errors: of the next questions for a version. broken: no bot can be chosen any more, by a bug.
    """

    def __init__(self, *names: str) -> None:
        self.present_bots = {name: a_bot(name) for name in names}
        self.versions: dict[tuple[str, str], Bot] = {}
        self.arrivals: list[Arrival] = []
        self.asked: list[tuple[str, str]] = []
        self.numbers: dict[str, str] = {}
        self.by_number = self.broken = False
        self.store_errors: list[Exception] = []

    def choose(self, arrival: Arrival) -> Bot | None:
        self.arrivals.append(arrival)
        if self.broken:
            raise ZeroDivisionError
        name = self.numbers.get(arrival.dialled) or arrival.path.removeprefix("/") or next(iter(self.present_bots), "")
        return self.present_bots.get(name)

    def profiles(self) -> list[BotProfile]:
        return [bot.profile for bot in self.present_bots.values()]

    def asks_dialled(self, arrival: Arrival) -> bool:
        return self.by_number and not arrival.dialled

    def present(self, name: str) -> Bot | None:
        return self.present_bots.get(name)

    def version(self, name: str, digest: str) -> Bot | None:
        if self.store_errors:
            raise self.store_errors.pop()
        self.asked.append((name, digest))
        return self.versions.get((name, digest))


class OneWith:
    """One bot with these tasks, whatever name and version it is asked for by."""

    def __init__(self, agents: Mapping[str, AgentSpec]) -> None:
        made = a_bot("practice", "")
        self.bot = replace(made, profile=replace(made.profile, agents=agents))

    def choose(self, arrival: Arrival) -> Bot:
        return self.bot

    def profiles(self) -> tuple[BotProfile, ...]:
        return (self.bot.profile,)

    def asks_dialled(self, arrival: Arrival) -> bool:
        return False

    def present(self, name: str) -> Bot:
        return self.bot

    def version(self, name: str, digest: str) -> Bot:
        return self.bot


def baking(name: str, digest: str, do: Callable[[EffectRequest], EffectResult]) -> Bot:
    """A version of a bot whose task has a remote effect pizza.bake."""
    spec = table(effects={"pizza.bake": Remote(do, recover="retry")})
    bot = a_bot(name, digest)
    return replace(bot, profile=replace(bot.profile, agents={spec.name: spec}))
