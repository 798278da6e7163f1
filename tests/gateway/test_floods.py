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
from websockets.exceptions import ConnectionClosed, InvalidStatus

from actors.process.admission import MOST_USELESS
from actors.transport.rate_limit import (
    AUDIO_AHEAD_S,
    BAD_AHEAD,
)
from actors.transport.websocket import KEPT_LIMIT_BYTES
from gateway.connections import (
    FIRST_WAIT_S,
    FORGOTTEN_S,
    GRACE_S,
    LONGEST_WAIT_S,
    MAX_ADDRESSES,
    MAX_ANSWERS,
    MAX_FAILURES,
    MAX_HANDSHAKES,
    AuthFailures,
    Connections,
)
from gateway.daemon import Daemon
from protocols.media import LPCM16_24, MULAW, MediaFormat
from tests.faults.flooder import TEXT, frame
from tests.gateway.daemons import LIMIT_S, Vaic, counted, exchange, run, serving, socket, until, upgrade_request

TOKEN = "s3cret-token-of-ours"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- tokens ---


def test_an_address_with_too_many_wrong_tokens_waits_twice_as_long_after_each_further_one() -> None:
    clock = Clock()
    failures = AuthFailures(clock)
    assert [failures.failed("a") for _ in range(MAX_FAILURES)] == [0.0] * (MAX_FAILURES - 1) + [FIRST_WAIT_S]
    assert failures.wait_s("b") == 0
    assert failures.wait_s("a") == FIRST_WAIT_S
    clock.now += FIRST_WAIT_S - 1
    assert failures.wait_s("a") == 1
    waits = []
    for _ in range(2000):
        clock.now += LONGEST_WAIT_S
        assert failures.wait_s("a") == 0
        waits.append(failures.failed("a"))
    assert waits[:3] == [2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S, 8 * FIRST_WAIT_S]
    assert set(waits[5:]) == {LONGEST_WAIT_S}


def test_the_wrong_tokens_of_an_address_are_forgotten_with_time_or_a_right_one() -> None:
    clock = Clock()
    failures = AuthFailures(clock)
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            assert failures.failed("a") == 0
        failures.succeeded("a")
        for _ in range(MAX_FAILURES - 1):
            assert failures.failed("a") == 0
        clock.now += FORGOTTEN_S


def test_an_address_that_must_wait_is_answered_a_few_times_then_ignored() -> None:
    clock = Clock()
    failures = AuthFailures(clock)
    for number in range(MAX_FAILURES):
        failures.failed(f"2001:db8::{number}")
    for _ in range(MAX_ANSWERS):
        assert not failures.is_ignored("2001:db8::ffff")
        assert failures.wait_s("2001:db8::ffff") > 0
    assert failures.is_ignored("2001:db8::1")
    clock.now += FIRST_WAIT_S
    assert not failures.is_ignored("2001:db8::1")


def test_the_number_of_remembered_addresses_is_bounded() -> None:
    failures = AuthFailures(Clock())
    for number in range(MAX_ADDRESSES + 1):
        failures.failed(f"10.0.{number // 256}.{number % 256}")
    assert len(failures._by_address) == MAX_ADDRESSES
    for _ in range(MAX_FAILURES - 1):
        assert not failures.failed("10.0.0.0"), "it was the first, and is forgotten"


async def guesses(daemon: Daemon, count: int, *headers: bytes) -> list[bytes]:
    """The status of each answer, empty where the connection was cut."""
    guess = upgrade_request(b"Authorization: Bearer guess", *headers)
    answers = []
    for _ in range(count):
        try:
            answers.append(await exchange(daemon.vaic_url, guess))
        except ConnectionResetError:
            answers.append(b"")
    return [answer.split()[1] if answer else b"" for answer in answers]


def test_guessing_ends_in_a_wait_without_a_look_at_the_right_token_and_calls_go_on(tmp_path: Path) -> None:
    async def scene() -> None:
        cut, waits = counted("tieline_connections_cut_total", reason="guessing"), counted("tieline_auth_waits_total")
        async with serving(tmp_path, vaic_token=TOKEN) as daemon, socket(daemon, TOKEN) as vaic:
            await vaic.calls("c-1")
            assert await guesses(daemon, MAX_FAILURES) == [b"401"] * MAX_FAILURES
            with pytest.raises(InvalidStatus) as refused:
                async with socket(daemon, TOKEN):
                    pass
            assert refused.value.response.status_code == 429
            assert 0 < int(refused.value.response.headers["Retry-After"]) <= FIRST_WAIT_S
            assert await guesses(daemon, MAX_ANSWERS + 5) == [b"429"] * (MAX_ANSWERS - 1) + [b""] * 6
            assert counted("tieline_connections_cut_total", reason="guessing") - cut == 6
            assert counted("tieline_auth_waits_total") - waits == 1
            await vaic.is_served("c-1")

    run(scene)


