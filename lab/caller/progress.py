"""The state of a call on VAIC's side, kept for the report.

May import: the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class SocketLoss:
    """A lost socket. code: the close code, 1006 without one. resumed_ms: None if it was not resumed."""

    lost_ms: int
    code: int
    resumed_ms: int | None = None


@dataclass(slots=True)
class CallProgress:
    """Times in ms since `session.initiate`. outcome: a reason code of `session.end`, or `refused`."""

    outcome: str = ""
    ended_ms: int | None = None
    transfer_target: str | None = None
    losses: list[SocketLoss] = field(default_factory=list)
    barge_ins: int = 0
    barge_in_stop_ms: list[int] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """VAIC has sent `session.end`, or never will."""
        return self.ended_ms is not None

    @property
    def open_loss(self) -> SocketLoss | None:
        """The loss that is not resumed yet."""
        return self.losses[-1] if self.losses and self.losses[-1].resumed_ms is None else None

    def end(self, outcome: str, now_ms: int) -> None:
        self.outcome, self.ended_ms = outcome, now_ms
