"""Wires on real sockets: what arrives, in order; and how they end. The peer is the library's own asyncio server."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import subprocess
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.utils import accept_key

import actors.transport.dialler
from actors.bots import ModelSettings
from actors.system.address import NullRef
from actors.system.dispatcher import LoopDispatcher, install
from actors.transport.circuit import REFUSED_CALLS, Milestone
from actors.transport.dialler import DialFailed, Dialled, Dialler, FixedHeaders, Purpose
from actors.transport.rate_limit import ALLOWANCE_BYTES, AUDIO_AHEAD_S, FRAME_BYTES, VAIC_TRAFFIC, Traffic
from actors.transport.websocket import (
    AT_ONCE_BYTES,
    KEPT_LIMIT_BYTES,
    TURN_FRAMES,
    WRITE_LIMIT_BYTES,
    FramedWire,
    KeepAlive,
    SocketWire,
    WireClosed,
    WireQuiet,
    WireText,
)
from protocols.limits import HISTORY_CHARS, TURN_CHARS
from protocols.media import KNOWN, MULAW
from protocols.realtime.objects import Transcription
from tests.counted import counted
from tests.paced_loop import loop_time_s, run_paced
from tests.probe import Inbox

NO_HEADERS = FixedHeaders({})
LIMIT_S = 30


def now() -> datetime:
    return datetime.now(UTC)


Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def dialled(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[SocketWire, Inbox]]:
    """A wire to a real server that runs `handler`."""
    async with serve(handler, "127.0.0.1", 0, ssl=tls, compression=None, max_size=None, close_timeout=0.1) as server:
        port = server.sockets[0].getsockname()[1]
        dialler = Dialler(f"{'wss' if tls else 'ws'}://localhost:{port}/", NO_HEADERS, asyncio.get_running_loop(), now)
        if tls is not None:
            assert dialler._tls is not None
            dialler._tls.check_hostname = False
            dialler._tls.verify_mode = ssl.CERT_NONE
        inbox = Inbox()
        dialler.dial(inbox, Purpose("c-1"))
        outcome = await inbox.next()
        assert isinstance(outcome, Dialled), outcome
        wire = outcome.wire
        assert isinstance(wire, SocketWire)
        try:
            yield wire, inbox
        finally:
            wire.attach(NullRef())
            wire.abort()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        install(LoopDispatcher(asyncio.get_running_loop(), clock_s=loop_time_s))
        async with asyncio.timeout(4 * LIMIT_S):
            await scene()

    # Both ends live on one loop: short limits hold, however late the machine is.
    run_paced(bounded())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", str(path), "-out", str(path.with_suffix(".crt"))],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [0, 5, 1300, 70_000, 1_500_000])
def test_messages_of_any_size_are_echoed_whole_and_in_order(encrypted: bool, size: int, certificate: Path) -> None:
    async def scene() -> None:
        tls = None
        if encrypted:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
        async with dialled(echo, tls) as (wire, inbox):
            wire.attach(inbox)
            # Small enough together to stay under the mark at which a peer counts as one that does not read.
            count = 1 if size > 100_000 else 5
            texts = [f"{number}:{'x' * min(size, 400_000)}" for number in range(count)]
            for text in texts:
                wire.send(text.encode())
            for text in texts:
                assert await inbox.next() == WireText(text.encode())

    run(scene)


def test_a_message_in_many_fragments_is_delivered_once_whole() -> None:
    async def scene() -> None:
        async def fragments(connection: ServerConnection) -> None:
            await connection.send(iter(["one ", "two ", "three"]))
            await connection.wait_closed()

        async with dialled(fragments) as (wire, inbox):
            wire.attach(inbox)
            assert await inbox.next() == WireText(b"one two three")

    run(scene)


def test_messages_before_an_owner_is_attached_are_kept_in_order() -> None:
    async def scene() -> None:
        all_sent = asyncio.Event()

        async def talk(connection: ServerConnection) -> None:
            for number in range(3):
                await connection.send(str(number))
            await (await connection.ping())
            all_sent.set()
            await connection.wait_closed()

        async with dialled(talk) as (wire, inbox):
            await all_sent.wait()
            wire.attach(inbox, only_next=True)
            assert await inbox.next() == WireText(b"0")
            assert inbox.queue.empty()
            wire.attach(inbox)
            assert [await inbox.next(), await inbox.next()] == [WireText(b"1"), WireText(b"2")]

    run(scene)


def test_the_peers_close_is_reported_with_its_code_and_nothing_is_sent_after_it() -> None:
    async def scene() -> None:
        async def leave(connection: ServerConnection) -> None:
            await connection.close(4000, "beta is over")

        async with dialled(leave) as (wire, inbox):
            wire.attach(inbox)
            assert await inbox.next() == WireClosed(4000, "beta is over")
            wire.send(b"too late")
            wire.close(1000)
            assert inbox.queue.empty()

    run(scene)


def test_a_reset_is_reported_as_an_abnormal_close() -> None:
    async def scene() -> None:
        async def reset(connection: ServerConnection) -> None:
            connection.transport.abort()

        async with dialled(reset) as (wire, inbox):
            wire.attach(inbox)
            assert await inbox.next() == WireClosed(1006, "")

    run(scene)


def test_our_close_reaches_the_peer_with_its_code() -> None:
    async def scene() -> None:
        closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        async def wait(connection: ServerConnection) -> None:
            await connection.wait_closed()
            closed.set_result(connection.close_code)

        async with dialled(wait) as (wire, inbox):
            wire.attach(inbox)
            wire.close(1000, "done")
            assert await closed == 1000
            assert isinstance(await inbox.next(), WireClosed)

    run(scene)


def test_a_peer_that_does_not_read_is_disconnected_instead_of_filling_memory(log_lines: list[str]) -> None:
    async def scene() -> None:
        async def deaf(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            await connection.wait_closed()

        async with dialled(deaf) as (wire, inbox):
            wire.attach(inbox)
            closed: asyncio.Task[object] = asyncio.create_task(inbox.next())
            for _ in range(1000):
                wire.send(b"x" * 64_000)
                if closed.done():
                    break
                await asyncio.wait({closed}, timeout=0)
            assert isinstance(await closed, WireClosed)

    run(scene)
    assert "WARNING a peer that does not read was disconnected {'conversation': 'c-1', 'leg': 'model'}" in log_lines


def test_a_silent_peer_is_pinged_and_a_dead_one_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.transport.dialler, "KEEPALIVE", KeepAlive(interval_s=0.05, limit_s=0.05))

    async def scene() -> None:
        told = asyncio.Event()

        async def frozen(connection: ServerConnection) -> None:
            connection.transport.pause_reading()  # a dead peer: its kernel takes the pings, nobody answers
            await told.wait()

        async with dialled(frozen) as (wire, inbox):
            wire.attach(inbox)
            assert await inbox.next() == WireClosed(1006, "")
            told.set()

    run(scene)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("end", [SocketWire.abort, lambda wire: wire.close(1000), lambda wire: wire.send(b"go away")])
def test_an_ended_wire_is_freed_without_the_garbage_collector(end: Callable[[SocketWire], None]) -> None:
    async def scene() -> None:
        async def until_told(connection: ServerConnection) -> None:
            await connection.recv()

        async with dialled(until_told) as (wire, inbox):
            wire.attach(inbox)
            end(wire)
            assert isinstance(await inbox.next(), WireClosed)
            framing = weakref.ref(wire._framing)
        del wire, inbox
        assert framing() is None

    run(scene)


def test_data_after_the_frame_that_ends_a_wire_is_discarded() -> None:
    async def scene() -> None:
        async with dialled(echo) as (wire, inbox):
            wire.attach(inbox)
            wire._socket.shutdown(socket.SHUT_WR)
            # The first ping cannot be answered any more.
            wire.data_received(b"\x89\x00\x89\x00")
            assert await inbox.next() == WireClosed(1006, "")

    run(scene)


def test_a_peer_that_sends_but_answers_no_ping_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.transport.dialler, "KEEPALIVE", KeepAlive(interval_s=0.05, limit_s=0.1))

    async def scene() -> None:
        async def deaf(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            with suppress(ConnectionClosed):
                while True:
                    await connection.send("on and on")
                    await asyncio.wait({connection.connection_lost_waiter}, timeout=0.02)

        async with dialled(deaf) as (wire, inbox):
            wire.attach(inbox)
            while (told := await inbox.next()) == WireText(b"on and on"):
                pass
            assert told == WireClosed(1006, "")

    run(scene)


def test_an_unanswered_ping_and_a_late_pong_are_reported_before_the_disconnect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actors.transport.dialler, "KEEPALIVE", KeepAlive(interval_s=0.02, limit_s=10.0, quiet_s=0.05))

    async def scene() -> None:
        told = asyncio.Event()

        async def absent(connection: ServerConnection) -> None:
            connection.transport.pause_reading()
            await told.wait()
            connection.transport.resume_reading()
            await connection.wait_closed()

        async with dialled(absent) as (wire, inbox):
            wire.attach(inbox)
            assert await inbox.next() == WireQuiet(True)
            told.set()
            assert await inbox.next() == WireQuiet(False)

    run(scene)


def test_a_peer_that_only_answers_pings_stays_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.transport.dialler, "KEEPALIVE", KeepAlive(interval_s=0.02, limit_s=0.1))

    async def scene() -> None:
        async with dialled(echo) as (wire, inbox):
            wire.attach(inbox)
            told: asyncio.Task[object] = asyncio.create_task(inbox.next())
            await asyncio.wait({told}, timeout=0.5)
            assert not told.done()
            wire.send(b"still here")
            assert await told == WireText(b"still here")

    run(scene)


def test_data_received_with_the_answer_to_the_upgrade_is_not_lost() -> None:
    async def scene() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            framing = ServerProtocol()
            framing.receive_data(await reader.readuntil(b"\r\n\r\n"))
            [request] = framing.events_received()
            assert isinstance(request, Request)
            framing.send_response(framing.accept(request))
            framing.send_text(b"first")
            framing.send_text(b"second")
            writer.write(b"".join(framing.data_to_send()))

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            inbox = Inbox()
            Dialler(f"ws://127.0.0.1:{port}/", NO_HEADERS, asyncio.get_running_loop(), now).dial(inbox, Purpose("c-1"))
            dialled = await inbox.next()
            assert isinstance(dialled, Dialled)
            dialled.wire.attach(inbox)
            assert [await inbox.next(), await inbox.next()] == [WireText(b"first"), WireText(b"second")]
            dialled.wire.abort()

    run(scene)


def test_the_models_clock_is_read_from_the_answer_to_the_upgrade() -> None:
    def disagreements() -> float:
        return counted("tieline_model_clock_disagreements_total")

    async def scene() -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            inbox = Inbox()
            for clock, counted in ((now, 0), (lambda: now() + timedelta(hours=2), 1)):
                before = disagreements()
                Dialler(f"ws://127.0.0.1:{port}/", NO_HEADERS, inbox.loop, clock).dial(inbox, Purpose("c-1"))
                outcome = await inbox.next()
                assert isinstance(outcome, Dialled)
                outcome.wire.abort()
                assert disagreements() == before + counted

    run(scene)


def test_a_message_beyond_the_limit_ends_the_wire_with_1009(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.transport.dialler, "MAX_MESSAGE_BYTES", 1000)

    async def scene() -> None:
        async def shout(connection: ServerConnection) -> None:
            await connection.send("x" * 1001)
            await connection.wait_closed()

        async with dialled(shout) as (wire, inbox):
            wire.attach(inbox)
            closed = await inbox.next()
            assert isinstance(closed, WireClosed)
            assert closed.code == 1009

    run(scene)


@pytest.mark.parametrize("status", [200, 302, 401, 429, 503])
def test_a_refused_upgrade_is_reported_with_its_status(status: int) -> None:
    async def scene() -> None:
        async def never(_: ServerConnection) -> None:
            raise AssertionError("upgraded")

        def refuse(connection: ServerConnection, _: object) -> object:
            return connection.respond(status, "no\n")

        async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:  # type: ignore[arg-type]
            port = server.sockets[0].getsockname()[1]
            inbox = Inbox()
            Dialler(f"ws://127.0.0.1:{port}/", FixedHeaders({"Authorization": "Bearer s3cret"}), inbox.loop, now).dial(
                inbox, Purpose("c-1")
            )
            outcome = await inbox.next()
            assert isinstance(outcome, DialFailed)
            assert (outcome.status, outcome.final) == (status, status < 429)
            assert "s3cret" not in repr(outcome)

    run(scene)


def test_a_wait_that_is_named_at_the_upgrade_holds_its_calls_dial_back_and_a_long_one_refuses_its_call() -> None:
    async def scene() -> None:
        refusals = ["0.3", "3600", "0"]
        asked: list[float] = []

        def refuse(connection: ServerConnection, _: object) -> object:
            asked.append(asyncio.get_running_loop().time())
            response = connection.respond(429, "no\n")
            response.headers["Retry-After"] = refusals[len(asked) - 1]
            return response

        async with serve(echo, "127.0.0.1", 0, process_request=refuse) as server:  # type: ignore[arg-type]
            port = server.sockets[0].getsockname()[1]
            inbox = Inbox()
            dialler = Dialler(f"ws://127.0.0.1:{port}/", NO_HEADERS, inbox.loop, now)
            outcomes = []
            for _ in range(3):
                dialler.dial(inbox, Purpose("c-1"))
                outcome = await inbox.next()
                assert isinstance(outcome, DialFailed)
                outcomes.append((outcome.status, outcome.final))
            assert outcomes == [(429, False), (429, True), (429, False)]
            assert len(asked) == 3
            assert asked[1] - asked[0] >= 0.3

    run(scene)


def test_a_certificate_that_is_not_trusted_is_final_and_several_calls_open_the_circuit(certificate: Path) -> None:
    async def scene() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        async with serve(echo, "127.0.0.1", 0, ssl=tls) as server:
            port = server.sockets[0].getsockname()[1]
            inbox = Inbox()
            dialler = Dialler(f"wss://localhost:{port}/", NO_HEADERS, inbox.loop, now)
            for call in range(REFUSED_CALLS + 1):
                dialler.dial(inbox, Purpose(f"c-{call}"))
                outcome = await inbox.next()
                assert isinstance(outcome, DialFailed)
                assert outcome.final
                assert outcome.reason.startswith("certificate: self")

    run(scene)


@asynccontextmanager
async def answering(answer: Callable[[str], bytes], *, then: bytes = b"") -> AsyncIterator[str]:
    """A server of raw bytes. answer: for a key of the upgrade; then: sent again and again behind it. Yields its URL."""

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split()[1] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
        writer.write(answer(accept_key(key)))
        with suppress(OSError):
            while then:
                writer.write(then)
                await writer.drain()
                await asyncio.sleep(0)

    async with await asyncio.start_server(upgrade, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def accepted(*headers: str) -> Callable[[str], bytes]:
    begin = "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"
    return lambda key: "\r\n".join((*begin, f"Sec-WebSocket-Accept: {key}", *headers, "", "")).encode()


@pytest.mark.parametrize(
    "header",
    [
        "Set-Cookie: a@b=c; Domain=.localhost",
        "Date: Mon, 23 Nov 99999999999999999999 13:05:00 GMT",
        "Content-Length: x",
    ],
)
def test_what_a_header_of_the_answer_holds_keeps_no_dial_from_succeeding(header: str) -> None:
    async def scene() -> None:
        async with answering(accepted(header)) as url:
            inbox = Inbox()
            Dialler(url, NO_HEADERS, inbox.loop, now).dial(inbox, Purpose("c-1"))
            outcome = await inbox.next()
            assert isinstance(outcome, Dialled)
            outcome.wire.abort()

    run(scene)


REFUSED = b"HTTP/1.1 401 No\r\n"


@pytest.mark.parametrize(
    ("answer", "then", "outcome"),
    [
        (b"HTTP/1.1 200", b"x" * 50_000, (0, False)),  # a line without an end
        (REFUSED, b"a: b\r\n", (0, False)),  # a head without an end
        (REFUSED + b"Content-Length: 99999999999\r\n\r\n", b"x" * 50_000, (401, True)),
        (REFUSED + b"Content-Length: -1\r\n\r\n", b"", (401, True)),
        (b"HTTP/1.1\r\n\r\n", b"", (0, False)),
        (b"HTTP/1.1 429 No\r\nRetry-After: Mon, 23 Nov 99999999999999999999 13:05:00 GMT\r\n\r\n", b"", (429, False)),
        (b"HTTP/1.1 101", b"", (0, False)),  # and nothing more: given up in time
    ],
)
def test_an_answer_of_any_length_or_that_never_ends_is_a_failed_dial(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, then: bytes, outcome: tuple[int, bool]
) -> None:
    monkeypatch.setattr(actors.transport.dialler, "CONNECT_LIMIT_S", LIMIT_S if then else 0.05)

    async def scene() -> None:
        async with answering(lambda _: answer, then=then) as url:
            inbox = Inbox()
            Dialler(url, NO_HEADERS, inbox.loop, now).dial(inbox, Purpose("c-1"))
            failed = await inbox.next()
            assert isinstance(failed, DialFailed)
            assert (failed.status, failed.final) == outcome

    run(scene)


@pytest.mark.parametrize(
    ("answer", "then", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 1000, "ConnectionAbortedError"),  # a head without an end
        (b"HTTP/1.1 200 OK", b"x" * 50_000, "ConnectionAbortedError"),  # a line without one
        (b"HTTP/1.1 407 No\r\n\r\n", b"", "status 407 of the proxy"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", b"", "the proxy does not speak HTTP"),
        (b"HTTP/1.1 200 OK", b"", "TimeoutError"),  # and nothing more
    ],
)
def test_a_proxy_whose_answer_never_ends_or_says_no_is_a_failed_dial(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, then: bytes, reason: str
) -> None:
    monkeypatch.setattr(actors.transport.dialler, "CONNECT_LIMIT_S", LIMIT_S if then else 0.05)

    async def scene() -> None:
        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            with suppress(OSError):
                while then:
                    writer.write(then)
                    await writer.drain()

        async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            inbox = Inbox()
            Dialler("ws://model.example/", NO_HEADERS, inbox.loop, now).dial(inbox, Purpose("c-1"))
            assert await inbox.next() == DialFailed(0, reason)

    run(scene)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
def test_a_model_is_reached_by_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, encrypted: bool, certificate: Path
) -> None:
    async def scene() -> None:
        asked: list[str] = []

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            from_model, to_model = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(pumped(reader, to_model), pumped(from_model, writer))

        async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
            writer.close()

        tls = None
        if encrypted:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
        async with (
            serve(echo, "127.0.0.1", 0, ssl=tls, close_timeout=0.1) as server,
            await asyncio.start_server(connect, "127.0.0.1", 0) as proxy,
        ):
            port = server.sockets[0].getsockname()[1]
            by = f"http://us%20er:p%40ss@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
            monkeypatch.setenv("https_proxy" if encrypted else "http_proxy", by)
            inbox = Inbox()
            dialler = Dialler(f"{'wss' if encrypted else 'ws'}://model.example:7/", NO_HEADERS, inbox.loop, now)
            if encrypted:
                assert dialler._tls is not None
                dialler._tls.check_hostname = False
                dialler._tls.verify_mode = ssl.CERT_NONE
            dialler.dial(inbox, Purpose("c-1"))
            outcome = await inbox.next()
            assert isinstance(outcome, Dialled), outcome
            outcome.wire.attach(inbox)
            outcome.wire.send(b"by a proxy")
            assert await inbox.next() == WireText(b"by a proxy")
            outcome.wire.abort()
        assert asked[0].splitlines() == [
            "CONNECT model.example:7 HTTP/1.1",
            "Host: model.example:7",
            f"Proxy-Authorization: Basic {base64.b64encode(b'us er:p@ss').decode()}",
            "",
        ]

    run(scene)


def test_a_model_that_takes_sockets_again_closes_the_circuit_without_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.transport.circuit.FIRST_PROBE_S", 0.02)

    async def scene() -> None:
        answers = [401] * REFUSED_CALLS + [401, 503]  # then the upgrade
        probed = asyncio.Event()

        def answer(connection: ServerConnection, _: object) -> object:
            return connection.respond(answers.pop(0), "no\n") if answers else None

        async def left(connection: ServerConnection) -> None:
            await connection.wait_closed()
            probed.set()

        async with serve(left, "127.0.0.1", 0, process_request=answer) as server:  # type: ignore[arg-type]
            port = server.sockets[0].getsockname()[1]
            inbox = Inbox()
            dialler = Dialler(f"ws://127.0.0.1:{port}/", NO_HEADERS, inbox.loop, now)
            for call in range(REFUSED_CALLS):
                dialler.dial(inbox, Purpose(f"c-{call}"))
                await inbox.next()
            assert dialler.turns_away(None)
            async with asyncio.timeout(LIMIT_S):
                await probed.wait()
            assert (dialler.turns_away(None), counted("tieline_model_circuit_open"), answers) == (False, 0, [])

    run(scene)


@pytest.mark.parametrize("step", Milestone)
def test_the_circuit_of_settings_that_no_bot_has_any_more_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, step: Milestone
) -> None:
    monkeypatch.setattr("actors.transport.circuit.FIRST_PROBE_S", 0.02)
    monkeypatch.setattr("actors.transport.dialler.PROBE_S", 0.02)

    async def scene() -> None:
        asked = asyncio.Event()

        def used(_: ModelSettings | None) -> bool:
            asked.set()
            return False

        dialler = Dialler("ws://127.0.0.1:1/", NO_HEADERS, asyncio.get_running_loop(), now, used)
        for call in range(REFUSED_CALLS):
            dialler.refused("status 404", Purpose(f"c-{call}"), step)
        assert counted("tieline_model_circuit_open") == 1
        async with asyncio.timeout(LIMIT_S):
            await asked.wait()
        assert (dialler.turns_away(None), counted("tieline_model_circuit_open")) == (False, 0)

    run(scene)


@pytest.mark.parametrize(("step", "answers"), [(Milestone.SESSION, False), (Milestone.RESPONSE, True)])
def test_what_is_refused_in_a_session_is_tried_by_one_that_no_call_has(
    monkeypatch: pytest.MonkeyPatch, step: Milestone, answers: bool
) -> None:
    monkeypatch.setattr("actors.transport.circuit.FIRST_PROBE_S", 0.02)
    monkeypatch.setattr("actors.transport.dialler.PROBE_S", 0.02)

    async def scene() -> None:
        asked = asyncio.Queue[tuple[Purpose, bool]]()

        def ask(purpose: Purpose, to_answer: bool) -> None:
            asked.put_nowait((purpose, to_answer))

        loop = asyncio.get_running_loop()
        dialler = Dialler("ws://127.0.0.1:1/", NO_HEADERS, loop, now, ask=ask)
        for call in range(REFUSED_CALLS):
            dialler.refused("insufficient_quota", Purpose(f"c-{call}", media=MULAW), step)
        probe = Purpose("", media=MULAW)
        assert dialler.turns_away(None)
        async with asyncio.timeout(LIMIT_S):
            for _ in range(2):  # of the first nothing is heard
                assert await asked.get() == (probe, answers)
            dialler.refused("insufficient_quota", probe, step)  # of the second
            assert await asked.get() == (probe, answers)
        dialler.worked(step, probe)
        assert (dialler.turns_away(None), counted("tieline_model_circuit_open")) == (False, 0)

    run(scene)


def test_a_format_that_is_refused_stops_calls_in_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.transport.circuit.FIRST_PROBE_S", LIMIT_S)  # none is due meanwhile

    async def scene() -> None:
        inbox = Inbox()
        dialler = Dialler("ws://127.0.0.1:1/", NO_HEADERS, inbox.loop, now)
        for call in range(REFUSED_CALLS):
            dialler.refused("session refused", Purpose(f"c-{call}", media=MULAW), Milestone.SESSION)
        assert dialler.turns_away(None), "nobody calls in another format"
        dialler.dial(inbox, Purpose("c-9", media=MULAW))
        assert await inbox.next() == DialFailed(0, "session refused", final=True)
        dialler.dial(inbox, Purpose("c-9"))
        assert await inbox.next() == DialFailed(0, "ConnectionRefusedError"), "it is tried"
        dialler.worked(Milestone.RESPONSE, Purpose("c-9"))
        assert not dialler.turns_away(None)
        assert counted("tieline_model_circuit_open") == 1
        dialler.worked(Milestone.SESSION, Purpose("c-9", media=MULAW))
        assert counted("tieline_model_circuit_open") == 0

    run(scene)


@pytest.mark.parametrize("step", [Milestone.UPGRADE, Milestone.RESPONSE])
def test_what_is_refused_whatever_the_format_is_refused_in_all(step: Milestone) -> None:
    async def scene() -> None:
        dialler = Dialler("ws://127.0.0.1:1/", NO_HEADERS, asyncio.get_running_loop(), now)
        dialler.worked(Milestone.RESPONSE, Purpose("c-0", media=MULAW))
        for call in range(REFUSED_CALLS):
            dialler.refused("insufficient_quota", Purpose(f"c-{call}"), step)
        assert dialler.turns_away(None)
        dialler.worked(step, Purpose("c-9", media=MULAW))
        assert (dialler.turns_away(None), counted("tieline_model_circuit_open")) == (False, 0)

    run(scene)


def test_where_no_thread_can_be_started_a_dial_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        inbox = Inbox()
        dialler = Dialler("ws://127.0.0.1:1/", NO_HEADERS, inbox.loop, now)
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", refuse)
            dialler.dial(inbox, Purpose("c-1"))
        assert await inbox.next() == DialFailed(0, "no thread")

    run(scene)


def test_a_failed_connect_is_reported_without_a_status() -> None:
    async def scene() -> None:
        inbox = Inbox()
        Dialler("ws://127.0.0.1:1/", NO_HEADERS, inbox.loop, now).dial(inbox, Purpose("c-1"))
        outcome = await inbox.next()
        assert isinstance(outcome, DialFailed)
        assert outcome.status == 0

    run(scene)


def test_a_model_that_sends_too_much_is_logged_with_its_call(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    monkeypatch.setattr(actors.transport.dialler, "MODEL_TRAFFIC", Traffic(per_s=0, ahead=100 * FRAME_BYTES))

    async def flood(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await connection.send("{}")

    async def scene() -> None:
        async with dialled(flood) as (wire, inbox):
            wire.attach(inbox)
            while not isinstance(await inbox.next(), WireClosed):
                pass

    run(scene)
    assert log_lines[-1:] == ["WARNING a socket that sends too much was cut {'conversation': 'c-1', 'leg': 'model'}"]


def test_a_wire_has_no_dictionary() -> None:
    # More than thirty attributes would give each a table of its own: 1.3 KB, and a search with every `self.x`.
    assert SocketWire.__dictoffset__ == 0


# --- floods ---

TRAFFIC = Traffic(per_s=0, ahead=100 * FRAME_BYTES)
SELDOM = KeepAlive(60, 60)


class BareWire(FramedWire):
    """A server's open wire without a socket: the test hands it what is read."""

    def __init__(self, traffic: Traffic = TRAFFIC, keepalive: KeepAlive = SELDOM) -> None:
        framing = ServerProtocol(max_size=MOST_BYTES, state=OPEN)
        super().__init__(framing, asyncio.get_running_loop(), keepalive, traffic)
        self.reads, self.cut, self.wrote = True, asyncio.Event(), asyncio.Event()
        self.written: list[bytes] = []
        self._opened()

    def _write(self, data: bytes) -> None:
        self.written.append(data)
        self.wrote.set()

    def _shut(self) -> None:
        self.cut.set()

    def _pause_reading(self) -> None:
        self.reads = False

    def _resume_reading(self) -> None:
        self.reads = True

    async def reads_on(self) -> None:
        """Let it take its turns until it reads again."""
        async with asyncio.timeout(LIMIT_S):
            while not self.reads:
                await asyncio.sleep(0)


