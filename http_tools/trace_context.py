"""The ids of a call's trace and of its spans (W3C Trace Context): by HMAC, so that whoever knows the call has the same.

Pure. May import: the standard library.
"""

from __future__ import annotations

import hashlib
import hmac

# Of processes without a key of their own: the ids are not secret, they only have to be the same everywhere.
NO_KEY = "tieline"
# The span of the whole call, and that of an effect, with its key.
CALL, EFFECT = "call", "effect"


class TraceIds:
    """key: TIELINE_TRACE_KEY, the same at all processes that share a store; "" for none."""

    def __init__(self, key: str = "") -> None:
        self._key = (key or NO_KEY).encode("utf-8", "surrogatepass")

    def trace(self, call_key: str) -> int:
        """128 bits, never 0. call_key: see store/call_keys.py."""
        return self._number(16, "trace", call_key)

    def span(self, call_key: str, *of: str) -> int:
        """64 bits, never 0. of: what the span is of, as (EFFECT, key)."""
        return self._number(8, "span", call_key, *of)

    def traceparent(self, call_key: str, *of: str) -> str:
        """The header by which a system that is asked hangs its own spans below that one."""
        return f"00-{self.trace(call_key):032x}-{self.span(call_key, *of):016x}-01"

    def _number(self, length: int, *parts: str) -> int:
        digest = hmac.new(self._key, "\0".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return int.from_bytes(digest[:length]) or 1
