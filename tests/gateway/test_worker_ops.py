"""The supervisor's ops endpoint before workers' real ones: what it says of them where no call is wanted."""

from __future__ import annotations

from gateway.health import Health
from gateway.ops import Ops
from gateway.ops_access import REPORTS, OpsAccess
from gateway.worker_ops import WorkerOps
from tests.gateway.daemons import get, put, run


def test_a_supervisor_without_a_ready_worker_says_why_each_is_not() -> None:
    async def scene() -> None:
        workers = [Ops(Health(lambda: True), OpsAccess(None)) for _ in range(2)]
        ports = [await worker.listen("127.0.0.1", 0) for worker in workers]
        supervisor = WorkerOps(ports, OpsAccess(None))
        base = f"http://127.0.0.1:{await supervisor.listen('127.0.0.1', 0)}"
        url = f"{base}/readyz"
        try:
            assert await get(url) == (404, "not ready: no worker is: starting\n")
            # Nobody has a store yet, so that VoiceAI Connect is to try it again.
            assert await put(f"{base}{REPORTS}", b"{}") == (503, '{"error": "no worker answers"}')
            for worker in workers:
                await worker.close()
            assert await get(url) == (404, "not ready: no worker is, and none answers\n")
        finally:
            await supervisor.close()

    run(scene)
