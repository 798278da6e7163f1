"""The guide to images holds what it says: its task and its tool are compiled, and its limits and results are ours."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import get_args

from actors.call.images import GONE, MOST_KEPT, REFUSED, TOO_MANY, UNSUPPORTED
from actors.metrics import IMAGES
from fsm.run import UNSEEN as FACT
from gateway.why import UNSEEN
from lab.script import ScriptTable
from protocols.activities import MOST_ABOUT, ShowImage
from protocols.images import MOST_AT_ONCE_BYTES, MOST_IMAGE_BYTES, Reason
from tests.gateway.bots.folders import BOT, bot
from tests.pictures import png

GUIDE = (Path(__file__).parents[1] / "docs" / "images.md").read_text()
TASK, TOOL, SCRIPT = re.findall(r"^```toml\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
LISTED = f'{BOT}[[task]]\nfile = "tasks/way.toml"\n'


def test_its_task_shows_a_plan() -> None:
    profile = bot(LISTED, tasks__way_dot_toml=TASK, plans__ground_dot_png=png()).profile
    (shown,) = profile.agents["way"].actions["Done"]
    assert isinstance(shown, ShowImage)
    assert list(profile.images) == [shown.file]


def test_its_script_speaks_of_what_its_task_shows() -> None:
    rules = ScriptTable.model_validate(tomllib.loads(SCRIPT)).rule
    (shown,) = bot(LISTED, tasks__way_dot_toml=TASK, plans__ground_dot_png=png()).profile.agents["way"].actions["Done"]
    assert isinstance(shown, ShowImage)
    assert [rule.image for rule in rules if rule.image and re.search(rule.image, shown.about.format(room="four"))]


def test_its_tool_keeps_what_its_action_shows() -> None:
    (action,) = re.findall(r"\{ do = \"show_image\", kept.*?\}", GUIDE)
    task = re.sub(r"\{ do = .*\},", f"{action},", TASK) + '[effect]\ntool = "card"\n'
    profile = bot(LISTED + TOOL, tasks__way_dot_toml=task).profile
    assert profile.agents["way"].actions["Done"] == (ShowImage(kept="card", about="The caller's insurance card"),)


def test_its_keys_limits_and_results_are_those_of_the_code() -> None:
    keys = set(re.findall(r"^\| `(\w+)` \|", GUIDE.partition("## A tool")[0], re.MULTILINE))
    assert keys == ShowImage.model_fields.keys() - {"do"}
    table = GUIDE.partition("| `result` |")[2].partition("\n\n")[0]
    told = {name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert told == {"shown", GONE, TOO_MANY, REFUSED, UNSUPPORTED, *get_args(Reason)}
    assert UNSEEN.keys() == told - {"shown", REFUSED}
    assert {labels[0] for labels in IMAGES._metrics} >= told
    assert f"fact `{FACT}`" in GUIDE
    for limit in (
        f"{MOST_IMAGE_BYTES // 1024} KB",
        f"{MOST_AT_ONCE_BYTES // 1024} KB",
        f"{MOST_ABOUT} char",
        str(MOST_KEPT),
    ):
        assert limit in GUIDE
