"""How long callers waited for answers in many calls, by stage, and for which the longest, from the records.

Pure. May import: store's record types, the standard library.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from store.figures import STAGES, AnswerFigures, Stage
from store.journal import CallRecord

# The share of answers that are quicker than what is called slow.
HIGH = 0.95


@dataclass(frozen=True, slots=True)
class SlowAnswer:
    """call: the key of its record."""

    call: str
    bot: str
    answer: AnswerFigures


@dataclass(slots=True)
class AnswerTimes:
    """answers_ms: of every answer, in no order. stages_ms: of those where that stage is known. slowest: first."""

    calls: int = 0
    answers_ms: list[int] = field(default_factory=list)
    stages_ms: dict[Stage, list[int]] = field(default_factory=lambda: {stage: list[int]() for stage in STAGES})
    slowest: list[SlowAnswer] = field(default_factory=list)


def answer_times(records: Iterable[CallRecord], most: int) -> AnswerTimes:
    """most: so many of the slowest are kept, so that any number of records needs little memory."""
    times = AnswerTimes()
    for record in records:
        times.calls += 1
        answers = [turn.answer for turn in record.turns if turn.answer is not None]
        for each in answers:
            times.answers_ms.append(each.answer_ms)
            for stage, length_ms in each.stages.items():
                times.stages_ms[stage].append(length_ms)
        found = (SlowAnswer(record.conversation_id, record.bot, each) for each in answers)
        times.slowest = heapq.nlargest(most, [*times.slowest, *found], key=lambda slow: slow.answer.answer_ms)
    return times


def quantile(lengths_ms: list[int], share: float) -> int:
    """The length below which this share of them is. lengths_ms: at least one."""
    return sorted(lengths_ms)[min(int(len(lengths_ms) * share), len(lengths_ms) - 1)]
