"""Watches whether the caller's line has sound while the model says that the caller speaks.

The model's voice detection counts samples: without audio a turn never ends (mute with silence suppression, hold,
userStream.stop), so a gap is filled with silence, as long as it is. If the turn goes on although the line is silent,
the voice detection has missed its end, and the call is told. Its state is a count, too little for a table. Not an
actor: a part of the VAIC session.
May import: actors.messages, protocols, the standard library. Rules from: docs/specs/openai-realtime.md 4.3.
"""

from __future__ import annotations

from base64 import b64encode

from actors.messages.vaic import GapDue
from protocols.media import MediaFormat, inaudible, silence

# Interval of the checks, and the silence sent for one in which no audio came. A line that stalls for so long in the
# middle of a word gets a pause, which is shorter than the silence that ends a turn.
GAP_S = 0.25
# Checks in a row without a sound after which the turn is dead: 7.5 s, in which real speech would be heard.
MOST_SILENT = 30


class GapFiller:
    """Watches one turn of the caller at a time. media: the model's format.

    newest: the latest audio since the last check, base64; "" if none has arrived. Set with every chunk, read only here.
    """

    __slots__ = ("_media", "_piece", "_silent", "_speaks", "_turn", "newest")

    def __init__(self, media: MediaFormat) -> None:
        self._media = media
        self._piece = b64encode(silence(media, round(1000 * GAP_S))).decode("ascii")
        self._turn, self._silent = 0, 0
        self._speaks = False
        self.newest = ""

    def begin(self) -> GapDue:
        """The caller begins to speak. Returns the message to send after GAP_S."""
        self._turn += 1
        self._silent, self._speaks, self.newest = 0, True, ""
        return GapDue(self._turn)

    def end(self) -> bool:
        """The caller has stopped. Returns False if that was known, because we ended the turn."""
        spoke, self._speaks = self._speaks, False
        return spoke

    def lasts(self, due: GapDue) -> bool:
        """Whether the turn must still be watched."""
        return self._speaks and due.turn == self._turn and not self.dead

    @property
    def dead(self) -> bool:
        """The turn goes on without a sound."""
        return self._silent >= MOST_SILENT

    def check(self) -> str:
        """Check the line. Returns the silence to send the model now, base64; "" if audio arrives."""
        newest, self.newest = self.newest, ""
        self._silent = self._silent + 1 if not newest or inaudible(newest, self._media) else 0
        return "" if newest else self._piece
