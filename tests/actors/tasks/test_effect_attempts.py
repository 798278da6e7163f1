"""One attempt at a time for each key, and what the effect log keeps of it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine

from actors.tasks.effect_attempts import Declaration, EffectAttempts, checked
from fsm.effects import Failed, Local, Ok, Remote, Unclear
from fsm.locales import locale_of
from fsm.spec import Slot
from protocols.images import MOST_IMAGE_BYTES
from store import effect_log
from store.effect_log import LoggedEffect
from tests.actors.bots import OneWith
from tests.actors.tasks.oven import NOW, REQUEST, bake
from tests.fsm.tables import table

SPEC = table(effects={"pizza.bake": Local(bake)})
BOT = OneWith({SPEC.name: SPEC}).bot
GERMAN = replace(BOT, profile=replace(BOT.profile, locale=locale_of("de-DE")))
DECLARED = Declaration(GERMAN, SPEC.effects["pizza.bake"], SPEC)


def attempts(engine: Engine, patience_s: float = 60.0) -> EffectAttempts:
    return EffectAttempts(engine, OneWith({SPEC.name: SPEC}), lambda: NOW, patience_s)


def entry(attempts: EffectAttempts, epoch: int = 0) -> LoggedEffect:
    return attempts.entry("pizza.bake", DECLARED, REQUEST, epoch)


def test_an_effect_is_logged_with_no_more_than_it_reads(engine: Engine) -> None:
    """What a look-up found of the caller would stand in clear text there."""
    request = replace(REQUEST, facts={"before.name": "Ada Grabowski", "ticket": "R-7"})

    def kept(effect: Local | Remote) -> dict[str, object]:
        return dict(attempts(engine).entry("pizza.bake", replace(DECLARED, effect=effect), request, 0).facts)

    assert kept(Remote(lambda _: Ok(), facts=frozenset({"ticket", "other"}))) == {"ticket": "R-7"}
    assert kept(Remote(lambda _: Ok())) == kept(Local(bake)) == dict(request.facts)


def test_an_attempt_waits_until_the_one_with_its_key_has_ended(engine: Engine) -> None:
    shared, inside, go_on = attempts(engine), Event(), Event()
    order: list[str] = []

    def first() -> None:
        with shared.alone("k-1"):
            inside.set()
            assert go_on.wait(timeout=60)
            order.append("first")

    def second() -> None:
        with shared.alone("k-1") as alone:
            order.append("second")
            assert alone

    with ThreadPoolExecutor(2) as pool:
        under_way = pool.submit(first)
        assert inside.wait(timeout=60)
        waits = pool.submit(second)
        assert shared.under_way == ("k-1",)
        go_on.set()
        under_way.result(timeout=60)
        waits.result(timeout=60)
    assert order == ["first", "second"]
    assert not shared.under_way


def test_another_key_does_not_wait_and_the_same_key_only_for_so_long(engine: Engine) -> None:
    shared = attempts(engine, patience_s=0.01)
    with shared.alone("k-1") as alone:
        assert alone
        with shared.alone("k-2") as other:
            assert other
        with shared.alone("k-1") as same:
            assert not same
        assert shared.under_way == ("k-1",), "an attempt that gave up waiting does not end the other"


def test_a_key_is_free_after_an_attempt_that_raised(engine: Engine) -> None:
    shared = attempts(engine, patience_s=0.0)
    with pytest.raises(ZeroDivisionError), shared.alone("k-1"):
        raise ZeroDivisionError
    with shared.alone("k-1") as alone:
        assert alone


def test_a_logged_request_is_the_one_that_was_made(engine: Engine) -> None:
    shared = attempts(engine)
    with engine.begin() as connection:
        assert effect_log.intend(connection, entry(shared, epoch=7))
        known = effect_log.find(connection, REQUEST.key)
    assert known is not None
    assert (known.epoch, known.intended_at, known.status) == (7, NOW, "intended")
    again = shared.request(known, DECLARED)
    assert again is not None
    assert again.context.locale.tag == "de-DE", "of the bot that declares it"
    assert (again.key, again.slots, again.facts) == (REQUEST.key, REQUEST.slots, REQUEST.facts)
    assert (again.context.conversation_id, again.context.run_id, again.context.caller) == ("c-1", "t1", "+4930123")


def test_a_request_that_its_table_can_no_longer_read_is_none(engine: Engine) -> None:
    known = entry(attempts(engine))
    changed = table(slots={"count": Slot(bool, ask="Many?")}, effects={"pizza.bake": Local(bake)})
    assert attempts(engine).request(known, replace(DECLARED, spec=changed)) is None


@pytest.mark.parametrize(
    ("result", "status", "stored"),
    [
        (Ok({"ticket": 1}), None, ("ok", {"ticket": 1}, "")),
        (Failed("No."), None, ("failed", {}, "No.")),
        (Ok(), "undone", ("undone", {}, "")),
    ],
)
def test_an_outcome_is_stored_with_its_values_and_words(
    engine: Engine, result: Any, status: Any, stored: tuple[str, dict[str, Any], str]
) -> None:
    shared = attempts(engine)
    with engine.begin() as connection:
        effect_log.intend(connection, entry(shared))
        shared.settle(connection, REQUEST.key, result, status)
        known = effect_log.find(connection, REQUEST.key)
    assert known is not None
    assert (known.status, known.values, known.say) == stored


@pytest.mark.parametrize(
    "result",
    [None, "ok", Ok({"ticket": object()}), Ok({"price": math.inf}), Ok({"price": [math.nan]})],  # type: ignore[dict-item]
)
def test_what_is_no_result_or_cannot_be_stored_is_refused(result: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        checked(result)
    assert checked(Unclear("Perhaps.")) == Unclear("Perhaps.")


def test_an_image_of_a_result_is_bytes_and_is_kept_beside_its_values() -> None:
    assert checked(Ok({"name": "A\0da"}, {"card": b"png"})) == Ok({"name": "A\ufffdda"}, {"card": b"png"})
    with pytest.raises(TypeError, match="an image that is no bytes"):
        checked(Ok({}, {"card": "png"}))  # type: ignore[dict-item] # as an author's code may


def test_of_an_image_that_is_too_large_no_more_is_kept_than_tells_so() -> None:
    result = checked(Ok({}, {"card": bytes(50 * 1024 * 1024), "plan": bytes(MOST_IMAGE_BYTES)}))
    assert isinstance(result, Ok)
    assert {name: len(each) for name, each in result.images.items()} == {
        "card": MOST_IMAGE_BYTES + 1,
        "plan": MOST_IMAGE_BYTES,
    }
