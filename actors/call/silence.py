"""The watch over a call's silence: who is heard now, and what is done when nobody has been heard for too long.

LINE is the table; `SilenceWatch` turns facts of the conversation into its events. The call's supervisor runs the timer
and carries the actions out.
Pure state. May import: actors.messages, protocols, the standard library. Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from actors.messages.call import BotBegan, BotHeard, CallerSaid, CallerSpeaks, ClipHeard, ResponseEnded, SpeechFact
from protocols.transitions import Table, go, never, rows, stay

# Silences in a row, without a word of the caller's between them, after each of which somebody said something.
MOST_ATTEMPTS = 3
# The model's sentence into a silence, from when it was asked for until it is heard; then a clip is played.
ASKED_LIMIT_S = 6.0
# One turn of the caller: a longer one is a radio, babble, or a voice detection that missed its end.
TURN_LIMIT_S = 30.0


class Line(Enum):
    OFF = "off"  # not watched: before the greeting, without a caller's socket, after the end was decided
    LISTENING = "listening"  # the bot was heard to its end
    WAITING = "waiting"  # for the bot: the caller has spoken or acted, or the bot was cut
    ASKED = "asked"  # the model, to say something into the silence
    BOT = "bot"
    CALLER = "caller"
    BOTH = "both"  # a clip, or an answer that crosses with the caller's speech


class LineEvent(Enum):
    OPENED = "opened"  # the greeting was asked for, or the caller is back
    CLOSED = "closed"  # the caller has no socket
    BOT_BEGAN = "bot began"
    BOT_HEARD = "bot heard"  # to its end
    BOT_CUT = "bot cut"  # or a clip has ended, which answers nothing
    CALLER_BEGAN = "caller began"
    CALLER_STOPPED = "caller stopped"
    ACTED = "acted"  # a function was called, or keys were pressed
    LIMIT = "limit passed"
    LIMIT_LAST = "limit passed (last)"  # and MOST_ATTEMPTS were in vain


class LineAction(Enum):
    NOTHING = ""
    ASK = "say something"
    PLAY_CLIP = "play a clip"  # the model was asked to, and said nothing
    END_TURN = "end the turn"  # of the caller's, and ask
    END_CALL = "end in words"


_L, _E, _A = Line, LineEvent, LineAction
_QUIET = (_L.LISTENING, _L.WAITING, _L.ASKED)
_WATCHED = tuple(line for line in Line if line is not _L.OFF)
_LIMITS = (_E.LIMIT, _E.LIMIT_LAST)

LINE: Table[Line, LineEvent, LineAction] = Table(
    "line",
    Line.OFF,
    rows(
        go(Line, _E.OPENED, _L.WAITING, _A.NOTHING),
        go(Line, _E.CLOSED, _L.OFF, _A.NOTHING),
        stay(
            _L.OFF,
            (_E.BOT_BEGAN, _E.BOT_HEARD, _E.BOT_CUT, _E.CALLER_BEGAN, _E.CALLER_STOPPED, _E.ACTED),
            _A.NOTHING,
        ),
        # The bot.
        go((*_QUIET, _L.BOT), _E.BOT_BEGAN, _L.BOT, _A.NOTHING),
        go((_L.CALLER, _L.BOTH), _E.BOT_BEGAN, _L.BOTH, _A.NOTHING),
        go((*_QUIET, _L.BOT), _E.BOT_HEARD, _L.LISTENING, _A.NOTHING),
        go((*_QUIET, _L.BOT), _E.BOT_CUT, _L.WAITING, _A.NOTHING),
        go((_L.CALLER, _L.BOTH), (_E.BOT_HEARD, _E.BOT_CUT), _L.CALLER, _A.NOTHING),
        # The caller.
        go((*_QUIET, _L.CALLER), _E.CALLER_BEGAN, _L.CALLER, _A.NOTHING),
        go((_L.BOT, _L.BOTH), _E.CALLER_BEGAN, _L.BOTH, _A.NOTHING),
        go((_L.CALLER, *_QUIET), _E.CALLER_STOPPED, _L.WAITING, _A.NOTHING),
        # Also late, of a turn that was ended by us.
        go((_L.BOT, _L.BOTH), _E.CALLER_STOPPED, _L.BOT, _A.NOTHING),
        go(_QUIET, _E.ACTED, _L.WAITING, _A.NOTHING),
        stay((_L.BOT, _L.CALLER, _L.BOTH), _E.ACTED, _A.NOTHING),
        # Silence.
        go((_L.LISTENING, _L.WAITING), _E.LIMIT, _L.ASKED, _A.ASK),
        go((_L.LISTENING, _L.WAITING), _E.LIMIT_LAST, _L.OFF, _A.END_CALL),
        # Before the call ends the last question was heard.
        go(_L.ASKED, _LIMITS, _L.WAITING, _A.PLAY_CLIP),
        go((_L.CALLER, _L.BOTH), _E.LIMIT, _L.ASKED, _A.END_TURN),
        go((_L.CALLER, _L.BOTH), _E.LIMIT_LAST, _L.OFF, _A.END_CALL),
    ),
    rows(
        never(_L.OFF, _LIMITS, "no limit runs"),
        never(_L.BOT, _LIMITS, "no limit runs: what the bot says has an end"),
    ),
)

# The limit that runs in a state, in s; in LISTENING and WAITING it is the profile's no_input_s.
LIMITS_S: Mapping[Line, float] = {
    Line.ASKED: ASKED_LIMIT_S,
    Line.CALLER: TURN_LIMIT_S,
    Line.BOTH: TURN_LIMIT_S,
}


class SilenceWatch:
    """The watch over one call. no_input_s: the longest silence."""

    def __init__(self, no_input_s: float) -> None:
        self._no_input_s = no_input_s
        self.line = LINE.start
        self._attempts = 0
        self._sounding: set[str] = set()  # items of the bot that are heard now
        self._speaks = ""  # the caller's item that is spoken now, or was last
        self._ended_by_us = ""  # the caller's item whose turn had no end of its own

    def limit_s(self) -> float | None:
        """The limit to run from the last event on; None if none does."""
        if self.line in (Line.LISTENING, Line.WAITING):
            return self._no_input_s
        return LIMITS_S.get(self.line)

    def happened(self, event: LineEvent) -> LineAction:
        if event in (LineEvent.OPENED, LineEvent.CLOSED):
            self._sounding.clear()  # another socket tells of its own items only
        self.line, action = LINE.step(self.line, event)
        return action

    def note(self, fact: SpeechFact | BotBegan) -> bool:
        """Take a fact. Returns whether it was an event of the table: the limit is to be started again."""
        event = self._event(fact)
        if event is not None:
            self.happened(event)
        return event is not None

    def overdue(self) -> LineAction:
        """The limit has passed."""
        last = self._attempts >= MOST_ATTEMPTS
        action = self.happened(LineEvent.LIMIT_LAST if last else LineEvent.LIMIT)
        if action in (LineAction.ASK, LineAction.END_TURN):
            self._attempts += 1
        if action is LineAction.END_TURN:
            self._ended_by_us = self._speaks
        return action

    def caller_acted(self) -> None:
        """The caller is there: by a word, or by a key."""
        self._attempts = 0

    def _event(self, fact: SpeechFact | BotBegan) -> LineEvent | None:
        match fact:
            case CallerSpeaks():
                self._speaks = fact.item_id
                return LineEvent.CALLER_BEGAN if fact.began else LineEvent.CALLER_STOPPED
            case CallerSaid():
                # A radio has words as well, but its turn had no end.
                if fact.text and fact.item_id != self._ended_by_us:
                    self.caller_acted()
                return None
            case BotBegan():
                self._sounding.add(fact.item_id)
                return LineEvent.BOT_BEGAN
            case BotHeard() | ClipHeard():
                self._sounding.discard(fact.item.item_id)
                if self._sounding:
                    return None
                heard = isinstance(fact, BotHeard) and fact.item.complete
                return LineEvent.BOT_HEARD if heard else LineEvent.BOT_CUT
            case ResponseEnded():
                return None
            case _:
                return None  # words of the bot, which say nothing about when they are heard
