"""Tokens by kind: disjoint, so that their sum is what is billed, whatever part of the usage the server tells."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.realtime.objects import Response
from protocols.realtime.usage import KINDS, seconds_billed, tokens_by_kind

# As published in a forum thread about the usage block.
SEEN: dict[str, Any] = {
    "total_tokens": 821,
    "input_tokens": 789,
    "output_tokens": 32,
    "input_token_details": {
        "text_tokens": 313,
        "audio_tokens": 476,
        "cached_tokens": 640,
        "cached_tokens_details": {"text_tokens": 256, "audio_tokens": 384},
    },
    "output_token_details": {"text_tokens": 9, "audio_tokens": 23},
}


def test_what_was_cached_is_counted_once() -> None:
    assert tokens_by_kind(SEEN) == {
        "input_text": 57,
        "input_text_cached": 256,
        "input_audio": 92,
        "input_audio_cached": 384,
        "output_text": 9,
        "output_audio": 23,
    }
    assert sum(tokens_by_kind(SEEN).values()) == SEEN["total_tokens"]


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (None, {}),
        ({}, {}),
        ({"input_tokens": 7, "output_tokens": 3}, {"input_other": 7, "output_other": 3}),
        ({"input_tokens": 7, "input_token_details": None}, {"input_other": 7}),
        ({"input_tokens": "7", "output_tokens": True}, {}),
        ({"input_tokens": -7, "output_tokens": 1 << 50}, {}),
        ({"input_token_details": {"audio_tokens": 5}}, {"input_audio": 5}),
        (
            {"input_tokens": 9, "input_token_details": {"text_tokens": 4, "audio_tokens": 5, "cached_tokens": 6}},
            {"input_text_cached": 4, "input_audio_cached": 2, "input_audio": 3},
        ),
        (
            {"input_tokens": 4, "input_token_details": {"text_tokens": 4, "cached_tokens": 100}},
            {"input_text_cached": 4},
        ),
        (
            {"output_tokens": 9, "output_token_details": {"text_tokens": 2, "audio_tokens": 3, "reasoning_tokens": 4}},
            {"output_text": 2, "output_audio": 3, "output_other": 4},
        ),
    ],
)
def test_any_usage_is_told_as_far_as_it_goes(usage: dict[str, Any] | None, found: dict[str, int]) -> None:
    assert tokens_by_kind(usage) == found
    assert tokens_by_kind(usage).keys() <= set(KINDS)


def test_a_transcript_is_billed_by_tokens_or_by_time() -> None:
    by_tokens = {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "input_token_details": {"audio_tokens": 14}}
    assert tokens_by_kind(by_tokens, output="text") == {"input_audio": 14, "output_text": 5}
    assert seconds_billed(by_tokens) == 0.0
    by_time = {"type": "duration", "seconds": 2.5}
    assert (tokens_by_kind(by_time, output="text"), seconds_billed(by_time)) == ({}, 2.5)
    for seconds in ("2.5", True, None, -1, float("nan"), float("inf")):
        assert seconds_billed({"type": "duration", "seconds": seconds}) == 0.0


@pytest.mark.parametrize("told", [-1, 1 << 40, 10**4299, 1.5, True, "7", None, [7]])
def test_what_is_no_count_of_tokens_is_not_reported(told: object) -> None:
    response = Response(usage={"input_tokens": told, "output_tokens": 0})
    assert response.tokens() == {"output_tokens": 0}
