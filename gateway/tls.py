"""TLS on VAIC's port in this process, where no balancer ends it; a renewed certificate is loaded without a restart.

May import: actors.metrics, loguru, the standard library. Rules from: docs/specs/reliability.md 6.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from actors.metrics import TLS_RELOADS

# How often the files are looked at.
RELOAD_EVERY_S = 10.0


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
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
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
        # A key with a password would be asked for at the terminal.
        context.load_cert_chain(self.certificate, self.key or None, password=lambda: b"")
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED

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

    on_loop: calls a function on the thread that makes handshakes: a context is not for two threads.
    """

    def __init__(
        self, files: TlsFiles, context: ssl.SSLContext, on_loop: Callable[[Callable[[], None]], object]
    ) -> None:
        self._files, self._context, self._on_loop = files, context, on_loop
        self._stamp: object = files.stamp()

    def __call__(self) -> None:
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._files.context()
        except ValueError as error:
            TLS_RELOADS.labels("failed").inc()
            logger.error("the changed certificate cannot be used: the former one stays", reason=str(error))
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