def test_a_client_that_guesses_through_a_trusted_proxy_waits_and_the_proxy_does_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token=TOKEN, trusted_proxies="127.0.0.0/8,10.0.0.0/8") as daemon:
            guesser = b"X-Forwarded-For: 127.0.0.9, 203.0.113.5, 10.1.1.1"
            assert await guesses(daemon, MAX_FAILURES, guesser) == [b"401"] * MAX_FAILURES
            assert await guesses(daemon, MAX_ANSWERS + 2, guesser) == [b"429"] * MAX_ANSWERS + [b""] * 2
            assert await guesses(daemon, 1, b"X-Forwarded-For: 203.0.113.5, 198.51.100.9") == [b"401"]
            async with socket(daemon, TOKEN) as vaic:
                await vaic.calls("c-1")

    run(scene)


def test_what_an_untrusted_peer_says_about_itself_does_not_count(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token=TOKEN, trusted_proxies="10.0.0.0/8") as daemon:
            for number in range(MAX_FAILURES):
                assert await guesses(daemon, 1, b"X-Forwarded-For: 203.0.113.%d" % number) == [b"401"]
            assert await guesses(daemon, 1, b"X-Forwarded-For: 203.0.113.99") == [b"429"]

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


def chunk(conversation_id: str, ms: int = 20, media: MediaFormat = LPCM16_24) -> dict[str, object]:
    audio = base64.b64encode(bytes(media.bytes_per_ms * ms)).decode()
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
    # Without a code where the reset overtakes what the peer has not read yet.
    assert await vaic.closed() in (1006, 1008)


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


def behind_the_upgrade(daemon: Daemon, *frames: bytes) -> bytes:
    """What a client gets that waits for no answer to its upgrade, until it is cut or has its first message."""
    parts = urlsplit(daemon.vaic_url)
    with sockets.create_connection((parts.hostname, parts.port)) as connection:
        connection.settimeout(LIMIT_S)
        got = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(upgrade_request() + b"".join(frames))
            while b'"session.accepted"' not in got and (more := connection.recv(4096)):
                got += more
    return got


def test_what_comes_right_behind_the_upgrade_is_read_once_the_socket_is_open(tmp_path: Path) -> None:
    call = b'{"type":"session.initiate","conversationId":"c-1","supportedMediaFormats":["raw/mulaw"]}'

    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            got = await asyncio.to_thread(behind_the_upgrade, daemon, frame(TEXT, call))
            assert got.startswith(b"HTTP/1.1 101 ")
            assert b'"session.accepted"' in got
            before = counted("tieline_bad_frames_total", leg="admission", reason="not_an_object")
            flood = [frame(TEXT, b"[]")] * 20_000
            assert b"session.accepted" not in await asyncio.to_thread(behind_the_upgrade, daemon, *flood)
            read = counted("tieline_bad_frames_total", leg="admission", reason="not_an_object") - before
            assert read <= MOST_USELESS + 1

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
                # On a busy machine the claim may be given up before the flood is over: then the socket is refused.
                assert await vaic.closed() in (1000, 1006, 1008)
                store.rollback()

    run(scene)


def test_audio_that_comes_too_fast_is_dropped_and_the_call_goes_on(tmp_path: Path) -> None:
    async def scene() -> None:
        before = counted("tieline_caller_audio_dropped_total")
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            # All of it is less than a socket may send while the loop is overloaded, as on a busy machine it may be.
            await vaic.calls("c-1", supportedMediaFormats=["raw/mulaw"])
            await vaic.is_served("c-1")
            # What a network that paused for five seconds brings at once is no flood.
            for _ in range(5 * 5):
                await vaic.says("userStream.chunk", **chunk("c-1", 200, MULAW))
            await vaic.says("userStream.stop", conversationId="c-1")
            await vaic.hears_until("userStream.stopped")
            assert counted("tieline_caller_audio_dropped_total") == before
            await vaic.is_served("c-1")
            for _ in range(AUDIO_AHEAD_S * 5 * 3):
                await vaic.says("userStream.chunk", **chunk("c-1", 200, MULAW))
            await vaic.says("userStream.stop", conversationId="c-1")
            await vaic.hears_until("userStream.stopped")
            assert counted("tieline_caller_audio_dropped_total") > before
            assert await daemon.live_calls() == ("c-1",)

    run(scene)
