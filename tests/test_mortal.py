"""What a test starts does not outlive it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mortal import mortal

LIMIT_S = 300.0
# Starts a process that ignores SIGTERM, tells of it, and waits.
PARENT = """
import subprocess, sys
from tests.mortal import mortal
child = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
process = subprocess.Popen(mortal([sys.executable, "-c", child]), stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
process.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process outlives its parent")
def test_a_process_ends_with_the_one_that_started_it_though_that_is_killed() -> None:
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        handle = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        readable, _, _ = select.select([handle], [], [], LIMIT_S)
        os.close(handle)
        assert readable


def test_a_command_has_its_arguments_environment_and_exit_code() -> None:
    program = "import os, sys; sys.exit(7 if sys.argv[1:] == ['a b', '-x'] and os.environ['OF_OURS'] == '1' else 1)"
    command = mortal([sys.executable, "-c", program, "a b", "-x"])
    assert subprocess.run(command, env=os.environ | {"OF_OURS": "1"}, check=False, timeout=LIMIT_S).returncode == 7
