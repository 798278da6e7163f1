"""When a caller who waits for words is told "one moment", how often, and when not."""

from __future__ import annotations

import pytest

from actors.clips import Clip
from actors.messages.call import ClipHeard
from actors.messages.vaic import AwaitWords, BotAudio, BotAudioEnded, CallerBargedIn, CallerTurnCommitted, FillerDue
from actors.vaic.filler import AGAIN_S, MAX_FILLERS, FillerTimer
from tests.actors.vaic.scene import MS_100, Scene
from tests.cranked import CrankedDispatcher

FIRST_MS, AGAIN_MS = 1500, AGAIN_S * 1000


@pytest.fixture
def scene(mailboxes: CrankedDispatcher) -> Scene:
    return Scene(mailboxes)


def fillers(scene: Scene) -> int:
    """How many "one moment" were begun since the last time; each has a play stream of its own."""
    return scene.wire.types().count("playStream.start")


@pytest.mark.parametrize("begins", [CallerTurnCommitted(), AwaitWords(due=True)], ids=["turn", "function"])
def test_a_caller_who_waits_is_told_so_after_a_while(scene: Scene, begins: object) -> None:
    scene.told(begins)
    scene.mailboxes.advance(FIRST_MS - 1)
    assert fillers(scene) == 0
    scene.mailboxes.advance(1)
    assert fillers(scene) == 1
    scene.mailboxes.advance(1000)
    assert scene.call.expect(ClipHeard).clip is Clip.ONE_MOMENT


def test_the_filler_is_repeated_after_a_longer_wait_up_to_a_limit(scene: Scene) -> None:
    scene.told(AwaitWords(due=True))
    scene.mailboxes.advance(FIRST_MS + AGAIN_MS - 1)
    assert fillers(scene) == 1
    scene.mailboxes.advance(1)
    assert fillers(scene) == 1
    scene.mailboxes.advance(100 * AGAIN_MS)
    assert fillers(scene) == MAX_FILLERS - 2


@pytest.mark.parametrize(
    "ends", [AwaitWords(due=False), CallerBargedIn(), BotAudio("i-1", MS_100)], ids=["none owed", "caller", "bot"]
)
def test_no_filler_is_played_after_the_wait_has_ended(scene: Scene, ends: object) -> None:
    scene.told(AwaitWords(due=True), ends)
    fillers(scene)
    scene.mailboxes.advance(10 * AGAIN_MS)
    assert fillers(scene) == 0


def test_two_requests_to_wait_are_one_wait(scene: Scene) -> None:
    scene.told(AwaitWords(due=True))
    scene.mailboxes.advance(FIRST_MS - 1)
    scene.told(CallerTurnCommitted())
    scene.mailboxes.advance(1)
    assert fillers(scene) == 1


def test_while_the_bot_sounds_it_is_waited_for_again(scene: Scene) -> None:
    scene.told(*[BotAudio("i-1", MS_100)] * 50, BotAudioEnded("i-1"), AwaitWords(due=True))
    fillers(scene)
    scene.mailboxes.advance(4 * FIRST_MS - 1)  # three times
    assert fillers(scene) == 0
    scene.mailboxes.advance(1)
    assert fillers(scene) == 1
    scene.mailboxes.advance(100 * AGAIN_MS)
    assert fillers(scene) == MAX_FILLERS - 1


def test_a_timer_that_ran_out_as_its_wait_ended_says_nothing_in_the_next_wait(scene: Scene) -> None:
    scene.told(AwaitWords(due=True))
    # The messages that end it and begin another are in the mailbox before the timer's own.
    scene.told(AwaitWords(due=False), AwaitWords(due=True), FillerDue(1))
    assert fillers(scene) == 0
    scene.mailboxes.advance(FIRST_MS)
    assert fillers(scene) == 1


def test_a_filler_time_of_zero_turns_it_off(mailboxes: CrankedDispatcher) -> None:
    started: list[float] = []

    class Timers:
        def cancel(self) -> None: ...

    def after(delay_s: float, _message: object) -> Timers:
        started.append(delay_s)
        return Timers()

    filler = FillerTimer(after, 0.0)
    filler.begin()
    assert (filler.waiting, started) == (False, [])
