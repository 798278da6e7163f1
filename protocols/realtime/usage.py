"""The tokens that a response or a transcription has used, by kind. The kinds are disjoint: their sum is all tokens.

Pure. May import: the standard library. Rules from: docs/specs/openai-realtime.md 3.3, 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

MODALITIES = ("text", "audio", "image")
# As in the usage of a response: input read from the cache is a part of the input, and is counted here only once.
KINDS = (
    *(f"input_{modality}" for modality in MODALITIES),
    *(f"input_{modality}_cached" for modality in MODALITIES),
    *(f"output_{modality}" for modality in MODALITIES),
    "input_other",  # of which the server does not tell what they are
    "output_other",
)


def tokens_by_kind(usage: Mapping[str, Any] | None, output: Literal["text", "other"] = "other") -> dict[str, int]:
    """The tokens of a `usage`, of each kind of which there are any. Fields that are no counts are left out.

    output: what the output is if the server does not say; of a transcription it is text.
    """
    if usage is None:
        return {}
    told_in, told_out = _part(usage, "input_token_details"), _part(usage, "output_token_details")
    cached = _cached(told_in)
    found: dict[str, int] = {}
    for modality in MODALITIES:
        of_input = _count(told_in, f"{modality}_tokens")
        from_cache = min(cached[modality], of_input)
        found[f"input_{modality}"] = of_input - from_cache
        found[f"input_{modality}_cached"] = from_cache
        found[f"output_{modality}"] = _count(told_out, f"{modality}_tokens")
    rest_in = _count(usage, "input_tokens") - sum(found[each] for each in found if each.startswith("input"))
    rest_out = _count(usage, "output_tokens") - sum(found[each] for each in found if each.startswith("output"))
    found["input_other"] = max(0, rest_in)
    kind = f"output_{output}"
    found[kind] = found.get(kind, 0) + max(0, rest_out)
    return {kind: count for kind, count in found.items() if count}


def seconds_billed(usage: Mapping[str, Any]) -> float:
    """The seconds of a transcription that is billed by time; 0.0 if it is billed by tokens."""
    seconds = usage.get("seconds")
    if usage.get("type") != "duration" or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return 0.0
    return float(seconds) if 0 < seconds < 1e6 else 0.0


def _cached(told: Mapping[str, Any]) -> dict[str, int]:
    details = _part(told, "cached_tokens_details")
    found = {modality: _count(details, f"{modality}_tokens") for modality in MODALITIES}
    left = _count(told, "cached_tokens") - sum(found.values())
    for modality in MODALITIES:  # those without details: text first, the cheaper guess is the smaller number of audio
        more = max(0, min(left, _count(told, f"{modality}_tokens") - found[modality]))
        found[modality] += more
        left -= more
    return found


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return part if isinstance(part, dict) else {}


def is_count(told: object) -> bool:
    """Whether it is a number of tokens, which all responses of a call add up to one that can be stored."""
    return type(told) is int and 0 <= told < 1 << 40


def _count(told: Mapping[str, Any], name: str) -> int:
    return int(told[name]) if is_count(told.get(name)) else 0
