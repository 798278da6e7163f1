"""The simulated caller puts the daemon's record into its report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from lab.caller import CallReport, CallSettings, Say, place_call
from lab.caller.record import fetch_record
from tests.lab.caller_bot import CALL, LIMIT_S, NO, YES, answering, serving
from tests.paced_loop import run_paced


@asynccontextmanager
async def recording(record: dict[str, Any]) -> AsyncIterator[str]:
    """An ops endpoint that has the record only when asked a second time."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer of-operators"
        asked.append(request.match_info["id"])
        return web.json_response(record) if asked == [CALL, CALL] else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/calls/{id}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def with_record(record: dict[str, Any]) -> CallReport:
    async def both() -> CallReport:
        async with asyncio.timeout(LIMIT_S), serving(answering(2)) as server, recording(record) as ops_url:
            settings = CallSettings(
                url=server.url,
                conversation_id=CALL,
                token="open-sesame",
                speed=20.0,
                ops_url=ops_url,
                ops_token="of-operators",
            )
            return await place_call(settings, [Say(NO), Say(YES)])

    return run_paced(both())


def recorded(role: str, text: str, began_ms: int, heard_ms: int = 100) -> dict[str, Any]:
    return {"role": role, "text": text, "item_id": "i", "began_ms": began_ms, "ended_ms": None, "heard_ms": heard_ms}


def test_the_daemons_record_gives_the_words_and_the_tasks() -> None:
    task = {"agent": "book", "run_id": "r-1", "states": ["collect", "done"], "result": {"id": 4}, "more": 1}
    turns = [
        recorded("bot", "Hello.", 10),
        recorded("caller", "No.", 2000),
        recorded("bot", "Never heard.", 2500, heard_ms=0),
        recorded("bot", "Then what?", 4000),
        recorded("caller", "Yes.", 6000),
        recorded("bot", "Fine.", 9000),
    ]
    report = with_record(
        {"conversation_id": CALL, "turns": turns, "tasks": [task], "errors": ["late"], "usage": {"tokens": 7}}
    )

    assert [turn.text for turn in report.turns] == ["Hello.", "No.", "Then what?", "Yes.", "Fine."]
    [ran] = report.tasks
    assert (ran.agent, ran.run_id, ran.states, ran.result) == ("book", "r-1", ("collect", "done"), {"id": 4})
    assert report.usage == {"tokens": 7}
    assert report.errors == ("daemon: late",)


def test_a_sentence_the_daemon_heard_as_two_is_put_together() -> None:
    report = with_record(
        {
            "turns": [
                recorded("caller", "No,", 1300),
                recorded("caller", "that is not right.", 1900),
                recorded("caller", "Yes, please.", 5500),
            ]
        }
    )

    assert [turn.text for turn in report.turns if turn.role == "caller"] == ["No, that is not right.", "Yes, please."]


def test_the_report_has_both_ends_of_the_call() -> None:
    report = with_record({"outcome": "completed"})
    assert (report.outcome, report.recorded_outcome) == ("bot-disconnected", "completed")
    assert with_record({}).recorded_outcome is None


def test_a_record_that_is_still_open_is_asked_for_again_and_taken_in_the_end() -> None:
    async def both() -> list[str | None]:
        told: list[str | None] = []
        for records in (["open", "open", "completed"], ["open"] * 1000):
            async with opening(iter(records)) as ops_url:
                record = await fetch_record(ops_url, CALL, limit_s=2.0)
                told.append(record.outcome if record else None)
        return told

    assert run_paced(both()) == ["completed", "open"]


@asynccontextmanager
async def opening(outcomes: Iterator[str]) -> AsyncIterator[str]:
    """An ops endpoint whose record has these outcomes, one each time that it is asked for."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"outcome": next(outcomes)})

    app = web.Application()
    app.router.add_get("/calls/{id}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
