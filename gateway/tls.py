"""TLS on VAIC's port in this process, where no balancer ends it; a renewed certificate is loaded without a restart.

May import: actors.metrics, gateway.connections, gateway.small_files, cryptography, loguru, the standard library.
Rules from: docs/specs/reliability.md 6.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger

from actors.metrics import CONNECTIONS_CUT, TLS_EXPIRES, TLS_RELOADS
from gateway.connections import Connection, Connections
from gateway.small_files import check_is_file, read_small

# How often the files are looked at.
RELOAD_EVERY_S = 10.0
# A certificate that ends sooner should have been renewed: the usual ones are a month before their end.
RENEWED_BEFORE = timedelta(days=14)
# Who speaks no TLS is logged once; so many addresses are remembered.
MOST_LOGGED = 100
# OpenSSL's names for a client that does not begin with a TLS handshake.
_NO_TLS = frozenset({"HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER"})
# TLS records without data that a client may send, as of a change of keys: none does in less than gigabytes. Each costs
# as much as three frames, may come before any token, and passes below all that counts what a socket sends.
MOST_EMPTY_RECORDS = 32
# The head of a record of TLS 1.0 to 1.3 (RFC 8446, 5.1): kind, version, length.
_HEAD_BYTES, _KINDS, _MAJOR, _MOST_IN_RECORD = 5, range(20, 24), 3, 2**14 + 2048
# After a connection that cannot be accepted, as where no file is left for it.
ACCEPT_AGAIN_S = 1.0


class TooManyRecords(ssl.SSLError):
    """A client sends TLS records in which there is no data."""


class CountedRecords(ssl.SSLObject):
    """TLS over buffers, which is given one record at a time: by itself OpenSSL takes all that are there in one call."""

    _received: ssl.MemoryBIO
    _passed: ssl.MemoryBIO

    def take_from(self, received: ssl.MemoryBIO, passed: ssl.MemoryBIO) -> None:
        """received: what has come from the client. passed: what OpenSSL reads."""
        self._received, self._passed = received, passed
        self._kept = b""  # of a record that has not come whole
        self._empty = 0

    def do_handshake(self) -> None:
        """As SSLObject's. Raises: ssl.SSLError."""
        while True:
            try:
                return super().do_handshake()
            except ssl.SSLWantReadError:
                if not self._pass_record():
                    raise

    # As SSLObject names them.
    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002
        """As SSLObject's. Raises: TooManyRecords, ssl.SSLError."""
        while self.pending() or self._pass_record():
            try:
                return super().read(len, buffer)
            except ssl.SSLWantReadError:
                self._empty += 1
                if self._empty > MOST_EMPTY_RECORDS:
                    raise TooManyRecords("too many records without data") from None
        return super().read(len, buffer)

    def _pass_record(self) -> bool:
        """Pass the next record on. Returns False if none has come whole."""
        kept = self._kept
        if len(kept) < _HEAD_BYTES:
            kept += self._received.read(_HEAD_BYTES - len(kept))
        missing = _missing(kept)
        more = self._received.read(missing)
        kept += more
        if len(more) < missing:
            self._kept = kept
            return False
        self._passed.write(kept)
        self._kept = b""
        return True


def _missing(begun: bytes) -> int:
    """How much is missing of a record, or of its head; -1 for all that there is, if it is none of TLS's."""
    if len(begun) < _HEAD_BYTES:
        return _HEAD_BYTES - len(begun)
    length = int.from_bytes(begun[3:_HEAD_BYTES], "big")
    if begun[0] not in _KINDS or begun[1] != _MAJOR or length > _MOST_IN_RECORD:
        return -1
    return _HEAD_BYTES + length - len(begun)


