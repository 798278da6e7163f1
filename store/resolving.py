"""The addresses of a host's name, without waiting for ever: the system's resolver keeps to no limit of ours.

One that has no answer takes 5 s for each of its servers and search domains, twice: longer than a process may be silent.
May import: the standard library.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

# A family and an address, as socket.connect takes it.
Target = tuple[int, tuple[Any, ...]]
_UNDER_WAY: dict[tuple[str, int], Future[list[Target]]] = {}
_LOCK = threading.Lock()


def resolve(host: str, port: int, limit_s: float) -> list[Target]:
    """The addresses for TCP, in the resolver's order. Blocks for limit_s at most.

    Who asks for what is being looked up waits for the same answer: a resolver that hangs holds one thread for a name.
    Raises: TimeoutError, OSError, UnicodeError for what is no name.
    """
    key = host, port
    with _LOCK:
        if (asked := _UNDER_WAY.get(key)) is None:
            asked = _UNDER_WAY[key] = Future()
            try:
                # Nobody waits for this thread, not even the end of the process.
                threading.Thread(target=_look_up, args=(host, port, asked), name="resolve", daemon=True).start()
            except (RuntimeError, MemoryError) as error:  # no memory or process limit is left for another thread
                del _UNDER_WAY[key]
                raise OSError(str(error)) from None
    try:
        return asked.result(limit_s)
    except TimeoutError:
        raise TimeoutError("the resolver does not answer") from None


def _look_up(host: str, port: int, asked: Future[list[Target]]) -> None:
    found: list[Target] = []
    why: BaseException | None = None
    try:
        found = [(each[0], each[4]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits
        why = error
    with _LOCK, suppress(KeyError):
        del _UNDER_WAY[host, port]
    if why is None:
        asked.set_result(found)
    else:
        asked.set_exception(why)
