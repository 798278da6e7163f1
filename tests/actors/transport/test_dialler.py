"""The circuit breaker to the model; how sockets are opened is in test_websocket.py."""

from __future__ import annotations

from prometheus_client import REGISTRY

from actors.transport.dialler import OPEN_S, Circuit


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
