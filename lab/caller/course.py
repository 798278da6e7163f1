"""The course a call took, as VAIC's side knows it: noted while it goes on, read by the report.

May import: the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Loss:
    """The socket was lost. `code`: how it was closed, 1006 when it was not. `resumed_ms`: None when it never was."""

    lost_ms: int
    code: int
    resumed_ms: int | None = None


@dataclass(slots=True)
class Course:
    """Times in ms since `session.initiate`. `outcome`: a reason code of `session.end`, or `refused`."""

    outcome: str = ""
    ended_ms: int | None = None
    transfer_target: str | None = None
    losses: list[Loss] = field(default_factory=list)
    barge_ins: int = 0
    barge_in_stop_ms: list[int] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """VAIC has said its last word, or never could."""
        return self.ended_ms is not None

    @property
    def open_loss(self) -> Loss | None:
        """The loss that is not made good yet."""
        return self.losses[-1] if self.losses and self.losses[-1].resumed_ms is None else None

    def end(self, outcome: str, now_ms: int) -> None:
        self.outcome, self.ended_ms = outcome, now_ms
