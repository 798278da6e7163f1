"""Gates to hosts: how many at a time, and none while the host fails."""

from __future__ import annotations

import pytest

from http_tools.hosts import FAILURES, REST_S, Busy, HostGate, HostGates


def fails(gate: HostGate, times: int = 1) -> None:
    for _ in range(times):
        with gate.passing():
            gate.failed()


def test_it_opens_after_failures_in_a_row() -> None:
    gate = HostGate(lambda: 0.0)
    fails(gate, FAILURES - 1)
    with gate.passing():
        gate.succeeded()
    fails(gate, FAILURES)
    with pytest.raises(Busy), gate.passing():
        pass


def test_after_a_rest_one_tries_and_decides() -> None:
    now = [0.0]
    gate = HostGate(lambda: now[0])
    fails(gate, FAILURES)
    now[0] = REST_S
    with gate.passing():
        with pytest.raises(Busy), gate.passing():
            pass
        gate.failed()
    with pytest.raises(Busy), gate.passing():
        pass
    now[0] = 2 * REST_S
    with gate.passing():
        gate.succeeded()
    with gate.passing(), gate.passing():
        pass


def test_only_so_many_at_a_time() -> None:
    gate = HostGate(lambda: 0.0, at_a_time=1)
    with gate.passing(), pytest.raises(Busy), gate.passing(0.0):
        pass
    with gate.passing(0.0):
        pass


def test_a_host_has_one_gate() -> None:
    gates = HostGates(lambda: 0.0)
    assert gates.of("a:1") is gates.of("a:1")
    assert gates.of("a:1") is not gates.of("a:2")
