"""What docs/lab.md says of scripts: its example is run against a real daemon, its German one is read."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gateway.bots.new import write_bot
from gateway.daemon import Daemon
from lab.caller import CallReport, CallSettings, parse_script, place_call
from lab.caller.typed import record_text
from lab.engine import Engine, EngineSettings
from lab.script import Script, ScriptTable, script_of
from run import app, spread
from tests.calls.settings import daemon_settings
from tests.paced_loop import loop_time_s, run_paced

ROOT = Path(__file__).parents[2]
SECTION = re.split(r"^## ", (ROOT / "docs" / "lab.md").read_text(), flags=re.MULTILINE)
PAGE = next(each for each in SECTION if each.startswith("A script"))
GUIDE = (ROOT / "docs" / "your-bot.md").read_text()
EXAMPLE, GERMAN = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(SHELLS,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
TASK, NAMED, *_ = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
SPEED = 8.0
LIMIT_S = 120.0


def script(text: str) -> Script:
    return script_of(ScriptTable.model_validate(tomllib.loads(text)), str, lambda _level, _text: None)


def commands() -> list[list[str]]:
    return [shlex.split(line) for line in SHELLS.replace("\\\n", " ").splitlines()]


def options(words: list[str]) -> dict[str, Any]:
    """A command's options as the command line reads them: one that there is not ends the test."""
    name = words.index("tieline") + 1
    command = get_command(app).commands[words[name]]  # type: ignore[attr-defined]
    context = command.make_context(words[name], spread(words[name + 1 :]))
    return dict(context.params)


def bots(folder: Path) -> Path:
    """The guide's bot with its task."""
    root = folder / "bots"
    write_bot(root, "dental")
    (root / "dental" / "tasks").mkdir(exist_ok=True)
    (root / "dental" / "tasks" / "parking.toml").write_text(TASK)
    with (root / "dental" / "bot.toml").open("a") as file:
        file.write(f"\n{NAMED}")
    return root


async def called(folder: Path, say: list[str], path: str, scripted: Script, language: str = "en") -> CallReport:
    async with Engine(EngineSettings(port=0, speed=SPEED), script=scripted) as engine:
        settings = daemon_settings(engine.url, f"sqlite:///{folder}/guide.sqlite3")
        settings = settings.model_copy(update={"bots": str(bots(folder))})
        async with Daemon(settings, SPEED, clock_s=loop_time_s) as daemon:
            how = CallSettings(
                url=f"{daemon.vaic_url}{path}",
                conversation_id="c-1",
                ops_url=daemon.ops_url,
                speed=SPEED,
                pause_ms=1500,
                patience_s=30 * SPEED,
                limit_s=LIMIT_S * SPEED,
            )
            (words := folder / "words").mkdir()
            return await place_call(how, parse_script(say, lambda text: record_text(text, language, words)))


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite: what eSpeak NG says is not always understood")
def test_the_task_of_a_bot_is_tried_by_speech_against_a_script(tmp_path: Path) -> None:
    engine, serve, call = commands()
    assert options(engine)["script"] == Path("parking-call.toml")
    assert serve[-1] == "serve"
    how = options(call)
    report = run_paced(called(tmp_path, how["say"], "/bots/dental", script(EXAMPLE)))
    assert [(task.agent, task.result) for task in report.tasks] == [("parking", "done")]
    assert report.errors == ()
    told = " ".join(turn.text for turn in report.turns if turn.role == "bot")
    assert "Half past ten, let me see." in told
    assert "All right, a parking space is kept for you." in told
    states = " → ".join(report.tasks[0].states)
    assert f"task       parking: {states} (done)" in PAGE


def test_the_german_example_takes_each_utterance_as_its_words(tmp_path: Path) -> None:
    read = script(GERMAN)
    assert read.heard is not None
    # What is said is something else on purpose.
    say = [*(f"text:{words} Danke." for words in read.heard), "wait:3000", "hangup"]
    report = run_paced(called(tmp_path, say, "/bots/dental", read, "de"))
    assert [turn.text for turn in report.turns if turn.role == "caller"] == list(read.heard)
    (task,) = report.tasks
    assert (task.agent, task.states[:2]) == ("parking", ("Collect", "Confirm"))
