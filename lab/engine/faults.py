"""Injected faults: what the engine does wrong on demand, to test its clients.

May import: pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field


class Faults(BaseModel):
    """The faults to inject. All may be set together; with none set the engine is healthy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upgrade_status: int | None = Field(None, ge=400, le=599, description="answer upgrades with this HTTP status")
    drop_after_ms: int | None = Field(None, ge=0, description="abort each connection this long after it opened")
    drop_on: str | None = Field(None, description="abort when an event of this type arrives or is about to be sent")
    expire_after_s: float | None = Field(None, ge=0, description="end each session as if its time were up")
    times: int | None = Field(None, ge=1, description="how often the four above happen in total; None: always")
    fail_responses: int = Field(0, ge=0, description="this many responses fail with rate_limit_exceeded")
    mute: bool = Field(False, description="responses run as usual, but their audio is not sent")
    silent: bool = Field(False, description="events are read, but none is sent")
    refuse_updates: bool = Field(False, description="each session.update is refused")
    refuse_images: bool = Field(False, description="items with an image are refused")
    refuse_setting: str | None = Field(
        None, description="a session.update with this, like audio.output.speed, is refused"
    )

    @staticmethod
    def parse(pairs: Iterable[str]) -> Faults:
        """Read "name=value" pairs of a command line. Raises: ValueError."""
        return Faults.model_validate(dict(pair.partition("=")[::2] for pair in pairs))


NO_FAULTS = Faults()


class ArmedFaults:
    """Faults, and how often they may still happen. One for a whole engine."""

    def __init__(self, faults: Faults) -> None:
        self.arm(faults)

    def arm(self, faults: Faults) -> None:
        """Replace the faults and reset the counts."""
        self.faults = faults
        self._strikes_left = faults.times
        self._failures_left = faults.fail_responses

    def refuses_upgrade(self) -> int | None:
        """The HTTP status to refuse this upgrade with, if any."""
        return self.faults.upgrade_status if self.faults.upgrade_status is not None and self._strikes() else None

    def drops_on(self, event_type: str) -> bool:
        """Whether the connection is aborted instead of this event."""
        return event_type == self.faults.drop_on and self._strikes()

    def drops_now(self) -> bool:
        """Whether a connection whose drop_after_ms has passed is aborted."""
        return self.faults.drop_after_ms is not None and self._strikes()

    def expires_now(self) -> bool:
        """Whether a session whose expire_after_s has passed ends."""
        return self.faults.expire_after_s is not None and self._strikes()

    def fails_response(self) -> bool:
        """Whether the response about to begin fails."""
        if self._failures_left == 0:
            return False
        self._failures_left -= 1
        return True

    @property
    def is_mute(self) -> bool:
        return self.faults.mute

    @property
    def is_silent(self) -> bool:
        return self.faults.silent

    def _strikes(self) -> bool:
        if self._strikes_left == 0:
            return False
        if self._strikes_left is not None:
            self._strikes_left -= 1
        return True
