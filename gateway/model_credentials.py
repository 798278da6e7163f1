"""What proves to the model's endpoint who we are: a key, or an access token that is fetched again before it expires.

A key in a file is read again for each upgrade, so that it can be exchanged. A token comes from a command, or from an
OAuth 2.0 token endpoint by client credentials (Entra ID); a thread of the daemon fetches it ahead of time, and an
upgrade waits for one only where there is none.
May import: actors.metrics, actors.transport, gateway, http_tools, loguru, the standard library.
Rules from: docs/specs/openai-realtime.md 1.2, 1.8.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from loguru import logger

from actors.metrics import MODEL_TOKENS
from actors.transport.dialler import Credentials, FixedHeaders, NoCredentials
from gateway.logs import hide
from gateway.settings import Settings, model_key_in, secret_file, variable_of
from http_tools.exchange import Broken, Request, Unsent, exchange
from http_tools.guard import HostGuard, NotAllowed

# A token is fetched again this long before it expires, and no later than for this share of its life.
AHEAD_S, AHEAD_SHARE = 300.0, 0.25
# Of one of which nobody says how long it lasts.
UNTOLD_LIFE_S = 300.0
# How often the thread looks whether it is time.
LOOK_EVERY_S = 15.0
FETCH_LIMIT_S, CONNECT_LIMIT_S = 10.0, 5.0
MOST_CHARS = 16 * 1024
_JWT_PARTS = 3


@dataclass(frozen=True, slots=True)
class AccessToken:
    """text: as it is presented. life_s: how long it can be used; None if that was not told."""

    text: str
    life_s: float | None = None


class FileKey:
    """A key in a file, read again for each upgrade; where it cannot be read, the one before stays.

    header: gives the headers of a key.
    """

    def __init__(self, path: Path, key: str, header: Callable[[str], dict[str, str]]) -> None:
        self._path, self._key, self._header = path, key, header
        self._fault = ""

    def headers(self) -> Mapping[str, str]:
        try:
            key = model_key_in(self._path)
        except ValueError as error:
            if str(error) != self._fault:
                self._fault = str(error)
                logger.error("the changed key of the model cannot be used: the former one stays", reason=self._fault)
        else:
            self._fault = ""
            if key != self._key:
                hide([key])
                self._key = key
                logger.info("the key of the model was exchanged")
        return self._header(self._key)

    def refused(self) -> None:
        """It is read again anyway."""


class TokenKeeper:
    """An access token that is kept fresh. For any thread. fetch: gives a new one; blocks, raises NoCredentials.

    now_s: monotonic.
    """

    def __init__(self, fetch: Callable[[], AccessToken], now_s: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._now_s = fetch, now_s
        self._fetching = threading.Lock()
        self._token: AccessToken | None = None
        self._fresh_until_s = self._until_s = 0.0
        self._fault = ""

    def headers(self) -> Mapping[str, str]:
        token = self._token
        if token is None or self._now_s() >= self._until_s:
            with self._fetching:
                token = self._token  # another thread may have fetched it meanwhile
                if token is None or self._now_s() >= self._until_s:
                    token = self._fetched()
        return {"Authorization": f"Bearer {token.text}"}

    def refused(self) -> None:
        """The endpoint takes the present token no longer."""
        self._token = None

    def keep(self) -> None:
        """Fetch a new token if it is time. Where none can be had, the present one is used until it expires."""
        if self._token is not None and self._now_s() < self._fresh_until_s:
            return
        with self._fetching, suppress(NoCredentials):
            self._fetched()

    def _fetched(self) -> AccessToken:
        try:
            token = self._fetch()
        except NoCredentials as error:
            MODEL_TOKENS.labels("failed").inc()
            if str(error) != self._fault:
                self._fault = str(error)
                logger.error("no access token for the model", reason=self._fault)
            raise
        MODEL_TOKENS.labels("ok").inc()
        self._fault = ""
        hide([token.text])
        life_s = UNTOLD_LIFE_S if token.life_s is None else max(token.life_s, 0.0)
        self._until_s = self._now_s() + life_s
        self._fresh_until_s = self._until_s - min(AHEAD_S, life_s * AHEAD_SHARE)
        self._token = token
        return token


def credentials_of(settings: Settings) -> Credentials:
    """What the settings say. A TokenKeeper's `keep` must be called from time to time."""
    if settings.openai_token_command:
        return TokenKeeper(partial(from_command, settings.openai_token_command))
    if settings.openai_token_url:
        return TokenKeeper(
            partial(
                from_token_endpoint,
                settings.openai_token_url,
                settings.openai_client_id,
                settings.openai_client_secret.get_secret_value(),
                settings.openai_token_scope,
            )
        )
    key = settings.openai_api_key.get_secret_value() or "local"
    path = secret_file(variable_of("openai_api_key"))
    return FileKey(path, key, settings.key_header) if path is not None else FixedHeaders(settings.key_header(key))


