"""The spoken end of a call: hang-up and transfer wait until the caller heard the last sentence.

What that means for the call is in actors/call/phase.py. Pure state.
May import: actors.messages, actors.call.phase, fsm, protocols. Rules from: docs/specs/vaic-streaming.md 7.6, 7.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.call.phase import CallEvent
from actors.messages.call import BotHeard, CallerSpeaks, ClipHeard, ResponseEnded, SpeechFact
from actors.messages.clips import Clip
from actors.messages.vaic import HangUp, Transfer
from fsm.answer import TaskStatus
from protocols.ledger import ItemHeard

# Outcomes of calls that the daemon ends.
SILENT = "silent"  # nobody answered
TOO_LONG = "too-long"
NO_MODEL = "speech model unavailable"


@dataclass(slots=True)
class PendingHangup:
    """How a call is to end, and what it waits for first. outcome: the call's, for its record.

    clip: the recorded last words where no model can speak; None if the model's next sentence is the farewell.
    """

    act: HangUp | Transfer
    outcome: str
    clip: Clip | None = None
    _last_words: set[str] | None = None
    _heard: set[str] = field(default_factory=set)

    def note(self, fact: SpeechFact) -> CallEvent | None:
        """Turn a speech fact into an event, or None. A caller who speaks during the last words calls the end off."""
        match fact:
            case ClipHeard(clip, ItemHeard(complete=True)) if clip is self.clip:
                return CallEvent.FAREWELL_HEARD
            case _ if self.clip is not None:
                # What the model still told is of before, and nobody would listen to the caller. A sentence of ours that
                # was cut is said again: its socket is lost.
                return None
            case CallerSpeaks(began=True) | BotHeard(barged_in=True, item=ItemHeard(complete=False)):
                return CallEvent.CALLED_OFF
            case BotHeard(ItemHeard(item_id, complete=True)):
                self._heard.add(item_id)
            case ResponseEnded("completed", spoken, calls=0) if spoken and self._last_words is None:
                # The first response with speech and no further function call holds the last words.
                self._last_words = set(spoken)
            case _:
                pass
        heard = self._last_words is not None and self._last_words <= self._heard
        return CallEvent.FAREWELL_HEARD if heard else None


def hangup_after(result: str, status: TaskStatus | None, targets: Mapping[str, str]) -> PendingHangup | None:
    """The end that a task's result asks for, or None. targets: transfer targets (phone number or URI) by name."""
    if result == "hangup":
        return PendingHangup(HangUp("conversation ended"), "completed")
    if result == "transfer" and targets and status is not None:
        target = targets.get(status.transfer_to) or next(iter(targets.values()))
        return PendingHangup(Transfer(target, "handed over by a task"), "transferred")
    return None


def hangup_by_us(outcome: str, clip: Clip | None) -> PendingHangup:
    """End the call for the daemon's own reasons (drain, operator, silence). clip: the recorded last words, if any."""
    return PendingHangup(HangUp(outcome), outcome, clip)


def hangup_without_model(targets: Mapping[str, str]) -> PendingHangup:
    """End a call that has no model: transfer if there is a target, else apologise. targets: see `hangup_after`."""
    if target := next(iter(targets.values()), ""):
        return PendingHangup(Transfer(target, NO_MODEL), "failed", Clip.ONE_MOMENT)
    return PendingHangup(HangUp(NO_MODEL), "failed", Clip.CALL_AGAIN)
