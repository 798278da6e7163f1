"""The circuit breaker to the model: what opens it, who tries, what closes it."""

from __future__ import annotations

import pytest

from actors.transport.circuit import CIRCUIT, FIRST_PROBE_S, PROBE_S, Circuit, Event, Milestone, State
from protocols.errors import MisuseError


class Clock:
    """In s."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, step: Milestone = Milestone.UPGRADE) -> Circuit:
    circuit = Circuit(clock)
    for call in ("a", "b", "c"):
        circuit.refused("status 401", call, step)
    return circuit


@pytest.mark.parametrize(("state", "event"), CIRCUIT.pairs)
def test_every_pair_leads_somewhere_or_is_refused(state: State, event: Event) -> None:
    if (state, event) in CIRCUIT.never:
        with pytest.raises(MisuseError):
            CIRCUIT.step(state, event)
    else:
        assert CIRCUIT.step(state, event) == CIRCUIT.transitions[state, event]


def test_a_closed_circuit_lets_every_attempt_pass() -> None:
    circuit = Circuit(Clock())
    assert all(circuit.lets_through() for _ in range(3))


def test_one_call_that_is_refused_again_and_again_closes_no_other_call() -> None:
    circuit = Circuit(Clock())
    for _ in range(100):
        circuit.refused("status 401", "a", Milestone.UPGRADE)
        assert circuit.lets_through()


def test_calls_that_are_refused_between_successes_close_no_other_call() -> None:
    circuit = Circuit(Clock())
    for call in range(100):
        circuit.refused("status 401", f"ill {call}", Milestone.UPGRADE)
        circuit.refused("status 401", f"ill too {call}", Milestone.UPGRADE)
        circuit.worked(Milestone.UPGRADE)
        assert circuit.lets_through()


def test_several_calls_that_are_refused_for_different_reasons_close_no_other_call() -> None:
    circuit = Circuit(Clock())
    for call, reason in enumerate(("status 401", "status 404", "closed with 4000")):
        circuit.refused(reason, str(call), Milestone.UPGRADE)
    assert circuit.lets_through()


@pytest.mark.parametrize("step", Milestone)
def test_an_open_circuit_says_when_an_attempt_without_a_call_is_due(step: Milestone) -> None:
    clock = Clock()
    circuit = opened(clock, step)
    due = [circuit.probe_in_s]
    clock.now += FIRST_PROBE_S
    due.append(circuit.probe_in_s)
    assert circuit.lets_through()
    due.append(circuit.probe_in_s)  # if nothing is heard of that one
    assert (circuit.step, due) == (step, [FIRST_PROBE_S, 0.0, PROBE_S])
    circuit.worked(step)
    assert not circuit.is_open


def test_a_circuit_that_opens_again_at_once_was_closed_by_what_shows_nothing_and_waits_longer() -> None:
    clock = Clock()
    circuit, waits = opened(clock), list[float]()
    for idle_s in (0.5, 1.0, PROBE_S):
        clock.now += circuit.probe_in_s
        assert circuit.lets_through()
        circuit.worked(Milestone.UPGRADE)
        clock.now += idle_s
        for call in "abc":
            circuit.refused("status 401", call, Milestone.UPGRADE)
        waits.append(circuit.probe_in_s)
    assert waits == [0.5, 1.0, FIRST_PROBE_S]


def test_an_open_circuit_lets_one_call_pass_at_a_time_until_one_succeeds() -> None:
    clock = Clock()
    circuit = opened(clock)
    assert (circuit.reason, circuit.is_open) == ("status 401", True)
    assert not circuit.lets_through()
    clock.now += FIRST_PROBE_S
    assert [circuit.lets_through() for _ in range(3)] == [True, False, False]
    circuit.worked(Milestone.UPGRADE)
    assert not circuit.is_open
    assert all(circuit.lets_through() for _ in range(3))


def test_probes_that_fail_become_rarer() -> None:
    clock = Clock()
    circuit, waits = opened(clock), list[float]()
    for _ in range(9):
        before = clock.now
        while not circuit.lets_through():
            clock.now += FIRST_PROBE_S
        waits.append(clock.now - before)
        circuit.refused("status 401", "d", Milestone.UPGRADE)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, PROBE_S, PROBE_S, PROBE_S]


def test_a_probe_that_is_never_heard_of_again_is_followed_by_another() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now += FIRST_PROBE_S
    assert circuit.lets_through()
    clock.now += PROBE_S
    assert [circuit.lets_through() for _ in range(2)] == [True, False]


def test_what_was_refused_must_have_worked_and_not_only_what_precedes_it() -> None:
    clock = Clock()
    circuit = opened(clock, Milestone.RESPONSE)
    clock.now += FIRST_PROBE_S
    assert circuit.lets_through()
    circuit.worked(Milestone.UPGRADE)
    circuit.worked(Milestone.SESSION)
    assert not circuit.lets_through()
    circuit.worked(Milestone.RESPONSE)
    assert circuit.lets_through()


def test_an_attempt_from_before_the_opening_that_works_closes_the_circuit() -> None:
    circuit = opened(Clock())
    circuit.worked(Milestone.SESSION)
    assert circuit.lets_through()


def test_attempts_from_before_the_opening_that_are_refused_do_not_put_the_probe_off() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now += FIRST_PROBE_S / 2
    circuit.refused("status 401", "d", Milestone.UPGRADE)
    clock.now += FIRST_PROBE_S / 2
    assert circuit.lets_through()
