"""The ops endpoint over HTTP, beside real calls: what a balancer, a monitor and a person ask."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

import actors.process.store_health
from actors.system.address import send
from gateway.daemon import Daemon
from gateway.exposition import OPENMETRICS, metrics_in
from gateway.ops import MOST_ASKING
from gateway.ops_access import ASKED_BY
from store import schema
from store.audit import Audit
from store.journal import TaskRecord
from tests.gateway.daemons import get, run, serving, socket, until
from tests.store.garbage import spoil
from tests.store.other_process import AT, record


async def get_json(url: str) -> tuple[int, Any]:
    status, body = await get(url)
    return status, json.loads(body)


async def record_of(daemon: Daemon, conversation_id: str) -> dict[str, Any]:
    """A call's record, once it is written."""

    async def look() -> dict[str, Any] | None:
        status, record = await get_json(f"{daemon.ops_url}/calls/{conversation_id}")
        return record if status == 200 and record["outcome"] != "open" else None

    return await until(look)


async def metrics(daemon: Daemon) -> dict[str, float]:
    """Every sample, by its name and labels as they stand in the text."""
    _, text = await get(f"{daemon.ops_url}/metrics")
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_daemon_without_calls_is_alive_ready_and_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, max_calls=7) as daemon:
            assert await get(f"{daemon.ops_url}/livez") == (200, "alive\n")
            assert await get(f"{daemon.ops_url}/readyz") == (200, "ready\n")
            expected = {"calls": [], "max_calls": 7, "accepting": True, "live": [], "ended": [], "next": None}
            assert await get_json(f"{daemon.ops_url}/calls") == (200, expected)
            assert (await metrics(daemon))["tieline_calls_capacity"] == 7

            async def told() -> float:
                return (await metrics(daemon))["tieline_ready"]

            assert await until(told) == 1

    run(scene)


def test_who_asks_for_openmetrics_gets_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, aiohttp.ClientSession(headers={"Accept": OPENMETRICS}) as session:
            async with session.get(f"{daemon.ops_url}/metrics") as answer:
                text = await answer.text()
            assert answer.headers["Content-Type"] == OPENMETRICS
            assert "tieline_ready" in {family.name for family in metrics_in(text)}

    run(scene)


def test_a_full_daemon_is_not_ready_until_there_is_room(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, max_calls=1) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            assert await get(f"{daemon.ops_url}/readyz") == (404, "not ready: too many calls\n")
            assert (await get(f"{daemon.ops_url}/livez"))[0] == 200
            await vaic.ends("c-1")

            async def ready() -> bool | None:
                return (await get(f"{daemon.ops_url}/readyz"))[0] == 200 or None

            await until(ready)

    run(scene)


def test_a_draining_daemon_is_alive_not_ready_and_ends_its_calls_in_words(tmp_path: Path) -> None:
    async def scene() -> None:
        daemon_left = asyncio.Event()
        may_leave = asyncio.Event()
        opened: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()

        async def live() -> None:
            async with serving(tmp_path) as daemon:
                opened.set_result(daemon)
                await may_leave.wait()
            daemon_left.set()

        life = asyncio.create_task(live())
        daemon = await opened
        async with socket(daemon) as vaic, socket(daemon) as late:
            await vaic.calls("c-1")
            may_leave.set()
            activity = (await vaic.hears("activities"))["activities"][0]
            assert (activity["name"], activity["activityParams"]) == ("hangup", {"hangupReason": "drained"})
            assert (await get(f"{daemon.ops_url}/livez"))[0] == 200
            assert await get(f"{daemon.ops_url}/readyz") == (404, "not ready: shutting down\n")
            assert (await get_json(f"{daemon.ops_url}/calls"))[1]["accepting"] is False
            await late.says("connection.validate")
            assert (await late.hears("connection.validated"))["success"] is False
            await late.initiates("c-2")
            assert (await late.hears("session.error"))["reason"] == "shutting down"
            parts = urlsplit(daemon.vaic_url)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(parts.hostname, parts.port)
            assert not daemon_left.is_set()
            await vaic.ends("c-1")
            await life
        async with serving(tmp_path) as heir:
            assert (await record_of(heir, "c-1"))["outcome"] == "drained"

    run(scene)


