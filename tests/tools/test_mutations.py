"""What is changed for mutation testing: rules and statements, and nothing that is for readers or types only."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="an extra: make mutants installs it")

from tools.mutations import LEFT_OUT, mutants_of, possible, shown

SOURCE = """\
from functools import cache

Both = int | str


class Room:
    def __init__(self) -> None:
        self.open = True

    def enter(self, guests: list[int] | None) -> bool:
        self._log.info("entered", count=3)
        self.count += 1
        GUESTS.labels("x").inc()
        self.greet()
        if guests is None:
            assert_never(guests)
        return self.count == 2


@cache
def doors() -> int:
    return 4
"""


@pytest.fixture
def changes(tmp_path: Path) -> list[tuple[int, str, str, str]]:
    """Line, operator, was, now: of every way to change SOURCE."""
    (tmp_path / "room.py").write_text(SOURCE)
    ways = [each for place in mutants_of(tmp_path, "room.py") for each in place if possible(tmp_path, each)]
    found = [shown(tmp_path, each) for each in ways]
    return [(each.line, each.operator, each.was.strip(), each.now.strip()) for each in found]


def test_rules_and_numbers_are_changed(changes: list[tuple[int, str, str, str]]) -> None:
    assert (17, "core/ReplaceComparisonOperator_Eq_Lt", "return self.count == 2", "return self.count < 2") in changes
    assert (8, "core/ReplaceTrueWithFalse", "self.open = True", "self.open = False") in changes
    assert ("return 4", "return 5") in [(was, now) for _, _, was, now in changes]


def test_mutations_that_change_nothing_are_left_out(changes: list[tuple[int, str, str, str]]) -> None:
    now = [now for line, _, _, now in changes if line == 15]
    assert "if guests is not None:" in now
    assert "if guests == None:" not in now


def test_statements_are_left_out_but_not_first_values_logs_and_figures(
    changes: list[tuple[int, str, str, str]],
) -> None:
    left_out = [(line, was, now) for line, operator, was, now in changes if operator == LEFT_OUT]
    assert left_out == [(12, "self.count += 1", "pass"), (14, "self.greet()", "pass")]


def test_annotations_unions_of_types_caches_and_logs_are_left_alone(changes: list[tuple[int, str, str, str]]) -> None:
    assert {line for line, *_ in changes} == {8, 12, 14, 15, 17, 22}
