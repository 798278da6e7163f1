"""The figures of a call, in its record: how long the caller waited and what for, what it used and cost.

Times are in whole ms from the call's start, by the clock that the ear has: a moment counts when it was heard, or was
spoken. None where a moment is not known. Documented in docs/metrics.md.
May import: pydantic, the standard library.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

# Outcomes of calls that metrics tell apart: ours, and VAIC's reason codes. Any other is OTHER there, and may be asked
# for so.
OUTCOMES = frozenset(
    {
        "completed",
        "transferred",
        "failed",
        "lost",
        "drained",
        "silent",
        "too-long",
        "too-costly",
        "client-disconnected",
        "bot-disconnected",
        "machine-detected",
        "error",
    }
)
OTHER = "other"
# The parts of an answer's time, in their order; together they are all of it.
Stage = Literal["endpointing", "ours", "model", "tool", "playout"]
STAGES: tuple[Stage, ...] = ("endpointing", "ours", "model", "tool", "playout")


class _Figures(BaseModel):
    # A later release may have written more.
    model_config = ConfigDict(frozen=True, extra="ignore")


class AnswerFigures(_Figures):
    """How a turn of the caller was answered, as the caller has heard it.

    item_id: of the answer, the bot's turn. quiet_ms: the last sample of the caller with speech. turn_ms: the model took
    the turn to be over. asked_ms: its first response to it was created. first_ms: the first audio of the answer came.
    sent_ms: the first of it was sent to VAIC. heard_ms: its first sample sounded. tool_ms: how long function calls took
    between asked and first. answer_ms: from quiet to heard. stages: the parts of it that are known.
    """

    item_id: str
    quiet_ms: int
    turn_ms: int
    asked_ms: int | None = None
    first_ms: int | None = None
    sent_ms: int | None = None
    heard_ms: int
    tool_ms: int = 0
    answer_ms: int
    stages: dict[Stage, int] = {}

    @property
    def complete(self) -> bool:
        """Whether all of its time is known by stage."""
        return len(self.stages) == len(STAGES)


def answer(
    *,
    item_id: str,
    quiet_ms: int,
    turn_ms: int,
    heard_ms: int,
    asked_ms: int | None = None,
    first_ms: int | None = None,
    sent_ms: int | None = None,
    tool_ms: int = 0,
) -> AnswerFigures:
    """The figures of an answer by its marks; those of its stages whose marks are there."""
    stages: dict[Stage, int] = {"endpointing": turn_ms - quiet_ms}
    if asked_ms is not None and first_ms is not None and sent_ms is not None:
        stages["ours"] = asked_ms - turn_ms + sent_ms - first_ms
        stages["model"] = first_ms - asked_ms - tool_ms
        stages["tool"] = tool_ms
    if sent_ms is not None:
        stages["playout"] = heard_ms - sent_ms
    return AnswerFigures(
        item_id=item_id,
        quiet_ms=quiet_ms,
        turn_ms=turn_ms,
        asked_ms=asked_ms,
        first_ms=first_ms,
        sent_ms=sent_ms,
        heard_ms=heard_ms,
        tool_ms=tool_ms,
        answer_ms=heard_ms - quiet_ms,
        stages=stages,
    )


class Silence(_Figures):
    """A time over a second in which neither of the two was heard. after: who was heard last before it."""

    at_ms: int
    length_ms: int
    after: Literal["caller", "bot"]


class ToolFigures(_Figures):
    """One function call of the model. length_ms: until its output was there; None if it never was."""

    name: str
    at_ms: int
    length_ms: int | None = None


class CallFigures(_Figures):
    """The figures of a whole call; those of its turns are in its turns.

    greeting_ms: from the call's start to the first sound of the bot. silences: those over a second, from then on.
    dials_ms: how long each connection to the model took to open. tokens: by kind, which are disjoint: what was read
    from the cache is counted only there. transcribed_s: seconds of the caller's speech that were billed by time.
    cost_usd: by the price list of its day, of what has a price there; None if nothing has. unpriced: models without.
    unheard_ms: speech of the bot that was generated, and so paid for, but never heard. rates_left: the least that was
    left of the model account's limits ("requests", "tokens") at the end of a response, as a share of each.
    """

    greeting_ms: int | None = None
    silences: tuple[Silence, ...] = ()
    tools: tuple[ToolFigures, ...] = ()
    dials_ms: tuple[int, ...] = ()
    tokens: dict[str, int] = {}
    transcribed_s: float = 0.0
    cost_usd: float | None = None
    unpriced: tuple[str, ...] = ()
    unheard_ms: int = 0
    rates_left: dict[str, float] = {}

    @property
    def longest_silence_ms(self) -> int:
        """0 if there was none."""
        return max((each.length_ms for each in self.silences), default=0)
