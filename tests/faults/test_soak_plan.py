"""The plan of a soak: a seed always gives the same one, and it has all kinds of faults."""

from __future__ import annotations

import pytest

from tests.faults.soak_plan import (
    LONGEST_OUTAGE_OF_SHORT_S,
    LONGEST_OUTAGE_S,
    LONGEST_STEP_S,
    OUTAGES,
    SHORTEST_OUTAGE_S,
    ClockStep,
    Crash,
    Damage,
    Flood,
    LinkFault,
    Move,
    Outage,
    plan,
)

HALF_AN_HOUR_S = 1800.0


@pytest.mark.fast
def test_a_seed_always_gives_the_same_plan_and_another_one_another() -> None:
    assert plan(7, 60) == plan(7, 60)
    assert plan(7, 60) != plan(8, 60)


@pytest.mark.fast
@pytest.mark.parametrize("seed", range(20))
def test_a_plan_of_half_an_hour_has_every_kind_of_fault_within_its_bounds(seed: int) -> None:
    events = plan(seed, HALF_AN_HOUR_S)
    times = [at_s for at_s, _ in events]
    assert times == sorted(times)
    assert {type(fault) for _, fault in events} == {Outage, Damage, Flood, ClockStep, Crash, LinkFault, Move}
    outages = [(at_s, fault) for at_s, fault in events if isinstance(fault, Outage)]
    assert {outage.how for _, outage in outages} == set(OUTAGES)
    assert all(SHORTEST_OUTAGE_S <= outage.for_s <= LONGEST_OUTAGE_S for _, outage in outages)
    assert all(at_s + outage.for_s < HALF_AN_HOUR_S for at_s, outage in outages)
    damaged = [at_s for at_s, fault in events if isinstance(fault, Damage)]
    assert not [at_s for at_s in damaged if any(began_s <= at_s <= began_s + away.for_s for began_s, away in outages)]
    steps = [fault.ahead_s for _, fault in events if isinstance(fault, ClockStep)]
    assert min(steps) < 0 < max(steps)
    assert all(abs(ahead_s) <= LONGEST_STEP_S for ahead_s in steps)


@pytest.mark.fast
@pytest.mark.parametrize("seed", range(20))
def test_a_plan_of_a_minute_has_an_outage_that_is_short(seed: int) -> None:
    outages = [fault for _, fault in plan(seed, 60) if isinstance(fault, Outage)]
    assert outages
    assert all(outage.for_s <= LONGEST_OUTAGE_OF_SHORT_S for outage in outages)