def test_a_call_in_progress_is_listed_and_described(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1", botName="front-desk", caller="+4930555010")
            assert (await get_json(f"{daemon.ops_url}/calls"))[1]["calls"] == ["c-1"]
            status, record = await get_json(f"{daemon.ops_url}/calls/c-1?unmasked=1")
            assert status == 200
            hidden = (await get(f"{daemon.ops_url}/calls/c-1"))[1]
            assert ('"caller": "+49…10"' in hidden, "555010" in hidden) == (True, False)
            assert (record["conversation_id"], record["outcome"]) == ("c-1", "open")
            assert (record["bot"], record["caller"], record["media_format"]) == (
                "linden",
                "+4930555010",
                "raw/lpcm16_24",
            )
            await vaic.ends("c-1")

    run(scene)


def test_the_record_of_an_ended_call_is_served_by_the_next_process_too(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            async with socket(daemon) as vaic:
                await vaic.calls("call 1/ä")
                await vaic.ends("call 1/ä")
            record = await record_of(daemon, "call%201%2F%C3%A4")
            assert (record["conversation_id"], record["outcome"]) == ("call 1/ä", "client-disconnected")
            assert (await get_json(f"{daemon.ops_url}/calls"))[1]["calls"] == []
        async with serving(tmp_path) as heir:
            assert await get_json(f"{heir.ops_url}/calls/call%201%2F%C3%A4") == (200, record)

    run(scene)


def test_an_unknown_call_is_404_with_an_error(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            assert await get_json(f"{daemon.ops_url}/calls/c-unknown") == (404, {"error": "no such call"})
            assert (await get(f"{daemon.ops_url}/nothing"))[0] == 404

    run(scene)


ODD_PATHS = (
    b"%00",
    b"%ff",
    b"%ed%a0%80",
    b"\xff",
    b"\xed\xa0\x80",
    b"%",
    b"%zz",
    b"a%2fb",
    b"..%2f",
    b"/",
    b"",
    b"{a}",
    b"%0d%0aX:y",
)


def test_an_odd_path_is_answered_with_no_such_call_or_a_bad_request(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            parts = urlsplit(daemon.ops_url)
            for odd in ODD_PATHS:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                writer.write(b"GET /calls/" + odd + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                status = (await asyncio.wait_for(reader.read(), 5)).split()[1]
                # A path with bytes that are not ASCII is no HTTP.
                assert status == (b"404" if odd.isascii() else b"400"), odd
                writer.close()

    run(scene)


def test_metrics_count_calls_refusals_and_bad_frames_and_name_no_conversation(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic, socket(daemon) as stranger:
            before = await metrics(daemon)
            await vaic.calls("conversation-4711", caller="+4930555010")
            await vaic.connection.send("nonsense 4711")
            await stranger.says("session.resume", conversationId="conversation-4711-b")
            await stranger.hears("session.error")
            await vaic.is_served("conversation-4711")
            during = await metrics(daemon)
            await vaic.ends("conversation-4711")
            await record_of(daemon, "conversation-4711")
            after = await metrics(daemon)

            def grew(name: str, since: dict[str, float], until: dict[str, float]) -> float:
                return until.get(name, 0) - since.get(name, 0)

            assert during["tieline_calls_live"] == 1
            assert after["tieline_calls_live"] == 0
            assert grew("tieline_calls_refused_total reason=unknown_conversation", before, during) == 1
            assert grew("tieline_bad_frames_total leg=vaic reason=not_json", before, during) == 1
            assert grew("tieline_calls_ended_total outcome=client-disconnected", during, after) == 1
            assert not [name for name in after if "4711" in name or "555010" in name]

    run(scene)


def test_who_looks_at_a_call_is_noted_before_it_is_shown_and_once_however_many_workers_are_asked(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            await vaic.ends("c-1")
            await record_of(daemon, "c-1")
            audit = Audit(daemon.engine)
            seen = audit.verify().rows
            await get(f"{daemon.ops_url}/calls/c-1?unmasked=1")
            await get(f"{daemon.ops_url}/calls/none")
            await get(f"{daemon.ops_url}/calls")
            await get(f"{daemon.ops_url}/calls?unmasked=1")
            async with aiohttp.ClientSession(headers={ASKED_BY: "10.0.0.7 r-1"}) as supervisor:
                for _ in range(2):
                    async with supervisor.get(f"{daemon.ops_url}/calls/c-1") as answer:
                        assert answer.status == 200
            added = [row for row in audit.rows() if row.seq > seen]
            assert [(row.who, row.what, row.about, row.facts["unmasked"]) for row in added] == [
                ("ops 127.0.0.1", "read", "c-1", True),
                ("ops 127.0.0.1", "listed", "", True),
                ("ops 10.0.0.7", "read", "c-1", False),
            ]
            with daemon.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE audit RENAME TO was")
            assert (await get(f"{daemon.ops_url}/calls/c-1"))[0] == 503
            with daemon.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE was RENAME TO audit")

    run(scene)


def test_the_ops_endpoint_answers_get_only(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic, aiohttp.ClientSession() as session:
            await vaic.calls("c-1")
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                for path in ("/livez", "/readyz", "/metrics", "/calls", "/calls/c-1"):
                    async with session.request(method, daemon.ops_url + path) as answer:
                        assert answer.status == 405
            await vaic.is_served("c-1")
            await vaic.ends("c-1")

    run(scene)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127/8 without being asked")
def test_the_ops_endpoint_stays_on_loopback_when_calls_are_taken_from_everywhere(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, vaic_token="s3cret-token-of-ours") as daemon:
            assert daemon.vaic_url.startswith("ws://0.0.0.0:")
            # Of this machine too, yet not the address that the ops endpoint is bound to.
            _, writer = await asyncio.open_connection("127.0.0.2", urlsplit(daemon.vaic_url).port)
            writer.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.2", urlsplit(daemon.ops_url).port)

    run(scene)


def test_a_model_that_cannot_be_reached_ends_the_call_in_words_with_a_record(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, speed=20.0) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            *words, last = await vaic.hears_until("activities")
            assert {frame["type"] for frame in words} == {"playStream.start", "playStream.chunk", "playStream.stop"}
            assert last["activities"][0]["activityParams"] == {"hangupReason": "speech model unavailable"}
            await vaic.ends("c-1")
            record = await record_of(daemon, "c-1")
            assert (record["outcome"], record["errors"]) == ("failed", ["model: ConnectionRefusedError"])
            assert record["turns"][-1]["text"].endswith("Please call again later.")

    run(scene)


def test_a_store_that_is_lost_and_a_damaged_record_are_told_from_a_call_that_never_was(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            daemon.journal.finish(record("c-1"))
            assert (await get(f"{daemon.ops_url}/calls/c-1"))[0] == 200
            spoil(daemon.engine, schema.call, "record", "'{'", "true")
            error = {"error": "the record of this call cannot be read"}
            assert await get_json(f"{daemon.ops_url}/calls/c-1") == (404, error)
            (tmp_path / "tieline.sqlite3").rename(tmp_path / "elsewhere")

            async def not_ready() -> bool:
                return (await get(f"{daemon.ops_url}/readyz"))[0] == 404

            await until(not_ready)
            assert (await metrics(daemon))["tieline_store_ready"] == 0
            assert await get_json(f"{daemon.ops_url}/calls/c-1") == (503, {"error": "the store does not answer"})
            assert (await get(f"{daemon.ops_url}/livez"))[0] == 200
            (tmp_path / "elsewhere").rename(tmp_path / "tieline.sqlite3")

            async def ready() -> bool:
                return not await not_ready()

            await until(ready)

    run(scene)


def test_a_writer_that_hangs_is_seen_by_readiness_liveness_and_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.process.store_health, "STORE_LIMIT_S", 2.0)
    monkeypatch.setattr(actors.process.store_health, "WRITER_LIMIT_S", 4.0)
    go_on = threading.Event()

    async def scene() -> None:
        async with serving(tmp_path, speed=50.0) as daemon:
            ops = daemon.ops_url

            async def answers(path: str, status: int) -> bool:
                return (await get(f"{ops}/{path}"))[0] == status

            await until(lambda: answers("readyz", 200))
            event.listen(daemon.engine, "begin", lambda _: go_on.wait(60))
            try:
                await until(lambda: answers("readyz", 404))
                assert (await get(f"{ops}/livez"))[0] == 200
                await until(lambda: answers("livez", 503))
                with pytest.raises(TimeoutError, match="the journal's writer hangs"):
                    await daemon.status()
            finally:
                go_on.set()
            await until(lambda: answers("livez", 200))
            assert await daemon.status() == "0 of 200 calls"

    run(scene)


def test_a_lease_keeper_that_hangs_is_told_by_readiness_while_the_journal_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actors.process.store_health, "STORE_LIMIT_S", 2.0)
    go_on = threading.Event()

    def hang(_: object) -> None:
        if threading.current_thread().name == "keep the leases":
            go_on.wait(60)

    async def scene() -> None:
        async with serving(tmp_path, speed=50.0) as daemon:

            async def answers(told: str) -> bool:
                return (await get(f"{daemon.ops_url}/readyz"))[1] == told

            await until(lambda: answers("ready\n"))
            event.listen(daemon.engine, "begin", hang)
            try:
                await until(lambda: answers("not ready: the lease keeper hangs\n"))
                assert (await get(f"{daemon.ops_url}/livez"))[0] == 200
            finally:
                go_on.set()
            await until(lambda: answers("ready\n"))

    run(scene)


def test_a_daemon_whose_root_actor_has_died_is_not_alive_and_still_stops(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            send(daemon.switchboard, object())
            assert isinstance(await daemon.root.ended, AssertionError)
            assert await get(f"{daemon.ops_url}/livez") == (503, "failed\n")
            assert (await get(f"{daemon.ops_url}/readyz"))[0] == 404

    run(scene)


def test_the_bots_are_shown_with_their_versions_and_faults(tmp_path: Path) -> None:
    for name, words in (("linden", 'greeting = "Hello."'), ("dental", "greeting = Hello")):
        folder = tmp_path / "bots" / name
        folder.mkdir(parents=True)
        (folder / "bot.toml").write_text(f'[bot]\n{words}\ninstructions = "Be kind."\n')

    async def scene() -> None:
        async with serving(tmp_path, bots=str(tmp_path / "bots")) as daemon:
            status, shown = await get_json(f"{daemon.ops_url}/bots")
            assert (status, shown["routes"]) == (200, {"faults": []})
            dental, linden = shown["bots"]
            assert (dental["name"], dental["digest"], dental["since"]) == ("dental", "", None)
            assert "bots/dental/bot.toml:2: " in dental["faults"][0]
            assert (linden["name"], linden["faults"], len(linden["digest"])) == ("linden", [], 64)
            assert datetime.fromisoformat(linden["since"]).tzinfo is not None

    run(scene)


# --- the calls of all processes ---


def write(daemon: Daemon, number: int, **fields: object) -> None:
    """A call that has ended. number: minutes after the first."""
    began = AT + timedelta(minutes=number)
    ours = {"conversation_id": f"c-{number}", "started_at": began, "ended_at": began + timedelta(seconds=30)}
    daemon.journal.finish(record().model_copy(update=ours | fields))


async def calls_of(daemon: Daemon, query: str = "") -> dict[str, Any]:
    status, found = await get_json(f"{daemon.ops_url}/calls{query}")
    assert status == 200, found
    return dict(found)


def test_calls_are_asked_for_by_what_became_of_them_page_by_page(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            for number in range(5):
                write(daemon, number, outcome="failed", errors=("model: ConnectionRefusedError",))
            task = TaskRecord(agent="book", run_id="t1", states=("Ask",), result="abandoned")
            write(daemon, 5, tasks=(task,), caller="+4930555010", bot="dental")
            (booked,) = (await calls_of(daemon, "?bot=dental&task=book&outcome=completed"))["ended"]
            assert booked == {
                "id": "c-5", "started_at": "2026-11-24T09:35:00+00:00", "ended_at": "2026-11-24T09:35:30+00:00",
                "seconds": 30.0, "bot": "dental", "caller": "+49…10", "outcome": "completed", "reason": "",
                "tasks": [{"task": "book", "result": "abandoned"}], "errors": [], "cost_usd": None, "unpriced": [],
            }  # fmt: skip
            (same,) = (await calls_of(daemon, "?caller=%2B4930555010&unmasked=true"))["ended"]
            assert (same["id"], same["caller"]) == ("c-5", "+4930555010")
            asked = "?error=refused&limit=2&since=2026-11-24T09:31"
            first = await calls_of(daemon, asked)
            second = await calls_of(daemon, f"{asked}&after={first['next']}")
            assert {call["reason"] for call in first["ended"]} == {"model: ConnectionRefusedError"}
            pages = [[call["id"] for call in page["ended"]] for page in (first, second)]
            assert second["next"] is None
            assert pages == [["c-4", "c-3"], ["c-2", "c-1"]]

    run(scene)


def test_a_call_in_progress_is_listed_with_bot_masked_caller_beginning_and_node(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1", caller="+4930555010")

            async def listed() -> Any:
                return (await calls_of(daemon))["live"]

            (call,) = await until(listed)
            began = datetime.fromisoformat(call["started_at"])
            assert abs((datetime.now(UTC) - began).total_seconds()) < 600
            assert (call["id"], call["bot"], call["caller"], call["task"], call["held"]) == (
                "c-1", "linden", "+49…10", "", True,
            )  # fmt: skip
            assert call["node"].startswith(gethostname())
            assert (await calls_of(daemon, "?bot=dental"))["live"] == []
            assert (await calls_of(daemon, "?outcome=failed"))["live"] == []
            await vaic.ends("c-1")
            await record_of(daemon, "c-1")
            assert await listed() == []

    run(scene)


def test_a_question_that_cannot_be_understood_is_refused_with_its_part(tmp_path: Path) -> None:
    wrong = {
        "?since=yesterday": "since: must be",
        "?limit=0": "limit: must be",
        "?after=x": "after: is not",
        "?limit=1&limit=2": "limit: is given more than once",
        "?outcom=failed": "outcom: is not known; there are outcome, bot, caller, task, error, since, until, limit",
        "/c-1?unmasked=0&unmasked=1": "unmasked: is given more than once",
        "/c-1?bot=linden": "bot: is not known; there are unmasked",
    }

    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            for query, told in wrong.items():
                status, body = await get_json(f"{daemon.ops_url}/calls{query}")
                assert (status, body["error"][: len(told)]) == (400, told)

    run(scene)


def test_however_many_ask_the_store_its_connections_are_left_to_the_calls(tmp_path: Path) -> None:
    lock, go_on = threading.Lock(), threading.Event()
    asking = [0, 0]  # now, and at most

    def begin(_: object) -> None:
        if threading.current_thread().name.startswith("uvloop"):
            with lock:
                asking[0] += 1
                asking[1] = max(asking)
            go_on.wait(60)
            with lock:
                asking[0] -= 1

    async def busy() -> bool:
        return asking[0] >= MOST_ASKING

    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            event.listen(daemon.engine, "begin", begin)
            answers = [asyncio.create_task(get(f"{daemon.ops_url}/calls")) for _ in range(8)]
            try:
                await until(busy)
                for _ in range(8):  # meanwhile the others arrive
                    assert (await get(f"{daemon.ops_url}/livez"))[0] == 200
            finally:
                go_on.set()
            assert {status for status, _ in await asyncio.gather(*answers)} == {200}
            assert asking == [0, MOST_ASKING]

    run(scene)


def test_without_the_store_it_is_still_told_who_is_on_the_line_here(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            daemon.engine.dispose()
            (tmp_path / "tieline.sqlite3").rename(tmp_path / "elsewhere")
            (tmp_path / "tieline.sqlite3").mkdir()
            status, body = await get_json(f"{daemon.ops_url}/calls")
            assert (status, body["error"], body["calls"]) == (503, "the store does not answer", ["c-1"])
            (tmp_path / "tieline.sqlite3").rmdir()
            (tmp_path / "elsewhere").rename(tmp_path / "tieline.sqlite3")
            await vaic.ends("c-1")

    run(scene)
