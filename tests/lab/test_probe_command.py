"""`tieline probe`, as it is run: its exit codes, what it prints, and the report for programs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from run import app
from tests.lab.probe_bot import TOKEN, Fault, bot_server, drops


def probe(*args: str) -> Result:
    return CliRunner().invoke(app, ["probe", *args])


async def probe_bot_with(fault: Fault, *args: str) -> Result:
    async with bot_server(fault, speed=20) as server:
        return await asyncio.to_thread(probe, "--to", server.url, "--token", TOKEN, *args)


def test_a_good_bot_is_told_so_with_exit_code_0() -> None:
    told = asyncio.run(probe_bot_with(Fault(""), "--scene", "validate", "--scene", "streams"))

    assert told.exit_code == 0, told.output
    assert "pass     validate " in told.output
    assert "grade pass: " in told.output
    assert TOKEN not in told.output


def test_a_bad_one_with_exit_code_1_and_what_proves_it(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    fault = Fault("no_start", drops("userStream.started"))
    told = asyncio.run(probe_bot_with(fault, "--scene", "no_start", "--patience", "0.3", "--json", str(file)))

    assert told.exit_code == 1, told.output
    assert "fail     user_started " in told.output
    report = json.loads(file.read_text())
    assert (report["spec"], report["grade"]) == ("docs/specs/vaic-streaming.md", "fail")
    [broken] = [each for each in report["rules"] if each["verdict"] == "fail"]
    assert (broken["name"], broken["section"], broken["details"]) == ("user_started", "3.5", ["no userStream.started"])
    assert '→ {"type": "userStream.start"' in broken["proof"][0]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ((), "give --to URL"),
        (("--to", "ws://127.0.0.1:1", "--realtime", "ws://127.0.0.1:1"), "give --to URL"),
        (("--to", "http://127.0.0.1:1"), "no URL of ws:// or wss://"),
        (("--to", "ws://127.0.0.1:1", "--scene", "function"), "there is no scene function; there are call"),
        (("--realtime", "ws://127.0.0.1:1"), "not connected"),
    ],
)
def test_what_cannot_be_graded_is_exit_code_2(args: tuple[str, ...], why: str) -> None:
    told = probe(*args)
    assert told.exit_code == 2
    assert why in told.output
