"""The outbox over both kinds of database: one process at a time sends a letter, and none is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from store import effect_log, schema
from store.database import moment, open_database
from store.effect_log import LoggedEffect
from store.journal import CallRecord, Journal
from store.outbox import SENT_KEPT_S, TRIED_S, UNREADABLE, Letter, Outbox, OutboxCount, WaitingLetter

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
LETTER = Letter("c-1:after", "c-1", "desk", "d1", "+4930123", {"outcome": "completed", "tasks": []})
RECORD = CallRecord(
    conversation_id="c-1", bot="desk", caller="", media_format="", outcome="completed", started_at=AT, ended_at=AT
)


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    Journal(engine).append((), (), [LETTER])
    return Outbox(engine)


def claimed(outbox: Outbox, hold_s: float = 60) -> WaitingLetter:
    [letter] = outbox.due("desk")
    mine = outbox.claim(letter, hold_s)
    assert mine is not None
    return mine


def later(engine: Engine, seconds: float, *columns: str) -> None:
    """Have the times of all letters lie further back."""
    table = schema.outbox
    with engine.begin() as connection:
        past = moment(engine.dialect.name, -seconds)
        connection.execute(table.update().values(dict.fromkeys(columns or ("due_at",), past)))


def test_a_letter_is_written_with_the_record_and_the_effects_of_its_call(engine: Engine) -> None:
    done = LoggedEffect("c-1:t1:4", "crm.callback", "c-1", "t1", "", {}, {}, AT)
    other = LoggedEffect("c-2:t1:4", "crm.callback", "c-2", "t1", "", {}, {}, AT)
    with engine.begin() as connection:
        effect_log.intend(connection, done)
        effect_log.intend(connection, other)
        effect_log.settle(connection, done.key, "ok", {}, "", AT)
    journal, outbox = Journal(engine), Outbox(engine)
    journal.finish(RECORD, letters=[LETTER])
    assert outbox.bots() == ["desk"]
    [letter] = outbox.due("desk")
    assert letter.facts == {
        **LETTER.facts,
        "effects": [{"key": "c-1:t1:4", "effect": "crm.callback", "status": "ok"}],
    }
    assert (letter.key, letter.caller, letter.bot_digest, letter.tries) == ("c-1:after", "+4930123", "d1", 0)
    journal.finish(RECORD, letters=[LETTER])  # a batch that is written again
    assert outbox.count() == OutboxCount(due=1, dead=0)


def test_a_letter_is_not_written_without_its_record(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("alter table call rename to away"))
    with pytest.raises(OperationalError):
        Journal(engine).finish(RECORD, letters=[LETTER])
    assert Outbox(engine).count() == OutboxCount(0, 0)
    engine.dispose()


def test_one_process_at_a_time_has_a_letter(outbox: Outbox, engine: Engine) -> None:
    [letter] = outbox.due("desk")
    first = outbox.claim(letter, 60)
    assert first is not None
    assert outbox.claim(letter, 60) is None
    assert (outbox.due("desk"), outbox.bots()) == ([], [])
    later(engine, 1)  # its process has died
    second = claimed(outbox)
    assert (second.key, second.tries) == (first.key, 2)
    outbox.arrived(first)  # who was frozen meanwhile settles nothing
    assert outbox.failed(first, "late", 1) == "due"
    assert outbox.count().due == 1
    outbox.arrived(second)
    assert outbox.count() == OutboxCount(0, 0)


def test_one_that_was_put_off_by_a_clock_that_was_ahead_is_due(outbox: Outbox, engine: Engine) -> None:
    later(engine, -TRIED_S / 2)
    assert outbox.due("desk") == []
    later(engine, -365 * TRIED_S)
    assert outbox.bots() == ["desk"]
    assert claimed(outbox).tries == 1


def test_what_was_tried_least_is_sent_first(outbox: Outbox, engine: Engine) -> None:
    outbox.failed(claimed(outbox), "status 400", 0)
    later(engine, 60)
    Journal(engine).append((), (), [replace(LETTER, key=f"c-{number}:after") for number in (2, 3)])
    assert [each.key for each in outbox.due("desk")] == ["c-2:after", "c-3:after", "c-1:after"]


def test_of_one_that_has_arrived_nothing_is_kept_but_its_key_for_a_day(outbox: Outbox, engine: Engine) -> None:
    outbox.arrived(claimed(outbox))
    with engine.begin() as connection:
        [row] = connection.execute(schema.outbox.select()).mappings().all()
    assert (row["status"], row["facts"], row["caller"]) == ("sent", {}, "")
    Journal(engine).append((), (), [LETTER])
    assert outbox.count().due == 0
    later(engine, SENT_KEPT_S + 1)
    outbox.clear()
    with engine.begin() as connection:
        assert connection.execute(schema.outbox.select()).all() == []


def test_one_that_fails_is_due_again_later_and_given_up_after_a_day(outbox: Outbox, engine: Engine) -> None:
    assert outbox.failed(claimed(outbox), "status 503", 5) == "due"
    assert outbox.due("desk") == []
    [waiting] = outbox.waiting()
    assert (waiting.reason, waiting.tries, waiting.status) == ("status 503", 1, "due")
    later(engine, TRIED_S, "due_at", "written_at")
    assert outbox.failed(claimed(outbox), "status 500", 5) == "dead"
    assert outbox.count() == OutboxCount(due=0, dead=1)
    [dead] = outbox.waiting()
    assert (dead.reason, dead.status) == ("status 500", "dead")


def test_a_dead_letter_is_sent_again_or_dropped(outbox: Outbox) -> None:
    assert not outbox.retry(LETTER.key)
    assert not outbox.drop(LETTER.key)
    outbox.give_up(claimed(outbox), "status 410")
    assert outbox.retry(LETTER.key)
    again = claimed(outbox)
    assert again.facts["outcome"] == "completed"
    outbox.give_up(again, "status 410")
    assert outbox.drop(LETTER.key)
    assert outbox.waiting() == []


def test_a_damaged_letter_holds_up_no_other(outbox: Outbox, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL refuses it")
    Journal(engine).append((), (), [replace(LETTER, key="c-2:after", conversation_id="c-2")])
    with engine.begin() as connection:
        connection.execute(text("update outbox set facts = 'garbage' where key = 'c-1:after'"))
    assert outbox.count() == OutboxCount(due=2, dead=0)
    assert [letter.key for letter in outbox.due("desk")] == ["c-2:after"]
    assert outbox.count() == OutboxCount(due=1, dead=1), "it is given up"
    assert [(each.key, each.status, each.reason) for each in outbox.waiting()] == [
        ("c-1:after", "dead", UNREADABLE),
        ("c-2:after", "due", ""),
    ]
    assert outbox.retry("c-1:after")
    assert [letter.key for letter in outbox.due("desk")] == ["c-2:after"]
    assert outbox.drop("c-1:after")
    assert outbox.count() == OutboxCount(due=1, dead=0)


@pytest.mark.parametrize("damage", ["update outbox set due_at = 'garbage'", "update outbox set written_at = 'garbage'"])
def test_a_letter_whose_times_are_damaged_is_given_up_though_it_is_never_due(
    outbox: Outbox, engine: Engine, damage: str
) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL refuses it")
    with engine.begin() as connection:
        connection.execute(text(damage))
    outbox.clear()
    assert outbox.count() == OutboxCount(due=0, dead=1)
