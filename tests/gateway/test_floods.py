"""Guessed tokens, slow handshakes and floods on real sockets: they are rejected, and no other call is affected."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket as sockets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from actors.transport.rate_limit import (
    AUDIO_AHEAD_S,
    BAD_AHEAD,
)
from actors.transport.websocket import KEPT_LIMIT_BYTES
from gateway.connections import (
    FAILURE_PERIOD_S,
    GRACE_S,
    MAX_ADDRESSES,
    MAX_FAILURES,
    MAX_HANDSHAKES,
    AuthFailures,
    Connections,
)
from protocols.media import KNOWN
from tests.gateway.daemons import Vaic, counted, exchange, run, serving, socket, until, upgrade_request

TOKEN = "s3cret-token-of-ours"
GUESS = upgrade_request(b"Authorization: Bearer guess")
LPCM16_24 = KNOWN["raw/lpcm16_24"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- tokens ---


def test_an_address_that_fails_too_often_waits_a_minute_and_no_other_address_does() -> None:
    clock = Clock()
    failures = AuthFailures(clock)
    assert [failures.failed("a") for _ in range(MAX_FAILURES + 2)] == [False] * MAX_FAILURES + [True, True]
    assert not failures.failed("b")
    clock.now += FAILURE_PERIOD_S - 1
    assert failures.failed("a")
    clock.now += 1
    assert not failures.failed("a")


def test_failures_further_apart_than_the_period_are_allowed() -> None:
    clock = Clock()
    failures = AuthFailures(clock)
    for _ in range(10 * MAX_FAILURES):
        assert not failures.failed("a")
        clock.now += FAILURE_PERIOD_S / MAX_FAILURES


def test_the_number_of_remembered_addresses_is_bounded() -> None:
    failures = AuthFailures(Clock())
    for number in range(MAX_ADDRESSES + 1):
        failures.failed(f"10.0.{number}")
    assert len(failures._by_address) == MAX_ADDRESSES
    for _ in range(MAX_FAILURES):
        assert not failures.failed("10.0.0"), "it was the first, and is forgotten"


def test_guessing_tokens_ends_in_429_and_a_valid_token_is_still_accepted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token=TOKEN) as daemon, socket(daemon, TOKEN) as vaic:
            await vaic.calls("c-1")
            answers = [await exchange(daemon.vaic_url, GUESS) for _ in range(3 * MAX_FAILURES)]
            statuses = [answer.split()[1] for answer in answers]
            assert statuses == [b"401"] * MAX_FAILURES + [b"429"] * 2 * MAX_FAILURES
            assert b"Retry-After: 60" in answers[-1]
            async with socket(daemon, TOKEN) as other:
                await other.calls("c-2")
                await other.is_served("c-2")
            await vaic.is_served("c-1")

    run(scene)


# --- connections ---


class Caller:
    def __init__(self) -> None:
        self.cut = False

    def abort(self) -> None:
        self.cut = True


class Timers(list[Callable[[], None]]):
    def later(self, delay_s: float, callback: Callable[[], None]) -> None:
        assert delay_s == GRACE_S
        self.append(callback)


def test_the_oldest_handshakes_are_dropped_after_the_grace_period() -> None:
    clock, timers = Clock(), Timers()
    connections = Connections[Caller](1000, clock, timers.later)
    callers = [Caller() for _ in range(3 * MAX_HANDSHAKES)]
    for each in callers[: 2 * MAX_HANDSHAKES]:
        connections.accepted(each)
    assert len(timers) == 1
    clock.now += GRACE_S
    for each in callers[2 * MAX_HANDSHAKES :]:
        connections.accepted(each)
    timers.pop()()
    assert [each.cut for each in callers] == [True] * 2 * MAX_HANDSHAKES + [False] * MAX_HANDSHAKES
    assert len(connections) == MAX_HANDSHAKES
    assert not timers


def test_a_burst_of_callers_that_finish_their_handshakes_loses_none() -> None:
    clock, timers = Clock(), Timers()
    connections = Connections[Caller](1000, clock, timers.later)
    callers = [Caller() for _ in range(500)]
    for each in callers:
        connections.accepted(each)
    for each in callers:
        connections.opened(each)
    clock.now += GRACE_S
    timers.pop()()
    assert not any(each.cut for each in callers)


def test_connections_are_bounded_and_the_oldest_handshake_is_dropped_for_a_new_one() -> None:
    connections = Connections[Caller](100, Clock(), Timers().later)
    most = 120 + 32 + MAX_HANDSHAKES
    callers = [Caller() for _ in range(most)]
    for each in callers:
        assert connections.accepted(each)
    for each in callers[1:]:
        connections.opened(each)
    assert connections.accepted(Caller())
    assert [callers[0].cut, len(connections)] == [True, most]
    late = [Caller(), Caller()]
    assert connections.accepted(late[0]), "another handshake went for it"
    connections.opened(late[0])
    assert not connections.accepted(late[1])
    connections.closed(callers[5])
    assert connections.accepted(late[1])
    assert not any(each.cut for each in callers[1:])


async def begin_a_handshake(stack: ExitStack, url: str) -> None:
    parts = urlsplit(url)
    slow = stack.enter_context(sockets.socket())
    slow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(slow, (parts.hostname, parts.port))
    slow.send(b"GET / HTTP/1.1\r\nX-Slow: ")


def test_sockets_that_never_finish_their_handshake_do_not_keep_calls_out(tmp_path: Path) -> None:
    async def scene() -> None:
        before = counted("tieline_connections_cut_total", reason="slow_handshake")
        slow = 3 * MAX_HANDSHAKES
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            with ExitStack() as stack:
                for _ in range(slow):
                    await begin_a_handshake(stack, daemon.vaic_url)
                async with socket(daemon) as other:
                    await other.calls("c-2")
                    await other.is_served("c-2")
                    await vaic.is_served("c-1")

                async def thinned_out() -> bool:
                    await daemon.live_calls()
                    return (
                        counted("tieline_connections_cut_total", reason="slow_handshake") - before
                        >= slow - MAX_HANDSHAKES
                    )

                await until(thinned_out)
                await vaic.is_served("c-1")

    run(scene)


# --- within a call ---


def chunk(conversation_id: str, ms: int = 20) -> dict[str, object]:
    audio = base64.b64encode(bytes(LPCM16_24.bytes_per_ms * ms)).decode()
    return {"conversationId": conversation_id, "audioChunk": audio}


async def fragments() -> AsyncIterator[str]:
    """Of a message that never ends."""
    while True:
        for _ in range(100):
            yield ""
        await asyncio.sleep(0)


async def floods(send: Callable[[], Awaitable[object]]) -> None:
    """Send until we are cut, as fast as this machine can: how much that is until then depends on its speed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            for _ in range(100):
                await send()
            await asyncio.sleep(0)  # the daemon's turn, on the same loop


