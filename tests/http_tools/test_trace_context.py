"""The ids of traces and spans: the same for whoever knows the call and the key, and no others'."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from http_tools.trace_context import CALL, EFFECT, TraceIds

ANY = st.text(st.characters(exclude_categories=()))


def test_ids_are_of_the_key_and_the_call() -> None:
    assert TraceIds("key").traceparent("c-1", CALL) == TraceIds("key").traceparent("c-1", CALL)
    ids = TraceIds("key")
    assert len({ids.trace("c-1"), ids.trace("c-2"), TraceIds("other").trace("c-1"), TraceIds().trace("c-1")}) == 4
    assert len({ids.span("c-1", CALL), ids.span("c-2", CALL), ids.span("c-1", EFFECT, "k"), ids.span("c-1", "k")}) == 4


@given(key=ANY, call=ANY, of=ANY)
def test_whatever_a_call_is_called_its_header_is_well_formed(key: str, call: str, of: str) -> None:
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01", TraceIds(key).traceparent(call, of))
