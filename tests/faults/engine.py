"""The embedded engine in a process of its own, whose faults may be changed while it runs.

python -m tests.faults.engine SESSION_S [--step-back] prints its URL once it listens; a line of JSON on its standard
input sets its faults. It exits when its input ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

from gateway.daemon import run
from lab.engine import Engine, EngineSettings, Faults


async def _serve(session_s: float) -> None:
    async with Engine(EngineSettings(port=0, session_s=session_s)) as engine:
        sys.stdout.write(f"{engine.url}\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            engine.inject(Faults.model_validate_json(line))


def _step_back() -> None:
    """Lower the priority: a real model takes no processor from the daemons. On a busy machine it then gets none."""
    os.nice(10)
    # Where Linux shares the processors out by session first, niceness counts within one only.
    with suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text("10")


if __name__ == "__main__":
    if sys.argv[2:] == ["--step-back"]:
        _step_back()
    run(_serve(float(sys.argv[1])))
