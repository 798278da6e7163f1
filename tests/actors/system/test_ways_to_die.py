"""Every kind of child, every way to end, either strategy: one report, one verdict, the right siblings restarted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pykka
import pytest
from loguru import logger

from actors.system.actor import LoopActor, ThreadActor
from actors.system.address import ParentLink, StableRef
from actors.system.mailbox import MailboxFull
from actors.system.restart import LetGo, Restart, RestartIn, RestartPolicy, Strategy, Verdict
from actors.system.signals import ChildDied, RestartDue, ShutdownTimeout
from actors.system.supervisor import Supervisor
from protocols.errors import MisuseError, ModelRefused, TransportLost, WireError
from tests.actors.calls import WaitingDispatcher, living
from tests.actors.mortal import Boom, Mortal

ONE_FOR_ONE, ONE_FOR_ALL = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL
PERMANENT = RestartPolicy(restart=Restart.PERMANENT, intensity=3, period_s=10, backoff_s=1.0, shutdown_s=2.0)
TRANSIENT = RestartPolicy(restart=Restart.TRANSIENT, intensity=3, period_s=10, backoff_s=1.0, shutdown_s=2.0)
TEMPORARY = RestartPolicy(restart=Restart.TEMPORARY, shutdown_s=2.0)
CAPACITY = 20


class _Kid(Mortal):
    """events: starts and ends by name, in order. dies_in: the hook in which its first generation dies."""

    max_messages = CAPACITY

    def __init__(self, parent_link: ParentLink, events: list[str], dies_in: str = "") -> None:
        super().__init__(parent_link, dies_in if parent_link.generation == 1 else "")
        self.name = parent_link.child
        self.events = events

    def on_start(self) -> None:
        super().on_start()
        self.events.append(f"start {self.name}")

    def on_stop(self) -> None:
        self.events.append(f"stop {self.name}")
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
    """Supervises its children as the product's supervisors do, and keeps the verdicts."""

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


class Family:
    """A parent with an elder, a kid and a younger child, started in this order."""

    def __init__(self, mailboxes: WaitingDispatcher, strategy: Strategy) -> None:
        self.mailboxes = mailboxes
        self.events: list[str] = []
        self.refs: dict[str, StableRef[Any]] = {}
        self.hangs = threading.Event()
        parents: list[Parent] = []
        self.ref = Parent.start(strategy)
        self.does(parents.append)
        [self.parent] = parents

    def does(self, what: Callable[[Parent], object]) -> None:
        self.ref.tell(what)
        self.mailboxes.drain()

    def starts(self, name: str, policy: RestartPolicy, kind: type[_Kid] = OnLoop, dies_in: str = "") -> None:
        self.does(lambda parent: self.start(parent, name, policy, kind, dies_in))

    def start(
        self, parent: Parent, name: str, policy: RestartPolicy, kind: type[_Kid] = OnLoop, dies_in: str = ""
    ) -> None:
        actor: Any = kind
        stable_ref = self.refs.setdefault(name, StableRef())
        parent.children.start(
            name, stable_ref, policy, lambda parent_link: actor.start(parent_link, self.events, dies_in)
        )

    def dies(self, way: str | float | Exception) -> None:
        """Make the kid die this way, unless it died at its start."""
        kid = self.refs["kid"].occupant
        if not isinstance(kid, pykka.ActorRef):
            return
        match way:
            case "stop":
                kid.stop(block=False)
            case "ask":
                kid.ask("boom", block=False)
            case "full":
                for _ in range(CAPACITY + 1):
                    self.refs["kid"].tell("more")
            case "hang and full":
                kid.tell(self.hangs)
                for _ in range(CAPACITY + 2):
                    self.refs["kid"].tell("more")
            case "":
                pass
            case _:
                kid.tell(way)

    def occupant(self, name: str) -> object:
        return self.refs[name].occupant

    def leaving(self) -> bool:
        return self.parent.children.leaving

    def settles(self) -> None:
        """Wait for the verdict on the kid, and for the expected children to run."""
        self.mailboxes.until(lambda: self.parent.verdicts and not self.parent.children.leaving)
        self.mailboxes.until(lambda: not self._missing())

    def _missing(self) -> list[str]:
        return [name for name in self.refs if name in self.parent.children and self.refs[name].occupant is None]


