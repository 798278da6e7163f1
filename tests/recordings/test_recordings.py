"""Recorded calls, replayed: every byte that the call sends to VAIC and to the model is the same as ever.

Where a change is meant, `python -m tests.recordings --golden` writes the golden files again, and their diff shows it.
"""

from __future__ import annotations

import pytest

from tests.recordings.__main__ import CALLS
from tests.recordings.replay import RECORDINGS, replayed


@pytest.mark.parametrize("name", CALLS)
def test_a_recorded_call_is_answered_byte_for_byte(name: str) -> None:
    assert replayed(name) == (RECORDINGS / f"{name}.sent").read_text().splitlines()


def test_the_recordings_are_those_of_the_calls() -> None:
    assert {path.name.removesuffix(".jsonl.gz") for path in RECORDINGS.glob("*.jsonl.gz")} == CALLS.keys()
    assert {path.stem for path in RECORDINGS.glob("*.sent")} == CALLS.keys()
