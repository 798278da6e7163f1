"""The keys of calls: made once, read by whoever has the deployment's key, wrapped anew, deleted for good."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import Engine

from protocols.sealing import KeyMissing, KeyRing, NotUnsealed, key_id
from store import data_keys, schema
from store.backup import back_up
from store.data_keys import DataKeys, KeyGone, WrongKeys, check_ring, keys_to_seal, missing_keys, use_ring
from store.database import open_database, reading
from store.erasure import NOT_REACHED, People
from store.rows import report_unreadable
from tests.store.garbage import BLOB, NOT_UTF_8, WORD, spoil
from tests.store.people import add_call

ONE, TWO = b"\1" * 32, b"\2" * 32


def raw(engine: Engine, call: str, what: str = "audio") -> str:
    return DataKeys(engine).to_read(call, what).handed_over()  # type: ignore[arg-type]


@pytest.fixture
def sealed(engine: Engine) -> Engine:
    use_ring(engine, KeyRing([ONE]))
    return engine


def test_without_a_ring_there_are_no_keys(engine: Engine) -> None:
    assert DataKeys(engine).to_seal("c-1", "audio") is None
    assert DataKeys(engine).counts() == {}


def test_a_call_gets_two_keys_once_and_for_all(sealed: Engine) -> None:
    keys = DataKeys(sealed)
    first = keys.to_seal("c-1", "audio")
    assert first is not None
    with sealed.begin() as connection:
        words = keys_to_seal(connection, ["c-1", "c-2"], "words")
        again = keys_to_seal(connection, ["c-2", "c-1", "c-3"], "words")
    assert {call: key.handed_over() for call, key in words.items()}.items() <= {
        call: key.handed_over() for call, key in again.items()
    }.items()
    everything = [first, *again.values()]
    assert len({each.handed_over() for each in everything}) == 4
    assert raw(sealed, "c-1") == first.handed_over()
    assert keys.counts() == {key_id(ONE): 4}


def test_a_key_that_is_not_there_or_not_the_calls_opens_nothing(sealed: Engine) -> None:
    keys = DataKeys(sealed)
    for call in ("c-1", "c-2"):
        keys.to_seal(call, "audio")
    with pytest.raises(KeyGone):
        raw(sealed, "c-1", "words")
    with sealed.begin() as connection:  # the wrapped key of another call
        column = schema.data_key.c
        other = schema.data_key.select().where(column.conversation_id == "c-2")
        mine = schema.data_key.update().where(column.conversation_id == "c-1")
        connection.execute(mine.values(sealed=connection.execute(other).one().sealed))
    with pytest.raises(NotUnsealed):
        raw(sealed, "c-1")
    for ring in (None, KeyRing([TWO])):
        use_ring(sealed, ring)
        with pytest.raises(KeyMissing, match=key_id(ONE)):
            raw(sealed, "c-2")


def test_keys_are_wrapped_anew_and_stay_the_same(sealed: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_keys, "ROTATED_AT_ONCE", 5)
    keys = DataKeys(sealed)
    with sealed.begin() as connection:
        calls = [f"c-{number}" for number in range(7)]
        keys_to_seal(connection, calls, "audio")
    before = [raw(sealed, call) for call in calls[:5]]
    both = KeyRing([TWO, ONE])
    assert list(keys.rotate(both)) == [5, 2]
    assert list(keys.rotate(both)) == []
    assert keys.counts() == {key_id(TWO): 7}
    use_ring(sealed, KeyRing([TWO]))
    assert [raw(sealed, call) for call in calls[:5]] == before


def test_what_a_ring_lacks_is_told(sealed: Engine) -> None:
    DataKeys(sealed).to_seal("c-1", "audio")
    use_ring(sealed, KeyRing([TWO]))
    DataKeys(sealed).to_seal("c-2", "audio")
    with reading(sealed) as connection:
        assert missing_keys(connection, None) == sorted([key_id(ONE), key_id(TWO)])
        assert missing_keys(connection, KeyRing([TWO, ONE])) == []
        with pytest.raises(WrongKeys, match=f"has {key_id(TWO)}, and not {key_id(ONE)}, which"):
            check_ring(connection, KeyRing([TWO]))
        with pytest.raises(WrongKeys, match="is not set, and calls are encrypted"):
            check_ring(connection, None)
    assert DataKeys(sealed).drop(key_id(ONE)) == 1
    with reading(sealed) as connection:
        check_ring(connection, KeyRing([TWO]))


def test_keys_are_kept_elsewhere_and_put_back(sealed: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_keys, "PAGE", 5)
    keys = DataKeys(sealed)
    with sealed.begin() as connection:
        keys_to_seal(connection, [f"c-{number}" for number in range(6)], "audio")
        keys_to_seal(connection, ["c-1"], "words")
    rows, before = list(keys.rows()), raw(sealed, "c-1")
    assert len(rows) == 7
    keys.delete("c-1", "audio")
    with pytest.raises(KeyGone):
        raw(sealed, "c-1")
    assert keys.put_back(rows) == 1
    assert raw(sealed, "c-1") == before


def test_a_damaged_text_does_not_make_a_walk_endless(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    use_ring(engine, KeyRing([ONE]))
    keys, columns = DataKeys(engine), ("conversation_id", "what", "kek")
    for call in ("a", "z", *columns):
        keys.to_seal(call, "audio")
    for column in columns:
        spoil(engine, schema.data_key, column, NOT_UTF_8, f"conversation_id = '{column}'")
    rows = list(islice(keys.rows(), 9))
    assert len(rows) == 5
    assert {"a", "z"} <= {row["conversation_id"] for row in rows}
    with reading(engine) as connection:
        assert key_id(ONE) in missing_keys(connection, None)
    engine.dispose()


def test_a_damaged_key_keeps_the_others_from_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it seals is lost; the others are wrapped anew and copied, so that the old key can be taken out."""
    monkeypatch.setattr(data_keys, "ROTATED_AT_ONCE", 2)
    engine = open_database(sqlite_url)
    use_ring(engine, KeyRing([ONE]))
    damaged: list[str] = []
    report_unreadable(engine, lambda row: damaged.append(row.key))
    keys, calls = DataKeys(engine), ["a", "made_at", "sealed", "text", "conversation_id", "z"]
    for call in calls:
        keys.to_seal(call, "audio")
    for column, garbage in (("made_at", WORD), ("sealed", BLOB), ("conversation_id", BLOB)):
        spoil(engine, schema.data_key, column, garbage, f"conversation_id = '{column}'")
    spoil(engine, schema.data_key, "sealed", WORD, "conversation_id = 'text'")
    readable = {row["conversation_id"] for row in keys.rows()}
    assert readable == {"a", "made_at", "text", "z"}
    assert sorted({*damaged}) == [r"b'\x00\xff'/audio", "sealed/audio"]
    damaged.clear()
    assert sum(keys.rotate(KeyRing([TWO, ONE]))) == 3
    assert sorted({*damaged}) == [r"b'\x00\xff'/audio", "sealed/audio", "text/audio"]
    assert keys.counts() == {key_id(ONE): 3, key_id(TWO): 3}
    use_ring(engine, KeyRing([TWO]))
    for call in ("a", "made_at", "z"):
        raw(engine, call)
    engine.dispose()