class _Context(ssl.SSLContext):
    """Of a server whose clients' records are counted."""

    sslobject_class = CountedRecords

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **how: Any) -> ssl.SSLObject:
        passed = ssl.MemoryBIO()
        wrapped = super().wrap_bio(passed, outgoing, *args, **how)
        assert isinstance(wrapped, CountedRecords)
        wrapped.take_from(incoming, passed)
        return wrapped


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files. certificate: with its chain. key: "" if it stands there too.

    client_ca: who signs the certificates that clients must present; "": they need none.
    """

    certificate: str
    key: str = ""
    client_ca: str = ""

    def context(self) -> ssl.SSLContext:
        """For a server. Raises: ValueError that says what is wrong, without what the files hold."""
        context = _Context(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            self.load(context)
        except ssl.SSLError as error:
            raise ValueError(
                f"cannot be used: {error.reason or 'no certificate, or no key to it without a password'}"
            ) from None
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Have it use what the files hold now. Raises: OSError, ssl.SSLError among them."""
        for each in filter(None, (self.certificate, self.key, self.client_ca)):
            check_is_file(each)  # OpenSSL would wait for a pipe
        # A key with a password would be asked for at the terminal.
        context.load_cert_chain(self.certificate, self.key or None, password=lambda: b"")
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED

    def valid(self) -> tuple[datetime, datetime] | None:
        """From when to when the server's certificate is valid; None if it cannot be read."""
        from cryptography import x509  # noqa: PLC0415 - it is slow to import

        try:
            certificate = x509.load_pem_x509_certificate(read_small(Path(self.certificate)))
        except (OSError, ValueError):
            return None
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc

    def outlook(self, now: datetime) -> str:
        """What is to be said about when the certificate is valid; "" if it is, and for long. now: the wall clock,
        aware.
        """
        if (valid := self.valid()) is None:
            return ""
        begins, ends = valid
        if begins > now:
            return f"{self.certificate} is not valid before {begins:%Y-%m-%d %H:%M} UTC, by this machine's clock"
        if ends - now > RENEWED_BEFORE:
            return ""
        return f"{self.certificate} {'has expired' if ends <= now else 'expires'} on {ends:%Y-%m-%d %H:%M} UTC"

    def is_refused(self, now: datetime) -> bool:
        """Whether nobody connects who checks the certificate. now: as above."""
        valid = self.valid()
        return valid is not None and not valid[0] <= now < valid[1]

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Changes when a file is written or replaced."""
        stamps = []
        for each in filter(None, (self.certificate, self.key, self.client_ca)):
            with suppress(OSError):  # it is being replaced
                told = Path(each).stat()
                stamps.append((told.st_mtime_ns, told.st_ino, told.st_size))
        return tuple(stamps)


class CertificateReload:
    """Called from time to time, it has a context use files that have changed; what cannot be used is left aside.

    on_loop: calls a function on the thread that makes handshakes: a context is not for two threads. now: the wall
    clock, aware.
    """

    def __init__(
        self,
        files: TlsFiles,
        context: ssl.SSLContext,
        on_loop: Callable[[Callable[[], None]], object],
        now: Callable[[], datetime],
    ) -> None:
        self._files, self._context, self._on_loop, self._now = files, context, on_loop, now
        self._stamp: object = files.stamp()
        self._told = ""

    def __call__(self) -> None:
        self._look_for_change()
        self._look_for_end()

    def _look_for_end(self) -> None:
        valid = self._files.valid()
        TLS_EXPIRES.set(0 if valid is None else valid[1].timestamp())
        outlook = self._files.outlook(self._now())
        if outlook and outlook != self._told:
            level = "ERROR" if self._files.is_refused(self._now()) else "WARNING"
            logger.log(level, "the certificate needs to be exchanged", reason=outlook)
        self._told = outlook

    def _look_for_change(self) -> None:
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._files.context()
        except ValueError as error:
            TLS_RELOADS.labels("failed").inc()
            logger.error(
                "the changed certificate cannot be used: the former one stays",
                file=self._files.certificate,
                reason=str(error),
            )
        else:
            self._on_loop(self._reload)

    def _reload(self) -> None:
        try:
            self._files.load(self._context)
        except OSError as error:  # changed again since it was looked at
            TLS_RELOADS.labels("failed").inc()
            logger.error("the changed certificate could not be loaded", reason=error)
            self._stamp = None
        else:
            TLS_RELOADS.labels("ok").inc()
            logger.info("the changed certificate is in use")


class TlsHandshake:
    """An accepted connection whose TLS handshake is in progress."""

    def __init__(self, accepted: socket.socket) -> None:
        self.accepted = accepted

    def abort(self) -> None:
        with suppress(OSError):  # it has ended meanwhile
            self.accepted.shutdown(socket.SHUT_RDWR)


class TlsListener:
    """Accepts connections for TLS, and counts them as handshakes from the beginning.

    asyncio's own servers tell of a connection only after its handshake, so that any number may be in progress.
    context: the server's. limit_s: for a handshake. refuses: whether an address is not even to have a handshake.
    serves: makes the protocol of an encrypted connection, which takes the place of its handshake.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext,
        limit_s: float,
        connections: Connections[Connection],
        refuses: Callable[[str], bool],
        serves: Callable[[TlsHandshake], asyncio.Protocol],
    ) -> None:
        self._listening, self._context, self._limit_s = listening, context, limit_s
        self._connections, self._refuses, self._serves = connections, refuses, serves
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._logged: set[str] = set()  # addresses that spoke no TLS
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accept no more connections."""
        self._accepting.cancel()
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            try:
                accepted, address = await self._loop.sock_accept(self._listening)
            except OSError as error:
                logger.error("a connection cannot be accepted", reason=error)
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            handshake = TlsHandshake(accepted)
            if self._refuses(address[0]):
                CONNECTIONS_CUT.labels("guessing").inc()
                accepted.close()
                continue
            if not self._connections.accepted(handshake):
                accepted.close()
                continue
            task = self._loop.create_task(self._shake_hands(handshake, address[0]))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, handshake: TlsHandshake, address: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                partial(self._serves, handshake),
                handshake.accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._limit_s,
            )
        except OSError as error:  # it speaks no TLS, has no certificate that we trust, is too slow, or has left
            logger.debug("no TLS", reason=type(error).__name__)
            if getattr(error, "reason", "") in _NO_TLS:
                self._no_tls(address)
        finally:
            self._connections.closed(handshake)

    def _no_tls(self, address: str) -> None:
        CONNECTIONS_CUT.labels("no_tls").inc()
        if address not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(address)
            logger.warning("a client speaks no TLS: VAIC's bot URL must begin with wss://", address=address)
