"""Effects in a real database: once for a key, whatever dies, races or hangs up in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.effects import ABANDONED, UNSURE, EffectDesk
from fsm.effects import EffectRequest, EffectResult, Failed, Local, Ok, Refused, Remote, TaskContext
from fsm.spec import Act, AgentSpec
from store import effect_log
from store.appointments import AppointmentBook, book, by_effect, remove
from store.database import open_database, reading
from tests.fsm.tables import table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
REQUEST = EffectRequest(
    "c-1:t1:4", {"count": 3, "note": "no olives"}, TaskContext("c-1", "t1", "+4930123", lambda: NOW)
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/effects.sqlite3")
    yield engine
    engine.dispose()


def desk(engine: Engine, effect: Local | Remote, now: datetime = NOW) -> EffectDesk:
    spec: AgentSpec = table(effects={"pizza.bake": effect})
    return EffectDesk(engine, {spec.name: spec}, lambda: now)


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


# --- local ---


def test_the_same_key_again_gives_the_first_result_and_does_nothing(engine: Engine) -> None:
    house = desk(engine, Local(bake))
    first = house.carry_out("pizza.bake", REQUEST)
    assert first == Ok({"ticket": 1})
    assert house.carry_out("pizza.bake", REQUEST) == first
    assert desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == first, "also in another process"
    assert (baked(engine), logged(engine)) == (1, "ok")


def test_what_is_refused_half_way_has_changed_nothing_and_stays_refused(engine: Engine) -> None:
    def half(request: EffectRequest, connection: Any) -> EffectResult:
        bake(request, connection)
        return Refused("No flour.")

    assert desk(engine, Local(half)).carry_out("pizza.bake", REQUEST) == Refused("No flour.")
    assert (baked(engine), logged(engine)) == (0, "refused")
    assert desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == Refused("No flour.")


def test_an_exception_leaves_nothing_behind_and_the_next_try_does_it(engine: Engine) -> None:
    def breaks(request: EffectRequest, connection: Any) -> EffectResult:
        bake(request, connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk(engine, Local(breaks)).carry_out("pizza.bake", REQUEST)
    assert (baked(engine), logged(engine)) == (0, None)
    assert desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST) == Ok({"ticket": 1})


def test_eight_threads_with_one_key_do_it_once_and_all_hear_the_same(engine: Engine) -> None:
    house, together = desk(engine, Local(bake)), Barrier(8)

    def race(_: int) -> EffectResult:
        together.wait(timeout=10)
        return house.carry_out("pizza.bake", REQUEST)

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    assert results == [Ok({"ticket": 1})] * 8
    assert baked(engine) == 1


def test_one_key_for_two_effects_is_neither(engine: Engine) -> None:
    desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    spec = table(name="other", effects={"pizza.eat": Local(bake), "pizza.bake": None},
                 states={"Bake": Act(effect="pizza.eat")})  # fmt: skip
    other = EffectDesk(engine, {spec.name: spec}, lambda: NOW)
    assert other.carry_out("pizza.eat", REQUEST) == Failed(UNSURE)
    assert baked(engine) == 1


def test_a_lookup_leaves_no_trace(engine: Engine) -> None:
    look = desk(engine, Local(lambda request, connection: Ok({"free": 3}), reads_only=True))
    assert look.carry_out("pizza.bake", REQUEST) == Ok({"free": 3})
    assert logged(engine) is None


def test_without_a_database_nothing_is_promised(engine: Engine) -> None:
    from store import schema

    schema.metadata.drop_all(engine)
    result = desk(engine, Local(bake)).carry_out("pizza.bake", REQUEST)
    assert isinstance(result, Failed)
    assert "cannot get at our books" in result.say


# --- hang-ups ---


@pytest.mark.parametrize(("policy", "left"), [("finish", 1), ("undo", 0)])
def test_a_hang_up_finishes_or_undoes_as_the_effect_says(engine: Engine, policy: Any, left: int) -> None:
    house = desk(engine, Local(bake, undo=take_out, on_hang_up=policy))
    house.carry_out("pizza.bake", REQUEST)
    assert house.hung_up("pizza.bake", REQUEST) is (policy == "undo")
    assert house.hung_up("pizza.bake", REQUEST) is False, "only once"
    assert baked(engine) == left


def test_what_was_undone_is_not_done_again(engine: Engine) -> None:
    house = desk(engine, Local(bake, undo=take_out, on_hang_up="undo"))
    house.carry_out("pizza.bake", REQUEST)
    house.hung_up("pizza.bake", REQUEST)
    assert house.carry_out("pizza.bake", REQUEST) == Failed(UNSURE)
    assert (baked(engine), logged(engine)) == (0, "undone")


# --- remote ---


class Oven:
    """Somebody else's system: it keeps what it was asked, by key, and may fall silent after it did it."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.asked = 0
        self.dies = ""

    def do(self, request: EffectRequest) -> EffectResult:
        self.asked += 1
        if self.dies == "before":
            raise ConnectionError
        self.done.setdefault(request.key, len(self.done) + 1)
        if self.dies == "after":
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
def test_whoever_comes_after_a_crash_recovers_as_the_effect_says(
    engine: Engine, dies: str, recover: str, result: str, asked: int | None
) -> None:
    oven = Oven()
    effect = Remote(oven.do, recover=oven.look_up if recover == "look_up" else recover)  # type: ignore[arg-type]
    oven.dies = dies
    with pytest.raises(ConnectionError):
        desk(engine, effect).carry_out("pizza.bake", REQUEST)
    assert logged(engine) == "intended"
    oven.dies = ""
    again = desk(engine, effect).carry_out("pizza.bake", REQUEST)
    assert again == (Failed(UNSURE) if recover == "human" else Ok({"ticket": 1}))
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
    with pytest.raises(ConnectionError):
        desk(engine, effect).carry_out("pizza.bake", REQUEST)
    oven.dies = ""
    assert desk(engine, effect, NOW + ABANDONED).recover() == 0, "it may still be at work"
    later = NOW + ABANDONED + timedelta(seconds=1)
    assert desk(engine, effect, later).recover() == 1
    assert (logged(engine), len(oven.done)) == (status, done)
    assert desk(engine, effect, later).recover() == 0


# --- processes that are killed ---

GAPS = (
    "before the intent",
    "after the intent",
    "in the effect",
    "after the effect",
    "after the outcome",
    "after the answer",
)


@pytest.mark.parametrize("kind", ["local", "remote"])
@pytest.mark.parametrize("gap", GAPS)
def test_a_process_killed_in_any_gap_books_once_and_the_caller_hears_the_truth(
    tmp_path: Path, kind: str, gap: str
) -> None:
    url = f"sqlite:///{tmp_path}/killed.sqlite3"
    open_database(url).dispose()

    def process(gap: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.actors.killed", url, str(tmp_path), kind, gap]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))

    killed = process(gap)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    after = process("")
    assert after.returncode == 0, after.stderr
    answer = json.loads(after.stdout)
    engine = open_database(url)
    done = len(AppointmentBook(engine).all()) if kind == "local" else len(list(tmp_path.glob("done-*")))
    engine.dispose()
    assert (done, answer["result"], answer["say"]) == (1, "baked", "It is in the oven.")
