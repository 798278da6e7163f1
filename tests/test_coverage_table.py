"""The table of coverage: its sums."""

from __future__ import annotations

from tests.coverage_table import by_package


def test_the_lines_of_a_package_are_those_of_its_own_modules() -> None:
    def file(run: int, missing: int) -> dict[str, list[int]]:
        return {"executed_lines": list(range(run)), "missing_lines": list(range(missing))}

    files = {
        "fsm/run.py": file(3, 1),
        "fsm/table.py": file(1, 0),
        "fsm/agents/hand_over.py": file(0, 2),
        "fsm/errors.py": file(0, 0),
    }
    assert by_package(files) == {"fsm": (4, 5), "fsm/agents": (0, 2)}
    assert by_package({"empty/__init__.py": file(0, 0)}) == {}
