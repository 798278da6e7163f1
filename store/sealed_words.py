"""How what was said in a call is sealed where it is stored: in its journal, its record, its effects and its letter.

What lists, figures and retention need without the key stays as it is: which bot, whose number, tasks and their states,
times, tokens. Everything else of a body is sealed, and of a record the words.
May import: protocols, SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from protocols.sealing import NONCE_BYTES, DataKey, NotUnsealed, place
from store.data_keys import KeyGone, What, key_to_read

SEALED = "sealed"
# Of an effect, whose slots and values have any names.
_SEALED_EFFECT = "tieline:sealed"
# By kind of row, the fields that are not sealed.
CLEAR: Mapping[str, frozenset[str]] = {
    "call": frozenset({"bot", "bot_digest", "caller", "media"}),
    "task": frozenset({"run", "agent", "response", "state", "result"}),
}
# By field of a record with several entries, the field of each entry that holds words, and what is left in its place.
WORDS: Mapping[str, tuple[str, Any]] = {"turns": ("text", ""), "tasks": ("notes", []), "recording": ("words", "")}
_NONE: frozenset[str] = frozenset()


class WordsKey:
    """The key of a call's words, or of its effects, read once it is needed. Raises, when called: as `key_to_read`."""

    def __init__(self, connection: Connection, call: str, what: What = "words") -> None:
        self._connection = connection
        self._call = call
        self._what = what
        self._key: DataKey | None = None

    def __call__(self) -> DataKey:
        self._key = self._key or key_to_read(self._connection, self._call, self._what)
        return self._key


def seal_body(columns: dict[str, Any], key: DataKey | None) -> dict[str, Any]:
    """The columns of a row of the journal, its body sealed; None: as they are."""
    if key is None:
        return columns
    body: dict[str, Any] = columns["body"]
    clear = CLEAR.get(columns["kind"], _NONE)
    hidden = {name: value for name, value in body.items() if name not in clear}
    if not hidden:
        return columns
    sealed = _seal(key, hidden, _event_place(columns["conversation_id"], columns["seq"], columns["kind"]))
    return {**columns, "body": {name: value for name, value in body.items() if name in clear} | {SEALED: sealed}}


def body_of(row: Mapping[str, Any], key: Callable[[], DataKey]) -> dict[str, Any]:
    """The body of a row of the journal as it was, sealed or not.

    row: with conversation_id, seq, kind, body. Raises: NotUnsealed, and as `key` does.
    """
    body: dict[str, Any] = row["body"]
    if SEALED not in body:
        return body
    where = _event_place(row["conversation_id"], row["seq"], row["kind"])
    return without_seal(body) | _unseal(key(), body[SEALED], where)


def seal_record(record: dict[str, Any], key: DataKey | None) -> dict[str, Any]:
    """A record as it is stored, its words sealed; None: as it is."""
    if key is None:
        return record
    words = {name: [entry[field] for entry in record[name]] for name, (field, _) in WORDS.items()}
    return {**emptied(record), SEALED: _seal(key, words, place("record", record["conversation_id"]))}


def record_of(record: dict[str, Any], key: Callable[[], DataKey]) -> dict[str, Any]:
    """A record as it was, sealed or not. Raises: NotUnsealed, and as `key` does."""
    if SEALED not in record:
        return record
    words = _unseal(key(), record[SEALED], place("record", record["conversation_id"]))
    whole = without_seal(record)
    for name, (field, _) in WORDS.items():
        whole[name] = [
            entry | {field: said} for entry, said in zip(record.get(name, ()), words.get(name, ()), strict=True)
        ]
    return whole


def seal_facts(facts: dict[str, Any], key: DataKey | None, letter: str) -> dict[str, Any]:
    """What a letter tells, sealed; None: as it is. letter: its key in the outbox."""
    return facts if key is None else {SEALED: _seal(key, facts, place("letter", letter))}


def facts_of(facts: dict[str, Any], key: Callable[[], DataKey], letter: str) -> dict[str, Any]:
    """What a letter tells, sealed or not. Raises: NotUnsealed, also if its key is deleted; KeyMissing."""
    if SEALED not in facts:
        return facts
    try:
        return _unseal(key(), facts[SEALED], place("letter", letter))
    except KeyGone as gone:
        raise NotUnsealed(str(gone)) from None


def seal_request(
    key: DataKey | None, effect: str, slots: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns of an effect that say what was asked for, sealed; None: as they are. effect: its key in the log."""
    asked = {"slots": dict(slots), "facts": dict(facts)}
    return (
        asked if key is None else {"slots": {_SEALED_EFFECT: _seal(key, asked, place("effect", effect))}, "facts": {}}
    )


def seal_result(key: DataKey | None, effect: str, values: Mapping[str, Any], say: str) -> dict[str, Any]:
    """The columns of an effect that say what came of it, sealed; None: as they are."""
    told = {"values": dict(values), "say": say}
    return told if key is None else {"values": {_SEALED_EFFECT: _seal(key, told, place("result", effect))}, "say": ""}


def effect_of(row: Mapping[str, Any], key: Callable[[], DataKey]) -> dict[str, Any]:
    """The row of an effect as it was, sealed or not. Raises: NotUnsealed, also if its key is deleted; KeyMissing."""
    whole = dict(row)
    try:
        if _SEALED_EFFECT in row["slots"]:
            whole |= _unseal(key(), row["slots"][_SEALED_EFFECT], place("effect", row["key"]))
        if _SEALED_EFFECT in row["values"]:
            told = _unseal(key(), row["values"][_SEALED_EFFECT], place("result", row["key"]))
            whole |= told | {"say": row["say"] or told["say"]}  # what a human was told later stands beside it
    except KeyGone as gone:
        raise NotUnsealed(str(gone)) from None
    return whole


def emptied(record: dict[str, Any]) -> dict[str, Any]:
    """A record with nothing where words stand, sealed or not."""
    left = {name: [entry | {field: none} for entry in record.get(name, ())] for name, (field, none) in WORDS.items()}
    return {**without_seal(record), **left}


def without_seal(stored: dict[str, Any]) -> dict[str, Any]:
    """A record or a body with what is sealed in it left out."""
    return {name: value for name, value in stored.items() if name != SEALED}


def _event_place(call: str, seq: int, kind: str) -> bytes:
    return place("event", call, seq, kind)


def _seal(key: DataKey, what: dict[str, Any], where: bytes) -> str:
    return key.seal_text(json.dumps(what).encode(), where, os.urandom(NONCE_BYTES))


def _unseal(key: DataKey, sealed: str, where: bytes) -> dict[str, Any]:
    found = json.loads(key.unseal_text(sealed, where))
    if not isinstance(found, dict):
        raise NotUnsealed("it holds something else")
    return found
