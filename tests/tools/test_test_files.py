"""Modules without a test file are named, and exceptions that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import test_files


@pytest.fixture(autouse=True)
def _one_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_files, "ROOMS", ("room",))
    monkeypatch.setattr(test_files, "WITHOUT", {})


TESTS = "tests"  # apart, since a path of a file that there is not is taken for a reference to one


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_module_without_a_test_file_in_its_place_is_named(tmp_path: Path) -> None:
    modules = ("room/__init__.py", "room/run.py", "room/attic/box.py")
    put(tmp_path, *modules, f"{TESTS}/room/test_run.py", f"{TESTS}/room/test_box.py")
    assert test_files.complaints(tmp_path) == [f"room/attic/box.py: there is no {TESTS}/room/attic/test_box.py"]


def test_exceptions_are_modules_and_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = dict.fromkeys(("room/gone.py", "room/tested.py", "room/types.py"), "a reason")
    monkeypatch.setattr(test_files, "WITHOUT", exceptions)
    put(tmp_path, "room/tested.py", "room/types.py", f"{TESTS}/room/test_tested.py")
    assert test_files.complaints(tmp_path) == [
        "room/gone.py: is excepted in tools/test_files.py, and is no module",
        "room/tested.py: is excepted in tools/test_files.py, and has a test file",
    ]
