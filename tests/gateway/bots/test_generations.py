"""Generations of bots: a changed folder is taken whole, once it is still, and never at the cost of a good bot."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from actors.bots import Arrival, Bot
from gateway.bots.faults import BotFault, BotFaults
from gateway.bots.files import BotFiles
from gateway.bots.generations import Generations
from gateway.bots.routes import Route, Routes
from store.bot_versions import BotVersions
from tests.actors.bots import a_bot
from tests.actors.tasks.oven import database_lost
from tests.counted import counted

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def build(files: BotFiles) -> Bot:
    """A bot from its file's words; "bad" makes none, and "crash" is a task that raises."""
    words = files.contents["bot.toml"].decode()
    if "bad" in words:
        raise BotFaults([BotFault(files.path("bot.toml"), 14, "hours.mon", "12:30 is before 14:00")])
    if "crash" in words:
        raise ZeroDivisionError
    return a_bot(files.name, files.digest)


def read_routes(root: Path, names: Collection[str]) -> Routes:
    """A line "PATH NAME" a route."""
    file = root / "routes.toml"
    if not file.exists():
        return Routes()
    pairs = [line.split() for line in file.read_text().splitlines()]
    if wrong := [name for _, name in pairs if name not in names]:
        raise BotFaults([BotFault("routes.toml", 1, "", f"no {name}") for name in wrong])
    return Routes(tuple(Route({name: 1.0}, path=path) for path, name in pairs))


class Folder:
    """A folder of bots, and a process that looks at it."""

    def __init__(self, root: Path, engine: Engine) -> None:
        self.root, self.engine, self.now = root, engine, AT
        self.built: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None  # happens once, while a bot is built
        self.bots = self.process()

    def process(self) -> Generations:
        def counting(files: BotFiles) -> Bot:
            self.built.append(files.name)
            self.meanwhile, happens = lambda: None, self.meanwhile
            happens()
            return build(files)

        return Generations(self.root, counting, read_routes, lambda: self.now)

    def starts(self) -> None:
        self.bots.start()
        self.bots.store_in(BotVersions(self.engine))

    def writes(self, name: str, words: str = "one", file: str = "bot.toml") -> None:
        path = self.root / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)

    def looks(self, times: int = 2) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=2)
            self.bots.look()

    def digest(self, name: str = "linden") -> str:
        bot = self.bots.present(name)
        return "" if bot is None else bot.digest

    def faults(self, name: str = "linden") -> list[str]:
        return [str(each) for each in self.bots.generation.states[name].faults]

    def called(self, path: str = "/") -> Bot | None:
        return self.bots.choose(Arrival(path, "", "", "", "c-1"))


@pytest.fixture
def folder(tmp_path: Path, engine: Engine) -> Folder:
    made = Folder(tmp_path / "bots", engine)
    made.writes("linden")
    made.writes("dental")
    made.starts()
    return made


def test_what_has_changed_is_taken_once_two_looks_in_a_row_see_the_same(folder: Folder) -> None:
    first = folder.digest()
    folder.writes("linden", "two")
    folder.looks(1)
    assert folder.digest() == first
    folder.writes("linden", "three")
    folder.looks(1)
    assert folder.digest() == first, "somebody is still writing"
    folder.looks(1)
    assert folder.digest() not in ("", first)
    state = folder.bots.generation.states["linden"]
    assert (state.digest, state.since) == (folder.digest(), folder.now)
    assert folder.built == ["dental", "linden", "linden"]


def test_what_has_not_changed_is_not_built_again(folder: Folder) -> None:
    folder.looks(5)
    folder.writes("linden", "one")  # the same again
    folder.looks(5)
    assert folder.built == ["dental", "linden"]
    assert folder.bots.generation.states["linden"].since == AT


def test_wrong_files_keep_the_last_good_version_and_are_told_once(folder: Folder, log_lines: list[str]) -> None:
    first, refused = folder.digest(), counted("tieline_bot_reloads_total", outcome="refused")
    folder.writes("linden", "bad")
    folder.writes("dental", "two")
    before = folder.digest("dental")
    folder.looks(4)
    assert (folder.digest(), folder.digest("dental") != before) == (first, True)
    assert folder.faults()[0].endswith("linden/bot.toml:14: hours.mon: 12:30 is before 14:00")
    assert counted("tieline_bot_faults", bot="linden") == 1
    assert counted("tieline_bot_reloads_total", outcome="refused") - refused == 1
    assert len([line for line in log_lines if "files of a bot are wrong" in line]) == 1
    folder.writes("linden", "better")
    folder.looks()
    assert (folder.faults(), counted("tieline_bot_faults", bot="linden")) == ([], 0)
    assert folder.digest() != first


