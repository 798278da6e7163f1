"""The engine over TLS: with a certificate of its own for this run, or one that is given.

May import: lab.engine.settings, trustme, the standard library.
"""

from __future__ import annotations

import ssl

from lab.engine.settings import EngineSettings

LOCAL = ("localhost", "127.0.0.1", "::1")


def tls_of(settings: EngineSettings) -> ssl.SSLContext | None:
    """The engine's side of TLS; None without. Raises: OSError, if a file cannot be read, written, or used."""
    if settings.tls_cert is None and settings.self_signed is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if settings.tls_cert is not None:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    if settings.self_signed is not None:
        import trustme

        authority = trustme.CA()
        authority.issue_cert(*dict.fromkeys((*LOCAL, settings.host))).configure_cert(context)
        authority.cert_pem.write_to_path(str(settings.self_signed))
    return context
