"""Where the recordings of a call are: found by its key in the folder, the spool and the store, and deleted."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from recordings.facts import PartFacts, SpoolBlock, folder_name
from recordings.kept import KeptRecordings, NotFinished
from recordings.spool import BAD, MADE, PartFile

BEGAN = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
TODAY = date(2026, 12, 23)
FILES = ("manifest.json", "part-000001-000000000-abc.flac", "part-000001-000000000-abc.json")


def keep(folder: Path, call: str, day: str = "2026-11-23", bot: str = "desk") -> Path:
    where = folder / day / folder_name(call)
    where.mkdir(parents=True)
    for name in FILES:
        (where / name).write_text("{}")
    (where / "manifest.json").write_text(json.dumps({"call": call, "parts": [{"bot": bot}]}))
    return where


def spool(folder: Path, conversation: str, key: str = "") -> Path:
    """A part that is being recorded."""
    own = folder / "spool" / "p-1"
    own.mkdir(parents=True, exist_ok=True)
    facts = PartFacts(
        conversation_id=conversation, bot="desk", bot_digest="", media="raw/mulaw", began_at=BEGAN, origin_ms=0.0,
        since_call_ms=0, mode="always",
    )  # fmt: skip
    part = PartFile(own, f"part-of-{conversation}", facts)
    part.write(SpoolBlock("p", facts, 1, (), 0.0, key=key))
    part.end()
    (done,) = own.glob(f"part-of-{conversation}.done")
    return done


def test_a_call_is_found_by_its_key_listed_and_deleted_and_no_other_is(tmp_path: Path) -> None:
    kept = KeptRecordings(tmp_path)
    other = keep(tmp_path, "c-10")
    keep(tmp_path, "c/1 ~2", "2026-11-24")
    assert [Path(each).name for each in kept.listed("c/1 ~2", None)] == list(FILES)
    assert kept.delete("c/1 ~2", None) == 3
    assert kept.delete("c/1 ~2", None) == kept.delete("c-1", None) == 0
    assert [each.name for each in tmp_path.iterdir()] == ["2026-11-23"]
    assert len(list(other.iterdir())) == 3


@pytest.mark.parametrize(
    ("conversation", "key", "call", "busy"),
    [
        ("c-1", "", "c-1", True),
        ("c-1", "", "c-1~2", True),  # nobody knows yet which
        ("c-1", "c-1~2", "c-1~2", True),
        ("c-1", "c-1~2", "c-1", False),
        ("c-1", "", "c-10", False),
    ],
)
def test_what_is_not_finished_is_waited_for(tmp_path: Path, conversation: str, key: str, call: str, busy: bool) -> None:
    kept, where = KeptRecordings(tmp_path), keep(tmp_path, call)
    done = spool(tmp_path, conversation, key)
    if not busy:
        assert kept.delete(call, None) == 3
        assert done.exists()
        return
    with pytest.raises(NotFinished):
        kept.delete(call, None)
    assert where.exists()
    bad = done.rename(done.with_suffix(BAD))  # of which nothing can be made
    assert kept.delete(call, None) == 3
    assert not bad.exists()


def test_what_waits_for_its_upload_is_waited_for(tmp_path: Path) -> None:
    where = keep(tmp_path, "c-1")
    (tmp_path / "spool/p-1").mkdir(parents=True)
    made = (tmp_path / "spool/p-1/x").with_suffix(MADE)
    made.write_text(str(where / "part.json"))
    with pytest.raises(NotFinished):
        KeptRecordings(tmp_path).delete("c-1", None)
    made.unlink()
    assert KeptRecordings(tmp_path).delete("c-1", None) == 3


def test_what_is_older_than_its_bot_wants_is_deleted_but_for_what_is_held(tmp_path: Path) -> None:
    for call, day, bot in (
        ("new", "2026-11-24", "desk"), ("old", "2026-11-20", "desk"), ("held", "2026-11-20", "desk"),
        ("kept", "2020-01-01", "for ever"), ("long", "2026-11-20", "long"),
    ):  # fmt: skip
        keep(tmp_path, call, day, bot)
    nobody_knows = keep(tmp_path, "x", "2020-01-01")
    (nobody_knows / "manifest.json").write_text("[]")
    elsewhere = keep(tmp_path / "elsewhere", "a")  # what rmtree does not follow: an error of the disk
    (tmp_path / "2026-11-20" / "a").symlink_to(elsewhere)
    bad = {call: spool(tmp_path, call).rename(tmp_path / f"spool/p-1/{call}{BAD}") for call in ("x", "held", "y")}
    for call in ("x", "held"):
        os.utime(bad[call], (BEGAN.timestamp() - 86_400, BEGAN.timestamp() - 86_400))
    os.utime(bad["y"], (BEGAN.timestamp(), BEGAN.timestamp()))
    days, failed = {"desk": 30, "long": 90, "for ever": 0, "": 30}, list[OSError]()
    gone = list(
        KeptRecordings(tmp_path).expire(lambda bot: days[bot], lambda call: call == "held", TODAY, failed.append)
    )
    assert gone == ["old"]
    assert {each.name for each in tmp_path.glob("20*/*")} == {"new", "held", "kept", "long", "x", "a"}
    assert {call for call, part in bad.items() if part.exists()} == {"held", "y"}
    assert len(failed) == 1


def test_what_was_uploaded_is_listed_and_deleted_by_the_day_of_the_call(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    store, folder = tmp_path / "store", tmp_path / "folder"
    store.mkdir()
    keep(store, "c-1")
    keep(store, "c-10")
    kept = KeptRecordings(folder, f"file://{store}")
    for days in (BEGAN, BEGAN.replace(day=24), BEGAN.replace(day=22)):
        assert len(kept.listed("c-1", days)) == 3
    assert kept.listed("c-1", None) == kept.listed("c-1", BEGAN.replace(day=1)) == []
    assert kept.delete("c-1", BEGAN) == 3
    assert {each.parent.name for each in store.glob("*/*/*")} == {"c-10"}


def test_a_store_that_does_not_take_it_is_an_error_of_the_system(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    kept = KeptRecordings(tmp_path, "nowhere://bucket")
    # With what it has said: a bucket that is not there is told from a network that is away.
    with pytest.raises(OSError, match=r"the store for recordings: \w+: .*nowhere://bucket"):
        kept.delete("c-1", BEGAN)
