"""The overload guard, in processes of their own, whose limits are real."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.overload import thread_starts

LIMITED = """
import resource, sys
from gateway.overload import ADDRESSES, OverloadGuard, memory_mb
limit = int(memory_mb(ADDRESSES) + int(sys.argv[1])) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
print(OverloadGuard(lambda: 0.0, 0.0, 0)())
"""
# No thread may have been started before: its stack would be used again, or it would end below the limit, and abort.
NO_THREAD = """
import resource
from gateway.overload import thread_starts
resource.setrlimit(resource.RLIMIT_AS, (2**20, resource.RLIM_INFINITY))
print(thread_starts())
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process uses")


def said(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("room_mb", "short"), [(64, "address space"), (1024, "")])
def test_a_process_near_its_limit_of_memory_is_short_of_it(room_mb: int, short: str) -> None:
    assert said(LIMITED, str(room_mb)) == short


def test_a_process_that_can_start_no_thread_is_known_by_trying() -> None:
    assert thread_starts()
    assert said(NO_THREAD) == "False"
