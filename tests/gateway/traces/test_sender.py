"""Traces from a real store to a real collector: also one that is away, and calls that two processes have served."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from actors.messages.journal_rows import encode
from gateway.settings import TraceSettings
from gateway.traces import sender
from gateway.traces.export import OtlpExport
from gateway.traces.sender import TraceReader, TraceSender
from http_tools.trace_context import TraceIds
from protocols.sealing import KeyRing
from store.data_keys import DataKeys, use_ring
from store.journal import Journal
from store.leases import Lease, Leases
from tests.calls.live import practice
from tests.counted import counted
from tests.gateway.daemons import is_leased, run, serving, socket, until
from tests.gateway.traces.collector import collector, told, tree
from tests.gateway.traces.journals import KEY, entries, record_of
from tests.paced_loop import run_paced

LIMIT_S = 60


def written(engine: Engine, *keys: str) -> None:
    """Calls that have ended."""
    for key in keys:
        journal = entries(key=key)
        record = record_of(journal)
        Journal(engine).append([encode(each, 0) for each in journal if not hasattr(each.row, "known")], [(record, 0)])


def sending(engine: Engine, url: str) -> TraceSender:
    reader = TraceReader(engine, TraceIds("key"), "openai", words=False)
    started = TraceSender(reader, OtlpExport(f"{url}/v1/traces", {"x-team": "calls"}))
    started.start()
    return started


def became(result: str) -> float:
    return counted("tieline_traces_total", result=result)


def test_a_trace_arrives_as_the_collector_reads_it(engine: Engine) -> None:
    written(engine, KEY)
    with collector() as there:
        traces = sending(engine, there.url)
        traces.put(KEY)
        there.has_calls(1)
        traces.leave()
    (request,) = there.requests
    assert (request["path"], request["x-team"]) == ("/v1/traces", "calls")
    assert there.resource["service.name"] == "tieline"
    assert {each.trace_id for each in there.spans} == {TraceIds("key").trace(KEY).to_bytes(16)}
    assert tree(there.spans)[:5] == [
        "call linden", "  invoke_agent linden", "    chat gpt-realtime", "    bot speech", "  invoke_agent linden"
    ]  # fmt: skip
    (call,) = there.calls()
    assert call.end_time_unix_nano - call.start_time_unix_nano == 20 * 10**9
    assert (call.status.message, told(call)["tieline.call.outcome"]) == ("model: ConnectionRefusedError", "failed")
    assert [each.name for each in call.events][:2] == ["model dialled", "released"]


def test_what_is_not_taken_now_is_sent_again_and_what_never_is_is_dropped_and_counted(engine: Engine) -> None:
    written(engine, "c-1", "c-2")
    before, sent = became("dropped"), became("sent")
    with collector(503, 503, 200, 400) as there:
        traces = sending(engine, there.url)
        traces.put("c-1")
        there.has_calls(1)
        traces.put("c-2")
        there.has_requests(4)
        traces.put("c-2")
        there.has_calls(2)
        traces.leave()
    assert [each["status"] for each in there.requests] == ["503", "503", "200", "400", "200"]
    assert (became("dropped") - before, became("sent") - sent) == (1, 2)


def test_why_nothing_was_taken_is_told_without_secrets(engine: Engine) -> None:
    written(engine, KEY)
    trace = TraceReader(engine, TraceIds(), "openai", words=False).trace(KEY)
    assert trace is not None
    closed = OtlpExport("http://127.0.0.1:1/v1/traces?token=s3cret", {}, limit_s=2.5)
    why = closed.send([trace])
    assert "Connection refused" in why
    assert "s3cret" not in why
    closed.stop()
    with collector(401) as there:
        refusing = OtlpExport(f"{there.url}/v1/traces", {})
        assert "401" in refusing.send([trace])
        assert refusing.send([trace]) == ""
        refusing.stop()


def test_a_collector_that_is_away_delays_neither_calls_nor_the_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MOST_WAITING", 3)
    monkeypatch.setattr(sender, "LEAVE_S", 0.05)
    before = became("dropped")
    asked, answer = threading.Event(), threading.Event()

    class Away:
        stopped = False

        def send(self, traces: object) -> str:
            asked.set()
            assert answer.wait(LIMIT_S)
            return "nobody listens"

        def stop(self) -> None:
            self.stopped = True
            answer.set()

    written(engine, KEY)
    away = Away()
    traces = TraceSender(TraceReader(engine, TraceIds(), "openai", words=False), away)
    traces.start()
    traces.put(KEY)
    assert asked.wait(LIMIT_S)
    for _ in range(5):  # it is still being tried
        traces.put(KEY)
    assert became("dropped") - before == 2
    traces.leave()
    assert away.stopped
    assert became("dropped") - before >= 2 + 3


def test_a_call_whose_rows_are_damaged_costs_no_other_its_trace(engine: Engine) -> None:
    written(engine, "c-1", "c-2")
    with engine.begin() as connection:
        connection.execute(text("UPDATE call SET record = '{' WHERE conversation_id = 'c-1'"))
    before = became("failed")
    with collector() as there:
        traces = sending(engine, there.url)
        for key in ("c-1", "c-never", "c-2"):
            traces.put(key)
        there.has_calls(1)
        traces.leave()
    assert [told(each)["gen_ai.conversation.id"] for each in there.calls()] == ["c-2"]
    assert became("failed") - before == 1


def test_a_call_whose_words_cannot_be_read_has_no_trace_and_one_line_of_the_log(
    engine: Engine, log_lines: list[str]
) -> None:
    use_ring(engine, KeyRing([b"\1" * 32]))
    written(engine, "c-1", "c-2", "c-3")
    DataKeys(engine).delete("c-1", "words")
    before = became("failed")
    with collector() as there:
        traces = sending(engine, there.url)
        traces.put("c-1")
        traces.put("c-3")
        there.has_calls(1)
        use_ring(engine, KeyRing([b"\2" * 32]))
        traces.put("c-2")
        traces.leave()
    assert became("failed") - before == 2
    assert [line for line in log_lines if "Traceback" in line or "trace=" in line] == []
    assert sum("its key is deleted" in line or "has no key" in line for line in log_lines) == 2


def test_a_call_that_went_on_at_another_process_is_one_trace(tmp_path: Path) -> None:
    async def scene() -> None:
        with collector() as there:
            async with serving(tmp_path, otlp_url=there.url) as one:
                async with socket(one) as vaic:
                    await vaic.calls("c-1")
                await is_leased(one)
                async with serving(tmp_path, otlp_url=there.url) as two:
                    async with socket(two) as vaic:
                        await vaic.says("session.resume", conversationId="c-1")
                        await vaic.hears("session.accepted")
                        await vaic.ends("c-1")

                    async def ended() -> bool | None:
                        return two.journal.record("c-1") is not None or None

                    await until(ended)
            there.has_calls(1)
        (call,) = there.calls()
        assert len({each.trace_id for each in there.spans}) == 1
        assert told(call)["gen_ai.conversation.id"] == "c-1"
        assert told(call)["tieline.call.outcome"] == "client-disconnected"
        assert "taken over" in [each.name for each in call.events]

    run(scene)


def test_the_trace_of_a_spoken_call_has_its_inferences_functions_and_effects(tmp_path: Path) -> None:
    with collector() as there:

        async def call() -> None:
            async with practice(tmp_path, otlp_url=there.url, trace_words=True) as services:
                await services.call("slt_book_named", "slt_yes_correct", "slt_goodbye")
                await services.record()

        run_paced(call())
        there.has_calls(1)
    spans = {each.name: each for each in there.spans}
    ids = {each.span_id for each in there.spans}
    assert len(ids) == len(there.spans)
    assert all(each.parent_span_id in ids for each in there.spans if each.parent_span_id)
    assert {"call linden", "invoke_agent linden", "caller speech", "bot speech"} <= spans.keys()
    (inference,) = {name for name in spans if name.startswith("chat ")}
    assert told(spans[inference])["gen_ai.usage.output_tokens"]
    assert told(spans["execute_tool book_appointment"])["gen_ai.tool.type"] == "function"
    effect = spans["effect appointments.book"]
    assert told(effect)["tieline.effect.status"] == "ok"
    assert effect.span_id == TraceIds().span("c-1", "effect", str(told(effect)["tieline.effect.key"])).to_bytes(8)


def test_a_store_that_tells_nothing_of_a_call_has_no_trace_of_it(engine: Engine) -> None:
    settings = TraceSettings(otlp_url="http://127.0.0.1:1")
    assert TraceReader.of(settings, engine).trace("c-1") is None
    lease = Leases(engine, "here").open("c-1", "", {})
    assert isinstance(lease, Lease)
    assert TraceReader.of(settings, engine).trace("c-1") is None, "it has not ended"
