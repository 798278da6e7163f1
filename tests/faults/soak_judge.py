"""What must be true after a soak, whatever broke in it: each function returns what is not.

May import: tests, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from sqlalchemy import Engine, String, cast, func, select

from actors.policies import STORE_LIMIT_S
from appointments.bookings import Appointment
from store import schema
from store.call_keys import conversation_of
from store.database import reading
from tests.faults.bookers import Bookers
from tests.faults.soak_scene import Spoiled, Watch

# From the loss of the store to /readyz: beyond STORE_LIMIT_S, a renewal's interval; and back, its retries.
NOTICED_S, BACK_S = STORE_LIMIT_S + 5.0, 12.0


def bookings(booked: list[Appointment], bookers: Bookers) -> Iterator[str]:
    """No time is booked twice, no wish is fulfilled twice or without a yes, and what callers heard is so."""
    times = Counter((each.resource, each.starts_at) for each in booked)
    yield from (f"{at} is booked {times} times" for at, times in times.items() if times > 1)
    by_name: dict[str, list[Appointment]] = defaultdict(list)
    for each in booked:
        by_name[each.name].append(each)
    for name, theirs in by_name.items():
        wish = bookers.wishes.get(name)
        if wish is None or not wish.yes:
            yield f"{name} has an appointment without a yes"
        if len(theirs) > 1:
            yield f"{name} has {len(theirs)} appointments: {[each.effect_key for each in theirs]}"
    for told in bookers.announced:
        when = [(each.starts_at.day, f"{each.starts_at:%B}", f"{each.starts_at:%-H:%M}", each.code)
                for each in by_name.get(told.name, [])]  # fmt: skip
        if (told.day, told.month, told.at, told.code) not in when:
            yield f"announced, but not there: {told}; {when}"
    for wish in bookers.wishes.values():
        final = [each for each in wish.said if each != "unsure"]
        if final and final[-1] == "denied" and wish.name in by_name:
            yield f"{wish.name} was denied what is booked: {wish.said}, {by_name[wish.name]}"


def effects(engine: Engine, booked: list[Appointment], spoiled: Spoiled) -> Iterator[str]:
    """The log of effects says what was done."""
    column, unreadable = schema.effect.c, damaged(spoiled, "effect.")
    with reading(engine) as connection:
        logged = {
            key: status
            for key, status, conversation in connection.execute(
                select(column.key, column.status, column.conversation_id).where(column.name == "appointments.book")
            )
            if conversation_of(conversation) not in unreadable
        }
    there = {each.effect_key: each for each in booked if conversation_of(each.conversation_id) not in unreadable}
    yield from (
        f"{key} is logged as done, and is not there" for key in logged if logged[key] == "ok" and key not in there
    )
    yield from (f"{key} is there, and is logged as {logged.get(key)}" for key in there if logged.get(key) != "ok")


def records(
    engine: Engine,
    accepted: Mapping[str, int],
    refused: Mapping[str, int],
    spoiled: Spoiled,
    in_progress: Collection[str],
) -> Iterator[str]:
    """Every call that is over has one record with an outcome, and its lease has ended.

    accepted: how many calls began under an id. refused: how many of them were ended at once, because another process
    had a call with that id: they leave nothing.
    """
    lease, call = schema.lease.c, schema.call.c
    with reading(engine) as connection:
        leases = {row[0]: row[1] for row in connection.execute(select(lease.conversation_id, lease.status))}
        outcomes = {row[0]: row[1] for row in connection.execute(select(call.conversation_id, call.outcome))}
    # A call whose only row cannot be read is ended without a record.
    wordless = damaged(spoiled, "call_event.")
    for key in sorted(leases.keys() | outcomes.keys()):
        if key in in_progress:
            continue
        if leases.get(key) != "ended" and conversation_of(key) not in damaged(spoiled, "lease.status"):
            yield f"the lease of {key} is {leases.get(key)}"
        if outcomes.get(key) in (None, "", "open") and conversation_of(key) not in wordless:
            yield f"the record of {key} has the outcome {outcomes.get(key)}"
    recorded = Counter(conversation_of(key) for key in outcomes)
    for each, times in accepted.items():
        due = times - refused.get(each, 0) - (each in wordless)
        if recorded[each] < due:
            yield f"{due} calls of {each} were accepted, and {recorded[each]} have a record"


def journals(engine: Engine, spoiled: Spoiled, in_progress: Collection[str]) -> Iterator[str]:
    """No row is missing within a journal, each has an end, and the epochs of its rows only go up."""
    column = schema.call_event.c
    query = select(column.conversation_id, column.seq, column.epoch, column.kind).order_by(
        column.conversation_id, column.seq
    )
    rows: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    with reading(engine) as connection:
        for key, seq, epoch, kind in connection.execute(query):
            rows[key].append((seq, epoch, kind))
    for key, journal in rows.items():
        conversation = conversation_of(key)
        seqs, epochs = [seq for seq, _, _ in journal], [epoch for _, epoch, _ in journal]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"rows of {key} are missing: {seqs}"
        # A task that settles after the caller has left is written after the end.
        ends = [kind for _, _, kind in journal if kind in ("ended", "inherited")]
        lost = conversation in damaged(spoiled, "call_event." if len(journal) == 1 else "call_event.kind")
        if ends[-1:] != ["ended"] and not lost and key not in in_progress:
            yield f"the journal of {key} has no end: {[kind for _, _, kind in journal]}"
        if epochs != sorted(epochs):
            yield f"epochs of {key} go down: {epochs}"


def damaged(spoiled: Spoiled, what: str) -> set[str]:
    """The conversations with damage in a table, "lease.", or a column of it, "lease.status"."""
    return {each for each, columns in spoiled.items() if any(column.startswith(what) for column in columns)}


def floods(watch: Watch, kept_out: Iterable[tuple[float, str]]) -> Iterator[str]:
    """Who floods is kept out only when everybody is. kept_out: when, and which flood."""
    for at_s, flood in kept_out:
        if not any(began_s < at_s < ended_s + BACK_S for began_s, ended_s in watch.outages):
            yield f"{flood} was not let in at {at_s:.1f}; {watch.outages}"


def acknowledged(engine: Engine, before: dict[str, int]) -> Iterator[str]:
    """Rows that were seen are there still. before: how many of each call, from `counted_rows`."""
    now = counted_rows(engine)
    yield from (
        f"{key} had {rows} rows and has {now.get(key, 0)}" for key, rows in before.items() if now.get(key, 0) < rows
    )


def counted_rows(engine: Engine) -> dict[str, int]:
    column = cast(schema.call_event.c.conversation_id, String)
    with reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(select(column, func.count()).group_by(column))}


def health(watch: Watch) -> Iterator[str]:
    """No process was called dead, and each said that it is not ready when its store was away, and only then."""
    yield from (f"process {number} said at {at_s:.1f} that it is dead" for at_s, number in watch.dead)
    unready = set(watch.unready)
    for at_s, number in watch.looks:
        must_not = any(began_s + NOTICED_S < at_s < ended_s for began_s, ended_s in watch.outages)
        may_not = any(began_s < at_s < ended_s + BACK_S for began_s, ended_s in watch.outages)
        if must_not and (at_s, number) not in unready:
            yield f"process {number} was ready at {at_s:.1f} without a store; {watch.outages}"
        if not may_not and (at_s, number) in unready:
            yield f"process {number} was not ready at {at_s:.1f}; {watch.outages}"
