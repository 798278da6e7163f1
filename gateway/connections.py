"""Limits on connections: how many there may be, and which addresses have presented wrong tokens too often.

May import: actors.metrics, gateway.addresses, loguru, the standard library.
Rules from: docs/specs/reliability.md 2.3, 6.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from loguru import logger

from actors.metrics import AUTH_WAITS, CONNECTIONS_CUT
from gateway.addresses import counted_as

# Wrong tokens of one address until it must wait; after each further one it waits twice as long.
MAX_FAILURES = 10
FIRST_WAIT_S = 10.0
# Short for a peer whose token was corrected, and too slow for guessing.
LONGEST_WAIT_S = 300.0
# An address is forgotten after this time without a wrong token.
FORGOTTEN_S = 3600.0
# Answers (429) to an address that waits; then its connections are cut without one.
MAX_ANSWERS = 10
# Addresses that are remembered; the one that failed longest ago is forgotten first.
MAX_ADDRESSES = 4096
# Handshakes in progress; above that the oldest are dropped.
MAX_HANDSHAKES = 64
# Connections on top of those of calls: a number, and a share of the calls.
SPARE_CONNECTIONS = 32
SPARE_SHARE = 0.2
# A handshake younger than this is not dropped while there is room for connections.
GRACE_S = 0.25


@dataclass(slots=True)
class _Failures:
    """count: wrong tokens. last_s: time of the last. waits_until_s: no token is checked before. answers: sent since."""

    last_s: float
    count: int = 0
    waits_until_s: float = 0.0
    answers: int = 0


class AuthFailures:
    """Wrong tokens by address: after MAX_FAILURES it must wait, and twice as long after each further one.

    Memory is bounded: above MAX_ADDRESSES the one that failed longest ago is forgotten. now_s: monotonic.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._by_address: OrderedDict[str, _Failures] = OrderedDict()

    def failed(self, address: str) -> float:
        """Count a wrong token. Returns how long its address must wait now, in s."""
        address, now_s = counted_as(address), self._now_s()
        known = self._by_address.pop(address, None)
        if known is None or now_s - known.last_s >= FORGOTTEN_S:
            known = _Failures(now_s)
        self._by_address[address] = known
        if len(self._by_address) > MAX_ADDRESSES:
            self._by_address.popitem(last=False)
        known.count, known.last_s = known.count + 1, now_s
        if known.count < MAX_FAILURES:
            return 0.0
        wait_s = min(math.ldexp(FIRST_WAIT_S, min(known.count - MAX_FAILURES, 10)), LONGEST_WAIT_S)
        known.waits_until_s, known.answers = now_s + wait_s, 0
        AUTH_WAITS.inc()
        logger.warning("too many wrong tokens: their address has to wait", address=address, wait_s=wait_s)
        return wait_s

    def wait_s(self, address: str) -> float:
        """How long an address must wait before its tokens are checked again, in s; each answer is counted."""
        known = self._by_address.get(counted_as(address))
        if known is None or (left_s := known.waits_until_s - self._now_s()) <= 0:
            return 0.0
        known.answers += 1
        return left_s

    def is_ignored(self, address: str) -> bool:
        """Whether an address must wait and was told so MAX_ANSWERS times."""
        known = self._by_address.get(counted_as(address))
        return known is not None and known.answers >= MAX_ANSWERS and known.waits_until_s > self._now_s()

    def succeeded(self, address: str) -> None:
        """A valid token from an address that need not wait: forget its wrong ones."""
        if self._by_address:
            self._by_address.pop(counted_as(address), None)


class Connection(Protocol):
    """What is counted here, and dropped above a limit."""

    def abort(self) -> None: ...


C = TypeVar("C", bound=Connection)


class Connections(Generic[C]):
    """The open connections. max_calls: how many of them may be calls. now_s, later: the loop's clock and timers.

    Above MAX_HANDSHAKES the oldest handshakes are dropped, so slow ones cannot keep others out; not those within
    GRACE_S, since all calls of a draining process dial at once.
    """

    def __init__(
        self, max_calls: int, now_s: Callable[[], float], later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        self._capacity = round(max_calls * (1 + SPARE_SHARE)) + SPARE_CONNECTIONS + MAX_HANDSHAKES
        self._now_s, self._later = now_s, later
        self._open: set[C] = set()
        self._at_handshake: dict[C, float] = {}  # when each was accepted, in that order
        self._full = self._crowded = False

    def accepted(self, connection: C) -> bool:
        """Add a connection. False: there is no room for it."""
        if len(self._open) >= self._capacity and not self._drop_oldest():
            CONNECTIONS_CUT.labels("too_many").inc()
            if not self._full:
                self._full = True
                logger.warning("too many connections: new ones are dropped", connections=self._capacity)
            return False
        self._full = False
        self._open.add(connection)
        self._at_handshake[connection] = self._now_s()
        if len(self._at_handshake) > MAX_HANDSHAKES and not self._crowded:
            self._crowded = True
            self._later(GRACE_S, self._drop_slow)
        return True

    def _drop_slow(self) -> None:
        before, dropped = self._now_s() - GRACE_S, 0
        while len(self._at_handshake) > MAX_HANDSHAKES and next(iter(self._at_handshake.values())) <= before:
            dropped += self._drop_oldest()
        if dropped:
            logger.warning("too many handshakes: the oldest were dropped", dropped=dropped)
        self._crowded = len(self._at_handshake) > MAX_HANDSHAKES
        if self._crowded:
            self._later(GRACE_S, self._drop_slow)

    def _drop_oldest(self) -> bool:
        oldest = next(iter(self._at_handshake), None)
        if oldest is None:
            return False
        self.closed(oldest)
        CONNECTIONS_CUT.labels("slow_handshake").inc()
        oldest.abort()
        return True

    def opened(self, connection: C) -> None:
        """The handshake of a connection is done."""
        self._at_handshake.pop(connection, None)

    def closed(self, connection: C) -> None:
        """Remove a connection."""
        self.opened(connection)
        self._open.discard(connection)

    def all(self) -> list[C]:
        return list(self._open)

    def __len__(self) -> int:
        return len(self._open)
