"""Keys that a process asks another for, by two pipes."""

from __future__ import annotations

import io

import pytest

from protocols.sealing import DataKey, KeyMissing, WrappedKey
from recordings.keys import AskedKeys, KeyAway, NoKeys, answered

KEY = DataKey(b"\1" * 32)


class Keeper:
    """Has the key of "c-1", and what "kek" has wrapped."""

    def of_spool(self, wrapped: WrappedKey, part: str) -> DataKey:
        if (wrapped.kek, part) != ("kek", "p"):
            raise KeyMissing(wrapped.kek)
        return KEY

    def of_call(self, call: str) -> DataKey | None:
        return KEY if call == "c-1" else None


class Piped(io.BytesIO):
    """What is written is answered, to be read."""

    def write(self, question: object) -> int:
        answer = answered(bytes(question), Keeper())  # type: ignore[call-overload]
        at = self.tell()
        super().write(answer)
        self.seek(at)
        return len(answer)


def test_a_key_is_asked_for_and_answered() -> None:
    pipe = Piped()
    asked = AskedKeys(pipe, pipe)
    assert asked.of_spool(WrappedKey("kek", "s"), "p").handed_over() == KEY.handed_over()
    key = asked.of_call("c-1")
    assert key is not None
    assert key.handed_over() == KEY.handed_over()
    assert asked.of_call("c-2") is None
    with pytest.raises(KeyAway, match="has no key other"):
        asked.of_spool(WrappedKey("other", "s"), "p")


def test_nobody_who_answers_and_no_keys_are_told() -> None:
    with pytest.raises(KeyAway, match="nobody"):
        AskedKeys(io.BytesIO(), io.BytesIO()).of_call("c-1")
    with pytest.raises(KeyAway, match="by key 12ab, and TIELINE_ENCRYPTION_KEY is not set"):
        NoKeys().of_spool(WrappedKey("12ab", ""), "p")
