"""Which hosts a tool may reach: by name, and by every address that the name has at this moment.

The address that was checked is the one that is connected to, so that a name cannot change in between.
May import: the standard library.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
# Names that are looked up at a time. The system's look-up cannot be cut short: one that hangs keeps its thread.
MOST_LOOKUPS = 64
# IPv6 ranges that hold an IPv4 address in their last 32 bits: NAT64 (RFC 6052), IPv4-compatible (RFC 4291).
# The only IPv6 addresses that are handed out; what else there is, is for networks' own use.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Public by their number, and within every machine of a cloud: metadata (Oracle), wire server (Azure).
_OF_CLOUDS = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("168.63.129.16/32"))
_HOLDS_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))


class NotAllowed(Exception):
    """The host, or an address of it, may not be reached."""


class NoAddress(Exception):
    """The name could not be resolved in time."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name, in the system's order. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class NameLookups:
    """Looks names up, each on a thread of its own however many ask for it.

    So one that hangs holds up neither the others nor the end of the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], Future[Sequence[str]]] = {}

    def ask(self, resolve: Resolve, host: str, port: int, limit_s: float) -> Sequence[str]:
        """Raises: NoAddress, and what resolve raises."""
        key = host, port
        with self._lock:
            asked = self._asked.get(key)
            if asked is None:
                if len(self._asked) >= MOST_LOOKUPS:
                    raise NoAddress("too many names are being looked up")
                asked = Future()
                thread = threading.Thread(target=self._look_up, args=(asked, resolve, key), name="resolve", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no further thread can be started
                    raise NoAddress("no thread to look a name up") from None
                self._asked[key] = asked
        try:
            return asked.result(limit_s)
        except FutureTimeout:
            raise NoAddress(f"{host} was not resolved in time") from None

    def _look_up(self, asked: Future[Sequence[str]], resolve: Resolve, key: tuple[str, int]) -> None:
        try:
            found = resolve(*key)
        except BaseException as error:  # noqa: BLE001 - raised by whoever asks
            self._over(key)
            asked.set_exception(error)
        else:
            self._over(key)
            asked.set_result(found)

    def _over(self, key: tuple[str, int]) -> None:
        # Before the answer is given: whoever asks after it is looked up anew.
        with self._lock:
            del self._asked[key]


@dataclass(frozen=True, slots=True)
class HostGuard:
    """hosts: patterns of names that tools may reach ("*.example.com"); empty for any public one.

    private: names that may have addresses within the deployment's own network; each must be written out.
    resolve: see above; blocks.
    """

    hosts: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    resolve: Resolve = resolve
    _lookups: NameLookups = field(default_factory=NameLookups, repr=False)

    def admits(self, host: str) -> bool:
        """Whether the name is allowed, as far as can be told without resolving it."""
        host = host.lower().rstrip(".")
        if host in self.private:
            return True
        if self.is_private(host):
            return False
        return not self.hosts or any(fnmatchcase(host, each.lower()) for each in self.hosts)

    def is_private(self, host: str) -> bool:
        """Whether a name is one of the deployment's own network, as far as can be told without resolving it."""
        host = host.lower().rstrip(".")
        return host in self.private or host == "localhost" or host.endswith(".localhost") or not _may_be_public(host)

    def addresses(self, host: str, port: int, limit_s: float) -> Sequence[str]:
        """The addresses of the host, all of which may be connected to. Raises: NotAllowed, NoAddress."""
        name = host.lower().rstrip(".")
        if not self.admits(name):
            raise NotAllowed(f"{host} is not among the hosts that tools may reach")
        try:
            found = self._lookups.ask(self.resolve, host, port, limit_s)
        except (OSError, UnicodeError):
            raise NoAddress(f"{host} cannot be resolved") from None
        if not found:
            raise NoAddress(f"{host} has no address")
        if name not in self.private:
            for each in found:
                if not is_public(ipaddress.ip_address(each.partition("%")[0])):
                    raise NotAllowed(f"{host} has a private address")
        return found


def _may_be_public(host: str) -> bool:
    try:
        return is_public(ipaddress.ip_address(host))
    except ValueError:
        return True  # a name: its addresses are checked when it is used


def is_public(address: IpAddress) -> bool:
    """Whether an address belongs to the public Internet, also as IPv6 writes those of IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in each for each in _HOLDS_IPV4):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in each for each in _OF_CLOUDS if each.version == address.version)
    )
