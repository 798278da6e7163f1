"""How long a caller may wait for words before we say that we are still there.

Not an actor: a part of the caller's side. May import: actors, the standard library.
Rules from: docs/specs/reliability.md 5.4 (never silence).
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.vaic import FillerDue
from actors.system.dispatcher import Timer

# After the first "one moment", so long until the next, in s; and never more of them in one wait.
AGAIN_S, MOST = 6.0, 3


class FillerTimer:
    """after: the actor's own timers. first_s: the wait before the first "one moment"; 0: there is none."""

    __slots__ = ("_after", "_first_s", "_said", "_timer", "waiting")

    def __init__(self, after: Callable[[float, object], Timer], first_s: float) -> None:
        self._after = after
        self._first_s = first_s
        self._timer: Timer | None = None
        self._said = 0
        # Asked with every piece of the bot's audio.
        self.waiting = False

    def begin(self) -> None:
        """The caller waits for words, from now on if not yet."""
        if self._first_s and not self.waiting:
            self.waiting, self._said = True, 0
            self._timer = self._after(self._first_s, FillerDue())

    def end(self) -> None:
        """There are words, or the caller has gone on."""
        self.waiting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def over(self, bot_sounds: bool) -> bool:
        """It has run out. Returns whether to say so now. bot_sounds: the caller hears the bot at this moment."""
        if not self.waiting:
            return False
        say = not bot_sounds
        self._said += say
        self._timer = None
        if self._said < MOST:
            self._timer = self._after(AGAIN_S if say else self._first_s, FillerDue())
        return say
