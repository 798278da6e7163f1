"""Sends the model silence when the caller's audio stops in mid-utterance.

The model's voice detection counts samples: without audio a turn never ends (mute with silence suppression, hold,
userStream.stop). Its state is a count, too little for a table. Not an actor: a part of the VAIC session.
May import: actors.messages, protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.3.
"""

from __future__ import annotations

from base64 import b64encode

from actors.messages.vaic import GapDue
from protocols.media import MediaFormat, silence

# Interval of checking whether audio still arrives; longer than any network jitter.
GAP_S = 0.75
# Silence sent for each gap seen; FILL_MS is longer than the silence that ends a turn.
FILL_MS, PIECE_MS = 1000, 100
# In one turn. If the voice detection has not ended the turn by then, only the call's own limit will.
MOST_FILLS = 10


class GapFiller:
    """Watches one turn of the caller at a time. media: the model's format.

    sounds: audio has arrived since the last check. Set with every chunk, read only here.
    """

    __slots__ = ("_fills", "_piece", "_speaks", "_turn", "sounds")

    def __init__(self, media: MediaFormat) -> None:
        self._piece = b64encode(silence(media, PIECE_MS)).decode("ascii")
        self._turn, self._fills = 0, 0
        self._speaks = self.sounds = False

    def begin(self) -> GapDue:
        """The caller begins to speak. Returns the message to send after GAP_S."""
        self._turn += 1
        self._fills, self._speaks, self.sounds = 0, True, True
        return GapDue(self._turn)

    def end(self) -> None:
        """The caller has stopped."""
        self._speaks = False

    def lasts(self, due: GapDue) -> bool:
        """Whether the turn must still be watched."""
        return self._speaks and due.turn == self._turn and self._fills < MOST_FILLS

    def due(self, due: GapDue) -> list[str]:
        """The pieces of silence to send the model now, base64; none if audio still arrives."""
        if not self.lasts(due):
            return []
        sounds, self.sounds = self.sounds, False
        if sounds:
            return []
        self._fills += 1
        return [self._piece] * (FILL_MS // PIECE_MS)
