"""The life of a VAIC session, from the open call to its end, as a total transition table.

The hang-up has no table of its own, because each of its states is a state of the session. It is sent once, after VAIC
has reported that everything was played (`playFinished`): our own clock is ahead of the caller's ear by the network and
VAIC's jitter buffer, and VAIC discards what a hangup overtakes.
When the call's supervisor has failed, the session says the last words, hangs up and ends by itself (the phases ALONE).
Pure data. May import: protocols, the standard library. Rules from: docs/specs/vaic-streaming.md 7.6, 7.7, 7.9 to 7.11.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import assert_never

from protocols.transitions import Table, go, never, rows, stay


class Phase(Enum):
    OPEN = "open"  # audio and events pass in both directions
    PLAYING_OUT = "playing out"  # a hangup or transfer was ordered; VAIC still plays what it was sent
    HUNG_UP = "hung up"  # VAIC was told to hang up or transfer; session.end must follow, or a transfer's failure
    RINGING = "ringing"  # a transfer was sent, and VAIC has not said what became of it; the caller is asked to wait
    PUT_THROUGH = "put through"  # a transfer was answered; session.end must follow
    ENDED = "ended"  # by VAIC; the supervisor knows, and stops the session
    LAST_WORDS = "last words"  # the supervisor has failed; a recorded sentence is spoken, and nothing else
    PLAYING_OUT_ALONE = "playing out, alone"
    HUNG_UP_ALONE = "hung up, alone"
    OVER = "over"  # the actor is about to end


class Event(Enum):
    ORDERED = "hangup or transfer ordered"
    ORDERED_UNPLAYED = "ordered (playback unconfirmed)"  # all should have been heard, but VAIC has not confirmed it
    PLAYED_OUT = "playback confirmed"  # of everything that VAIC was sent
    STILL_RINGING = "still ringing"  # nothing was heard of a transfer for RINGING_LIMIT_S
    ANSWERED = "transfer answered"  # VAIC says so
    TRANSFER_FAILED = "transfer failed"  # VAIC says so and keeps the call, or says nothing
    SESSION_END = "session.end"
    SOCKET_CLOSED = "socket closed"
    CALL_BROKE = "supervisor failed"
    WORDS_HEARD = "last words heard"
    WORDS_HEARD_UNPLAYED = "last words heard (playback unconfirmed)"  # heard by our clock
    LIMIT = "limit passed"  # the limit of the current phase


class Action(Enum):
    NOTHING = ""
    SEND_ORDER = "send hangup or transfer"
    ASK_TO_WAIT = "ask to wait"  # by a recorded sentence
    REPORT_FAILURE = "report the failed transfer"  # to the supervisor
    REPORT_END = "report the end"  # to the supervisor, with the reason that VAIC gave
    REPORT_CLOSED = "report the closed socket"  # as the end of the call
    FAIL = "fail: TransportLost"
    SPEAK = "speak last words"
    SPEAK_INSTEAD = "speak last words, then hang up"  # in place of the transfer
    STOP = "stop"


# Time limits of phases; the others have none here. In HUNG_UP the supervisor's own limit runs, and for a
# transfer the two below.
LIMITS_S: Mapping[Phase, float] = {
    # After the moment at which everything should have been heard (7.6: "about 1 s").
    Phase.PLAYING_OUT: 1.0,
    Phase.PLAYING_OUT_ALONE: 1.0,
    # The longest recorded sentence takes a few seconds.
    Phase.LAST_WORDS: 10.0,
    # For session.end (7.6: about 5 s), as policies.END_LIMIT_S; a transfer that rings longer is given up.
    Phase.HUNG_UP_ALONE: 6.0,
}

# VAIC may ignore a transfer, and a caller who hears no ringing must not be left in silence: that often the caller is
# asked to wait. With `transferNotifications` the bot stays in the call until VAIC tells the outcome (7.7).
RINGING_LIMIT_S = 15.0
# A telephone rings about that long; then the transfer counts as failed. One that is answered later takes the caller
# with it all the same.
TRANSFER_LIMIT_S = 40.0

ALONE = frozenset({Phase.LAST_WORDS, Phase.PLAYING_OUT_ALONE, Phase.HUNG_UP_ALONE, Phase.OVER})
_SPOKEN = (Phase.LAST_WORDS, Phase.PLAYING_OUT_ALONE, Phase.HUNG_UP_ALONE)
_TRANSFERRED = (Phase.HUNG_UP, Phase.RINGING, Phase.PUT_THROUGH)  # or hung up
_ORDERED = (Event.ORDERED, Event.ORDERED_UNPLAYED)
_WORDS = (Event.WORDS_HEARD, Event.WORDS_HEARD_UNPLAYED)
_ENDS = (Event.SESSION_END, Event.SOCKET_CLOSED)
_UNTIMED = tuple(phase for phase in Phase if phase not in LIMITS_S)

SESSION: Table[Phase, Event, Action] = Table(
    "VAIC session",
    Phase.OPEN,
    rows(
        # At most one hangup or transfer at a time, the first that was ordered: it is the one announced to the caller.
        go(Phase.OPEN, Event.ORDERED, Phase.HUNG_UP, Action.SEND_ORDER),
        go(Phase.OPEN, Event.ORDERED_UNPLAYED, Phase.PLAYING_OUT, Action.NOTHING),
        stay((phase for phase in Phase if phase is not Phase.OPEN), _ORDERED, Action.NOTHING),
        go(Phase.PLAYING_OUT, (Event.PLAYED_OUT, Event.LIMIT), Phase.HUNG_UP, Action.SEND_ORDER),
        go(Phase.PLAYING_OUT_ALONE, (Event.PLAYED_OUT, Event.LIMIT), Phase.HUNG_UP_ALONE, Action.SEND_ORDER),
        # During last words VAIC may confirm what was played before them, so only our clock says when they were heard.
        stay(
            (phase for phase in Phase if phase not in (Phase.PLAYING_OUT, Phase.PLAYING_OUT_ALONE)),
            Event.PLAYED_OUT,
            Action.NOTHING,
        ),
        go((Phase.HUNG_UP, Phase.RINGING), Event.STILL_RINGING, Phase.RINGING, Action.ASK_TO_WAIT),
        # A state of its own: a limit that had passed just before, and is handled after it, is that of another phase.
        go((Phase.HUNG_UP, Phase.RINGING), Event.ANSWERED, Phase.PUT_THROUGH, Action.NOTHING),
        # Alone it has a limit anyway; otherwise said twice, or too late.
        stay((phase for phase in Phase if phase not in (Phase.HUNG_UP, Phase.RINGING)), Event.ANSWERED, Action.NOTHING),
        go(_TRANSFERRED, Event.TRANSFER_FAILED, Phase.OPEN, Action.REPORT_FAILURE),
        go(Phase.HUNG_UP_ALONE, Event.TRANSFER_FAILED, Phase.LAST_WORDS, Action.SPEAK_INSTEAD),
        # Reported twice, or too late.
        stay(
            (phase for phase in Phase if phase not in (*_TRANSFERRED, Phase.HUNG_UP_ALONE)),
            Event.TRANSFER_FAILED,
            Action.NOTHING,
        ),
        go(
            (Phase.OPEN, Phase.PLAYING_OUT, *_TRANSFERRED),
            Event.SESSION_END,
            Phase.ENDED,
            Action.REPORT_END,
        ),
        # A socket lost before the hangup was sent is a loss like any other: the order is repeated on the next socket.
        go((Phase.OPEN, Phase.PLAYING_OUT), Event.SOCKET_CLOSED, Phase.OVER, Action.FAIL),
        go(_TRANSFERRED, Event.SOCKET_CLOSED, Phase.ENDED, Action.REPORT_CLOSED),
        # Alone, nobody would resume the call on another socket.
        go(_SPOKEN, _ENDS, Phase.OVER, Action.STOP),
        stay((Phase.ENDED, Phase.OVER), _ENDS, Action.NOTHING),
        # What was ordered before the supervisor failed is carried out, without further words.
        go(Phase.OPEN, Event.CALL_BROKE, Phase.LAST_WORDS, Action.SPEAK),
        go(Phase.PLAYING_OUT, Event.CALL_BROKE, Phase.PLAYING_OUT_ALONE, Action.NOTHING),
        go(_TRANSFERRED, Event.CALL_BROKE, Phase.HUNG_UP_ALONE, Action.NOTHING),
        go(Phase.ENDED, Event.CALL_BROKE, Phase.OVER, Action.STOP),
        stay((*_SPOKEN, Phase.OVER), Event.CALL_BROKE, Action.NOTHING),
        go(Phase.LAST_WORDS, (Event.WORDS_HEARD, Event.LIMIT), Phase.HUNG_UP_ALONE, Action.SEND_ORDER),
        go(Phase.LAST_WORDS, Event.WORDS_HEARD_UNPLAYED, Phase.PLAYING_OUT_ALONE, Action.NOTHING),
        # Also when session.end cuts off their last moment: the rest counts as heard.
        stay((Phase.HUNG_UP_ALONE, Phase.OVER), _WORDS, Action.NOTHING),
        go(Phase.HUNG_UP_ALONE, Event.LIMIT, Phase.OVER, Action.STOP),
    ),
    rows(
        never(_UNTIMED, Event.LIMIT, "no limit runs"),
        never(
            (phase for phase in Phase if phase not in (Phase.HUNG_UP, Phase.RINGING)),
            Event.STILL_RINGING,
            "it is the limit of a transfer that was sent",
        ),
        never(
            (Phase.OPEN, Phase.PLAYING_OUT, *_TRANSFERRED, Phase.ENDED),
            _WORDS,
            "no last words are spoken",
        ),
        never(Phase.PLAYING_OUT_ALONE, _WORDS, "they are heard once, or were never spoken"),
    ),
)


class Answers(Enum):
    """Which of VAIC's requests are answered (7.11)."""

    ALL = "all"
    USER_STREAMS = "user streams only"  # userStream.start and userStream.stop
    NONE = "none"


def answers(phase: Phase) -> Answers:
    """Which requests of VAIC may still be answered in a phase."""
    match phase:
        case Phase.OPEN | Phase.LAST_WORDS:
            return Answers.ALL
        case Phase.ENDED | Phase.OVER:
            return Answers.NONE
        case (
            Phase.PLAYING_OUT
            | Phase.PLAYING_OUT_ALONE
            | Phase.HUNG_UP
            | Phase.RINGING
            | Phase.PUT_THROUGH
            | Phase.HUNG_UP_ALONE
        ):
            return Answers.USER_STREAMS
        case _:
            assert_never(phase)
