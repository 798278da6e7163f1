"""All that there is of a person: found however the number is written, listed, erased; and what refuses that."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from appointments.schema import appointment
from store import schema
from store.audit import Audit
from store.erasure import Nobody, NotErased, People
from store.holds import CALL, CALLER, Holds
from store.journal import CallRecord
from tests.store.people import NOW, NUMBER, SECRET, TABLES, add_call, calls_in, counts, says

OTHER = "+4930999888"


def test_a_caller_is_erased_from_every_table_and_nobody_else_is(engine: Engine) -> None:
    add_call(engine, "a", 3)
    add_call(engine, "b", 1)
    add_call(engine, "other", 2, caller=OTHER)
    people = People(engine)
    counted = people.counts(people.caller(NUMBER))
    receipt = people.erase(people.caller(NUMBER), "ann@host", "asked for it")
    assert counted == receipt.rows
    assert says(engine, NUMBER) == set()
    assert {*counts(engine).values()} == {1, 3}  # the other's: three rows of a journal
    for table in TABLES:
        assert calls_in(engine, table) == {"other"}
    assert receipt.rows == {
        "appointment": 2, "call": 2, "call_event": 6, "call_report": 2, "effect": 2, "identity_attempt": 2,
        "lease": 2, "outbox": 2,
    }  # fmt: skip
    assert (receipt.what, receipt.calls, receipt.reason) == ("caller", 2, "asked for it")
    begun, row = Audit(engine).rows()
    assert (row.who, row.what, row.about, row.hash) == ("ann@host", "erased", receipt.id, receipt.audit_hash)
    assert (begun.who, begun.what, begun.about) == ("ann@host", "erases", receipt.id)
    for told in (str(asdict(receipt)), str(row), str(begun)):
        assert NUMBER[1:] not in told
        assert SECRET not in told


@pytest.mark.parametrize(
    "stored", ["+4930555010", "004930555010", "030 555010", "tel:+49-30-555010", "sip:+4930555010@example.com"]
)
def test_a_caller_is_found_however_the_number_was_written(engine: Engine, stored: str) -> None:
    add_call(engine, "a", 3, caller=stored)
    add_call(engine, "other", 3, caller=OTHER)
    people = People(engine, "DE")
    for asked in (NUMBER, "030/555010", stored):
        assert people.caller(asked).calls == ("a",)
    people.erase(people.caller("030/555010"), "ann", "")
    assert calls_in(engine, schema.call_event) == {"other"}


def test_what_is_known_by_the_number_alone_is_found_too(engine: Engine) -> None:
    add_call(engine, "kept no longer", 3, record=False, lease="")
    add_call(engine, "without a record", 3, record=False, status="", letter="")
    by_hand = {"resource": "r", "starts_at": NOW.replace(year=2020), "duration_min": 30, "conversation_id": ""}
    with engine.begin() as connection:
        connection.execute(insert(appointment).values(**by_hand, caller=NUMBER, effect_key="", name=SECRET))
        connection.execute(insert(appointment).values(
            **by_hand | {"resource": "s"}, caller="", effect_key="x", name="somebody else"))  # fmt: skip
    people = People(engine)
    people.erase(people.caller(NUMBER), "ann", "")
    assert says(engine, NUMBER) == says(engine, SECRET) == set()
    assert counts(engine, appointment) == {"appointment": 1}


def test_one_call_is_erased_and_the_callers_others_stay(engine: Engine) -> None:
    add_call(engine, "a", 3)
    add_call(engine, "b", 1)
    people = People(engine)
    receipt = people.erase(people.call("a"), "ann", "")
    assert (receipt.what, receipt.calls, receipt.rows["call"]) == ("call", 1, 1)
    for table in TABLES:
        assert calls_in(engine, table) == {"b"}


def test_the_digest_says_which_rows_they_were(engine: Engine) -> None:
    digests = []
    for key in ("a", "b", "a"):
        add_call(engine, key, 3)
        people = People(engine)
        with engine.begin() as connection:
            connection.execute(update(appointment).values(id=1))
        digests.append(people.erase(people.call(key), "ann", "").digest)
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize("lease", ["open", "parked"])
@pytest.mark.parametrize("record", [True, False])
def test_a_call_in_progress_is_refused_and_nothing_is_erased(engine: Engine, lease: str, record: bool) -> None:
    add_call(engine, "over", 3)
    add_call(engine, "live", 0, lease=lease, record=record, status="", letter="")
    before = counts(engine)
    people = People(engine)
    with pytest.raises(NotErased, match="call live is in progress"):
        people.erase(people.caller(NUMBER), "ann", "")
    assert counts(engine) == before
    assert list(Audit(engine).rows()) == []


@pytest.mark.parametrize("ended", [True, False])
def test_a_call_that_comes_meanwhile_is_not_erased_in_part(engine: Engine, ended: bool) -> None:
    add_call(engine, "a", 3)
    people = People(engine)
    subject = people.caller(NUMBER)
    add_call(engine, "b", 0, lease="ended" if ended else "open", record=ended)
    before = counts(engine)
    with pytest.raises(NotErased, match="has called meanwhile"):
        people.erase(subject, "ann", "")
    assert counts(engine) == before


@pytest.mark.parametrize("status", ["intended", "unclear"])
def test_an_effect_without_an_outcome_is_settled_first(engine: Engine, status: str) -> None:
    add_call(engine, "a", 3, status=status)
    people = People(engine)
    with pytest.raises(NotErased, match="an effect has no outcome"):
        people.erase(people.call("a"), "ann", "")
    assert calls_in(engine, schema.call) == {"a"}


def test_an_appointment_to_come_is_cancelled_first_or_meant(engine: Engine) -> None:
    add_call(engine, "a", 3, starts_in_days=2)
    people = People(engine)
    with pytest.raises(NotErased, match="a row of appointment is not over"):
        people.erase(people.caller(NUMBER), "ann", "")
    people.erase(people.caller(NUMBER), "ann", "", needed_too=True)
    assert says(engine, NUMBER) == set()


@pytest.mark.parametrize("left", [{}, {"record": False}, {"record": False, "lease": ""}])
@pytest.mark.parametrize("key", [f"{CALL}a", f"{CALLER}{NUMBER}"])
def test_what_is_held_is_refused(engine: Engine, key: str, left: dict[str, Any]) -> None:
    add_call(engine, "a", 3, **left)
    people = People(engine)
    with engine.begin() as connection:
        Holds(engine).add(connection, key, "a court")
    for subject in (people.call("a"), people.caller(NUMBER)):
        assert "held" in people.why_not(subject)
        with pytest.raises(NotErased, match="held"):
            people.erase(subject, "ann", "")
    with engine.begin() as connection:
        Holds(engine).release(connection, key)
    assert people.why_not(people.call("a")) == ""
    assert people.erase(people.call("a"), "ann", "").calls == 1


def test_the_lease_that_counts_the_calls_of_an_id_stays_and_says_nothing_else(engine: Engine) -> None:
    add_call(engine, "c", 3)
    with engine.begin() as connection:
        connection.execute(update(schema.lease).values(calls=2))
    people = People(engine)
    assert "lease" not in people.erase(people.call("c"), "ann", "").rows
    assert says(engine, NUMBER) == set()
    assert calls_in(engine, schema.lease) == {"c"}


def test_everything_of_a_person_is_listed_and_no_credential(engine: Engine) -> None:
    add_call(engine, "a", 3)
    add_call(engine, "other", 2, caller=OTHER)
    people = People(engine)
    rows = list(people.rows(people.caller(NUMBER)))
    assert {table for table, _ in rows} == {table.name for table in TABLES}
    assert all("other" not in str(row) and "credential" not in row for _, row in rows)
    assert len(rows) == sum(counts(engine).values()) / 2


def test_who_has_no_number_shares_nothing_with_those_who_have_none_either(engine: Engine) -> None:
    for key in ("a", "b"):
        add_call(engine, key, 3, caller="")
    people = People(engine)
    for nobody in ("", "anonymous", "sip:anonymous@anonymous.invalid"):
        with pytest.raises(Nobody):
            people.caller(nobody)


class Files:
    """What is kept of calls outside the database."""

    name = "recordings"

    def __init__(self) -> None:
        self.there = {"a": ["a.ogg"], "b": ["b.ogg"]}

    def delete(self, call: str, began: datetime | None) -> int:
        assert began is not None
        return len(self.there.pop(call, ()))

    def listed(self, call: str, began: datetime | None) -> list[str]:
        return self.there.get(call, [])


@pytest.mark.parametrize("left", [{}, {"record": False}, {"record": False, "events": 0}])
def test_files_go_with_their_call(engine: Engine, left: dict[str, Any]) -> None:
    add_call(engine, "a", 3, **left)
    files = Files()
    people = People(engine, outside=[files])
    subject = people.caller(NUMBER)
    assert list(people.rows(subject))[-1] == ("recordings", {"conversation_id": "a", "file": "a.ogg"})
    counted = people.counts(subject)
    assert people.erase(subject, "ann", "").rows == counted
    assert counted["recordings"] == 1
    assert files.there == {"b": ["b.ogg"]}


@pytest.mark.parametrize("where", ["record", "journal"])
def test_what_may_be_recorded_is_kept_while_nobody_knows_where_recordings_are(engine: Engine, where: str) -> None:
    add_call(engine, "a", 3, record=where == "record")
    add_call(engine, "b", 3, caller="+4930555011")
    with engine.begin() as connection:
        if where == "record":
            (record,) = connection.scalars(select(schema.call.c.record).where(schema.call.c.conversation_id == "a"))
            whole = CallRecord.model_validate(record | {"recording": [{"what": "always", "at_ms": 0}]})
            connection.execute(
                update(schema.call)
                .where(schema.call.c.conversation_id == "a")
                .values(record=whole.model_dump(mode="json"))
            )
        else:
            row = {"conversation_id": "a", "seq": 9, "kind": "recording", "body": {"what": "always", "at_ms": 0}}
            connection.execute(insert(schema.call_event).values(**row, at=NOW))
    people = People(engine)
    with pytest.raises(NotErased, match="call a may be recorded"):
        people.erase(people.caller(NUMBER), "ann", "")
    assert people.erase(people.call("b"), "ann", "").calls == 1
    with_files = People(engine, outside=[Files()])
    if where == "record":
        assert with_files.erase(with_files.caller(NUMBER), "ann", "").calls == 1
