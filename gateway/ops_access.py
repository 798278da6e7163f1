"""Who may read the ops endpoint: health is everybody's and says nothing else, data needs a token or this machine.

May import: gateway.connections, gateway.credentials, gateway.health, aiohttp, loguru, the standard library.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from loguru import logger

from gateway.connections import AuthFailures
from gateway.credentials import BearerCheck, KeysMissing, TokenRefused
from gateway.health import LIVE, READY

# Asked by balancers and kubelets, which have no token.
HEALTH = frozenset({LIVE, READY})
# Asked every few seconds by a machine: its successes are in the log at DEBUG only.
SCRAPED = frozenset({"/metrics"})
# Requests of data are answered one after another, this far apart: each costs the loop up to 3 ms, which all calls wait
# for, and 64 connections may ask at once.
DATA_EVERY_S = 0.02
# Those of health likewise: a balancer asks a few times a second, and needs no token.
HEALTH_EVERY_S = 0.002
# Where VoiceAI Connect puts what it says of calls. Its token is good for that, and shows nothing.
REPORTS = "/vaic/cdr"


# What the workers' supervisor says of a request that it passes on: from whom it is, and a name of it.
ASKED_BY = "X-Tieline-Asked-By"


def asked_by(request: web.Request) -> tuple[str, str]:
    """The address that a request comes from, and the name of a request that several workers are asked; "" for one."""
    address = request.remote or ""
    passed_on = request.headers.get(ASKED_BY, "").split(" ")
    # Nobody else's word counts.
    if len(passed_on) == 2 and address and ipaddress.ip_address(address).is_loopback:
        return passed_on[0], passed_on[1]
    return address, ""


def url_of(host: str, port: int) -> str:
    """Where an address is reached by HTTP."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names_address(host: str) -> bool:
    """Whether a Host header names an address or this machine, and no name that somebody else's DNS resolves.

    A page of any site could have its own name resolve to 127.0.0.1, and read what its visitors' machines serve there.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name) is not None
    except ValueError:
        return False


class _Turns:
    """Those who ask get a turn one after another, every_s apart; who came first is first."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._one_at_a_time = asyncio.Lock()
        self._next_s = 0.0

    async def take(self) -> None:
        now_s = asyncio.get_running_loop().time
        async with self._one_at_a_time:
            if (left_s := self._next_s - now_s()) > 0:
                await asyncio.sleep(left_s)
            self._next_s = now_s() + self._every_s


class OpsAccess:
    """A middleware, made on the loop. check: None where no token is set, which is allowed on loopback only; then a
    browser is kept out by the Host that it names. Each request of data is a line of the log, without its query, which
    may name a caller.
    """

    def __init__(self, check: BearerCheck | None) -> None:
        self._check = check
        self._reporters: BearerCheck | None = None
        self._failures = AuthFailures(asyncio.get_running_loop().time)
        self._data, self._health = _Turns(DATA_EVERY_S), _Turns(HEALTH_EVERY_S)

    def let_report(self, check: BearerCheck) -> None:
        """From now on who passes that may put reports, and needs to."""
        self._reporters = check

    @property
    def middleware(self) -> web.middleware:  # type: ignore[valid-type]
        """For aiohttp, which knows one by its mark."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path in HEALTH:
                await self._health.take()
                return await handler(request)
            answer = self._refusal(request) or await self._answered(request, handler)
            answer.headers["Cache-Control"] = "no-store"
            return answer

        return check

    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began_s = asyncio.get_running_loop().time()
        await self._data.take()
        try:
            answer = await handler(request)
        except web.HTTPException as refused:  # of aiohttp's own router: no such path, no such method
            answer = web.json_response({"error": (refused.reason or "").lower()}, status=refused.status)
            if "Allow" in refused.headers:
                answer.headers["Allow"] = refused.headers["Allow"]
        ms = round((asyncio.get_running_loop().time() - began_s) * 1000)
        quiet = request.path in SCRAPED and answer.status == web.HTTPOk.status_code
        log = logger.bind(method=request.method, path=request.path, status=answer.status, ms=ms)
        log.log("DEBUG" if quiet else "INFO", "ops request", address=request.remote or "")
        return answer

    def _refusal(self, request: web.Request) -> web.Response | None:
        """The answer to a request that may not see the data; None if it may."""
        address = request.remote or ""
        checks = (self._check, self._reporters if request.path == REPORTS else None)
        if (accepting := [check for check in checks if check is not None]) == []:
            host = request.headers.get("Host", "")
            if not host or names_address(host):  # without one it is no browser
                return None
            logger.warning("ops request refused", reason="its Host is no address", path=request.path, address=address)
            return _error(web.HTTPMisdirectedRequest.status_code, "name this machine by its address, or as localhost")
        if wait_s := self._failures.wait_s(address):
            answer = _error(web.HTTPTooManyRequests.status_code, "too many wrong tokens")
            answer.headers["Retry-After"] = str(math.ceil(wait_s))
            return answer
        presented = request.headers.getall("Authorization", [])
        if reason := _refused(presented[0] if len(presented) == 1 else "", accepting):
            self._failures.failed(address)
            logger.warning("ops request refused", reason=reason, path=request.path, address=address)
            setting = "TIELINE_VAIC_TOKEN" if request.path == REPORTS else "TIELINE_OPS_TOKEN"
            answer = _error(web.HTTPUnauthorized.status_code, f"a bearer token is needed: {setting}")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        self._failures.succeeded(address)
        return None


def _refused(authorization: str, checks: Sequence[BearerCheck]) -> str:
    """Why none of them accepts it; "" if one does."""
    reason = ""
    for check in checks:
        try:
            check(authorization)
        except TokenRefused as refused:
            reason = refused.reason
        except UnicodeEncodeError:
            reason = "a wrong token"
        except KeysMissing:
            reason = "an access token that cannot be checked now"
        else:
            return ""
    return reason


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
