"""The VAIC endpoint on real sockets: the upgrade, the first message, and that no socket ends another's call."""

from __future__ import annotations

import asyncio
import json
import os
import socket as sockets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pykka
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import gateway.vaic_endpoint
from actors.process.journal_writer import JournalWriter
from actors.process.switchboard import Switchboard
from gateway.daemon import Daemon
from tests.counted import counted
from tests.gateway.daemons import LIMIT_S, Vaic, exchange, get, is_leased, run, serving, socket, until, upgrade_request

TOKEN = "s3cret-token-of-ours"
VALIDATED = {"type": "ac-bot-api", "success": True}
# How fast time passes where a test is about a limit of seconds.
FAST = 20.0
MIB = 1024 * 1024


def bad_frames(leg: str, reason: str) -> float:
    return counted("tieline_bad_frames_total", leg=leg, reason=reason)


def head_and_body(answer: bytes) -> tuple[str, str]:
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, body


def test_a_connection_has_no_dictionary() -> None:
    # As of every wire; it has more attributes than CPython keeps in line.
    assert gateway.vaic_endpoint.VaicConnection.__dictoffset__ == 0


# --- the upgrade ---


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [b"Authorization: Bearer wrong"],
        [b"Authorization: Bearer"],
        [b"Authorization: " + TOKEN.encode()],
        [b"Authorization: Basic " + TOKEN.encode()],
        [b"Authorization: Bearer " + TOKEN.encode() + b"x"],
        [b"Authorization: Bearer \xff\xfe"],
        [b"Authorization: Bearer " + TOKEN.encode(), b"Authorization: Bearer wrong"],
        [b"Authorization: Bearer " + TOKEN.encode(), b"Authorization: Bearer " + TOKEN.encode()],
    ],
    ids=["missing", "wrong", "empty", "no scheme", "other scheme", "longer", "not text", "two", "twice"],
)
def test_a_wrong_or_missing_token_is_refused_before_the_upgrade(headers: list[bytes], tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token=TOKEN, host="127.0.0.1") as daemon:
            for request in (upgrade_request(*headers), b"GET / HTTP/1.1\r\nHost: bot\r\n" + fields(headers) + b"\r\n"):
                head, body = head_and_body(await exchange(daemon.vaic_url, request))
                assert head.startswith("HTTP/1.1 401 "), head
                assert "\r\nwww-authenticate: bearer" in head.lower()
                assert body == "Unauthorized\n"

    run(scene)


