"""Health on VAIC's port, over HTTP: where a balancer reaches no other one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors.messages.switchboard import AdmissionState, SetAdmission
from actors.system.address import send
from gateway.daemon import Daemon
from tests.gateway.daemons import exchange, get, run, serving, socket, until

TOKEN = "s3cret-token-of-ours"


def vaic_port(daemon: Daemon) -> str:
    return daemon.vaic_url.replace("ws://", "http://").rstrip("/")


def test_vaics_port_tells_whether_calls_are_wanted_without_a_token(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, max_calls=1, host="127.0.0.1", vaic_token=TOKEN) as daemon:
            assert await get(f"{vaic_port(daemon)}/readyz") == (200, "ready\n")
            assert await get(f"{vaic_port(daemon)}/livez") == (200, "alive\n")
            assert (await get(f"{vaic_port(daemon)}/"))[0] == 401
            assert (await get(f"{vaic_port(daemon)}/readyz/"))[0] == 401
            upgrade = b"GET /readyz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            assert (await exchange(daemon.vaic_url, upgrade)).split()[1] == b"401"
            async with socket(daemon, TOKEN) as vaic:
                await vaic.calls("c-1")
                # Neither what a stranger could learn from, nor anything else.
                assert await get(f"{vaic_port(daemon)}/readyz") == (503, "not ready\n")
                assert (await get(f"{vaic_port(daemon)}/livez"))[0] == 200
                await vaic.ends("c-1")

            async def ready() -> bool:
                return (await get(f"{vaic_port(daemon)}/readyz"))[0] == 200

            await until(ready)

    run(scene)


def test_a_process_that_leaves_says_so_on_vaics_port_while_its_last_calls_go_on(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path, lame_duck_s=0) as daemon, socket(daemon) as vaic:
            await vaic.calls("c-1")
            send(daemon.switchboard, SetAdmission(AdmissionState.LAME_DUCK))
            assert await get(f"{vaic_port(daemon)}/readyz") == (503, "not ready\n")
            assert await get(f"{daemon.ops_url}/readyz") == (404, "not ready: shutting down\n")
            draining = asyncio.create_task(daemon.drain(asyncio.Event()))
            send(daemon.switchboard, SetAdmission(AdmissionState.CLOSED))
            assert (await get(f"{vaic_port(daemon)}/readyz"))[0] == 503
            assert (await get(f"{vaic_port(daemon)}/livez"))[0] == 200
            await vaic.is_served("c-1")
            await vaic.ends("c-1")
            await draining

    run(scene)


def test_a_process_that_can_do_nothing_any_more_is_not_alive_on_either_port(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(tmp_path) as daemon:
            send(daemon.switchboard, object())
            assert isinstance(await daemon.root.ended, AssertionError)
            assert await get(f"{vaic_port(daemon)}/livez") == (503, "failed\n")
            assert await get(f"{vaic_port(daemon)}/readyz") == (503, "not ready\n")

    run(scene)
