"""The demo's stories by speech: the real daemon, engine, caller and database in one process, faster than real time."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shlex
import shutil
import sys
import wave
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine as Database
from sqlalchemy import create_engine, text
from typer.main import get_command

import fsm.agents
from gateway.bots.files import EXAMPLE
from gateway.daemon import Daemon
from gateway.settings import Settings
from lab.caller import CallReport, CallSettings, Say, ScriptStep, parse_script, place_call
from lab.engine import Engine, EngineSettings
from lab.mouth import load_synthesis
from lab.stories import CALLER, SPEECH, STORIES, BookedTime, Story
from run import app, booked_for, prepare_bookings, spread
from tests.paced_loop import loop_time_s, run_paced

SPEED = 8.0
# Of the clock, for one story: many times what it takes on a machine that does nothing else.
LIMIT_S = 150.0


async def tell(story: Story, folder: Path, today: date) -> tuple[CallReport, list[datetime]]:
    """Have the story happen; its report, and what is booked for the caller afterwards."""
    script = story.script(random.Random(story.name))
    return await call(script, folder, lambda database: prepare_bookings(story, today, database))


async def call(
    script: Sequence[ScriptStep], folder: Path, prepare: Callable[[Database], None], bots: str = ""
) -> tuple[CallReport, list[datetime]]:
    """Place a call at a practice with a database of its own, laid out by prepare."""
    async with asyncio.timeout(LIMIT_S), Engine(EngineSettings(port=0, speed=SPEED)) as engine:
        settings = Settings(
            openai_url=engine.url,
            database_url=f"sqlite:///{folder}/story.sqlite3",
            host="127.0.0.1",
            port=0,
            ops_port=0,
            vaic_token=SecretStr(""),
            bots=bots,
            time_zone="UTC",
            max_lag_ms=0,  # all share one loop here
            filler_s=0,  # the machine's own time to hear and think is so many times longer by this clock
        )
        async with Daemon(settings, SPEED, clock_s=loop_time_s) as daemon:
            prepare(daemon.engine)
            how = CallSettings(
                url=daemon.vaic_url,
                conversation_id="c-1",
                caller=CALLER,
                ops_url=daemon.ops_url,
                speed=SPEED,
                # A machine that is slow to hear must not look like a bot that is silent.
                patience_s=30 * SPEED,
                limit_s=LIMIT_S * SPEED,
            )
            report = await place_call(how, script)
            return report, [each.starts_at for each in booked_for(CALLER, daemon.engine)]


@pytest.mark.parametrize(
    "story",
    # One of them each time; "book" and "refused" are also calls of tests/calls/test_booking.py.
    [each if each.name == "human" else pytest.param(each, marks=pytest.mark.faults) for each in STORIES.values()],
    ids=STORIES,
)
def test_a_story_played_by_speech_ends_as_it_should(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in story.settings.items():
        monkeypatch.setenv(variable, value)
    today = datetime.now(UTC).date()
    report, left = run_paced(tell(story, tmp_path, today))

    assert story.faults(report, left, today, UTC) == []
    assert report.errors == ()


def test_the_commands_of_the_readme_end_in_a_booking(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    serving, alone, calling = _shells(next(each for each in _blocks(readme) if "tieline call" in each))
    assert serving[1:] == ["serve"]
    assert alone[1:] == ["engine"]
    # As the command line reads it: an option that there is not ends the test.
    how = get_command(app).commands["call"].make_context("call", spread(calling[2:]))  # type: ignore[attr-defined]
    script = parse_script([str(Path(__file__).parents[1] / each) for each in how.params["say"]])
    report, left = run_paced(call(script, tmp_path, lambda database: None))

    assert [task.result for task in report.tasks] == ["booked", "hangup"]
    assert (report.outcome, report.recorded_outcome, report.errors) == ("bot-disconnected", "completed", ())
    assert left == [STORIES["book"].leaves[0].on(datetime.now(UTC).date(), UTC)]


def _blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def _shells(block: str) -> list[list[str]]:
    """The words of each command, without the variables before it."""
    commands = [shlex.split(line, comments=True) for line in block.replace("\\\n", " ").splitlines()]
    return [[word for word in words if "=" not in word] for words in commands]


@pytest.mark.faults
@pytest.mark.skipif(
    shutil.which("flite") is None, reason="needs flite: what eSpeak NG makes of its sentences is not understood"
)
def test_a_task_written_from_the_guide_works_by_speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = Path(__file__).parents[1] / "docs" / "writing-a-task.md"
    task = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)[0]
    (tmp_path / "callback.py").write_text(task)
    monkeypatch.setattr(fsm.agents, "__path__", [*fsm.agents.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "fsm.agents.callback", raising=False)
    asked = ("Could you call me back, please?", "It is about a repair.", "Tomorrow, please.")
    script = [Say(spoken(words, tmp_path)) for words in asked]
    script += [Say(SPEECH / f"slt_{name}.wav") for name in ("time_1030", "yes_correct", "goodbye")]
    bots = copytree(EXAMPLE, tmp_path / "bots")
    with (bots / "linden" / "bot.toml").open("a") as bot:
        bot.write('\n[[task]]\nuse = "callback"\n')
    run_paced(call(script, tmp_path, lambda database: None, str(bots)))

    database = create_engine(f"sqlite:///{tmp_path}/story.sqlite3")
    with database.connect() as connection:
        rows = connection.execute(text("select wanted from callback")).scalars().all()
    database.dispose()
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    wanted = {"topic": "repair", "day": str(tomorrow), "at": "10:30:00", "caller": CALLER}
    assert [json.loads(row) for row in rows] == [wanted]


def spoken(words: str, folder: Path) -> Path:
    """A sentence nobody recorded, as a file."""
    path = folder / f"{words[:8]}.wav"
    with wave.open(str(path), "wb") as recording:
        recording.setparams((1, 2, 16_000, 0, "NONE", ""))
        recording.writeframes(load_synthesis().synthesize(words, 16_000, voice="alloy"))
    return path


def told(**changes: object) -> CallReport:
    """A report of the story "book" as it should be, or nearly."""
    tasks = [{"agent": "book_appointment", "run_id": "t1", "states": ("Booked",), "result": "booked"}]
    tasks.append({"agent": "end_call", "run_id": "t2", "states": ("HungUp",), "result": "hangup"})
    fields: dict[str, object] = {
        "conversation_id": "c-1", "outcome": "bot-disconnected", "media_format": None, "turns": (), "tasks": tasks,
        "first_audio_ms": (), "barge_ins": 0, "barge_in_stop_ms": (), "outages": (), "transfer_target": None,
        "max_lead_ms": 0, "usage": None, "errors": (), "recorded_outcome": "completed", "activities": (),
    }  # fmt: skip
    return CallReport.model_validate(fields | changes)


def test_a_story_with_a_wrong_result_is_reported() -> None:
    today, story = date(2026, 11, 23), STORIES["book"]
    right = [slot.on(today, UTC) for slot in story.leaves]
    wrong = [BookedTime(1, right[0].time().replace(hour=9)).on(today, UTC)]

    assert story.faults(told(), right, today, UTC) == []
    assert story.faults(told(), [], today, UTC) == ["booked is nothing, and should be 2026-11-24 10:30"]
    assert story.faults(told(), wrong, today, UTC) == ["booked is 2026-11-24 09:30, and should be 2026-11-24 10:30"]
    assert story.faults(told(tasks=()), right, today, UTC) == [
        "the tasks ended never, and should have ended booked, hangup"
    ]
    assert story.faults(told(outcome="error"), right, today, UTC) == [
        "the call ended error, and should have ended bot-disconnected"
    ]
    assert STORIES["digress"].faults(told(), right, today, UTC) == [
        "the bot never said 'nine in the morning to five in the afternoon'"
    ]
