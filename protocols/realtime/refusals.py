"""Which errors of the Realtime API are permanent, so that a retry is pointless, and how long to wait after the others.

Pure. May import: the standard library. Rules from: docs/specs/openai-realtime.md 1.4, 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# HTTP status of the WebSocket upgrade: bad key, wrong project, path, deployment or model; also the answer of a server
# that is no Realtime endpoint. Only a timeout, a conflict and a limit may pass.
FINAL_STATUSES = frozenset(range(200, 500)) - {408, 409, 425, 429}
# Error codes, in an `error` event or a failed response.
FINAL_CODES = frozenset(
    {
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
    }
)
# HTTP status of a temporary refusal; `Retry-After` may name its length.
BUSY_STATUSES = frozenset({429, 503})
# WebSocket close code: the request itself was rejected after the upgrade.
FINAL_CLOSE = 4000
# Error codes of rate limits, in an `error` event or a failed response.
RATE_LIMITS = frozenset({"rate_limit_exceeded", "inference_rate_limit_exceeded"})
# Error codes that can only be about a response.create, when the event does not name what it is about.
ABOUT_REQUESTS = RATE_LIMITS | {"bad_response_create"}
# Error types that a retry may get past: failures of the server itself.
PASSING_TYPES = frozenset({"", "server_error"})

# How many characters of an error's text are read.
_TEXT_LIMIT = 500
_TRY_AGAIN = re.compile(r"try again in((?:\s?\d{1,6}(?:\.\d{1,6})?\s?(?:ms|milli|[hms]))+)", re.IGNORECASE)
_PART = re.compile(r"([\d.]+)\s?(ms|milli|[hms])", re.IGNORECASE)
_UNIT_S = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

# No wait is longer than ten years.
_LONGEST_S = 3e8


def named_wait_s(message: str) -> float | None:
    """The wait that an error's text names ("Please try again in 1m2.5s."), in s; None if it names none."""
    found = _TRY_AGAIN.search(message[:_TEXT_LIMIT])
    if found is None:
        return None
    return sum(float(number) * _UNIT_S[unit.lower()] for number, unit in _PART.findall(found[1]))


def http_date(text: str) -> datetime | None:
    """The moment that a header names, aware; None if it is none. text: of RFC 9110, 5.6.7; without a zone, of UTC."""
    try:
        named = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or a zone of twenty digits
        return None
    return named if named.tzinfo else named.replace(tzinfo=UTC)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait named by an HTTP answer, in s, possibly not positive; None if it names none.

    headers: by their names in lower case. now: the wall clock, aware.
    """
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if abs(wait_s) < _LONGEST_S:  # a NaN is in no range
            return wait_s
    until = http_date(headers.get("retry-after", ""))
    return None if until is None else (until - now).total_seconds()