class Told(list[object]):
    """An owner that is told at once."""

    def tell(self, message: object, /) -> None:
        self.append(message)


MOST_BYTES = 100_000
ENDLESS = Traffic(per_s=0, ahead=10**9)


def masked(head: int, payload: bytes = b"") -> bytes:
    """A frame of up to 64 KB with the mask 0."""
    length = len(payload)
    begin = bytes((head, 0x80 | length)) if length < 126 else bytes((head, 0xFE)) + length.to_bytes(2, "big")
    return begin + bytes(4) + payload


def test_while_the_process_was_stopped_no_ping_has_gone_unanswered() -> None:
    async def scene() -> None:
        install(LoopDispatcher(asyncio.get_running_loop()))
        often = KeepAlive(interval_s=0.02, limit_s=0.1)
        wire = BareWire(keepalive=often)
        await wire.wrote.wait()
        began_s = time.perf_counter()
        while time.perf_counter() < began_s + 3 * often.limit_s:
            pass
        for _ in range(3):  # of the loop: the timer is due
            await asyncio.sleep(0)
        assert not wire.cut.is_set()
        async with asyncio.timeout(LIMIT_S):
            await wire.cut.wait()

    asyncio.run(scene())


def test_a_wire_takes_so_many_frames_in_a_turn_and_reads_on_when_all_are_taken() -> None:
    async def scene() -> None:
        wire, owner = BareWire(ENDLESS), Told()
        wire.attach(owner)
        count = 3 * TURN_FRAMES + 1
        wire.data_received(b"".join(masked(0x81, b"%d" % number) for number in range(count)) + b"\x81")
        assert len(owner) == TURN_FRAMES
        assert not wire.reads
        await wire.reads_on()
        wire.data_received(masked(0x81, b"last")[1:])
        assert owner == [*(WireText(b"%d" % number) for number in range(count)), WireText(b"last")]

    run(scene)


