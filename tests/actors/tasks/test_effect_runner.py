"""Effects in a real database: once for a key, whatever dies, races or hangs up in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from actors.metrics import EFFECTS_UNSETTLED
from actors.tasks.effect_runner import (
    ABANDONED,
    BROKEN,
    NO_STORE,
    TOO_MANY,
    UNDO_FAILED,
    UNSURE,
    EffectLimits,
    EffectRunner,
)
from fsm.effects import EffectRequest, EffectResult, Failed, Local, NotSent, Ok, Refused, Remote, TaskContext, Unclear
from fsm.spec import Act, AgentSpec, Slot
from protocols.errors import MisuseError
from store import effect_log, schema
from store.appointments import AppointmentBook, book, by_effect, remove
from store.database import open_database, reading
from tests.fsm.tables import table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + ABANDONED + timedelta(seconds=1)
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
REQUEST = EffectRequest(
    "c-1:t1:4", {"count": 3, "note": "no olives"}, TaskContext("c-1", "t1", "+4930123", lambda: NOW)
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/effects.sqlite3")
    yield engine
    engine.dispose()


def desk(engine: Engine, effect: Local | Remote, now: datetime = NOW, patience_s: float = 5.0) -> EffectRunner:
    spec: AgentSpec = table(effects={"pizza.bake": effect})
    return EffectRunner(engine, {spec.name: spec}, lambda: now, patience_s)


def bake(request: EffectRequest, connection: Any) -> EffectResult:
    row = book(connection, resource="oven", starts_at=AT, duration_min=5, caller="", conversation_id="c-1",
               effect_key=request.key)  # fmt: skip
    return Ok({"ticket": row.id}) if row else Refused("The oven is full.")


def take_out(request: EffectRequest, connection: Any) -> None:
    if (row := by_effect(connection, request.key)) is not None:
        remove(connection, row.id)


def logged(engine: Engine, key: str = REQUEST.key) -> str | None:
    with reading(engine) as connection:
        found = effect_log.find(connection, key)
    return None if found is None else found.status


def baked(engine: Engine) -> int:
    return len(AppointmentBook(engine).all())


@contextmanager
def database_lost(engine: Engine, place: str = "begin") -> Iterator[None]:
    """Each transaction fails there, "begin" or "commit"."""

    def lost(_: Any) -> None:
        raise OperationalError(place.upper(), {}, OSError("the connection was lost"))

    event.listen(engine, place, lost)
    yield
    event.remove(engine, place, lost)


# --- local ---


def test_the_same_key_again_gives_the_first_result_and_does_nothing(engine: Engine) -> None:
    services = desk(engine, Local(bake))
    first = services.carry_out("pizza.bake", REQUEST)
    assert first == Ok({"ticket": 1})
    assert services.carry_out("pizza.bake", REQUEST) == first
    assert desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == first, "also in another process"
    assert (baked(engine), logged(engine)) == (1, "ok")


def test_what_is_refused_half_way_has_changed_nothing_and_stays_refused(engine: Engine) -> None:
    def half(request: EffectRequest, connection: Any) -> EffectResult:
        bake(request, connection)
        return Refused("No flour.")

    assert desk(engine, Local(half)).carry_out("pizza.bake", REQUEST) == Refused("No flour.")
    assert (baked(engine), logged(engine)) == (0, "refused")
    assert desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == Refused("No flour.")


@pytest.mark.parametrize("fault", ["raises", "gives no result", "gives what cannot be stored"])
def test_a_local_effect_that_raises_has_failed_left_nothing_behind_and_is_not_done_later(
    engine: Engine, fault: str
) -> None:
    def breaks(request: EffectRequest, connection: Any) -> Any:
        bake(request, connection)
        if fault == "raises":
            raise ZeroDivisionError
        return None if fault == "gives no result" else Ok({"ticket": NOW})  # type: ignore[dict-item]

    assert desk(engine, Local(breaks)).carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert (baked(engine), logged(engine)) == (0, "failed")
    assert desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert desk(engine, Local(bake), LATER).recover() == 0
    assert baked(engine) == 0


def test_a_look_up_that_raises_has_failed(engine: Engine) -> None:
    def breaks(request: EffectRequest, connection: Any) -> EffectResult:
        raise ZeroDivisionError

    assert desk(engine, Local(breaks, reads_only=True)).carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert logged(engine) is None


def test_eight_threads_with_one_key_do_it_once_and_all_hear_the_same(engine: Engine) -> None:
    services, together = desk(engine, Local(bake)), Barrier(8)

    def race(_: int) -> EffectResult:
        together.wait(timeout=60)
        return services.carry_out("pizza.bake", REQUEST)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    assert results == [Ok({"ticket": 1})] * 8
    assert baked(engine) == 1


def test_one_key_for_two_effects_carries_out_neither(engine: Engine) -> None:
    desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    spec = table(name="other", effects={"pizza.eat": Local(bake), "pizza.bake": None},
                 states={"Bake": Act(effect="pizza.eat")})  # fmt: skip
    other = EffectRunner(engine, {spec.name: spec}, lambda: NOW)
    assert other.carry_out("pizza.eat", REQUEST) == Unclear(UNSURE)
    assert baked(engine) == 1


def test_one_key_for_other_values_does_not_report_success(engine: Engine) -> None:
    services = desk(engine, Local(bake))
    services.carry_out("pizza.bake", REQUEST)
    assert services.carry_out("pizza.bake", replace(REQUEST, slots={"count": 9})) == Unclear(UNSURE)
    assert baked(engine) == 1


def test_what_a_look_up_writes_is_rolled_back(engine: Engine) -> None:
    assert desk(engine, Local(bake, reads_only=True)).carry_out("pizza.bake", REQUEST) == Ok({"ticket": 1})
    assert baked(engine) == 0


def test_a_lookup_leaves_no_trace(engine: Engine) -> None:
    look = desk(engine, Local(lambda request, connection: Ok({"free": 3}), reads_only=True))
    assert look.carry_out("pizza.bake", REQUEST) == Ok({"free": 3})
    assert logged(engine) is None


def test_without_a_database_nothing_is_promised(engine: Engine) -> None:
    schema.metadata.drop_all(engine)
    result = desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    assert isinstance(result, Failed)
    assert "cannot get at our books" in result.say


@pytest.mark.parametrize("gone", ["committing", "before"])
def test_a_database_lost_while_it_commits_leaves_open_what_came_of_it(engine: Engine, gone: str) -> None:
    with database_lost(engine, "commit" if gone == "committing" else "begin"):
        result = desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    assert result == (Unclear(UNSURE) if gone == "committing" else Failed(NO_STORE))


def test_an_attempt_while_another_thread_hangs_in_the_effect_is_unclear(engine: Engine) -> None:
    inside, go_on = Event(), Event()

    def hangs(request: EffectRequest, connection: Any) -> EffectResult:
        inside.set()
        go_on.wait(timeout=60)
        return bake(request, connection)

    services = desk(engine, Local(hangs), patience_s=0.05)
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(services.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        assert services.carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)
        go_on.set()
        assert hung.result(timeout=60) == Ok({"ticket": 1})
    assert services.carry_out("pizza.bake", REQUEST) == Ok({"ticket": 1}), "and later, what came of it"


# --- hang-ups ---


@pytest.mark.parametrize(("policy", "left"), [("finish", 1), ("undo", 0)])
def test_a_hang_up_finishes_or_undoes_as_the_effect_says(engine: Engine, policy: Any, left: int) -> None:
    services = desk(engine, Local(bake, undo=take_out, on_hang_up=policy))
    services.carry_out("pizza.bake", REQUEST)
    assert services.hung_up("pizza.bake", REQUEST) is (policy == "undo")
    assert services.hung_up("pizza.bake", REQUEST) is False, "only once"
    assert baked(engine) == left


def test_what_was_undone_is_not_done_again(engine: Engine) -> None:
    services = desk(engine, Local(bake, undo=take_out, on_hang_up="undo"))
    services.carry_out("pizza.bake", REQUEST)
    services.hung_up("pizza.bake", REQUEST)
    assert services.carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert (baked(engine), logged(engine)) == (0, "undone")


def test_undoing_a_remote_effect_blocks_no_writer(engine: Engine) -> None:
    def take_back(request: EffectRequest) -> None:
        AppointmentBook(engine).book("another", AT, 5, "", "c-2", "k-2")

    services = desk(engine, Remote(lambda request: Ok(), recover="retry", undo=take_back, on_hang_up="undo"))
    services.carry_out("pizza.bake", REQUEST)
    assert services.hung_up("pizza.bake", REQUEST)
    assert (logged(engine), services.hung_up("pizza.bake", REQUEST)) == ("undone", False)


def test_an_undo_that_breaks_has_changed_nothing_and_is_left_to_a_human(engine: Engine) -> None:
    def breaks(request: EffectRequest, connection: Any) -> None:
        take_out(request, connection)
        raise ZeroDivisionError

    services = desk(engine, Local(bake, undo=breaks, on_hang_up="undo"))
    services.carry_out("pizza.bake", REQUEST)
    assert services.hung_up("pizza.bake", REQUEST) is False
    assert baked(engine) == 1
    assert [(each.status, each.say) for each in services.unsettled()] == [("unclear", UNDO_FAILED)]


def test_what_another_process_has_undone_meanwhile_is_left_to_nobody(engine: Engine) -> None:
    def undone_elsewhere(request: EffectRequest) -> None:
        with engine.begin() as connection:
            effect_log.take_back(connection, request.key, NOW)
        raise ConnectionError

    oven = Oven()
    services = desk(engine, Remote(oven.do, oven.look_up, undo=undone_elsewhere, on_hang_up="undo"))
    services.carry_out("pizza.bake", REQUEST)
    assert services.hung_up("pizza.bake", REQUEST) is False
    assert (logged(engine), services.unsettled()) == ("undone", [])


def test_without_a_database_nothing_was_taken_back(engine: Engine) -> None:
    services = desk(engine, Local(bake, undo=take_out, on_hang_up="undo"))
    services.carry_out("pizza.bake", REQUEST)
    schema.effect.drop(engine)
    assert services.hung_up("pizza.bake", REQUEST) is False
    assert baked(engine) == 1


# --- limits ---


def another(number: int, conversation_id: str = "c-1", caller: str = "+4930123", now: datetime = NOW) -> EffectRequest:
    context = TaskContext(conversation_id, f"t{number}", caller, lambda: now)
    return replace(REQUEST, key=f"{conversation_id}:t{number}:4", context=context)


def limited(engine: Engine, effect: Local | Remote, now: datetime = NOW) -> EffectRunner:
    spec: AgentSpec = table(effects={"pizza.bake": effect})
    return EffectRunner(engine, {spec.name: spec}, lambda: now, limits=EffectLimits(per_call=2, per_number_a_day=3))


def ways() -> list[Local | Remote]:
    return [Local(lambda request, connection: Ok()), Remote(lambda request: Ok(), recover="retry")]


@pytest.mark.parametrize("effect", ways(), ids=["local", "remote"])
def test_a_call_has_a_limit_of_effects_and_then_a_human_takes_over(engine: Engine, effect: Local | Remote) -> None:
    runner = limited(engine, effect)
    results = [runner.carry_out("pizza.bake", another(number)) for number in (1, 2, 3)]
    assert results == [Ok(), Ok(), Failed(TOO_MANY)]
    assert runner.spent(another(4).context) == TOO_MANY
    assert runner.spent(another(1, "c-2").context) == ""
    assert runner.carry_out("pizza.bake", another(2)) == Ok(), "asked for again, it is the same one"
    assert runner.carry_out("pizza.bake", another(1, "c-2")) == Ok()


def test_effects_that_cannot_be_counted_stop_nobody_before_the_yes(engine: Engine) -> None:
    schema.effect.drop(engine)
    assert limited(engine, ways()[0]).spent(another(1).context) == ""


def test_a_number_has_a_limit_of_effects_within_a_day(engine: Engine) -> None:
    effect = ways()[0]
    for number in (1, 2, 3):
        assert limited(engine, effect).spent(another(number, f"c-{number}").context) == ""
        assert limited(engine, effect).carry_out("pizza.bake", another(number, f"c-{number}")) == Ok()
    assert limited(engine, effect).spent(another(4, "c-4").context) == TOO_MANY
    assert limited(engine, effect).spent(another(4, "c-4", caller="").context) == ""
    assert limited(engine, effect).carry_out("pizza.bake", another(4, "c-4")) == Failed(TOO_MANY)
    assert limited(engine, effect).carry_out("pizza.bake", another(5, "c-5", caller="+49301")) == Ok()
    tomorrow = NOW + timedelta(days=1, seconds=1)
    assert limited(engine, effect, tomorrow).carry_out("pizza.bake", another(6, "c-6", now=tomorrow)) == Ok()


def test_a_limit_that_is_not_set_limits_nothing(engine: Engine) -> None:
    spec: AgentSpec = table(effects={"pizza.bake": ways()[0]})
    by_call = EffectRunner(engine, {spec.name: spec}, lambda: NOW, limits=EffectLimits(per_call=1))
    assert [by_call.carry_out("pizza.bake", another(1, call)) for call in ("c-1", "c-2")] == [Ok(), Ok()]
    by_number = EffectRunner(engine, {spec.name: spec}, lambda: NOW, limits=EffectLimits(per_number_a_day=4))
    assert [by_number.carry_out("pizza.bake", another(number, "c-3")) for number in (1, 2)] == [Ok(), Ok()]


def test_withheld_numbers_are_limited_by_call_alone(engine: Engine) -> None:
    runner = limited(engine, ways()[0])
    assert [runner.carry_out("pizza.bake", another(1, f"c-{each}", caller="")) for each in range(5)] == [Ok()] * 5


def test_refused_and_failed_effects_do_not_count(engine: Engine) -> None:
    refuses = limited(engine, Local(lambda request, connection: Refused("No.")))
    for number in range(4):
        assert refuses.carry_out("pizza.bake", another(number)) == Refused("No.")
    assert limited(engine, ways()[0]).carry_out("pizza.bake", another(9)) == Ok()


# --- remote ---


class Died(BaseException):
    """The process dies here: unlike an exception, nobody is left to take it."""


class Oven:
    """Somebody else's system: it keeps what it was asked, by key, and may fall silent after it did it.

    dies: our process does, before or after it was done. breaks: there is an error, before or after.
    """

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.asked = 0
        self.dies = self.breaks = ""

    def do(self, request: EffectRequest) -> EffectResult:
        self.asked += 1
        if self.dies == "before":
            raise Died
        if self.breaks == "before":
            raise ConnectionError
        if self.breaks == "not sent":
            raise NotSent
        self.done.setdefault(request.key, len(self.done) + 1)
        if self.dies == "after":
            raise Died
        if self.breaks == "after":
            raise ConnectionError
        return Ok({"ticket": self.done[request.key]})

    def look_up(self, request: EffectRequest) -> EffectResult | None:
        return Ok({"ticket": self.done[request.key]}) if request.key in self.done else None

    def undo(self, request: EffectRequest) -> None:
        self.done.pop(request.key, None)


@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize(
    ("recover", "result", "asked"), [("retry", "ok", 2), ("look_up", "ok", None), ("human", "unclear", 1)]
)
def test_an_attempt_after_a_crash_recovers_as_the_effect_declares(
    engine: Engine, dies: str, recover: str, result: str, asked: int | None
) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up if recover == "look_up" else recover)  # type: ignore[arg-type]
    oven.dies = dies
    with pytest.raises(Died):
        desk(engine, effect).carry_out("pizza.bake", REQUEST)
    assert logged(engine) == "intended"
    oven.dies = ""
    again = desk(engine, effect).carry_out("pizza.bake", REQUEST)
    assert again == (Unclear(UNSURE) if recover == "human" else Ok({"ticket": 1}))
    assert logged(engine) == result
    assert oven.asked == (asked or (1 if dies == "after" else 2))
    assert desk(engine, effect).carry_out("pizza.bake", REQUEST) == again, "and that is the last word"


@pytest.mark.parametrize(
    ("recover", "policy", "status", "done"),
    [
        ("retry", "finish", "ok", 1),
        ("look_up", "finish", "ok", 1),
        ("human", "finish", "unclear", 1),
        ("look_up", "undo", "undone", 0),
    ],
)
def test_a_new_process_ends_what_a_dead_one_has_begun(
    engine: Engine, recover: str, policy: Any, status: str, done: int
) -> None:
    oven = Oven()
    effect = Remote(
        oven.do,
        recover=oven.look_up if recover == "look_up" else recover,  # type: ignore[arg-type]
        undo=oven.undo,
        on_hang_up=policy,
    )
    oven.dies = "after"
    with pytest.raises(Died):
        desk(engine, effect).carry_out("pizza.bake", REQUEST)
    oven.dies = ""
    assert desk(engine, effect, NOW + ABANDONED).recover() == 0, "it may still be at work"
    assert desk(engine, effect, LATER).recover() == 1
    assert (logged(engine), len(oven.done)) == (status, done)
    assert desk(engine, effect, LATER).recover() == 0


def test_two_threads_with_one_key_call_the_remote_system_once(engine: Engine) -> None:
    asked: list[EffectRequest] = []
    inside, go_on = Event(), Event()

    def slow(request: EffectRequest) -> EffectResult:
        asked.append(request)
        inside.set()
        go_on.wait(timeout=60)
        return Ok({"ticket": len(asked)})

    # It is not there when the second looks it up, and would be done again.
    services = desk(engine, Remote(slow, recover=lambda request: None))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(services.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        second = pool.submit(services.carry_out, "pizza.bake", REQUEST)
        go_on.set()
        assert first.result(timeout=60) == second.result(timeout=60) == Ok({"ticket": 1})
    assert len(asked) == 1


def test_an_effect_that_cannot_be_settled_now_blocks_nothing_and_is_tried_again(engine: Engine) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover="retry")
    oven.dies = "before"
    for key in ("c-1:t1:4", "c-2:t1:4"):
        with pytest.raises(Died):
            desk(engine, effect).carry_out("pizza.bake", replace(REQUEST, key=key))
    oven.dies, oven.breaks = "", "before"
    assert desk(engine, effect, LATER).recover() == 0, "its peer is still gone"
    assert logged(engine) == "intended"
    oven.breaks = ""
    assert desk(engine, effect, LATER + 2 * ABANDONED).recover() == 2
    assert logged(engine) == "ok"


def test_without_a_database_what_a_dead_process_has_begun_waits_for_the_next_time(engine: Engine) -> None:
    begin(engine, oven := Oven())
    services = desk(engine, Remote(oven.do, recover="retry"), LATER)
    with database_lost(engine):
        assert services.recover() == 0
        services.keep()
    assert (oven.asked, logged(engine)) == (1, "intended")
    assert services.recover() == 1
    assert (oven.asked, logged(engine)) == (2, "ok")


def test_processes_that_start_together_end_it_once(engine: Engine) -> None:
    begin(engine, oven := Oven())
    looking = Barrier(2)

    def look_up(request: EffectRequest) -> EffectResult | None:
        with suppress(BrokenBarrierError):
            looking.wait(timeout=0.2)  # both would look before either does it
        return None

    services = desk(engine, Remote(oven.do, recover=look_up), LATER)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: services.recover(), range(2))) == [0, 1]
    assert oven.asked == 2, "once by the process that died, and once more"


@pytest.mark.parametrize("changed", ["no such effect", "other slots"])
def test_an_effect_that_no_task_declares_is_left_to_a_human_and_reported_once(engine: Engine, changed: str) -> None:
    begin(engine, oven := Oven())
    now = table(slots={"count": Slot(bool, ask="Many?")}, effects={"pizza.bake": Remote(oven.do, recover="retry")})
    services = EffectRunner(engine, {} if changed == "no such effect" else {now.name: now}, lambda: LATER)
    assert (services.recover(), logged(engine)) == (1, "unclear")
    assert services.recover() == 0


def test_what_was_never_done_is_not_undone(engine: Engine) -> None:
    begin(engine, oven := Oven(), dies="before")
    undone: list[EffectRequest] = []
    effect = Remote(oven.do, recover=oven.look_up, undo=undone.append, on_hang_up="undo")
    assert desk(engine, effect, LATER).recover() == 1
    assert (undone, logged(engine)) == ([], "undone")


# --- effects that raise, and what a human decides ---


@pytest.mark.parametrize("recover", ["retry", "look_up", "human"])
@pytest.mark.parametrize("breaks", ["before", "after", "not sent"])
def test_a_remote_effect_that_raises_is_told_at_once_and_never_done_again_behind_the_callers_back(
    engine: Engine, recover: str, breaks: str
) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up if recover == "look_up" else recover)  # type: ignore[arg-type]
    oven.breaks = breaks
    told = desk(engine, effect).carry_out("pizza.bake", REQUEST)
    assert told == (Failed(BROKEN) if breaks == "not sent" else Unclear(UNSURE))
    oven.breaks = ""
    assert desk(engine, effect).carry_out("pizza.bake", REQUEST) == told, "nor by another step with its key"
    for now in (NOW, LATER, NOW + timedelta(days=90)):
        desk(engine, effect, now).recover()
    assert oven.asked == 1
    looked_up = "ok" if breaks == "after" else "failed"
    unclear = looked_up if recover == "look_up" else "unclear"
    assert logged(engine) == ("failed" if breaks == "not sent" else unclear)


def test_what_may_still_be_on_its_way_is_not_taken_for_undone(engine: Engine) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up)
    oven.breaks = "before"
    desk(engine, effect).carry_out("pizza.bake", REQUEST)
    assert desk(engine, effect).recover() == 0
    assert logged(engine) == "unclear"


def test_what_took_long_may_be_on_its_way_just_as_well(engine: Engine) -> None:
    clock, oven = [NOW], Oven()

    def slow(request: EffectRequest) -> EffectResult:
        clock[0] = NOW + 2 * ABANDONED
        raise ConnectionError

    spec = table(effects={"pizza.bake": Remote(slow, recover=oven.look_up)})
    services = EffectRunner(engine, {spec.name: spec}, lambda: clock[0])
    assert services.carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)
    assert (services.recover(), logged(engine)) == (0, "unclear")
    clock[0] += ABANDONED
    assert (services.recover(), logged(engine)) == (1, "failed")


@pytest.mark.parametrize("recover", ["retry", "look_up"])
def test_what_is_too_old_is_decided_by_a_human(engine: Engine, recover: str) -> None:
    oven = Oven()
    effect = Remote(
        oven.do,
        recover=oven.look_up if recover == "look_up" else recover,  # type: ignore[arg-type]
        recover_within=timedelta(minutes=30),
    )
    begin(engine, oven)
    oven.breaks = "before"
    assert desk(engine, effect, NOW + timedelta(minutes=20)).recover() == 0, "tried, and in vain"
    oven.breaks = ""
    assert desk(engine, effect, NOW + timedelta(minutes=31)).recover() == 1
    assert (oven.asked, logged(engine)) == (2, "unclear")
    assert desk(engine, effect, NOW + timedelta(minutes=31)).carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)


@pytest.mark.parametrize(
    ("decision", "status", "asked"), [("done", "ok", 1), ("undone", "undone", 1), ("retry", "ok", 2)]
)
def test_a_human_settles_what_is_unclear_once(engine: Engine, decision: Any, status: str, asked: int) -> None:
    oven = Oven()
    oven.breaks = "before"
    services = desk(engine, Remote(oven.do, recover="human"))
    services.carry_out("pizza.bake", REQUEST)
    oven.breaks = ""
    assert [each.key for each in services.unsettled()] == [REQUEST.key]
    assert services.decide("another", decision) is None
    assert services.decide(REQUEST.key, decision) == status
    assert (services.decide(REQUEST.key, decision), services.unsettled()) == (None, [])
    assert (logged(engine), oven.asked) == (status, asked)


def test_an_effect_that_a_human_retries_without_success_stays_unclear(engine: Engine) -> None:
    oven = Oven()
    oven.breaks = "before"
    services = desk(engine, Remote(oven.do, recover="human"))
    services.carry_out("pizza.bake", REQUEST)
    with pytest.raises(ConnectionError):
        services.decide(REQUEST.key, "retry")
    assert [each.status for each in services.unsettled()] == ["unclear"]


def test_what_no_task_can_carry_out_is_not_tried_again(engine: Engine) -> None:
    begin(engine, Oven())
    services = EffectRunner(engine, {}, lambda: LATER)
    with pytest.raises(MisuseError, match=r"pizza\.bake"):
        services.decide(REQUEST.key, "retry")
    assert logged(engine) == "intended"


def test_unsettled_effects_are_a_gauge(engine: Engine) -> None:
    begin(engine, oven := Oven())
    desk(engine, Remote(oven.do, recover="human")).keep()
    assert EFFECTS_UNSETTLED._value.get() == 0, "it may still be at work"
    desk(engine, Remote(oven.do, recover="human"), LATER).keep()
    assert EFFECTS_UNSETTLED._value.get() == 1
    desk(engine, Remote(oven.do, recover="human"), LATER).decide(REQUEST.key, "done")
    desk(engine, Remote(oven.do, recover="human"), LATER).keep()
    assert EFFECTS_UNSETTLED._value.get() == 0


def test_an_effect_being_carried_out_is_not_taken_over(engine: Engine) -> None:
    inside, go_on, oven = Event(), Event(), Oven()

    def slow(request: EffectRequest) -> EffectResult:
        inside.set()
        go_on.wait(timeout=60)
        return oven.do(request)

    clock = [NOW]
    spec = table(effects={"pizza.bake": Remote(slow, recover="retry")})
    services = EffectRunner(engine, {spec.name: spec}, lambda: clock[0])
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(services.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        clock[0] = LATER
        assert services.recover() == 0, "not by its own process"
        services.keep()
        other = desk(engine, Remote(oven.do, recover="retry"), LATER + timedelta(seconds=30))
        assert (other.recover(), other.unsettled()) == (0, [])
        go_on.set()
        assert under_way.result(timeout=60) == Ok({"ticket": 1})
    assert (oven.asked, logged(engine)) == (1, "ok")


@pytest.mark.parametrize("breaks", ["", "before"])
def test_an_outcome_that_the_database_could_not_take_is_stored_later_and_the_effect_not_done_again(
    engine: Engine, breaks: str
) -> None:
    oven, lost = Oven(), [False]

    def and_then_it_is_lost(request: EffectRequest) -> EffectResult:
        lost[0] = True
        return oven.do(request)

    def begin_fails(_: Any) -> None:
        if lost[0]:
            raise OperationalError("BEGIN", {}, OSError("the connection was lost"))

    oven.breaks = breaks
    services = desk(engine, Remote(and_then_it_is_lost, recover="retry"))
    event.listen(engine, "begin", begin_fails)
    told = services.carry_out("pizza.bake", REQUEST)
    services.keep()
    event.remove(engine, "begin", begin_fails)
    assert (told, logged(engine)) == (Unclear(UNSURE) if breaks else Ok({"ticket": 1}), "intended")
    services.keep()
    assert (logged(engine), oven.asked) == ("unclear" if breaks else "ok", 1)


def begin(engine: Engine, oven: Oven, dies: str = "before") -> None:
    """A process dies while the oven is asked."""
    oven.dies = dies
    with pytest.raises(Died):
        desk(engine, Remote(oven.do, recover="retry")).carry_out("pizza.bake", REQUEST)
    oven.dies = ""


# --- processes that are killed, and processes that race ---

OUT_OF_THE_OVEN, TOLD_UNSURE = ("baked", "It is in the oven."), ("transfer", f"{UNSURE} I will put you through.")
# Who comes after the run had ended is told how, and nothing to say: that was said, or is in the call's record.
ENDED = ("baked", None)
GAPS = {
    "before the intent": OUT_OF_THE_OVEN,
    "in the intent": OUT_OF_THE_OVEN,
    "before the first commit": OUT_OF_THE_OVEN,
    "in the effect": OUT_OF_THE_OVEN,
    "after the effect": OUT_OF_THE_OVEN,
    "after the outcome": OUT_OF_THE_OVEN,
    "after the snapshot": ENDED,
    "after the answer": ENDED,
}
# Where nobody may do it again, these gaps leave open whether it was done.
OPEN = ("in the effect", "after the effect")

Processes = Callable[..., list[int]]


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Runs processes side by side, each with the arguments of `killed.main`; their exit codes."""
    command = [sys.executable, "-m", "tests.actors.killed"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        told, answers = server.stdin, server.stdout

        def run(*each: tuple[str, ...]) -> list[int]:
            told.write(json.dumps(each) + "\n")
            told.flush()
            codes: list[int] = json.loads(answers.readline())
            return codes

        yield run
        told.close()


def done(url: str, folder: Path, kind: str) -> int:
    if kind != "local":
        return len(list(folder.glob("done-*")))
    engine = open_database(url)
    rows = len(AppointmentBook(engine).all())
    engine.dispose()
    return rows


@pytest.mark.parametrize("kind", ["local", "retry", "human"])
@pytest.mark.parametrize("gap", GAPS)
def test_a_process_killed_in_any_gap_does_it_once_and_the_caller_hears_the_truth(
    tmp_path: Path, processes: Processes, kind: str, gap: str
) -> None:
    url = f"sqlite:///{tmp_path}/killed.sqlite3"
    open_database(url).dispose()
    assert processes((url, str(tmp_path), kind, gap, "run", "first")) == [-signal.SIGKILL]
    assert processes((url, str(tmp_path), kind, "", "run", "second")) == [0]

    answer = json.loads((tmp_path / "second").read_text())
    unsure = kind == "human" and gap in OPEN
    assert (answer["result"], answer.get("say")) == (TOLD_UNSURE if unsure else GAPS[gap])
    assert done(url, tmp_path, kind) == (0 if unsure and gap == "in the effect" else 1)
    if gap == "after the answer":
        assert json.loads((tmp_path / "first").read_text())["say"] == "It is in the oven."


@pytest.mark.parametrize("kind", ["local", "retry"])
def test_processes_that_race_with_one_key_do_it_once_and_tell_the_same(
    tmp_path: Path, processes: Processes, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/raced.sqlite3"
    open_database(url).dispose()
    assert processes(*((url, str(tmp_path), kind, "", f"run-{each}", f"answer-{each}") for each in range(4))) == [0] * 4
    answers = {path.read_text() for path in tmp_path.glob("answer-*")}
    assert [json.loads(each)["result"] for each in answers] == ["baked"]
    assert done(url, tmp_path, kind) == 1