def test_wrong_files_that_are_put_back_are_no_fault_any_more(folder: Folder) -> None:
    first = folder.digest()
    folder.writes("linden", "bad")
    folder.looks()
    folder.writes("linden", "one")
    folder.looks()
    assert (folder.digest(), folder.faults(), folder.built.count("linden")) == (first, [], 2)


def test_files_that_change_while_they_are_read_are_no_fault(folder: Folder) -> None:
    folder.writes("linden", "bad")
    folder.looks(1)
    folder.meanwhile = lambda: folder.writes("linden", "two, longer")
    folder.looks(1)
    assert (folder.faults(), folder.built.count("linden")) == ([], 2)
    folder.looks()
    assert (folder.faults(), folder.built.count("linden")) == ([], 3)


def test_a_task_that_raises_when_it_is_made_is_a_fault_of_its_bot(folder: Folder) -> None:
    folder.writes("linden", "crash")
    folder.looks()
    assert folder.faults()[0].endswith("bot.toml: a task cannot be made: ZeroDivisionError: ")
    assert folder.digest()


def test_the_store_is_told_every_day_which_versions_are_in_use(folder: Folder) -> None:
    versions = BotVersions(folder.engine)
    folder.looks(1)
    folder.now += timedelta(days=90)
    assert len(list(versions.prune(folder.now - timedelta(days=1), dry_run=True))) == 2
    with database_lost(folder.engine):
        folder.looks(1)
    folder.looks(1)
    assert list(versions.prune(folder.now - timedelta(days=1))) == []


def test_a_bot_whose_folder_is_gone_takes_no_new_calls_and_keeps_its_live_ones(folder: Folder) -> None:
    live = folder.called("/bots/linden")
    assert live is not None
    (folder.root / "linden" / "bot.toml").unlink()
    folder.looks(1)
    assert folder.called("/bots/linden") is live, "a file may be in the middle of being replaced"
    folder.looks(1)
    assert folder.called("/bots/linden") is None
    assert folder.bots.version("linden", live.digest) is live
    folder.writes("linden", "one")
    folder.looks()
    assert folder.called("/bots/linden") is live


def test_a_bot_that_has_only_lost_its_bot_toml_keeps_its_last_version(folder: Folder) -> None:
    folder.writes("linden", "Be kind.", "instructions.md")
    folder.looks()
    before = folder.digest()
    (folder.root / "linden" / "bot.toml").rename(folder.root / "linden" / "bot.tml")
    folder.looks()
    assert folder.digest() == before
    assert "there is no bot.toml in it" in folder.faults()[0]


def test_a_mounted_folder_whose_link_is_swapped_is_taken(tmp_path: Path, engine: Engine) -> None:
    linden = tmp_path / "bots" / "linden"
    for number in ("1", "2"):
        (linden / f"..{number}").mkdir(parents=True)
        (linden / f"..{number}" / "bot.toml").write_text(f"version {number}")
    (linden / "..data").symlink_to("..1")
    (linden / "bot.toml").symlink_to("..data/bot.toml")
    folder = Folder(tmp_path / "bots", engine)
    folder.starts()
    first = folder.digest()
    (linden / "..new").symlink_to("..2")
    (linden / "..new").rename(linden / "..data")
    folder.looks()
    assert folder.digest() not in ("", first)


def test_a_version_is_dropped_from_memory_with_its_last_call(folder: Folder) -> None:
    live = folder.called("/bots/linden")
    assert live is not None
    first = live.digest
    folder.writes("linden", "two")
    folder.looks()
    assert folder.bots.version("linden", first) is live
    built = folder.built.count("linden")
    del live
    gc.collect()
    again = folder.bots.version("linden", first)
    assert again is not None
    assert (again.digest, folder.built.count("linden")) == (first, built + 1), "made again of what is stored"


def test_another_process_makes_a_version_that_it_has_no_files_of(folder: Folder, engine: Engine) -> None:
    first = folder.digest()
    folder.writes("linden", "two")
    other = folder.process()
    other.start()
    assert other.version("linden", first) is None, "its store is not open yet"
    other.store_in(BotVersions(engine))
    there = other.present("linden")
    assert there is not None
    assert there.digest != first
    back = other.version("linden", first)
    assert back is not None
    assert (back.name, back.digest) == ("linden", first)


def test_a_version_that_nobody_has_stored_or_that_makes_no_bot_any_more_is_none(folder: Folder, engine: Engine) -> None:
    assert folder.bots.version("linden", "0" * 64) is None
    gone = BotFiles("linden", {"bot.toml": b"bad"})
    BotVersions(engine).write("linden", gone.digest, gone.contents, AT)
    assert folder.bots.version("linden", gone.digest) is None
    BotVersions(engine).write("linden", "f" * 64, {"bot.toml": b"other files than it says"}, AT)
    assert folder.bots.version("linden", "f" * 64) is None


