"""The keys with which recordings are sealed, as the process that makes them has them: it asks the daemon by its pipes.

A part in the spool has a key of its own, wrapped by the deployment's, and stands there: no database is needed to begin
it. What is made of it is sealed with the call's key, which is in the store.
May import: protocols, the standard library.
"""

from __future__ import annotations

import json
from typing import IO, Protocol

from protocols.errors import TielineError
from protocols.sealing import DataKey, WrappedKey, place


class KeyAway(OSError):
    """What is sealed cannot be read now. Its text says why."""


class PartKeys(Protocol):
    """Raises: KeyAway; also protocols.sealing's errors, by the process that has the ring."""

    def of_spool(self, wrapped: WrappedKey, part: str) -> DataKey:
        """The key of a part in the spool, by its name."""
        ...

    def of_call(self, call: str) -> DataKey | None:
        """The key of a call's recordings, by its key in the store; None: they are not sealed."""
        ...


class NoKeys:
    """Nothing is sealed, and nothing that is can be read."""

    def of_spool(self, wrapped: WrappedKey, part: str) -> DataKey:
        raise KeyAway(f"it is encrypted by key {wrapped.kek}, and TIELINE_ENCRYPTION_KEY is not set")

    def of_call(self, call: str) -> DataKey | None:
        return None


class AskedKeys:
    """Asks another process, a line of JSON for a line."""

    def __init__(self, answers: IO[bytes], questions: IO[bytes]) -> None:
        self._answers = answers
        self._questions = questions

    def of_spool(self, wrapped: WrappedKey, part: str) -> DataKey:
        if (key := self._ask({"kek": wrapped.kek, "sealed": wrapped.sealed, "part": part})) is None:
            raise KeyAway("no key")
        return key

    def of_call(self, call: str) -> DataKey | None:
        return self._ask({"call": call})

    def _ask(self, question: dict[str, str]) -> DataKey | None:
        self._questions.write(json.dumps(question).encode() + b"\n")
        self._questions.flush()
        line = self._answers.readline()
        if not line:
            raise KeyAway("nobody answers who has the keys")
        answer = json.loads(line)
        if "why" in answer:
            raise KeyAway(answer["why"])
        return DataKey.received(answer["key"]) if answer["key"] else None


def answered(question: bytes, keys: PartKeys) -> bytes:
    """What is answered to a line of AskedKeys. Raises: what is no answer's, as an error of the database."""
    asked = json.loads(question)
    try:
        if "call" in asked:
            key = keys.of_call(asked["call"])
        else:
            key = keys.of_spool(WrappedKey(asked["kek"], asked["sealed"]), asked["part"])
    except (KeyAway, TielineError) as error:
        return json.dumps({"why": str(error)}).encode() + b"\n"
    return json.dumps({"key": "" if key is None else key.handed_over()}).encode() + b"\n"


def spool_place(part: str) -> bytes:
    """Where the key of a part in the spool stands."""
    return place("spool", part)
