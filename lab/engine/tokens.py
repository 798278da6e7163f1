"""Plausible token counts of a response, for the usage in `response.done`, and of a transcript.

May import: lab.engine, the standard library. Rules from: docs/specs/openai-realtime.md 3.3, 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.engine.conversation import StoredItem
from lab.engine.plan import Plan
from lab.engine.sound import HEARING_HZ

_CHARACTERS = 4  # of English text in a token
_CALLER_MS = 100  # of a caller's audio in a token
_MODEL_MS = 50  # of the model's
# Of an image, and of each square of it, by its side in pixels.
_PER_IMAGE, _PER_TILE, _TILE = 85, 170, 512
# Transcription models that are billed by tokens; others are by time.
_BY_TOKENS = ("gpt-4o-transcribe", "gpt-4o-mini-transcribe")


def usage(plan: Plan, context: Sequence[StoredItem], output: Sequence[StoredItem]) -> dict[str, Any]:
    """The `usage` of a response. context: its input items; output: the items it created."""
    told = len(plan.own_instructions or plan.instructions) + sum(
        len(tool.name) + len(tool.description) + len(str(tool.parameters)) for tool in plan.tools
    )
    text_in = told // _CHARACTERS + sum(map(_text, context))
    audio_in = sum(map(_audio, context))
    image_in = sum(map(_images, context))
    text_out, audio_out = sum(map(_text, output)), sum(map(_audio, output))
    return {
        "total_tokens": text_in + audio_in + image_in + text_out + audio_out,
        "input_tokens": text_in + audio_in + image_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": audio_in,
            "image_tokens": image_in,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }


def heard_usage(model: str, entry: StoredItem) -> dict[str, Any]:
    """The `usage` of a caller's transcript. model: that transcribes."""
    if not model.startswith(_BY_TOKENS):
        return {"type": "duration", "seconds": round(len(entry.audio) / 2 / HEARING_HZ, 3)}
    audio_in, text_out = _audio(entry), -(-len(entry.said) // _CHARACTERS)
    return {
        "type": "tokens",
        "total_tokens": audio_in + text_out,
        "input_tokens": audio_in,
        "output_tokens": text_out,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio_in},
    }


def _text(entry: StoredItem) -> int:
    characters = len(entry.item.name) + len(entry.item.arguments) + len(entry.item.output)
    return -(-(characters + (0 if entry.audio else len(entry.said))) // _CHARACTERS)


def _images(entry: StoredItem) -> int:
    tiles = sum(-(-each.width // _TILE) * -(-each.height // _TILE) for each in entry.images)
    return len(entry.images) * _PER_IMAGE + tiles * _PER_TILE


def _audio(entry: StoredItem) -> int:
    caller_ms = len(entry.audio) / 2 / HEARING_HZ * 1000
    return round(caller_ms / _CALLER_MS + entry.sent_ms / _MODEL_MS)
