"""`tieline keys`, `calls recording`; and what `check`, `serve` and those who read say where a key is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.daemon import Daemon
from gateway.settings import Settings, SettingsError
from protocols.sealing import key_id, read_ring
from recordings.sealed import seal_file
from store import schema
from store.audit import Audit
from store.data_keys import DataKeys, use_ring
from store.journal import CallRecord, Journal, JournalRow, TurnRecord
from store.leases import Leases
from tests.commands import command, printed
from tests.gateway.daemons import NO_MODEL, run
from tests.store.garbage import BLOB, WORD, spoil
from tests.store.people import NUMBER, SECRET, add_call

ONE, TWO = "01" * 32, "02" * 32
ID_ONE, ID_TWO = (key_id(bytes.fromhex(each)) for each in (ONE, TWO))


@pytest.fixture
def keys(store: Engine, monkeypatch: pytest.MonkeyPatch) -> DataKeys:
    """Of a store with a call that the first key encrypts."""
    monkeypatch.setenv("TIELINE_ENCRYPTION_KEY", ONE)
    use_ring(store, read_ring(ONE))
    DataKeys(store).to_seal("c-1", "audio")
    return DataKeys(store)


def test_keys_are_rotated_and_the_old_one_is_taken_out(
    keys: DataKeys, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert printed("keys", "list") == [f"{ID_ONE}  1 keys of calls  wraps new keys"]
    monkeypatch.setenv("TIELINE_ENCRYPTION_KEY", f"{TWO},{ONE}")
    assert printed("keys", "list") == [
        f"{ID_TWO}  0 keys of calls  wraps new keys",
        f"{ID_ONE}  1 keys of calls  in use",
    ]
    facts: dict[str, Any] = {"keys": [ID_ONE]}
    leases = Leases(store, "n-1", facts=lambda: facts)
    leases.show_life()
    refused = command("keys", "rotate")
    assert (refused.exit_code, refused.stderr) == (1, f"not rotated key {ID_TWO} is not known to n-1\n")
    facts["keys"] = [ID_ONE, ID_TWO]
    leases.show_life()
    assert printed("keys", "rotate") == [f"1 keys of calls are wrapped by {ID_TWO} now"]
    assert printed("keys", "list")[1] == f"{ID_ONE}  0 keys of calls  wraps none"
    monkeypatch.setenv("TIELINE_ENCRYPTION_KEY", TWO)
    use_ring(store, read_ring(TWO))
    keys.to_read("c-1", "audio")
    assert [(row.what, row.about) for row in Audit(store).rows()] == [("rotated keys", ID_TWO)]


def test_keys_are_kept_in_a_file_of_their_own(keys: DataKeys, tmp_path: Path) -> None:
    copy, file = tmp_path / "copy.sqlite3", tmp_path / "keys"
    told = command("db", "backup", str(copy))
    assert "the keys of encrypted calls are not in it: tieline keys backup FILE" in told.stderr
    assert printed("keys", "backup", str(file)) == printed("keys", "backup", str(file))
    assert file.stat().st_mode & 0o077 == 0
    keys.delete("c-1", "audio")
    assert printed("keys", "restore", str(file)) == ["1 keys of calls added, 0 were there"]
    keys.to_read("c-1", "audio")
    file.write_text("{}\n")
    bad = command("keys", "restore", str(file))
    assert (bad.exit_code, bad.stderr) == (1, f"{file} cannot be read: it is no file of keys\n")


def test_a_damaged_key_is_named_and_the_others_are_copied(keys: DataKeys, store: Engine, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for call in ("c-2", "c-3"):
        keys.to_seal(call, "audio")
    spoil(store, schema.data_key, "made_at", WORD, "conversation_id = 'c-1'")
    spoil(store, schema.data_key, "sealed", BLOB, "conversation_id = 'c-2'")
    told = command("keys", "backup", str(file))
    assert told.stdout == f"2 keys of calls written to {file}\n"
    assert (told.exit_code, told.stderr) == (1, "damaged its row cannot be read: data_key c-2/audio\n")
    with store.begin() as connection:
        connection.execute(schema.data_key.delete())
    assert printed("keys", "restore", str(file)) == ["2 keys of calls added, 0 were there"]
    for call in ("c-1", "c-3"):
        keys.to_read(call, "audio")


def test_no_link_leads_a_copy_elsewhere(keys: DataKeys, tmp_path: Path) -> None:
    """In a folder where others may write, what they have put there stays as it is, and gets nothing."""
    theirs = tmp_path / "theirs"
    theirs.write_text("mine")
    for name in ("keys", "keys.part"):
        (tmp_path / name).symlink_to(theirs)
    printed("keys", "backup", str(tmp_path / "keys"))
    assert theirs.read_text() == "mine"
    assert not (tmp_path / "keys").is_symlink()
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    assert sorted(each.name for each in tmp_path.glob("keys*")) == ["keys", "keys.part"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", f"is not set, and calls are encrypted by key {ID_ONE}, which the store needs"),
        (TWO, f"has {ID_TWO}, and not {ID_ONE}, which the store needs"),
        (ONE[1:], "key 1 has 63 characters: must be 64 hex digits"),
    ],
)
def test_a_missing_key_is_told_before_any_call(
    keys: DataKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{key}\n")
    monkeypatch.delenv("TIELINE_ENCRYPTION_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    if key:
        monkeypatch.setenv("TIELINE_ENCRYPTION_KEY_FILE", str(file))
    checked = command("check")
    assert checked.exit_code == 2
    assert "wrong setting TIELINE_ENCRYPTION_KEY" in checked.stderr
    assert said in checked.stderr
    assert not [each for each in (ONE[1:], TWO) if each in checked.output]

    async def start() -> None:
        async with Daemon(Settings(openai_url=NO_MODEL, port=0, ops_port=0)):
            pass

    if len(key) != 63:
        monkeypatch.setenv("TIELINE_ENCRYPTION_KEY", key)
        with pytest.raises(SettingsError, match=said):
            run(start)
    assert keys.counts() == {ID_ONE: 1}


def test_a_key_that_is_lost_is_given_up_by_a_person_only(
    keys: DataKeys, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIELINE_ENCRYPTION_KEY")
    missing = command("keys", "list")
    assert (missing.exit_code, missing.stdout) == (1, f"{ID_ONE}  1 keys of calls  missing\n")
    assert command("keys", "drop", ID_ONE).exit_code == 1
    leases = Leases(store, "n-1", facts=lambda: {"keys": [ID_ONE]})
    leases.show_life()
    refused = command("keys", "drop", ID_ONE, "--yes")
    assert refused.stderr == "not dropped n-1 has it, and may have calls that need it\n"
    leases.leave()
    assert keys.counts() == {ID_ONE: 1}
    assert printed("keys", "drop", ID_ONE, "--yes") == ["1 keys of calls deleted"]
    assert printed("keys", "list") == ["Nothing is encrypted"]
    unset = command("keys", "rotate")
    assert (unset.exit_code, unset.stderr) == (2, "wrong setting TIELINE_ENCRYPTION_KEY: is not set\n")


def test_a_recording_is_copied_for_who_may_hear_it(
    keys: DataKeys, store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "kept" / "2026-11-23" / "c-1"
    where.mkdir(parents=True)
    monkeypatch.setenv("TIELINE_RECORDINGS", str(tmp_path / "kept"))
    (where / "part.flac").write_bytes(b"sound")
    seal_file(where / "part.flac", keys.to_read("c-1", "audio"), "c-1", "desk")
    (where / "part.flac").unlink()
    out = tmp_path / "out"
    out.mkdir(mode=0o755)  # of many
    assert printed("calls", "recording", "c-1", "--to", str(out)) == [str(out / "part.flac")]
    assert (out / "part.flac").read_bytes() == b"sound"
    assert (out / "part.flac").stat().st_mode & 0o077 == 0
    assert [(row.what, row.about) for row in Audit(store).rows()] == [("listened", "c-1")]
    twice = command("calls", "recording", "c-1", "--to", str(out))
    assert (twice.exit_code, "File exists" in twice.stderr, (out / "part.flac").exists()) == (1, True, True)
    nothing = command("calls", "recording", "c-2", "--to", str(out))
    assert (nothing.exit_code, nothing.stderr) == (1, "no recording of c-2 is here\n")
    data = (where / "part.flac.sealed").read_bytes()
    (where / "part.flac.sealed").write_bytes(data[:-1])
    damaged = command("calls", "recording", "c-1", "--to", str(tmp_path / "new"))
    assert (damaged.exit_code, "part.flac: not copied" in damaged.stdout) == (1, True)
    monkeypatch.delenv("TIELINE_ENCRYPTION_KEY")
    without = command("calls", "recording", "c-1", "--to", str(tmp_path / "new"))
    assert (without.exit_code, without.stderr) == (1, f"not copied TIELINE_ENCRYPTION_KEY has no key {ID_ONE}\n")


def test_keys_go_with_what_they_encrypt(
    keys: DataKeys, store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call, days in (("words", 35), ("all", 95), ("none", 1)):
        add_call(store, call, days)
        with store.begin() as connection:
            connection.execute(schema.lease.update().values(status="ended"))
        keys.to_seal(call, "audio")
        keys.to_seal(call, "words")
    monkeypatch.setenv("TIELINE_RETENTION", "words=30,record=90")
    printed("retention", "run")
    left = {(row["conversation_id"], row["what"]) for row in keys.rows()}
    assert left == {("c-1", "audio"), ("words", "audio"), ("none", "audio"), ("none", "words")}
    where = tmp_path / "kept" / f"{datetime(2026, 1, 1, tzinfo=UTC):%Y-%m-%d}" / "words"
    where.mkdir(parents=True)
    (where / "manifest.json").write_text(json.dumps({"call": "words", "parts": [{"bot": "desk"}]}))
    seal_file(where / "manifest.json", keys.to_read("words", "audio"), "words", "desk")
    (where / "manifest.json").unlink()
    monkeypatch.setenv("TIELINE_RECORDINGS", str(tmp_path / "kept"))
    monkeypatch.setenv("TIELINE_RETENTION", "audio=30")
    printed("retention", "run")
    assert not where.exists()
    assert {(row["conversation_id"], row["what"]) for row in keys.rows()} == left - {("words", "audio")}


def test_who_reads_a_call_without_the_key_is_told_what_is_missing(
    keys: DataKeys, store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 11, 23, 14, tzinfo=UTC)
    turn = TurnRecord(role="caller", text=SECRET, item_id="i", began_ms=1, ended_ms=2, heard_ms=1)
    told = CallRecord(
        conversation_id="c-1", bot="desk", caller=NUMBER, media_format="m", outcome="completed", started_at=at,
        ended_at=at, turns=(turn,),
    )  # fmt: skip
    Journal(store).append([JournalRow("c-1", 1, "caller_said", {"item": "i", "text": SECRET}, at)], [(told, 0)])
    reads: tuple[tuple[str, ...], ...] = (("calls", "show", "c-1"), ("why", "c-1"), ("subject", NUMBER))
    for each in reads:
        assert SECRET in "\n".join(printed(*each))
    monkeypatch.setenv("TIELINE_ENCRYPTION_KEY", TWO)
    said = f"TIELINE_ENCRYPTION_KEY has no key {ID_ONE}"
    for each, code in zip(reads, (0, 0, 1), strict=True):
        result = command(*each)
        assert (result.exit_code, SECRET in result.output, said in result.output) == (code, False, True)
    assert len(printed("calls", "list")) == 1
    counted = json.loads("\n".join(printed("erase", "--call", "c-1", "--dry-run")))["rows"]
    assert counted["data_key"] == 2
    assert json.loads("\n".join(printed("erase", "--call", "c-1")))["rows"] == counted
