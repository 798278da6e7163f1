"""A supervisor's children: however one ends, its policy decides, and a name never has two live children."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
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


class Parent(LoopActor):
    """Supervises its children as the product's supervisors do, and keeps the verdicts."""

    def __init__(self) -> None:
        super().__init__()
        self.children = Supervisor(self.actor_ref, self.now_ms, lambda: 0.0, self._later)
        self.deaths: list[ChildDied] = []
        self.verdicts: list[Verdict | None] = []
        self.again: list[tuple[str, float]] = []

    def _later(self, delay_s: float, message: object) -> Timer:
        if isinstance(message, RestartDue):  # the test decides when to restart
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
    """One parent, run by messages; `stable_ref` is the reference to its child "kid"."""

    def __init__(self, mailboxes: WaitingDispatcher) -> None:
        self.mailboxes = mailboxes
        self.stable_ref: StableRef[Any] = StableRef()
        self._parents: list[Parent] = []
        self.ref = Parent.start()
        self.does(self._parents.append)

    @property
    def parent(self) -> Parent:
        return self._parents[0]

    def does(self, what: Callable[[Parent], object]) -> None:
        self.ref.tell(what)
        self.mailboxes.drain()

    def starts(self, policy: RestartPolicy, kind: type[Mortal] = OnLoop, dies_in: str = "") -> None:
        actor: Any = kind
        self.does(
            lambda parent: parent.children.start(
                "kid", self.stable_ref, policy, lambda parent_link: actor.start(parent_link, dies_in)
            )
        )

    def restarts(self) -> None:
        self.does(lambda parent: parent.children.restart("kid"))

    def dies(self, message: str) -> None:
        """Tell the child to die of something, and wait for the verdict."""
        judged = len(self.parent.verdicts)
        self.stable_ref.tell(message)
        self.mailboxes.until(lambda: len(self.parent.verdicts) > judged)


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
def test_a_child_that_dies_by_an_error_gets_one_verdict_by_its_policy(
    family: Family, kind: type[Mortal], dies_in: str, message: str, reason: str, policy: RestartPolicy
) -> None:
    family.starts(policy, kind, dies_in)
    if message:
        family.dies(message)
    family.mailboxes.until(lambda: family.parent.verdicts)
    (death,) = family.parent.deaths
    assert type(death.reason).__name__ == reason
    temporary = policy is TEMPORARY
    assert family.parent.verdicts == [LetGo() if temporary else RestartIn(0.0)]
    assert family.parent.again == ([] if temporary else [("kid", 0.0)])
    assert ("kid" in family.parent.children) is not temporary
    assert family.stable_ref.occupant is None


def test_a_timer_that_raises_gets_a_verdict_too(family: Family) -> None:
    family.starts(TRANSIENT)
    family.stable_ref.tell(0.1)
    family.mailboxes.advance(100)
    assert family.parent.verdicts == [RestartIn(0.0)]


@pytest.mark.parametrize(
    ("policy", "verdict"), [(PERMANENT, RestartIn(0.0)), (TRANSIENT, LetGo()), (TEMPORARY, LetGo())]
)
def test_a_child_that_ends_normally_is_restarted_only_if_it_is_permanent(
    family: Family, policy: RestartPolicy, verdict: Verdict
) -> None:
    family.starts(policy)
    assert isinstance(family.stable_ref.occupant, pykka.ActorRef)
    family.stable_ref.occupant.stop(block=False)
    family.mailboxes.drain()
    assert family.parent.verdicts == [verdict]
    assert family.parent.deaths[0].reason is None


def test_a_restarted_child_gets_the_same_stable_ref_and_a_new_generation(family: Family) -> None:
    family.starts(TRANSIENT)
    family.dies("boom")
    family.restarts()
    family.dies("boom")
    assert [death.generation for death in family.parent.deaths] == [1, 2]


def test_more_deaths_than_the_intensity_escalate_and_clear_the_stable_ref(family: Family) -> None:
    family.starts(PERMANENT)
    for _ in range(2):
        family.dies("boom")
        family.restarts()
    family.dies("boom")
    assert family.parent.verdicts == [RestartIn(0.0), RestartIn(1.0), Escalate()]
    assert "kid" not in family.parent.children
    family.restarts()
    assert living(OnLoop) == []


