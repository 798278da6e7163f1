"""The command line: what it prints and how it ends; `serve` and `call` as real processes."""

from __future__ import annotations

import asyncio
import configparser
import importlib
import io
import json
import os
import re
import signal
import socket as sockets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlalchemy import Engine, text
from websockets.asyncio.client import connect

import run
from gateway.commands.console import FAILED, WRONG_SETTING, err, out
from gateway.log_writer import WRITER
from gateway.settings import Settings, variable_of
from store import effect_log, package_tables
from store.bot_versions import BotVersions
from store.database import open_database
from store.effect_log import LoggedEffect
from store.journal import Journal
from store.leases import Leases
from store.migration import known_revisions
from store.outbox import Letter, Outbox
from tests.commands import command
from tests.gateway.bots.folders import BOT, written
from tests.gateway.daemons import Vaic, logs_put_back
from tests.mortal import mortal
from tests.store.postgres import PostgresServer

ROOT = Path(__file__).parents[1]
# Only ends what hangs: a machine may be busy with other things.
LIMIT_S = 300
KEY, TOKEN, PASSWORD = "sk-0123456789abcdef", "s3cret-token-of-ours", "s3cret-password"
# A model that nobody serves, on this machine: no key is needed for it.
NO_MODEL = "ws://127.0.0.1:1"
SERVING = re.compile(r"gateway\.daemon: serving  vaic=(ws://\S+) ops=(http://\S+) model=")


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    with logs_put_back():
        yield


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without a developer's own settings."""
    for name in list(os.environ):
        if name.startswith(("TIELINE_", "OPENAI_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def wide(env: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The same, on a console with lines as wide as they come."""
    for console in (out, err):
        env.setattr(console, "_width", 240)
    return env


def logged_command(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[object, str, str]:
    """A command in this process: its exit code, and what it wrote, with the lines of its log."""
    with pytest.raises(SystemExit) as ended:
        run.app(list(args))
    WRITER.flush(LIMIT_S)
    return ended.value.code, *capsys.readouterr()


def given(env: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        env.setenv(name, value)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a process of ours is given: its store in a folder, lines as wide as they come."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TIELINE_", "OPENAI_"))}
    ours = {"TIELINE_OPENAI_URL": NO_MODEL, "TIELINE_DATABASE_URL": f"sqlite:///{folder}/t.sqlite3", "COLUMNS": "240"}
    return clean | ours | more


def finished(*args: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own, when it has ended."""
    line = mortal([sys.executable, str(ROOT / "run.py"), *args])
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def complaint(stderr: str) -> str:
    """What a command says is wrong: lines of the log, which a thread writes, stand before or after it."""
    (line,) = [line for line in stderr.splitlines() if line.startswith("wrong ")]
    return line


class Serving:
    """A `serve` that takes calls. told: what it wrote until then."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.told = ""
        assert process.stderr is not None
        while not (found := SERVING.search(self.told)):
            line = process.stderr.readline()
            assert line, f"serve ended with {process.wait()}: {self.told}"
            self.told += line
        self.vaic_url, self.ops_url = found[1], found[2]

    def ended(self) -> tuple[int, str]:
        """Exit code, and what it wrote on its way out."""
        _, rest = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, rest


@contextmanager
def served(env: Mapping[str, str]) -> Iterator[Serving]:
    line = mortal([sys.executable, str(ROOT / "run.py"), "serve", "--port", "0", "--ops-port", "0"])
    with subprocess.Popen(line, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Serving(process)
        finally:
            process.kill()


# --- db ---

LAST = known_revisions()[-1]


@pytest.fixture
def store(tmp_path: Path, env: pytest.MonkeyPatch) -> str:
    """The URL of a database that is not there yet."""
    url = f"sqlite:///{tmp_path}/store.sqlite3"
    env.setenv("TIELINE_DATABASE_URL", url)
    return url


def db(*args: str) -> tuple[int, str]:
    """A command about the database: its exit code, and what it has printed."""
    result = command("db", *args)
    return result.exit_code, result.output


def test_what_the_terminal_has_no_character_for_is_shown_by_its_code(env: pytest.MonkeyPatch) -> None:
    env.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    env.setattr(sys, "argv", ["tieline", "\u2192"])
    with pytest.raises(SystemExit) as ended:
        run.main()
    sys.stderr.seek(0)
    assert (ended.value.code, "\\u2192" in sys.stderr.read()) == (WRONG_SETTING, True)


def test_of_postgresql_the_line_that_backs_it_up_can_be_run(
    env: pytest.MonkeyPatch, postgres: PostgresServer, postgres_url: str, tmp_path: Path
) -> None:
    url = postgres_url.replace("tieline@", f"tieline:{PASSWORD}@") + "&application_name=backup"
    env.setenv("TIELINE_DATABASE_URL", url)
    code, told = db("backup", str(tmp_path / "the copy"))
    line = re.search(r"own means: (pg_dump .*); keys of encryption", told)
    assert (code, line is not None, PASSWORD in told, "*" in told) == (FAILED, True, False, False), told
    assert line is not None
    path = f"{postgres.programs}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", line[1]], check=True, env=os.environ | {"PATH": path, "PGPASSWORD": PASSWORD})
    assert (tmp_path / "the copy").read_bytes().startswith(b"PGDMP")


def test_the_tables_are_shown_upgraded_and_downgraded(store: str) -> None:
    code, told = db("upgrade")
    assert code == 0
    assert told.startswith(f"{store}  revision none, here {LAST}\n  to be added: 0001 Appointments")
    assert told.endswith("upgraded\n")
    assert db("upgrade") == db("status") == (0, f"{store}  revision {LAST}, here {LAST}\nup to date\n")
    code, told = db("downgrade", "0006")
    assert (code, "taken away, with what is in it: 0007 How many" in told, "--yes" in told) == (1, True, True)
    assert db("status")[1].endswith("up to date\n")
    assert db("downgrade", "0006", "--yes") == (0, f"{store}  {LAST}, now 0006\n")
    code, told = db("status")
    assert (code, "to be added: 0007 How many calls" in told) == (0, True)
    assert db("status") == (0, told), "which adds nothing"


def test_tables_are_not_shown_where_there_are_none(store: str) -> None:
    for args in (("status",), ("downgrade", "0001")):
        code, told = db(*args)
        assert code == 2
        assert "there is no such file" in told


def test_versions_of_bots_that_are_not_used_are_shown_and_deleted(store: str) -> None:
    assert db("prune-bots")[0] == 2, "there is no database"
    assert db("upgrade")[0] == 0
    engine = open_database(store)
    now = datetime.now(UTC)
    for digest, days in (("0123456789abcdef", 91), ("fedcba", 89)):
        BotVersions(engine).write("linden", digest, {}, now - timedelta(days=days))
    engine.dispose()
    assert db("prune-bots", "--dry-run") == (0, "linden  0123456789ab\n1 versions would be deleted\n")
    assert db("prune-bots") == (0, "linden  0123456789ab\n1 versions deleted\n")
    assert db("prune-bots", "--days", "2") == (0, "linden  fedcba\n1 versions deleted\n")
    assert db("prune-bots", "--days", "1")[0] == 2


def test_the_database_is_backed_up_once_under_a_name(store: str, tmp_path: Path) -> None:
    path = tmp_path / "copy.sqlite3"
    assert db("backup", str(path))[0] == 2, "there is no database"
    assert db("upgrade")[0] == 0
    code, told = db("backup", str(path))
    assert (code, "copied to" in told, path.is_file()) == (0, True, True)
    code, told = db("backup", str(path))
    assert (code, told) == (1, f"not copied {path} exists already\n")
    code, told = db("backup", str(path / "copy"))  # no setting of the daemon's is wrong
    assert (code, told.startswith(f"not copied {path / 'copy'} cannot be written: ")) == (1, True)


def test_tables_are_not_taken_from_under_a_call(store: str) -> None:
    engine = open_database(store)
    leases = Leases(engine, "here")
    leases.open("c-1", "", {})
    code, told = db("downgrade", "0006", "--yes")
    assert code == 1
    assert "1 calls are in progress" in told
    assert db("status")[1].endswith("up to date\n")
    leases.end("c-1", 1)
    assert db("downgrade", "0006", "--yes")[0] == 0
    engine.dispose()


def test_tables_are_not_taken_from_under_a_process_without_calls(store: str) -> None:
    engine = open_database(store)
    leases = Leases(engine, "here")
    leases.show_life()
    code, told = db("downgrade", "0006", "--yes")
    assert (code, "in use by here: stop these processes" in told) == (1, True)
    leases.leave()
    assert db("downgrade", "0006", "--yes")[0] == 0
    engine.dispose()


@pytest.mark.parametrize(
    ("revision", "code", "told"),
    [("0999", 0, "of a later release; this one works with it"), ("1000", 1, "not for this release")],
)
def test_tables_of_another_release_are_told_by_their_major_version(
    store: str, revision: str, code: int, told: str
) -> None:
    engine = open_database(store)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()
    for what in ("status", "upgrade"):
        got = db(what)
        assert (got[0], told in got[1]) == (code, True)
    assert db("downgrade", "0006")[0] == 2


# --- outbox ---


def test_the_outbox_lists_what_has_not_arrived_and_what_was_given_up_is_sent_again_or_dropped(
    tmp_path: Path, env: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/outbox.sqlite3"
    env.setenv("TIELINE_DATABASE_URL", url)
    assert command("outbox").exit_code == 2  # it is not made by asking
    engine = open_database(url)
    Journal(engine).append((), (), [Letter("c-1:after", "c-1", "desk", "d1", "", {})])
    assert "c-1:after  waits  desk" in command("outbox").output
    letters = Outbox(engine)

    def give_up() -> None:
        claimed = letters.claim(letters.due("desk")[0], 60)
        assert claimed is not None
        letters.give_up(claimed, "status 410")

    give_up()
    assert "c-1:after  given up  desk" in command("outbox", "list").output
    assert "status 410" in command("outbox").output
    assert command("outbox", "retry", "c-1:after").exit_code == 0
    assert command("outbox", "drop", "c-1:after").exit_code == 2  # it is not given up any more
    give_up()
    assert command("outbox", "retry").exit_code == 2
    assert command("outbox", "retry", "c-1:after", "--all").exit_code == 2
    assert command("outbox", "retry", "--all").output == "1 are sent again by the daemon\n"
    give_up()
    with engine.begin() as connection:
        connection.execute(text("update outbox set facts = 'garbage'"))
    assert "c-1:after  given up    ?  tries 0\n  its row cannot be read" in command("outbox").output
    assert command("outbox", "drop", "c-1:after").exit_code == 0
    assert command("outbox").output.startswith("Everything has arrived, in sqlite:///")
    engine.dispose()


# --- effects ---


@pytest.mark.parametrize(("decision", "status"), [("done", "ok"), ("undone", "undone")])
def test_a_damaged_effect_is_listed_and_settled(unsettled: Engine, decision: str, status: str) -> None:
    with unsettled.begin() as connection:
        connection.exec_driver_sql("UPDATE effect SET slots = '[1]' WHERE \"key\" = 'c-1:t1:4'")
    listed = command("effects").stdout
    assert "c-1:t1:4  damaged\n" in listed
    assert command("effects", "settle", "c-1:t1:4", "retry").exit_code == 1
    assert command("effects", "settle", "c-1:t1:4", decision).stdout.endswith(f"c-1:t1:4  {status}\n")
    # The log, which other tests may have turned on, names its row.
    assert "c-1:t1:4" not in command("effects").stdout


@pytest.fixture
def unsettled(tmp_path: Path, env: pytest.MonkeyPatch) -> Engine:
    """A store in which a booking is in doubt, and a later one is still being made."""
    url = f"sqlite:///{tmp_path}/effects.sqlite3"
    env.setenv("TIELINE_DATABASE_URL", url)
    env.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    engine = open_database(url)
    for key, at in (("c-1:t1:4", datetime(2026, 8, 1, 9, tzinfo=UTC)), ("c-2:t1:4", datetime.now(UTC))):
        meant = LoggedEffect(key, "clinic.book", "c-1", "t1", "+4930123", {"day": "2026-08-03"}, {}, at)
        with engine.begin() as connection:
            effect_log.intend(connection, meant)
    return engine


def test_effects_need_the_store_and_no_other_setting(unsettled: Engine, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPENAI_URL", "wss://api.example")
    env.setenv("TIELINE_MAX_CALLS", "0")
    assert command("check").exit_code == 2
    result = command("effects")
    assert result.exit_code == 0
    assert "c-1:t1:4" in result.output


def test_effects_name_a_wrong_store_and_exit_2(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_DATABASE_URL", "nonsense")
    result = command("effects")
    assert result.exit_code == 2
    assert result.stderr.startswith("wrong setting TIELINE_DATABASE_URL: ")


def test_effects_of_a_store_that_is_not_there_are_not_said_to_be_settled(
    tmp_path: Path, env: pytest.MonkeyPatch
) -> None:
    env.setenv("TIELINE_DATABASE_URL", f"sqlite:///{tmp_path}/other.sqlite3")
    result = command("effects")
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr
    assert not (tmp_path / "other.sqlite3").exists()


def test_fleet_lists_the_processes_of_the_store(store: str) -> None:
    engine = open_database(store)
    facts: dict[str, Any] = {"release": "1.2", "started_at": "2026-11-30T20:00", "max_calls": 10}
    facts |= {"ops": "http://10.0.0.1:8060", "bots": {"linden": "0123456789abcdef"}}
    leases = Leases(engine, "here", facts=lambda: facts)
    leases.show_life()
    leases.open("c-1", "", {})
    assert command("fleet").output == (
        "here  serves  1 of 10 calls  1.2  since 2026-11-30T20:00Z  http://10.0.0.1:8060  linden 01234567\n"
        "1 process, 1 call, room for 9 more\n"
    )
    told = json.loads(command("fleet", "--json").output)
    assert (told["node"], told["lives"], told["calls"], told["max_calls"]) == ("here", True, 1, 10)
    facts["not_ready"] = "the model refuses every call"
    leases.show_life()
    closed, sums = command("fleet").output.splitlines()
    assert closed.startswith("here  wants no calls: the model refuses every call  1 of 10 calls")
    assert sums == "1 process, 1 call, room for 0 more"
    facts["leaving"] = True
    leases.show_life()
    assert "here  leaving  1 of 10 calls" in command("fleet").output
    engine.dispose()


def test_effects_lists_what_is_unsettled_and_settle_settles_it(unsettled: Engine) -> None:
    for listed in (command("effects"), command("effects", "list")):
        assert "c-1:t1:4  intended  clinic.book  2026-08-01 09:00 UTC" in listed.output
        assert "caller +49…23; day=2026-08-03" in listed.output
        assert "c-2:t1:4" not in listed.output, "it is being carried out"
    assert "caller +4930123; day=2026-08-03" in command("effects", "--unmasked").output
    assert command("effects", "settle", "c-1:t1:4", "done").output == "c-1:t1:4  ok\n"
    assert command("effects").output.startswith("No effect is unsettled in sqlite:///")


@pytest.mark.parametrize(
    ("key", "decision", "code", "told"),
    [
        ("c-9:t1:4", "done", 2, "c-9:t1:4: no unsettled effect has this key"),
        ("c-2:t1:4", "undone", 2, "c-2:t1:4: no unsettled effect has this key"),
        ("c-1:t1:4", "perhaps", 2, "perhaps"),
        ("c-1:t1:4", "retry", 1, "clinic.book is not an effect that can be carried out again"),
    ],
)
def test_an_effect_that_cannot_be_settled_is_reported_and_unchanged(
    unsettled: Engine, key: str, decision: str, code: int, told: str
) -> None:
    result = command("effects", "settle", key, decision)
    assert (result.exit_code, told in result.output) == (code, True), result.output
    assert "c-1:t1:4  intended" in command("effects").output


# --- help ---


@pytest.mark.parametrize("args", [["--help"], []], ids=["asked for", "nothing said"])
def test_help_lists_the_commands(args: list[str]) -> None:
    told = command(*args).output
    for name in ("serve", "check", "engine", "call", "demo"):
        assert re.search(rf"^\W*{name}\s+\w", told, re.MULTILINE), told
    assert ".[lab]" in told


def packaging() -> configparser.ConfigParser:
    read = configparser.ConfigParser()
    read.read(ROOT / "setup.cfg")
    return read


def test_the_version_is_the_one_in_setup_cfg() -> None:
    result = command("--version")
    assert result.exit_code == 0
    assert result.output.startswith(f"tieline {packaging()['metadata']['version']}, Python 3.")


def test_the_console_command_is_the_command_line() -> None:
    name, _, target = packaging()["options.entry_points"]["console_scripts"].strip().partition(" = ")
    module, _, function = target.partition(":")
    assert name == "tieline"
    assert getattr(importlib.import_module(module), function) is run.main


@pytest.mark.parametrize("name", ["demo", "engine"])
def test_without_the_lab_extra_its_commands_say_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "text_to_num", None)  # as if it were not there
    result = command(name)
    assert result.exit_code == WRONG_SETTING
    assert "pip install 'tieline[lab]'" in result.output


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("serve", ["--port", "--ops-port", "--host"]),
        ("check", ["--offline"]),
        ("engine", ["--port", "--host", "--fault", "--script"]),
        ("call", ["--to", "--token", "--say", "--out", "--json", "--ops", "--format", "--speed", "--language"]),
        ("demo", ["--json", "--out"]),
        ("effects", ["settle", "list"]),
        ("db", ["status", "upgrade", "downgrade", "prune-bots", "backup"]),
    ],
)
def test_each_command_lists_its_options(name: str, options: list[str]) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    for option in options:
        assert re.search(rf"{option}\b", result.output)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            '[[rule]]\nheard = "a"\nsay = "b"\n\n[[rule]]\nheard = "("\nsays = "b"\n',
            ["6: rule[2].heard: is no reg", "7: rule[2].says: "],
        ),
        ('default = "Hm."\n[[rule]]\nheard = "a"\n', ["2: rule[1]: says and calls nothing"]),
        ('language = "xx"\nheard = []\n', ["1: language: eSpeak NG speaks no 'xx'"]),
        ('language = "de"\n', ["1: the laboratory's ears know no language"]),
        ('[[rule]]\nheard = "a\n', ["2: "]),
        (None, [" cannot be read: No such file"]),
    ],
)
def test_what_is_wrong_with_a_script_is_told_with_its_line(
    text: str | None, faults: list[str], tmp_path: Path, wide: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "script.toml"
    if text is not None:
        file.write_text(text)
    result = command("engine", "--script", str(file))
    assert result.exit_code == WRONG_SETTING
    lines = result.output.splitlines()
    assert [line.startswith(f"wrong {file}:{told}") for line, told in zip(lines, faults, strict=True)] == [True] * len(
        lines
    ), lines


def test_an_unknown_command_is_refused() -> None:
    result = command("listen")
    assert result.exit_code == 2
    assert "listen" in result.stderr


@pytest.mark.parametrize(
    ("args", "spread"),
    [
        (["call", "--say", "a.wav", "b.wav", "--out", "c.wav"],
         ["call", "--say", "a.wav", "--say", "b.wav", "--out", "c.wav"]),
        (["call", "--say", "a.wav", "--say", "b.wav"], ["call", "--say", "a.wav", "--say", "b.wav"]),
        (["call", "--to", "ws://x", "--say", "wait:5"], ["call", "--to", "ws://x", "--say", "wait:5"]),
        (["call", "--say"], ["call"]),
        (["serve"], ["serve"]),
    ],
)  # fmt: skip
def test_say_takes_several_values(args: list[str], spread: list[str]) -> None:
    assert run.spread(args) == spread


# --- check ---


def test_check_prints_every_setting_in_force_and_hides_the_secrets(tmp_path: Path) -> None:
    # As a process of its own; what else `check` says is asked of it in this one.
    env = environment(
        tmp_path,
        OPENAI_API_KEY=KEY,
        TIELINE_VAIC_TOKEN=TOKEN,
        TIELINE_OPENAI_URL=f"wss://[fe80::1]:9443/realtime?sig={PASSWORD}&api-version=1",
        TIELINE_DATABASE_URL=f"postgresql://tieline:{PASSWORD}@db.example/tieline",
        TIELINE_MAX_CALLS="17",
    )
    result = finished("check", "--offline", env=env)
    assert (result.returncode, result.stderr) == (0, "")
    table = {line.split()[0]: line for line in result.stdout.splitlines()[1:]}
    assert set(table) == {variable_of(name) for name in Settings.model_fields}
    assert not [secret for secret in (KEY, TOKEN, PASSWORD) if secret in result.stdout]
    assert " wss://[fe80::1]:9443/realtime?*** " in table["TIELINE_OPENAI_URL"]
    assert " postgresql://tieline:***@db.example/tieline " in table["TIELINE_DATABASE_URL"]
    assert re.search(r" 17 +calls at a time", table["TIELINE_MAX_CALLS"])
    assert re.search(r" 8050 \(default\) +port of the VAIC endpoint", table["TIELINE_PORT"])


def test_check_truncates_nothing_on_a_narrow_terminal(env: pytest.MonkeyPatch) -> None:
    url = "wss://a-rather-long-name-of-a-resource.openai.azure.com/openai/v1/realtime"
    env.setenv("OPENAI_API_KEY", KEY)
    env.setenv("TIELINE_OPENAI_URL", url)
    told = command("check", "--offline").stdout
    assert "…" not in told
    # A long value goes on in its own column.
    (row,) = re.findall(r"^TIELINE_OPENAI_URL .*\n(?: .*\n)*", told, re.MULTILINE)
    begin = row.index("wss:")
    assert "".join(line[begin:].split(" ")[0] for line in row.splitlines()) == url
    for name in Settings.model_fields:
        assert re.search(rf"^{variable_of(name)} ", told, re.MULTILINE)


def test_check_reports_all_wrong_settings_and_exits_2(wide: pytest.MonkeyPatch) -> None:
    wide.setenv("TIELINE_OPENAI_URL", "wss://api.example")
    wide.setenv("TIELINE_HOST", "0.0.0.0")
    wide.setenv("TIELINE_PORT", "eighty")
    wide.setenv("TIELINE_TIME_ZONE", "Mars/Olympus")
    wide.setenv("TIELINE_DATABASE_URL", "nonsense")
    result = command("check")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert not [line for line in lines if not line.startswith("wrong setting ")]
    wrong = {"OPENAI_API_KEY", "TIELINE_VAIC_TOKEN", "TIELINE_PORT", "TIELINE_TIME_ZONE", "TIELINE_DATABASE_URL"}
    assert {line.removeprefix("wrong setting ").partition(":")[0] for line in lines} == wrong
    table = {line.split()[0]: line for line in result.stdout.splitlines()[1:]}
    assert set(table) == {variable_of(name) for name in Settings.model_fields}
    assert {variable for variable, line in table.items() if "wrong, see above" in line} == wrong
    assert result.output.index("wrong setting ") < result.output.index("variable "), "first what is wrong"


def test_check_prints_the_settings_without_a_key_too_and_no_secret_of_a_wrong_one(wide: pytest.MonkeyPatch) -> None:
    wide.setenv("TIELINE_OPENAI_URL", "wss://api.example")
    wide.setenv("TIELINE_VAIC_TOKEN", TOKEN)
    wide.setenv("TIELINE_DATABASE_URL", f"postgresql//tieline:{PASSWORD}@db.example/tieline")
    wide.setenv("TIELINE_MAX_CALLS", "17")
    result = command("check")
    assert result.exit_code == 2
    assert "wrong setting OPENAI_API_KEY: needed for any model that does not run on this machine\n" in result.stderr
    assert re.search(r"^TIELINE_MAX_CALLS +17 +calls at a time", result.stdout, re.MULTILINE)
    assert re.search(r"^TIELINE_PORT +8050 \(default\)", result.stdout, re.MULTILINE)
    assert re.search(r"^TIELINE_VAIC_TOKEN +\*+ ", result.stdout, re.MULTILINE)
    assert not [secret for secret in (TOKEN, PASSWORD) if secret in result.stdout + result.stderr]


def test_check_tells_the_revision_of_the_database_and_writes_nothing(tmp_path: Path, wide: pytest.MonkeyPatch) -> None:
    file, newest = tmp_path / "t #.sqlite3", known_revisions()[-1]
    url = f"sqlite:///{tmp_path}/t %23.sqlite3"
    wide.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    wide.setenv("TIELINE_DATABASE_URL", url)
    result = command("check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"{url} is not there yet: `serve` makes it\n")
    assert not list(tmp_path.iterdir())
    engine = open_database(url)
    told = f"{url}  revision {newest}, here {newest}\n"
    with engine.connect():
        assert len(list(tmp_path.iterdir())) == 3, "it is in use"
        assert command("check").stdout.endswith(told)
        assert len(list(tmp_path.iterdir())) == 3
    engine.dispose()
    before = file.read_bytes()
    file.chmod(0o640)
    result = command("check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(told)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (before, 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_check_tells_what_would_be_added_to_an_empty_database(tmp_path: Path, wide: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.sqlite3").touch()
    wide.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    wide.setenv("TIELINE_DATABASE_URL", f"sqlite:///{tmp_path}/t.sqlite3")
    result = command("check")
    assert result.exit_code == 0
    assert f"revision none, here {known_revisions()[-1]}; `serve` adds {', '.join(known_revisions())}" in result.stdout
    assert not (tmp_path / "t.sqlite3").read_bytes()


def test_check_names_a_database_that_is_none_or_of_another_release_and_exits_2(
    tmp_path: Path, wide: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/other.sqlite3"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9001'"))
    engine.dispose()
    (tmp_path / "text").write_text("no database at all, but a text that is long enough to be looked at. " * 100)
    wide.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    for wrong, why in (
        (url, "another version"),
        (f"sqlite:///{tmp_path}/text", "not a database"),
        (f"sqlite:///{tmp_path}/none/t.sqlite3", "no such file"),
    ):
        wide.setenv("TIELINE_DATABASE_URL", wrong)
        result = command("check")
        assert result.exit_code == WRONG_SETTING
        assert complaint(result.stderr).startswith(f"wrong setting TIELINE_DATABASE_URL: database {wrong}: ")
        assert why in result.stderr
        assert re.search("^TIELINE_DATABASE_URL +wrong, see above ", result.stdout, re.MULTILINE)
        assert command("check", "--offline").exit_code == 0


def test_check_waits_for_no_database_that_does_not_answer_and_exits_1(wide: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    wide.setattr("gateway.commands.daemon.LOOK_LIMIT_S", 0.1)
    wide.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    with sockets.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://tieline:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/t"
        wide.setenv("TIELINE_DATABASE_URL", url)
        result = command("check")
    assert result.exit_code == FAILED
    assert result.stderr.startswith(
        "not now TIELINE_DATABASE_URL: database postgresql+psycopg://tieline:***@127.0.0.1:"
    )
    assert "no answer within 0.1 s" in result.stderr
    assert PASSWORD not in result.output
    assert "see above" not in result.stdout, "the setting may be right"


@pytest.mark.parametrize(("days", "code", "told"), [(-1, WRONG_SETTING, "has expired on"), (3, 0, "expires on")])
def test_check_tells_of_the_certificates_end_and_exits_2_after_it(
    days: int, code: int, told: str, tmp_path: Path, wide: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cert.pem"
    ends = datetime.now(UTC) + timedelta(days=days)
    issued = trustme.CA().issue_cert("localhost", not_after=ends)
    issued.private_key_and_cert_chain_pem.write_to_path(str(file))
    wide.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    wide.setenv("TIELINE_VAIC_TOKEN", TOKEN)
    wide.setenv("TIELINE_TLS_CERTIFICATE", str(file))
    result = command("check", "--offline")
    assert result.exit_code == code
    assert re.search(rf"^(wrong setting )?TIELINE_TLS_CERTIFICATE:? {re.escape(str(file))} {told} ", result.stderr)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("check", "unknown TIELINE_VAIC_TOKN: no setting has this name\n"),
        ("serve", ": no setting has this name  variable=TIELINE_VAIC_TOKN\n"),
    ],
)
def test_a_misspelt_variable_is_printed(
    name: str, told: str, wide: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # This database ends `serve` early.
    given(wide, TIELINE_OPENAI_URL=NO_MODEL, TIELINE_DATABASE_URL="sqlite:///:memory:", TIELINE_VAIC_TOKN=TOKEN)
    _, stdout, stderr = logged_command(capsys, name)
    assert told in stderr
    assert TOKEN not in stdout + stderr


# --- serve ---


def test_serve_reports_all_wrong_settings_and_exits_2(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    env.setenv("TIELINE_MAX_CALLS", "0")
    result = command("serve", "--port", "70000", "--host", "0.0.0.0")
    assert result.exit_code == 2
    named = {line.removeprefix("wrong setting ").partition(":")[0] for line in result.stderr.splitlines()}
    assert named == {"TIELINE_MAX_CALLS", "TIELINE_PORT", "TIELINE_VAIC_TOKEN"}


@pytest.mark.parametrize(
    "url", [f"mysql://tieline:{PASSWORD}@db/t", "sqlite:////no/such/folder/t.sqlite3", "sqlite:///:memory:"]
)
def test_serve_reports_a_store_that_cannot_be_opened_and_exits_2(url: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    env.setenv("TIELINE_DATABASE_URL", url)
    result = command("serve", "--port", "0", "--ops-port", "0")
    assert result.exit_code == 2
    assert complaint(result.stderr).startswith("wrong setting TIELINE_DATABASE_URL: ")
    assert PASSWORD not in result.stderr


def installed(folder: Path, env: pytest.MonkeyPatch, points: str, **modules: str) -> None:
    """A package with these entry points is installed. modules: their code, by name."""
    info = folder / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(points)
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)
    env.syspath_prepend(folder)


def test_serve_names_wrong_clips_and_a_wrong_task_as_such_and_not_the_store(
    tmp_path: Path, wide: pytest.MonkeyPatch
) -> None:
    ports = ("--port", "0", "--ops-port", "0")
    wide.setenv("TIELINE_OPENAI_URL", NO_MODEL)
    wide.setenv("TIELINE_DATABASE_URL", f"sqlite:///{tmp_path}/t.sqlite3")
    with wide.context() as one:
        one.setenv("TIELINE_CLIPS", str(tmp_path / "none"))
        result = command("serve", *ports)
    assert result.exit_code == 2
    assert complaint(result.stderr).startswith("wrong setting TIELINE_CLIPS: clip ")
    installed(tmp_path, wide, "[tieline.agents]\nbroken = broken_task:TASK\n", broken_task="1 / 0\n")
    lost = "the task 'broken' of an installed package cannot be loaded: ZeroDivision"
    written(tmp_path / "bots", "desk", f'{BOT}language = "de-DE"\n[[task]]\nuse = "broken"\n')
    wide.setenv("TIELINE_BOTS", str(tmp_path / "bots"))
    result = command("serve", *ports)
    assert result.exit_code == 2, "it is the only bot"
    assert f"task[1].use: {lost}" in result.stderr
    open_database(f"sqlite:///{tmp_path}/t.sqlite3").dispose()
    assert command("effects").exit_code == 0
    assert f"wrong task {lost}" in command("agents").stderr
    assert command("agents", "broken").exit_code == 2


def test_tables_of_a_package_that_cannot_be_made_are_no_fault_of_the_database(
    tmp_path: Path, wide: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, wide, "[tieline.tables]\nbroken = broken_tables:prepare\n", broken_tables="1 / 0\n")
    wide.setenv("TIELINE_DATABASE_URL", f"sqlite:///{tmp_path}/t.sqlite3")
    package_tables.installed.cache_clear()
    try:
        result = command("db", "upgrade")
    finally:
        package_tables.installed.cache_clear()
    assert result.exit_code == 2
    wrong = complaint(result.stderr)
    assert wrong.startswith("wrong tables the tables 'broken' of an installed package cannot be loaded: ZeroDivision")


NEEDY = """
from pydantic import BaseModel, ConfigDict
from fsm.agents.end_call import END_CALL
from fsm.registry import TaskFactory

class Needy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    place: str

TASK = TaskFactory("needy", Needy, lambda settings: END_CALL)
"""


def test_a_task_that_needs_settings_is_listed_with_them(tmp_path: Path, wide: pytest.MonkeyPatch) -> None:
    installed(tmp_path, wide, "[tieline.agents]\nneedy = needy_task:TASK\n", needy_task=NEEDY)
    assert "needs settings: place" in command("agents").stdout
    result = command("agents", "needy")
    assert (result.exit_code, "needy needs settings: place" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("taken", "variable"), [("--port", "TIELINE_HOST, TIELINE_PORT"), ("--ops-port", "TIELINE_OPS_PORT")]
)
def test_a_port_in_use_is_reported_in_one_line_and_exits_2(
    taken: str, variable: str, sqlite_url: str, wide: pytest.MonkeyPatch
) -> None:
    with sockets.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ports = {"--port": "0", "--ops-port": "0"} | {taken: str(port)}
        # A busy machine may add a warning of a slow turn.
        given(wide, TIELINE_OPENAI_URL=NO_MODEL, TIELINE_VAIC_TOKEN=TOKEN, TIELINE_HOST="127.0.0.1")
        given(wide, TIELINE_DATABASE_URL=sqlite_url, TIELINE_LOG_LEVEL="ERROR")
        result = command("serve", *[each for pair in ports.items() for each in pair])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("cannot listen ")
    assert f"{variable}: " in line
    assert str(port) in line
    assert "already in use" in line


@pytest.mark.parametrize(
    ("wrong", "faults"),
    [
        ({"TIELINE_MAX_CALLS": "0", "TIELINE_PORT": "x"}, {"TIELINE_MAX_CALLS: ", "TIELINE_PORT: "}),
        ({"TIELINE_DATABASE_URL": "sqlite:////no/such/folder/t.sqlite3"}, {"TIELINE_DATABASE_URL: "}),
        ({"TIELINE_CLIPS": "/no/such/folder"}, {"TIELINE_CLIPS: "}),
        ({"TIELINE_OPS_PORT": "taken"}, {"TIELINE_OPS_PORT: "}),
    ],
    ids=["settings", "database", "clips", "port"],
)
def test_with_a_log_in_json_what_prevents_the_start_is_one_object_a_line(
    wrong: dict[str, str],
    faults: set[str],
    sqlite_url: str,
    wide: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with sockets.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        usual = {"TIELINE_VAIC_TOKEN": TOKEN, "TIELINE_HOST": "127.0.0.1", "TIELINE_PORT": "0", "TIELINE_OPS_PORT": "0"}
        given(wide, TIELINE_OPENAI_URL=NO_MODEL, TIELINE_DATABASE_URL=sqlite_url)
        given(wide, TIELINE_LOG_FORMAT="json", **usual)
        given(wide, **{name: port if value == "taken" else value for name, value in wrong.items()})
        code, stdout, stderr = logged_command(capsys, "serve")
    assert code == WRONG_SETTING
    lines = [json.loads(line) for line in stderr.splitlines()]
    told = [line for line in lines if line["level"] == "CRITICAL"]
    assert {line["message"] for line in told} <= {"wrong setting", "cannot listen"}
    assert len(told) == len(faults)
    assert all(any(fault in line["reason"] for line in told) for fault in faults)
    assert TOKEN not in stdout + stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP], ids=["interrupt", "hangup"])
def test_serve_prints_where_it_listens_and_exits_0_on_sigint_and_sighup(tmp_path: Path, ending: signal.Signals) -> None:
    manager = sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(LIMIT_S)
    notify = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"}
    with manager, served(environment(tmp_path, **notify)) as daemon:
        assert "no TIELINE_VAIC_TOKEN is set: calls are taken from this machine only\n" in daemon.told
        assert daemon.vaic_url.startswith("ws://127.0.0.1:")
        assert daemon.ops_url.startswith("http://127.0.0.1:")
        daemon.process.send_signal(ending)
        code, told = daemon.ended()
        assert code == 0
        lines = (r"gateway\.daemon: stopping", r"gateway\.daemon: draining  .*calls=0.*")
        # A busy machine may add a warning of a slow turn.
        logged = "".join(line for line in told.splitlines(keepends=True) if " WARNING " not in line)
        assert re.fullmatch("".join(rf"\S+ INFO    {line}\n" for line in lines), logged)
        heard: list[str] = []  # as systemd does, which started it as Type=notify
        while "STOPPING=1" not in heard:
            heard += manager.recv(4096).decode().splitlines()
        assert {"READY=1", "WATCHDOG=1"} <= {*heard}
        assert heard.index("READY=1") < heard.index("STOPPING=1")


def test_sigterm_ends_the_calls_in_words_and_writes_their_records(tmp_path: Path) -> None:
    drain = {"TIELINE_LAME_DUCK_S": "0", "TIELINE_DRAIN_S": "0", "TIELINE_FILLER_S": "0", "TIELINE_MAX_LAG_MS": "0"}
    env = environment(tmp_path, TIELINE_VAIC_TOKEN=TOKEN, TIELINE_HOST="127.0.0.1", **drain)

    async def scene(daemon: Serving) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with asyncio.timeout(LIMIT_S), connect(daemon.vaic_url, additional_headers=headers) as connection:
            vaic = Vaic(connection)
            await vaic.calls("c-1")
            daemon.process.send_signal(signal.SIGTERM)
            *words, last = await vaic.hears_until("activities")
            assert "playStream.chunk" in {frame["type"] for frame in words}
            (activity,) = last["activities"]
            assert (activity["name"], activity["activityParams"]) == ("hangup", {"hangupReason": "drained"})
            await vaic.ends("c-1")

    with served(env) as daemon:
        assert "no TIELINE_VAIC_TOKEN" not in daemon.told
        asyncio.run(scene(daemon))
        code, told = daemon.ended()
        assert code == 0
        assert "call ended  conversation=c-1 outcome=drained by=tieline s=" in told
        assert "Traceback" not in told
    engine = open_database(env["TIELINE_DATABASE_URL"])
    record = Journal(engine).record("c-1")
    engine.dispose()
    assert record is not None
    assert record.outcome == "drained"


# --- call ---


def test_a_call_to_a_closed_port_exits_1_with_the_reason(tmp_path: Path, wide: pytest.MonkeyPatch) -> None:
    report = tmp_path / "report.json"
    result = command("call", "--to", "ws://127.0.0.1:1", "--json", str(report))
    assert result.exit_code == 1
    assert result.stdout.startswith("caller     an error ended the call (error), 0 turns")
    assert "not_connected" in result.stderr
    assert "127.0.0.1" in result.stderr
    assert "Traceback" not in result.stderr
    assert '"outcome": "error"' in report.read_text()


def test_a_call_with_the_wrong_token_exits_1_with_the_reason(tmp_path: Path, wide: pytest.MonkeyPatch) -> None:
    env = environment(tmp_path, TIELINE_VAIC_TOKEN=TOKEN, TIELINE_HOST="127.0.0.1")
    with served(env) as daemon:
        result = command("call", "--to", daemon.vaic_url, "--token", "wrong", "--ops", daemon.ops_url)
    assert result.exit_code == 1
    assert "401" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--say", "no-such-file.wav"], "no-such-file.wav"),
        (["--say", "wait:soon"], "wait:soon"),
        (["--format", "opus"], "opus"),
        (["--speed", "0"], "speed"),
    ],
)
def test_a_wrong_script_is_refused_before_the_call(args: list[str], said: str) -> None:
    result = command("call", "--to", "ws://127.0.0.1:1", *args)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("wrong script ")
    assert said in line


@pytest.mark.parametrize(
    ("fault", "told"), [("explode=1", "explode: there are drop_after_ms, "), ("times=0", "times: must be 1 or more")]
)
def test_a_wrong_fault_of_the_engine_is_told_in_a_line(fault: str, told: str) -> None:
    result = command("engine", "--port", "0", "--fault", fault)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"wrong fault {told}")


def test_half_a_certificate_of_the_engine_is_refused() -> None:
    result = command("engine", "--port", "0", "--cert", "cert.pem")
    assert result.exit_code == 2
    assert result.stderr.startswith("wrong option ")
    assert "a certificate needs its key" in result.stderr
