"""The processes that share a store: who lives, who has which calls, and how much room there is."""

from __future__ import annotations

from sqlalchemy import Engine, text

from store import schema
from store.database import moment, open_database, reading
from store.fleet import FleetMember, fleet
from store.leases import NODE_TTL_S, Leases
from tests.store.garbage import columns_of, spoil


def seen(engine: Engine) -> dict[str, FleetMember]:
    with reading(engine) as connection:
        return {each.node: each for each in fleet(connection)}


def test_each_process_tells_of_itself_and_its_calls_are_counted(engine: Engine) -> None:
    here = Leases(engine, "here", facts=lambda: {"release": "1.2", "max_calls": 10})
    there = Leases(engine, "there", facts=lambda: {"max_calls": 5, "leaving": True})
    here.show_life()
    there.show_life()
    for key in ("c-1", "c-2", "c-3"):
        here.open(key, "", {})
    here.end("c-3", 1)
    there.open("c-4", "", {})
    found = seen(engine)
    assert list(found) == ["here", "there"]
    assert (found["here"].calls, found["here"].room, found["here"].facts["release"]) == (2, 8, "1.2")
    assert (found["there"].calls, found["there"].room, found["there"].lives) == (1, 0, True)


def test_what_a_process_tells_is_new_each_time(engine: Engine) -> None:
    told: dict[str, object] = {"max_calls": 10}
    leases = Leases(engine, "here", facts=lambda: dict(told))  # type: ignore[arg-type]
    leases.show_life()
    told["leaving"] = True
    leases.show_life()
    assert seen(engine)["here"].facts == {"max_calls": 10, "leaving": True}


def test_one_that_has_not_shown_itself_lately_has_no_room(engine: Engine) -> None:
    Leases(engine, "here", facts=lambda: {"max_calls": 10}).show_life()
    with engine.begin() as connection:
        connection.execute(schema.node.update().values(seen_at=moment(engine.dialect.name, -NODE_TTL_S - 1)))
    (process,) = seen(engine).values()
    assert (process.lives, process.room) == (False, 0)


def test_one_of_an_earlier_release_or_with_damaged_facts_is_listed(engine: Engine) -> None:
    Leases(engine, "here").show_life()
    with engine.begin() as connection:
        connection.execute(schema.node.update().values(facts=[1]))
    assert seen(engine)["here"].facts == {}
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM node"))
        connection.execute(text("INSERT INTO node (node, seen_at) VALUES ('old', CURRENT_TIMESTAMP)"))
    assert seen(engine)["old"].facts == {}


def test_one_that_was_seen_in_time_to_come_does_not_live_for_ever(engine: Engine) -> None:
    Leases(engine, "dead", facts=lambda: {"max_calls": 10}).show_life()
    with engine.begin() as connection:
        connection.execute(schema.node.update().values(seen_at=moment(engine.dialect.name, 365 * 86_400)))
    assert not seen(engine)["dead"].lives
    Leases(engine, "here").show_life()
    assert list(seen(engine)) == ["here"]


def test_a_damaged_row_hides_no_other_process(sqlite_url: str) -> None:
    engine = open_database(sqlite_url)
    for table, column, garbage in columns_of(schema.node):
        for node in ("a", "b"):
            Leases(engine, node, facts=lambda: {"release": "1.2"}).show_life()
        spoil(engine, table, column, garbage, "node = 'a'")
        assert seen(engine)["b"].facts == {"release": "1.2"}, (column, garbage)
        Leases(engine, "b", facts=lambda: {"release": "1.2"}).show_life()
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM node"))
    engine.dispose()


def test_one_that_has_left_is_gone(engine: Engine) -> None:
    leases = Leases(engine, "here")
    leases.show_life()
    leases.leave()
    assert seen(engine) == {}
