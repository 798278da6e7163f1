"""Modules without a test file are named, and exceptions that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import test_files


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_module_without_a_test_file_in_its_place_is_named(tmp_path: Path) -> None:
    put(tmp_path, "fsm/__init__.py", "fsm/run.py", "fsm/chart/svg.py", "tests/fsm/test_run.py", "tests/fsm/test_svg.py")
    found = [each for each in test_files.complaints(tmp_path) if "excepted" not in each]
    assert found == ["fsm/chart/svg.py: there is no tests/fsm/chart/test_svg.py"]


def test_exceptions_are_modules_and_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_files, "WITHOUT", {"fsm/gone.py": "x", "fsm/tested.py": "x", "fsm/errors.py": "x"})
    put(tmp_path, "fsm/tested.py", "fsm/errors.py", "tests/fsm/test_tested.py")
    assert test_files.complaints(tmp_path) == [
        "fsm/gone.py: is excepted in tools/test_files.py, and is no module",
        "fsm/tested.py: is excepted in tools/test_files.py, and has a test file",
    ]
