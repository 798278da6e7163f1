"""A mutant is judged by the tests alone: they pass, one fails, or one does not come to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="an extra: make mutants installs it")

from tools.mutant_runner import TestRunner
from tools.mutations import LEFT_OUT, Mutant

RULE = """\
def count_down(left: list[int]) -> int:
    rounds = 0
    while left:
        left.pop()
        rounds += 1
    return rounds
"""
TEST = """\
from rule import count_down


def test_it_counts() -> None:
    assert count_down([1, 2]) > 0
"""
TESTS = {"test_rule.py::test_it_counts": 3.0}


@pytest.fixture
def runner(tmp_path: Path) -> TestRunner:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "rule.py").write_text(RULE)
    (tree / "test_rule.py").write_text(TEST)
    return TestRunner(tree)


def mutant(line: int, operator: str = LEFT_OUT, occurrence: int = 0) -> Mutant:
    return Mutant("rule.py", line, line, operator, occurrence, "", "")


def test_a_mutant_survives_or_fails_a_test_or_is_stuck_in_one(runner: TestRunner) -> None:
    survives = mutant(5, "core/NumberReplacer", 1)  # counts by two
    assert runner.run(TESTS, survives) == 0, runner.said()
    assert runner.run(TESTS, mutant(5)) == 1, runner.said()
    assert runner.run(TESTS, mutant(4)) is None, runner.said()
