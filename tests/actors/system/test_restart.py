"""Restart policies: which child is restarted, how often, after what delay, and when its parent has failed."""

from __future__ import annotations

import pytest

from actors.system.restart import Escalate, LetGo, Restart, RestartHistory, RestartIn, RestartPolicy, Verdict

BOOM = RuntimeError("boom")


@pytest.mark.parametrize(
    ("restart", "reason", "verdict"),
    [
        (Restart.PERMANENT, None, RestartIn(0.0)),
        (Restart.PERMANENT, BOOM, RestartIn(0.0)),
        (Restart.TRANSIENT, None, LetGo()),
        (Restart.TRANSIENT, BOOM, RestartIn(0.0)),
        (Restart.TEMPORARY, None, LetGo()),
        (Restart.TEMPORARY, BOOM, LetGo()),
    ],
)
def test_the_restart_type_decides_whether_a_child_is_restarted(
    restart: Restart, reason: Exception | None, verdict: Verdict
) -> None:
    history = RestartHistory(RestartPolicy(restart=restart, backoff_s=1))
    assert history.died(reason, now_s=0, rand=lambda: 0.0) == verdict


def test_more_deaths_than_the_intensity_within_the_period_escalate() -> None:
    history = RestartHistory(RestartPolicy(restart=Restart.PERMANENT, intensity=3, period_s=10))
    verdicts = [history.died(BOOM, now_s=second, rand=lambda: 0.0) for second in (0, 1, 2, 3)]
    assert [type(verdict) for verdict in verdicts] == [RestartIn, RestartIn, RestartIn, Escalate]


def test_deaths_before_the_period_are_not_counted() -> None:
    history = RestartHistory(RestartPolicy(restart=Restart.PERMANENT, intensity=2, period_s=10))
    verdicts = [history.died(BOOM, now_s=second, rand=lambda: 0.0) for second in (0, 6, 12, 18, 24)]
    assert all(isinstance(verdict, RestartIn) for verdict in verdicts)


def test_the_first_restart_is_at_once_then_the_delay_doubles_to_its_cap() -> None:
    policy = RestartPolicy(restart=Restart.PERMANENT, intensity=6, period_s=60, backoff_s=0.5, backoff_cap_s=3)
    history = RestartHistory(policy)
    delays = [history.died(BOOM, now_s=0, rand=lambda: 0.0) for _ in range(6)]
    assert delays == [RestartIn(each) for each in (0.0, 0.5, 1.0, 2.0, 3.0, 3.0)]


def test_jitter_shortens_a_delay_by_its_share_and_no_more() -> None:
    policy = RestartPolicy(restart=Restart.PERMANENT, intensity=6, backoff_s=1.0, jitter=0.25)
    history = RestartHistory(policy)
    history.died(BOOM, now_s=0, rand=lambda: 1.0)
    assert history.died(BOOM, now_s=0, rand=lambda: 1.0) == RestartIn(0.75)