def test_an_erasure_reaches_the_backup_that_was_made_before_it(sqlite_url: str, tmp_path: Path) -> None:
    """A copy of the database has no keys; the newest copy of the keys has none of the call's."""
    engine = open_database(sqlite_url)
    use_ring(engine, KeyRing([ONE]))
    keys = DataKeys(engine)
    for call in ("gone", "kept"):
        add_call(engine, call, 3)
        keys.to_seal(call, "audio")
        keys.to_seal(call, "words")
    wrapped = [row["sealed"] for row in keys.rows()]
    back_up(engine, tmp_path / "copy.sqlite3")
    people = People(engine)
    receipt = people.erase(people.call("gone"), "somebody", "")
    assert receipt.rows["data_key"] == 2
    assert receipt.not_reached == ("backups, but for what was encrypted", *NOT_REACHED[1:])
    newest = list(keys.rows())
    engine.dispose()
    for file in (tmp_path / "copy.sqlite3", Path(engine.url.database or "")):
        there = {each for each in wrapped if each.encode() in file.read_bytes()}
        assert there == ({row["sealed"] for row in newest} if file.name != "copy.sqlite3" else set())
    copy = open_database(f"sqlite:///{tmp_path / 'copy.sqlite3'}")
    use_ring(copy, KeyRing([ONE]))
    DataKeys(copy).put_back(newest)
    assert raw(copy, "kept")
    for what in ("audio", "words"):
        with pytest.raises(KeyGone):
            raw(copy, "gone", what)
    copy.dispose()


def test_a_copy_of_the_file_with_its_keys_is_reached_by_a_rotation(sqlite_url: str, tmp_path: Path) -> None:
    engine = open_database(sqlite_url)
    use_ring(engine, KeyRing([ONE]))
    DataKeys(engine).to_seal("gone", "audio")
    with (
        closing(sqlite3.connect(engine.url.database or "")) as source,
        closing(sqlite3.connect(tmp_path / "raw.sqlite3")) as target,
    ):
        source.backup(target)
    DataKeys(engine).delete("gone", "audio")
    assert list(DataKeys(engine).rotate(KeyRing([TWO, ONE]))) == []
    engine.dispose()
    copy = open_database(f"sqlite:///{tmp_path / 'raw.sqlite3'}")
    use_ring(copy, KeyRing([TWO]))  # the old key is destroyed
    with pytest.raises(KeyMissing):
        raw(copy, "gone")
    copy.dispose()
