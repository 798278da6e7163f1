"""Which answers of the model's side are final: asking again changes nothing.

Pure. May import: the standard library. Rules from: docs/specs/openai-realtime.md 1.4, 1.5.
"""

from __future__ import annotations

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
