"""One request and its reply, on a connection of its own, to an address that was checked, within a time limit.

A connection is never used twice: whether a request on an old one has arrived could not be told if it breaks.
May import: http_tools, pydantic_core, the standard library.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlsplit

from pydantic import JsonValue
from pydantic_core import from_json

from http_tools.guard import HostGuard, NoAddress, NotAllowed

MOST_BODY_BYTES = 256 * 1024
# Of a reply that images are kept of: a telephone's photograph in base64. It may be too large to be shown, but what else
# the reply tells is not lost for that.
MOST_IMAGES_BODY_BYTES = 8 * 1024 * 1024
_CHUNK = 16 * 1024
# What some servers write before JSON; a reader may pass it over (RFC 8259 8.1).
_BOM = b"\xef\xbb\xbf"
# Of the responses before the final one: how many are read, and their statuses but that of another protocol.
_MOST_INTERIM = 10
_INTERIM, _SWITCHED, _FINAL = 100, 101, 200


class Unsent(Exception):
    """Nothing of the request has reached the host: no address, no connection, no TLS."""


class Broken(Exception):
    """The request may have arrived, and there is no whole reply."""


@dataclass(frozen=True, slots=True)
class Request:
    """url: http or https, absolute. body: JSON text or a form; None for none. most_bytes: of the reply's body."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    most_bytes: int = MOST_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Reply:
    """body: parsed JSON; None if it is none. retry_after_s: as the server asks; 0 if it does not.

    content, headers: the body as it came, and the headers, in lower case.
    """

    status: int
    body: JsonValue
    retry_after_s: float = 0.0
    content: bytes = field(default=b"", repr=False, compare=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def exchange(
    request: Request,
    guard: HostGuard,
    *,
    connect_s: float,
    until_s: float,
    clock_s: Callable[[], float],
    tls: Callable[[], ssl.SSLContext] = _tls,
) -> Reply:
    """Send a request and read the reply. connect_s: the longest for name, connection and TLS together.

    until_s: on the clock; then it is given up.
    Raises: Unsent, Broken, NotAllowed.
    """
    parts = urlsplit(request.url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    now_s = clock_s()
    if now_s >= until_s:
        raise Unsent("no time is left")
    connected_s = min(until_s, now_s + connect_s)
    try:
        addresses = guard.addresses(host, port, connected_s - now_s)
    except NoAddress as error:
        raise Unsent(str(error)) from None
    wire = _connect_to_one(addresses, host, port, connected_s, clock_s, tls() if secure else None)
    # A peer that sends a byte now and then would never run into a limit of single reads.
    late = threading.Event()
    watch = threading.Timer(max(until_s - clock_s(), 0.0), _cut, (wire, late))
    watch.daemon = True
    try:
        watch.start()
        reply = _talk(wire, request, parts.netloc.rpartition("@")[2])
        if late.is_set():  # a body that ends with its connection looks whole when we cut it
            raise Broken("no whole reply in time")
        return reply
    finally:
        watch.cancel()
        wire.close()


def _connect_to_one(
    addresses: Sequence[str],
    host: str,
    port: int,
    until_s: float,
    clock_s: Callable[[], float],
    tls: ssl.SSLContext | None,
) -> socket.socket:
    """A connection to the first address that takes one. Each gets an equal share of the time that is left."""
    why = Unsent("no time is left")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        share_s = (until_s - clock_s()) / left
        if share_s <= 0:
            break
        try:
            return _connect(host, address, port, clock_s() + share_s, clock_s, tls)
        except Unsent as error:
            why = error
    raise why


def _connect(
    host: str, address: str, port: int, until_s: float, clock_s: Callable[[], float], tls: ssl.SSLContext | None
) -> socket.socket:
    try:
        wire = socket.create_connection((address, port), timeout=max(until_s - clock_s(), 0.001))
    except OSError as error:
        raise Unsent(f"no connection: {error.strerror or type(error).__name__}") from None
    if tls is None:
        wire.settimeout(None)
        return wire
    try:
        wire.settimeout(max(until_s - clock_s(), 0.001))
        secured = tls.wrap_socket(wire, server_hostname=host)
    except (OSError, ValueError) as error:  # a wrong certificate is an OSError of ssl's
        wire.close()
        raise Unsent(f"no TLS: {getattr(error, 'verify_message', '') or type(error).__name__}") from None
    secured.settimeout(None)
    return secured


def _cut(wire: socket.socket, late: threading.Event) -> None:
    late.set()
    with suppress(OSError):
        # The plain socket's: that of TLS forgets its keys at once, and what is just being sent would go out in clear.
        socket.socket.shutdown(wire, socket.SHUT_RDWR)


def _talk(wire: socket.socket, request: Request, host: str) -> Reply:
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(host)
    connection.sock = wire
    headers = {"Host": host, "Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
    try:
        connection.request(request.method, target, request.body, headers | dict(request.headers))
        response = _final(connection.getresponse())
        body = _read(response, request.most_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Broken(f"no whole reply: {type(error).__name__}") from None
    after_s = _seconds(response.headers.get("Retry-After", ""))
    return Reply(
        response.status, parsed(body), after_s, body, {name.lower(): each for name, each in response.headers.items()}
    )


def _final(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """The response after those that only announce it, like 103 Early Hints (RFC 9110 15.2)."""
    for _ in range(_MOST_INTERIM):
        if not _INTERIM <= response.status < _FINAL or response.status == _SWITCHED:
            break
        response.headers = response.msg = None  # type: ignore[assignment]  # as before the first
        response.begin()
    return response


def _read(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    found = bytearray()
    while chunk := response.read1(_CHUNK):
        found += chunk
        if len(found) > most_bytes:
            raise Broken(f"the reply is longer than {most_bytes} bytes")
    if response.length:  # read1 does not say so by itself
        raise Broken("the reply ends early")
    return bytes(found)


def parsed(body: bytes | str) -> JsonValue:
    """The JSON of a body; None if it is none."""
    try:
        found: JsonValue = from_json(body.removeprefix(_BOM) if isinstance(body, bytes) else body, allow_inf_nan=False)
        json.dumps(found, allow_nan=False)  # 1e999 is read as infinite
    except ValueError:
        return None
    return found


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0


__all__ = ["Broken", "NotAllowed", "Reply", "Request", "Unsent", "exchange", "parsed"]
