"""The log of effects: one intent per key, a first outcome that stays, and one takeover of what was left unsettled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

from protocols.sealing import KeyRing
from store import effect_log, schema
from store.data_keys import delete_keys, use_ring
from store.effect_log import LoggedEffect, Status
from store.rows import UnreadableRow

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
MEANT = LoggedEffect(
    key="c-1:t1:4",
    name="pizza.bake",
    conversation_id="c-1",
    run_id="t1",
    caller="+4930123",
    slots={"count": 3, "note": "ohne Öl"},
    facts={"oven": {"id": 7}},
    intended_at=AT,
)


@pytest.fixture
def intended(engine: Engine) -> Engine:
    with engine.begin() as connection:
        assert effect_log.intend(connection, MEANT)
    return engine


def found(engine: Engine, key: str = MEANT.key) -> LoggedEffect | None:
    with engine.begin() as connection:
        return effect_log.find(connection, key)


def settled(engine: Engine, status: Status, values: dict[str, Any] | None = None, say: str = "") -> LoggedEffect | None:
    with engine.begin() as connection:
        effect_log.settle(connection, MEANT.key, status, values or {}, say, AT + timedelta(seconds=1))
    return found(engine)


def test_an_intent_is_stored_with_all_its_fields(intended: Engine) -> None:
    assert found(intended) == MEANT
    assert found(intended, "c-1:t1:5") is None


def test_a_key_is_intended_once_by_the_first(intended: Engine) -> None:
    other = LoggedEffect("c-1:t1:4", "pizza.eat", "c-2", "t2", "", {}, {}, AT + timedelta(hours=1))
    with intended.begin() as connection:
        assert effect_log.intend(connection, other) is False
    assert found(intended) == MEANT


@pytest.mark.parametrize(("status", "say"), [("ok", ""), ("refused", "No."), ("failed", "Sorry."), ("unclear", "?")])
def test_an_outcome_is_stored_with_its_values_and_sentence(intended: Engine, status: Status, say: str) -> None:
    outcome = settled(intended, status, {"ticket": 7}, say)
    assert outcome is not None
    assert (outcome.status, outcome.values, outcome.say) == (status, {"ticket": 7}, say)
    with intended.begin() as connection:
        row = connection.execute(select(schema.effect.c.settled_at)).one()
        assert effect_log.intended(connection) == []
    assert row.settled_at == AT + timedelta(seconds=1)


def test_the_first_outcome_stays_and_only_what_was_unclear_becomes_clear(intended: Engine) -> None:
    settled(intended, "unclear")
    first = settled(intended, "ok", {"ticket": 7})
    assert settled(intended, "refused", say="No.") == first
    with intended.begin() as connection:
        assert effect_log.take_back(connection, MEANT.key, AT)
    # A process that was taken for dead resumes and reports its outcome.
    late = settled(intended, "ok", {"ticket": 8})
    assert late is not None
    assert (late.status, late.values) == ("undone", {"ticket": 7})


@pytest.mark.parametrize("status", [None, "refused", "failed", "unclear"])
def test_only_an_effect_that_was_done_is_taken_back(intended: Engine, status: Status | None) -> None:
    if status is not None:
        settled(intended, status)
    with intended.begin() as connection:
        assert effect_log.take_back(connection, MEANT.key, AT) is False
    assert settled(intended, "ok") is not None


def test_an_effect_is_taken_back_once(intended: Engine) -> None:
    settled(intended, "ok")
    with intended.begin() as connection:
        assert [effect_log.take_back(connection, MEANT.key, AT) for _ in range(2)] == [True, False]


def test_an_unsettled_intent_is_found_and_taken_over_once(intended: Engine) -> None:
    with intended.begin() as connection:
        left = effect_log.intended(connection)
        assert left == [MEANT]
        later = AT + timedelta(minutes=2)
        assert [effect_log.take_over(connection, left[0], later, epoch=2) for _ in range(2)] == [True, False]
        now = replace(MEANT, settled_at=later, epoch=2)
        assert (effect_log.find(connection, MEANT.key), effect_log.intended(connection)) == (now, [now])


def test_a_settled_effect_is_not_taken_over(intended: Engine) -> None:
    settled(intended, "ok")
    with intended.begin() as connection:
        assert effect_log.take_over(connection, MEANT, AT + timedelta(minutes=2)) is False


# --- sealed ---

RING = KeyRing([b"\1" * 32])
TICKET = {"ticket": "for Rumpelstiltskin"}


def stored(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(schema.effect)).all())


@pytest.fixture
def sealed(engine: Engine) -> Engine:
    """A store in which an effect was intended by a process with a key."""
    use_ring(engine, RING)
    with engine.begin() as connection:
        assert effect_log.intend(connection, MEANT)
    return engine


def test_what_was_asked_for_and_told_is_sealed_and_read_whole(sealed: Engine) -> None:
    assert found(sealed) == MEANT
    outcome = settled(sealed, "refused", TICKET, "Not for you.")
    assert outcome is not None
    assert (outcome.status, outcome.values, outcome.say, outcome.slots) == (
        "refused", TICKET, "Not for you.", MEANT.slots
    )  # fmt: skip
    for told in ("ohne", "oven", "Rumpelstiltskin", "Not for you"):
        assert told not in stored(sealed)
    with sealed.begin() as connection:
        assert effect_log.of_call(connection, "c-1") == [outcome]


def test_what_a_human_must_know_stands_beside_it(sealed: Engine) -> None:
    known = settled(sealed, "unclear", say="?")
    assert known is not None
    with sealed.begin() as connection:
        assert effect_log.decide(connection, known, "unclear", AT, "it could not be undone")
    assert (again := found(sealed)) is not None
    assert again.say == "it could not be undone"


def test_what_was_logged_before_there_was_a_key_is_read_and_settled_with_it(intended: Engine) -> None:
    use_ring(intended, RING)
    assert found(intended) == MEANT
    outcome = settled(intended, "ok", TICKET)
    assert outcome is not None
    assert (outcome.slots, outcome.values) == (MEANT.slots, TICKET)
    assert "Rumpelstiltskin" not in stored(intended)


def test_who_has_another_key_leaves_an_effect_to_one_who_can_read_it(sealed: Engine) -> None:
    use_ring(sealed, KeyRing([b"\2" * 32]))
    with pytest.raises(UnreadableRow):
        found(sealed)
    with sealed.begin() as connection:
        assert effect_log.intended(connection) == []
        assert effect_log.damaged(connection) == [MEANT.key]
    use_ring(sealed, RING)
    with sealed.begin() as connection:
        assert effect_log.intended(connection) == [MEANT]


@pytest.mark.parametrize("gone", ["the key", "its place"])
def test_what_cannot_be_opened_is_unreadable(sealed: Engine, gone: str) -> None:
    with sealed.begin() as connection:
        if gone == "the key":
            delete_keys(connection, ["c-1"], "effects")
        else:
            connection.execute(schema.effect.update().values(key="c-1:t1:5"))
    with pytest.raises(UnreadableRow):
        found(sealed, "c-1:t1:4" if gone == "the key" else "c-1:t1:5")
