"""What an operator learns of a damaged row: once, by its key."""

from __future__ import annotations

import pytest
from loguru import logger

from actors.process.quarantine import Quarantine
from store.rows import UnreadableRow
from tests.counted import counted


def unreadable(table: str) -> float:
    return counted("tieline_unreadable_rows_total", table=table)


@pytest.mark.parametrize(("table", "key"), [("call_event", "c-1/7"), ("effect", "c-1:t1:4"), ("lease", "c-1")])
def test_a_row_is_counted_and_logged_once_with_its_key(table: str, key: str) -> None:
    told: list[object] = []
    sink = logger.add(lambda line: told.append(line.record["extra"]), level="ERROR")
    quarantine, before = Quarantine(), unreadable(table)
    for _ in range(3):
        quarantine(UnreadableRow(table, key))
    quarantine(UnreadableRow(table, "c-2"))
    logger.remove(sink)
    assert unreadable(table) - before == 2
    assert told == [
        {"table": table, "key": key},
        {"table": table, "key": "c-2"},
    ]
