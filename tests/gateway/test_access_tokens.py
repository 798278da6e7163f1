"""OAuth's access tokens, with an issuer that really answers: who is let in, and whose keys are used."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from websockets.exceptions import InvalidStatus

from gateway.access_tokens import STALE_S, UNKNOWN_KEY_S, AccessTokenCheck, IssuerKeys
from gateway.credentials import KeysMissing, TokenRefused
from tests.gateway.daemons import counted, get, run, serving, socket, until

ISSUER, AUDIENCE = "https://login.example", "tieline"
OURS = f"oauth {ISSUER} vaic"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
NEXT = ECKey.generate_key("P-256", {"kid": "two"})
NOW = int(time.time())


def token(key: RSAKey | ECKey = KEY, alg: str = "RS256", **claims: Any) -> str:
    told = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 3600, "sub": "vaic"} | claims
    told = {name: value for name, value in told.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid}, told, key, algorithms=[alg])


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Publishes keys. status: of its answers."""

    def __init__(self) -> None:
        self.keys: list[Any] = [KEY]
        self.status = 200
        self.asked = asyncio.Semaphore(0)
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        self.asked.release()
        told = [each.as_dict(private=False) if hasattr(each, "as_dict") else each for each in self.keys]
        return web.json_response({"keys": told}, status=self.status)

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[Issuer]:
        app = web.Application()
        app.add_routes([web.get("/keys", self.answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
        yield self
        await runner.cleanup()


@asynccontextmanager
async def checking(issuer: Issuer, clock: Clock) -> AsyncIterator[AccessTokenCheck]:
    keys = IssuerKeys(issuer.url, clock)
    await keys.start()
    yield AccessTokenCheck(ISSUER, AUDIENCE, keys, lambda: NOW)
    keys.stop()


def unsigned() -> str:
    parts = ({"alg": "none", "kid": "one"}, {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60})
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts) + "."


def signed_with_the_public_key() -> str:
    head, claims, _ = token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "one"}).encode()).decode().rstrip("=")
    seal = hmac.new(KEY.as_pem(private=False), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{base64.urlsafe_b64encode(seal).decode().rstrip('=')}"


async def good_in_the_end(check: AccessTokenCheck, presented: str) -> str | None:
    """What comes of a token as soon as its key is known."""

    async def look() -> list[str | None] | None:
        await asyncio.sleep(0)  # the fetch's turn, on the same loop
        try:
            return [check(presented)]
        except KeysMissing:
            return None

    return (await until(look))[0]


GOOD = {
    "as it is": token(),
    "several audiences": token(aud=["other", AUDIENCE]),
    "a clock that is a little off": token(exp=NOW - 10),
    "by client id": token(sub=None, client_id="vaic"),
}
BAD = {
    "another issuer": token(iss="https://evil.example"),
    "no issuer": token(iss=None),
    "another audience": token(aud="other"),
    "no audience": token(aud=None),
    "expired": token(exp=NOW - 60),
    "never expires": token(exp=None),
    "not yet": token(nbf=NOW + 600),
    "another's signature": token(RSAKey.generate_key(2048, {"kid": "one"})),
    "signed with the public key as a secret": signed_with_the_public_key(),
    "unsigned": unsigned(),
    "nonsense": "a.b.c",
    "deep": base64.urlsafe_b64encode(b"[" * 5000).decode() + ".b.c",
    "no text": "é.\udcff.c",
}


WHY = dict.fromkeys(BAD, "a token that is no access token") | {
    "another issuer": "an access token of another issuer, or of none",
    "no issuer": "an access token of another issuer, or of none",
    "another audience": "an access token for another audience, or for none",
    "no audience": "an access token for another audience, or for none",
    "expired": "an access token that has expired",
    "never expires": "an access token that never expires",
    "not yet": "an access token that is not valid yet",
    "another's signature": "an access token that the issuer has not signed",
}


def why_not(check: AccessTokenCheck, presented: str) -> str:
    with pytest.raises(TokenRefused) as refused:
        check(presented)
    return refused.value.reason


def test_tokens_of_the_issuer_for_us_are_good_and_no_others() -> None:
    async def scene() -> None:
        async with Issuer().publishing() as issuer, checking(issuer, Clock()) as check:
            assert {name: check(each) for name, each in GOOD.items()} == dict.fromkeys(GOOD, OURS)
            assert {name: why_not(check, each) for name, each in BAD.items()} == WHY

    run(scene)


def test_a_new_key_is_fetched_when_a_token_names_it_at_most_once_a_minute() -> None:
    async def scene() -> None:
        clock = Clock()
        async with Issuer().publishing() as issuer, checking(issuer, clock) as check:
            await issuer.asked.acquire()
            new, never = token(NEXT, "ES256"), token(RSAKey.generate_key(2048, {"kid": "three"}))
            issuer.keys = [KEY, NEXT, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA"}, "nonsense"]
            with pytest.raises(KeysMissing):
                check(new)
            await issuer.asked.acquire()
            assert await good_in_the_end(check, new) == OURS
            # Within the minute it is as good as a wrong one.
            assert why_not(check, never) == "an access token of a key that the issuer does not have"
            clock.now += UNKNOWN_KEY_S
            with pytest.raises(KeysMissing):
                check(never)

    run(scene)


def test_keys_are_used_for_a_day_while_their_issuer_is_away_and_missed_after_that() -> None:
    async def scene() -> None:
        clock, failed = Clock(), counted("tieline_oauth_key_fetches_total", result="failed")
        async with Issuer().publishing() as issuer, checking(issuer, clock) as check:
            issuer.status = 500
            clock.now += STALE_S
            assert check(token()) == OURS
            clock.now += 1
            with pytest.raises(KeysMissing):
                check(token())

            async def has_failed() -> bool:
                await asyncio.sleep(0)
                return counted("tieline_oauth_key_fetches_total", result="failed") > failed

            await until(has_failed)
            issuer.status = 200
            clock.now += UNKNOWN_KEY_S
            with pytest.raises(KeysMissing):
                check(token())
            assert await good_in_the_end(check, token()) == OURS

    run(scene)


def test_vaic_calls_and_resumes_with_tokens_of_the_same_client_only(tmp_path: Path) -> None:
    async def resumes(daemon: Any, presented: str, answer: str) -> None:
        async with socket(daemon, presented) as vaic:
            await vaic.says("session.resume", conversationId="c-1")
            await vaic.hears(answer)

    async def scene() -> None:
        async with Issuer().publishing() as issuer:
            oauth: dict[str, Any] = {"oauth_issuer": ISSUER, "oauth_audience": AUDIENCE, "oauth_jwks_url": issuer.url}
            async with serving(tmp_path, vaic_token="s3cret-token-of-ours", **oauth) as daemon:
                assert daemon.vaic_url.startswith("ws://0.0.0.0:")
                async with socket(daemon, token()) as vaic:
                    await vaic.calls("c-1")
                await resumes(daemon, token(exp=NOW + 7200), "session.accepted")
                await resumes(daemon, token(sub="another"), "session.error")
                await resumes(daemon, "s3cret-token-of-ours", "session.error")
                with pytest.raises(InvalidStatus) as refused:
                    await resumes(daemon, BAD["expired"], "")
                assert refused.value.response.status_code == 401

    run(scene)


def test_without_the_issuers_keys_an_access_token_is_deferred_and_counts_as_no_guess(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Issuer().publishing() as issuer:
            issuer.status = 500
            oauth: dict[str, Any] = {"oauth_issuer": ISSUER, "oauth_audience": AUDIENCE, "oauth_jwks_url": issuer.url}
            before = counted("tieline_auth_failures_total", status="401")
            async with serving(tmp_path, **oauth) as daemon:
                with pytest.raises(InvalidStatus) as refused:
                    async with socket(daemon, token()):
                        pass
                assert refused.value.response.status_code == 503
                assert await get(f"{daemon.ops_url}/readyz") == (404, "not ready: the issuer's keys are missing\n")
                assert counted("tieline_auth_failures_total", status="401") == before

    run(scene)
