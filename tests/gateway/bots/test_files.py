"""A bot's folder: what counts, and the digest of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.bots.faults import BotFaults
from gateway.bots.files import MOST_FILES, BotFiles, bot_folders, digest_of, read_folder
from tests.gateway.bots.folders import written


def test_the_digest_is_of_names_and_contents_and_of_nothing_else() -> None:
    one = digest_of({"a": b"1", "b": b"2"})
    assert one == digest_of({"b": b"2", "a": b"1"})
    assert len({one, digest_of({"a": b"12", "b": b""}), digest_of({"a": b"1", "c": b"2"}), digest_of({"a": b"1"})}) == 4
    assert BotFiles("x", {"a": b"1", "b": b"2"}).digest == one


def test_what_editors_leave_behind_is_no_part_of_a_bot(tmp_path: Path) -> None:
    folder = written(tmp_path, "linden", instructions_dot_md="Be kind.", tasks__a_dot_toml="x = 1")
    before = read_folder(folder)
    assert sorted(before.contents) == ["bot.toml", "instructions.md", "tasks/a.toml"]
    for name in (".bot.toml.swp", "bot.toml~", "#bot.toml#", "x.bak", ".git/config", "__pycache__/x.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("left behind")
    assert read_folder(folder).digest == before.digest


def test_a_mounted_config_map_is_read_through_its_links(tmp_path: Path) -> None:
    inside = written(tmp_path / "linden", "..2026_11_30")
    (tmp_path / "linden" / "..data").symlink_to(inside.name)
    (tmp_path / "linden" / "bot.toml").symlink_to("..data/bot.toml")
    assert [each.name for each in bot_folders(tmp_path)] == ["linden"]
    assert read_folder(tmp_path / "linden").digest == read_folder(written(tmp_path / "b", "linden")).digest


def test_links_that_lead_round_and_pipes_are_left_alone(tmp_path: Path) -> None:
    folder = written(tmp_path, "linden")
    (folder / "round").symlink_to(".")
    os.mkfifo(folder / "pipe")
    assert list(read_folder(folder).contents) == ["bot.toml"]


@pytest.mark.parametrize("link", ["instructions.md", "tasks", "tasks/a.toml"])
def test_a_link_that_leads_out_of_the_bots_is_refused(tmp_path: Path, link: str) -> None:
    """What it leads to would be told to the model, and kept as a part of the version."""
    secret = tmp_path / "secrets" / "key"
    secret.parent.mkdir()
    secret.write_text("sk-1")
    root = tmp_path / "bots"
    folder = written(root, "linden")
    shared = written(root, "shared") / "bot.toml"
    (folder / link).parent.mkdir(exist_ok=True)
    (folder / link).symlink_to(secret.parent if link == "tasks" else secret)
    with pytest.raises(BotFaults, match=f"linden/{link}: is a link that leads out"):
        read_folder(folder, root)
    (folder / link).unlink()
    (folder / link).symlink_to(shared.parent if link == "tasks" else shared)
    assert len(read_folder(folder, root).contents) == 2
    with pytest.raises(BotFaults, match="leads out"):
        read_folder(folder)  # the only bot
    (folder / link).unlink()
    (tmp_path / "elsewhere").symlink_to(folder)
    assert list(read_folder(tmp_path / "elsewhere").contents) == ["bot.toml"], "the folder itself may be a link"


def test_a_link_that_leads_to_itself_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, "linden")
    (folder / "a.wav").symlink_to("a.wav")
    with pytest.raises(BotFaults, match=r"a\.wav: cannot be read"):
        read_folder(folder)


def test_a_link_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path, "linden")
    (folder / "clips").symlink_to("gone")
    with pytest.raises(BotFaults, match="linden/clips: cannot be read"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"a.wav": 5_000, "b.wav": 5_000}, "linden: the folder holds more than 8 MB"),
        ({"film.mp4": 33_000}, "linden/film.mp4: is longer than 8192 KB"),
        ({"instructions.md": 101}, "linden/instructions.md: is longer than 100 KB"),
        ({"NOTES.TXT": 101}, "linden/NOTES.TXT: is longer than 100 KB"),
        ({"task.toml": 257}, "linden/task.toml: is longer than 256 KB"),
    ],
)
def test_files_that_are_too_large_are_refused(sizes: dict[str, int], told: str, tmp_path: Path) -> None:
    folder = written(tmp_path, "linden")
    for name, kb in sizes.items():
        with (folder / name).open("wb") as file:
            file.truncate(kb * 1024)
    with pytest.raises(BotFaults, match=told):
        read_folder(folder)


def test_more_files_than_any_bot_has_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, "linden")
    for number in range(MOST_FILES):
        (folder / f"{number}.txt").touch()
    with pytest.raises(BotFaults, match="linden: the folder holds more than 1000 files"):
        read_folder(folder)


def test_a_folder_may_be_a_variant_and_its_name_goes_into_a_url(tmp_path: Path) -> None:
    assert read_folder(written(tmp_path, "linden@staging")).name == "linden@staging"
    with pytest.raises(BotFaults, match="cannot be a bot's name"):
        read_folder(written(tmp_path, "lin den"))


def test_what_holds_nothing_of_a_bot_is_none(tmp_path: Path) -> None:
    written(tmp_path, "linden")
    (tmp_path / "notes").mkdir()
    (tmp_path / "routes.toml").touch()
    written(tmp_path, ".hidden")
    assert [each.name for each in bot_folders(tmp_path)] == ["linden"]


@pytest.mark.parametrize("spoil", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere"), lambda path: None])
def test_a_bot_without_a_file_bot_toml_is_told_as_such(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = written(tmp_path, "linden", tasks__x_dot_toml="")
    (folder / "bot.toml").unlink()
    spoil(folder / "bot.toml")
    assert bot_folders(tmp_path) == [folder]
    with pytest.raises(BotFaults, match=r"there is no bot.toml in it; write one|the link leads nowhere"):
        read_folder(folder)
