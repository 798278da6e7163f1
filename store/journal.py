"""The journal of calls: the events of each as they happen, and its record when it has ended.

May import: protocols, pydantic, SQLAlchemy, the standard library.
Rules from: docs/architecture.md 5, docs/specs/reliability.md 5.2.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue
from sqlalchemy import Connection, Engine, Insert, select, tuple_

from protocols.sealing import DataKey, KeyMissing
from store import schema
from store.calls import errors_text, tasks_text
from store.data_keys import KeyGone, keys_to_seal, ring_of
from store.database import insert, reading
from store.figures import AnswerFigures, CallFigures
from store.leases import epochs_of, fenced, let_go
from store.outbox import Letter, put
from store.proof import JOURNAL_TABLES, prove
from store.rows import readable, readable_one
from store.sealed_words import WordsKey, body_of, record_of, seal_body, seal_record, without_seal


class _Record(BaseModel):
    # A later release may have written more.
    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row as it is stored: one event. The kinds are defined by the code that writes and reads them.

    seq: counts a conversation's rows, from 1. kind: of the event. body: its fields, as JSON. at: aware.
    epoch: of the lease under which it is written, 0 if the call has none.
    """

    conversation_id: str
    seq: int
    kind: str
    body: dict[str, JsonValue]
    at: datetime
    epoch: int = 0

    def columns(self) -> dict[str, Any]:
        """By name, for the statement that writes it."""
        return {
            "conversation_id": self.conversation_id,
            "seq": self.seq,
            "kind": self.kind,
            "body": self.body,
            "at": self.at,
            "epoch": self.epoch,
        }


class TurnRecord(_Record):
    """One turn. Times are in ms from the call's start; None if it was never heard.

    text: the part that was heard. heard_ms: how long that was. Of a caller's turn: answer, how it was answered, None if
    it was not; yield_ms, if the bot fell silent for it, how long after its first sound. Of a bot's: unheard_ms, how
    much more was generated and not heard. tokens, cost_usd: what was used from the turn to the caller's next one, kept
    at the caller's turn, or at the bot's where it has begun of itself; cost_usd: None if that is not known.
    """

    role: Literal["caller", "bot"]
    text: str
    item_id: str
    began_ms: int | None
    ended_ms: int | None
    heard_ms: int
    answer: AnswerFigures | None = None
    yield_ms: int | None = None
    unheard_ms: int = 0
    tokens: dict[str, int] = {}
    cost_usd: float | None = None


class TaskRecord(_Record):
    """One run of a task. states: all that were entered, in order. result: the outcome, "open" without one.

    notes: its scratchpad, as (kind, state, text).
    """

    agent: str
    run_id: str
    states: tuple[str, ...]
    result: str
    notes: tuple[tuple[str, str, str], ...] = ()


class RecordingStep(_Record):
    """One step to a recording of the call, or to none. what: the bot's setting, or what happened: "notice heard".

    words: that were heard or said; from_ms, to_ms: when, from the call's start, as at_ms; None if there are none.
    """

    what: str
    at_ms: int
    words: str = ""
    from_ms: int | None = None
    to_ms: int | None = None


class CallRecord(_Record):
    """The record of an ended call.

    bot, bot_digest: which bot answered, and in which version. usage: the model's tokens, in and out. errors: short
    descriptions of what failed. recording: how it came to be recorded, or did not; empty where no bot wanted it.
    words_unread: why the words are missing, where it was read without the key with which they are sealed; never stored.
    """

    conversation_id: str
    bot: str
    bot_digest: str = ""
    caller: str
    media_format: str
    outcome: str
    started_at: AwareDatetime
    ended_at: AwareDatetime
    turns: tuple[TurnRecord, ...] = ()
    tasks: tuple[TaskRecord, ...] = ()
    barge_ins: int = 0
    errors: tuple[str, ...] = ()
    usage: dict[str, int] = {}
    figures: CallFigures = CallFigures()
    recording: tuple[RecordingStep, ...] = ()
    words_unread: str = ""


