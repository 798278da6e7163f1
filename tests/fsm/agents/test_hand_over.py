"""Handing over: to whom, by the names of the settings only."""

from __future__ import annotations

from fsm.agents.hand_over import HAND_OVER
from fsm.testing import converse


def test_a_human_is_asked_for_by_the_names_of_the_settings_only() -> None:
    targets = {"transfer_targets": ("reception", "billing")}
    it = converse(HAND_OVER, choices=targets).opens(to="the boss")
    assert it.outcome is None
    assert it.says == "Whom would you like to speak to?"
    it.gives(to="billing")
    assert it.run.status().transfer_to == "billing"


def test_where_there_is_one_human_nobody_is_asked() -> None:
    it = converse(HAND_OVER, choices={"transfer_targets": ("reception",)}).opens()
    assert (it.outcome, it.run.status().transfer_to) == ("transfer", "reception")


def test_a_caller_who_does_not_care_gets_the_first() -> None:
    it = converse(HAND_OVER, choices={"transfer_targets": ("reception", "billing")}).opens().gives().gives()
    assert (it.outcome, it.run.status().transfer_to) == ("transfer", "")
