"""Every kind of child, every way to die, either strategy: one report, one verdict, and the others as they should be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pykka
import pytest

from actors.system.actor import LoopActor, ThreadActor
from actors.system.address import ParentLink, StableRef
from actors.system.mailbox import MailboxFull
from actors.system.restart import LetGo, Restart, RestartIn, RestartPolicy, Strategy, Verdict
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from actors.system.supervisor import Supervisor
from protocols.errors import TransportLost
from tests.actors.calls import WaitingDispatcher, living
from tests.actors.mortal import Boom, Mortal

ONE_FOR_ONE, ONE_FOR_ALL = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL
PERMANENT = RestartPolicy(restart=Restart.PERMANENT, intensity=3, period_s=10, backoff_s=1.0, shutdown_s=2.0)
TRANSIENT = RestartPolicy(restart=Restart.TRANSIENT, intensity=3, period_s=10, backoff_s=1.0, shutdown_s=2.0)
TEMPORARY = RestartPolicy(restart=Restart.TEMPORARY, shutdown_s=2.0)
MOST = 20


class _Kid(Mortal):
    """diary: what became of whom, in order. dies_in: where its first generation dies."""

    max_messages = MOST

    def __init__(self, parent_link: ParentLink, recorder: list[str], dies_in: str = "") -> None:
        super().__init__(parent_link, dies_in if parent_link.generation == 1 else "")
        self.name = parent_link.child
        self.recorder = recorder

    def on_start(self) -> None:
        super().on_start()
        self.recorder.append(f"start {self.name}")

    def on_stop(self) -> None:
        self.recorder.append(f"stop {self.name}")
        super().on_stop()

    def on_receive(self, message: object) -> object:
        if isinstance(message, threading.Event):
            message.wait(10)
        return super().on_receive(message)


class OnLoop(_Kid, LoopActor):
    pass


class OnThread(_Kid, ThreadActor):
    pass


class Parent(LoopActor):
    """Does with its children what the supervisors do, and keeps what they came to."""

    def __init__(self, strategy: Strategy) -> None:
        super().__init__()
        self.children = Supervisor(self.actor_ref, self.now_ms, lambda: 0.0, self.after, strategy=strategy)
        self.deaths: list[ChildDied] = []
        self.verdicts: list[Verdict] = []

    def on_receive(self, message: object) -> None:
        match message:
            case ChildDied():
                self.deaths.append(message)
                if (verdict := self.children.died(message)) is not None:
                    self.verdicts.append(verdict)
            case RestartDue():
                self.children.restart(message.child)
            case ShutdownTimeout():
                self.children.overdue(message)
            case _ if callable(message):
                message(self)


class Household:
    """A parent with an elder, a kid and a younger child, started in this order."""

    def __init__(self, mailboxes: WaitingDispatcher, strategy: Strategy) -> None:
        self.mailboxes = mailboxes
        self.recorder: list[str] = []
        self.seats: dict[str, StableRef[Any]] = {}
        self.hangs = threading.Event()
        parents: list[Parent] = []
        self.ref = Parent.start(strategy)
        self.does(parents.append)
        [self.parent] = parents

    def does(self, what: Callable[[Parent], object]) -> None:
        self.ref.tell(what)
        self.mailboxes.drain()

    def bears(self, name: str, policy: RestartPolicy, kind: type[_Kid] = OnLoop, dies_in: str = "") -> None:
        self.does(lambda parent: self.bear(parent, name, policy, kind, dies_in))

    def bear(
        self, parent: Parent, name: str, policy: RestartPolicy, kind: type[_Kid] = OnLoop, dies_in: str = ""
    ) -> None:
        actor: Any = kind
        stable_ref = self.seats.setdefault(name, StableRef())
        parent.children.start(
            name, stable_ref, policy, lambda parent_link: actor.start(parent_link, self.recorder, dies_in)
        )

    def dies(self, way: str | float) -> None:
        """The kid dies this way, if it has not died of its start already."""
        kid = self.seats["kid"].occupant
        if not isinstance(kid, pykka.ActorRef):
            return
        match way:
            case "stop":
                kid.stop(block=False)
            case "ask":
                kid.ask("boom", block=False)
            case "full":
                for _ in range(MOST + 1):
                    self.seats["kid"].tell("more")
            case "hang and full":
                kid.tell(self.hangs)
                for _ in range(MOST + 2):
                    self.seats["kid"].tell("more")
            case "":
                pass
            case _:
                kid.tell(way)

    def occupant(self, name: str) -> object:
        return self.seats[name].occupant

    def leaving(self) -> bool:
        return self.parent.children.leaving

    def settles(self) -> None:
        """Until the kid's death was judged, and everybody is where they belong."""
        self.mailboxes.until(lambda: self.parent.verdicts and not self.parent.children.leaving)
        self.mailboxes.until(lambda: not self._unborn())

    def _unborn(self) -> list[str]:
        return [name for name in self.seats if name in self.parent.children and self.seats[name].occupant is None]


