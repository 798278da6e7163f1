"""The image's build file, by its linter. Needs the extra `[deploy]`; that it builds and serves: make image-trial."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed")
    said = subprocess.run([linter, "deploy/image/Containerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


def test_all_that_the_wheel_needs_is_let_into_the_build() -> None:
    let_in = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    packages = {each.parent.name for each in ROOT.glob("*/__init__.py")} - {"tests", "tools", "benchmarks"}
    assert packages | {"bots", "run.py", "setup.cfg", "pyproject.toml", "README.md"} <= let_in
