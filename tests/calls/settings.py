"""The settings of a daemon that lives faster than the clock, on a machine that may be slow.

May import: gateway, pydantic, the standard library.
"""

from __future__ import annotations

from pydantic import SecretStr

from gateway.settings import Settings


def daemon_settings(openai_url: str, database_url: str) -> Settings:
    """On loopback, at free ports; whatever depends on the machine's speed is off."""
    return Settings(
        openai_url=openai_url,
        database_url=database_url,
        host="127.0.0.1",
        port=0,
        ops_port=0,
        vaic_token=SecretStr(""),
        time_zone="UTC",
        transfer_targets={},
        no_input_s=120,
        effects_per_number=0,  # all callers have one number
        filler_s=0,  # a slow engine, SPEED times slower by this clock, must not cause fillers
        max_lag_ms=0,  # the engine may share the daemon's loop and block it
    )
