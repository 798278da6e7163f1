"""Worker slots: listening sockets, opened once and inherited by each process that is started for the slot.

May import: gateway, loguru, the standard library. Rules from: docs/specs/reliability.md 4.5.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass

from loguru import logger

from gateway.addresses import naming
from gateway.settings import Settings, is_loopback
from gateway.systemd import InheritedSockets, Notifier
from gateway.vaic_endpoint import BACKLOG

# Whether the kernel distributes connections over several sockets of one port (SO_REUSEPORT); elsewhere all workers
# accept from one socket.
REUSES_PORT = sys.platform == "linux"
# Where a worker's ops endpoint is: only its supervisor asks it.
LOOPBACK = "127.0.0.1"
# The time without a notification after which a worker is taken for dead.
SILENCE_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """What each worker started for this slot inherits. number: from 1. settings: its own. vaic, ops: listening."""

    number: int
    settings: Settings
    vaic: socket.socket
    ops: socket.socket

    def describe(self, lifeline: socket.socket) -> tuple[str, tuple[int, ...]]:
        """The inherited sockets as a command line argument, and their file descriptors."""
        fds = (self.vaic.fileno(), self.ops.fileno(), lifeline.fileno())
        return ":".join(map(str, (self.number, *fds))), fds


def sockets_of_worker(described: str) -> InheritedSockets:
    """Open the sockets that `WorkerSlot.describe` named, in the worker. Its log lines carry its number from now on."""
    number, *fds = map(int, described.split(":"))
    logger.configure(extra={"worker": number})
    for fd in fds:
        os.set_inheritable(fd, False)
    vaic, ops, lifeline = (socket.socket(fileno=fd) for fd in fds)
    lifeline.setblocking(False)
    return InheritedSockets(Notifier(lifeline, SILENCE_LIMIT_S), vaic, ops, lifeline)


def open_worker_slots(settings: Settings, handed: socket.socket | None, sockets: ExitStack) -> list[WorkerSlot]:
    """Open the workers' listening sockets. Raises: OSError.

    handed: a listening socket for all workers, from systemd. sockets: closes what is opened here.
    """
    shared = handed and sockets.enter_context(handed)
    host, port = settings.listen_host, settings.port
    if shared is None and not REUSES_PORT:
        shared = sockets.enter_context(_of_vaic(host, port))
    elif shared is None and port:
        # Without SO_REUSEPORT first: otherwise another Tieline on this port would go unnoticed.
        _of_vaic(host, port).close()
    slots: list[WorkerSlot] = []
    with ExitStack() as until_bound:
        if shared is None and not port:
            # Each is bound by its number: a socket loses a port that the kernel chose when it stops to listen.
            port = until_bound.enter_context(_of_vaic(host, 0, reuse_port=True)).getsockname()[1]
        for number in range(1, settings.workers + 1):
            vaic = shared or sockets.enter_context(_of_vaic(host, port, reuse_port=True))
            port = vaic.getsockname()[1]
            with naming("TIELINE_OPS_PORT"):
                ops = sockets.enter_context(_listening(LOOPBACK, settings.ops_port and settings.ops_port + number))
            slots.append(WorkerSlot(number, _share(settings, number, port, ops.getsockname()[1]), vaic, ops))
    return slots


def check_access(handed: socket.socket, settings: Settings) -> None:
    """Check systemd's socket as Settings checks `host`: loopback only without a token. Raises: PermissionError."""
    if handed.family not in (socket.AF_INET, socket.AF_INET6):
        raise PermissionError("on the socket that systemd opened: it must be a TCP socket")
    if not settings.asks_for_token and not is_loopback(handed.getsockname()[0]):
        raise PermissionError("on the socket that systemd opened: beyond loopback TIELINE_VAIC_TOKEN is needed")


def _share(settings: Settings, number: int, port: int, ops_port: int) -> Settings:
    each, rest = divmod(settings.max_calls, settings.workers)
    calls = each + (number <= rest)
    ours = {"workers": 1, "max_calls": calls, "port": port, "ops_host": LOOPBACK, "ops_port": ops_port}
    return settings.model_copy(update=ours)


def _of_vaic(host: str, port: int, reuse_port: bool = False) -> socket.socket:
    with naming("TIELINE_HOST, TIELINE_PORT"):
        return _listening(host, port, reuse_port)


def _listening(host: str, port: int, reuse_port: bool = False) -> socket.socket:
    """A listening socket at the host's first address, IPv4 before IPv6. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server(address[:2], family=family, backlog=BACKLOG, reuse_port=reuse_port)
