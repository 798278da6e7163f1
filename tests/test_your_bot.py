"""The guide to a bot of one's own: from an empty folder to a call, by the commands that stand in it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from lab.demo import wait_until_listening
from tests.gateway.bots.folders import BOT, bot
from tests.mortal import mortal
from tests.ports import free_ports

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "your-bot.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
TASK, NAMED, ROUTE, ASSISTANT, SENTENCES = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which `tieline` is this source, on ports that nobody has."""
    program = tmp_path / "bin" / "tieline"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "run.py"} "$@"\n')
    program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIELINE_", "OPENAI_"))}
    return kept | {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def run(command: str, folder: Path, shell: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-ec", command], check=False, cwd=folder, env=shell, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def server(command: str, port: int, folder: Path, shell: dict[str, str]) -> Iterator[None]:
    """One of the guide's shells that goes on, from when it listens."""
    with (folder / "server.log").open("ab") as log:
        line = mortal(["sh", "-ec", f"exec {command}"])
        process = subprocess.Popen(line, cwd=folder, env=shell, stdout=log, stderr=log)
    try:
        asyncio.run(wait_until_listening(port, lambda: process.poll() is None))
        yield
    finally:
        process.kill()
        process.wait()


def test_the_guide_leads_from_an_empty_folder_to_a_call_and_a_draft(tmp_path: Path, shell: dict[str, str]) -> None:
    first, second, engine, serve, call, draft = COMMANDS
    assert "dental  " in run(first, tmp_path, shell)
    bot = tmp_path / "bots" / "dental"
    (bot / "tasks").mkdir()
    (bot / "tasks" / "parking.toml").write_text(TASK)
    with (bot / "bot.toml").open("a") as file:
        file.write(f"\n{NAMED}")
    shown = run(second, tmp_path, shell)
    assert "task.parking.Confirm = A parking space at" in shown

    port = free_ports(3)
    engine_port, ops_port = port + 1, port + 2
    ports = {"9050": str(engine_port), "8050": str(port)}

    def moved(command: str) -> str:
        return re.sub("9050|8050", lambda found: ports[found.group()], command.strip())

    shell |= {"TIELINE_PORT": str(port), "TIELINE_OPS_PORT": str(ops_port)}
    with ExitStack() as stack:
        stack.enter_context(server(f"{engine.strip()} --port {engine_port}", engine_port, tmp_path, shell))
        variables, program = moved(serve).rsplit(" ", 2)[0], "tieline serve"
        stack.enter_context(server(f"env {variables} {program}", ops_port, tmp_path, shell))
        told = run(f"{moved(call)} --ops http://127.0.0.1:{ops_port}", tmp_path, shell)
    assert "caller     the caller hung up (client-disconnected)" in told
    with wave.open(str(tmp_path / "call.wav")) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)
    assert np.abs(samples[:, 1].astype(int)).max() > 1000, "the bot was heard"

    assert run(draft, tmp_path, shell) == "", "a copy differs in nothing"
    (tmp_path / "bots" / "routes.toml").write_text(ROUTE)
    assert "dental@draft  " in run("tieline bots check bots", tmp_path, shell)


def test_the_sentences_of_the_guide_are_a_bots() -> None:
    profile = bot(f'{BOT}language = "de-DE"\n{SENTENCES}').profile
    assert profile.locale.of("Are you still there?") == "Hallo? Sind Sie noch am Apparat?"


def test_the_bot_that_assists_is_one() -> None:
    assert bot(ASSISTANT, instructions_dot_md="Know the rules.").profile.assists
