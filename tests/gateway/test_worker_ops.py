"""The supervisor's ops endpoint before workers' real ones: what it says of them where no call is wanted."""

from __future__ import annotations

from gateway.health import Health
from gateway.ops import Ops
from gateway.ops_access import OpsAccess
from gateway.worker_ops import WorkerOps
from tests.gateway.daemons import get, run


def test_a_supervisor_without_a_ready_worker_says_why_each_is_not() -> None:
    async def scene() -> None:
        workers = [Ops(Health(lambda: True), OpsAccess(None)) for _ in range(2)]
        ports = [await worker.listen("127.0.0.1", 0) for worker in workers]
        supervisor = WorkerOps(ports, OpsAccess(None))
        url = f"http://127.0.0.1:{await supervisor.listen('127.0.0.1', 0)}/readyz"
        try:
            assert await get(url) == (404, "not ready: no worker is: starting\n")
            for worker in workers:
                await worker.close()
            assert await get(url) == (404, "not ready: no worker is, and none answers\n")
        finally:
            await supervisor.close()

    run(scene)
