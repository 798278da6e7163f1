"""Which errors of the Realtime API are permanent, so that a retry is pointless.

Pure. May import: the standard library. Rules from: docs/specs/openai-realtime.md 1.4, 1.5.
"""

from __future__ import annotations

# HTTP status of the WebSocket upgrade: bad key, wrong project, path, deployment or model.
FINAL_STATUSES = frozenset({400, 401, 403, 404})
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
# WebSocket close code: the request itself was rejected after the upgrade.
FINAL_CLOSE = 4000
