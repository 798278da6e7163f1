"""A supervisor's children: whichever way one dies, its policy decides, and its place never holds two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors.system.actor import LoopActor
from actors.system.address import NullRef, StableRef
from actors.system.dispatcher import Timer
from actors.system.restart import Escalate, LetGo, Restart, RestartIn, RestartPolicy, Verdict
from actors.system.signals import ChildDied, RestartDue
from actors.system.supervisor import Supervisor
from tests.actors.calls import WaitingDispatcher, living
from tests.actors.mortal import Boom, Mortal, OnLoop, OnThread

PERMANENT = RestartPolicy(restart=Restart.PERMANENT, intensity=2, period_s=10, backoff_s=1.0)
TRANSIENT = RestartPolicy(restart=Restart.TRANSIENT, intensity=2, period_s=10)
TEMPORARY = RestartPolicy(restart=Restart.TEMPORARY)


class Mother(LoopActor):
    """Does with her children what the two supervisors do, and keeps what they came to."""

    def __init__(self) -> None:
        super().__init__()
        self.children = Supervisor(self.actor_ref, self.now_ms, lambda: 0.0, self._later)
        self.deaths: list[ChildDied] = []
        self.verdicts: list[Verdict | None] = []
        self.again: list[tuple[str, float]] = []

    def _later(self, delay_s: float, message: object) -> Timer:
        if isinstance(message, RestartDue):  # the test says when
            self.again.append((message.child, delay_s))
            return self.after(0, NullRef())
        return self.after(delay_s, message)

    def on_receive(self, message: object) -> None:
        if isinstance(message, ChildDied):
            self.deaths.append(message)
            self.verdicts.append(self.children.died(message))
        elif callable(message):
            message(self)


class Family:
    """One mother, run by messages; `seat` is the place of her child "kid"."""

    def __init__(self, mailboxes: WaitingDispatcher) -> None:
        self.mailboxes = mailboxes
        self.stable_ref: StableRef[Any] = StableRef()
        self._mothers: list[Mother] = []
        self.ref = Mother.start()
        self.does(self._mothers.append)

    @property
    def mother(self) -> Mother:
        return self._mothers[0]

    def does(self, what: Callable[[Mother], object]) -> None:
        self.ref.tell(what)
        self.mailboxes.drain()

    def bears(self, policy: RestartPolicy, kind: type[Mortal] = OnLoop, dies_in: str = "") -> None:
        actor: Any = kind
        self.does(
            lambda mother: mother.children.start(
                "kid", self.stable_ref, policy, lambda parent_link: actor.start(parent_link, dies_in)
            )
        )

    def restarts(self) -> None:
        self.does(lambda mother: mother.children.restart("kid"))

    def dies(self, message: str) -> None:
        """Tell the child what it dies of, and wait until that was judged."""
        judged = len(self.mother.verdicts)
        self.stable_ref.tell(message)
        self.mailboxes.until(lambda: len(self.mother.verdicts) > judged)


@pytest.fixture
def family(mailboxes: WaitingDispatcher) -> Family:
    return Family(mailboxes)


WAYS: list[tuple[type[Mortal], str, str, str]] = [
    (OnLoop, "", "boom", "Boom"),
    (OnLoop, "", "exit", "SystemExit"),
    (OnLoop, "", "lost", "TransportLost"),
    (OnLoop, "on_start", "", "Boom"),
    (OnLoop, "__init__", "", "Boom"),
    (OnThread, "", "boom", "Boom"),
    (OnThread, "", "exit", "SystemExit"),
    (OnThread, "on_start", "", "Boom"),
    (OnThread, "__init__", "", "Boom"),
]


@pytest.mark.parametrize("policy", [PERMANENT, TRANSIENT, TEMPORARY], ids=lambda policy: policy.restart.value)
@pytest.mark.parametrize(("kind", "dies_in", "message", "reason"), WAYS)
def test_a_child_that_dies_by_an_error_is_judged_once_by_its_policy(
    family: Family, kind: type[Mortal], dies_in: str, message: str, reason: str, policy: RestartPolicy
) -> None:
    family.bears(policy, kind, dies_in)
    if message:
        family.dies(message)
    family.mailboxes.until(lambda: family.mother.verdicts)
    (death,) = family.mother.deaths
    assert type(death.reason).__name__ == reason
    assert reason in death.trace
    temporary = policy is TEMPORARY
    assert family.mother.verdicts == [LetGo() if temporary else RestartIn(0.0)]
    assert family.mother.again == ([] if temporary else [("kid", 0.0)])
    assert ("kid" in family.mother.children) is not temporary
    assert family.stable_ref.occupant is None


def test_a_timer_that_raises_is_judged_too(family: Family) -> None:
    family.bears(TRANSIENT)
    family.stable_ref.tell(0.1)
    family.mailboxes.advance(100)
    assert family.mother.verdicts == [RestartIn(0.0)]


@pytest.mark.parametrize(
    ("policy", "verdict"), [(PERMANENT, RestartIn(0.0)), (TRANSIENT, LetGo()), (TEMPORARY, LetGo())]
)
def test_a_child_that_ends_by_itself_is_started_again_only_where_it_is_permanent(
    family: Family, policy: RestartPolicy, verdict: Verdict
) -> None:
    family.bears(policy)
    assert isinstance(family.stable_ref.occupant, pykka.ActorRef)
    family.stable_ref.occupant.stop(block=False)
    family.mailboxes.drain()
    assert family.mother.verdicts == [verdict]
    assert family.mother.deaths[0].reason is None


def test_a_restarted_child_takes_its_predecessors_seat_under_a_new_generation(family: Family) -> None:
    family.bears(TRANSIENT)
    family.dies("boom")
    family.restarts()
    family.dies("boom")
    assert [death.generation for death in family.mother.deaths] == [1, 2]


def test_more_deaths_than_the_intensity_escalate_and_leave_the_place_empty(family: Family) -> None:
    family.bears(PERMANENT)
    for _ in range(2):
        family.dies("boom")
        family.restarts()
    family.dies("boom")
    assert family.mother.verdicts == [RestartIn(0.0), RestartIn(1.0), Escalate()]
    assert "kid" not in family.mother.children
    family.restarts()
    assert living(OnLoop) == []


def test_a_child_that_fails_at_every_start_escalates(family: Family) -> None:
    family.bears(TRANSIENT, dies_in="__init__")
    family.restarts()
    family.restarts()
    assert family.mother.verdicts == [RestartIn(0.0), RestartIn(0.0), Escalate()]


def test_a_child_that_was_told_to_stop_is_left_until_it_ended_and_is_not_judged(family: Family) -> None:
    family.bears(PERMANENT)
    leaving: list[bool] = []

    def stop(mother: Mother) -> None:
        mother.children.stop("kid")
        leaving.append(mother.children.leaving)

    family.does(stop)
    assert leaving == [True]
    assert family.mother.verdicts == [None]
    assert not family.mother.children.leaving
    assert family.stable_ref.occupant is None


def test_a_child_that_crashes_on_its_way_out_is_not_started_again(family: Family) -> None:
    family.bears(PERMANENT)

    def crash_and_stop(mother: Mother) -> None:
        family.stable_ref.tell("boom")
        mother.children.stop("kid")

    family.does(crash_and_stop)
    assert family.mother.verdicts == [None]
    assert family.mother.again == []
    assert not family.mother.children.leaving


def test_who_takes_a_name_that_is_held_has_its_holder_stopped(family: Family) -> None:
    family.bears(PERMANENT)
    former = family.stable_ref.occupant
    family.bears(PERMANENT)
    (only,) = living(OnLoop)
    assert family.stable_ref.occupant == only != former
    assert family.mother.verdicts == [None], "the former one's end is nobody's loss"
    family.dies("boom")
    assert family.mother.verdicts == [None, RestartIn(0.0)]


def test_the_death_of_a_former_holder_of_the_place_is_not_its_present_holders(family: Family) -> None:
    family.bears(TRANSIENT)
    family.ref.tell(ChildDied("kid", 0, Boom()))
    family.mailboxes.drain()
    assert family.mother.verdicts == [None]
    assert family.stable_ref.occupant == living(OnLoop)[0]


def test_stopping_all_stops_each_and_also_those_that_wait_for_their_restart(family: Family) -> None:
    family.bears(TRANSIENT)
    family.does(lambda mother: mother.children.start("other", StableRef(), TRANSIENT, OnThread.start))
    family.dies("boom")
    family.does(lambda mother: mother.children.stop_all())
    family.mailboxes.until(lambda: not family.mother.children.leaving)
    family.restarts()
    assert living(OnLoop) == []
    assert living(OnThread) == []


def test_a_child_that_is_forgotten_is_not_started_again_whatever_its_policy(family: Family) -> None:
    family.bears(PERMANENT)
    family.does(lambda mother: mother.children.unlink(ChildDied("kid", 1, None)))
    assert "kid" not in family.mother.children
    assert family.stable_ref.occupant is None


def test_an_abandoned_child_is_neither_waited_for_nor_heard(family: Family) -> None:
    family.bears(PERMANENT, OnThread)
    (hung,) = living(OnThread)
    family.does(lambda mother: mother.children.abandon("kid"))
    assert not family.mother.children.leaving
    assert family.stable_ref.occupant is None
    hung.tell("boom")
    family.mailboxes.until(lambda: family.mother.verdicts)
    assert family.mother.verdicts == [None]


def test_an_abandoned_child_that_comes_back_ends(family: Family) -> None:
    family.bears(PERMANENT, OnThread)
    (hung,) = living(OnThread)
    family.does(lambda mother: mother.children.abandon("kid"))
    assert hung.actor_stopped.wait(0.3)


def test_a_restart_that_comes_when_the_place_is_held_again_starts_no_second_one(family: Family) -> None:
    family.bears(TRANSIENT)
    family.dies("boom")
    family.bears(TRANSIENT)  # before the delay is over, as a resumed call does
    family.restarts()
    assert len(living(OnLoop)) == 1
