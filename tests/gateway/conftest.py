"""Removes a developer's own settings from the environment of the tests; the store that commands are given."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gateway.commands.console import err, out
from tests.gateway.daemons import logs_put_back


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TIELINE_") or name == "OPENAI_API_KEY":
            monkeypatch.delenv(name)


@pytest.fixture
def store(engine: Engine, sqlite_url: str, no_settings: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A store that no process serves: commands find it, and write lines as wide as they come."""
    for console in (out, err):
        monkeypatch.setattr(console, "width", 300)
    monkeypatch.setenv("TIELINE_DATABASE_URL", sqlite_url)
    with logs_put_back():
        yield engine