def test_a_child_that_fails_at_every_start_escalates(family: Family) -> None:
    family.starts(TRANSIENT, dies_in="__init__")
    family.restarts()
    family.restarts()
    assert family.parent.verdicts == [RestartIn(0.0), RestartIn(0.0), Escalate()]


def test_a_child_that_was_told_to_stop_is_leaving_until_it_ended_and_gets_no_verdict(family: Family) -> None:
    family.starts(PERMANENT)
    leaving: list[bool] = []

    def stop(parent: Parent) -> None:
        parent.children.stop("kid")
        leaving.append(parent.children.leaving)

    family.does(stop)
    assert leaving == [True]
    assert family.parent.verdicts == [None]
    assert not family.parent.children.leaving
    assert family.stable_ref.occupant is None


def test_a_child_that_crashes_while_stopping_is_not_restarted(family: Family) -> None:
    family.starts(PERMANENT)

    def crash_and_stop(parent: Parent) -> None:
        family.stable_ref.tell("boom")
        parent.children.stop("kid")

    family.does(crash_and_stop)
    assert family.parent.verdicts == [None]
    assert family.parent.again == []
    assert not family.parent.children.leaving


def test_starting_a_child_under_a_used_name_stops_the_earlier_one(family: Family) -> None:
    family.starts(PERMANENT)
    former = family.stable_ref.occupant
    family.starts(PERMANENT)
    (only,) = living(OnLoop)
    assert family.stable_ref.occupant == only != former
    assert family.parent.verdicts == [None], "the end of the former one is not reported"
    family.dies("boom")
    assert family.parent.verdicts == [None, RestartIn(0.0)]


def test_the_death_of_an_earlier_child_is_not_that_of_the_current_one(family: Family) -> None:
    family.starts(TRANSIENT)
    family.ref.tell(ChildDied("kid", 0, Boom()))
    family.mailboxes.drain()
    assert family.parent.verdicts == [None]
    assert family.stable_ref.occupant == living(OnLoop)[0]


def test_stopping_all_also_stops_children_that_wait_for_their_restart(family: Family) -> None:
    family.starts(TRANSIENT)
    family.does(lambda parent: parent.children.start("other", StableRef(), TRANSIENT, OnThread.start))
    family.dies("boom")
    family.does(lambda parent: parent.children.stop_all())
    family.mailboxes.until(lambda: not family.parent.children.leaving)
    family.restarts()
    assert living(OnLoop) == []
    assert living(OnThread) == []


def test_an_unlinked_child_is_not_restarted_whatever_its_policy(family: Family) -> None:
    family.starts(PERMANENT)
    family.does(lambda parent: parent.children.unlink(ChildDied("kid", 1, None)))
    assert "kid" not in family.parent.children
    assert family.stable_ref.occupant is None


def test_an_abandoned_child_is_not_waited_for_and_its_end_is_ignored(family: Family) -> None:
    family.starts(PERMANENT, OnThread)
    (hung,) = living(OnThread)
    family.does(lambda parent: parent.children.abandon("kid"))
    assert not family.parent.children.leaving
    assert family.stable_ref.occupant is None
    with suppress(pykka.ActorDeadError):  # it may have ended by then
        hung.tell("boom")
    family.mailboxes.until(lambda: family.parent.verdicts)
    assert family.parent.verdicts == [None]


def test_an_abandoned_child_ends_when_its_handler_returns(family: Family) -> None:
    family.starts(PERMANENT, OnThread)
    (hung,) = living(OnThread)
    family.does(lambda parent: parent.children.abandon("kid"))
    assert hung.actor_stopped.wait(0.3)


def test_a_restart_that_is_due_when_a_new_child_runs_starts_no_second_one(family: Family) -> None:
    family.starts(TRANSIENT)
    family.dies("boom")
    family.starts(TRANSIENT)  # before the delay is over, as a resumed call does
    family.restarts()
    assert len(living(OnLoop)) == 1