def test_a_version_takes_no_calls_before_it_is_stored(folder: Folder, engine: Engine) -> None:
    first = folder.digest()
    folder.writes("linden", "two")
    with database_lost(engine):
        folder.looks(3)
        assert folder.digest() == first
    folder.looks(1)
    assert folder.digest() != first
    assert BotVersions(engine).files("linden", folder.digest()) == {"bot.toml": b"two"}


def test_at_the_start_the_good_bots_serve_beside_a_bad_one(tmp_path: Path, engine: Engine) -> None:
    folder = Folder(tmp_path, engine)
    folder.writes("linden", "bad")
    folder.writes("dental")
    folder.starts()
    assert (folder.digest(), bool(folder.digest("dental"))) == ("", True)
    assert folder.called("/bots/linden") is None
    assert folder.called("/") is None, "what was meant for one bot is not answered by another"
    folder.writes("linden", "good")
    folder.looks()
    assert folder.digest()


@pytest.mark.parametrize(
    ("written", "fault"), [({"linden": "bad"}, "bot.toml:14"), ({}, "no bot in it")], ids=["all are bad", "none"]
)
def test_a_process_without_a_good_bot_does_not_start(
    tmp_path: Path, engine: Engine, written: dict[str, str], fault: str
) -> None:
    folder = Folder(tmp_path, engine)
    for name, words in written.items():
        folder.writes(name, words)
    with pytest.raises(BotFaults, match=fault):
        folder.bots.start()


def test_a_process_without_a_folder_does_not_start(tmp_path: Path, engine: Engine) -> None:
    with pytest.raises(BotFaults, match="cannot be read"):
        Folder(tmp_path / "nowhere", engine).bots.start()


def test_the_folder_of_one_bot_is_that_bot_for_every_call(tmp_path: Path, engine: Engine) -> None:
    folder = Folder(tmp_path / "linden", engine)
    folder.writes("")
    folder.starts()
    assert folder.called("/anything") is folder.bots.present("linden")
    assert folder.digest()
    (folder.root / "bot.toml").unlink()
    folder.looks()
    assert folder.digest(), "its folder is still there"
    assert "there is no bot.toml in it" in folder.faults()[0]


def test_a_folder_that_cannot_be_read_leaves_the_bots_as_they_are(folder: Folder, log_lines: list[str]) -> None:
    folder.root.rename(folder.root.with_name("elsewhere"))
    folder.looks(3)
    assert folder.digest()
    assert len([line for line in log_lines if "cannot be read" in line]) == 1


def test_routes_are_taken_as_bots_are(folder: Folder, log_lines: list[str]) -> None:
    assert folder.called("/") is None
    (folder.root / "routes.toml").write_text("/ linden")
    folder.looks(1)
    assert folder.called("/") is None
    folder.looks(1)
    answering = folder.called("/")
    assert answering is not None
    (folder.root / "routes.toml").write_text("/ nobody")
    folder.looks()
    assert folder.called("/") is answering
    assert folder.faults("routes.toml") == ["routes.toml:1: no nobody"]
    assert "routes of before: 1" in "\n".join(log_lines)


def test_a_split_keeps_each_caller_with_one_bot_at_every_process_and_through_reloads(folder: Folder) -> None:
    def split(root: Path, names: Collection[str]) -> Routes:
        return Routes((Route({"linden": 0.7, "dental": 0.3}),))

    here, there = (Generations(folder.root, build, split, lambda: AT) for _ in range(2))
    here.start()
    there.start()
    callers = [Arrival("/", "", "", f"+4930{number}", f"c-{number}") for number in range(300)]
    before = [bot and bot.name for bot in map(here.choose, callers)]
    folder.writes("linden", "two")
    for _ in range(2):
        here.look()
    assert [bot and bot.name for bot in map(here.choose, callers)] == before
    assert [bot and bot.name for bot in map(there.choose, callers)] == before
    assert 0.6 < before.count("linden") / len(before) < 0.8


def test_a_route_to_a_new_bot_may_be_written_before_it(folder: Folder) -> None:
    (folder.root / "routes.toml").write_text("/ urgent")
    folder.looks()
    folder.writes("urgent")
    folder.looks()
    answering = folder.called("/")
    assert answering is not None
    assert (answering.name, folder.faults("routes.toml")) == ("urgent", [])


def test_the_version_that_takes_calls_is_a_metric(folder: Folder) -> None:
    first = folder.digest()
    assert counted("tieline_bot_info", bot="linden", digest=first) == 1
    folder.writes("linden", "two")
    folder.looks()
    assert counted("tieline_bot_info", bot="linden", digest=first) == 0
    assert counted("tieline_bot_info", bot="linden", digest=folder.digest()) == 1
