"""One exchange: where it fails before anything was sent, and TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from http_tools.exchange import Broken, Reply, Request, Unsent, exchange
from http_tools.guard import HostGuard, NotAllowed
from tests.http_tools.server import answers, http_server, sends

GUARD = HostGuard(private=("localhost",))


def get(url: str, guard: HostGuard = GUARD, total_s: float = 5.0, tls: ssl.SSLContext | None = None) -> Reply:
    until_s = time.monotonic() + total_s
    request = Request("GET", url, {})
    if tls is None:
        return exchange(request, guard, connect_s=5.0, until_s=until_s, clock_s=time.monotonic)
    return exchange(request, guard, connect_s=5.0, until_s=until_s, clock_s=time.monotonic, tls=lambda: tls)


def test_a_reply_is_read() -> None:
    with http_server(answers(200, {"a": 1}, Retry_After="7")) as server:
        assert get(f"{server.url}/x?y=z#f") == Reply(200, {"a": 1}, 7.0)
    assert server.received[0].target == "/x?y=z"
    assert server.received[0].headers["host"] == f"localhost:{server.port}"


def test_a_byte_order_mark_before_json_is_passed_over() -> None:
    with http_server(answers(200, b'\xef\xbb\xbf{"a": 1}')) as server:
        assert get(server.url).body == {"a": 1}


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"


@pytest.mark.parametrize("early", [EARLY, EARLY * 2, b"HTTP/1.1 100 Continue\r\n\r\n" + EARLY])
@pytest.mark.parametrize("framing", [b"Content-Length: 7\r\n", b""])
def test_a_response_that_only_announces_one_is_passed_over(early: bytes, framing: bytes) -> None:
    with http_server(sends(early + b"HTTP/1.1 200 OK\r\n" + framing + b'\r\n{"a":1}')) as server:
        assert get(server.url) == Reply(200, {"a": 1})


def test_one_that_announces_without_an_end_is_no_reply() -> None:
    with http_server(sends(EARLY * 50)) as server:
        assert get(server.url).status == 103
    with http_server(sends(EARLY)) as server, pytest.raises(Broken):
        get(server.url)


def test_a_private_address_is_not_connected_to() -> None:
    with http_server() as server, pytest.raises(NotAllowed):
        get(f"http://127.0.0.1:{server.port}/")
    assert server.received == []


def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    with http_server(answers(200, {})) as server:
        guard = HostGuard(private=("localhost",), resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
        assert get(server.url, guard=guard).status == 200  # nothing listens at 127.0.0.2


def test_an_address_that_says_nothing_leaves_time_for_the_next() -> None:
    authority = trustme.CA()
    served, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusting)
    with tls_server(served) as port, socket.create_server(("127.0.0.2", port)):  # it never shakes hands
        guard = HostGuard(private=("localhost",), resolve=lambda host, port: ["127.0.0.2", "127.0.0.1"])
        assert get(f"https://localhost:{port}/", guard=guard, tls=trusting).status == 200


def test_the_time_to_connect_is_that_of_the_name_as_well() -> None:
    now = [0.0]

    def resolve(host: str, port: int) -> list[str]:
        now[0] += 5.0
        return ["127.0.0.1"]

    guard = HostGuard(private=("localhost",), resolve=resolve)
    with http_server() as server, pytest.raises(Unsent, match="no time is left"):
        exchange(Request("GET", server.url, {}), guard, connect_s=5.0, until_s=60.0, clock_s=lambda: now[0])
    assert server.received == []


def test_no_time_is_nothing_sent() -> None:
    with http_server() as server, pytest.raises(Unsent):
        get(server.url, total_s=-1)


def test_tls_is_checked_against_the_name() -> None:
    authority = trustme.CA()
    served, trusting = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(served)
    authority.configure_trust(trusting)
    with tls_server(served) as port:
        assert get(f"https://localhost:{port}/", tls=trusting).status == 200
        with pytest.raises(Unsent, match="no TLS"):
            get(f"https://localhost:{port}/")
        other = HostGuard(private=("other.local",), resolve=lambda host, port: ["127.0.0.1"])
        with pytest.raises(Unsent, match="no TLS"):
            get(f"https://other.local:{port}/", guard=other, tls=trusting)


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """A server that answers 200 to whoever trusts it."""

    def serve() -> None:
        while True:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(wire, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
