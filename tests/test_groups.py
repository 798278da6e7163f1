"""Tests that share a process of `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.groups import GROUPS, group_of, scheduler

ROOT = Path(__file__).parents[1]


def test_tests_of_a_group_go_to_one_process_and_others_each_by_itself() -> None:
    assert group_of("tests/lab/test_engine_serve.py::test_a") == "engine"
    assert group_of("tests/store/test_leases.py::test_a[x@y]") == "store"
    assert group_of("tests/lab/test_mind.py::test_a") == "tests/lab/test_mind.py::test_a"


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_has_tests(name: str) -> None:
    files = [str(file.relative_to(ROOT)) for file in ROOT.glob("tests/**/test_*.py")]
    for beginning in GROUPS[name]:
        assert any(file.startswith(beginning) for file in files), beginning


def test_only_what_is_asked_for_in_groups_is_grouped(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytestconfig.option, "dist", "worksteal")
    assert scheduler(pytestconfig, None) is None
