"""What the model's side refuses: for good, where asking again changes nothing, or for a while that it may name.

Pure. May import: the standard library. Rules from: docs/specs/openai-realtime.md 1.4, 1.5.
"""

from __future__ import annotations

import re

# At the upgrade: bad key, wrong project, path, deployment or model.
FINAL_STATUSES = frozenset({400, 401, 403, 404})
# In an error event or in a failed response.
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
# The request as such was rejected, after the upgrade.
FINAL_CLOSE = 4000
# In an error event or in a failed response: for a while.
RATE_LIMITS = frozenset({"rate_limit_exceeded", "inference_rate_limit_exceeded"})
# Error events that can be about nothing but a response.create, where they do not say what they are about.
ABOUT_REQUESTS = RATE_LIMITS | {"bad_response_create"}
# Errors of the server's own, by their type: the same again may succeed.
PASSING_TYPES = frozenset({"", "server_error"})

# Of an error's text, so much is read.
_TEXT_LIMIT = 500
_TRY_AGAIN = re.compile(r"try again in((?:\s?\d{1,6}(?:\.\d{1,6})?\s?(?:ms|milli|[hms]))+)", re.IGNORECASE)
_PART = re.compile(r"([\d.]+)\s?(ms|milli|[hms])", re.IGNORECASE)
_UNIT_S = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def named_wait_s(message: str) -> float | None:
    """How long an error's text says to wait ("Please try again in 1m2.5s."), in s; None where it does not say."""
    found = _TRY_AGAIN.search(message[:_TEXT_LIMIT])
    if found is None:
        return None
    return sum(float(number) * _UNIT_S[unit.lower()] for number, unit in _PART.findall(found[1]))
