"""Effects in a real database: once for a key, whatever dies, races or hangs up in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from actors.bots import Bot
from actors.tasks.effect_attempts import BROKEN, UNSURE
from actors.tasks.effect_recovery import UNDO_FAILED
from actors.tasks.effect_runner import NO_STORE, TOO_MANY, EffectLimits, EffectRunner
from appointments.bookings import AppointmentBook
from fsm.effects import EffectRequest, EffectResult, Failed, Local, NotSent, Ok, Refused, Remote, TaskContext, Unclear
from fsm.secret import DOTS, Secret
from fsm.spec import Act, AgentSpec, Slot
from fsm.task_file import Parts, compile_task
from store import effect_log, schema
from store.database import open_database, reading
from tests.actors.bots import Folders, OneWith, baking
from tests.actors.tasks.oven import (
    AT,
    LATER,
    NOW,
    REQUEST,
    Oven,
    bake,
    baked,
    database_lost,
    logged,
    runner_of,
    take_out,
)
from tests.fsm.tables import table

# --- local ---


def test_the_same_key_again_gives_the_first_result_and_does_nothing(engine: Engine) -> None:
    runner = runner_of(engine, Local(bake))
    first = runner.carry_out("pizza.bake", REQUEST)
    assert first == Ok({"ticket": 1})
    assert runner.carry_out("pizza.bake", REQUEST) == first
    assert runner_of(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == first, "also in another process"
    assert (baked(engine), logged(engine)) == (1, "ok")


def test_an_effect_refused_half_way_has_changed_nothing_and_stays_refused(engine: Engine) -> None:
    def half(request: EffectRequest, connection: Any) -> EffectResult:
        bake(request, connection)
        return Refused("No flour.")

    assert runner_of(engine, Local(half)).carry_out("pizza.bake", REQUEST) == Refused("No flour.")
    assert (baked(engine), logged(engine)) == (0, "refused")
    assert runner_of(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == Refused("No flour.")


@pytest.mark.parametrize("fault", ["raises", "gives no result", "gives what cannot be stored"])
def test_a_local_effect_that_raises_has_failed_left_nothing_behind_and_is_not_done_later(
    engine: Engine, fault: str
) -> None:
    def breaks(request: EffectRequest, connection: Any) -> Any:
        bake(request, connection)
        if fault == "raises":
            raise ZeroDivisionError
        return None if fault == "gives no result" else Ok({"ticket": NOW})  # type: ignore[dict-item]

    result = runner_of(engine, Local(breaks)).carry_out("pizza.bake", REQUEST)
    assert result == Failed(BROKEN)
    assert isinstance(result, Failed)
    assert result.why == ("ZeroDivisionError" if fault == "raises" else "TypeError")
    assert (baked(engine), logged(engine)) == (0, "failed")
    assert runner_of(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert runner_of(engine, Local(bake), LATER).recovery.recover() == 0
    assert baked(engine) == 0


def test_a_result_with_a_text_that_no_store_can_hold_is_told_as_it_is_stored(engine: Engine) -> None:
    good, other = Local(lambda *_: Ok({"ticket": "7\0", "by": ["\ud800"]})), replace(REQUEST, key="c-1:t1:5")
    assert runner_of(engine, good).carry_out("pizza.bake", REQUEST) == Ok({"ticket": "7\ufffd", "by": ["\ufffd"]})
    assert runner_of(engine, good).carry_out("pizza.bake", REQUEST) == Ok({"ticket": "7\ufffd", "by": ["\ufffd"]})
    bad = Local(lambda *_: Refused("No flour\0 \udc80."))
    assert runner_of(engine, bad).carry_out("pizza.bake", other) == Refused("No flour\ufffd \ufffd.")
    assert runner_of(engine, bad).carry_out("pizza.bake", other) == Refused("No flour\ufffd \ufffd.")


def test_a_value_that_its_slot_cannot_have_is_logged_by_name(engine: Engine, log_lines: list[str]) -> None:
    effect = Remote(lambda request: Ok({"ticket": ["T-7"]}), recover="human")
    spec: AgentSpec = table(
        effects={"pizza.bake": effect},
        slots={"ticket": Slot(str, stored=True)},
        states={"Bake": Act("pizza.bake", fills=("ticket",))},
    )
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: NOW)
    assert runner.carry_out("pizza.bake", REQUEST) == Ok({"ticket": ["T-7"]})
    assert len(log_lines) == 1
    assert "'slot': 'ticket'" in log_lines[0]
    assert "T-7" not in log_lines[0]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NotSent("nobody answers Ann", why="no line"), "no line"),
        (NotSent("nobody answers Ann"), "NotSent"),
        (ConnectionRefusedError("Ann"), "ConnectionRefusedError"),
    ],
)
def test_why_nothing_was_sent_is_told_without_anybodys_words(engine: Engine, error: Exception, why: str) -> None:
    def breaks(_: EffectRequest) -> EffectResult:
        raise error

    result = runner_of(engine, Remote(breaks, recover="human")).carry_out("pizza.bake", REQUEST)
    assert isinstance(result, Failed)
    assert (result.say, result.why) == (BROKEN, why)


def test_a_look_up_that_raises_has_failed(engine: Engine) -> None:
    def breaks(request: EffectRequest, connection: Any) -> EffectResult:
        raise ZeroDivisionError

    assert runner_of(engine, Local(breaks, reads_only=True)).carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert logged(engine) is None


def test_eight_threads_with_one_key_do_it_once_and_all_hear_the_same(engine: Engine) -> None:
    runner, together = runner_of(engine, Local(bake)), Barrier(8)

    def race(_: int) -> EffectResult:
        together.wait(timeout=60)
        return runner.carry_out("pizza.bake", REQUEST)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    assert results == [Ok({"ticket": 1})] * 8
    assert baked(engine) == 1


def test_one_key_for_two_effects_carries_out_neither(engine: Engine) -> None:
    runner_of(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    spec = table(name="other", effects={"pizza.eat": Local(bake), "pizza.bake": None},
                 states={"Bake": Act(effect="pizza.eat")})  # fmt: skip
    other = EffectRunner(engine, OneWith({spec.name: spec}), lambda: NOW)
    assert other.carry_out("pizza.eat", REQUEST) == Unclear(UNSURE)
    assert baked(engine) == 1


def test_one_key_for_other_values_does_not_report_success(engine: Engine) -> None:
    runner = runner_of(engine, Local(bake))
    runner.carry_out("pizza.bake", REQUEST)
    assert runner.carry_out("pizza.bake", replace(REQUEST, slots={"count": 9})) == Unclear(UNSURE)
    assert baked(engine) == 1


def test_what_a_look_up_writes_is_rolled_back(engine: Engine) -> None:
    assert runner_of(engine, Local(bake, reads_only=True)).carry_out("pizza.bake", REQUEST) == Ok({"ticket": 1})
    assert baked(engine) == 0


def test_a_lookup_leaves_no_trace(engine: Engine) -> None:
    look = runner_of(engine, Local(lambda request, connection: Ok({"free": 3}), reads_only=True))
    assert look.carry_out("pizza.bake", REQUEST) == Ok({"free": 3})
    assert logged(engine) is None


def test_without_a_database_nothing_is_promised(engine: Engine) -> None:
    schema.metadata.drop_all(engine)
    result = runner_of(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    assert isinstance(result, Failed)
    assert "cannot get at our books" in result.say


@pytest.mark.parametrize("gone", ["committing", "before"])
def test_a_database_lost_during_the_commit_leaves_the_effect_unclear(engine: Engine, gone: str) -> None:
    with database_lost(engine, "commit" if gone == "committing" else "begin"):
        result = runner_of(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    assert result == (Unclear(UNSURE) if gone == "committing" else Failed(NO_STORE))


def test_an_attempt_while_another_thread_hangs_in_the_effect_is_unclear(engine: Engine) -> None:
    inside, go_on = Event(), Event()

    def hangs(request: EffectRequest, connection: Any) -> EffectResult:
        inside.set()
        go_on.wait(timeout=60)
        return bake(request, connection)

    runner = runner_of(engine, Local(hangs), patience_s=0.05)
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(runner.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        assert runner.carry_out("pizza.bake", REQUEST) == Unclear(UNSURE)
        go_on.set()
        assert hung.result(timeout=60) == Ok({"ticket": 1})
    assert runner.carry_out("pizza.bake", REQUEST) == Ok({"ticket": 1}), "and later its result"


# --- hang-ups ---


@pytest.mark.parametrize(("policy", "left"), [("finish", 1), ("undo", 0)])
def test_a_hang_up_finishes_or_undoes_the_effect_by_its_policy(engine: Engine, policy: Any, left: int) -> None:
    runner = runner_of(engine, Local(bake, undo=take_out, on_hang_up=policy))
    runner.carry_out("pizza.bake", REQUEST)
    assert runner.hung_up("pizza.bake", REQUEST) is (policy == "undo")
    assert runner.hung_up("pizza.bake", REQUEST) is False, "only once"
    assert baked(engine) == left


def test_what_was_undone_is_not_done_again(engine: Engine) -> None:
    runner = runner_of(engine, Local(bake, undo=take_out, on_hang_up="undo"))
    runner.carry_out("pizza.bake", REQUEST)
    runner.hung_up("pizza.bake", REQUEST)
    assert runner.carry_out("pizza.bake", REQUEST) == Failed(BROKEN)
    assert (baked(engine), logged(engine)) == (0, "undone")


def test_undoing_a_remote_effect_blocks_no_writer(engine: Engine) -> None:
    def take_back(request: EffectRequest) -> None:
        AppointmentBook(engine).book("another", AT, 5, "", "c-2", "k-2")

    runner = runner_of(engine, Remote(lambda request: Ok(), recover="retry", undo=take_back, on_hang_up="undo"))
    runner.carry_out("pizza.bake", REQUEST)
    assert runner.hung_up("pizza.bake", REQUEST)
    assert (logged(engine), runner.hung_up("pizza.bake", REQUEST)) == ("undone", False)


@pytest.mark.parametrize("result", [Refused("No."), Failed("No oven."), Unclear(UNSURE)])
def test_a_remote_effect_of_which_nothing_came_is_not_undone(engine: Engine, result: EffectResult) -> None:
    undone: list[EffectRequest] = []
    services = runner_of(engine, Remote(lambda request: result, recover="human", undo=undone.append, on_hang_up="undo"))
    services.carry_out("pizza.bake", REQUEST)
    before = logged(engine)
    assert services.hung_up("pizza.bake", REQUEST) is False
    assert (undone, logged(engine)) == ([], before)


def test_an_undo_that_breaks_has_changed_nothing_and_is_left_to_a_human(engine: Engine) -> None:
    def breaks(request: EffectRequest, connection: Any) -> None:
        take_out(request, connection)
        raise ZeroDivisionError

    runner = runner_of(engine, Local(bake, undo=breaks, on_hang_up="undo"))
    runner.carry_out("pizza.bake", REQUEST)
    assert runner.hung_up("pizza.bake", REQUEST) is False
    assert baked(engine) == 1
    assert [(each.status, each.say) for each in runner.recovery.unsettled()] == [("unclear", UNDO_FAILED)]


def test_an_effect_that_another_process_has_undone_is_not_left_to_a_human(engine: Engine) -> None:
    def undone_elsewhere(request: EffectRequest) -> None:
        with engine.begin() as connection:
            effect_log.take_back(connection, request.key, NOW)
        raise ConnectionError

    oven = Oven()
    runner = runner_of(engine, Remote(oven.do, oven.look_up, undo=undone_elsewhere, on_hang_up="undo"))
    runner.carry_out("pizza.bake", REQUEST)
    assert runner.hung_up("pizza.bake", REQUEST) is False
    assert (logged(engine), runner.recovery.unsettled()) == ("undone", [])


def test_without_a_database_nothing_was_taken_back(engine: Engine) -> None:
    runner = runner_of(engine, Local(bake, undo=take_out, on_hang_up="undo"))
    runner.carry_out("pizza.bake", REQUEST)
    schema.effect.drop(engine)
    assert runner.hung_up("pizza.bake", REQUEST) is False
    assert baked(engine) == 1


# --- limits ---


def another(number: int, conversation_id: str = "c-1", caller: str = "+4930123", now: datetime = NOW) -> EffectRequest:
    context = TaskContext(conversation_id, f"t{number}", caller, lambda: now)
    return replace(REQUEST, key=f"{conversation_id}:t{number}:4", context=context)


def limited(engine: Engine, effect: Local | Remote, now: datetime = NOW) -> EffectRunner:
    spec: AgentSpec = table(effects={"pizza.bake": effect})
    return EffectRunner(
        engine, OneWith({spec.name: spec}), lambda: now, limits=EffectLimits(per_call=2, per_number_a_day=3)
    )


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
    by_call = EffectRunner(engine, OneWith({spec.name: spec}), lambda: NOW, limits=EffectLimits(per_call=1))
    assert [by_call.carry_out("pizza.bake", another(1, call)) for call in ("c-1", "c-2")] == [Ok(), Ok()]
    by_number = EffectRunner(engine, OneWith({spec.name: spec}), lambda: NOW, limits=EffectLimits(per_number_a_day=4))
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


def test_two_threads_with_one_key_call_the_remote_system_once(engine: Engine) -> None:
    asked: list[EffectRequest] = []
    inside, go_on = Event(), Event()

    def slow(request: EffectRequest) -> EffectResult:
        asked.append(request)
        inside.set()
        go_on.wait(timeout=60)
        return Ok({"ticket": len(asked)})

    # It is not there when the second looks it up, and would be done again.
    runner = runner_of(engine, Remote(slow, recover=lambda request: None))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(runner.carry_out, "pizza.bake", REQUEST)
        assert inside.wait(timeout=60)
        second = pool.submit(runner.carry_out, "pizza.bake", REQUEST)
        go_on.set()
        assert first.result(timeout=60) == second.result(timeout=60) == Ok({"ticket": 1})
    assert len(asked) == 1


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


# --- look-ups elsewhere ---


def test_a_remote_look_up_holds_no_connection_however_slow_it_is(engine: Engine) -> None:
    held: list[int] = []

    def look(request: EffectRequest) -> EffectResult:
        held.append(engine.pool.checkedout())  # type: ignore[attr-defined] # of SQLAlchemy's QueuePool
        return Ok({"price": 30})

    looked = runner_of(engine, Remote(look, reads_only=True)).carry_out("pizza.bake", REQUEST)
    assert (looked, held, logged(engine)) == (Ok({"price": 30}), [0], None)


def test_a_remote_look_up_is_made_anew_each_time_and_has_no_limits(engine: Engine) -> None:
    oven = Oven()
    runner = limited(engine, Remote(oven.do, reads_only=True))
    results = [runner.carry_out("pizza.bake", REQUEST) for _ in range(4)]
    assert (oven.asked, {type(each) for each in results}) == (4, {Ok})


@pytest.mark.parametrize("result", [ZeroDivisionError(), ConnectionError(), SystemExit(), Unclear(BROKEN), "no result"])
def test_a_remote_look_up_of_which_nobody_knows_the_outcome_has_failed(engine: Engine, result: object) -> None:
    def look(request: EffectRequest) -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    assert runner_of(engine, Remote(look, reads_only=True)).carry_out("pizza.bake", REQUEST) == Failed(BROKEN)


def test_a_remote_look_up_needs_no_database(engine: Engine) -> None:
    runner = runner_of(engine, Remote(lambda request: Ok(), reads_only=True))
    with database_lost(engine):
        assert runner.carry_out("pizza.bake", REQUEST) == Ok()


# --- effects of bots ---


@pytest.mark.parametrize(
    ("own", "allowed"), [(None, 2), (3, 3), (0, 4)], ids=["the deployment's", "its own", "any number"]
)
def test_a_bot_may_have_limits_of_its_own(engine: Engine, own: int | None, allowed: int) -> None:
    bot = baking("linden", "1", lambda request: Ok())
    bots = Folders("linden")
    bots.versions["linden", "1"] = replace(bot, profile=replace(bot.profile, effects_per_call=own))
    runner = EffectRunner(engine, bots, lambda: NOW, limits=EffectLimits(per_call=2))
    context = replace(REQUEST.context, bot="linden", bot_digest="1")
    results = [
        runner.carry_out("pizza.bake", replace(REQUEST, key=f"{number}", context=context)) for number in range(4)
    ]
    assert results == [Ok()] * allowed + [Failed(TOO_MANY)] * (4 - allowed)
    assert bool(runner.spent(context)) is (allowed < 4)


def bots_with(**ovens: Callable[[EffectRequest], EffectResult]) -> Folders:
    """Bots of these names in version 1, each with an effect pizza.bake of its own."""
    bots = Folders(*ovens)
    for name, do in ovens.items():
        bots.versions[name, "1"] = baking(name, "1", do)
    return bots


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_the_version_of_a_bot_is_looked_up_once_for_an_effect_and_never_within_a_transaction(
    engine: Engine, kind: str
) -> None:
    held: list[int] = []

    class Watched(OneWith):
        def version(self, name: str, digest: str) -> Bot:
            held.append(engine.pool.checkedout())  # type: ignore[attr-defined] # of SQLAlchemy's QueuePool
            return super().version(name, digest)

    effect = Local(bake) if kind == "local" else Remote(lambda request: Ok(), recover="retry")
    spec = table(effects={"pizza.bake": effect})
    runner = EffectRunner(engine, Watched({spec.name: spec}), lambda: NOW, limits=EffectLimits(9, 9))
    assert isinstance(runner.carry_out("pizza.bake", REQUEST), Ok)
    assert held == [0]
    assert runner.spent(REQUEST.context) == ""
    assert held == [0, 0]


def test_an_effect_of_a_version_that_the_store_cannot_give_now_has_failed(engine: Engine) -> None:
    bots = bots_with(linden=lambda request: Ok())
    bots.store_errors = [OperationalError("", None, OSError("the connection was lost"))] * 2
    runner, context = EffectRunner(engine, bots, lambda: NOW), replace(REQUEST.context, bot="linden", bot_digest="1")
    result = runner.carry_out("pizza.bake", replace(REQUEST, context=context))
    assert isinstance(result, Failed)
    assert (result.say, result.why) == (NO_STORE, "the database is unavailable")
    assert runner.spent(context) == "", "it is looked at again when it is to be carried out"
    assert runner.carry_out("pizza.bake", replace(REQUEST, context=context)) == Ok()


def test_two_bots_may_have_different_effects_of_one_name(engine: Engine) -> None:
    bots = bots_with(linden=lambda request: Ok({"of": "linden"}), dental=lambda request: Ok({"of": "dental"}))
    runner = EffectRunner(engine, bots, lambda: NOW)
    for name in ("linden", "dental"):
        context = replace(REQUEST.context, bot=name, bot_digest="1")
        assert runner.carry_out("pizza.bake", replace(REQUEST, key=name, context=context)) == Ok({"of": name})
    with reading(engine) as connection:
        found = effect_log.find(connection, "dental")
    assert found is not None
    assert (found.bot, found.bot_digest) == ("dental", "1")


# --- secrets ---

CARD = "4111111111111111"


def charging(engine: Engine, do: Callable[[EffectRequest], EffectResult]) -> tuple[EffectRunner, EffectRequest]:
    """A runner of a task that charges a card, and its request."""
    slot = {"type": "digits", "sensitive": True, "length": 16, "ask": "Key in your card."}
    parsed = {
        "task": {"name": "pay", "description": "Pay."},
        "slot": {"card": slot},
        "flow": {"collect": ["card"], "confirm": "{card:last4}?", "done": {"say": "Paid."}},
        "effect": {"tool": "charge"},
    }
    spec = compile_task(parsed, Parts(effects={"charge": Remote(do, recover="retry")}))
    runner = EffectRunner(engine, OneWith({spec.name: spec}), lambda: NOW)
    return runner, replace(REQUEST, slots={"card": Secret(CARD)})


def test_the_log_of_effects_has_dots_for_a_secret_and_for_each_repetition_of_it(engine: Engine) -> None:
    runner, request = charging(engine, lambda asked: Ok({"of": f"card {asked.slots['card'].reveal()}"}))
    assert not runner.begun([request.key])
    assert runner.carry_out("charge", request) == Ok({"of": f"card {DOTS}"})
    assert runner.begun(["c-9:t1:1", request.key])
    with reading(engine) as connection:
        found = effect_log.find(connection, request.key)
    assert found is not None
    assert (found.slots, found.values) == ({"card": DOTS}, {"of": f"card {DOTS}"})


def test_an_effect_that_raises_with_a_secret_in_its_words_is_logged_without_them(
    engine: Engine, log_lines: list[str]
) -> None:
    def declined(asked: EffectRequest) -> EffectResult:
        raise ValueError(f"declined: {asked.slots['card'].reveal()}")

    runner, request = charging(engine, declined)
    assert runner.carry_out("charge", request) == Unclear(UNSURE)
    assert "ValueError" in "".join(log_lines)
    assert CARD not in "".join(log_lines)


def test_what_a_dead_process_has_begun_with_a_secret_is_not_repeated_without_it(engine: Engine) -> None:
    asked: list[EffectRequest] = []

    def dies(request: EffectRequest) -> EffectResult:
        asked.append(request)
        raise KeyboardInterrupt

    runner, request = charging(engine, dies)
    with pytest.raises(KeyboardInterrupt):
        runner.carry_out("charge", request)
    again, _ = charging(engine, lambda request: Ok({"of": request.slots["card"].reveal()}))
    assert again.carry_out("charge", replace(request, slots={"card": Secret(DOTS)})) == Unclear(UNSURE)
