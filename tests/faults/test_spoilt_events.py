"""Whole calls with a model's server whose events are missing, nameless or spelt otherwise: each books all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.calls.live import practice
from tests.lab.probe_proxy import Event, ServerFault, Spoilt, drops, spoiling
from tests.paced_loop import run_paced

pytestmark = pytest.mark.faults


def nameless(event: Event) -> Spoilt:
    """No response has an id."""
    left = {name: each for name, each in event.items() if name != "response_id"}
    if isinstance(left.get("response"), dict):
        left["response"] = {name: each for name, each in left["response"].items() if name != "id"}
    return [left]


def in_lines(event: Event) -> Spoilt:
    """Audio in the alphabet for URLs, in lines and without padding."""
    if event["type"] != "response.output_audio.delta":
        return [event]
    delta = event["delta"].translate(str.maketrans("+/", "-_")).rstrip("=")
    return [{**event, "delta": "\r\n".join(delta[at : at + 76] for at in range(0, len(delta), 76))}]


def twice(event: Event) -> Spoilt:
    return [event] if event["type"].endswith("audio.delta") else [event, {"type": "session.weather"}, event]


@pytest.mark.parametrize(
    "sends",
    [
        pytest.param(drops("response.created"), id="begun untold"),
        pytest.param(
            drops(
                "input_audio_buffer.committed",
                "response.output_item.done",
                "response.output_audio_transcript.done",
                "response.output_audio.done",
            ),
            id="told once",
        ),
        pytest.param(nameless, id="nameless"),
        pytest.param(in_lines, id="in lines"),
        pytest.param(twice, id="twice"),
    ],
)
def test_a_call_books_whatever_is_wrong_with_the_events(tmp_path: Path, sends: Callable[[Event], Spoilt]) -> None:
    async def call() -> None:
        async with practice(tmp_path, before=lambda url: spoiling(url, ServerFault("", sends))) as services:
            report = await services.call("rms_book", "rms_time_1030", "rms_name", "rms_yes", "rms_goodbye")
            record = await services.record()
        assert (report.outcome, report.errors) == ("bot-disconnected", ())
        assert (record.outcome, record.errors) == ("completed", ())
        assert [task.result for task in record.tasks] == ["booked", "hangup"]
        assert [turn.role for turn in record.turns] == ["bot", "caller"] * 5 + ["bot"]
        assert all(turn.text for turn in record.turns)

    run_paced(call())
