"""A periodic job that fails."""

from __future__ import annotations

import threading

from gateway.periodic import repeat
from tests.counted import counted


def test_each_failure_is_counted_and_the_first_of_a_kind_logged_until_it_works_again(log_lines: list[str]) -> None:
    def failures() -> float:
        return counted("tieline_job_failures_total", job="practise")

    stopping, before = threading.Event(), failures()
    outcomes: list[Exception | None] = [KeyError(), KeyError(), OSError(), None, None, KeyError(), KeyError()]

    def job() -> None:
        outcome = outcomes.pop(0)
        if not outcomes:
            stopping.set()
        if outcome is not None:
            raise outcome

    repeat("practise", job, 0.0, stopping)
    assert failures() - before == 5
    assert sum("a periodic job has failed" in line for line in log_lines) == 3
    assert sum("a periodic job works again" in line for line in log_lines) == 1
