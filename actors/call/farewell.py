"""The spoken end of a call: hang-up and transfer wait until the caller heard the last sentence.

The events that it returns are those of the call's table in actors/call/phase.py. Pure state.
May import: actors.bots, actors.messages, actors.call.phase, fsm, protocols, pydantic.
Rules from: docs/specs/vaic-streaming.md 7.6, 7.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from actors.bots import BotProfile, TransferWith, fill_in
from actors.call.phase import CallEvent
from actors.clips import Clip
from actors.messages.call import BotHeard, BotSaid, CallerSaid, CallerSpeaks, ClipHeard, ResponseEnded, SpeechFact
from actors.messages.vaic import HangUp, Transfer
from fsm.answer import TaskStatus
from fsm.consent import Language
from fsm.english import English
from protocols.ledger import ItemHeard

# Outcomes of calls that the daemon ends.
SILENT = "silent"  # nobody answered
TOO_LONG = "too-long"
TOO_COSTLY = "too-costly"
NO_MODEL = "speech model unavailable"
# Why a task's transfer is made, unless the bot says otherwise.
HANDED_OVER = "handed over by a task"

# Transfers by the names of their targets; the first is the default.
Transfers = Mapping[str, Transfer]


@dataclass(slots=True)
class PendingHangup:
    """The decided end of a call, and what it waits for. outcome: the call's, for its record.

    clip: the recorded farewell; None if the model's next sentence is the farewell. revocable: whether the caller can
    still call off an end with a clip, because there is a model to go on with; one without a clip always is.
    language: judges the caller's words. response_id: the response that called for the end, "" if none. begun: playback
    of the farewell has begun. interrupted: the caller has spoken since.
    """

    act: HangUp | Transfer
    outcome: str
    clip: Clip | None = None
    revocable: bool = False
    language: Language = field(default_factory=English)
    response_id: str = ""
    begun: bool = False
    interrupted: bool = False
    _farewell: set[str] | None = None
    _heard: set[str] = field(default_factory=set)
    _said: set[str] = field(default_factory=set)  # spoken in the response that requested the end
    _worded: bool = False  # the caller has said words during the farewell
    _unjudged: set[str] = field(default_factory=set)  # the caller's turns without a transcript yet

    def note(self, fact: SpeechFact) -> CallEvent | None:
        """Turn a speech fact into an event, or None.

        If the caller speaks during the farewell, the end waits for the next sentence; a new request calls it off.
        """
        match fact:
            case ClipHeard(clip) if clip is self.clip and self.revocable:
                self._farewell = set()  # cut off by the caller's words, it is not said again
            case ClipHeard(clip, ItemHeard(complete=True)) if clip is self.clip:
                return CallEvent.FAREWELL_HEARD
            case _ if self.clip is not None and not self.revocable:
                # Whatever is said meanwhile: no model answers the caller, and what the model still reports is older.
                # Only a lost socket cuts the clip, which is then played again.
                return None
            case CallerSpeaks(began=True):
                self.spoken_into(fact.item_id)
            case CallerSaid(item_id) if item_id in self._unjudged:
                self._unjudged.discard(item_id)
                if self._calls_off(fact.text):
                    return CallEvent.CALLED_OFF
                self._worded = self._worded or not self.language.wordless(fact.text)
            case BotSaid() if self._worded and "?" in fact.text:
                # The bot has asked and waits for an answer; its "Sorry?" after a mere cough does not count.
                return CallEvent.CALLED_OFF
            case BotHeard(ItemHeard(item_id, complete=True)):
                self._heard.add(item_id)
            case ResponseEnded("completed", spoken, calls=0) if self._farewell is None and self.clip is None:
                # The first response with speech and no further function call holds the farewell; one without speech
                # leaves it to the response that requested the end.
                self._farewell = set(spoken) or self._said or None
            case _:
                pass
        return CallEvent.FAREWELL_HEARD if self._was_heard(self._farewell) else None

    def spoken_into(self, item_id: str) -> None:
        """The caller is speaking, or has spoken since the end was requested: wait for another sentence."""
        self._unjudged.add(item_id)
        self.interrupted = True
        self.wait_for_another()

    def wait_for_another(self) -> None:
        """The farewell so far is not the call's last sentence; a recorded one is still played to its end."""
        if self.clip is None:
            self.begun = False
            self._farewell = None
            self._said = set()

    def said_before(self, items: Iterable[str], heard: Iterable[str]) -> None:
        """What the response that requested the end said: the farewell, if no other follows. heard: to the end.

        Not once the caller has spoken into it.
        """
        if not self.interrupted:
            self._said = set(items)
            self._heard.update(heard)

    @property
    def unsaid(self) -> bool:
        """No farewell has begun, nor was one said in the response that requested the end."""
        return self.clip is None and not self.begun and not self._was_heard(self._said or None)

    def to_next(self, *, revocable: bool) -> PendingHangup | None:
        """The transfer that is tried if nobody answers this one, after a recorded sentence; None if there is none."""
        if not isinstance(self.act, Transfer) or self.act.next is None:
            return None
        after = self.act.next
        if after.reason == HANDED_OVER or self.act.reason in (NO_MODEL, TOO_COSTLY):  # why is the same, whoever answers
            after = replace(after, reason=self.act.reason)
        return PendingHangup(after, self.outcome, Clip.ONE_MOMENT, revocable, self.language)

    def in_words_of_ours(self) -> PendingHangup:
        """The same end, after a recorded sentence."""
        clip = self.clip or (Clip.ONE_MOMENT if isinstance(self.act, Transfer) else Clip.GOODBYE)
        return replace(self, clip=clip, revocable=False)

    def _calls_off(self, words: str) -> bool:
        """Not so "okay, thanks", or a cough."""
        return not self.language.parting(words) and not self.language.wordless(words)

    def _was_heard(self, items: set[str] | None) -> bool:
        return items is not None and not self._unjudged and items <= self._heard


