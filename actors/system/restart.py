"""Restart policies: which child is restarted, when, and when its failure becomes its parent's. Pure functions.

The rules are those of Erlang/OTP supervisors.

May import: the standard library. Rules from: docs/specs/reliability.md 1.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Restart(Enum):
    """When a child is restarted. PERMANENT: always. TRANSIENT: if it ended by an error. TEMPORARY: never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(Enum):
    """Which children are restarted with one that died.

    ONE_FOR_ONE: none. ONE_FOR_ALL: all: they are stopped, the last started first, and started again in order.
    """

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most `intensity` restarts within `period_s`; the delay doubles from `backoff_s` to `backoff_cap_s`.

    jitter: the largest random share taken off a delay, so that many calls do not restart at the same moment.
    shutdown_s: how long a child may take to stop before it is abandoned.
    """

    restart: Restart
    intensity: int = 3
    period_s: float = 10.0
    backoff_s: float = 0.0
    backoff_cap_s: float = 8.0
    jitter: float = 0.25
    shutdown_s: float = 3.0


@dataclass(frozen=True, slots=True)
class LetGo:
    """The child is not restarted."""


@dataclass(frozen=True, slots=True)
class RestartIn:
    delay_s: float


@dataclass(frozen=True, slots=True)
class Escalate:
    """The restart intensity is exceeded: the parent has failed."""


Verdict = LetGo | RestartIn | Escalate


@dataclass(slots=True)
class RestartHistory:
    """The restarts of one child."""

    policy: RestartPolicy
    _at_s: deque[float] = field(default_factory=deque)

    def died(self, reason: BaseException | None, now_s: float, rand: Callable[[], float]) -> Verdict:
        """Decide on one death. reason: None for a normal end. now_s: monotonic. rand: in [0, 1)."""
        policy = self.policy
        if policy.restart is Restart.TEMPORARY or (policy.restart is Restart.TRANSIENT and reason is None):
            return LetGo()
        while self._at_s and now_s - self._at_s[0] > policy.period_s:
            self._at_s.popleft()
        if len(self._at_s) >= policy.intensity:
            return Escalate()
        # The first restart within the period has no delay.
        attempt = len(self._at_s)
        delay_s = 0.0 if attempt == 0 else min(policy.backoff_s * 2 ** (attempt - 1), policy.backoff_cap_s)
        self._at_s.append(now_s)
        return RestartIn(delay_s * (1 - policy.jitter * rand()))
