"""What happens in a soak, and when: drawn from a seed, so that a run can be repeated.

Pure. May import: tests.faults.flooder (the names of the floods), the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Literal, TypeVar

from tests.faults.flooder import FLOODS

# What a database does to all processes: it is frozen, it is stopped and started, its connections are reset and refused,
# or nothing arrives on them any more.
OutageKind = Literal["paused", "stopped", "cut", "dark"]
OUTAGES: tuple[OutageKind, ...] = ("paused", "stopped", "cut", "dark")
Clock = Literal["first", "last", "database"]
CLOCKS: tuple[Clock, ...] = ("first", "last", "database")
FloodSide = Literal["door", "call", "model"]
FLOOD_SIDES: tuple[FloodSide, ...] = ("door", "call", "model")
LONGEST_STEP_S = 7200.0
# Shorter soaks have less of everything that lasts.
LONG_S = 600.0
SHORTEST_OUTAGE_S, LONGEST_OUTAGE_S, LONGEST_OUTAGE_OF_SHORT_S = 5.0, 120.0, 12.0
BY_ERROR = ("bug", "exit", "interrupt")
# Nobody but its supervisor tells a VaicSocket to stop.
CRASHES = (
    *(("VaicSocket", way) for way in (*BY_ERROR, "full")),
    *((kind, way) for kind in ("OpenAISocket", "CallSupervisor", "FsmAgent") for way in (*BY_ERROR, "full", "stop")),
)
LINK_FAULTS = 6
# The journal's writer serves all calls, and may fail ten times a minute: every so many crashes it does.
WRITER_EVERY = 60
# Columns that PostgreSQL would let another program damage, with what it writes there, as SQL.
_NO_OBJECT = ("'[1]'", "'7'", "'null'", "'\"text\"'")
_NO_TIME = ("'infinity'", "'-infinity'", "'0044-03-15 BC'")
DAMAGE: tuple[tuple[str, str, str], ...] = (
    *(("call_event", "body", each) for each in _NO_OBJECT),
    *(("call_event", "at", each) for each in _NO_TIME),
    ("call_event", "kind", "'zzz'"),
    *(("lease", "opening", each) for each in _NO_OBJECT),
    *(("lease", column, each) for column in ("lease_until", "touched_at") for each in _NO_TIME),
    *(("lease", column, "'zzz'") for column in ("status", "credential", "node")),
    ("lease", "epoch", "99"),
    *(("effect", column, each) for column in ("slots", "facts", "values") for each in _NO_OBJECT),
    *(("effect", column, each) for column in ("intended_at", "settled_at") for each in _NO_TIME),
    ("effect", "status", "'zzz'"),
    *(("call", "record", each) for each in _NO_OBJECT),
    *(("call", "ended_at", each) for each in _NO_TIME),
)


@dataclass(frozen=True, slots=True)
class Outage:
    how: OutageKind
    for_s: float


@dataclass(frozen=True, slots=True)
class Damage:
    """A value written into a column. pick: which row, in [0, 1)."""

    table: str
    column: str
    garbage: str
    pick: float


@dataclass(frozen=True, slots=True)
class Flood:
    """kind: of FLOODS. last: at the last process; else at the first. settles: a model's, once it is configured."""

    side: FloodSide
    kind: str
    last: bool
    settles: bool


@dataclass(frozen=True, slots=True)
class ClockStep:
    """A clock is set so far ahead of the true time: a process's own, or the database's."""

    clock: Clock
    ahead_s: float


@dataclass(frozen=True, slots=True)
class Crash:
    actor: str
    way: str


@dataclass(frozen=True, slots=True)
class LinkFault:
    """Of a socket of the first process. how: below LINK_FAULTS. pick: which one, in [0, 1)."""

    side: Literal["vaic", "model"]
    how: int
    pick: float


@dataclass(frozen=True, slots=True)
class Move:
    """The callers' new sockets lead to this process from now on. last: the last one; else the first."""

    last: bool


Made = TypeVar("Made")
Fault = Outage | Damage | Flood | ClockStep | Crash | LinkFault | Move


def plan(seed: int, seconds: float) -> list[tuple[float, Fault]]:
    """What happens in a soak of this length, each with its time in s, in order. Outages are over before its end."""
    outages = list(_outages(Random(f"{seed} outages"), seconds))

    def store_is_there(at_s: float) -> bool:
        # Some seconds more: a process that has found its database again is not ready in the same moment.
        return not any(began_s - 1 <= at_s <= began_s + outage.for_s + 10 for began_s, outage in outages)

    def of_kind(name: str, every_s: float, make: Callable[[Random, int], Made]) -> Iterator[tuple[float, Made]]:
        chance, at_s = Random(f"{seed} {name}"), 0.0
        for number in count(1):
            at_s += chance.uniform(0.5, 1.5) * every_s
            if at_s >= seconds:
                return
            yield at_s, make(chance, number)

    events: list[tuple[float, Fault]] = [
        *outages,
        *((at_s, each) for at_s, each in of_kind("damage", 2, _damage) if store_is_there(at_s)),
        *((at_s, each) for at_s, each in of_kind("floods", 5, _flood) if store_is_there(at_s) or each.side == "door"),
        *of_kind("steps", 8, _step),
        *of_kind("crashes", 1.5, _crash),
        *of_kind("links", 3, _link_fault),
        *of_kind("moves", 6, lambda chance, _: Move(chance.random() < 0.5)),
    ]
    return sorted(events, key=lambda each: each[0])


def _outages(chance: Random, seconds: float) -> Iterator[tuple[float, Outage]]:
    at_s, longest_s = 0.0, LONGEST_OUTAGE_OF_SHORT_S if seconds < LONG_S else LONGEST_OUTAGE_S
    for number in count():
        at_s += chance.uniform(1, 2) * (6 if seconds < LONG_S else 15)
        # As many short ones as long ones.
        for_s = SHORTEST_OUTAGE_S * (longest_s / SHORTEST_OUTAGE_S) ** chance.random()
        if at_s + for_s >= seconds:
            return
        yield at_s, Outage(OUTAGES[(number + chance.randrange(2)) % len(OUTAGES)], for_s)
        at_s += for_s + 10


def _damage(chance: Random, _: int) -> Damage:
    table = chance.choice(("call_event", "lease", "effect", "call"))
    column, garbage = chance.choice([(column, garbage) for each, column, garbage in DAMAGE if each == table])
    return Damage(table, column, garbage, chance.random())


def _flood(chance: Random, number: int) -> Flood:
    side = FLOOD_SIDES[number % len(FLOOD_SIDES)]
    return Flood(
        side,
        chance.choice(sorted(FLOODS)),
        last=side != "model" and chance.random() < 0.5,
        settles=chance.random() < 0.5,
    )


def _step(chance: Random, number: int) -> ClockStep:
    return ClockStep(CLOCKS[number % len(CLOCKS)], chance.uniform(-LONGEST_STEP_S, LONGEST_STEP_S))


def _crash(chance: Random, number: int) -> Crash:
    if number % WRITER_EVERY == 0:
        return Crash("JournalWriter", chance.choice(BY_ERROR))
    return Crash(*chance.choice(CRASHES))


def _link_fault(chance: Random, _: int) -> LinkFault:
    return LinkFault(chance.choice(("vaic", "model")), chance.randrange(LINK_FAULTS), chance.random())
