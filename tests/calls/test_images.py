"""Images from a bot's folder and from a tool's answer, over real sockets to the model that speaks about them."""

from __future__ import annotations

import asyncio
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.daemon import run
from lab.caller import BotSpoke, CallerEvent, CallReport, CallSettings, HangUp, Say, ScriptStep, place_call
from lab.engine import Engine, EngineSettings, Faults
from lab.script import Script, ScriptTable, script_of
from protocols.images import MOST_IMAGE_BYTES
from store.database import open_database
from store.journal import Journal
from tests.calls.live import LIMIT_S, PAUSE_MS, heard_words, practice, recording
from tests.calls.process import process
from tests.calls.tap import Debts, Line, Passed, Tap
from tests.gateway.bots.folders import BOT, written
from tests.http_tools.server import answers, http_server
from tests.paced_loop import run_paced
from tests.pictures import png, png_of

WAY = """\
[task]
name = "way"
description = "The caller asks where a room is."
[slot.room]
type = "text"
ask = "Which room?"
[flow]
collect = ["room"]
done = { say = "Let me look.", actions = [{ do = "show_image", file = "plan.png", about = "The way to room {room}" }] }
"""
SCRIPT = """\
heard = ["Where is room four?", "Thank you."]
[[rule]]
heard = 'room (?P<room>\\w+)'
call.way = { room = "{room}" }
[[rule]]
image = 'room four'
say = "On a {kind} of {width} by {height} it is the second door."
"""
SEEN = "Let me look. On a png of 1200 by 900 it is the second door."


def script(text: str = SCRIPT) -> Script:
    return script_of(ScriptTable.model_validate(tomllib.loads(text)), str, lambda _level, _text: None)


def images_in(passed: list[Passed]) -> list[tuple[int, bytes]]:
    """The images among messages, each with the port of its session."""
    return [
        (each.port, b64decode(part["image_url"].partition(";base64,")[2]))
        for each in passed
        for part in each.frame.get("item", {}).get("content", ())
        if part["type"] == "input_image"
    ]


@pytest.mark.parametrize("lost", [False, True])
def test_the_model_speaks_of_a_plan_that_a_task_shows_also_if_its_session_is_lost_with_it(
    tmp_path: Path, lost: bool
) -> None:
    plan = png(1200, 900)
    bots = tmp_path / "bots"
    written(bots, "desk", f'{BOT}[[task]]\nfile = "tasks/way.toml"\n', tasks__way_dot_toml=WAY, plan_dot_png=plan)

    async def call() -> None:
        async with practice(tmp_path, bots=bots, script=script(), tapped=True) as services:
            if lost:
                services.line.watch = cut_at_the_first_image(services.model_tap)
            report = await services.call("slt_human", "slt_goodbye", HangUp())
            record = await services.record()
            sent = images_in(services.line.of("daemon", "model", "conversation.item.create"))

            assert SEEN in heard_words(report)
            assert [content for _, content in sent] == [plan] * (1 + lost)
            assert len({port for port, _ in sent}) == 1 + lost
            assert record.figures.tokens["input_image"] > 0
            assert record.errors == ()

    run_paced(call())


def cut_at_the_first_image(tap: Tap) -> Callable[[Passed], None]:
    seen: list[Passed] = []

    def watch(passed: Passed) -> None:
        if images_in([passed]) and not seen:
            seen.append(passed)
            tap.cut()

    return watch


def test_a_server_that_takes_no_images_is_told_in_words_and_the_call_goes_on(tmp_path: Path) -> None:
    bots = tmp_path / "bots"
    written(bots, "desk", f'{BOT}[[task]]\nfile = "tasks/way.toml"\n', tasks__way_dot_toml=WAY, plan_dot_png=png())

    async def call() -> None:
        refusing = Faults(refuse_images=True)
        async with practice(tmp_path, bots=bots, script=script(), faults=refusing, tapped=True) as services:
            report = await services.call("slt_human", "slt_goodbye", HangUp())
            record = await services.record()

            assert "Let me look." in heard_words(report)
            assert record.errors == ("model: does not take the image plan.png: invalid_value",)
            items = services.line.of("daemon", "model", "conversation.item.create")
            told = [
                each.frame["item"]["content"][0]["text"] for each in items if each.frame["item"].get("role") == "system"
            ]
            assert told == ["There was an image for you that cannot be shown: The way to room four"]

    run_paced(call())


