"""Versions of bots in the store: whole, once each, and damage told from absence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, func, select

from store import schema
from store.bot_versions import BotVersions
from store.database import open_database, reading
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
