"""The end of a call towards VAIC: one hangup or transfer, once VAIC has played all that it was sent.

Our own ledger is ahead of the caller's ear: by the way there, and by what VAIC holds against jitter; and words that a
hangup overtakes are never heard. VAIC tells by `playFinished` that it is through; one that does not has a limit.
Not an actor: a part of the caller's side. May import: actors, the standard library.
Rules from: docs/specs/vaic-streaming.md 7.6, 7.7.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.vaic import HangUp, PlayOutOver, Transfer
from actors.system.dispatcher import Timer

# After the moment at which all should have been heard, in s (7.6).
PLAY_OUT_LIMIT_S = 1.0


class HangupSequence:
    """after: the actor's own timers. write: sends VAIC an activity, by its name and its parameters."""

    __slots__ = ("_after", "_unsaid", "_write", "begun")

    def __init__(
        self, after: Callable[[float, object], Timer], write: Callable[[str, dict[str, object]], None]
    ) -> None:
        self._after = after
        self._write = write
        self._unsaid: HangUp | Transfer | None = None
        self.begun = False  # from here on VAIC is owed acknowledgements only

    @property
    def said(self) -> bool:
        """VAIC knows that the call is over, by our word or by its own."""
        return self.begun and self._unsaid is None

    def begin(self, act: HangUp | Transfer, unconfirmed: bool) -> None:
        """End the call so; only the first time counts. unconfirmed: see Playout."""
        if self.begun:
            return
        self.begun, self._unsaid = True, act
        if unconfirmed:
            self._after(PLAY_OUT_LIMIT_S, PlayOutOver())
        else:
            self.say()

    def say(self) -> None:
        """All was played, or there was time enough for it."""
        match self._unsaid:
            case HangUp(reason):
                self._write("hangup", {"hangupReason": reason})
            case Transfer(target, reason):
                self._write("transfer", {"transferTarget": target, "handoverReason": reason})
            case None:
                pass
        self._unsaid = None

    def vaic_left(self) -> None:
        """VAIC has ended the call: nothing is left to be said."""
        self.begun, self._unsaid = True, None