def fields(headers: list[bytes]) -> bytes:
    return b"".join(header + b"\r\n" for header in headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_right_token_opens_any_path(scheme: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token=TOKEN, host="127.0.0.1") as daemon:
            request = upgrade_request(f"Authorization: {scheme} {TOKEN}".encode())
            head = await opening(daemon, request)
            assert head.startswith("HTTP/1.1 101 ")
            async with socket(daemon, TOKEN, "front-desk/calls?x=1") as vaic:
                await vaic.calls("c-1")
                await vaic.ends("c-1")

    run(scene)


async def opening(daemon: Daemon, request: bytes) -> str:
    """The head of the answer to a handshake; then the socket is closed."""
    parts = urlsplit(daemon.vaic_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request)
    async with asyncio.timeout(LIMIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head.decode()


def test_a_call_goes_on_while_tokens_are_exchanged_at_this_process_or_at_another(tmp_path: Path) -> None:
    newer = "another-s3cret-token"

    async def resumes(daemon: Daemon, token: str) -> None:
        async with socket(daemon, token) as vaic:
            await vaic.says("session.resume", conversationId="c-1")
            await vaic.hears("session.accepted")

    async def scene() -> None:
        async with serving(tmp_path, vaic_token=f"{TOKEN},{newer}", host="127.0.0.1") as daemon:
            async with socket(daemon, TOKEN) as vaic:
                await vaic.calls("c-1")
            await resumes(daemon, newer)
            await is_leased(daemon)
            async with serving(tmp_path, vaic_token=f"{newer},{TOKEN}", host="127.0.0.1") as other:
                await resumes(other, newer)
                await resumes(other, TOKEN)
            with pytest.raises(InvalidStatus):
                await resumes(daemon, "a-third-s3cret-token")

    run(scene)


def test_the_file_of_the_tokens_is_exchanged_under_a_call_and_nothing_is_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.daemon.TOKENS_EVERY_S", 0.05)
    newer = "another-s3cret-token"
    file = tmp_path / "token"
    monkeypatch.setenv("TIELINE_VAIC_TOKEN_FILE", str(file))

    def holds(text: str) -> None:
        beside = file.with_suffix(".new")
        beside.write_text(text)
        beside.replace(file)

    async def resumes(daemon: Daemon, token: str) -> bool | None:
        try:
            async with socket(daemon, token) as vaic:
                await vaic.says("session.resume", conversationId="c-1")
                await vaic.hears("session.accepted")
        except InvalidStatus:
            return None
        return True

    async def refuses(daemon: Daemon, token: str) -> bool:
        return not await resumes(daemon, token)

    async def scene() -> None:
        holds(TOKEN)
        async with serving(tmp_path, host="127.0.0.1") as daemon:
            async with socket(daemon, TOKEN) as vaic:
                await vaic.calls("c-1")
            holds(f"{newer},{TOKEN}\n")
            await until(lambda: resumes(daemon, newer))
            assert await resumes(daemon, TOKEN)
            failed = counted("tieline_token_reloads_total", result="failed")
            holds("\n")

            async def is_reported() -> bool:
                return counted("tieline_token_reloads_total", result="failed") > failed

            await until(is_reported)
            assert await resumes(daemon, TOKEN)
            holds(newer)
            await until(lambda: refuses(daemon, TOKEN))
            assert await resumes(daemon, newer)

    run(scene)


def test_a_call_resumed_at_another_process_from_another_address_is_counted(tmp_path: Path) -> None:
    @asynccontextmanager
    async def comes_from(daemon: Daemon, address: str) -> AsyncIterator[Vaic]:
        async with connect(daemon.vaic_url, additional_headers={"X-Forwarded-For": address}) as connection:
            yield Vaic(connection)

    async def scene() -> None:
        before = counted("tieline_calls_resumed_elsewhere_total")
        async with (
            serving(tmp_path, trusted_proxies="127.0.0.0/8") as daemon,
            serving(tmp_path, trusted_proxies="127.0.0.0/8") as other,
            comes_from(daemon, "192.0.2.1") as vaic,
        ):
            await vaic.calls("c-1")
            await is_leased(daemon)
            for at, address, more in ((other, "192.0.2.1", 0), (daemon, "192.0.2.2", 1)):
                async with comes_from(at, address) as back:
                    await back.says("session.resume", conversationId="c-1")
                    await back.hears("session.accepted")
                assert counted("tieline_calls_resumed_elsewhere_total") - before == more

    run(scene)


def test_session_keys_of_tls_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))

    async def scene() -> None:
        async with serving(tmp_path, openai_url="wss://127.0.0.1:1") as daemon:
            assert await daemon.live_calls() == ()

    run(scene)
    assert not keys.exists(), "Python's defaults open it as soon as they are asked for a context"
    assert "SSLKEYLOGFILE" not in os.environ


def test_a_token_need_not_be_ascii(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token="clé-à-seize-lettres", host="127.0.0.1") as daemon:
            assert (
                await opening(daemon, upgrade_request("Authorization: Bearer clé-à-seize-lettres".encode()))
            ).startswith("HTTP/1.1 101 ")
            assert (
                await opening(daemon, upgrade_request("Authorization: Bearer clé-à-seize-lettre".encode()))
            ).startswith("HTTP/1.1 401 ")

    run(scene)


def test_without_a_token_every_socket_on_this_machine_is_accepted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            for token in ("", "whatever"):
                async with socket(daemon, token) as vaic:
                    await vaic.says("connection.validate")
                    assert await vaic.hears("connection.validated") == {
                        "type": "connection.validated",
                        "success": True,
                    }

    run(scene)