def from_command(command: str) -> AccessToken:
    """The token that a command prints: itself, or JSON as `az account get-access-token` does. Raises: NoCredentials."""
    try:
        done = subprocess.run(  # the deployment's own command, not through a shell
            shlex.split(command), capture_output=True, timeout=FETCH_LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise NoCredentials("the command did not end in time") from None
    except (OSError, ValueError) as error:
        raise NoCredentials(f"the command cannot be run: {type(error).__name__}") from None
    if done.returncode:
        raise NoCredentials(f"the command ended with {done.returncode}")
    text = done.stdout.decode(errors="replace").strip()
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if isinstance(given, dict):
        return _token_of({"access_token": given.get("accessToken"), **given})
    return _token(text, None)


def from_token_endpoint(url: str, client_id: str, secret: str, scope: str) -> AccessToken:
    """A token by client credentials (RFC 6749 4.4). Raises: NoCredentials."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, "scope": scope}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    host = urlsplit(url).hostname or ""
    try:
        reply = exchange(
            Request("POST", url, headers, urlencode(form).encode()),
            HostGuard(hosts=(host,), private=(host,)),
            connect_s=CONNECT_LIMIT_S,
            until_s=time.monotonic() + FETCH_LIMIT_S,
            clock_s=time.monotonic,
        )
    except (Unsent, Broken, NotAllowed) as error:
        raise NoCredentials(f"the token endpoint: {error}") from None
    if reply.status != HTTPStatus.OK or not isinstance(reply.body, dict):
        told = reply.body.get("error") if isinstance(reply.body, dict) else None
        why = told if isinstance(told, str) and told.replace("_", "").isalpha() else "no token"
        raise NoCredentials(f"the token endpoint: status {reply.status}, {why}")
    return _token_of(reply.body)


def _token_of(given: Mapping[str, Any]) -> AccessToken:
    """A token as a token endpoint or Azure's command line tells it. Raises: NoCredentials."""
    life_s = _number(given.get("expires_in"))
    if life_s is None and (end_s := _number(given.get("expires_on"))) is not None:
        life_s = end_s - time.time()
    return _token(given.get("access_token"), life_s)


def _number(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        number = float(given)
    except ValueError:
        return None
    return number if abs(number) < 1e12 else None  # nor a NaN


def _token(text: object, life_s: float | None) -> AccessToken:
    if not isinstance(text, str) or not text or len(text) > MOST_CHARS or not text.isascii() or not text.isprintable():
        raise NoCredentials("what was given is no token")
    if any(each.isspace() for each in text):
        raise NoCredentials("what was given is no token")
    return AccessToken(text, _life_s(text) if life_s is None else life_s)


def _life_s(token: str) -> float | None:
    """How long a token can be used by its own `exp`; None if it is no JWT, or says nothing of it. Not verified."""
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return None
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    end_s = _number(claims.get("exp")) if isinstance(claims, dict) else None
    return None if end_s is None else end_s - time.time()
