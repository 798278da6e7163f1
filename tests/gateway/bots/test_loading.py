"""A folder of bots and the routes to them; a new bot; what is different between two."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bots.describe import described, difference
from gateway.bots.files import EXAMPLE
from gateway.bots.loading import load_bots
from gateway.bots.new import write_bot
from http_tools.guard import HostGuard
from http_tools.tool import ToolHost
from tests.gateway.bots.desk import TASKS, TOML
from tests.gateway.bots.folders import BOT, DEFAULTS, bot, files, written


def test_a_bad_bot_stops_no_good_one(tmp_path: Path) -> None:
    written(tmp_path, "good")
    written(tmp_path, "bad", "[bot]")
    (tmp_path / "routes.toml").write_text('[[route]]\ndefault = true\nbot = "bad"')
    loaded = load_bots(tmp_path, DEFAULTS)
    assert list(loaded.bots) == list(loaded.files) == ["good"]
    assert {each.file for each in loaded.faults} == {f"{tmp_path}/bad/bot.toml"}
    assert len(loaded.routes.routes) == 1


def test_what_raises_when_a_bot_is_made_is_its_fault_and_stops_no_other(tmp_path: Path) -> None:
    def secret(name: str) -> str:
        raise ZeroDivisionError

    written(tmp_path, "good")
    written(tmp_path, "bad", TOML, **TASKS)
    loaded = load_bots(tmp_path, replace(DEFAULTS, tools=ToolHost(HostGuard(), secret)))
    assert list(loaded.bots) == ["good"]
    assert [each.message for each in loaded.faults] == ["a task cannot be made: ZeroDivisionError: "]


def test_faults_of_bots_and_routes_are_told_together(tmp_path: Path) -> None:
    written(tmp_path, "bad", "[bot]")
    (tmp_path / "routes.toml").write_text('[[route]]\ndefault = true\nbot = "nobody"')
    assert [Path(each.file).name for each in load_bots(tmp_path, DEFAULTS).faults] == [
        "bot.toml",
        "bot.toml",
        "routes.toml",
    ]


def test_routes_are_a_file_of_the_folder_as_what_belongs_to_a_bot(tmp_path: Path) -> None:
    root = tmp_path / "bots"
    written(root, "good")
    routes, elsewhere = root / "routes.toml", tmp_path / "elsewhere.toml"
    elsewhere.write_text('[[route]]\ndefault = true\nbot = "good"')
    routes.symlink_to(elsewhere)
    told = f"{routes}: is a link that leads out of the folder of the bots; copy what it leads to"
    assert [str(each) for each in load_bots(root, DEFAULTS).faults] == [told]

    routes.unlink()
    (root / "..data").mkdir()  # as a ConfigMap is mounted
    elsewhere.rename(root / "..data" / "routes.toml")
    routes.symlink_to("..data/routes.toml")
    loaded = load_bots(root, DEFAULTS)
    assert (loaded.faults, len(loaded.routes.routes)) == ((), 1)

    routes.unlink()
    os.mkfifo(routes)  # who opens it waits until somebody writes
    assert [str(each) for each in load_bots(root, DEFAULTS).faults] == [
        f"{routes}: is no file; write one, or take it away"
    ]


def test_a_folder_without_a_bot_and_one_that_is_not_there_are_told(tmp_path: Path) -> None:
    assert "tieline bots new NAME" in str(load_bots(tmp_path, DEFAULTS).faults[0])
    assert "cannot be read: No such file" in str(load_bots(tmp_path / "gone", DEFAULTS).faults[0])


def test_a_bots_own_folder_is_that_bot_alone(tmp_path: Path) -> None:
    assert list(load_bots(written(tmp_path, "good"), DEFAULTS).bots) == ["good"]


def test_the_example_loads_and_answers_every_call() -> None:
    loaded = load_bots(EXAMPLE, DEFAULTS)
    assert not loaded.faults
    assert list(loaded.bots) == ["linden"]


def test_a_new_bot_passes_the_check_and_a_second_one_leaves_what_is_there(tmp_path: Path) -> None:
    root = tmp_path / "bots"
    assert {each.name for each in write_bot(root, "dental-chain")} == {
        "bot.toml", "instructions.md", "bot.schema.json", "routes.schema.json", "task.schema.json", "routes.toml"
    }  # fmt: skip
    (root / "routes.toml").write_text("# mine\n")
    assert {each.name for each in write_bot(root, "other")} == {"bot.toml", "instructions.md"}
    loaded = load_bots(root, DEFAULTS)
    assert not loaded.faults
    assert loaded.bots["dental-chain"].profile.greeting == "Hello, this is Dental Chain. How can I help you?"
    with pytest.raises(ValueError, match="is there already"):
        write_bot(root, "other")
    with pytest.raises(ValueError, match="cannot be a bot's name"):
        write_bot(root, "../other")


def test_two_versions_differ_in_what_callers_notice() -> None:
    task = '[[task]]\nuse = "book_appointment"\nlength_min = {}\n'
    before = BOT + '[hours]\nmon = ["09:00-17:00"]\n' + task.format(15)
    after = (
        BOT.replace("Hello", "Good morning") + '[hours]\nmon = ["09:00-12:00"]\n' + task.format(30)
        + '[transfer]\ndesk = "tel:+492"\n[model]\nvoice = "cedar"\n'
    )  # fmt: skip
    lines = list(difference(*(described(bot(each), files(each)) for each in (before, after))))
    assert lines == [
        "greeting", "  - Hello.", "  + Good morning.",
        "model.voice", "  - marin", "  + cedar",
        "hours.mon", "  - 09:00-17:00", "  + 09:00-12:00",
        "transfer.desk", "  - tel:+491", "  + tel:+492",
        "task.book_appointment", "  - length_min = 15", "  + length_min = 30",
    ]  # fmt: skip


def test_equal_versions_do_not_differ() -> None:
    assert list(difference(*[described(bot(), files())] * 2)) == []


TASK = """\
[task]
name = "parking"
description = "The caller wants a parking space."
[slot.at]
type = "time"
ask = "At what time?"
[flow]
collect = ["at"]
confirm = "At {at}. Is that right?"
done = { say = "Kept." }
[effect]
tool = "crm.park"
"""


def test_the_keys_of_a_tool_are_shown_and_compared() -> None:
    def told(url: str) -> dict[str, str]:
        toml = (
            f'{BOT}[[task]]\nfile = "parking.toml"\n'
            f'[tool.crm.park]\nurl = "{url}"\nbody = {{ at = "{{at:iso}}" }}\nidempotent = true\n'
        )
        return described(bot(toml, parking_dot_toml=TASK), files(toml))

    before = told("https://one.example/")
    assert before["tool.crm.park.body"] == "at = {at:iso}"
    assert before["tool.crm.park.idempotent"] == "true"
    assert list(difference(before, told("https://two.example/"))) == [
        "tool.crm.park.url", "  - https://one.example/", "  + https://two.example/"
    ]  # fmt: skip
