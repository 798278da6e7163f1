"""Keys and access tokens for the model's endpoint: from files, commands and a token endpoint, kept fresh."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from actors.system.dispatcher import LoopDispatcher, install
from actors.transport.dialler import DialFailed, Dialled, Dialler, NoCredentials, Purpose
from gateway.model_credentials import (
    UNTOLD_LIFE_S,
    AccessToken,
    TokenKeeper,
    credentials_of,
    from_command,
    from_token_endpoint,
)
from gateway.settings import SettingsError, read_settings
from lab.engine import Engine, EngineSettings
from tests.counted import counted
from tests.paced_loop import loop_time_s, run_paced
from tests.probe import Inbox

KEY = "k" * 20


def jwt(exp: float) -> str:
    claims = urlsafe_b64encode(json.dumps({"exp": exp}).encode()).rstrip(b"=").decode()
    return f"e30.{claims}.sig"


@asynccontextmanager
async def token_endpoint(answer: Callable[[dict[str, list[str]]], web.Response]) -> AsyncIterator[str]:
    """An OAuth token endpoint on a port of its own. answer: to the form that was posted."""

    async def post(request: web.Request) -> web.Response:
        return answer(parse_qs(await request.text()))

    app = web.Application()
    app.router.add_post("/tenant/oauth2/v2.0/token", post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/tenant/oauth2/v2.0/token"
    finally:
        await runner.cleanup()


# --- keeping a token ---


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def keeper(clock: Clock, *tokens: AccessToken | NoCredentials) -> TokenKeeper:
    left = list(tokens)

    def fetch() -> AccessToken:
        token = left.pop(0)
        if isinstance(token, NoCredentials):
            raise token
        return token

    return TokenKeeper(fetch, clock)


def bearer(kept: TokenKeeper) -> str:
    return kept.headers()["Authorization"].removeprefix("Bearer ")


def test_a_token_is_fetched_once_and_again_ahead_of_its_end() -> None:
    clock = Clock()
    kept = keeper(clock, AccessToken("one", 3600), AccessToken("two", 3600))
    kept.keep()
    assert [bearer(kept), bearer(kept)] == ["one", "one"]
    clock.now_s = 3299
    kept.keep()
    assert bearer(kept) == "one"
    clock.now_s = 3300
    kept.keep()
    assert bearer(kept) == "two"


def test_where_no_new_token_can_be_had_the_present_one_is_used_until_it_expires() -> None:
    clock, gone = Clock(), NoCredentials("the token endpoint: status 503, no token")
    before = counted("tieline_model_token_fetches_total", outcome="failed")
    kept = keeper(clock, AccessToken("one", 3600), gone, gone, AccessToken("two", 3600))
    kept.keep()
    clock.now_s = 3400
    kept.keep()
    assert bearer(kept) == "one"
    clock.now_s = 3600
    with pytest.raises(NoCredentials, match="status 503"):
        kept.headers()
    assert bearer(kept) == "two"
    assert counted("tieline_model_token_fetches_total", outcome="failed") - before == 2


def test_a_token_that_is_refused_is_replaced() -> None:
    kept = keeper(Clock(), AccessToken("revoked", 3600), AccessToken("new", 3600))
    assert bearer(kept) == "revoked"
    kept.refused()
    assert bearer(kept) == "new"


def test_a_token_without_a_time_is_kept_for_some_minutes() -> None:
    clock = Clock()
    kept = keeper(clock, AccessToken("one"), AccessToken("two"))
    assert bearer(kept) == "one"
    clock.now_s = UNTOLD_LIFE_S
    assert bearer(kept) == "two"


# --- where tokens come from ---


def printing(text: str) -> str:
    return f"{sys.executable} -c 'import sys; sys.stdout.write({json.dumps(text)})'"


@pytest.mark.parametrize(
    ("printed", "life_s"),
    [
        ("t0ken\n", None),
        ('{"accessToken": "t0ken", "expires_on": %(soon)d, "tokenType": "Bearer"}', 900),
        ('{"access_token": "t0ken", "expires_in": 900}', 900),
        ('{"access_token": "t0ken", "expires_in": "900", "ext": 1}', 900),
        ('{"accessToken": "t0ken", "expires_on": null}', None),
    ],
)
def test_a_command_prints_a_token_or_json_as_azures_command_line_does(printed: str, life_s: float | None) -> None:
    token = from_command(printing(printed % {"soon": time.time() + 900} if "%" in printed else printed))
    assert token.text == "t0ken"
    assert token.life_s == (None if life_s is None else pytest.approx(life_s, abs=120))


def test_a_token_that_is_a_jwt_says_itself_how_long_it_lasts() -> None:
    token = from_command(printing(jwt(time.time() + 900)))
    assert token.life_s == pytest.approx(900, abs=120)
    assert from_command(printing("a.b.c")).life_s is None


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-command-here", "cannot be run"),
        ("'", "cannot be run"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "ended with 3"),
        (printing(""), "no token"),
        (printing("two words"), "no token"),
        (printing('{"error": "x"}'), "no token"),
        (printing("x" * 20_000), "no token"),
    ],
)
def test_a_command_that_gives_no_token_is_told_without_what_it_printed(command: str, reason: str) -> None:
    with pytest.raises(NoCredentials, match=reason):
        from_command(command)


def test_a_token_endpoint_is_asked_by_client_credentials() -> None:
    asked: list[dict[str, list[str]]] = []

    def answer(form: dict[str, list[str]]) -> web.Response:
        asked.append(form)
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": "t0ken"})

    async def act() -> None:
        async with token_endpoint(answer) as url:
            token = await asyncio.to_thread(
                from_token_endpoint, url, "client", "s3cret", "https://ai.azure.com/.default"
            )
            assert token == AccessToken("t0ken", 3599)

    asyncio.run(act())
    assert asked == [
        {
            "grant_type": ["client_credentials"],
            "client_id": ["client"],
            "client_secret": ["s3cret"],
            "scope": ["https://ai.azure.com/.default"],
        }
    ]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, {"error": "invalid_client", "error_description": "AADSTS7000215: s3cret"}, "status 401, invalid_client"),
        (200, {"access_token": ""}, "no token"),
        (200, [], "status 200, no token"),
        (500, {}, "status 500, no token"),
    ],
)
def test_a_token_endpoint_that_gives_none_is_told_with_its_code(status: int, body: Any, reason: str) -> None:
    async def act() -> None:
        async with token_endpoint(lambda _: web.json_response(body, status=status)) as url:
            with pytest.raises(NoCredentials, match=reason) as told:
                await asyncio.to_thread(from_token_endpoint, url, "client", "s3cret", "scope")
            assert "s3cret" not in str(told.value)

    asyncio.run(act())


# --- settings ---


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("TIELINE_HOST", "127.0.0.1")
    monkeypatch.setenv("TIELINE_OPENAI_URL", "wss://x.openai.azure.com")
    return monkeypatch


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        ("auto", {"api-key": KEY}),
        ("api-key", {"api-key": KEY}),
        ("bearer", {"Authorization": f"Bearer {KEY}"}),
    ],
)
def test_the_header_of_a_key_can_be_chosen(env: pytest.MonkeyPatch, auth: str, headers: dict[str, str]) -> None:
    env.setenv("OPENAI_API_KEY", KEY)
    env.setenv("TIELINE_OPENAI_AUTH", auth)
    assert credentials_of(read_settings()).headers() == headers


def test_a_key_in_a_file_is_read_again_for_each_upgrade(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    env.setenv("OPENAI_API_KEY_FILE", str(file))
    credentials = credentials_of(read_settings())
    assert credentials.headers() == {"api-key": KEY}
    file.write_text("n" * 20)
    assert credentials.headers() == {"api-key": "n" * 20}
    file.write_text("")
    assert credentials.headers() == {"api-key": "n" * 20}


def test_a_token_replaces_the_key(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPENAI_TOKEN_COMMAND", printing("t0ken"))
    assert credentials_of(read_settings()).headers() == {"Authorization": "Bearer t0ken"}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"TOKEN_URL": "https://login.test/t"}, "needs TIELINE_OPENAI_CLIENT_ID"),
        ({"TOKEN_URL": "http://login.test/t", "CLIENT_ID": "c", "CLIENT_SECRET": "s"}, "must be an https:// URL"),
        ({"CLIENT_ID": "c"}, "is needed with TIELINE_OPENAI_CLIENT_ID"),
        ({"TOKEN_URL": "https://login.test/t", "CLIENT_ID": "c", "CLIENT_SECRET": "s", "TOKEN_COMMAND": "x"},
         "is set beside TIELINE_OPENAI_TOKEN_COMMAND"),
    ],
)  # fmt: skip
def test_settings_of_a_token_endpoint_that_do_not_fit_are_refused(
    env: pytest.MonkeyPatch, given: dict[str, str], fault: str
) -> None:
    for name, value in given.items():
        env.setenv(f"TIELINE_OPENAI_{name}", value)
    with pytest.raises(SettingsError, match=f"TIELINE_OPENAI_TOKEN_URL: {fault}"):
        read_settings()


# --- against an engine that is reached as Azure is ---


def test_azure_is_dialled_at_its_path_with_a_key_and_with_tokens_that_are_exchanged(env: pytest.MonkeyPatch) -> None:
    issued = ["token-1", "token-2"]

    def answer(_: dict[str, list[str]]) -> web.Response:
        return web.json_response({"expires_in": 3599, "access_token": issued.pop(0)})

    async def dialled(told: Inbox, dialler: Dialler) -> object:
        dialler.dial(told, Purpose("c-1"))
        outcome = await told.next()
        if isinstance(outcome, Dialled):
            outcome.wire.abort()
        return outcome

    async def act() -> None:
        loop, told = asyncio.get_running_loop(), Inbox()
        install(LoopDispatcher(loop, clock_s=loop_time_s))
        async with Engine(EngineSettings(port=0, azure=True, key=KEY)) as engine, token_endpoint(answer) as url:

            def dialler(path: str = "") -> Dialler:
                base = engine.url.removesuffix("/openai/v1/realtime")
                settings = read_settings(openai_url=f"{base}{path}", openai_model="my-deployment")
                return Dialler(settings.model_url(), credentials_of(settings), loop, lambda: datetime.now(UTC))

            env.setenv("OPENAI_API_KEY", KEY)
            env.setenv("TIELINE_OPENAI_AUTH", "api-key")
            assert isinstance(await dialled(told, dialler("/openai/v1/realtime")), Dialled)
            assert isinstance(await dialled(told, dialler("/openai/v1")), Dialled)
            assert await dialled(told, dialler("/v1/realtime")) == DialFailed(404, "status 404 at the upgrade", True)

            env.delenv("OPENAI_API_KEY")
            env.setenv("TIELINE_OPENAI_TOKEN_URL", url)
            env.setenv("TIELINE_OPENAI_CLIENT_ID", "client")
            env.setenv("TIELINE_OPENAI_CLIENT_SECRET", "s3cret")
            engine.key = "token-1"
            by_token = dialler("/openai/v1")
            assert isinstance(await dialled(told, by_token), Dialled)
            assert isinstance(await dialled(told, by_token), Dialled)
            engine.key = "token-2"
            assert await dialled(told, by_token) == DialFailed(401, "status 401 at the upgrade", True)
            assert isinstance(await dialled(told, by_token), Dialled), "by a new token"
            engine.key = "token-3"
            assert isinstance(await dialled(told, by_token), DialFailed)
        failed = await dialled(told, by_token)
        assert failed == DialFailed(0, "no credentials: the token endpoint: no connection: Connection refused")

    run_paced(act())
