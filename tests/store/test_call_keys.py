"""The keys of calls: no two calls have one, and each tells its conversation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.call_keys import call_key, conversation_of

IDS = st.one_of(st.text(), st.from_regex(r"[a~]*(~[0-9]+)*", fullmatch=True))


@pytest.mark.parametrize(
    ("conversation_id", "number", "key"),
    [("c-1", 1, "c-1"), ("c-1", 2, "c-1~2"), ("c~1", 1, "c~1~1"), ("c~1", 3, "c~1~3"), ("c~", 1, "c~"), ("", 2, "~2")],
)
def test_the_first_calls_key_is_the_id_unless_it_looks_like_a_key(conversation_id: str, number: int, key: str) -> None:
    assert call_key(conversation_id, number) == key


@given(IDS, IDS, st.integers(1, 12), st.integers(1, 12))
def test_a_key_is_of_one_call_and_tells_its_conversation(one: str, other: str, first: int, second: int) -> None:
    assert conversation_of(call_key(one, first)) == one
    assert (call_key(one, first) == call_key(other, second)) == ((one, first) == (other, second))