@pytest.fixture
def household(mailboxes: WaitingDispatcher, request: pytest.FixtureRequest) -> Household:
    return Household(mailboxes, getattr(request, "param", ONE_FOR_ONE))


# In which kind of actor, where at its start or end or by what it is told, and of what.
Way = tuple[type[_Kid], str, str | float, type[BaseException] | None]
EITHER_WAY: Sequence[tuple[str, str, type[BaseException] | None]] = (
    ("__init__", "", Boom),
    ("on_start", "", Boom),
    ("exit in on_start", "", SystemExit),
    ("", "boom", Boom),
    ("", "ask", Boom),
    ("", "exit", SystemExit),
    ("", "interrupt", KeyboardInterrupt),
    ("", "lost", TransportLost),
    ("", "stop", None),
    ("on_stop", "stop", Boom),
    ("exit in on_stop", "stop", SystemExit),
)
WAYS: Sequence[Way] = (
    *((OnLoop, *way) for way in EITHER_WAY),
    *((OnThread, *way) for way in EITHER_WAY),
    (OnLoop, "", 0.0, Boom),
    (OnLoop, "", "full", MailboxFull),
    # A thread may be quick enough for its mailbox never to fill; where it hangs, it does.
    (OnThread, "", "hang and full", MailboxFull),
)


def _name(value: object) -> str:
    match value:
        case type():
            return value.__name__
        case RestartPolicy():
            return value.restart.value
        case Strategy():
            return value.value
        case _:
            return str(value)


@pytest.mark.parametrize("household", [ONE_FOR_ONE, ONE_FOR_ALL], ids=_name, indirect=True)
@pytest.mark.parametrize("policy", [PERMANENT, TRANSIENT, TEMPORARY], ids=_name)
@pytest.mark.parametrize(("kind", "dies_in", "way", "reason"), WAYS, ids=_name)
def test_a_death_is_reported_once_judged_once_and_made_good(
    household: Household,
    kind: type[_Kid],
    dies_in: str,
    way: str | float,
    reason: type[BaseException] | None,
    policy: RestartPolicy,
) -> None:
    all_go = household.parent.children.strategy is ONE_FOR_ALL

    def births(parent: Parent) -> None:
        household.bear(parent, "elder", PERMANENT)
        household.bear(parent, "kid", policy, kind, dies_in)
        household.bear(parent, "younger", PERMANENT, OnThread)

    household.does(births)
    household.mailboxes.until(lambda: "start younger" in household.recorder)
    household.dies(way)
    household.settles()
    household.hangs.set()
    comes_back = policy is PERMANENT or (policy is TRANSIENT and reason is not None)
    assert household.parent.verdicts == [RestartIn(0.0) if comes_back else LetGo()]
    [death] = [each for each in household.parent.deaths if each.child == "kid"]
    assert (death.generation, type(death.reason)) == (1, reason or type(None))
    assert ("kid" in household.parent.children) is comes_back
    household.mailboxes.until(lambda: "start kid" in household.recorder or not comes_back)
    others = [line for line in household.recorder if line in ("stop younger", "stop elder", "start elder")]
    if comes_back and all_go:
        assert others == ["start elder", "stop younger", "stop elder", "start elder"]
        assert sorted(each.child for each in household.parent.deaths) == ["elder", "kid", "younger"]
    else:
        assert others == ["start elder"]
        assert [each.child for each in household.parent.deaths] == ["kid"]
    household.does(lambda parent: parent.children.stop_all())
    household.mailboxes.until(lambda: not household.parent.children.leaving)
    assert [*living(OnLoop), *living(OnThread)] == []


