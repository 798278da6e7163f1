"""Images of a bot's tasks: a part of its version, and looked at when it is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from actors.bots import Bot
from fsm.registry import Registered
from gateway.bots.compile import Defaults, compile_bot
from gateway.bots.faults import BotFaults
from gateway.bots.files import read_folder
from protocols.activities import ShowImage
from protocols.images import MOST_IMAGE_BYTES
from tests.fsm.tables import table
from tests.gateway.bots.folders import BOT, DEFAULTS, PROFILE, bot, faults, files, written
from tests.pictures import jpeg, png, png_of

LISTED = f'{BOT}[[task]]\nfile = "tasks/way.toml"\n'
WAY = """\
[task]
name = "way"
description = "The caller asks where a room is."
[slot.room]
type = "text"
ask = "Which room?"
[flow]
collect = ["room"]
actions = [{ do = "show_image", file = "plans/ground.png", about = "The ground floor" }]
done = { say = "I have looked.", actions = [{ do = "show_image", file = "door.jpg", about = "The door of {room}" }] }
"""
FINDS = """\
[tool.find]
method = "GET"
url = "https://desk.example/rooms"
reads_only = true
ok = { keep = { floor = "floor" }, keep_images = { plan = "plan" } }
"""
LOOKED_UP = """\
[task]
name = "way"
description = "The caller asks where a room is."
[slot.room]
type = "text"
ask = "Which room?"
[flow]
collect = ["room"]
done = { say = "I have looked.", actions = [{ do = "show_image", kept = "NAME", about = "The plan" }] }
[effect]
tool = "find"
"""


def way(task: str = WAY, plan: bytes | None = None) -> list[str]:
    """What is wrong with a bot whose task shows a plan. plan: None for a good one."""
    pictures: dict[str, Any] = {"plans__ground_dot_png": png() if plan is None else plan, "door_dot_jpg": jpeg()}
    return faults(LISTED, tasks__way_dot_toml=task, **pictures)


def test_the_images_that_tasks_name_are_the_bots_and_no_others() -> None:
    pictures: dict[str, Any] = {"plans__ground_dot_png": png(), "door_dot_jpg": jpeg(), "logo_dot_png": b"no image"}
    made = bot(LISTED, tasks__way_dot_toml=WAY, **pictures)
    assert {name: (each.kind, each.content) for name, each in made.profile.images.items()} == {
        "plans/ground.png": ("image/png", png()),
        "door.jpg": ("image/jpeg", jpeg()),
    }
    assert made.digest != bot(LISTED, tasks__way_dot_toml=WAY, **pictures | {"door_dot_jpg": jpeg(1, 1)}).digest


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"The plan of the ground floor.", "is no PNG and no JPEG by its first bytes; save it as one"),
        (b"", "is no PNG and no JPEG by its first bytes; save it as one"),
        (png()[:-20], "is cut off or damaged; save it again"),
        (
            png_of(MOST_IMAGE_BYTES + 1),
            "has over 256 KB or 16,384 pixels; scale it down to 1,024 pixels",
        ),
    ],
)
def test_one_that_is_none_is_told_with_its_place(content: bytes, told: str) -> None:
    place = "linden/tasks/way.toml:9: flow.actions[1].file"
    assert way(plan=content) == [f"{place}: linden/plans/ground.png {told}"]


@pytest.mark.parametrize("file", ["plan.png", "plans/../door.jpg", "/etc/passwd", "../other/plan.png"])
def test_one_that_is_not_in_the_folder_is_told_with_those_that_are(file: str) -> None:
    there = "there is door.jpg, plans/ground.png"
    told = f'there is no file "{file}" in the bot\'s folder; {there}'
    assert way(WAY.replace("plans/ground.png", file)) == [f"linden/tasks/way.toml:9: flow.actions[1].file: {told}"]


def test_a_path_may_begin_with_the_folder_itself() -> None:
    made = bot(
        LISTED,
        tasks__way_dot_toml=WAY.replace("door.jpg", "./door.jpg"),
        plans__ground_dot_png=png(),
        door_dot_jpg=jpeg(),
    )
    assert made.profile.images["./door.jpg"].content == jpeg()


def test_what_an_action_lacks_is_told() -> None:
    both = WAY.replace('file = "plans/ground.png"', 'file = "plans/ground.png", kept = "plan"')
    [told] = way(both)
    assert told.endswith("needs one of file, in the bot's folder, and kept, by a tool")
    [told] = way(WAY.replace(', about = "The ground floor"', ""))
    assert "about" in told
    [told] = way(WAY.replace("{room}", "{floor}"))
    assert "unknown slot 'floor'" in told


def test_a_link_out_of_the_folder_is_refused_as_any(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png())
    folder = written(tmp_path / "bots", "linden", LISTED, tasks__way_dot_toml=WAY, door_dot_jpg=jpeg())
    (folder / "plans").mkdir()
    (folder / "plans" / "ground.png").symlink_to(secret)
    with pytest.raises(BotFaults, match="a link that leads out of the folder"):
        read_folder(folder)


def test_a_file_of_50_mb_is_not_read_to_its_end(tmp_path: Path) -> None:
    folder = written(tmp_path, "linden", LISTED, tasks__way_dot_toml=WAY, door_dot_jpg=jpeg())
    (folder / "plans").mkdir()
    with (folder / "plans" / "ground.png").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    with pytest.raises(BotFaults, match="longer than 8192 KB"):
        read_folder(folder)


# --- of tools ---


def test_what_a_tool_keeps_can_be_shown() -> None:
    made = bot(LISTED + FINDS, tasks__way_dot_toml=LOOKED_UP.replace("NAME", "plan"))
    assert made.profile.agents["way"].actions["Done"] == (ShowImage(kept="plan", about="The plan"),)
    assert made.profile.images == {}


def test_what_no_tool_of_the_task_keeps_is_told_with_what_they_do() -> None:
    [told] = faults(LISTED + FINDS, tasks__way_dot_toml=LOOKED_UP.replace("NAME", "floor"))
    assert told.startswith("linden/tasks/way.toml:9: flow.done.actions[1].kept")
    assert "no tool of this task keeps an image 'floor'; there is plan" in told


def test_what_is_shown_before_any_tool_can_have_kept_it_is_told() -> None:
    early = LOOKED_UP.replace("NAME", "plan").replace(
        'collect = ["room"]', 'collect = ["room"]\nactions = [{ do = "show_image", kept = "plan", about = "Before" }]'
    )
    [told] = faults(LISTED + FINDS, tasks__way_dot_toml=early)
    assert told.startswith("linden/tasks/way.toml:9: flow.actions[1].kept: no tool has kept 'plan' before")


# --- of tasks in Python ---


def python_bot(**pictures: Any) -> Bot:
    spec = table(actions={"Confirm": (ShowImage(file="plan.png", about="The plan"),)})
    tasks: dict[str, Registered] = {**DEFAULTS.tasks, "order_pizza": spec}
    return compile_bot(files(f'{BOT}[[task]]\nuse = "order_pizza"\n', **pictures), Defaults(PROFILE, tasks))


def test_a_task_in_python_names_files_of_the_bot_that_uses_it() -> None:
    assert list(python_bot(plan_dot_png=png()).profile.images) == ["plan.png"]
    with pytest.raises(BotFaults, match=r'order_pizza shows an image: there is no file "plan\.png"'):
        python_bot()


# --- too many, too secret ---


def test_images_that_are_shown_together_have_a_limit() -> None:
    names = [f"{number}.png" for number in range(3)]
    shown = ", ".join(f'{{ do = "show_image", file = "{name}", about = "{name}" }}' for name in names)
    pictures: dict[str, Any] = {f"{number}_dot_png": png_of(MOST_IMAGE_BYTES) for number in range(3)}
    task = (
        re.sub(r"actions = \[.*\]\n", f"actions = [{shown}]\n", WAY.partition("done =")[0]) + 'done = { say = "So." }\n'
    )
    [told] = faults(LISTED, tasks__way_dot_toml=task, **pictures)
    assert told.startswith(
        "linden/tasks/way.toml:9: flow.actions: together they have more than 512 KB; scale them down"
    )
    spec = table(actions={"Confirm": tuple(ShowImage(file=name, about=name) for name in names)})
    tasks: dict[str, Registered] = {**DEFAULTS.tasks, "order_pizza": spec}
    used = files(f'{BOT}[[task]]\nuse = "order_pizza"\n', **pictures)
    with pytest.raises(BotFaults, match="order_pizza shows images in Confirm: together they have more than 512 KB"):
        compile_bot(used, Defaults(PROFILE, tasks))


def test_what_is_told_of_an_image_names_no_secret() -> None:
    secret = WAY.replace('type = "text"\n', 'type = "digits"\nsensitive = true\n')
    [told] = way(secret)
    assert "sends 'room', which is sensitive; leave it out" in told
