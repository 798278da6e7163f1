"""Which bot takes which call, by routes.toml.

May import: gateway.bots, actors.bots, protocols, the standard library.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from urllib.parse import unquote

from actors.bots import Arrival
from gateway.bots.faults import BotFault, Source
from gateway.bots.schema import RouteSection, RoutesToml
from protocols.caller_id import digits_of, e164

# The path under which every bot can be reached without a route.
BOTS_PATH = "/bots/"
# Not a secret: it keeps the shares of one split apart from other uses of the same hash.
_SPLIT_KEY = b"tieline.split"


@dataclass(frozen=True, slots=True)
class Route:
    """One route. path, bot_name, dialled: what must be so, "" for anything; dialled may end in *.

    shares: of the bots that take its calls, together 1. region: see protocols.caller_id.e164.
    """

    shares: Mapping[str, float]
    path: str = ""
    bot_name: str = ""
    dialled: str = ""
    region: str = ""

    @classmethod
    def of(cls, section: RouteSection, region: str) -> Route:
        shares = section.split or {str(section.bot): 1.0}
        return cls(shares, plain_path(section.path or ""), section.bot_name or "", section.dialled or "", region)

    def fits(self, path: str, arrival: Arrival) -> bool:
        return (
            self.path in ("", path)
            and self.bot_name in ("", arrival.bot_name)
            and (not self.dialled or dials(self.dialled, arrival.dialled, self.region))
        )

    def bot(self, arrival: Arrival) -> str:
        """The bot that takes a call: the same for every call of a caller, or of a conversation without a number."""
        *most, last = self.shares
        if not most:
            return last
        # However the number is written; and no number is not one that all its callers share.
        at = _fraction(e164(arrival.caller, self.region) or arrival.conversation_id, self.shares)
        # A share that grows takes callers from its neighbours, and gives none up.
        bounds = accumulate(self.shares.values())
        return next((name for name, bound in zip(self.shares, bounds, strict=True) if at < bound), last)


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes of a process, in order."""

    routes: tuple[Route, ...] = ()

    @classmethod
    def of(cls, toml: RoutesToml, region: str = "") -> Routes:
        """region: as in Route."""
        return cls(tuple(Route.of(each, region) for each in toml.route))

    def asks_dialled(self, arrival: Arrival) -> bool:
        """Whether it depends on the dialled number who takes a call, and the number is not known yet."""
        path = _without_end(arrival.path)
        if arrival.dialled or self._names_bot(path):
            return False
        first = next((route for route in self.routes if replace(route, dialled="").fits(path, arrival)), None)
        return first is not None and bool(first.dialled)

    def _names_bot(self, path: str) -> bool:
        return path.startswith(BOTS_PATH) and not any(route.path == path for route in self.routes)

    def choose(self, arrival: Arrival, bots: Collection[str]) -> str | None:
        """The name of the bot that takes a call; None if there is none for it. bots: the names of those there are.

        A path under /bots/ names its bot, also where routes have other conditions. Without routes the only bot takes
        every call, whatever variants of it there are, or the one whose name VAIC gives.
        """
        path = _without_end(arrival.path)
        if self._names_bot(path):
            name = path.removeprefix(BOTS_PATH)
            return name if name in bots else None
        for route in self.routes:
            if route.fits(path, arrival):
                return route.bot(arrival)
        if self.routes:
            return None
        if arrival.bot_name in bots:
            return arrival.bot_name
        own = [name for name in bots if "@" not in name]
        only = own if len(own) == 1 else list(bots)
        return only[0] if len(only) == 1 else None


def plain_path(path: str) -> str:
    """A path as it stands in a URL, without query, escapes and the slash at its end."""
    return _without_end(unquote(path.partition("?")[0]))


def _without_end(path: str) -> str:
    """A path that has no escapes any more, without the slash at its end."""
    return path.rstrip("/") or "/" if path else ""


def dials(pattern: str, number: str, region: str = "") -> bool:
    """Whether a number is the one that a pattern gives, or begins as it does where it ends in *.

    number: in any usual form, or a tel: or sip: URI; of an extension, its digits. region: of national numbers.
    """
    forms = {each.removeprefix("+") for each in (digits_of(number), e164(number, region))} - {""}
    wanted = pattern.removeprefix("+")
    if wanted.endswith("*"):
        return any(each.startswith(wanted[:-1]) for each in forms)
    return wanted in forms or e164(pattern, region).removeprefix("+") in forms


def _fraction(sticky: str, shares: Mapping[str, float]) -> float:
    """Where in [0, 1) a caller stands in a split; of other bots elsewhere, of other shares the same."""
    message = "\0".join((*sorted(shares), sticky)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hmac.digest(_SPLIT_KEY, message, hashlib.sha256)[:7], "big") / 2**56


def faults_of_routes(toml: RoutesToml, source: Source, bots: Sequence[str]) -> list[BotFault]:
    """What is wrong with routes beside the bots that there are: unknown ones, and routes that no call reaches."""
    found = []
    default: int | None = None
    for number, section in enumerate(toml.route):
        path = ("route", number)
        unknown = [name for name in section.split or () if name not in bots]
        found += [source.fault((*path, "split", name), _no_bot(name, bots)) for name in unknown]
        if section.bot is not None and section.bot not in bots:
            found.append(source.fault((*path, "bot"), _no_bot(section.bot, bots)))
        if default is not None:
            found.append(source.fault(path, f"no call comes so far: route {default + 1} takes them all; put that last"))
        elif section.default:
            default = number
    return found


def _no_bot(name: str, bots: Sequence[str]) -> str:
    return f'there is no bot "{name}"; there are {", ".join(bots) or "none"}'