@pytest.fixture
def family(mailboxes: WaitingDispatcher, request: pytest.FixtureRequest) -> Family:
    return Family(mailboxes, getattr(request, "param", ONE_FOR_ONE))


# The kind of actor, the hook or message in which it dies, and the exception.
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
    # A thread may be too fast for its mailbox to fill; one that hangs is not.
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


@pytest.mark.parametrize("family", [ONE_FOR_ONE, ONE_FOR_ALL], ids=_name, indirect=True)
@pytest.mark.parametrize("policy", [PERMANENT, TRANSIENT, TEMPORARY], ids=_name)
@pytest.mark.parametrize(("kind", "dies_in", "way", "reason"), WAYS, ids=_name)
def test_a_death_is_reported_once_gets_one_verdict_and_is_repaired(
    family: Family,
    kind: type[_Kid],
    dies_in: str,
    way: str | float,
    reason: type[BaseException] | None,
    policy: RestartPolicy,
) -> None:
    all_go = family.parent.children.strategy is ONE_FOR_ALL

    def births(parent: Parent) -> None:
        family.start(parent, "kid", policy, kind, dies_in)
        family.start(parent, "younger", PERMANENT, OnThread)

    # The elder has its first turn before: a kid that dies at once on its thread would have the younger stop first.
    family.starts("elder", PERMANENT)
    family.does(births)
    family.mailboxes.until(lambda: "start younger" in family.events)
    family.dies(way)
    family.settles()
    family.hangs.set()
    comes_back = policy is PERMANENT or (policy is TRANSIENT and reason is not None)
    assert family.parent.verdicts == [RestartIn(0.0) if comes_back else LetGo()]
    [death] = [each for each in family.parent.deaths if each.child == "kid"]
    assert (death.generation, type(death.reason)) == (1, reason or type(None))
    assert ("kid" in family.parent.children) is comes_back
    family.mailboxes.until(lambda: "start kid" in family.events or not comes_back)
    others = [line for line in family.events if line in ("stop younger", "stop elder", "start elder")]
    if comes_back and all_go:
        assert others == ["start elder", "stop younger", "stop elder", "start elder"]
        assert sorted(each.child for each in family.parent.deaths) == ["elder", "kid", "younger"]
    else:
        assert others == ["start elder"]
        assert [each.child for each in family.parent.deaths] == ["kid"]
    family.does(lambda parent: parent.children.stop_all())
    family.mailboxes.until(lambda: not family.parent.children.leaving)
    assert [*living(OnLoop), *living(OnThread)] == []


@pytest.mark.parametrize("family", [ONE_FOR_ALL], ids=_name, indirect=True)
def test_one_for_all_does_not_restart_a_temporary_child_and_waits_for_the_backoff(family: Family) -> None:
    family.starts("elder", TEMPORARY)
    family.starts("kid", PERMANENT)
    for number in (1, 2):
        family.dies("boom")
        family.mailboxes.until(lambda number=number: len(family.parent.verdicts) == number)  # type: ignore[misc]
    assert family.parent.verdicts == [RestartIn(0.0), RestartIn(1.0)]
    assert "elder" not in family.parent.children
    assert living(OnLoop) == []
    family.mailboxes.advance(1000)
    assert family.refs["kid"].occupant is not None
    assert family.events.count("start elder") == 1


@pytest.mark.parametrize("family", [ONE_FOR_ALL], ids=_name, indirect=True)
def test_one_for_all_abandons_a_child_that_hangs_and_goes_on_under_a_new_generation(family: Family) -> None:
    family.starts("elder", PERMANENT)
    family.starts("kid", PERMANENT, OnThread)
    hung = family.refs["kid"].occupant
    assert isinstance(hung, pykka.ActorRef)
    hung.tell(family.hangs)
    family.refs["elder"].tell("boom")
    family.mailboxes.until(lambda: family.parent.verdicts)
    assert family.occupant("kid") is None
    family.mailboxes.advance(PERMANENT.shutdown_s * 1000)
    family.mailboxes.until(lambda: family.events.count("start kid") == 2)
    family.hangs.set()
    assert hung.actor_stopped.wait(5)
    family.mailboxes.until(lambda: family.parent.deaths[-1].child == "kid")
    assert family.occupant("kid") not in (None, hung), "the end of the abandoned one is not its successor's"
    assert len(family.parent.verdicts) == 1


