"""Versions of bots in the store: whole, once each, and damage told from absence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, Table, func, insert, select

from store import schema
from store.bot_versions import BATCH, BotVersions
from store.database import open_database, reading
from store.journal import Journal
from store.outbox import Letter, Outbox
from store.rows import UnreadableRow
from tests.store.garbage import garbage_for, spoil

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
FILES = {"bot.toml": 'name = "Größe"\n'.encode(), "clips/goodbye.wav": bytes(range(256))}


def test_a_version_is_read_as_it_was_written(engine: Engine) -> None:
    versions = BotVersions(engine)
    versions.write("linden", "1a", FILES, AT)
    assert versions.files("linden", "1a") == FILES
    assert versions.files("linden", "2b") is versions.files("dental", "1a") is None


def test_a_version_that_is_written_again_is_there_once(engine: Engine) -> None:
    for _ in range(2):
        BotVersions(engine).write("linden", "1a", FILES, AT)
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(schema.bot_version)) == 1


def test_files_that_are_damaged_are_unreadable_and_not_absent(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    BotVersions(engine).write("linden", "1a", FILES, AT)
    for garbage in (*garbage_for(schema.bot_version.c.files), """'{"bot.toml": "no base64!"}'"""):
        spoil(engine, schema.bot_version, "files", garbage, "bot = 'linden'")
        with pytest.raises(UnreadableRow):
            BotVersions(engine).files("linden", "1a")
    engine.dispose()


def put(engine: Engine, table: Table, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(insert(table).values(**values))


def call(engine: Engine, key: str, digest: str, status: str) -> None:
    opening = {"bot": "linden", "bot_digest": digest}
    put(engine, schema.lease, conversation_id=key, node="n", epoch=1, lease_until=AT, status=status, credential="",
        opening=opening, touched_at=AT)  # fmt: skip


def effect(engine: Engine, key: str, digest: str, status: str) -> None:
    put(engine, schema.effect, key=key, name="x", conversation_id="c", run_id="t1", caller="", slots={}, facts={},
        values={}, say="", status=status, intended_at=AT, bot="linden", bot_digest=digest)  # fmt: skip


def test_versions_that_nobody_needs_any_more_are_deleted(engine: Engine) -> None:
    versions = BotVersions(engine)
    digests = [
        "unused",
        "open",
        "parked",
        "over",
        "intended",
        "unclear",
        "settled",
        "in use",
        *map(str, range(2 * BATCH)),
    ]
    for digest in digests:
        versions.write("linden", digest, FILES, AT)
    versions.write("dental", "open", FILES, AT)
    for status in ("open", "parked"):
        call(engine, status, status, status)
    call(engine, "over", "over", "ended")
    for digest, status in {"intended": "intended", "unclear": "unclear", "settled": "ok"}.items():
        effect(engine, digest, digest, status)
    now = AT + timedelta(days=90)
    versions.seen([("linden", "in use")], now)
    versions.write("linden", "new", FILES, now)
    before = AT + timedelta(days=1)
    gone = [
        ("dental", "open"),
        *(("linden", each) for each in sorted({"unused", "over", "settled", *map(str, range(2 * BATCH))})),
    ]
    assert sorted(versions.prune(before, dry_run=True)) == gone
    assert versions.files("linden", "unused") == FILES
    assert sorted(versions.prune(before)) == gone
    assert list(versions.prune(before)) == []
    kept = [each for each in (*digests, "new") if versions.files("linden", each) is not None]
    assert kept == ["open", "parked", "intended", "unclear", "in use", "new"]


def test_a_version_by_which_a_letter_may_be_sent_is_kept(engine: Engine) -> None:
    versions, outbox = BotVersions(engine), Outbox(engine)
    Journal(engine).append((), (), [Letter(each, each, "gone", each, "", {}) for each in ("due", "dead", "sent")])
    for letter in outbox.due("gone"):
        versions.write("gone", letter.bot_digest, FILES, AT)
        if letter.key != "due" and (claimed := outbox.claim(letter, 60)) is not None:
            if letter.key == "dead":
                outbox.give_up(claimed, "status 410")
            else:
                outbox.arrived(claimed)
    assert list(versions.prune(AT + timedelta(days=90))) == [("gone", "sent")]


def test_a_call_that_is_damaged_holds_up_nothing(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    BotVersions(engine).write("linden", "1a", FILES, AT)
    call(engine, "c-1", "1a", "open")
    for garbage in garbage_for(schema.lease.c.opening):
        BotVersions(engine).write("linden", "1a", FILES, AT)
        spoil(engine, schema.lease, "opening", garbage, "conversation_id = 'c-1'")
        assert list(BotVersions(engine).prune(AT + timedelta(days=1))) == [("linden", "1a")]
    engine.dispose()
