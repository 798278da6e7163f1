"""Tests of the store run once for each kind of database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine


@pytest.fixture
def engine(either_engine: Engine) -> Engine:
    return either_engine
