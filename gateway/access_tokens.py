"""OAuth access tokens that VAIC presents instead of a fixed one: JWTs, checked with their issuer's public keys.

The keys are fetched beside the calls and kept: no check of a token waits for the network.
Imported where an issuer is set up: its library is slow to import.
May import: actors.metrics, gateway, aiohttp, joserfc, loguru, the standard library.
Rules from: docs/specs/vaic-streaming.md 1.2, 2.1, docs/specs/reliability.md 6.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
)
from joserfc.jwk import ECKey, KeySet, RSAKey
from loguru import logger

from actors.metrics import KEY_FETCHES
from gateway.credentials import KeysMissing, TokenRefused

# Of signatures by a private key only: a token never says by which rule it is to be checked.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# How far the issuer's clock may be from ours.
LEEWAY_S = 30
# Keys are fetched this often, and at most this often for a token whose key is not known: an issuer may have a new one,
# which it publishes before it signs with it.
REFRESH_S = 600.0
UNKNOWN_KEY_S = 60.0
# How long keys are used without having been fetched again.
STALE_S = 24 * 3600.0
FETCH_LIMIT_S = 5.0
MAX_BYTES = 1024 * 1024
_KINDS: dict[object, type[RSAKey | ECKey]] = {"RSA": RSAKey, "EC": ECKey}


_CLAIMS = {
    "iss": "an access token of another issuer, or of none",
    "aud": "an access token for another audience, or for none",
    "exp": "an access token that never expires",
    "nbf": "an access token that is not valid yet",
}


class IssuerKeys:
    """The public keys of an issuer. url: of its JWKS. now_s: monotonic, as of the loop."""

    def __init__(self, url: str, now_s: Callable[[], float]) -> None:
        self._url = url
        self._now_s = now_s
        self._keys: KeySet | None = None
        self._fetched_s = self._asked_s = float("-inf")
        self._wanted = asyncio.Event()
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fetch the keys, for FETCH_LIMIT_S at most, and from now on until `stop`."""
        await self._fetch()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @property
    def missing(self) -> bool:
        """No access token can be checked."""
        return self._keys is None or self._now_s() - self._fetched_s > STALE_S

    def current(self) -> KeySet:
        """Raises: KeysMissing."""
        if self._keys is None or self.missing:
            self._ask()
            raise KeysMissing
        return self._keys

    def unknown(self) -> bool:
        """A token names a key that is not among these. Returns whether it is worth to try again.

        It is not while these are new: the issuer has no such key. While they cannot be fetched, nobody knows.
        """
        if self._now_s() - self._fetched_s < UNKNOWN_KEY_S:
            return False
        self._ask()
        return True

    def _ask(self) -> None:
        if self._now_s() - self._asked_s >= UNKNOWN_KEY_S:
            self._asked_s = self._now_s()
            self._wanted.set()

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._wanted.wait()
            await self._fetch()
            self._wanted.clear()

    async def _fetch(self) -> None:
        try:
            limit = aiohttp.ClientTimeout(total=FETCH_LIMIT_S)
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                # A redirect may lead anywhere, and out of TLS.
                session.get(self._url, allow_redirects=False) as answer,
            ):
                answer.raise_for_status()
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > MAX_BYTES:
                        raise ValueError("the answer is too long")
                # Not on the loop: to read a thousand keys takes a tenth of a second.
                keys = await asyncio.to_thread(lambda: _key_set(json.loads(body)))
        except Exception as error:  # noqa: BLE001 - a foreign server's answer: the keys that are here stay in use
            KEY_FETCHES.labels("failed").inc()
            if not self._failing:
                logger.error("the issuer's keys cannot be fetched", url=self._url, reason=error)
            self._failing = True
        else:
            KEY_FETCHES.labels("ok").inc()
            if self._failing:
                logger.warning("the issuer's keys are fetched again")
            self._failing, self._keys, self._fetched_s = False, keys, self._now_s()


class AccessTokenCheck:
    """Checks JWTs of one issuer for one audience. now: the wall clock, in seconds since 1970."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys, now: Callable[[], float] = time.time) -> None:
        self._issuer, self._audience = issuer, audience
        self._keys = keys
        self._now = now

    def __call__(self, token: str) -> str:
        """The credential of the client that a token was issued to, the same for its next one.

        Raises: TokenRefused, KeysMissing.
        """
        keys = self._keys.current()
        try:
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                now=int(self._now()),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
            ).validate(claims)
        except InvalidKeyIdError:
            if self._keys.unknown():
                raise KeysMissing from None
            raise TokenRefused("an access token of a key that the issuer does not have") from None
        except JoseError as error:
            raise TokenRefused(_reason(error)) from None
        except Exception:  # noqa: BLE001 - a stranger's text: whatever it makes the library raise, it is no token
            raise TokenRefused("a token that is no access token") from None
        client = next((claims[name] for name in ("sub", "client_id", "azp", "appid") if claims.get(name)), "")
        return f"oauth {self._issuer} {client}"


def _reason(error: JoseError) -> str:
    """What is wrong with a token, in words of ours: the library's may quote it."""
    match error:
        case ExpiredTokenError():
            return "an access token that has expired"
        case MissingClaimError() | InvalidClaimError():
            return _CLAIMS.get(error.claim, "an access token with a wrong claim")
        case BadSignatureError():
            return "an access token that the issuer has not signed"
        case _:
            return "a token that is no access token"


def _key_set(answer: Any) -> KeySet:
    """The signature keys of a JWKS. Raises: ValueError if there is none."""
    told = answer.get("keys") if isinstance(answer, Mapping) else None
    keys: list[Any] = []
    for each in told if isinstance(told, list) else []:
        if isinstance(each, dict) and (kind := _KINDS.get(each.get("kty"))) and each.get("use", "sig") == "sig":
            with suppress(JoseError, ValueError, TypeError):
                keys.append(kind.import_key({key: value for key, value in each.items() if key != "d"}))
    if not keys:
        raise ValueError("the answer holds no key")
    return KeySet(keys)