@pytest.mark.parametrize("household", [ONE_FOR_ALL], ids=_name, indirect=True)
def test_one_for_all_does_not_bring_back_a_temporary_one_and_waits_for_its_backoff(household: Household) -> None:
    household.bears("elder", TEMPORARY)
    household.bears("kid", PERMANENT)
    for number in (1, 2):
        household.dies("boom")
        household.mailboxes.until(lambda number=number: len(household.parent.verdicts) == number)  # type: ignore[misc]
    assert household.parent.verdicts == [RestartIn(0.0), RestartIn(1.0)]
    assert "elder" not in household.parent.children
    assert living(OnLoop) == []
    household.mailboxes.advance(1000)
    assert household.seats["kid"].occupant is not None
    assert household.recorder.count("start elder") == 1


@pytest.mark.parametrize("household", [ONE_FOR_ALL], ids=_name, indirect=True)
def test_one_for_all_abandons_one_that_hangs_and_goes_on_under_a_new_generation(household: Household) -> None:
    household.bears("elder", PERMANENT)
    household.bears("kid", PERMANENT, OnThread)
    hung = household.seats["kid"].occupant
    assert isinstance(hung, pykka.ActorRef)
    hung.tell(household.hangs)
    household.seats["elder"].tell("boom")
    household.mailboxes.until(lambda: household.parent.verdicts)
    assert household.occupant("kid") is None
    household.mailboxes.advance(PERMANENT.shutdown_s * 1000)
    household.mailboxes.until(lambda: household.recorder.count("start kid") == 2)
    household.hangs.set()
    assert hung.actor_stopped.wait(5)
    household.mailboxes.until(lambda: household.parent.deaths[-1].child == "kid")
    assert household.occupant("kid") not in (None, hung), "the end of the abandoned one is not its successor's"
    assert len(household.parent.verdicts) == 1


def test_children_are_stopped_last_first_and_each_when_the_one_before_has_ended(household: Household) -> None:
    names = [f"child {number}" for number in range(6)]
    for number, name in enumerate(names):
        household.bears(name, PERMANENT, OnThread if number % 2 else OnLoop)
    household.mailboxes.until(lambda: len(household.recorder) == len(names))
    household.recorder.clear()
    household.does(lambda parent: parent.children.stop_all())
    household.mailboxes.until(lambda: not household.parent.children.leaving)
    assert household.recorder == [f"stop {name}" for name in reversed(names)]
    assert household.parent.verdicts == []
    assert household.mailboxes.timers == 0


def test_a_child_that_hangs_over_its_stop_has_its_time_and_no_more(household: Household) -> None:
    household.bears("elder", PERMANENT)
    household.bears("kid", PERMANENT, OnThread)
    household.seats["kid"].tell(household.hangs)
    household.does(lambda parent: parent.children.stop_all())
    household.mailboxes.advance(PERMANENT.shutdown_s * 1000 - 1)
    assert household.leaving()
    assert "stop elder" not in household.recorder
    household.mailboxes.advance(1)
    assert not household.leaving()
    assert "stop elder" in household.recorder
    household.hangs.set()


def test_one_that_dies_before_it_is_told_to_stop_is_not_judged_and_holds_up_nobody(household: Household) -> None:
    household.bears("elder", PERMANENT)
    household.bears("kid", PERMANENT, OnThread)
    household.seats["kid"].tell(household.hangs)

    def all_at_once(parent: Parent) -> None:
        parent.children.stop_all()
        household.seats["elder"].tell("boom")

    household.does(all_at_once)
    household.hangs.set()
    household.mailboxes.until(lambda: not household.parent.children.leaving)
    assert household.parent.verdicts == []
    assert sorted(each.child for each in household.parent.deaths) == ["elder", "kid"]


def test_nobody_is_started_once_all_were_told_to_stop(household: Household) -> None:
    household.bears("kid", PERMANENT)
    household.dies("boom")
    household.does(lambda parent: parent.children.stop_all())
    household.bears("late", PERMANENT)
    household.mailboxes.advance(10_000)
    assert living(OnLoop) == []