def test_a_browser_is_refused_by_its_origin(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            with pytest.raises(InvalidStatus) as refused:
                await connect(daemon.vaic_url, origin="https://evil.example")  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403

    run(scene)


def test_compression_is_never_negotiated(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, connect(daemon.vaic_url, compression="deflate") as connection:
            assert connection.protocol.extensions == []
            assert connection.response is not None
            assert "Sec-WebSocket-Extensions" not in connection.response.headers

    run(scene)


@pytest.mark.parametrize("path", ["/", "/bots/front-desk?x=1"])
def test_a_plain_get_with_the_token_is_answered_for_the_validate_button(path: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token=TOKEN, host="127.0.0.1") as daemon:
            request = f"GET {path} HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
            head, body = head_and_body(await exchange(daemon.vaic_url, request))
            assert head.startswith("HTTP/1.1 200 ")
            assert "\r\ncontent-type: application/json" in head.lower()
            assert json.loads(body) == VALIDATED
            assert await daemon.live_calls() == ()

    run(scene)


BODY = b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\xfc\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n", b"405"),
        (b"POST / HTTP/1.1\r\nHost: bot\r\n" + BODY, b"400"),
        (b"GET / HTTP/1.1\r\nHost: bot\r\n" + BODY, b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"400"),
        (b"hello\r\n\r\n", b"400"),
        (b"G" * 70_000, b"414"),
    ],
    ids=["TLS", "POST", "POST with a body", "GET with a body", "chunks", "not HTTP", "endless line"],
)
def test_a_request_that_is_no_opening_handshake_gets_a_status(
    request_bytes: bytes, status: bytes, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            assert (await exchange(daemon.vaic_url, request_bytes)).startswith(b"HTTP/1.1 " + status)
            async with socket(daemon) as vaic:
                await vaic.calls("c-1")
                await vaic.ends("c-1")

    run(scene)


def test_a_connection_that_never_upgrades_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.vaic_endpoint, "HANDSHAKE_LIMIT_S", 0.1)

    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            parts = urlsplit(daemon.vaic_url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(b"GET / HTTP/1.1\r\n")
            async with asyncio.timeout(LIMIT_S):
                assert await reader.read() == b""
            writer.close()

    run(scene)


# --- the first message ---


def test_connection_validate_starts_no_call_and_a_call_may_follow_on_the_same_socket(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.says("connection.validate")
            assert await vaic.hears("connection.validated") == {"type": "connection.validated", "success": True}
            assert await daemon.live_calls() == ()
            await vaic.calls("c-1")
            assert await daemon.live_calls() == ("c-1",)
            await vaic.ends("c-1")

    run(scene)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("hello", "not_json"),
        ("[1, 2]", "not_an_object"),
        ("{}", "no_type"),
        ('{"type":"userStream.chunk","conversationId":"c-9","audioChunk":"AAAA"}', "not_a_beginning"),
        ('{"type":"session.end","conversationId":"c-9"}', "not_a_beginning"),
        (b"\x00\xff\xfe\x80", "not_json"),
        (b"", "not_json"),
    ],
    ids=["no JSON", "list", "no type", "chunk", "end", "binary", "empty"],
)
def test_a_first_message_that_opens_no_session_is_counted_and_ignored(
    first: str | bytes, reason: str, tmp_path: Path
) -> None:
    async def scene() -> None:
        before = bad_frames("admission", reason)
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.connection.send(first)
            accepted = await vaic.calls("c-1")
            assert accepted == {"type": "session.accepted", "conversationId": "c-1", "mediaFormat": "raw/lpcm16_24"}
            assert bad_frames("admission", reason) == before + 1
            await vaic.ends("c-1")

    run(scene)


def test_a_first_message_of_an_unknown_type_is_counted_and_ignored(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            before = counted("tieline_unknown_frames_total", leg="admission")
            await vaic.says("session.teleport", conversationId="c-1")
            await vaic.calls("c-1")
            assert counted("tieline_unknown_frames_total", leg="admission") == before + 1
            await vaic.ends("c-1")

    run(scene)


def test_a_binary_frame_that_holds_json_counts_as_text(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.connection.send(b'{"type":"connection.validate"}')
            await vaic.hears("connection.validated")

    run(scene)


def test_a_socket_that_sends_nothing_after_the_upgrade_is_closed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, speed=FAST) as daemon, socket(daemon) as vaic:
            assert await vaic.closed() == 1008

    run(scene)


def test_ignored_messages_do_not_extend_the_time_limit(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, speed=FAST) as daemon, socket(daemon) as vaic:
            await vaic.says("connection.validate")
            await vaic.hears("connection.validated")
            await vaic.connection.send("noise")
            assert await vaic.closed() == 1008

    run(scene)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"supportedMediaFormats": ["opus/48000"]}, "no common media format"),
        ({"supportedMediaFormats": []}, "no common media format"),
        ({"expectAudioMessages": False, "supportedMediaFormats": ["opus/48000"]}, "no common media format"),
    ],
)
def test_a_call_that_cannot_be_served_is_refused_with_the_reason(
    fields: dict[str, object], reason: str, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with serving(tmp_path, speed=FAST) as daemon, socket(daemon) as vaic:
            await vaic.initiates("c-1", **fields)
            assert await vaic.hears("session.error") == {
                "type": "session.error",
                "conversationId": "c-1",
                "reason": reason,
            }
            assert await daemon.live_calls() == ()
            await vaic.closed()  # by us, as VAIC did not

    run(scene)


def test_session_resume_of_an_unknown_call_is_refused_and_the_socket_closed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, speed=FAST) as daemon, socket(daemon) as vaic:
            await vaic.says("session.resume", conversationId="c-unknown")
            error = await vaic.hears("session.error")
            assert (error["conversationId"], error["reason"]) == ("c-unknown", "unknown conversation")
            await vaic.closed()
            assert await daemon.live_calls() == ()

    run(scene)


