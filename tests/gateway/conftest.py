"""Removes a developer's own settings from the environment of the tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TIELINE_") or name == "OPENAI_API_KEY":
            monkeypatch.delenv(name)
