"""Checks Authorization headers, and maps them to the credentials of calls.

May import: the standard library. Rules from: docs/specs/vaic-streaming.md 2.1, docs/specs/reliability.md 6.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

# Shorter tokens can be guessed, or are words.
MIN_TOKEN_CHARS = 16


class BearerCheck:
    """Checks an Authorization header in constant time. tokens: any of them is accepted; none: every header is."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]
        self._credentials = tuple(f"Bearer {token}" for token in tokens)

    def __call__(self, authorization: str) -> tuple[str, ...] | None:
        """The credentials of calls that may be resumed with it, that of new calls first; None if it is wrong.

        All tokens are one peer's: while they are exchanged, a call goes on that was opened with another of them.
        """
        if not self._digests:
            return (authorization,)
        scheme, _, presented = authorization.partition(" ")
        # Back to bytes: websockets 17 decodes headers as Latin-1, older versions as ASCII with surrogates.
        digest = hashlib.sha256(presented.strip(" \t").encode("latin-1", "surrogateescape")).digest()
        # Compare all, so that the time does not depend on which one matches.
        right = [hmac.compare_digest(digest, each) for each in self._digests]
        return self._credentials if any(right) and scheme.lower() == "bearer" else None
