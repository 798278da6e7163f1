"""`tieline retention`, `erase`, `subject`, `hold` and `audit`, and what the audit says of those that show calls."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.commands.console import operator
from gateway.retention import KeptRules
from store import schema
from store.audit import Audit
from store.bot_versions import BotVersions
from store.retention import KeptFor
from tests.commands import command, printed
from tests.store.people import NUMBER, SECRET, add_call, calls_in, says


def noted(engine: Engine) -> list[tuple[str, str]]:
    return [(row.what, row.about) for row in Audit(engine).rows()]


def test_retention_shows_first_and_then_deletes_by_bot(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_RETENTION", "words=30,record=365")
    add_call(store, "a", 31)
    add_call(store, "b", 31, bot="kept")
    BotVersions(store).write("kept", "1", {"bot.toml": b"[retention]\nwords_days = 90\n"}, datetime.now(UTC))
    assert printed("retention", "run", "--dry-run") == [
        "desk  words  older than 30 days  1 to be deleted",
        "desk  record  older than 365 days  0 to be deleted",
        "desk  effects  kept for ever  0 to be deleted",
        "kept  words  older than 90 days  0 to be deleted",
        "kept  record  older than 365 days  0 to be deleted",
        "kept  effects  kept for ever  0 to be deleted",
    ]
    assert calls_in(store, schema.call_event) == {"a", "b"}
    assert printed("retention", "run") == [
        "words  1 deleted",
        "record  0 deleted",
        "effects  0 deleted",
        "strays  0 deleted",
    ]
    assert calls_in(store, schema.call_event) == {"b"}
    assert noted(store) == [("retention", "")]


def test_what_a_bot_says_wins_and_what_cannot_be_read_deletes_nothing(store: Engine, log_lines: list[str]) -> None:
    versions = BotVersions(store)
    rules = KeptRules(versions, {"words": 30, "effects": 90})
    for bot, text in (("own", b"[retention]\nwords_days = 0\nrecord_days = 9\n"), ("bad", b"[retention]\nwords = 1\n")):
        versions.write(bot, "1", {"bot.toml": text}, datetime(2026, 1, 1, tzinfo=UTC))
    assert rules.of("own") == KeptFor(words=0, record=9, effects=90)
    assert rules.of("unknown") == rules.of("") == KeptFor(words=30, effects=90)
    assert rules.of("bad") is rules.of("bad") is None
    assert len(log_lines) == 1
    versions.write("own", "2", {"bot.toml": b""}, datetime(2026, 2, 1, tzinfo=UTC))  # the newest counts
    assert rules.of("own") == KeptFor(words=30, effects=90)


@pytest.mark.parametrize("value", ["words", "words=x", "speech=3", "record=1", "effects=1", "words=-1", "words=99999"])
def test_a_wrong_setting_is_named(store: Engine, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TIELINE_RETENTION", value)
    result = command("retention", "run")
    assert (result.exit_code, "TIELINE_RETENTION: must be name=DAYS" in result.stderr) == (2, True)


def test_a_caller_is_erased_and_the_receipt_says_nothing_of_them(store: Engine) -> None:
    add_call(store, "a", 3)
    printed("hold", "add", "--call", "a")
    counted = json.loads("\n".join(printed("erase", "--caller", "0049 30 555010", "--dry-run")))
    assert (counted["calls"], counted["refused"]) == (1, "a call is held: tieline hold list")
    printed("hold", "release", "--call", "a")
    counted = json.loads("\n".join(printed("erase", "--caller", "0049 30 555010", "--dry-run")))
    assert (counted["calls"], "refused" in counted) == (1, False)
    assert calls_in(store, schema.call) == {"a"}
    receipt = json.loads("\n".join(printed("erase", "--caller", "0049 30 555010", "--reason", "letter 17")))
    assert (receipt["calls"], receipt["rows"]["call"], receipt["reason"]) == (1, 1, "letter 17")
    assert NUMBER[1:] not in str(receipt)
    assert says(store, NUMBER) == set()
    chain = f"{receipt['audit_seq']}:{receipt['audit_hash']}"
    assert printed("audit", "verify", "--noted", chain) == [f"4 rows, as they were written  {chain}"]
    gone = command("erase", "--caller", NUMBER)
    assert (gone.exit_code, "nothing is there" in gone.stderr) == (1, True)


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the recording of call "a", which began 40 days ago."""
    monkeypatch.setenv("TIELINE_RECORDINGS", str(tmp_path / "recordings"))
    where = tmp_path / "recordings" / f"{datetime.now(UTC) - timedelta(days=40):%Y-%m-%d}" / "a"
    where.mkdir(parents=True)
    (where / "manifest.json").write_text(json.dumps({"call": "a", "parts": [{"bot": "desk"}]}))
    (where / "part.flac").write_bytes(b"sound")
    return where


