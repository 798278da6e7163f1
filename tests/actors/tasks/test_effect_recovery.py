"""Effects of unknown outcome: after a crash, an exception or a lost database they are settled once, or by a human."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from actors.bots import Bot
from actors.metrics import EFFECTS_UNSETTLED
from actors.tasks.effect_attempts import BROKEN, UNSURE
from actors.tasks.effect_recovery import ABANDONED, FOREIGN_PATIENCE, RECOVER_EVERY_S
from actors.tasks.effect_runner import EffectRunner
from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok, Refused, Remote, Unclear
from fsm.locales import locale_of
from fsm.spec import Slot
from protocols.errors import MisuseError
from protocols.sealing import KeyRing
from store import effect_log, schema
from store.data_keys import use_ring
from store.database import reading
from tests.actors.bots import Folders, OneWith, baking
from tests.actors.tasks.oven import (
    AT_ONCE,
    LATER,
    NOW,
    REQUEST,
    Died,
    Oven,
    bake,
    baked,
    begin,
    database_lost,
    logged,
    runner_of,
)
from tests.fsm.tables import table
from tests.store.garbage import spoil

# --- after a crash ---


@pytest.mark.parametrize("ring", [None, KeyRing([b"\1" * 32])], ids=["plain", "sealed"])
@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize(
    ("recover", "result", "asked"), [("retry", "ok", 2), ("look_up", "ok", None), ("human", "unclear", 1)]
)
def test_an_attempt_after_a_crash_recovers_as_the_effect_declares(
    engine: Engine, dies: str, recover: str, result: str, asked: int | None, ring: KeyRing | None
) -> None:
    use_ring(engine, ring)
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up if recover == "look_up" else recover, drops_duplicates=True)  # type: ignore[arg-type]
    oven.dies = dies
    with pytest.raises(Died):
        runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    assert logged(engine) == "intended"
    oven.dies = ""
    again = runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    assert again == (Unclear(UNSURE) if recover == "human" else Ok({"ticket": 1}))
    assert logged(engine) == result
    assert oven.asked == (asked or (1 if dies == "after" else 2))
    assert runner_of(engine, effect).carry_out("pizza.bake", REQUEST) == again, "and that is the last word"


@pytest.mark.parametrize("recovery", ["the call", "the daemon"])
def test_what_a_human_must_find_out_is_told_in_the_words_of_the_effect(engine: Engine, recovery: str) -> None:
    oven = Oven()
    effect = Remote(oven.do, unclear="Nobody knows about your pizza.")
    oven.dies = "after"
    with pytest.raises(Died):
        runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    runner = runner_of(engine, effect, LATER)
    if recovery == "the daemon":
        runner.recovery.recover()
        [left] = runner.recovery.unsettled()
        assert left.say == effect.unclear
    assert runner.carry_out("pizza.bake", REQUEST) == Unclear(effect.unclear)
    assert [each.say for each in runner.recovery.unsettled()] == [effect.unclear]


@pytest.mark.parametrize(("arrives", "status"), [(True, "ok"), (False, "failed")])
def test_what_is_not_found_yet_is_not_done_again_while_the_first_request_may_be_under_way(
    engine: Engine, arrives: bool, status: str
) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up)
    oven.dies = "before"  # our process does, and the request is on its way
    with pytest.raises(Died):
        runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    oven.dies = ""
    assert runner_of(engine, effect).carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)
    assert (logged(engine), oven.asked) == ("unclear", 1)
    if arrives:
        oven.done[REQUEST.key] = 1
    assert runner_of(engine, effect, LATER).recovery.recover() == 1
    assert (logged(engine), oven.asked) == (status, 1)


def test_what_takes_long_is_not_looked_up_before_it_must_have_ended(engine: Engine) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up, longest_s=3 * ABANDONED.total_seconds())
    oven.dies = "before"
    with pytest.raises(Died):
        runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    oven.dies = ""
    assert runner_of(engine, effect, LATER).recovery.recover() == 0
    assert (logged(engine), oven.asked) == ("intended", 1)
    assert runner_of(engine, effect, LATER + 2 * ABANDONED).recovery.recover() == 1
    assert (logged(engine), oven.asked) == ("ok", 2)


@pytest.mark.parametrize("ring", [None, KeyRing([b"\1" * 32])], ids=["plain", "sealed"])
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
    engine: Engine, recover: str, policy: Any, status: str, done: int, ring: KeyRing | None
) -> None:
    use_ring(engine, ring)
    oven = Oven()
    effect = Remote(
        oven.do,
        recover=oven.look_up if recover == "look_up" else recover,  # type: ignore[arg-type]
        undo=oven.undo,
        on_hang_up=policy,
    )
    oven.dies = "after"
    with pytest.raises(Died):
        runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    oven.dies = ""
    assert runner_of(engine, effect, NOW + ABANDONED).recovery.recover() == 0, "it may still be at work"
    assert runner_of(engine, effect, LATER).recovery.recover() == 1
    assert (logged(engine), len(oven.done)) == (status, done)
    assert runner_of(engine, effect, LATER).recovery.recover() == 0


def test_an_effect_that_cannot_be_settled_now_blocks_nothing_and_is_tried_again(engine: Engine) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover="retry")
    oven.dies = "before"
    for key in ("c-1:t1:4", "c-2:t1:4"):
        with pytest.raises(Died):
            runner_of(engine, effect).carry_out("pizza.bake", replace(REQUEST, key=key))
    oven.dies, oven.breaks = "", "before"
    assert runner_of(engine, effect, LATER).recovery.recover() == 0, "its peer is still gone"
    assert logged(engine) == "intended"
    oven.breaks = ""
    assert runner_of(engine, effect, LATER + 2 * ABANDONED).recovery.recover() == 2
    assert logged(engine) == "ok"


def test_one_effect_that_cannot_be_settled_does_not_hold_up_the_next(engine: Engine) -> None:
    oven = Oven()
    oven.dies = "before"
    for key in ("c-1:t1:4", "c-2:t1:4"):
        with pytest.raises(Died):
            runner_of(engine, Remote(oven.do, recover="retry")).carry_out("pizza.bake", replace(REQUEST, key=key))
    tried: list[str] = []

    def breaks_at_first(request: EffectRequest) -> EffectResult:
        tried.append(request.key)
        if len(tried) == 1:
            raise ConnectionError
        return Ok()

    assert runner_of(engine, Remote(breaks_at_first, recover="retry"), LATER).recovery.recover() == 1
    assert sorted(logged(engine, key) or "" for key in tried) == ["intended", "ok"]


def test_while_a_process_carries_out_one_effect_it_settles_what_others_have_left(engine: Engine) -> None:
    inside, go_on, clock = Event(), Event(), [NOW]

    def slow(request: EffectRequest) -> EffectResult:
        if request.key == REQUEST.key:
            inside.set()
            go_on.wait(timeout=60)
        return Ok()

    spec = table(effects={"pizza.bake": Remote(slow, recover="retry")})
    services = EffectRunner(engine, OneWith({spec.name: spec}), lambda: clock[0], watched=AT_ONCE)
    oven = Oven()
    oven.dies = "before"
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(services.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        other = runner_of(engine, Remote(oven.do, recover="retry"), NOW + timedelta(milliseconds=1))
        with pytest.raises(Died):
            other.carry_out("pizza.bake", replace(REQUEST, key="c-2:t1:4"))
        clock[0] = LATER + timedelta(seconds=1)
        assert services.recovery.recover() == 1
        assert (logged(engine), logged(engine, "c-2:t1:4")) == ("intended", "ok")
        go_on.set()
        assert under_way.result(timeout=60) == Ok()


def test_without_a_database_what_a_dead_process_has_begun_waits_for_the_next_time(engine: Engine) -> None:
    begin(engine, oven := Oven())
    runner = runner_of(engine, Remote(oven.do, recover="retry"), LATER)
    with database_lost(engine):
        assert runner.recovery.recover() == 0
        runner.recovery.keep()
    assert (oven.asked, logged(engine)) == (1, "intended")
    assert runner.recovery.recover() == 1
    assert (oven.asked, logged(engine)) == (2, "ok")


def test_processes_that_start_together_end_it_once(engine: Engine) -> None:
    begin(engine, oven := Oven())
    looking = Barrier(2)

    def look_up(request: EffectRequest) -> EffectResult | None:
        with suppress(BrokenBarrierError):
            looking.wait(timeout=0.2)  # both would look before either does it
        return None

    runner = runner_of(engine, Remote(oven.do, recover=look_up), LATER)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: runner.recovery.recover(), range(2))) == [0, 1]
    assert oven.asked == 2, "once by the process that died, and once more"


@pytest.mark.parametrize("changed", ["no such effect", "other slots"])
def test_an_effect_that_no_task_declares_is_left_to_a_human_and_reported_once(engine: Engine, changed: str) -> None:
    begin(engine, oven := Oven())
    now = table(slots={"count": Slot(bool, ask="Many?")}, effects={"pizza.bake": Remote(oven.do, recover="retry")})
    agents = {} if changed == "no such effect" else {now.name: now}
    runner = EffectRunner(engine, OneWith(agents), lambda: LATER, watched=AT_ONCE)
    assert (runner.recovery.recover(), logged(engine)) == (1, "unclear")
    assert runner.recovery.recover() == 0


def test_an_effect_that_was_never_done_is_not_undone(engine: Engine) -> None:
    begin(engine, oven := Oven(), dies="before")
    undone: list[EffectRequest] = []
    effect = Remote(oven.do, recover=oven.look_up, undo=undone.append, on_hang_up="undo")
    assert runner_of(engine, effect, LATER).recovery.recover() == 1
    assert (undone, logged(engine)) == ([], "undone")


@pytest.mark.parametrize("result", [Refused("It is out."), Failed("No oven.")])
def test_an_effect_that_was_refused_is_not_undone(engine: Engine, result: EffectResult) -> None:
    begin(engine, oven := Oven(), dies="after")
    undone: list[EffectRequest] = []
    effect = Remote(oven.do, recover=lambda request: result, undo=undone.append, on_hang_up="undo")
    assert runner_of(engine, effect, LATER).recovery.recover() == 1
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
    told = runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    assert told == (Failed(BROKEN) if breaks == "not sent" else Unclear(UNSURE))
    oven.breaks = ""
    assert runner_of(engine, effect).carry_out("pizza.bake", REQUEST) == told, "nor by another step with its key"
    for now in (NOW, LATER, NOW + timedelta(days=90)):
        runner_of(engine, effect, now).recovery.recover()
    assert oven.asked == 1
    looked_up = "ok" if breaks == "after" else "failed"
    unclear = looked_up if recover == "look_up" else "unclear"
    assert logged(engine) == ("failed" if breaks == "not sent" else unclear)


def test_a_recent_effect_that_is_not_found_stays_unclear(engine: Engine) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up)
    oven.breaks = "before"
    runner_of(engine, effect).carry_out("pizza.bake", REQUEST)
    assert runner_of(engine, effect).recovery.recover() == 0
    assert logged(engine) == "unclear"


def test_an_effect_that_took_long_is_recent_from_its_end(engine: Engine) -> None:
    clock, oven = [NOW], Oven()

    def slow(request: EffectRequest) -> EffectResult:
        clock[0] = NOW + 2 * ABANDONED
        raise ConnectionError

    spec = table(effects={"pizza.bake": Remote(slow, recover=oven.look_up)})
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: clock[0], watched=AT_ONCE)
    assert runner.carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)
    assert (runner.recovery.recover(), logged(engine)) == (0, "unclear")
    clock[0] += ABANDONED + timedelta(seconds=1)
    assert (runner.recovery.recover(), logged(engine)) == (1, "failed")


@pytest.mark.parametrize("recover", ["retry", "look_up"])
def test_an_effect_that_is_too_old_is_left_to_a_human(engine: Engine, recover: str) -> None:
    oven = Oven()
    effect = Remote(
        oven.do,
        recover=oven.look_up if recover == "look_up" else recover,  # type: ignore[arg-type]
        recover_within=timedelta(minutes=30),
    )
    begin(engine, oven)
    oven.breaks = "before"
    assert runner_of(engine, effect, NOW + timedelta(minutes=30)).recovery.recover() == 0, "tried without success"
    oven.breaks = ""
    assert runner_of(engine, effect, NOW + timedelta(minutes=32)).recovery.recover() == 1
    assert (oven.asked, logged(engine)) == (2, "unclear")
    assert runner_of(engine, effect, NOW + timedelta(minutes=35)).recovery.recover() == 0
    assert (oven.asked, logged(engine)) == (2, "unclear")
    assert runner_of(engine, effect, NOW + timedelta(minutes=31)).carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)


@pytest.mark.parametrize(
    ("decision", "status", "asked"), [("done", "ok", 1), ("undone", "undone", 1), ("retry", "ok", 2)]
)
def test_a_human_settles_what_is_unclear_once(
    engine: Engine, decision: Any, status: str, asked: int, log_lines: list[str]
) -> None:
    oven = Oven()
    oven.breaks = "before"
    runner = runner_of(engine, Remote(oven.do, recover="human"))
    runner.carry_out("pizza.bake", REQUEST)
    oven.breaks = ""
    log_lines.clear()
    assert (runner_of(engine, Remote(oven.do, recover="human"), LATER).recovery.recover(), log_lines) == (0, [])
    assert [each.key for each in runner.recovery.unsettled()] == [REQUEST.key]
    assert runner.recovery.decide("another", decision) is None
    assert runner.recovery.decide(REQUEST.key, decision) == status
    assert (runner.recovery.decide(REQUEST.key, decision), runner.recovery.unsettled()) == (None, [])
    assert (logged(engine), oven.asked) == (status, asked)


def test_an_effect_that_a_human_retries_without_success_stays_unclear(engine: Engine) -> None:
    oven = Oven()
    oven.breaks = "before"
    runner = runner_of(engine, Remote(oven.do, recover="human"))
    runner.carry_out("pizza.bake", REQUEST)
    with pytest.raises(ConnectionError):
        runner.recovery.decide(REQUEST.key, "retry")
    assert [each.status for each in runner.recovery.unsettled()] == ["unclear"]


def test_an_effect_that_no_task_declares_cannot_be_retried(engine: Engine) -> None:
    begin(engine, Oven())
    runner = EffectRunner(engine, OneWith({}), lambda: LATER)
    with pytest.raises(MisuseError, match=r"pizza\.bake"):
        runner.recovery.decide(REQUEST.key, "retry")
    assert logged(engine) == "intended"


def test_unsettled_effects_are_a_gauge(engine: Engine) -> None:
    begin(engine, oven := Oven())
    runner_of(engine, Remote(oven.do, recover="human")).recovery.keep()
    assert EFFECTS_UNSETTLED._value.get() == 0, "it may still be at work"
    runner_of(engine, Remote(oven.do, recover="human"), LATER).recovery.keep()
    assert EFFECTS_UNSETTLED._value.get() == 1
    runner_of(engine, Remote(oven.do, recover="human"), LATER).recovery.decide(REQUEST.key, "done")
    runner_of(engine, Remote(oven.do, recover="human"), LATER).recovery.keep()
    assert EFFECTS_UNSETTLED._value.get() == 0


def test_an_effect_being_carried_out_is_not_taken_over(engine: Engine) -> None:
    inside, go_on, oven = Event(), Event(), Oven()

    def slow(request: EffectRequest) -> EffectResult:
        inside.set()
        go_on.wait(timeout=60)
        return oven.do(request)

    clock = [NOW]
    spec = table(effects={"pizza.bake": Remote(slow, recover="retry")})
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: clock[0])
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(runner.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        clock[0] = LATER
        assert runner.recovery.recover() == 0, "not by its own process"
        runner.recovery.keep()
        other = runner_of(engine, Remote(oven.do, recover="retry"), LATER + timedelta(seconds=30))
        assert (other.recovery.recover(), other.recovery.unsettled()) == (0, [])
        go_on.set()
        assert under_way.result(timeout=60) == Ok({"ticket": 1})
    assert (oven.asked, logged(engine)) == (1, "ok")


@pytest.mark.parametrize("ahead_s", [0, 3_600])
def test_a_process_that_looks_after_an_outage_or_by_a_wrong_clock_does_nothing_that_another_is_at(
    engine: Engine, ahead_s: float
) -> None:
    """The intent was not refreshed for minutes, or seems not to have been: that alone is no proof."""
    inside, go_on, oven, clock = Event(), Event(), Oven(), [NOW]

    def slow(request: EffectRequest) -> EffectResult:
        inside.set()
        go_on.wait(timeout=60)
        return oven.do(request)

    spec = table(effects={"pizza.bake": Remote(slow, recover="retry")})
    holder = EffectRunner(engine, OneWith({spec.name: spec}), lambda: clock[0])
    also = table(effects={"pizza.bake": Remote(oven.do, recover="retry")})
    other = EffectRunner(engine, OneWith({also.name: also}), lambda: clock[0] + timedelta(seconds=ahead_s))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(holder.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        assert other.recovery.recover() == 0
        clock[0] += timedelta(seconds=120)  # the database was away
        for _ in range(6):
            assert other.recovery.recover() == 0
            holder.recovery.keep()
            clock[0] += timedelta(seconds=RECOVER_EVERY_S)
        go_on.set()
        assert under_way.result(timeout=60) == Ok({"ticket": 1})
    assert (oven.asked, logged(engine)) == (1, "ok")


def test_what_a_dead_process_left_is_done_when_it_was_seen_untouched_for_a_minute(engine: Engine) -> None:
    begin(engine, oven := Oven())
    clock = [NOW + timedelta(hours=0.5)]
    spec = table(effects={"pizza.bake": Remote(oven.do, recover="retry")})
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: clock[0])
    settled: list[int] = []
    for _ in range(4):
        settled.append(runner.recovery.recover())
        clock[0] += timedelta(seconds=RECOVER_EVERY_S)
    assert (settled, logged(engine)) == ([0, 0, 0, 1], "ok")


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_an_effect_whose_log_is_damaged_is_neither_promised_nor_done_again_and_hides_no_other(
    engine: Engine, kind: str
) -> None:
    oven = Oven()
    effect = Local(bake) if kind == "local" else Remote(oven.do, recover="retry", undo=oven.undo, on_hang_up="undo")
    runner = runner_of(engine, effect)
    runner.carry_out("pizza.bake", REQUEST)
    spoil(engine, schema.effect, "values", "'[1, 2'", "true")
    before = baked(engine), oven.asked
    assert runner_of(engine, effect).carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)
    assert runner.hung_up("pizza.bake", REQUEST) is False
    assert (baked(engine), oven.asked) == before
    other = replace(REQUEST, key="c-2:t1:4")
    oven.dies = "before"
    if kind == "remote":
        with pytest.raises(Died):
            runner.carry_out("pizza.bake", other)
        oven.dies = ""
        spoil(engine, schema.effect, "status", "'intended'", "true")
        runner.recovery.keep()
        assert runner_of(engine, effect, LATER).recovery.recover() == 1
        assert logged(engine, other.key) == "undone"


@pytest.mark.parametrize(("decision", "status"), [("done", "ok"), ("undone", "undone")])
def test_a_human_settles_an_effect_whose_log_is_damaged_once(engine: Engine, decision: Any, status: str) -> None:
    oven = Oven()
    oven.breaks = "before"
    recovery = runner_of(engine, Remote(oven.do, recover="human")).recovery
    runner_of(engine, Remote(oven.do, recover="human")).carry_out("pizza.bake", REQUEST)
    spoil(engine, schema.effect, "values", "'[1, 2'", "true")
    with pytest.raises(MisuseError):
        recovery.decide(REQUEST.key, "retry")
    assert [recovery.decide(REQUEST.key, decision) for _ in range(2)] == [status, None]
    assert (recovery.damaged(), oven.asked) == ([], 1)


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
    runner = runner_of(engine, Remote(and_then_it_is_lost, recover="retry"))
    event.listen(engine, "begin", begin_fails)
    told = runner.carry_out("pizza.bake", REQUEST)
    runner.recovery.keep()
    event.remove(engine, "begin", begin_fails)
    assert (told, logged(engine)) == (Unclear(UNSURE) if breaks else Ok({"ticket": 1}), "intended")
    runner.recovery.keep()
    assert (logged(engine), oven.asked) == ("unclear" if breaks else "ok", 1)


# --- which version's effect it is ---


def begun_by(engine: Engine, bot: str, digest: str) -> None:
    """A process dies while a version of a bot bakes."""
    oven = Oven()
    oven.dies = "before"
    bots = Folders(bot)
    bots.versions[bot, digest] = baking(bot, digest, oven.do)
    request = replace(REQUEST, context=replace(REQUEST.context, bot=bot, bot_digest=digest))
    with pytest.raises(Died):
        EffectRunner(engine, bots, lambda: NOW).carry_out("pizza.bake", request)


def settled_with(engine: Engine, bots: Folders, *versions: Bot) -> list[str]:
    """Settle what is left. versions: those that can be had. Returns in which it was done."""
    bots.versions |= {(each.name, each.digest): each for each in versions}
    EffectRunner(engine, bots, lambda: LATER, watched=AT_ONCE).recovery.recover()
    with reading(engine) as connection:
        found = effect_log.find(connection, REQUEST.key)
    assert found is not None
    return [str(each) for each in found.values.values()]


def doing(name: str, digest: str) -> Bot:
    return baking(name, digest, lambda request: Ok({"in": f"{name} {digest}"}))


def test_an_effect_is_settled_as_the_version_of_its_call_has_it(engine: Engine) -> None:
    begun_by(engine, "linden", "1")
    bots = Folders("linden")
    bots.present_bots["linden"] = doing("linden", "2")
    assert settled_with(engine, bots, doing("linden", "1")) == ["linden 1"]


def test_what_the_caller_was_told_is_in_the_language_of_the_effects_bot(engine: Engine) -> None:
    begun_by(engine, "linden", "1")
    bots, linden = Folders("linden"), doing("linden", "1")
    profile = replace(linden.profile, locale=locale_of("de-DE"))
    bots.versions["linden", "1"] = replace(linden, profile=profile)
    recovery = EffectRunner(engine, bots, lambda: LATER).recovery
    [known] = recovery.unsettled()
    assert recovery.words(replace(known, say=UNSURE)) == locale_of("de-DE").of(UNSURE) != UNSURE


def test_an_effect_whose_version_is_gone_waits_for_a_process_that_has_it_then_a_human_decides(engine: Engine) -> None:
    """What the present version has under the same name may be another system's."""
    begun_by(engine, "linden", "1")
    bots = Folders("dental", "linden")
    bots.present_bots |= {"linden": doing("linden", "2"), "dental": doing("dental", "1")}
    assert settled_with(engine, bots) == []
    assert logged(engine) == "intended"
    later = EffectRunner(engine, bots, lambda: LATER + FOREIGN_PATIENCE, watched=AT_ONCE)
    later.recovery.recover()
    assert logged(engine) == "unclear"


def test_an_effect_of_the_release_before_is_settled_by_the_bot_by_default(engine: Engine) -> None:
    begun_by(engine, "", "")
    bots = Folders("linden", "dental")
    bots.present_bots["linden"] = doing("linden", "2")
    assert settled_with(engine, bots) == ["linden 2"]


def test_a_version_is_made_once_for_all_effects_that_wait_for_it(engine: Engine) -> None:
    begun_by(engine, "linden", "1")
    bots = Folders("linden")
    clock = [LATER]
    runner = EffectRunner(engine, bots, lambda: clock[0], watched=AT_ONCE)
    runner.recovery.recover()
    clock[0] += 2 * ABANDONED
    runner.recovery.recover()
    assert (logged(engine), bots.asked) == ("intended", [("linden", "1")])
