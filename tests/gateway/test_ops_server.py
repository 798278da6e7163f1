"""The server of the ops endpoints under connections that never end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import pairwise

import aiohttp
import pytest
from aiohttp import web

from gateway.ops_access import DATA_EVERY_S, HEALTH_EVERY_S, OpsAccess
from gateway.ops_server import MOST_CONNECTIONS, OpsServer
from tests.counted import counted
from tests.gateway.daemons import run, until
from tests.paced_loop import run_paced

HALF = b"GET /liv"


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    app = web.Application()
    app.add_routes([web.get("/livez", alive)])
    server = OpsServer(app)
    port = await server.listen("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.close()


def connected(stack: ExitStack, port: int) -> socket.socket:
    """A connection with half a request."""
    peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
    peer.sendall(HALF)
    return peer


def dropped(peer: socket.socket) -> bool:
    """Whether the server has dropped a connection."""
    peer.setblocking(False)
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_connections_that_never_ask_keep_nobody_out_and_take_no_more_than_their_share() -> None:
    async def scene() -> None:
        async with serving() as port, aiohttp.ClientSession() as session:
            with ExitStack() as stack:
                peers = [await asyncio.to_thread(connected, stack, port) for _ in range(3 * MOST_CONNECTIONS)]

                async def few_are_left() -> bool:
                    return sum(not dropped(each) for each in peers) <= MOST_CONNECTIONS

                await until(few_are_left)
                # The oldest went.
                assert all(dropped(each) for each in peers[:MOST_CONNECTIONS])
                async with session.get(f"http://127.0.0.1:{port}/livez") as answer:
                    assert await answer.text() == "alive\n"

    run(scene)


def test_who_keeps_a_connection_is_not_dropped_by_a_few_others() -> None:
    async def scene() -> None:
        async with serving() as port:
            # No client library: it would connect again where it was dropped.
            reader, writer = await asyncio.open_connection("127.0.0.1", port)

            async def ask() -> None:
                writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await reader.readuntil(b"alive\n")).startswith(b"HTTP/1.1 200 ")

            await ask()
            with ExitStack() as stack:
                peers = [await asyncio.to_thread(connected, stack, port) for _ in range(MOST_CONNECTIONS - 1)]
                await ask()
                assert not any(dropped(each) for each in peers)
            writer.close()

    run(scene)


def test_a_bound_socket_is_served() -> None:
    async def scene() -> None:
        server = OpsServer(web.Application())
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        try:
            port = await server.listen("", 0, bound)
            assert port == bound.getsockname()[1]
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as answer:
                assert answer.status == 404
        finally:
            await server.close()

    run(scene)


@pytest.mark.parametrize(("path", "every_s"), [("/metrics", DATA_EVERY_S), ("/readyz", HEALTH_EVERY_S)])
def test_requests_take_turns(path: str, every_s: float) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        answered_s: list[float] = []

        async def data(_: web.Request) -> web.Response:
            answered_s.append(loop.time())
            return web.Response(text="data\n")

        app = web.Application(middlewares=[OpsAccess(None).middleware])
        app.add_routes([web.get(path, data)])
        server = OpsServer(app)
        port = await server.listen("127.0.0.1", 0)
        async with aiohttp.ClientSession() as session:

            async def ask() -> None:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    assert await answer.text() == "data\n"

            await asyncio.gather(*(ask() for _ in range(8)))
            gaps_s = [later - sooner for sooner, later in pairwise(answered_s)]
            assert min(gaps_s) >= every_s * 0.99
        await server.close()

    run_paced(scene())  # by a busy machine's clock a turn that was held up is close to the next one


def test_what_is_no_http_is_refused_and_counted_and_makes_no_error_each(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with serving() as port:
            before = counted("tieline_connections_cut_total", reason="bad_request")
            for request in (
                b"\x16\x03\x01\r\n\r\n",
                b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + b"a" * 100_000,
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                assert b" 400 " in await reader.readline()
                writer.close()
            assert counted("tieline_connections_cut_total", reason="bad_request") == before + 3

    run(scene)
    assert not caplog.records