def test_a_call_that_may_be_recorded_is_not_erased_without_its_recordings(
    store: Engine, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_call(store, "a", 40)
    add_call(store, "b", 40, caller="")
    step = {"recording": [{"what": "always", "at_ms": 0, "words": ""}]}
    with store.begin() as connection:
        connection.execute(schema.call.update().where(schema.call.c.conversation_id == "a").values(record=step))
    there = os.environ["TIELINE_RECORDINGS"]
    monkeypatch.delenv("TIELINE_RECORDINGS")
    refused = command("erase", "--caller", NUMBER)
    told = "not erased call a may be recorded: set TIELINE_RECORDINGS as the daemon has it\n"
    assert (refused.exit_code, refused.stderr) == (1, told)
    assert json.loads("\n".join(printed("erase", "--call", "b")))["calls"] == 1
    monkeypatch.setenv("TIELINE_RECORDINGS", there)
    assert json.loads("\n".join(printed("erase", "--call", "a")))["rows"]["recordings"] == 2


@pytest.mark.parametrize("number", ["", "anonymous", "sip:anonymous@anonymous.invalid", "0000"])
def test_a_withheld_number_is_nobodys(store: Engine, number: str) -> None:
    add_call(store, "a", 3, caller=number)
    for args in (("subject", number), ("erase", "--caller", number), ("hold", "add", "--caller", number)):
        assert command(*args).exit_code == 2
    assert calls_in(store, schema.call) == {"a"}


def test_recordings_are_told_of_and_erased_with_their_call(store: Engine, recording: Path) -> None:
    add_call(store, "a", 40)
    told = [json.loads(line) for line in printed("subject", NUMBER)]
    assert {row["row"]["file"] for row in told if row["table"] == "recordings"} == {
        str(recording / "manifest.json"), str(recording / "part.flac")
    }  # fmt: skip
    receipt = json.loads("\n".join(printed("erase", "--call", "a")))
    assert receipt["rows"]["recordings"] == 2
    assert not recording.exists()


@pytest.mark.parametrize("args", [("subject", NUMBER), ("erase", "--call", "a", "--dry-run"), ("erase", "--call", "a")])
def test_a_store_for_recordings_that_is_away_is_told_and_ends_with_1(
    store: Engine, recording: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    pytest.importorskip("obstore")
    monkeypatch.setenv("TIELINE_RECORDINGS_URL", f"file://{recording}/none")
    add_call(store, "a", 40)
    result = command(*args)
    assert (result.exit_code, "the store for recordings: " in result.stderr) == (1, True)
    assert isinstance(result.exception, SystemExit)
    assert calls_in(store, schema.call) == {"a"}


def test_a_recording_that_is_not_finished_delays_the_erasure(store: Engine, recording: Path) -> None:
    add_call(store, "a", 0)
    spool = recording.parents[1] / "spool" / "p"
    spool.mkdir(parents=True)
    (spool / "x.made").write_text(str(recording / "part.json"))
    refused = command("erase", "--call", "a")
    assert (refused.exit_code, refused.stderr) == (
        1, "not erased a recording of the call is not finished yet: say it again\n"
    )  # fmt: skip
    assert calls_in(store, schema.call) == {"a"}


@pytest.mark.parametrize(
    ("rule", "there"),
    [("audio=30", False), ("audio=50", True), ("record=30", False), ("audio=50,record=30", False), ("words=30", True)],
)
def test_a_recording_is_deleted_by_its_age_or_with_the_record(
    store: Engine, recording: Path, monkeypatch: pytest.MonkeyPatch, rule: str, there: bool
) -> None:
    add_call(store, "a", 40)
    monkeypatch.setenv("TIELINE_RETENTION", rule)
    assert command("retention", "run").exit_code == 0
    assert recording.exists() == there


def test_a_recording_that_is_held_is_kept(store: Engine, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_call(store, "a", 40)
    monkeypatch.setenv("TIELINE_RETENTION", "audio=30,record=30")
    printed("hold", "add", "--caller", NUMBER)
    assert command("retention", "run").exit_code == 0
    assert recording.exists()


def test_what_may_not_be_erased_is_told_and_ends_with_1(store: Engine) -> None:
    add_call(store, "a", 0, lease="open")
    refused = command("erase", "--call", "a")
    assert (refused.exit_code, refused.stderr) == (
        1, "not erased call a is in progress: erase it when it has ended\n"
    )  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--caller", NUMBER, "--call", "a")])
def test_one_of_the_two_must_be_meant(store: Engine, options: tuple[str, ...]) -> None:
    assert command("erase", *options).exit_code == 2
    assert command("hold", "add", *options).exit_code == 2


def test_a_person_gets_all_rows_a_line_each(store: Engine) -> None:
    add_call(store, "a", 3)
    rows = [json.loads(line) for line in printed("subject", NUMBER)]
    assert {row["table"] for row in rows} >= {"call", "call_event", "lease", "effect", "outbox", "appointment"}
    assert any(SECRET in str(row) for row in rows)
    assert noted(store) == [("exported a subject", "")]


def test_holds_are_added_listed_respected_and_released(store: Engine) -> None:
    add_call(store, "a", 3)
    assert printed("hold", "list") == ["Nothing is held"]
    assert printed("hold", "add", "--caller", "030 555010", "--region", "de", "--reason", "a court") == [
        f"held caller:{NUMBER}"
    ]
    assert command("hold", "add", "--caller", NUMBER).exit_code == 1
    (line,) = printed("hold", "list")
    assert (line.split()[0], line.endswith("a court")) == (f"caller:{NUMBER}", True)
    assert "held" in command("erase", "--call", "a").stderr
    assert printed("hold", "release", "--caller", NUMBER) == [f"released caller:{NUMBER}"]
    assert command("hold", "release", "--caller", NUMBER).exit_code == 1
    assert command("erase", "--call", "a").exit_code == 0
    assert [what for what, _ in noted(store)] == ["held", "listed holds", "released", "erases", "erased"]
    assert NUMBER[1:] not in str(list(Audit(store).rows()))


def test_a_call_that_nobody_knows_cannot_be_held(store: Engine) -> None:
    add_call(store, "a", 3)
    wrong = command("hold", "add", "--call", "A")
    assert (wrong.exit_code, wrong.stderr) == (1, "nothing is there of this call\n")
    assert printed("hold", "add", "--call", "a") == ["held call:a"]
    assert printed("hold", "release", "--call", "a") == ["released call:a"]


def test_who_reads_exports_and_settles_is_noted(store: Engine, tmp_path: Path) -> None:
    add_call(store, "a", 3, status="unclear")
    printed("calls", "list")  # masked: nobody's data
    printed("calls", "list", "--unmasked")
    printed("calls", "show", "a")
    printed("why", "a")
    printed("calls", "export")
    printed("effects")
    printed("effects", "settle", "a:t:1", "done")
    assert command("effects", "settle", "a:t:1", "done").exit_code == 2
    printed("effects")  # none
    printed("hold", "list")  # none
    printed("db", "backup", str(tmp_path / "copy.sqlite3"))
    command("calls", "show", "not there")
    assert noted(store) == [
        ("listed", ""), ("read", "a"), ("read", "a"), ("exported", ""), ("listed effects", ""), ("settles", "a:t:1"),
        ("settled", "a:t:1"), ("copied the database", ""),
    ]  # fmt: skip
    assert {row.who for row in Audit(store).rows()} == {operator()}
    settled = printed("audit", "list", "--limit", "2")[0]
    assert settled.endswith(f'{operator()}  settled  a:t:1  {{"as": "done", "status": "ok"}}')
    assert [json.loads(line)["seq"] for line in printed("audit", "list", "--json")] == [*range(1, 9)]


def test_an_effect_that_fails_again_was_noted_before_it_was_tried(store: Engine) -> None:
    add_call(store, "a", 3, status="unclear")
    failed = command("effects", "settle", "a:t:1", "retry")  # no task here declares it
    assert failed.exit_code == 1
    assert noted(store) == [("settles", "a:t:1")]


def test_an_audit_that_was_changed_is_told_and_ends_with_1(store: Engine) -> None:
    Audit(store).note("ann", "read", "a")
    with store.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("UPDATE audit SET who = 'bob'")
    result = command("audit", "verify")
    assert (result.exit_code, result.stderr) == (1, "not as it was written row 1 was changed\n")
    assert command("audit", "verify", "--noted", "x").exit_code == 2


def test_effects_are_listed_with_masked_numbers_unless_they_are_asked_for(store: Engine) -> None:
    add_call(store, "a", 3, status="unclear")
    assert NUMBER[1:] not in "\n".join(printed("effects")) + "\n".join(printed("effects", "list"))
    for options in (("--unmasked",), ("list", "--unmasked")):
        assert f"  caller {NUMBER}; " in "\n".join(printed("effects", *options))
    assert [row.facts["unmasked"] for row in Audit(store).rows()] == [False, False, True, True]


def test_who_sends_or_drops_what_callers_said_is_noted(store: Engine) -> None:
    add_call(store, "a", 3, letter="dead")
    (key, *_) = printed("outbox")[0].split()
    printed("outbox", "retry", "--all")
    assert command("outbox", "drop", key).exit_code == 2  # it is on its way
    with store.begin() as connection:
        connection.execute(schema.outbox.update().values(status="dead"))
    printed("outbox", "drop", key)
    assert noted(store) == [("sent letters again", ""), ("dropped a letter", key)]


@pytest.mark.parametrize(
    ("login", "before"), [("0", "root as "), ("4294967295", "ann as "), ("", "ann as "), ("12345", "")]
)
def test_the_kernel_says_who_it_is_and_not_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, before: str
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody")
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    (tmp_path / "loginuid").write_text(login)
    assert operator(tmp_path / "loginuid") == f"{before}12345@{socket.gethostname()}"


@pytest.mark.parametrize("left", [{}, {"record": False}, {"record": False, "lease": ""}])
def test_the_recording_of_a_caller_who_is_held_is_kept_also_of_a_call_without_a_record(
    store: Engine, recording: Path, monkeypatch: pytest.MonkeyPatch, left: dict[str, Any]
) -> None:
    add_call(store, "a", 40, **left)
    monkeypatch.setenv("TIELINE_RETENTION", "audio=30")
    printed("hold", "add", "--caller", "tel:+49-30-555010", "--reason", "case 17")
    printed("retention", "run")
    assert recording.exists()
    printed("hold", "release", "--caller", NUMBER)
    printed("retention", "run")
    assert not recording.exists()
