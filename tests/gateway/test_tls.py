"""TLS in this process: who is served, who is refused, and that a renewed certificate is taken up without a restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from loguru import logger
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from gateway.connections import MAX_ANSWERS, MAX_FAILURES, MAX_HANDSHAKES
from gateway.daemon import Daemon
from gateway.tls import MOST_EMPTY_RECORDS, CertificateReload, TlsFiles
from tests.gateway.daemons import LIMIT_S, Vaic, counted, run, serving, until
from tests.gateway.key_changes import ASKS_FOR_OURS, NOT_REQUESTED, KeyChanger

# What it is called depends on how far it came: TLS 1.3 tells a client of a refusal after the handshake.
REFUSED = (OSError, EOFError, WebSocketException)
TOKEN = "s3cret-token-of-ours"
NOW = datetime.now(UTC)


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))

    def serves(self) -> TlsFiles:
        """Write a server's certificate and key, in place of those that were there."""
        issued = self.ca.issue_cert("127.0.0.1", "localhost")
        issued.private_key_pem.write_to_path(str(self.folder / "key.pem"))
        (self.folder / "cert.pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        return TlsFiles(str(self.folder / "cert.pem"), str(self.folder / "key.pem"))

    def expires(self, at: datetime) -> TlsFiles:
        """Write a server's certificate that ends then, and its key."""
        issued = self.ca.issue_cert("127.0.0.1", not_after=at)
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "short.pem"))
        return TlsFiles(str(self.folder / "short.pem"))

    def client(self, certified: bool = False) -> ssl.SSLContext:
        """Trusts this authority only. certified: has a certificate of it."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.ca.cert_pem.bytes().decode())
        if certified:
            self.ca.issue_cert("vaic.example").configure_cert(context)
        return context


@asynccontextmanager
async def secure(daemon: Daemon, context: ssl.SSLContext) -> AsyncIterator[Vaic]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with connect(
        daemon.vaic_url, ssl=context, additional_headers=headers, compression=None, max_size=None
    ) as connection:
        yield Vaic(connection)


def of(files: TlsFiles) -> dict[str, Any]:
    told = {"tls_certificate": files.certificate, "tls_key": files.key, "tls_client_ca": files.client_ca}
    return {"host": "127.0.0.1", "vaic_token": TOKEN} | told


async def works(daemon: Daemon, context: ssl.SSLContext, conversation_id: str = "c-1") -> None:
    async with secure(daemon, context) as vaic:
        await vaic.calls(conversation_id)
        await vaic.is_served(conversation_id)
        await vaic.ends(conversation_id)


def test_a_call_over_tls_and_nothing_in_clear_text(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path), Authority(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, **of(ours.serves())) as daemon:
            assert daemon.vaic_url.startswith("wss://")
            await works(daemon, ours.client())
            with pytest.raises(ssl.SSLError):
                await works(daemon, others.client())
            before = counted("tieline_connections_cut_total", reason="no_tls")
            for _ in range(2):
                with pytest.raises(REFUSED):
                    async with connect(daemon.vaic_url.replace("wss:", "ws:")):
                        pass
            assert counted("tieline_connections_cut_total", reason="no_tls") == before + 2
            old = ours.client()
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            await works(daemon, old, "c-2")

    run(scene)


def test_with_a_client_authority_only_its_certificates_are_let_in(tmp_path: Path) -> None:
    ours = Authority(tmp_path)
    files = replace(ours.serves(), client_ca=str(tmp_path / "ca.pem"))

    async def scene() -> None:
        async with serving(tmp_path, **of(files)) as daemon:
            await works(daemon, ours.client(certified=True))
            with pytest.raises(REFUSED):
                await works(daemon, ours.client(), "c-2")
            foreign = ours.client()
            trustme.CA().issue_cert("vaic.example").configure_cert(foreign)
            with pytest.raises(REFUSED):
                await works(daemon, foreign, "c-3")

    run(scene)


def spoil(files: TlsFiles) -> None:
    """As if it were only half written."""
    whole = Path(files.certificate).read_bytes()
    Path(files.certificate).write_bytes(whole[:100])


def test_a_renewed_certificate_is_taken_up_while_calls_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Looked for often, and time as it is: a call without a model ends after some seconds.
    monkeypatch.setattr("gateway.daemon.RELOAD_EVERY_S", 0.05)
    first = Authority(tmp_path)
    files = first.serves()

    async def scene() -> None:
        done, failed = (counted("tieline_tls_reloads_total", result=each) for each in ("ok", "failed"))
        async with serving(tmp_path, **of(files)) as daemon, secure(daemon, first.client()) as vaic:
            await vaic.calls("c-1")
            spoil(files)

            async def has(result: str, more_than: float) -> bool:
                await daemon.live_calls()
                return counted("tieline_tls_reloads_total", result=result) > more_than

            await until(lambda: has("failed", failed))
            await works(daemon, first.client(), "c-2")
            second = Authority(tmp_path)
            second.serves()
            await until(lambda: has("ok", done))
            await works(daemon, second.client(), "c-3")
            with pytest.raises(ssl.SSLError):
                await works(daemon, first.client(), "c-4")
            assert "c-1" in await daemon.live_calls()

    run(scene)


def test_files_that_change_again_in_between_are_looked_at_again(tmp_path: Path) -> None:
    files = Authority(tmp_path).serves()
    later: list[Callable[[], None]] = []
    reload = CertificateReload(files, files.context(), later.append, lambda: NOW)
    reload()
    assert not later
    Authority(tmp_path).serves()
    reload()
    (take_up,) = later
    whole = Path(files.certificate).read_bytes()
    Path(files.certificate).write_text("half of it")
    take_up()
    Path(files.certificate).write_bytes(whole)
    reload()
    later[1]()
    reload()
    assert len(later) == 2


@pytest.mark.parametrize(
    ("days", "level", "words"), [(-1, "ERROR", "has expired on"), (13, "WARNING", "expires on"), (15, "", "")]
)
def test_the_end_of_a_certificate_is_told_once_with_its_file(tmp_path: Path, days: int, level: str, words: str) -> None:
    ends = (NOW + timedelta(days=days)).replace(microsecond=0)
    files = Authority(tmp_path).expires(ends)
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {extra[reason]}", level="WARNING")
    look = CertificateReload(files, files.context(), lambda _: None, lambda: NOW)
    look()
    look()
    logger.remove(sink)
    told = f"{files.certificate} {words} {ends:%Y-%m-%d %H:%M} UTC"
    assert (files.outlook(NOW), lines) == ((told, [f"{level} {told}\n"]) if level else ("", []))
    assert counted("tieline_tls_certificate_expires_seconds") == ends.timestamp()


def test_a_certificate_that_is_not_valid_yet_is_an_error(tmp_path: Path) -> None:
    """As by a machine whose clock is behind: the peer's may be right, or not."""
    files = Authority(tmp_path).serves()
    assert not files.is_refused(datetime.now(UTC))
    begins, _ = files.valid() or (NOW, NOW)
    early = begins - timedelta(days=1)
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {extra[reason]}", level="WARNING")
    CertificateReload(files, files.context(), lambda _: None, lambda: early)()
    logger.remove(sink)
    told = f"{files.certificate} is not valid before {begins:%Y-%m-%d %H:%M} UTC, by this machine's clock"
    assert (files.outlook(early), files.is_refused(early), lines) == (told, True, [f"ERROR {told}\n"])


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_an_unusable_certificate_is_reported(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "cert.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"cannot be (read|used): ."):
        TlsFiles(str(file)).context()


def test_a_key_of_another_certificate_cannot_be_used(tmp_path: Path) -> None:
    files = Authority(tmp_path).serves()
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(files.key)
    with pytest.raises(ValueError, match="cannot be used: KEY_VALUES_MISMATCH"):
        files.context()


def test_handshakes_that_do_not_end_keep_nobody_out(tmp_path: Path) -> None:
    ours = Authority(tmp_path)

    async def scene() -> None:
        before = counted("tieline_connections_cut_total", reason="slow_handshake")
        async with AsyncExitStack() as stack, serving(tmp_path, **of(ours.serves())) as daemon:
            port = int(daemon.vaic_url.rsplit(":", 1)[1].strip("/"))
            slow = []
            for _ in range(MAX_HANDSHAKES + 8):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                slow.append(reader)
            async with asyncio.timeout(LIMIT_S):
                for reader in slow[:8]:
                    with suppress(ConnectionResetError):
                        assert await reader.read() == b""
            await works(daemon, ours.client())
            assert counted("tieline_connections_cut_total", reason="slow_handshake") - before >= 8

    run(scene)


def test_a_handshake_that_does_not_end_is_cut(tmp_path: Path) -> None:
    ours = Authority(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, **of(ours.serves())) as daemon:
            port = int(daemon.vaic_url.rsplit(":", 1)[1].strip("/"))
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x16\x03\x01")
            assert await reader.read() == b""
            writer.close()
            await works(daemon, ours.client())

    run(scene)


def test_a_connection_takes_the_place_of_its_handshake(tmp_path: Path) -> None:
    ours = Authority(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, **of(ours.serves())) as daemon:
            daemon._endpoint._shared.connections._capacity = 1
            await works(daemon, ours.client())

    run(scene)


def test_an_address_that_guesses_tokens_gets_no_handshake(tmp_path: Path) -> None:
    ours = Authority(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, **of(ours.serves())) as daemon:
            port = int(daemon.vaic_url.rsplit(":", 1)[1].strip("/"))
            failures = daemon._endpoint._shared.failures
            for _ in range(MAX_FAILURES):
                failures.failed("127.0.0.1")
            for _ in range(MAX_ANSWERS):
                failures.wait_s("127.0.0.1")
            before = counted("tieline_connections_cut_total", reason="guessing")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()
            assert counted("tieline_connections_cut_total", reason="guessing") - before == 1

    run(scene)


@pytest.mark.parametrize("kind", [NOT_REQUESTED, ASKS_FOR_OURS])
def test_a_client_that_changes_its_keys_without_end_is_cut(tmp_path: Path, kind: int) -> None:
    ours = Authority(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, **of(ours.serves())) as daemon:
            before, port = counted("tieline_floods_total", leg="vaic"), urlsplit(daemon.vaic_url).port
            assert port is not None
            client = await asyncio.to_thread(KeyChanger, port, LIMIT_S)
            sent = await asyncio.to_thread(client.changes, 1_000_000, kind)
            assert sent < 1_000_000
            client.closes()

            async def is_counted() -> bool:
                return counted("tieline_floods_total", leg="vaic") == before + 1

            await until(is_counted)
            await works(daemon, ours.client())

    run(scene)


def test_a_client_may_change_its_keys_now_and_then(tmp_path: Path) -> None:
    ours = Authority(tmp_path)

    async def scene() -> None:
        async with serving(tmp_path, **of(ours.serves())) as daemon:
            port = urlsplit(daemon.vaic_url).port
            assert port is not None
            client = await asyncio.to_thread(KeyChanger, port, LIMIT_S)
            assert await asyncio.to_thread(client.changes, MOST_EMPTY_RECORDS) == MOST_EMPTY_RECORDS
            answer = await asyncio.to_thread(client.says, b"GET /livez HTTP/1.1\r\nHost: ours\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200")
            client.closes()

    run(scene)


def test_records_that_come_in_pieces_and_together_are_read_alike(tmp_path: Path) -> None:
    """One byte at a time, all at once, and with the end of the handshake."""
    ours = Authority(tmp_path)
    context, said = ours.serves().context(), [b"one", b"", b"two" * 9000, b"three"]

    def passed_on(step: int, version: ssl.TLSVersion) -> bytes:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        trusting = ours.client()
        trusting.maximum_version = version
        server = context.wrap_bio(to_server, to_client, server_side=True)
        from_server, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(from_server, from_client, server_hostname="localhost")
        heard, shaken, told = b"", False, False
        while not heard.endswith(b"three"):
            with suppress(ssl.SSLWantReadError):
                client.do_handshake()
                if not told:
                    told = True
                    for each in said:
                        client.write(each)
            sent = from_client.read()
            for at in range(0, len(sent), step):
                to_server.write(sent[at : at + step])
                with suppress(ssl.SSLWantReadError):
                    if not shaken:
                        server.do_handshake()
                        shaken = True
                    while True:
                        heard += server.read(1000)
            from_server.write(to_client.read())
        return heard

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for step in (1, 7, 1_000_000):
            assert passed_on(step, version) == b"".join(said)
