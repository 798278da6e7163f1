"""What VoiceAI Connect has reported is kept with the call that it is of."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from protocols.vaic_reports import VaicDelays
from store import schema
from store.call_reports import VaicReport, VaicReports
from store.database import open_database
from store.journal import Journal
from store.leases import Leases
from store.rows import UnreadableRow
from tests.store.garbage import BLOB, WORD, spoil
from tests.store.other_process import AT, record

ONE, TWO = (VaicDelays(turn_ms=1180),), (VaicDelays(turn_ms=900, bot_ms=700), VaicDelays(turn_ms=950))


def test_a_report_is_kept_with_the_latest_call_of_its_id_before_or_after_its_record(engine: Engine) -> None:
    reports, leases = VaicReports(engine), Leases(engine, "node")
    leases.open("c-1", "", {})
    assert reports.put({"c-1": ONE, "c-9": ONE}, AT) == ["c-9"]
    Journal(engine).finish(record("c-1"), 1)
    leases.forget("c-1")
    leases.open("c-1", "", {})
    Journal(engine).finish(record("c-2"))  # of which there is no lease
    assert reports.put({"c-1": TWO, "c-2": TWO}, AT) == []
    kept = {key: reports.of_call(key) for key in ("c-1", "c-1~2", "c-2", "c-9")}
    two = VaicReport(received_at=AT, delays=TWO)
    assert kept == {"c-1": VaicReport(received_at=AT, delays=ONE), "c-1~2": two, "c-2": two, "c-9": None}


def test_of_a_call_that_is_reported_again_the_latest_report_is_kept(engine: Engine) -> None:
    reports = VaicReports(engine)
    Journal(engine).finish(record("c-1"))
    for delays in (ONE, TWO, TWO):
        assert reports.put({"c-1": delays}, AT) == []
    assert reports.of_call("c-1") == VaicReport(received_at=AT, delays=TWO)


def test_a_damaged_count_of_an_ids_calls_is_none(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    reports = VaicReports(engine)
    Journal(engine).finish(record("c-1"))
    Leases(engine, "node").open("c-1", "", {})
    for garbage in (WORD, BLOB, "1.5"):
        spoil(engine, schema.lease, "calls", garbage, "true")
        assert reports.put({"c-1": ONE}, AT) == []
        assert reports.of_call("c-1") == VaicReport(received_at=AT, delays=ONE)
    engine.dispose()


def test_a_report_that_cannot_be_read_is_told_from_none(engine: Engine) -> None:
    reports = VaicReports(engine)
    Journal(engine).finish(record("c-1"))
    reports.put({"c-1": ONE}, AT)
    spoil(engine, schema.call_report, "facts", "'{}'", "true")
    with pytest.raises(UnreadableRow):
        reports.of_call("c-1")
