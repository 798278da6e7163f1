"""Who may read the ops endpoint, over HTTP: health is for everybody, data for those with a token or on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from loguru import logger

from gateway.connections import MAX_FAILURES
from gateway.ops_access import REPORTS, names_address
from tests.counted import counted
from tests.gateway.daemons import exchange, get, put, run, serving
from tests.store.other_process import record

TOKEN = "s3cret-token-of-operators"
RESULTS = ("stored", "without delays", "unknown call", "unreadable")
DATA = ("/metrics", "/calls", "/calls/c-1", "/bots")


async def ask(url: str, *headers: tuple[str, str]) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=list(headers)) as answer:
        return answer.status, await answer.text()


def bearer(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("127.0.0.1:8060", True),
        ("[::1]:8060", True),
        ("10.0.0.7", True),
        ("localhost:8060", True),
        ("LOCALHOST", True),
        ("rebound.example:8060", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil@127.0.0.1.example", False),
        ("", False),
        ("[::1", False),
    ],
)
def test_a_host_that_is_an_address_cannot_be_anybodys_dns(host: str, is_one: bool) -> None:
    assert names_address(host) is is_one


def test_a_page_whose_name_resolves_to_this_machine_reads_no_data(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            for path in DATA:
                assert (await ask(daemon.ops_url + path, ("Host", "rebound.example:8060")))[0] == 421
            for host in ("localhost", "[::1]", urlsplit(daemon.ops_url).netloc):
                assert (await ask(f"{daemon.ops_url}/calls", ("Host", host)))[0] == 200
            assert (await ask(f"{daemon.ops_url}/readyz", ("Host", "rebound.example")))[0] == 200
            # No browser: a browser always names the host.
            assert (await exchange(daemon.ops_url, b"GET /bots HTTP/1.0\r\n\r\n")).split()[1] == b"200"

    run(scene)


def test_beyond_loopback_data_needs_the_token_and_health_does_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, ops_host="0.0.0.0", ops_token=TOKEN) as daemon:
            assert daemon.ops_url.startswith("http://0.0.0.0:")
            ops = daemon.ops_url.replace("0.0.0.0", "127.0.0.1")
            assert await get(f"{ops}/livez") == (200, "alive\n")
            assert await get(f"{ops}/readyz") == (200, "ready\n")
            wrong: tuple[tuple[tuple[str, str], ...], ...] = (
                (),
                (bearer("another-token-of-somebody"),),
                (bearer(TOKEN), bearer(TOKEN)),
                (("Authorization", f"Basic {TOKEN}"),),
                (bearer("\N{SNOWMAN}"),),
            )
            for headers in wrong:
                status, body = await ask(f"{ops}/calls", *headers)
                assert (status, "TIELINE_OPS_TOKEN" in body, TOKEN in body) == (401, True, False)
            for path in DATA:
                expected = 404 if path == "/calls/c-1" else 200
                assert (await ask(ops + path))[0] == 401
                # Whoever has the token may name the machine as it is called in its network.
                assert (await ask(ops + path, bearer(TOKEN), ("Host", "tieline.internal")))[0] == expected

    run(scene)


def test_vaics_token_is_good_for_its_reports_and_shows_nothing(tmp_path: Path) -> None:
    vaic = "s3cret-token-of-voiceai"

    async def scene() -> None:
        async with serving(tmp_path, ops_token=TOKEN, vaic_token=vaic, host="127.0.0.1") as daemon:
            daemon.journal.finish(record("c-1"))
            url, told = daemon.ops_url + REPORTS, (bearer(TOKEN), bearer(vaic))
            report = (
                b'[{"conversationId":"c-1","transcript":[{"turnDelayMs":1180}]},{"conversationId":"c-9","turnDelayMs":1},\
{"conversationId":"c-2"}]'
            )
            before = [counted("tieline_vaic_reports_total", result=each) for each in RESULTS]
            for header in told:
                assert (await put(url, report, header)) == (
                    200, '{"stored": 1, "without delays": 1, "unknown call": 1}'
                )  # fmt: skip
            assert (await put(url, report))[0] == (await put(url, report, bearer("another-token")))[0] == 401
            for body, status in ((b"no JSON", 400), (b"[]", 400), (b" " * 2**21, 413)):
                assert (await put(url, body, bearer(vaic)))[0] == status
            after = [counted("tieline_vaic_reports_total", result=each) for each in RESULTS]
            assert [new - old for old, new in zip(before, after, strict=True)] == [2, 2, 2, 2]
            assert [(await ask(daemon.ops_url + path, bearer(vaic)))[0] for path in (*DATA, REPORTS)] == [401] * 4 + [
                405
            ]
            status, shown = await ask(f"{daemon.ops_url}/calls/c-1", bearer(TOKEN))
            assert json.loads(shown)["vaic"]["delays"] == [
                {"turn_ms": 1180, "bot_ms": None, "stt_ms": None, "tts_ms": None}
            ]
            with daemon.engine.begin() as connection:
                connection.exec_driver_sql("DROP TABLE call_report")
            assert (await put(url, report, bearer(vaic)))[0] == 503

    run(scene)


def test_who_guesses_tokens_has_to_wait_and_is_told_how_long(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, ops_token=TOKEN) as daemon:
            for number in range(MAX_FAILURES):
                assert (await ask(f"{daemon.ops_url}/calls", bearer(f"a-guess-of-a-token-{number}")))[0] == 401
            right = dict([bearer(TOKEN)])
            async with (
                aiohttp.ClientSession(headers=right) as session,
                session.get(f"{daemon.ops_url}/calls") as answer,
            ):
                assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (429, True)
            assert (await get(f"{daemon.ops_url}/readyz"))[0] == 200

    run(scene)


def test_who_asked_for_data_is_in_the_log_without_what_was_looked_for(tmp_path: Path) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{level} {message} {extra}", filter="gateway.ops_access")

    async def scene() -> None:
        async with serving(tmp_path, ops_token=TOKEN) as daemon:
            await ask(f"{daemon.ops_url}/calls?caller=%2B4930555010", bearer(TOKEN))
            await ask(f"{daemon.ops_url}/metrics", bearer(TOKEN))
            await ask(f"{daemon.ops_url}/calls/c-1", bearer("another-token-of-somebody"))
            await ask(f"{daemon.ops_url}/nothing", bearer(TOKEN))
            await get(f"{daemon.ops_url}/readyz")

    try:
        run(scene)
    finally:
        logger.remove(sink)
    seen = [(line.split()[0], "/calls" in line, "'status': 200" in line, "127.0.0.1" in line) for line in lines]
    assert seen == [
        ("INFO", True, True, True),
        ("DEBUG", False, True, True),
        ("WARNING", True, False, True),
        ("INFO", False, False, True),
    ]
    assert not [line for line in lines if "555010" in line or "token-of" in line]
