"""Tests that share a process of `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.groups import GROUPS, LONG, group_of, next_group, scheduler

ROOT = Path(__file__).parents[1]


def test_tests_of_a_group_or_a_file_go_to_one_process_and_long_ones_each_by_itself() -> None:
    assert group_of("tests/lab/test_engine_serve.py::test_a") == "speech"
    assert group_of("tests/store/test_leases.py::test_a[x@y]") == "store"
    assert group_of("tests/lab/test_mind.py::test_a[x::y]") == "tests/lab/test_mind.py"
    assert group_of("tests/test_run.py::test_a") == "tests/test_run.py::test_a"


def test_some_processes_take_groups_first_and_the_others_the_rest() -> None:
    waiting = ["tests/lab/test_mind.py", "store", "tests/test_run.py::test_a", "calls"]
    assert next_group(waiting, named=True) == "calls"
    assert next_group(waiting, named=False) == "tests/test_run.py::test_a"
    assert next_group(waiting[:2], named=False) == "tests/lab/test_mind.py"
    assert next_group(["store"], named=False) == "store"
    assert next_group(waiting[::2], named=True) == "tests/test_run.py::test_a"


@pytest.mark.parametrize("beginning", LONG)
def test_what_is_named_as_long_is_there(beginning: str) -> None:
    assert (ROOT / beginning).exists()


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
