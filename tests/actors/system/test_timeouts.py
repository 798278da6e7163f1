"""The time limits of one actor: each key has one timer; the Deadline of a cancelled timer is recognised."""

from __future__ import annotations

from enum import Enum

import pytest

from actors.system.dispatcher import Timer
from actors.system.signals import Deadline
from actors.system.timeouts import NamedTimers
from tests.cranked import CrankedDispatcher


class Limit(Enum):
    FIRST = "first"
    SECOND = "second"


class Scene:
    """The messages that an actor's timers sent."""

    def __init__(self) -> None:
        self.dispatcher = CrankedDispatcher()
        self.told: list[object] = []
        self.timers: NamedTimers[Limit] = NamedTimers(self._after)

    def _after(self, delay_s: float, message: object) -> Timer:
        return self.dispatcher.after(delay_s, lambda: self.told.append(message))

    def deadline(self) -> Deadline[Limit]:
        """The message of the limit that has just run out."""
        message = self.told.pop()
        assert isinstance(message, Deadline)
        return message


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_limit_that_runs_out_sends_one_deadline(scene: Scene) -> None:
    scene.timers.start(Limit.FIRST, 2.0)
    scene.dispatcher.advance(1999)
    assert scene.told == []
    assert Limit.FIRST in scene.timers
    scene.dispatcher.advance(1)
    deadline = scene.deadline()
    assert deadline.key is Limit.FIRST
    assert scene.timers.expire(deadline)
    assert Limit.FIRST not in scene.timers
    assert not scene.timers.expire(deadline)


def test_starting_a_limit_again_restarts_its_delay(scene: Scene) -> None:
    scene.timers.start(Limit.FIRST, 2.0)
    scene.dispatcher.advance(1500)
    scene.timers.start(Limit.FIRST, 2.0)
    scene.dispatcher.advance(1999)
    assert scene.told == []
    scene.dispatcher.advance(1)
    assert scene.timers.expire(scene.deadline())


def test_start_once_leaves_a_running_limit_alone(scene: Scene) -> None:
    scene.timers.start(Limit.FIRST, 2.0)
    scene.dispatcher.advance(1500)
    scene.timers.start_once(Limit.FIRST, 2.0)
    scene.dispatcher.advance(500)
    assert scene.timers.expire(scene.deadline())


def test_the_deadline_of_a_limit_cancelled_meanwhile_does_not_count(scene: Scene) -> None:
    scene.timers.start(Limit.FIRST, 1.0)
    scene.dispatcher.advance(1000)
    scene.timers.cancel(Limit.FIRST)
    assert not scene.timers.expire(scene.deadline())


def test_the_deadline_of_a_limit_restarted_meanwhile_does_not_count(scene: Scene) -> None:
    scene.timers.start(Limit.FIRST, 1.0)
    scene.dispatcher.advance(1000)
    scene.timers.start(Limit.FIRST, 1.0)
    assert not scene.timers.expire(scene.deadline())
    assert Limit.FIRST in scene.timers
    scene.dispatcher.advance(1000)
    assert scene.timers.expire(scene.deadline())


def test_limits_run_independently_and_are_cleared_together(scene: Scene) -> None:
    scene.timers.start(Limit.FIRST, 1.0)
    scene.timers.start(Limit.SECOND, 2.0)
    scene.timers.cancel(Limit.FIRST)
    assert Limit.SECOND in scene.timers
    scene.timers.clear()
    scene.dispatcher.advance(5000)
    assert scene.told == []
    assert Limit.SECOND not in scene.timers
