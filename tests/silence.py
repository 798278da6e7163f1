"""How long nobody was heard in a call: the longest silence between the sounds of both sides.

May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable

Sound = tuple[int, int]


def longest_silence_s(bots: Iterable[Sound], callers: Iterable[Sound], until_ms: int) -> float:
    """In s, from the bot's first sound until then; all the time if it never made one. Sounds: (began, ended), in ms."""
    heard = sorted(bots)
    if not heard:
        return until_ms / 1000
    sounds = sorted([*heard, *callers])
    longest_ms, heard_ms = 0, heard[0][1]
    for began_ms, ended_ms in [*sounds, (until_ms, until_ms)]:
        longest_ms = max(longest_ms, began_ms - heard_ms)
        heard_ms = max(heard_ms, ended_ms)
    return longest_ms / 1000
