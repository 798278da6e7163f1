"""Inherited sockets and status notifications, by the protocol of systemd (sd_listen_fds, sd_notify).

The worker supervisor (gateway/workers.py) uses the same protocol with its workers.
May import: actors.metrics, loguru, the standard library.
Rules from: sd_notify(3), sd_listen_fds(3), docs/specs/reliability.md 4.4.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from loguru import logger

from actors.metrics import TIMERS_FLOORED

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"
STATUS = "STATUS="
# How often the status is sent if no watchdog is set.
STATUS_PERIOD_S = 10.0
# The shortest interval of them, however short the watchdog's: they must not keep the loop busy.
BEAT_FLOOR_S = 0.1
# Asks for 30 s more to stop; repeated during a drain.
EXTEND = "EXTEND_TIMEOUT_USEC=30000000"
EXTEND_PERIOD_S = 10.0
FIRST_HANDED_FD = 3
# What the supervisor of workers says to one, besides what systemd would.
HURRY = b"HURRY=1\n"


class Notifier:
    """Sends status notifications to the service manager.

    peer: a connected, non-blocking socket; None: nothing is sent. watchdog_s: the silence after which the manager takes
    the process for dead; None: no watchdog.
    """

    def __init__(self, peer: socket.socket | None = None, watchdog_s: float | None = None) -> None:
        self._peer = peer
        self.watchdog_s = watchdog_s
        self._failing = False

    def tell(self, *assignments: str) -> None:
        """Send assignments, without retry. Of failures in a row the first is logged."""
        if self._peer is None:
            return
        try:
            self._peer.send("".join(f"{each}\n" for each in assignments).encode())
        except OSError as error:
            if not self._failing:
                logger.warning("status notification failed", reason=error)
            self._failing = True
        else:
            self._failing = False

    @property
    def period_s(self) -> float | None:
        """The interval of keep-alive notifications: half of the watchdog's, or its floor. None: there is no peer."""
        if self._peer is None:
            return None
        if self.watchdog_s is None:
            return STATUS_PERIOD_S
        if self.watchdog_s / 2 < BEAT_FLOOR_S:
            TIMERS_FLOORED.labels("watchdog").inc()
        return max(BEAT_FLOOR_S, self.watchdog_s / 2)

    async def extend(self) -> None:
        """Ask for more time to stop, until cancelled."""
        while self._peer is not None:
            self.tell(EXTEND)
            await asyncio.sleep(EXTEND_PERIOD_S)

    async def beat(self, look: Callable[[], Awaitable[str]]) -> None:
        """Send keep-alive notifications until cancelled. look: returns the status; while it raises, none is sent."""
        period_s = self.period_s
        while period_s is not None:
            try:
                async with asyncio.timeout(period_s):
                    status = await look()
            except Exception as error:  # noqa: BLE001 - any failure to answer must make the watchdog act
                logger.warning("keep-alive notification withheld", reason=error)
            else:
                self.tell(ALIVE, f"{STATUS}{status}")
            await asyncio.sleep(period_s)


@dataclass(frozen=True, slots=True)
class InheritedSockets:
    """The sockets a process was started with. vaic, ops: listening ones. lifeline: of a worker; HURRY on it skips the
    waits of a drain, and its end of file begins one.
    """

    notifier: Notifier = field(default_factory=Notifier)
    vaic: socket.socket | None = None
    ops: socket.socket | None = None
    lifeline: socket.socket | None = None


def sockets_of_systemd(environment: Mapping[str, str]) -> InheritedSockets:
    """What a systemd unit's environment names; nothing outside of one."""
    return InheritedSockets(_notifier(environment), _handed(environment))


def _notifier(environment: Mapping[str, str]) -> Notifier:
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return Notifier()
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    peer.setblocking(False)
    try:
        # @ marks an abstract address, which begins with a zero byte.
        peer.connect(f"\0{address[1:]}" if address[0] == "@" else address)
    except OSError as error:
        logger.warning("NOTIFY_SOCKET cannot be reached", address=address, reason=error)
        peer.close()
        return Notifier()
    asked = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return Notifier(peer, int(asked) / 1_000_000 if ours and asked.isdecimal() and int(asked) else None)


def _handed(environment: Mapping[str, str]) -> socket.socket | None:
    """The first listening socket of a .socket unit. Child processes inherit the variables: LISTEN_PID must be ours."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or environment.get("LISTEN_FDS", "0") == "0":
        return None
    os.set_inheritable(FIRST_HANDED_FD, False)
    return socket.socket(fileno=FIRST_HANDED_FD)
