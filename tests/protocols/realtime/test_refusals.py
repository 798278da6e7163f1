"""Which refusals are final: what is wrong with the request stays wrong, what is wrong with the server may pass."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from protocols.realtime.refusals import FINAL_CLOSE, FINAL_CODES, FINAL_STATUSES, named_wait_s, retry_after_s


@pytest.mark.parametrize(
    ("status", "final"),
    [
        *((status, True) for status in (200, 301, 400, 401, 402, 403, 404, 410, 426)),
        *((status, False) for status in (408, 409, 425, 429, 500, 503)),
    ],
)
def test_a_status_of_the_upgrade(status: int, final: bool) -> None:
    assert (status in FINAL_STATUSES) is final


@pytest.mark.parametrize(
    ("code", "final"),
    [
        ("invalid_api_key", True),
        ("insufficient_quota", True),
        ("model_not_found", True),
        ("rate_limit_exceeded", False),
        ("server_error", False),
        ("session_expired", False),
        ("conversation_already_has_active_response", False),
    ],
)
def test_a_code_of_an_error_event(code: str, final: bool) -> None:
    assert (code in FINAL_CODES) is final


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012])
def test_a_close_that_servers_send_for_reasons_of_their_own_is_not_final(code: int) -> None:
    assert code != FINAL_CLOSE
    assert 4000 <= FINAL_CLOSE < 5000


@pytest.mark.parametrize(
    ("message", "wait_s"),
    [
        ("Rate limit reached for gpt-realtime on tokens per min. Please try again in 8s.", 8.0),
        ("Please try again in 1.2s. Visit https://example.com", 1.2),
        ("Please try again in 350ms.", 0.35),
        ("Please try again in 6m0s.", 360.0),
        ("try again in 1m2.5s", 62.5),
        ("Try again in 20 seconds", 20.0),
        ("try again in 2 minutes", 120.0),
        ("try again in 500 milliseconds", 0.5),
        ("try again in 1h", 3600.0),
        ("try again in a moment", None),
        ("try again in 99999999999999999999s", None),
        ("", None),
        ("x" * 10_000_000 + "try again in 8s", None),
    ],
)
def test_the_wait_that_an_errors_text_names(message: str, wait_s: float | None) -> None:
    assert named_wait_s(message) == (None if wait_s is None else pytest.approx(wait_s))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "6"}, 6.0),
        ({"retry-after": "6", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 13:05:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 13:04:00 -0000"}, -60.0),
        ({"retry-after": "-3"}, -3.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_an_http_answer_names(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers, datetime(2026, 11, 23, 13, 5, tzinfo=UTC)) == wait_s