@pytest.mark.parametrize(
    ("frames", "messages"),
    [
        ([masked(0x81, b"{}")], 1),
        ([masked(0x81)], 1),
        ([masked(0x81, b"x" * 126)], 1),
        ([masked(0x82, b"{}")], 1),
        ([masked(0x89)], 0),
        ([masked(0x8A)], 0),
        ([masked(0x8A, b"?")], 0),
        ([masked(0x01), masked(0x80)], 1),
    ],
    ids=["text", "empty", "as long as audio", "binary", "ping", "empty pong", "pong", "fragments"],
)
def test_frames_of_any_kind_are_counted_where_they_are_read_and_too_many_end_the_wire(
    frames: list[bytes], messages: int
) -> None:
    async def scene() -> None:
        before = counted("tieline_floods_total", leg="vaic")
        wire, owner = BareWire(), Told()
        wire.attach(owner)
        most = TRAFFIC.ahead // (FRAME_BYTES * len(frames))
        for _ in range(most - 20):
            wire.data_received(b"".join(frames))
        assert owner == owner[:1] * messages * (most - 20)
        for _ in range(40):
            wire.data_received(b"".join(frames))
        assert owner[-1] == WireClosed(1008, "too much")
        assert len(owner) <= messages * most + 1
        assert not wire.reads
        await wire.cut.wait()
        assert counted("tieline_floods_total", leg="vaic") - before == 1

    run(scene)


