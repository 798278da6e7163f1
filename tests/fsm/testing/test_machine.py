"""Random conversations with every registered task, and with a table that has every kind of state."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from fsm.registry import load_agents
from fsm.spec import AgentSpec
from fsm.testing.machine import random_conversations
from tests.fsm.tables import LOCKER, TRIAGE, table

AGENTS = load_agents(installed=())


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_random_conversations_keep_the_promises(name: str) -> None:
    machine = random_conversations(AGENTS[name], choices={"transfer_targets": ("reception", "billing")})
    run_state_machine_as_test(machine, settings=settings(deadline=None))


@pytest.mark.parametrize("spec", [table(), TRIAGE, LOCKER], ids=lambda spec: spec.name)
def test_random_conversations_keep_them_whatever_the_table(spec: AgentSpec) -> None:
    values = {"letter": st.sampled_from(["x", "y"])} if spec is LOCKER else {}
    run_state_machine_as_test(random_conversations(spec, values=values), settings=settings(deadline=None))