# --- calls beside each other ---


def test_a_second_initiate_for_a_conversation_in_progress_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as first, socket(daemon) as second:
            await first.calls("c-1")
            await second.initiates("c-1")
            assert (await second.hears("session.error"))["reason"] == "conversation already in progress"
            await first.is_served("c-1")
            await first.ends("c-1")

    run(scene)


def test_a_second_initiate_on_the_same_socket_is_counted_and_ignored(tmp_path: Path) -> None:
    async def scene() -> None:
        before = bad_frames("vaic", "second_initiate")
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            await vaic.initiates("c-1")
            await vaic.is_served("c-1")
            assert bad_frames("vaic", "second_initiate") == before + 1
            await vaic.ends("c-1")

    run(scene)


def test_calls_beyond_the_limit_are_refused_until_one_has_ended(tmp_path: Path) -> None:
    async def scene() -> None:
        async with (
            serving(tmp_path, max_calls=2) as daemon,
            socket(daemon) as one,
            socket(daemon) as two,
        ):
            await one.calls("c-1")
            await two.calls("c-2")
            answer = await exchange(daemon.vaic_url, upgrade_request())
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in answer
            await two.is_served("c-2")
            await one.ends("c-1")

            async def room() -> bool | None:
                return len(await daemon.live_calls()) < 2 or None

            await until(room)
            async with socket(daemon) as three:
                await three.calls("c-3")
                await three.ends("c-3")
            await two.ends("c-2")

    run(scene)


