"""`tieline traces send`, on a store that no process serves, to a real collector; what `check` says of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from store.journal import Journal
from tests.commands import command
from tests.gateway.traces.collector import Collector, collector, told
from tests.store.other_process import record


@pytest.fixture
def there() -> Iterator[Collector]:
    with collector() as each:
        yield each


@pytest.fixture
def store(store: Engine, there: Collector, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A store with calls of one and two hours ago, and of the day before yesterday."""
    monkeypatch.setenv("TIELINE_OTLP_URL", there.url)
    now = datetime.now(UTC)
    for key, hours in (("c-1", 1), ("c-2", 2), ("c-3", 48)):
        began = now - timedelta(hours=hours)
        times = {"started_at": began, "ended_at": began + timedelta(seconds=75)}
        Journal(store).finish(record(key).model_copy(update=times))
    return store


def sent(there: Collector) -> list[object]:
    return [told(each)["gen_ai.conversation.id"] for each in there.calls()]


def test_calls_since_then_or_one_call_are_sent_again(
    store: Engine, there: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.call_queries.MOST_ON_PAGE", 1)  # pages follow each other
    monkeypatch.setattr("gateway.traces.sender.BATCH_SPANS", 1)  # and requests
    result = command("traces", "send", "--since", "24h")
    assert (result.exit_code, result.stdout) == (0, f"2 sent to {there.url}/v1/traces\n")
    assert sent(there) == ["c-1", "c-2"]
    ids = [each.span_id for each in there.spans]
    assert command("traces", "send", "--call", "c-2").exit_code == 0
    assert there.spans[-1].span_id == ids[-1], "what was sent before is the same span"


def test_a_collector_that_takes_nothing_is_told_and_ends_with_1(store: Engine, there: Collector) -> None:
    there.statuses.append(400)
    result = command("traces", "send", "--since", "24h")
    assert result.exit_code == 1
    assert result.stderr.startswith("not taken Failed to export spans batch code: 400")


def test_a_damaged_call_is_left_out_and_an_unknown_one_ends_with_1(store: Engine, there: Collector) -> None:
    with store.begin() as connection:
        connection.execute(text("UPDATE call SET record = '{' WHERE conversation_id = 'c-1'"))
    result = command("traces", "send", "--since", "24h")
    assert (result.exit_code, sent(there)) == (0, ["c-2"])
    assert result.stderr.startswith("left out c-1: its row cannot be read")
    result = command("traces", "send", "--call", "c-9")
    assert (result.exit_code, result.stderr) == (1, "no such call c-9\n")


@pytest.mark.parametrize(
    ("args", "told_"),
    [
        (
            ("--since", "yesterday"),
            "not understood --since: must be as 90m, 24h, 7d, today, or as 2026-11-30T03:00 (UTC)",
        ),
        ((), "which? write --since, or --call"),
        (("--since", "1h", "--call", "c-1"), "which? write --since, or --call"),
    ],
)
def test_what_cannot_be_understood_ends_with_2(store: Engine, args: tuple[str, ...], told_: str) -> None:
    result = command("traces", "send", *args)
    assert (result.exit_code, result.stderr) == (2, f"{told_}\n")


def test_without_a_collector_or_the_extra_nothing_is_sent(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.traces.sender._PACKAGES", ("opentelemetry.sdk", "opentelemetry.none.there"))
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret-of-the-model")
    missing = "TIELINE_OTLP_URL: needs OpenTelemetry's SDK: pip install 'tieline[otel]'"
    for args in (("traces", "send", "--since", "1h"), ("check", "--offline")):
        result = command(*args)
        assert result.exit_code == 2
        assert f"wrong setting {missing}" in result.stderr
    monkeypatch.setenv("TIELINE_OTLP_URL", "")
    result = command("traces", "send", "--since", "1h")
    assert (result.exit_code, result.stderr) == (
        2, "wrong setting TIELINE_OTLP_URL: is needed: where traces are sent\n"
    )  # fmt: skip
