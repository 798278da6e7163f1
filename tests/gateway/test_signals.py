"""What a signal does to a daemon that has not come to take it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.signals import ENDING, IGNORED
from tests.mortal import mortal

RUN = Path(__file__).parents[2] / "run.py"


@pytest.mark.parametrize("ending", ENDING)
def test_a_signal_during_the_start_is_a_clean_end(ending: signal.Signals) -> None:
    line = mortal([sys.executable, "-X", "importtime", str(RUN), "serve"])
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("typer" in imported for imported in process.stderr), "it imports"
        for each in IGNORED:
            process.send_signal(each)
        process.send_signal(ending)
        told = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in told
