"""The silence watchdog of a call: who is speaking now, and what to do when nobody has spoken for too long.

LINE is the table; `SilenceWatch` turns facts of the conversation into its events. The call's supervisor runs the timer
and carries out the actions.
Pure state. May import: actors.messages, protocols, the standard library. Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from actors.messages.call import (
    BotBegan,
    BotHeard,
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    ClipHeard,
    SpeechFact,
)
from protocols.transitions import Table, go, never, rows, stay

# Prompts in a row that the caller did not answer with a word; after the next silence the call ends.
MOST_ATTEMPTS = 3
# After a sentence of the bot that should have told what was done, and did not.
OWED_LIMIT_S = 2.0
# From asking the model to say something until it is heard; after that a clip is played instead.
ASKED_LIMIT_S = 6.0
# Length of a caller's turn; a longer one is a radio, babble, or a voice detection that missed the end.
TURN_LIMIT_S = 30.0


class Line(Enum):
    OFF = "off"  # not watched: before the greeting, while the caller has no socket, once the call's end is decided
    LISTENING = "listening"  # for the caller: the bot was heard to its end
    WAITING = "waiting"  # for the bot: the caller has spoken or acted, or the bot was interrupted
    ASKED = "asked"  # the model was asked to break the silence
    BOT = "bot"
    CALLER = "caller"
    BOTH = "both"  # a clip or a late answer overlaps with the caller's speech


class LineEvent(Enum):
    OPENED = "opened"  # the greeting was requested, or the caller is back
    CLOSED = "closed"  # the caller has no socket
    BOT_BEGAN = "bot began"
    BOT_HEARD = "bot heard"  # to its end
    BOT_CUT = "bot cut"  # interrupted; or a clip has ended, which is not an answer
    CALLER_BEGAN = "caller began"
    CALLER_STOPPED = "caller stopped"
    ACTED = "acted"  # a function was called, or keys were pressed
    LIMIT = "limit passed"
    LIMIT_LAST = "limit passed (last)"  # after MOST_ATTEMPTS prompts without an answer


class LineAction(Enum):
    NOTHING = ""
    ASK = "say something"
    PLAY_CLIP = "play a clip"  # because the model said nothing
    END_TURN = "end the turn"  # commit the caller's turn, and ask
    END_CALL = "end in words"  # say goodbye, then hang up


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
        # It may come late, for a turn that we have ended.
        go((_L.BOT, _L.BOTH), _E.CALLER_STOPPED, _L.BOT, _A.NOTHING),
        go(_QUIET, _E.ACTED, _L.WAITING, _A.NOTHING),
        stay((_L.BOT, _L.CALLER, _L.BOTH), _E.ACTED, _A.NOTHING),
        # Silence.
        go((_L.LISTENING, _L.WAITING), _E.LIMIT, _L.ASKED, _A.ASK),
        go((_L.LISTENING, _L.WAITING), _E.LIMIT_LAST, _L.OFF, _A.END_CALL),
        # Even on the last attempt: the caller must hear the question before the call ends.
        go(_L.ASKED, _LIMITS, _L.WAITING, _A.PLAY_CLIP),
        go((_L.CALLER, _L.BOTH), _E.LIMIT, _L.ASKED, _A.END_TURN),
        go((_L.CALLER, _L.BOTH), _E.LIMIT_LAST, _L.OFF, _A.END_CALL),
    ),
    rows(
        never(_L.OFF, _LIMITS, "no limit runs"),
        never(_L.BOT, _LIMITS, "no limit runs: the bot's speech always ends"),
    ),
)

# The time limit of a state, in seconds; in LISTENING and WAITING it is the profile's no_input_s.
LIMITS_S: Mapping[Line, float] = {
    Line.ASKED: ASKED_LIMIT_S,
    Line.CALLER: TURN_LIMIT_S,
    Line.BOTH: TURN_LIMIT_S,
}


class SilenceWatch:
    """The watchdog of one call. no_input_s: the longest silence, in seconds; None if silence is nobody's concern.

    text: the bot answers in writing. Nobody knows when that was read or, by VAIC, spoken: the caller is not hurried.
    """

    def __init__(self, no_input_s: float | None, text: bool = False) -> None:
        self._no_input_s = no_input_s
        self._text = text
        self.line = LINE.start
        self._attempts = 0
        self._sounding: set[str] = set()  # items of the bot that are playing
        self._mute: set[str] = set()  # those that play silence, and of which no words are known
        self._speaks: str | None = None  # the caller's current or latest item
        self._ended_by_us: str | None = None  # the caller's item whose turn we ended at TURN_LIMIT_S

    def limit_s(self, *, owed: bool = False) -> float | None:
        """The state's time limit, in seconds from the last event; None if it has none.

        owed: something was done, and the caller has not been told.
        """
        if self._no_input_s is None:
            return None
        if owed and self.line is Line.LISTENING:
            return min(OWED_LIMIT_S, self._no_input_s)
        if self._text and self.line is Line.LISTENING:
            return None
        if self.line in (Line.LISTENING, Line.WAITING):
            return self._no_input_s
        return LIMITS_S.get(self.line)

    def happened(self, event: LineEvent) -> LineAction:
        if event in (LineEvent.OPENED, LineEvent.CLOSED):
            self._sounding.clear()  # a new socket reports only its own items
            self._mute.clear()
        self.line, action = LINE.step(self.line, event)
        return action

    def note(self, fact: SpeechFact | BotBegan) -> bool:
        """Take a fact. Returns whether it was an event of the table, so that its time limit starts again."""
        event = self._event(fact)
        if event is not None:
            self.happened(event)
        return event is not None

    def overdue(self) -> LineAction:
        """The time limit has passed; return what to do."""
        last = self._attempts >= MOST_ATTEMPTS
        action = self.happened(LineEvent.LIMIT_LAST if last else LineEvent.LIMIT)
        if action in (LineAction.ASK, LineAction.END_TURN):
            self._attempts += 1
        if action is LineAction.END_TURN:
            self._ended_by_us = self._speaks
        return action

    def broken_by_model(self) -> LineAction:
        """The model's server breaks a silence by itself: that counts as one prompt. Returns what to do."""
        if self.line not in (Line.LISTENING, Line.WAITING):
            return LineAction.NOTHING
        if self._attempts >= MOST_ATTEMPTS:
            return self.happened(LineEvent.LIMIT_LAST)
        self._attempts += 1
        return LineAction.NOTHING

    @property
    def left_to_vaic(self) -> bool:
        """Only VAIC can tell whether the caller has been silent for too long, by `noUserInput`."""
        return self._text and self._no_input_s is not None and self.line is Line.LISTENING

    @property
    def caller_speaks(self) -> bool:
        return self.line in (Line.CALLER, Line.BOTH)

    def caller_acted(self) -> None:
        """The caller has said a word or pressed a key: count unanswered prompts from zero."""
        self._attempts = 0

    def _bot_began(self, item_id: str) -> LineEvent:
        self._mute.discard(item_id)
        self._sounding.add(item_id)
        return LineEvent.BOT_BEGAN

    def _event(self, fact: SpeechFact | BotBegan) -> LineEvent | None:
        match fact:
            case CallerSpeaks():
                self._speaks = fact.item_id
                return LineEvent.CALLER_BEGAN if fact.began else LineEvent.CALLER_STOPPED
            case CallerSaid():
                # A radio has words too, but we had to end its turn.
                if fact.text and fact.item_id != self._ended_by_us:
                    self.caller_acted()
                return None
            case BotBegan(silent=True):
                self._mute.add(fact.item_id)
                return None
            case BotBegan():
                return self._bot_began(fact.item_id)
            case BotSaid():
                return self._bot_began(fact.item_id) if fact.text and fact.item_id in self._mute else None
            case BotHeard() | ClipHeard():
                unheard = fact.item.item_id in self._mute
                self._mute.discard(fact.item.item_id)
                self._sounding.discard(fact.item.item_id)
                if unheard or self._sounding:
                    return None
                heard = isinstance(fact, BotHeard) and fact.item.complete
                return LineEvent.BOT_HEARD if heard else LineEvent.BOT_CUT
            case _:
                return None
