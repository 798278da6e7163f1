"""What the engine says a transcript has used: in the unit by which its model is billed."""

from __future__ import annotations

import pytest

from lab.engine.conversation import caller_entry
from lab.engine.sound import HEARING_HZ
from lab.engine.tokens import heard_usage
from protocols.realtime.usage import seconds_billed, tokens_by_kind


@pytest.mark.parametrize(
    ("model", "tokens", "billed_s"),
    [
        ("gpt-4o-mini-transcribe", {"input_audio": 20, "output_text": 4}, 0.0),
        ("gpt-4o-transcribe-2025-03-20", {"input_audio": 20, "output_text": 4}, 0.0),
        ("whisper-1", {}, 2.0),
        ("", {}, 2.0),
    ],
)
def test_a_transcript_is_billed_as_its_model_is(model: str, tokens: dict[str, int], billed_s: float) -> None:
    entry = caller_entry("u-1", bytes(2 * 2 * HEARING_HZ))
    entry.said = "half past ten"
    used = heard_usage(model, entry)
    assert (tokens_by_kind(used, "text"), seconds_billed(used)) == (tokens, billed_s)
