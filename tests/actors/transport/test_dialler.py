"""The wait that the model names, and its clock. How sockets are opened: test_websocket.py."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from loguru import logger

from actors.transport.circuit import REFUSED_CALLS
from actors.transport.dialler import (
    HOLD_LIMIT_S,
    HOLD_SPREAD_S,
    ClockCheck,
    Dialler,
    FixedHeaders,
    Purpose,
    RetryHold,
    with_model,
)
from protocols.realtime.refusals import retry_after_s
from tests.actors.model.scene import MODEL
from tests.counted import counted


class Clock:
    """In s."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def all_are_refused(hold: RetryHold, wait_s: float) -> None:
    for number in range(REFUSED_CALLS):
        hold.named(wait_s, f"refused-{number}")


def test_once_several_calls_were_refused_all_are_held_back_and_made_one_after_another() -> None:
    clock = Clock()
    hold = RetryHold(clock)
    assert hold.wait_s("c-0") == 0
    all_are_refused(hold, 6)
    waits = [hold.wait_s(f"c-{number}") for number in range(500)]
    assert waits[0] > 6
    assert waits == sorted(waits)
    assert len(set(waits)) > 50, "spread"
    assert waits[-1] <= 6 + HOLD_SPREAD_S
    clock.now += 6
    assert hold.wait_s("c-0") == 0


def test_what_one_node_names_only_the_refused_call_waits_for() -> None:
    clock = Clock()
    hold = RetryHold(clock)
    for _ in range(REFUSED_CALLS):  # its second attempt meets the same node
        hold.named(2, "c-0")
    hold.named(3, "c-1")
    assert (hold.wait_s("c-0"), hold.wait_s("c-1"), hold.wait_s("c-2")) == (2, 3, 0)
    clock.now += 2
    assert hold.wait_s("c-0") == 0


def test_one_attempt_that_works_between_refusals_shows_that_not_all_are_refused() -> None:
    hold = RetryHold(Clock())
    for number in range(3 * REFUSED_CALLS):
        hold.named(2, f"c-{number}")
        if number % REFUSED_CALLS == 1:
            hold.worked()
    assert hold.wait_s("another") == 0
    assert hold.wait_s("c-0") == 2
    all_are_refused(hold, 2)
    assert hold.wait_s("another") > 0
    hold.worked()
    assert hold.wait_s("another") == 0


def test_refusals_whose_wait_is_over_say_nothing_of_later_ones() -> None:
    clock = Clock()
    hold = RetryHold(clock)
    for number in range(3 * REFUSED_CALLS):
        hold.named(2, f"c-{number}")
        assert hold.wait_s("another") == 0
        clock.now += 2


@pytest.mark.parametrize("named_s", [0.0, -5.0])
def test_a_wait_that_is_over_holds_nothing_back(named_s: float) -> None:
    hold = RetryHold(Clock())
    all_are_refused(hold, named_s)
    assert hold.wait_s("refused-0") == hold.wait_s("another") == 0


def test_no_wait_is_longer_than_its_limit_and_a_shorter_one_does_not_end_it() -> None:
    clock = Clock()
    hold = RetryHold(clock)
    all_are_refused(hold, 1e9)
    all_are_refused(hold, 1)
    clock.now += HOLD_LIMIT_S - 1
    assert hold.wait_s("another") > 0
    assert hold.wait_s("refused-0") > 0
    clock.now += 1
    assert hold.wait_s("another") == hold.wait_s("refused-0") == 0


def disagreements() -> float:
    return counted("tieline_model_clock_disagreements_total")


@pytest.mark.parametrize(
    ("date", "wrong"),
    [
        ("Mon, 23 Nov 2026 13:05:00 GMT", 0),
        ("Mon, 23 Nov 2026 13:05:59 GMT", 0),
        ("Mon, 23 Nov 2026 13:06:01 GMT", 1),
        ("Mon, 23 Nov 2026 13:03:59 -0000", 1),
        ("Mon, 23 Nov 2026 14:05:00 +0100", 0),
        ("", 0),
        ("tomorrow", 0),
        ("Mon, 99 Nov 2026 99:99:99 GMT", 0),
    ],
)
def test_a_clock_that_is_a_minute_off_is_counted(date: str, wrong: int) -> None:
    before = disagreements()
    ClockCheck(lambda: datetime(2026, 11, 23, 13, 5, tzinfo=UTC)).compare(date)
    assert disagreements() - before == wrong


def test_a_clock_that_is_off_is_logged_once_and_counted_each_time() -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {message} {extra}")
    check, before = ClockCheck(lambda: datetime(2026, 11, 23, 14, 5, tzinfo=UTC)), disagreements()
    for _ in range(3):
        check.compare("Mon, 23 Nov 2026 13:05:00 GMT")
    logger.remove(sink)
    assert disagreements() - before == 3
    assert lines == ["WARNING our clock and the model's disagree: one of them is wrong {'ours_ahead_s': 3600}\n"]


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        ("wss://api.openai.com/v1/realtime?model=gpt-realtime", "wss://api.openai.com/v1/realtime?model=gpt-x+y"),
        ("wss://a.openai.azure.com/realtime?api-version=1&deployment=d", "wss://a.openai.azure.com/realtime?api-version=1&deployment=gpt-x+y"),
        ("ws://127.0.0.1:9050/v1/realtime", "ws://127.0.0.1:9050/v1/realtime?model=gpt-x+y"),
    ],
)  # fmt: skip
def test_a_bots_own_model_is_dialled(url: str, dialled: str) -> None:
    assert with_model(url, "gpt-x y") == dialled
    assert with_model(url, "") == url


def test_a_date_of_any_digits_is_no_error() -> None:
    for date in (
        "Mon, 23 Nov 99999999999999999999 13:05:00 GMT",
        "Mon, 23 Nov 2026 13:05:00 +99999999999999999999",
        "Mon, 23 Nov 0001 13:05:00 +2359",
    ):
        ClockCheck(lambda: datetime(2026, 11, 23, 13, 5, tzinfo=UTC)).compare(date)
        retry_after_s({"retry-after": date}, datetime(2026, 11, 23, 13, 5, tzinfo=UTC))


def test_what_one_bots_settings_were_refused_is_left_out_of_those_and_of_no_others() -> None:
    loop = asyncio.new_event_loop()
    dialler = Dialler("ws://127.0.0.1:1/", FixedHeaders({}), loop, lambda: datetime.now(UTC))
    dialler.did_without(["session.audio.output.speed"], Purpose("c-1", MODEL))
    assert dialler.left_out(Purpose("c-2", replace(MODEL))) == ("session.audio.output.speed",)
    for other in (None, replace(MODEL, voice="cedar"), replace(MODEL, name="another-model")):
        assert dialler.left_out(Purpose("c-1", other)) == ()
    loop.close()
