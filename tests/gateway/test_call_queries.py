"""What may be asked of calls, what is refused with a reason, and what is masked."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.call_queries import (
    WrongQuestion,
    cursor_of,
    cursor_text,
    filter_of,
    limit_of,
    masked,
    moment,
    record_json,
    without_caller,
)
from store.calls import CallFilter
from store.journal import TurnRecord
from tests.store.other_process import record

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        (" 24h ", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("2 w", NOW - timedelta(weeks=2)),
        ("30s", NOW - timedelta(seconds=30)),
        ("2026-11-29", datetime(2026, 11, 29, tzinfo=UTC)),
        ("2026-11-29T22:00+01:00", datetime(2026, 11, 29, 21, tzinfo=UTC)),
        ("2026-11-29T22:00 01:00", datetime(2026, 11, 29, 21, tzinfo=UTC)),  # as a URL has it
        ("2026-11-29 22:00", datetime(2026, 11, 29, 22, tzinfo=UTC)),
        ("today", datetime(2026, 11, 30, tzinfo=UTC)),
        ("2026-11-29T22:00Z", datetime(2026, 11, 29, 22, tzinfo=UTC)),
    ],
)
def test_a_moment_is_told_from_now_or_by_the_calendar(text: str, told: datetime) -> None:
    assert moment("since", text, NOW) == told


@pytest.mark.parametrize(
    "text", ["yesterday", "-1h", "1y", "999999w", "2026-13-01", "24", "1e3h", "0001-01-01T00:00+14:00"]
)
def test_a_moment_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(WrongQuestion, match=r"^until: "):
        moment("until", text, NOW)


def test_a_moment_that_is_yet_to_come_is_refused_with_what_time_it_is() -> None:
    """Who is an hour ahead of UTC and means a local time would else be told that nothing has happened."""
    with pytest.raises(WrongQuestion, match=r"^since: 2026-11-30T03:50 UTC is yet to come, it is 2026-11-30T03:00 UTC"):
        moment("since", "2026-11-30T03:50", NOW)


@pytest.mark.parametrize("until", ["2h", "1h", "2026-11-30T01:00"])
def test_a_time_that_ends_before_it_begins_is_refused(until: str) -> None:
    with pytest.raises(WrongQuestion, match=r"^until: .* is not after since: 2026-11-30T02:00 UTC"):
        filter_of({"since": "1h", "until": until}, NOW)


def test_a_filter_has_what_was_asked_for_and_nothing_else() -> None:
    asked = {"outcome": "failed", "task": "book", "since": "1h", "bot": "", "limit": "5", "unmasked": "1"}
    assert filter_of(asked, NOW) == CallFilter(outcome="failed", task="book", since=NOW - timedelta(hours=1))
    assert filter_of({}, NOW) == CallFilter()
    hour = CallFilter(since=NOW - timedelta(hours=2), until=NOW - timedelta(hours=1))
    assert filter_of({"since": "2h", "until": "2026-11-30T02:00"}, NOW) == hour


@pytest.mark.parametrize("text", ["0", "-1", "1001", "x", "1.5", "9" * 5000])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WrongQuestion, match=r"^limit: must be a number from 1 to 1000"):
        limit_of(text)


def test_a_limit_may_be_left_out() -> None:
    assert (limit_of(""), limit_of("7")) == (100, 7)


@given(st.datetimes(timezones=st.just(UTC)), st.text())
def test_a_cursor_comes_back_as_it_went(began: datetime, key: str) -> None:
    text = cursor_text((began, key))
    assert text is not None
    assert cursor_of(text) == (began, key)


@pytest.mark.parametrize("text", ["x", "W10=", "WzEsMl0=", "eyJhIjoxfQ==", "bnVsbA==", "ä", "WyIyMDI2LTAxLTAxIl0="])
def test_a_cursor_that_was_made_up_is_refused(text: str) -> None:
    with pytest.raises(WrongQuestion):
        cursor_of(text)


@pytest.mark.parametrize(
    "text",
    [
        '["0001-01-01T00:00+14:00", "x"]',  # before the calendar begins, in UTC
        '["2026-11-30T00:00+00:00", "\\ud800"]',  # half of a pair
        "[" * 5000,
    ],
)
def test_a_cursor_that_no_database_and_no_parser_takes_is_refused(text: str) -> None:
    with pytest.raises(WrongQuestion):
        cursor_of(base64.urlsafe_b64encode(text.encode()).decode())


def test_a_cursor_with_something_behind_it_is_refused() -> None:
    with pytest.raises(WrongQuestion):
        cursor_of(f"{cursor_text((NOW, 'c-1'))}=x")


def test_the_first_page_has_no_cursor() -> None:
    assert (cursor_of(""), cursor_text(None)) == (None, None)


@pytest.mark.parametrize(
    ("caller", "shown"),
    [("+4930555010", "+49…10"), ("030555010", "030…10"), ("anonymous", "ano…us"), ("12345", "…"), ("", "")],
)
def test_a_number_is_masked_but_for_its_ends(caller: str, shown: str) -> None:
    assert masked(caller) == shown


def test_the_caller_is_masked_wherever_the_number_stands() -> None:
    text = "call +4930555010 or 4930555010, not 4930555011"
    assert without_caller(text, "+4930555010") == "call +49…10 or 493…10, not 4930555011"
    assert without_caller("12345 12345", "12345") == "12345 12345"


def test_a_record_hides_its_callers_number_also_in_what_was_said_unless_asked() -> None:
    said = TurnRecord(role="caller", text="I am +4930555010.", item_id="i", began_ms=0, ended_ms=1, heard_ms=1)
    whole = record().model_copy(update={"caller": "+4930555010", "turns": (said,)})
    hidden = json.loads(record_json(whole, unmasked=False))
    assert (hidden["caller"], hidden["turns"][0]["text"]) == ("+49…10", "I am +49…10.")
    assert json.loads(record_json(whole, unmasked=True)) == json.loads(whole.model_dump_json())


@pytest.mark.parametrize("caller", ['"turns":[]', 'completed","', "conversation_id", "bot_digest", "\\\\\\\\\\\\"])
def test_what_a_caller_calls_itself_breaks_no_record(caller: str) -> None:
    whole = record().model_copy(update={"caller": caller})
    hidden = json.loads(record_json(whole, unmasked=False))
    assert hidden | {"caller": caller} == json.loads(whole.model_dump_json())
    assert hidden["caller"] != caller
