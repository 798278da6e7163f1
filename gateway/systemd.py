"""What a process is given by whoever started it, and how it tells how it fares: in systemd's words.

Workers are told of in the same words by the process that keeps them (gateway/workers.py).
May import: loguru, the standard library. Rules from: sd_notify(3), sd_listen_fds(3), docs/specs/reliability.md 4.4.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from loguru import logger

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"
STATUS = "STATUS="
# How often the status is told where no watchdog asks for more.
STATUS_PERIOD_S = 10.0
# Leaving may take so long more, told so often.
EXTEND, EXTEND_EVERY_S = "EXTEND_TIMEOUT_USEC=30000000", 10.0
FIRST_HANDED_FD = 3


class Notifier:
    """Where to tell how this process fares; nowhere, when nobody asked.

    peer: connected, not blocking; its listener reads lines. watchdog_s: whoever is silent for longer is taken for dead.
    """

    def __init__(self, peer: socket.socket | None = None, watchdog_s: float | None = None) -> None:
        self._peer = peer
        self.watchdog_s = watchdog_s

    def tell(self, *assignments: str) -> None:
        """Tell, once; what cannot be told now is not told later."""
        if self._peer is None:
            return
        try:
            self._peer.send("".join(f"{each}\n" for each in assignments).encode())
        except OSError as error:
            logger.warning("how we fare could not be told", reason=str(error))

    @property
    def period_s(self) -> float | None:
        """How often to say that we are alive: twice within what the watchdog allows. None: nobody wants to know."""
        if self._peer is None:
            return None
        return STATUS_PERIOD_S if self.watchdog_s is None else self.watchdog_s / 2

    async def extend(self) -> None:
        """Say, again and again, that leaving takes its time."""
        while self._peer is not None:
            self.tell(EXTEND)
            await asyncio.sleep(EXTEND_EVERY_S)

    async def beat(self, look: Callable[[], Awaitable[str]]) -> None:
        """Say that we are alive, again and again, for as long as a look says how we fare. look: may raise anything."""
        period_s = self.period_s
        while period_s is not None:
            try:
                async with asyncio.timeout(period_s):
                    status = await look()
            except Exception as error:  # noqa: BLE001 - whatever keeps us from answering, the watchdog is to hear of it
                logger.warning("no sign of life is given", reason=repr(error))
            else:
                self.tell(ALIVE, f"{STATUS}{status}")
            await asyncio.sleep(period_s)


@dataclass(frozen=True, slots=True)
class InheritedSockets:
    """What a process was given. vaic, ops: listening sockets. lifeline: reads as ended when this process is to end."""

    notifier: Notifier = field(default_factory=Notifier)
    vaic: socket.socket | None = None
    ops: socket.socket | None = None
    lifeline: socket.socket | None = None


def sockets_of_systemd(environment: Mapping[str, str]) -> InheritedSockets:
    """What stands in a unit's environment; nothing, outside of one."""
    return InheritedSockets(_notifier(environment), _handed(environment))


def _notifier(environment: Mapping[str, str]) -> Notifier:
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return Notifier()
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    peer.setblocking(False)
    try:
        # An address with @ is in no folder: the kernel writes it with a zero byte.
        peer.connect(f"\0{address[1:]}" if address[0] == "@" else address)
    except OSError as error:
        logger.warning("nobody is there to be told how we fare", address=address, reason=str(error))
        peer.close()
        return Notifier()
    asked = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return Notifier(peer, int(asked) / 1_000_000 if ours and asked.isdecimal() and int(asked) else None)


def _handed(environment: Mapping[str, str]) -> socket.socket | None:
    """The first listening socket of a .socket unit. The variables are inherited on; the process id says whose."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or environment.get("LISTEN_FDS", "0") == "0":
        return None
    os.set_inheritable(FIRST_HANDED_FD, False)
    return socket.socket(fileno=FIRST_HANDED_FD)
