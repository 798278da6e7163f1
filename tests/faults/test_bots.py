"""Bots in files change while callers talk: each call goes on in the version it began in, at whichever process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.bots.files import EXAMPLE, read_folder
from tests.faults.bookers import Bookers
from tests.faults.scene import ROOT, Node, Scene, play
from tests.gateway.daemons import until

Figures = dict[str, float]
LINDEN = (EXAMPLE / "linden" / "bot.toml").read_text()


def write_linden(root: Path, resource: str, length_min: int) -> str:
    """Write the example as another version, which books something else. Returns its digest."""
    folder = root / "linden"
    folder.mkdir(parents=True, exist_ok=True)
    words = LINDEN.replace('"practice"', f'"{resource}"').replace("length_min = 15", f"length_min = {length_min}")
    (folder / "instructions.md").write_text((EXAMPLE / "linden" / "instructions.md").read_text())
    (folder / "bot.toml").write_text(words)
    return read_folder(folder).digest


def day() -> str:
    return f"{datetime.now(UTC).date() + timedelta(days=9)}"


async def shown(node: Node) -> dict[str, object]:
    """What a process shows of the bot."""
    [bot] = json.loads((await node.get("/bots"))[1])["bots"]
    return dict(bot)


def booked(scene: Scene) -> list[tuple[str, int]]:
    return [(each.resource, each.duration_min) for each in scene.appointments()]


def test_call_killed_goes_on_in_its_version_at_a_process_with_other_files(tmp_path: Path, figures: Figures) -> None:
    first = write_linden(tmp_path / "bots1", "first", 30)
    second = write_linden(tmp_path / "bots2", "second", 15)

    async def act(scene: Scene) -> None:
        async def kill() -> None:
            scene.vaic.target = scene.nodes[1].address
            scene.nodes[0].signal(signal.SIGKILL)

        async with Bookers(1) as bookers:
            for node in scene.nodes:
                node.model.target = ("127.0.0.1", bookers.port)
            url = f"ws://127.0.0.1:{scene.vaic.port}/"
            bookers.wanted = [(day(), "10:00"), (day(), "11:00")]
            bookers.before_yes = kill
            assert await bookers.call(url, "c-1") == "bot-disconnected"
            assert await bookers.call(url, "c-2") == "bot-disconnected"
        records = [await scene.record(each) for each in ("c-1", "c-2")]
        assert [(each.bot, each.bot_digest) for each in records] == [("linden", first), ("linden", second)]
        assert [[task.result for task in each.tasks] for each in records] == [["booked", "hangup"]] * 2
        assert booked(scene) == [("first", 30), ("second", 15)]

    play(
        tmp_path,
        figures,
        act,
        nodes=2,
        background=0,
        environment_of=lambda number: {"TIELINE_BOTS": str(tmp_path / f"bots{number}")},
    )


def test_bot_that_changes_in_a_call_is_another_for_the_next_call_only(tmp_path: Path, figures: Figures) -> None:
    root = tmp_path / "bots"
    first = write_linden(root, "first", 30)

    async def act(scene: Scene) -> None:
        [node] = scene.nodes
        digests: list[str] = []

        async def change() -> None:
            (root / "linden" / "bot.toml").write_text("[bot]\ngreeting = Hello")
            bad = await until(lambda: faults_of(node), 30)
            assert bad[0].endswith('bot.toml:2: is no TOML: invalid value; texts stand in quotes, like "…"'), bad
            assert (await shown(node))["digest"] == first
            digests.append(write_linden(root, "second", 15))

            async def taken() -> bool:
                return (await shown(node))["digest"] == digests[0]

            await until(taken, 30)

        async with Bookers(1) as bookers:
            node.model.target = ("127.0.0.1", bookers.port)
            url = f"ws://127.0.0.1:{scene.vaic.port}/"
            bookers.wanted = [(day(), "10:00"), (day(), "11:00")]
            bookers.before_yes = change
            assert await bookers.call(url, "c-1") == "bot-disconnected"
            assert await bookers.call(url, "c-2") == "bot-disconnected"
        assert [(await scene.record(each)).bot_digest for each in ("c-1", "c-2")] == [first, digests[0]]
        assert booked(scene) == [("first", 30), ("second", 15)]

    play(tmp_path, figures, act, environment={"TIELINE_BOTS": str(root)})


async def faults_of(node: Node) -> list[str]:
    faults = (await shown(node))["faults"]
    assert isinstance(faults, list)
    return faults


@pytest.mark.parametrize("workers", ["1", "2"])
def test_process_without_a_good_bot_exits_with_2_and_says_where(tmp_path: Path, workers: str) -> None:
    write_linden(tmp_path / "bots", "first", 30)
    (tmp_path / "bots" / "linden" / "bot.toml").write_text("[bot]\ngreeting = Hello")
    environment = {
        "PATH": "",
        "TIELINE_BOTS": str(tmp_path / "bots"),
        "TIELINE_DATABASE_URL": f"sqlite:///{tmp_path}/tieline.sqlite3",
        "TIELINE_OPENAI_URL": "ws://127.0.0.1:9/",
        "TIELINE_HOST": "127.0.0.1",
        "TIELINE_WORKERS": workers,
    }

    async def served() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "run.py", "serve", "--port", "0", "--ops-port", "0",
            cwd=ROOT, env=environment, stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        printed, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, printed.decode()

    code, printed = asyncio.run(served())
    assert (code, "bots/linden/bot.toml:2" in printed.replace("\n", "")) == (2, True), printed