class Journal:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable; KeyMissing,
    NotUnsealed where a call's words are sealed with a key that cannot be had.

    ended: told the key of each call whose record was written, on the thread that wrote it.
    """

    def __init__(self, engine: Engine, ended: Callable[[str], object] = lambda key: None) -> None:
        self._engine = engine
        self._ended = ended

    def append(
        self,
        rows: Sequence[JournalRow],
        ended: Sequence[tuple[CallRecord, int]] = (),
        letters: Sequence[Letter] = (),
    ) -> list[JournalRow]:
        """Write a batch in one transaction: rows, then the records of calls that have ended, as `finish` does.

        letters: what is to be told of these calls.

        A row that exists already is kept, so a batch can be retried. Returns the rows that were not written because
        another process has taken over their calls. Raises: Fenced, for a record; then nothing was written.
        """
        # Serialised before the transaction, which blocks other writers.
        records = [_row(record) for record, _ in ended]
        with self._engine.begin() as connection:
            epochs = epochs_of(connection, {row.conversation_id for row in rows})
            mine = [row.columns() for row in rows if row.epoch == epochs.get(row.conversation_id, 0)]
            calls = {str(row["conversation_id"]) for row in mine} | {record.conversation_id for record, _ in ended}
            calls |= {letter.conversation_id for letter in letters}
            keys = keys_to_seal(connection, calls, "words")
            if mine:
                sealed = [seal_body(row, keys.get(row["conversation_id"])) for row in mine]
                connection.execute(_appending(connection.dialect.name), sealed)
            for (record, epoch), whole in zip(ended, records, strict=True):
                let_go(connection, record.conversation_id, epoch, "ended")
                _put_record(connection, whole, keys.get(record.conversation_id))
            put(connection, letters, keys)
        for record, _ in ended:
            self._ended(record.conversation_id)
        return [row for row in rows if row.epoch != epochs.get(row.conversation_id, 0)]

    def prove(self) -> None:
        """Find out whether the database takes rows and records. Raises: the driver's error, as SQLAlchemy has it."""
        prove(self._engine, JOURNAL_TABLES if ring_of(self._engine) is None else (*JOURNAL_TABLES, schema.data_key))

    def draft(self, record: CallRecord, epoch: int = 0) -> None:
        """Write the preliminary record of a call; its lease goes on. Raises: Fenced."""
        key = record.conversation_id
        with fenced(self._engine, key, epoch) as connection:
            _put_record(connection, _row(record), keys_to_seal(connection, (key,), "words").get(key))

    def finish(self, record: CallRecord, epoch: int = 0, letters: Sequence[Letter] = ()) -> None:
        """Write a call's record and end its lease; a second record of the same conversation replaces the first.

        epoch: of its lease, 0 without one. Raises: Fenced.
        """
        self.append((), [(record, epoch)], letters)

    def rows(self, conversation_id: str) -> list[JournalRow]:
        """The rows of a conversation that can be read, in order. Raises: KeyGone too."""
        table = schema.call_event
        query = select(table).where(table.c.conversation_id == conversation_id).order_by(table.c.seq)
        with reading(self._engine) as connection:
            key = WordsKey(connection, conversation_id)
            return readable(connection, table, query, lambda **row: JournalRow(**row | {"body": body_of(row, key)}))

    def missing(self, written: Mapping[str, int]) -> list[str]:
        """The calls whose row is not there. written: a row of each, by the call's key."""
        column = schema.call_event.c
        # Both conditions: by the pairs alone SQLite would look through the whole table.
        of_calls = column.conversation_id.in_(written.keys())
        rows = tuple_(column.conversation_id, column.seq).in_(list(written.items()))
        with reading(self._engine) as connection:
            there = connection.scalars(select(column.conversation_id).where(of_calls, rows))
            return sorted(written.keys() - set(there))

    def begun(self, keys: Collection[str]) -> frozenset[str]:
        """The given keys under which an effect was begun, whatever its outcome."""
        query = select(schema.effect.c.key).where(schema.effect.c.key.in_(keys))
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query))

    def record(self, conversation_id: str) -> CallRecord | None:
        """The record of an ended call, or None; without words where their key cannot be had. Raises: UnreadableRow."""
        query = select(schema.call.c.record).where(schema.call.c.conversation_id == conversation_id)
        with reading(self._engine) as connection:
            key = WordsKey(connection, conversation_id)
            return readable_one(connection, schema.call, query, lambda record: _record(record, key))


def _record(record: dict[str, Any] | None, key: Callable[[], DataKey]) -> CallRecord | None:
    if record is None:
        return None
    try:
        return CallRecord.model_validate(record_of(record, key))
    except (KeyMissing, KeyGone) as why:
        return CallRecord.model_validate(without_seal(record) | {"words_unread": str(why)})


def _put_record(connection: Connection, row: dict[str, Any], key: DataKey | None) -> None:
    sealed = row | {"record": seal_record(row["record"], key)}
    connection.execute(_finishing(connection.dialect.name), sealed)


# The fields of a record that have their own columns, for searches; tasks and errors are put into words for them.
_COLUMNS = ("conversation_id", "bot", "caller", "media_format", "started_at", "ended_at", "outcome")


def _row(record: CallRecord) -> dict[str, Any]:
    """A record as it is stored."""
    return {
        **record.model_dump(include=set(_COLUMNS)),
        "record": record.model_dump(mode="json", exclude={"words_unread"}),
        "cost_usd": record.figures.cost_usd,
        "tasks": tasks_text((task.agent, task.result) for task in record.tasks),
        "errors": errors_text(record.errors, record.conversation_id),
        "unpriced": "\n".join(record.figures.unpriced),
    }


@cache
def _appending(dialect: str) -> Insert:
    return insert(dialect, schema.call_event).on_conflict_do_nothing()


@cache
def _finishing(dialect: str) -> Insert:
    statement = insert(dialect, schema.call)
    row = {name: statement.excluded[name] for name in (*_COLUMNS, "record", "cost_usd", "tasks", "errors", "unpriced")}
    return statement.on_conflict_do_update(index_elements=["conversation_id"], set_=row)