LOOKED_UP = WAY.replace('file = "plan.png"', 'kept = "plan"') + '[effect]\ntool = "find"\n'
FIND = """\
[tool.find]
method = "GET"
url = "URL/rooms"
reads_only = true
ok = { keep_images = { plan = "PLAN" } }
"""


@pytest.mark.parametrize("whole", [False, True])
def test_what_a_tools_answer_brings_is_seen_by_the_model(tmp_path: Path, whole: bool) -> None:
    plan = png_of(MOST_IMAGE_BYTES * 2 // 3)
    body: object = plan if whole else {"photo": b64encode(plan).decode()}
    with http_server(answers(200, body)) as server:
        tool = FIND.replace("URL", server.url).replace("PLAN", "@" if whole else "photo")
        bots = tmp_path / "bots"
        written(bots, "desk", f'{BOT}{tool}[[task]]\nfile = "tasks/way.toml"\n', tasks__way_dot_toml=LOOKED_UP)

        async def call() -> None:
            more: dict[str, Any] = {"tool_private_hosts": "localhost"}
            async with practice(tmp_path, bots=bots, script=script(), tapped=True, **more) as services:
                report = await services.call("slt_human", "slt_goodbye", HangUp())

                sent = images_in(services.line.of("daemon", "model", "conversation.item.create"))
                assert [content for _, content in sent] == [plan]
                assert "On a png of 3 by 2 it is the second door." in heard_words(report)

        run_paced(call())


TALK = (
    SCRIPT.replace("four?", 'four?", "What colour is the door?')
    + """\
[[rule]]
heard = "colour"
say = "It is the blue one."
"""
)


@pytest.mark.faults
def test_a_process_that_takes_the_call_over_shows_the_plan_to_its_own_session(tmp_path: Path) -> None:
    plan, database = png(1200, 900), f"sqlite:///{tmp_path}/calls.sqlite3"
    bots = tmp_path / "bots"
    written(bots, "desk", f'{BOT}[[task]]\nfile = "tasks/way.toml"\n', tasks__way_dot_toml=WAY, plan_dot_png=plan)
    line = Line()

    async def call() -> CallReport:
        async with (
            asyncio.timeout(LIMIT_S),
            Engine(EngineSettings(port=0), script=script(TALK)) as engine,
            Tap(engine.url, line, client="daemon", server="model") as model,
            process(model.url, database, 1.0, bots) as first,
            process(model.url, database, 1.0, bots) as second,
            Tap(first.url, Line(), client="vaic", server="daemon") as vaic,
        ):
            heard, debts = count(1), Debts(model)

            def happened(event: CallerEvent) -> None:
                if isinstance(event, BotSpoke) and next(heard) == 2:
                    first.kill()
                    debts.moved()
                    vaic.target = second.url
                    vaic.cut()

            settings = CallSettings(url=vaic.url, conversation_id="c-1", pause_ms=PAUSE_MS, limit_s=LIMIT_S)
            steps: list[ScriptStep] = [
                Say(recording("slt_human")),
                Say(recording("slt_hours")),
                Say(recording("slt_goodbye")),
                HangUp(),
            ]
            return await place_call(settings, steps, happened, debts)

    report = run(call())
    assert report.errors == ()
    record = Journal(open_database(database)).record("c-1")
    assert record is not None
    assert "It is the blue one." in [turn.text for turn in record.turns]
    sent = images_in(line.of("daemon", "model", "conversation.item.create"))
    assert [content for _, content in sent] == [plan, plan]
    assert len({port for port, _ in sent}) == 2
