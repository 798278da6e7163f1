"""The end of a call in words: hang-up and transfer wait until the last sentence was heard.

Pure state. May import: actors.messages, fsm, protocols. Rules from: docs/specs/vaic-streaming.md 7.6, 7.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.messages.call import BotHeard, CallerSpeaks, ClipHeard, ResponseEnded, SpeechFact
from actors.messages.clips import Clip
from actors.messages.vaic import HangUp, Transfer
from fsm.answer import TaskStatus


@dataclass(slots=True)
class PendingHangup:
    """Each fact returns whether the time has come. A caller who speaks into the last words wins: it is called off."""

    act: HangUp | Transfer
    outcome: str  # of the call
    clip: Clip | None = None  # its last words, where there is no model to say any
    called_off: bool = False
    _last_words: set[str] | None = None
    _heard: set[str] = field(default_factory=set)

    def note(self, fact: SpeechFact) -> bool:
        match fact:
            case CallerSpeaks(began=True):
                self.caller_spoke()
            case BotHeard():
                return self.bot_heard(fact)
            case ClipHeard():
                return self.clip is fact.clip
            case ResponseEnded():
                return self.response_ended(fact)
            case _:
                pass
        return False

    def response_ended(self, ended: ResponseEnded) -> bool:
        """The first response with speech and no further function call holds the last words."""
        if self._last_words is None and ended.status == "completed" and ended.spoken_items and not ended.calls:
            self._last_words = set(ended.spoken_items)
        return self._due()

    def caller_spoke(self) -> None:
        """The caller has begun to speak: into the last words, or before they could be heard."""
        if not self._due():
            self.called_off = True

    def bot_heard(self, heard: BotHeard) -> bool:
        if heard.item.complete:
            self._heard.add(heard.item.item_id)
        elif heard.barged_in:
            self.called_off = True
        return self._due()

    def _due(self) -> bool:
        return not self.called_off and self._last_words is not None and self._last_words <= self._heard


def hangup_after(result: str, status: TaskStatus | None, targets: Mapping[str, str]) -> PendingHangup | None:
    """What the result of a task means for the call: its end, or None. targets: by name, who can be transferred to."""
    if result == "hangup":
        return PendingHangup(HangUp("conversation ended"), "completed")
    if result == "transfer" and targets and status is not None:
        target = targets.get(status.transfer_to) or next(iter(targets.values()))
        return PendingHangup(Transfer(target, "handed over by a task"), "transferred")
    return None
