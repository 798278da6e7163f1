"""Checks Authorization headers, and maps them to the credentials of calls.

May import: the standard library. Rules from: docs/specs/vaic-streaming.md 2.1, docs/specs/reliability.md 6.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

# Shorter tokens can be guessed, or are words.
MIN_TOKEN_CHARS = 16
# A JWT has three parts.
JWT_DOTS = 2


class KeysMissing(Exception):
    """The issuer's keys, or the one that signed an access token, are not here yet: the client may try again."""


class TokenRefused(Exception):
    """No call is opened with what a client presented. reason: for the log, without the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BearerCheck:
    """Checks an Authorization header. tokens: any of them is accepted. access_token: see AccessTokenCheck.

    Without either every header is accepted.
    """

    def __init__(self, tokens: Sequence[str], access_token: Callable[[str], str] | None = None) -> None:
        self._access_token = access_token
        self._digests = [hashlib.sha256(token.encode()).digest() for token in tokens]
        self._credentials = tuple(f"Bearer {token}" for token in tokens)

    def __call__(self, authorization: str) -> tuple[str, ...]:
        """The credentials of calls that may be resumed with it, that of new calls first.

        Raises: TokenRefused; KeysMissing if it may be a good access token, but that cannot be told yet.
        All tokens are one peer's: while they are exchanged, a call goes on that was opened with another of them.
        """
        if not self._digests and self._access_token is None:
            return (authorization,)
        scheme, _, presented = authorization.partition(" ")
        # Back to bytes: websockets 17 decodes headers as Latin-1, older versions as ASCII with surrogates.
        presented = presented.strip(" \t")
        digest = hashlib.sha256(presented.encode("latin-1", "surrogateescape")).digest()
        # Compare all, so that the time does not depend on which one matches.
        right = [hmac.compare_digest(digest, each) for each in self._digests]
        if scheme.lower() != "bearer":
            raise TokenRefused("no bearer token" if scheme else "no token")
        if any(right):
            return self._credentials
        if self._access_token is None:
            raise TokenRefused("a wrong token")
        if presented.count(".") != JWT_DOTS:
            raise TokenRefused("a token that is no access token")
        return (self._access_token(presented),)
