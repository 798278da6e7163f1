"""Addresses: a client's, also behind trusted proxies; what counts as one; which settings name one that is taken.

May import: the standard library. Rules from: docs/specs/reliability.md 6.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# The smallest IPv6 network that a subscriber gets.
IPV6_PREFIX = 64


def networks(text: str) -> tuple[Network, ...]:
    """Networks or addresses, separated by commas. Raises: ValueError."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


def is_within(address: str, trusted: Sequence[Network]) -> bool:
    found = _parsed(address)
    return found is not None and any(found in each for each in trusted)


def client_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address of a request's client: the peer's, or the one that trusted proxies name.

    forwarded: the X-Forwarded-For headers, in order. Each proxy appends its own peer, so they are read from their end,
    as far as the writer of an entry is trusted; anybody may have invented what stands before that, or is no address.
    """
    address = peer
    hops = [each.strip() for header in forwarded for each in header.split(",")]
    while hops and is_within(address, trusted):
        following = _parsed(hops.pop())
        if following is None:
            break
        address = str(following)
    return address


def counted_as(address: str) -> str:
    """What counts as one address: for IPv6 a /64 network, because a subscriber owns all of it."""
    found = _parsed(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(found), IPV6_PREFIX), strict=False))
    return address if found is None else str(found)


def _parsed(text: str) -> _Address | None:
    """An address; some proxies add a port. IPv4 within IPv6 is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


@contextmanager
def naming(variables: str) -> Iterator[None]:
    """Say which settings name the address that cannot be listened at."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{variables}: {error.strerror or error}") from None