class TurnsSince:
    """The caller's turns since each unanswered function call: an end that the call leads to is older than they are."""

    def __init__(self) -> None:
        self._turns: dict[str, list[str]] = {}

    def called(self, call_id: str) -> None:
        self._turns[call_id] = []

    def began(self, item_id: str) -> None:
        for turns in self._turns.values():
            turns.append(item_id)

    def answered(self, call_id: str) -> list[str]:
        """Returns the turns since the call; none if there was no such call."""
        return self._turns.pop(call_id, [])


def transfers(
    profile: BotProfile, before: Mapping[str, JsonValue], start: Mapping[str, JsonValue], now: datetime
) -> Transfers:
    """The transfers of a call, by the names of their targets, the default first.

    before, start: see BotProfile. now: the bot's local time, by which another target may stand in.
    """
    start = {**profile.start, **start}
    closed = profile.hours is not None and not profile.hours.open_at(now.time(), now.date())

    def to(name: str) -> Transfer:
        made = profile.transfer_with.get(name, TransferWith())
        if closed and made.when_closed:
            return to(made.when_closed)
        headers = {header: fill_in(each, before, start) for header, each in made.sip_headers.items()}
        return Transfer(
            profile.transfer_targets[name],
            made.reason or HANDED_OVER,
            made.referred_by,
            {header: each for header, each in headers.items() if each},
            to(made.next) if made.next else None,
        )

    return {name: to(name) for name in profile.transfer_targets}


def hangup_after(
    result: str, status: TaskStatus | None, targets: Transfers, language: Language
) -> PendingHangup | None:
    """The end that a task's result asks for, or None."""
    if result == "hangup":
        return PendingHangup(HangUp("conversation ended"), "completed", language=language)
    if result == "transfer" and targets and status is not None:
        target = targets.get(status.transfer_to) or next(iter(targets.values()))
        return PendingHangup(target, "transferred", language=language)
    return None


def hangup_by_us(outcome: str, clip: Clip | None) -> PendingHangup:
    """End the call for the daemon's own reasons (drain, operator). clip: the recorded farewell, if any."""
    return PendingHangup(HangUp(outcome), outcome, clip)


def hangup_unless_answered(language: Language) -> PendingHangup:
    """End a call in which nobody answers, unless the caller answers the goodbye."""
    return PendingHangup(HangUp(SILENT), SILENT, Clip.GOODBYE, revocable=True, language=language)


def hangup_over_budget(targets: Transfers) -> PendingHangup:
    """End a call that may cost no more: transfer if there is a target, else goodbye."""
    return _transfer_or_hangup(targets, TOO_COSTLY, TOO_COSTLY, Clip.GOODBYE)


def hangup_without_model(targets: Transfers) -> PendingHangup:
    """End a call that has no model: transfer if there is a target, else apologise."""
    return _transfer_or_hangup(targets, NO_MODEL, "failed", Clip.CALL_AGAIN)


def _transfer_or_hangup(targets: Transfers, reason: str, outcome: str, clip: Clip) -> PendingHangup:
    """To the first target, if there is any. clip: the farewell without one."""
    if (target := next(iter(targets.values()), None)) is not None:
        return PendingHangup(replace(target, reason=reason), outcome, Clip.ONE_MOMENT)
    return PendingHangup(HangUp(reason), outcome, clip)
