"""Reads what VoiceAI Connect (VAIC) pushes of calls that have ended: call detail records, and transcripts.

How it is sent is documented, with `cdrURL` and a bearer token (techdocs.audiocodes.com, VoiceAI Connect, "Sending CDRs
to remote server"); what stands in it is not. Documented are the delays of a message of a transcript ("Storing call
transcripts and audio recordings", as of November 2026). So only the names below are looked for, wherever they stand;
words are not taken. May import: protocols.limits, pydantic, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic_core import from_json

from protocols.limits import NAME_CHARS

CONVERSATION = "conversationId"
# A message has an answer's delays if it has the first.
NAMES = {"turnDelayMs": "turn_ms", "botDelayMs": "bot_ms", "sttDelayMs": "stt_ms", "ttsDelayMs": "tts_ms"}
# Objects and arrays in one push: what is read by a thread takes its share of the loop's time.
MOST_PARTS = 20_000
# Longer than any call.
MOST_DELAY_MS = 86_400_000
# Of a call; and calls in one push.
MOST_DELAYS, MOST_CALLS = 1000, 1000


class VaicDelays(BaseModel):
    """What VAIC has measured of one answer, in ms. turn_ms: from the end of the caller's speech to the answer's start.

    bot_ms: from what it sent the bot to the bot's message. stt_ms, tts_ms: its services' part. None if not said.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    turn_ms: int
    bot_ms: int | None = None
    stt_ms: int | None = None
    tts_ms: int | None = None


def read_reports(body: bytes) -> dict[str, tuple[VaicDelays, ...]]:
    """The delays of the answers of each call that is named, by conversation id; none of a call that has none.

    What stands beside or below a conversation's id, and no other's, is that conversation's.
    Raises: ValueError if it is no JSON, or names no conversation, or too many, or has too much in it.
    """
    found = _found(from_json(body, allow_inf_nan=False), iter(range(MOST_PARTS)))
    found.pop("", None)  # of no conversation, or of one among several
    if not found:
        raise ValueError(f"no {CONVERSATION}")
    if len(found) > MOST_CALLS:
        raise ValueError("too many calls")
    return {call: tuple(delays[:MOST_DELAYS]) for call, delays in found.items()}


def _found(value: JsonValue, left: Iterator[int]) -> dict[str, list[VaicDelays]]:
    """The delays within a value, by conversation; by "" where that is not told. left: as many parts may follow."""
    if next(left, None) is None:
        raise ValueError("too many objects and arrays")
    found: dict[str, list[VaicDelays]] = {}
    parts: Iterable[JsonValue] = ()
    if isinstance(value, dict):
        parts = value.values()
        if (delays := _delays(value)) is not None:
            found[""] = [delays]
        call = value.get(CONVERSATION)
        if isinstance(call, str) and 0 < len(call) <= NAME_CHARS:
            found[call] = []
    elif isinstance(value, list):
        parts = value
    for part in parts:
        if isinstance(part, dict | list):
            for call, more in _found(part, left).items():
                found.setdefault(call, []).extend(more)
    if len(calls := [call for call in found if call]) == 1:
        found[calls[0]] += found.pop("", [])
    return found


def _delays(message: dict[str, JsonValue]) -> VaicDelays | None:
    said = {ours: ms for name, ours in NAMES.items() if (ms := _ms(message.get(name))) is not None}
    return VaicDelays(**said) if "turn_ms" in said else None


def _ms(value: JsonValue) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= MOST_DELAY_MS else None
