"""Checks Authorization headers, and maps them to the credentials of calls; the fixed tokens may change meanwhile.

May import: actors.metrics, loguru, the standard library.
Rules from: docs/specs/vaic-streaming.md 2.1, docs/specs/reliability.md 6.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from loguru import logger

from actors.metrics import TOKEN_RELOADS

# Shorter tokens can be guessed, or are words.
MIN_TOKEN_CHARS = 16
# A JWT has three parts.
JWT_DOTS = 2
# How often the tokens' file is looked at.
RELOAD_EVERY_S = 10.0
# Tokens that were taken out again, and whose calls may still go on.
MOST_FORMER = 16


class KeysMissing(Exception):
    """The issuer's keys, or the one that signed an access token, are not here yet: the client may try again."""


class TokenRefused(Exception):
    """No call is opened with what a client presented. reason: for the log, without the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Tokens:
    """digests: of the tokens that are accepted. credentials: of calls that one of them may resume."""

    digests: tuple[bytes, ...]
    credentials: tuple[str, ...]


class BearerCheck:
    """Checks an Authorization header. tokens: any of them is accepted. access_token: see AccessTokenCheck.

    Without either every header is accepted.
    """

    def __init__(self, tokens: Sequence[str], access_token: Callable[[str], str] | None = None) -> None:
        self._access_token = access_token
        self._tokens = _Tokens((), ())
        self.replace(tokens)

    def replace(self, tokens: Sequence[str]) -> None:
        """Accept these tokens instead; on any thread. A call opened with a former one is resumed with these."""
        digests = tuple(hashlib.sha256(token.encode()).digest() for token in tokens)
        ours = tuple(f"Bearer {token}" for token in tokens)
        former = tuple(each for each in self._tokens.credentials if each not in ours)
        # One assignment: a header that is checked meanwhile sees one set or the other.
        self._tokens = _Tokens(digests, ours + former[:MOST_FORMER])

    def __call__(self, authorization: str) -> tuple[str, ...]:
        """The credentials of calls that may be resumed with it, that of new calls first.

        Raises: TokenRefused; KeysMissing if it may be a good access token, but that cannot be told yet.
        All tokens are one peer's: while they are exchanged, a call goes on that was opened with another of them.
        """
        tokens = self._tokens
        if not tokens.digests and self._access_token is None:
            return (authorization,)
        scheme, _, presented = authorization.partition(" ")
        # Back to bytes: websockets 17 decodes headers as Latin-1, older versions as ASCII with surrogates.
        presented = presented.strip(" \t")
        digest = hashlib.sha256(presented.encode("latin-1", "surrogateescape")).digest()
        # Compare all, so that the time does not depend on which one matches.
        right = [hmac.compare_digest(digest, each) for each in tokens.digests]
        if scheme.lower() != "bearer":
            raise TokenRefused("no bearer token" if scheme else "no token")
        if any(right):
            return tokens.credentials
        if self._access_token is None:
            raise TokenRefused("a wrong token")
        if presented.count(".") != JWT_DOTS:
            raise TokenRefused("a token that is no access token")
        return (self._access_token(presented),)


class TokenReload:
    """Called from time to time, it has a check accept the tokens in a file; what cannot be used is left aside.

    read: the tokens as they are in the file now; raises ValueError that says what is wrong. used: those the check has.
    hide: keeps texts out of the log.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[str]],
        check: BearerCheck,
        used: Sequence[str],
        hide: Callable[[Iterable[str]], object],
    ) -> None:
        self._read, self._check, self._hide = read, check, hide
        self._used = tuple(used)
        self._fault = ""

    def __call__(self) -> None:
        try:
            tokens = tuple(self._read())
        except ValueError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                TOKEN_RELOADS.labels("failed").inc()
                logger.error("the changed tokens cannot be used: the former ones stay", reason=self._fault)
            return
        self._fault = ""
        if tokens != self._used:
            self._hide(tokens)
            self._check.replace(tokens)
            self._used = tokens
            TOKEN_RELOADS.labels("ok").inc()
            logger.info("the changed tokens are in use", tokens=len(tokens))
