"""Plays "one moment" to a caller who waits for the bot, so that the line is never silent for long.

Its state is a flag and a count, too little for a table. Not an actor: a part of the VAIC session.
May import: actors, the standard library. Rules from: docs/specs/reliability.md 5.4 (never silence).
"""

from __future__ import annotations

from collections.abc import Callable

from actors.messages.vaic import FillerDue
from actors.system.dispatcher import Timer

# From one "one moment" to the next: long enough not to annoy, short enough that the caller does not hang up.
AGAIN_S = 6.0
# In one wait. A fourth would not help the caller; the call's own time limits take over.
MAX_FILLERS = 3


class FillerTimer:
    """Counts one wait at a time.

    after: starts a timer of the actor that owns this, delay in s. first_s: the wait before the first "one moment"; 0
    for none. waiting: whether the caller waits for words, read with every piece of the bot's audio.
    """

    __slots__ = ("_after", "_due", "_first_s", "_said", "_timer", "waiting")

    def __init__(self, after: Callable[[float, object], Timer], first_s: float) -> None:
        self._after = after
        self._first_s = first_s
        self._timer: Timer | None = None
        self._due = FillerDue(0)  # the message of the newest timer
        self._said = 0
        self.waiting = False

    def begin(self) -> None:
        """The caller waits for the bot from now on. Does nothing if that was so already."""
        if self._first_s and not self.waiting:
            self.waiting, self._said = True, 0
            self._start(self._first_s)

    def end(self) -> None:
        """The bot or the caller speaks."""
        self.waiting = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def over(self, due: FillerDue, bot_sounds: bool) -> bool:
        """A timer has fired. Returns whether to say "one moment" now.

        bot_sounds: the caller hears the bot at the moment; then the wait starts again instead.
        """
        if not self.waiting or due != self._due:  # a message of an earlier wait
            return False
        say = not bot_sounds
        self._said += say
        self._timer = None
        if self._said < MAX_FILLERS:
            self._start(AGAIN_S if say else self._first_s)
        return say

    def _start(self, delay_s: float) -> None:
        self._due = FillerDue(self._due.number + 1)
        self._timer = self._after(delay_s, self._due)