def test_a_message_of_1_mib_is_read_and_a_longer_one_ends_its_socket_with_1009(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic, socket(daemon) as other:
            await other.calls("c-other")
            head, tail = '{"type":"connection.validate","pad":"', '"}'
            longest = head + "x" * (MIB - len(head) - len(tail)) + tail
            await vaic.connection.send(longest)
            await vaic.hears("connection.validated")
            await vaic.connection.send(longest + " ")
            assert await vaic.closed() == 1009
            await other.is_served("c-other")
            await other.ends("c-other")

    run(scene)


def test_an_oversize_frame_closes_the_socket_and_not_the_call(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic, socket(daemon) as other:
            await other.calls("c-other")
            await vaic.calls("c-1")
            chunk = "A" * 700_000
            # In fragments, of which none is too long by itself.
            whole = iter(['{"type":"userStream.chunk","conversationId":"c-1","audioChunk":"', chunk, chunk, '"}'])
            await vaic.connection.send(whole)
            assert await vaic.closed() == 1009
            await other.is_served("c-other")
            async with socket(daemon) as again:
                await again.says("session.resume", conversationId="c-1")
                assert (await again.hears("session.accepted"))["mediaFormat"] == "raw/lpcm16_24"
                await again.is_served("c-1")
                await again.ends("c-1")
            await other.ends("c-other")

    run(scene)


def masked(first_byte: int, payload: bytes) -> bytes:
    """A frame as a client writes it, with the mask of zeros."""
    return struct.pack("!BB", first_byte, 0x80 | len(payload)) + bytes(4) + payload


BREACHES = {
    "reserved bits": masked(0xF1, b"{}"),
    "unknown opcode": masked(0x83, b""),
    "not masked": b"\x81\x02{}",
    "fragmented ping": masked(0x09, b""),
    "continuation of nothing": masked(0x80, b"{}"),
    "length beyond reason": b"\x81\xff" + b"\x7f" * 8 + bytes(4),
    "close with a code that is none": masked(0x88, struct.pack("!H", 999)),
    "half a frame, then gone": b"\x81\xfe\x01",
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES)
def test_no_socket_can_end_another_call(breach: bytes, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            parts = urlsplit(daemon.vaic_url)
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(upgrade_request())
            await reader.readuntil(b"\r\n\r\n")
            initiate = '{"type":"session.initiate","conversationId":"c-2","supportedMediaFormats":["raw/mulaw"]}'
            writer.write(b"\x81" + struct.pack("!B", 0x80 | len(initiate)) + bytes(4) + initiate.encode())
            await reader.readuntil(b"raw/mulaw")
            writer.write(breach)
            writer.write_eof()
            async with asyncio.timeout(LIMIT_S):
                await reader.read()
            writer.close()
            await vaic.is_served("c-1")
            # The other one waits for its caller to come back, and holds nothing up.
            assert set(await daemon.live_calls()) == {"c-1", "c-2"}
            await vaic.ends("c-1")

    run(scene)


@pytest.mark.parametrize(
    "frame",
    [
        "no JSON",
        '{"type":"userStream.start","conversationId":"c-other"}',
        '{"type":"userStream.chunk","conversationId":"c-1","audioChunk":"AAAA"}',
        '{"type":"userStream.chunk","conversationId":"c-1","audioChunk":"***"}',
        '{"type":"activities","conversationId":"c-1","activities":"none"}',
        '{"type":"session.end","conversationId":"c-other"}',
        b"\xff\x00",
    ],
)
def test_a_bad_frame_in_a_call_ends_neither_this_call_nor_another(frame: str | bytes, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic, socket(daemon) as other:
            await vaic.calls("c-1")
            await other.calls("c-other")
            await vaic.connection.send(frame)
            await vaic.is_served("c-1")
            await other.is_served("c-other")
            await vaic.ends("c-1")
            await other.ends("c-other")

    run(scene)


@pytest.mark.parametrize("in_a_call", [False, True])
def test_text_that_is_not_utf_8_closes_the_socket_with_1007(in_a_call: bool, tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic, socket(daemon) as other:
            if in_a_call:
                await vaic.calls("c-1")
            await vaic.connection.send(b'{"type":"userStream.st\xffrt"}', text=True)
            await vaic.connection.wait_closed()
            assert vaic.connection.close_code == 1007
            await other.calls("c-2")
            await other.is_served("c-2")
            await other.ends("c-2")

    run(scene)


def test_a_peer_that_sends_but_does_not_read_is_disconnected(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as deaf, socket(daemon) as other:
            await other.calls("c-other")
            await deaf.calls("c-1")
            deaf.connection.transport.pause_reading()
            long_name = "x" * 500_000  # comes back in each acknowledgement

            async def ask_on() -> None:
                for _ in range(100):
                    await deaf.says("userStream.start", conversationId="c-1", participant=long_name)

            with pytest.raises(ConnectionClosed):  # and not 50 MB kept for a peer that reads nothing
                await ask_on()
            await other.is_served("c-other")
            await other.ends("c-other")

    run(scene)


def test_fifty_calls_leave_no_actor_and_no_memory_behind(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:

            async def one_call(number: int) -> None:
                async with socket(daemon) as vaic:
                    await vaic.calls(f"c-{number}")
                    await vaic.is_served(f"c-{number}")
                    await vaic.ends(f"c-{number}")

            async def quiet() -> bool | None:
                return not await daemon.live_calls() or None

            await one_call(0)
            await until(quiet)
            files = len(os.listdir("/dev/fd"))
            await asyncio.gather(*(one_call(number) for number in range(1, 51)))
            await until(quiet)
            assert sorted(actor_names()) == sorted([Switchboard.__name__, JournalWriter.__name__])
            assert daemon._endpoint.open_connections == 0
            # The database's pool may have opened one more connection: on SQLite, three files.
            assert len(os.listdir("/dev/fd")) <= files + 3
        assert actor_names() == []

    run(scene)


def actor_names() -> list[str]:
    return [ref.actor_class.__name__ for ref in pykka.ActorRegistry.get_all()]


def test_a_daemon_whose_port_is_taken_leaves_nothing_open(tmp_path: Path) -> None:
    async def scene() -> None:
        with sockets.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(OSError, match="in use"):
                async with serving(tmp_path, ops_port=taken.getsockname()[1]):
                    pass
            assert actor_names() == []
        # Nothing stands in the way of the next one.
        async with serving(tmp_path) as daemon:
            assert (await get(f"{daemon.ops_url}/livez"))[0] == 200

    run(scene)