def test_children_are_stopped_last_first_and_one_after_another(family: Family) -> None:
    names = [f"child {number}" for number in range(6)]
    for number, name in enumerate(names):
        family.starts(name, PERMANENT, OnThread if number % 2 else OnLoop)
    family.mailboxes.until(lambda: len(family.events) == len(names))
    family.events.clear()
    family.does(lambda parent: parent.children.stop_all())
    family.mailboxes.until(lambda: not family.parent.children.leaving)
    assert family.events == [f"stop {name}" for name in reversed(names)]
    assert family.parent.verdicts == []
    assert family.mailboxes.timers == 0


def test_a_child_that_hangs_while_stopping_is_abandoned_after_its_limit(family: Family) -> None:
    family.starts("elder", PERMANENT)
    family.starts("kid", PERMANENT, OnThread)
    family.refs["kid"].tell(family.hangs)
    family.does(lambda parent: parent.children.stop_all())
    family.mailboxes.advance(PERMANENT.shutdown_s * 1000 - 1)
    assert family.leaving()
    assert "stop elder" not in family.events
    family.mailboxes.advance(1)
    assert not family.leaving()
    assert "stop elder" in family.events
    family.hangs.set()


def test_a_child_that_dies_before_it_is_told_to_stop_gets_no_verdict_and_delays_no_other(family: Family) -> None:
    family.starts("elder", PERMANENT)
    family.starts("kid", PERMANENT, OnThread)
    family.refs["kid"].tell(family.hangs)

    def all_at_once(parent: Parent) -> None:
        parent.children.stop_all()
        family.refs["elder"].tell("boom")

    family.does(all_at_once)
    family.hangs.set()
    family.mailboxes.until(lambda: not family.parent.children.leaving)
    assert family.parent.verdicts == []
    assert sorted(each.child for each in family.parent.deaths) == ["elder", "kid"]


def test_no_child_is_started_after_all_were_told_to_stop(family: Family) -> None:
    family.starts("kid", PERMANENT)
    family.dies("boom")
    family.does(lambda parent: parent.children.stop_all())
    family.starts("late", PERMANENT)
    family.mailboxes.advance(10_000)
    assert living(OnLoop) == []


@pytest.mark.parametrize("kind", [OnLoop, OnThread], ids=_name)
@pytest.mark.parametrize(
    "reason",
    [TransportLost(1006), ModelRefused("insufficient_quota"), WireError("session_refused"), MisuseError("a bug")],
    ids=lambda reason: type(reason).__name__,
)
def test_an_end_that_a_peer_has_caused_is_logged_in_one_line_and_a_bug_of_ours_with_its_traceback_too(
    family: Family,
    kind: type[_Kid],
    reason: Exception,
    log_lines: list[str],
) -> None:
    family.starts("kid", TEMPORARY, kind)
    family.dies(reason)
    family.settles()
    [(first, *trace)] = [each.splitlines() for each in log_lines]
    ours = isinstance(reason, MisuseError)
    assert first.startswith("ERROR child died" if ours else "WARNING child died")
    assert repr(reason) in first or ours
    assert bool(trace) == ours


def test_an_end_by_a_bug_is_logged_with_what_is_bound_to_the_childs_log(family: Family, log_lines: list[str]) -> None:
    log, ref = logger.bind(conversation="c-1"), family.refs.setdefault("kid", StableRef())
    family.does(
        lambda parent: parent.children.start("kid", ref, TEMPORARY, lambda link: OnLoop.start(link, []), log=log)
    )
    family.dies("boom")
    family.settles()
    assert log_lines[0].splitlines()[0] == "ERROR child died {'conversation': 'c-1', 'child': 'kid'}"


def test_ends_of_one_kind_that_peers_cause_are_logged_once_and_counted(family: Family, log_lines: list[str]) -> None:
    family.does(lambda parent: setattr(parent.children, "log_once", True))
    for reason in [TransportLost(1006)] * 5 + [ModelRefused("quota")]:
        family.starts("kid", TEMPORARY)
        family.dies(reason)
        family.settles()
    assert ["TransportLost" in log_lines[0], "ModelRefused" in log_lines[1], len(log_lines)] == [True, True, 2]
    assert family.parent.children.losses("kid") == 6
