"""An effect's key: one for a step of a run, and no other's."""

from __future__ import annotations

from itertools import product

from fsm.effects import effect_key


def test_a_step_has_a_key_of_its_own_and_the_same_one_again() -> None:
    steps = list(product(("c-1", "c-2"), ("t1", "t2"), (1, 2)))
    keys = [effect_key(*step) for step in steps]
    assert len(set(keys)) == len(steps)
    assert keys == [effect_key(*step) for step in steps]


def test_keys_are_as_the_effect_log_has_them_since_the_first_release() -> None:
    assert effect_key("c-1", "t1", 4) == "c-1:t1:4"