async def is_cut(vaic: Vaic) -> None:
    assert await vaic.closed() == 1008


def test_a_flood_of_messages_closes_its_socket_and_ends_no_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as other:
            await other.calls("c-other")
            async with socket(daemon) as vaic:
                await vaic.calls("c-1")
                await floods(lambda: vaic.says("no.such.message"))
                await is_cut(vaic)
            await other.is_served("c-other")
            async with socket(daemon) as back:
                await back.says("session.resume", conversationId="c-1")
                await back.hears("session.accepted")
                await back.is_served("c-1")

    run(scene)


def test_a_peer_that_sends_only_bad_frames_is_disconnected(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            for _ in range(BAD_AHEAD):
                await vaic.connection.send("no JSON")
            await vaic.is_served("c-1")
            await floods(lambda: vaic.connection.send("no JSON"))
            await is_cut(vaic)

    run(scene)


@pytest.mark.parametrize("kind", ["pings", "fragments"])
def test_a_flood_of_pings_or_fragments_closes_its_socket(tmp_path: Path, kind: str) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as other, socket(daemon) as vaic:
            await other.calls("c-other")
            await vaic.calls("c-1")
            await floods(vaic.connection.ping if kind == "pings" else lambda: vaic.connection.send(fragments()))
            await is_cut(vaic)
            await other.is_served("c-other")

    run(scene)


def test_a_flood_before_a_call_is_claimed_closes_its_socket(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            with contextlib.closing(sqlite3.connect(tmp_path / "tieline.sqlite3", isolation_level=None)) as store:
                store.execute("BEGIN EXCLUSIVE")
                await vaic.says("session.resume", conversationId="c-1")
                with contextlib.suppress(ConnectionClosed):
                    for _ in range(KEPT_LIMIT_BYTES // 1000):
                        await vaic.says("userStream.chunk", **chunk("c-1"))
                await is_cut(vaic)
                store.rollback()

    run(scene)


def test_audio_that_comes_too_fast_is_dropped_and_the_call_goes_on(tmp_path: Path) -> None:
    async def scene() -> None:
        before = counted("tieline_caller_audio_dropped_total")
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            await vaic.is_served("c-1")
            # What a network that paused for five seconds brings at once is no flood.
            for _ in range(5 * 50):
                await vaic.says("userStream.chunk", **chunk("c-1"))
            await vaic.says("userStream.stop", conversationId="c-1")
            await vaic.hears_until("userStream.stopped")
            assert counted("tieline_caller_audio_dropped_total") == before
            await vaic.is_served("c-1")
            for _ in range(AUDIO_AHEAD_S * 50 * 2):
                await vaic.says("userStream.chunk", **chunk("c-1"))
            await vaic.says("userStream.stop", conversationId="c-1")
            await vaic.hears_until("userStream.stopped")
            assert counted("tieline_caller_audio_dropped_total") > before
            assert await daemon.live_calls() == ("c-1",)

    run(scene)
