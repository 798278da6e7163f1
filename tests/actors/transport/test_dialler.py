"""The circuit breaker to the model, and the look at its clock; how sockets are opened is in test_websocket.py."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from loguru import logger
from prometheus_client import REGISTRY

from actors.transport.dialler import OPEN_S, Circuit, ClockCheck


class Clock:
    """In s."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_closed_circuit_lets_every_attempt_pass() -> None:
    circuit = Circuit(Clock())
    assert all(circuit.lets_through() for _ in range(3))


def test_an_open_circuit_lets_one_attempt_pass_at_a_time_until_one_succeeds() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    circuit.open("status 401")
    assert (circuit.reason, REGISTRY.get_sample_value("tieline_model_circuit_open")) == ("status 401", 1)
    assert not circuit.lets_through()
    clock.now += OPEN_S
    assert [circuit.lets_through() for _ in range(3)] == [True, False, False]
    clock.now += OPEN_S
    assert circuit.lets_through()
    circuit.close()
    assert REGISTRY.get_sample_value("tieline_model_circuit_open") == 0
    assert all(circuit.lets_through() for _ in range(3))


def test_another_refusal_begins_the_wait_anew() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    circuit.open("status 401")
    clock.now += OPEN_S - 1
    circuit.open("insufficient_quota")
    clock.now += 1
    assert not circuit.lets_through()
    assert circuit.reason == "insufficient_quota"


def disagreements() -> float:
    return REGISTRY.get_sample_value("tieline_model_clock_disagreements_total") or 0.0


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
