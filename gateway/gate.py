"""Who stands before the door: how many connections there may be, and who has guessed tokens too often.

Whoever shows a valid token is let through whatever others at his address do: many callers may share one.
May import: actors.metrics, loguru, the standard library. Rules from: docs/specs/reliability.md 2.3, 6.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from loguru import logger

from actors.metrics import CONNECTIONS_CUT

# An address may fail so often within the period, and is then told to wait for as long.
MOST_FAILURES, PERIOD_S = 10, 60.0
# Addresses that are kept in mind; those that failed longest ago are forgotten first.
MOST_ADDRESSES = 4096
# Handshakes that may be under way at once, and connections beside those of calls.
MOST_HANDSHAKES, SPARE_CONNECTIONS, SPARE_SHARE = 64, 32, 0.2
# A handshake has so long, however many there are, while there is room for connections.
GRACE_S = 0.25


@dataclass(slots=True)
class _Failures:
    since_s: float
    count: int = 0


class Failures:
    """Failed authentications by address, in periods that begin with the first. now_s: monotonic."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._by_address: OrderedDict[str, _Failures] = OrderedDict()

    def failed(self, address: str) -> bool:
        """Another failure. Returns whether there were too many: the address is to wait for PERIOD_S."""
        now_s = self._now_s()
        known = self._by_address.pop(address, None)
        if known is None or now_s - known.since_s >= PERIOD_S:
            known = _Failures(now_s)
        self._by_address[address] = known
        if len(self._by_address) > MOST_ADDRESSES:
            self._by_address.popitem(last=False)
        known.count += 1
        if known.count <= MOST_FAILURES:
            return False
        if known.count == MOST_FAILURES + 1:
            known.since_s = now_s  # it waits from now on
            logger.warning("an address has shown too many bad tokens", address=address, wait_s=PERIOD_S)
        return True


class Cut(Protocol):
    """A connection."""

    def abort(self) -> None: ...


C = TypeVar("C", bound=Cut)


class Connections(Generic[C]):
    """Those that are open. most_calls: how many of them may be calls. now_s, later: the loop's clock and timers.

    Of handshakes the oldest give way: whoever is slow on purpose keeps nobody out. Not those that have only just come:
    the calls of a process that leaves all dial at once.
    """

    def __init__(
        self, most_calls: int, now_s: Callable[[], float], later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._most = round(most_calls * (1 + SPARE_SHARE)) + SPARE_CONNECTIONS + MOST_HANDSHAKES
        self._now_s, self._later = now_s, later
        self._open: set[C] = set()
        self._at_handshake: dict[C, float] = {}  # since when, in the order in which they came
        self._full = self._crowded = False

    def came(self, connection: C) -> bool:
        """Another one. Returns whether there is room for it."""
        if len(self._open) >= self._most and not self._drop_oldest():
            CONNECTIONS_CUT.labels("too_many").inc()
            if not self._full:
                self._full = True
                logger.warning("there are too many connections: new ones are dropped", connections=self._most)
            return False
        self._full = False
        self._open.add(connection)
        self._at_handshake[connection] = self._now_s()
        if len(self._at_handshake) > MOST_HANDSHAKES and not self._crowded:
            self._crowded = True
            self._later(GRACE_S, self._thin_out)
        return True

    def _thin_out(self) -> None:
        before, dropped = self._now_s() - GRACE_S, 0
        while len(self._at_handshake) > MOST_HANDSHAKES and next(iter(self._at_handshake.values())) <= before:
            dropped += self._drop_oldest()
        if dropped:
            logger.warning("there are too many handshakes: the oldest were dropped", dropped=dropped)
        self._crowded = len(self._at_handshake) > MOST_HANDSHAKES
        if self._crowded:
            self._later(GRACE_S, self._thin_out)

    def _drop_oldest(self) -> bool:
        oldest = next(iter(self._at_handshake), None)
        if oldest is None:
            return False
        self.left(oldest)
        CONNECTIONS_CUT.labels("slow_handshake").inc()
        oldest.abort()
        return True

    def opened(self, connection: C) -> None:
        """Its handshake is done."""
        self._at_handshake.pop(connection, None)

    def left(self, connection: C) -> None:
        self.opened(connection)
        self._open.discard(connection)

    def all(self) -> list[C]:
        return list(self._open)

    def __len__(self) -> int:
        return len(self._open)
