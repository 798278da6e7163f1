"""How much a bot or a server may send on one socket: what comes without end is neither kept nor played to its end.

May import: the standard library. Rules from: docs/specs/vaic-streaming.md 7.4: VAIC buffers what comes faster than it
plays, whole utterances too; how much is not known, so the limits are ours, and far above any utterance.
"""

from __future__ import annotations

AUDIO_AHEAD_MS = 300_000  # of audio that is sent and not yet played
# A socket may take so much at once, and more as time goes by: twice the rate of chunks of 10 ms, four times that of
# 24 kHz audio.
_MESSAGES, _MESSAGES_A_S = 20_000, 200
_CHARACTERS, _CHARACTERS_A_S = 24 * 1024 * 1024, 256 * 1024


class Inflow:
    """What has come on one socket, or in one call."""

    def __init__(self) -> None:
        self._messages = 0
        self._characters = 0

    def take(self, size: int, now_ms: int) -> str | None:
        """Count a message; return how much has come if that is a flood.

        size: in characters or bytes. now_ms: since the socket, or the call, began.
        """
        self._messages += 1
        self._characters += size
        many = self._messages > _MESSAGES + _MESSAGES_A_S * now_ms // 1000
        long = self._characters > _CHARACTERS + _CHARACTERS_A_S * now_ms // 1000
        if not many and not long:
            return None
        return f"{self._messages} messages, {self._characters // 1_000_000} MB in {now_ms // 1000} s"