def test_while_the_loop_is_overloaded_a_wire_may_send_less_and_then_as_much_as_before() -> None:
    async def scene() -> None:
        reduced = Traffic(per_s=0, ahead=10 * FRAME_BYTES)
        for overloads, most in (((True,), 9), ((True, False), 99), ((False,), 99), ((), 99)):
            wire, owner = BareWire(replace(TRAFFIC, overloaded=reduced)), Told()
            wire.attach(owner)
            for began in overloads:
                wire.overload(began)
            for _ in range(most):
                wire.data_received(masked(0x81))
            assert owner == [WireText(b"")] * most
            for _ in range(2):
                wire.data_received(masked(0x81))
            assert owner[-1] == WireClosed(1008, "too much")
            await wire.cut.wait()
        wire, owner = BareWire(TRAFFIC), Told()
        wire.overload(True)
        wire.attach(owner)
        for _ in range(99):
            wire.data_received(masked(0x81))
        assert owner == [WireText(b"")] * 99

    run(scene)


class Time:
    """The clock of the dispatcher that is installed, which the test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        install(LoopDispatcher(asyncio.get_running_loop(), clock_s=lambda: self.now_s))


@pytest.mark.parametrize("chunk_ms", [10, 20, 100])
def test_who_sends_audio_as_it_is_spoken_never_lines_up(chunk_ms: int) -> None:
    async def scene() -> None:
        clock, chunk = Time(), masked(0x81, bytes(200 + 64 * chunk_ms))
        wire = BareWire(VAIC_TRAFFIC)
        wire.attach(NullRef())
        await wire.reads_on()
        for number in range(60_000 // chunk_ms):
            wire.data_received(chunk)
            assert wire.reads
            # Every third chunk arrives with the one after it.
            clock.now_s += (0, 2, 1)[number % 3] * chunk_ms / 1000

    run(scene)


def test_who_sends_more_than_its_share_lines_up_after_each_read_until_it_sends_less() -> None:
    async def scene() -> None:
        clock, read = Time(), masked(0x81, bytes(ALLOWANCE_BYTES // 4 - FRAME_BYTES - 8))
        wire, owner = BareWire(VAIC_TRAFFIC), Told()
        wire.attach(owner)
        await wire.reads_on()
        for _ in range(6):
            assert wire.reads
            wire.data_received(read)
        for _ in range(4):
            wire.data_received(read)
            assert not wire.reads
            await wire.reads_on()
        assert len(owner) == 10, "nothing is lost by it"
        for _ in range(10):
            clock.now_s += 1
            await wire.reads_on()
            wire.data_received(read)
        assert wire.reads

    run(scene)


def test_a_long_read_waits_in_the_line_and_counts_like_others() -> None:
    async def scene() -> None:
        wire, owner = BareWire(Traffic(per_s=0, ahead=2 * (AT_ONCE_BYTES + FRAME_BYTES) + 100)), Told()
        wire.attach(owner)
        await wire.reads_on()
        read = masked(0x81, bytes(AT_ONCE_BYTES))
        for count in (1, 2):
            wire.data_received(read)
            assert (wire.reads, len(owner)) == (False, count - 1)
            await wire.reads_on()
            assert len(owner) == count
        wire.data_received(read)
        assert owner[2:] == [WireClosed(1008, "too much")]

    run(scene)


@pytest.mark.parametrize("payload", [b"", b"are you there?", bytes(125)])
def test_a_ping_is_answered_with_what_it_says(payload: bytes) -> None:
    async def scene() -> None:
        wire = BareWire(ENDLESS)
        wire.data_received(masked(0x89, payload))
        assert wire.written[-1] == bytes((0x8A, len(payload))) + payload

    run(scene)


def test_where_many_line_up_a_wire_stays_in_line_until_it_gets_less_than_a_call_needs() -> None:
    async def scene() -> None:
        assert VAIC_TRAFFIC.overloaded is not None
        share = VAIC_TRAFFIC.overloaded.per_s
        clock, read = Time(), masked(0x81, bytes(ALLOWANCE_BYTES // 4 - FRAME_BYTES - 8))
        wire = BareWire(VAIC_TRAFFIC)
        wire.attach(NullRef())
        await wire.reads_on()

        async def reads(per_s: float) -> bool:
            """Of which the line takes all the time. Returns whether it lines up after each of the last ones."""
            lined_up = []
            for _ in range(12):
                wire.data_received(read)
                lined_up.append(not wire.reads)
                clock.now_s += ALLOWANCE_BYTES / 4 / per_s
                await wire.reads_on()
            return lined_up[-4:] == [True] * 4

        assert await reads(per_s=2 * share)
        assert await reads(per_s=share * 0.6)
        assert not await reads(per_s=share * 0.4)
        assert not await reads(per_s=share * 0.9), "it does not wait, so it does not come in for that"

    run(scene)


def test_a_byte_at_a_time_counts_as_much_as_frames() -> None:
    async def scene() -> None:
        wire, owner = BareWire(), Told()
        wire.attach(owner)
        for byte in masked(0x81, b"x" * 120):
            wire.data_received(bytes((byte,)))
        assert owner == [WireClosed(1008, "too much")]
        await wire.cut.wait()

    run(scene)


def test_a_wire_that_is_paused_for_its_owner_reads_on_when_all_is_taken_in_order() -> None:
    async def scene() -> None:
        wire = BareWire(ENDLESS)
        count = 0
        while wire.reads or wire._lined_up_ms is not None:
            wire.data_received(masked(0x81, b"%120d" % count))
            count += 1
            await asyncio.sleep(0)
        assert wire._kept_bytes > KEPT_LIMIT_BYTES
        assert count < KEPT_LIMIT_BYTES / 120
        first = Told()
        for number in range(5):
            wire.attach(first, only_next=True)
            assert len(first) == number + 1
        owner = Told()
        wire.attach(owner)
        await wire.reads_on()
        assert [*first, *owner] == [WireText(b"%120d" % number) for number in range(count)]
        assert wire._kept_bytes == 0

    run(scene)


def test_what_is_kept_is_handed_over_before_the_end_of_the_wire() -> None:
    async def scene() -> None:
        wire = BareWire(ENDLESS)
        count = 2 * TURN_FRAMES
        for number in range(count):
            wire.data_received(masked(0x81, b"%d" % number))
        wire._lost()
        owner = Told()
        wire.attach(owner)
        async with asyncio.timeout(LIMIT_S):
            while len(owner) <= count:
                await asyncio.sleep(0)
        assert owner == [*(WireText(b"%d" % number) for number in range(count)), WireClosed(1006, "")]

    run(scene)


def test_what_one_peer_sends_never_makes_our_write_limit_cut_the_other() -> None:
    most_bytes_a_character = 4
    assert most_bytes_a_character * max(TURN_CHARS, HISTORY_CHARS) < WRITE_LIMIT_BYTES
    assert AUDIO_AHEAD_S * KNOWN["raw/lpcm16_24"].bytes_per_ms * 1000 / 3 * 4 < WRITE_LIMIT_BYTES


def test_a_peer_that_breaks_the_protocol_is_told_so_and_cut() -> None:
    async def scene() -> None:
        wire, owner = BareWire(), Told()
        wire.attach(owner)
        wire.data_received(b"\x81\xff" + (MOST_BYTES + 1).to_bytes(8, "big") + bytes(4))
        assert not wire.reads
        async with asyncio.timeout(LIMIT_S):
            await wire.cut.wait()
        wire._lost()
        assert [(closed.code) for closed in owner if isinstance(closed, WireClosed)] == [1009]

    run(scene)


def test_a_bot_whose_settings_are_refused_closes_the_circuit_of_no_other() -> None:
    async def scene() -> None:
        paths: list[str] = []

        async def keep(connection: ServerConnection) -> None:
            assert connection.request is not None
            paths.append(connection.request.path)
            await connection.wait_closed()

        async with serve(keep, "127.0.0.1", 0, close_timeout=0.1) as server:
            inbox = Inbox()
            dialler = Dialler(
                f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/?model=m", NO_HEADERS, inbox.loop, now
            )
            good = ModelSettings("marin", Transcription(model="whisper-1"), name="better")
            bad = replace(good, voice="nobody")
            for call in range(REFUSED_CALLS):
                dialler.refused("session refused", Purpose(f"c-{call}", bad), Milestone.SESSION)
            assert counted("tieline_model_circuit_open") == 1
            dialler.dial(inbox, Purpose("c-9", bad))
            assert await inbox.next() == DialFailed(0, "session refused", final=True)
            dialler.dial(inbox, Purpose("c-9", good))
            outcome = await inbox.next()
            assert isinstance(outcome, Dialled)
            assert paths == ["/?model=better"]
            outcome.wire.abort()

    run(scene)
