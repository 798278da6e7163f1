"""The VAIC session of a bot that assists: it hears two parties on streams of their own, and speaks to neither.

What it has to say goes to the agent's desktop, as metadata.
May import: actors, protocols, pydantic, the standard library.
Rules from: docs/specs/vaic-streaming.md 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, assert_never

from pydantic import JsonValue

from actors.clips import Clip
from actors.messages.call import BotBegan, CallerWrote, CallMessage
from actors.messages.model import CallerAudio, ModelSocketMessage
from actors.messages.vaic import (
    CallerBargedIn,
    CallerFellSilent,
    CallerRecognised,
    CallerTurnCommitted,
    GapDue,
    LastWords,
    Overheard,
    VaicSocketMessage,
)
from actors.system.address import Address, ParentLink, send
from actors.transport.rate_limit import RateLimits
from actors.transport.violations import cut
from actors.transport.websocket import Wire
from actors.vaic.config import CallerSessionConfig
from actors.vaic.gap import GAP_S, GapFiller
from actors.vaic.phase import Answers, answers
from actors.vaic.session import NO_STREAM, READ_MS, VaicSocket
from protocols.activities import SendMetaData, StartRecognition
from protocols.errors import WireError
from protocols.ledger import ItemHeard
from protocols.limits import MOST_PARTICIPANTS, NAME_CHARS, TURN_CHARS
from protocols.media import Hears, Transcoder, model_format
from protocols.vaic import (
    Activity,
    Alternative,
    FromVaic,
    SpeechCommitted,
    SpeechRecognition,
    SpeechStarted,
    SpeechStopped,
    UserStreamChunk,
    UserStreamStart,
)

# What VAIC needs for it (9).
ASSIST_SETTINGS: dict[str, JsonValue] = {"bargeIn": True, "connectOnPrompt": False, "userNoInputGiveUpTimeoutMS": 0}
# The parties, where `start` does not name them.
PARTIES = ("caller", "callee")
# Of one piece of advice, in characters.
MOST_ADVICE = 1000
# What the model writes where it has no advice.
_NOTHING = " -\u2013\u2014.\u2026\"'"


class _Ear:
    """One party's stream."""

    def __init__(self, participant: str | None, config: CallerSessionConfig, limits: RateLimits) -> None:
        self.participant = participant
        self.limits = limits
        self.to_model: Hears = Transcoder(config.media, model_format(config.media))
        self.gap = GapFiller(model_format(config.media))

    @property
    def named(self) -> dict[str, str]:
        """The party, as every answer names it."""
        return {} if self.participant is None else {"participant": self.participant}

    @property
    def named_twice(self) -> dict[str, str]:
        """As the messages of a voice detector name it (10.2)."""
        return {} if self.participant is None else {"participant": self.participant, "participant_id": self.participant}


class AssistSocket(VaicSocket):
    """A VaicSocket that listens to the parties of a call and advises one. ears: take their audio, one each."""

    __slots__ = ("_ears", "_parties")
    most_heard: ClassVar[int] = MOST_PARTICIPANTS

    def __init__(
        self,
        parent_link: ParentLink,
        config: CallerSessionConfig,
        wire: Wire,
        call: Address[CallMessage],
        model: Address[ModelSocketMessage],
        ears: tuple[Address[ModelSocketMessage], ...],
    ) -> None:
        super().__init__(parent_link, config, wire, call, model)
        self._ears = ears
        self._parties: list[_Ear] = []  # in the order of their first stream

    def on_receive(self, message: VaicSocketMessage) -> None:
        if isinstance(message, Overheard):
            self._overhear(message)
        else:
            super().on_receive(message)

    # --- what the parties say ---

    def _obey(self, frame: FromVaic) -> None:
        if isinstance(frame, UserStreamStart) and self._party(frame.participant) is None:
            if len(self._parties) >= len(self._ears):
                raise WireError("too_many_participants")
            limits = RateLimits(self._config.media, self.now_ms)
            self._parties.append(_Ear(frame.participant, self._config, limits))
        super()._obey(frame)

    def _hear(self, chunk: UserStreamChunk) -> None:
        if (number := self._party(chunk.participant)) is None:
            raise WireError(NO_STREAM)
        ear = self._parties[number]
        # The party's own, while its audio is taken.
        advisor, limits, to_model, gap = self._model, self._rate_limits, self._to_model, self._gap
        self._model, self._rate_limits, self._to_model, self._gap = (
            self._ears[number],
            ear.limits,
            ear.to_model,
            ear.gap,
        )
        try:
            super()._hear(chunk)
        finally:
            self._model, self._rate_limits, self._to_model, self._gap = advisor, limits, to_model, gap

    def _party(self, participant: str | None) -> int | None:
        """The number of a participant's ear; None if it has none."""
        numbers = (number for number, ear in enumerate(self._parties) if ear.participant == participant)
        return next(numbers, None)

    def _overhear(self, overheard: Overheard) -> None:
        """One party's session has noticed something."""
        if overheard.ear >= len(self._parties) or answers(self._phase) is not Answers.ALL:
            return
        ear = self._parties[overheard.ear]
        match overheard.message:
            case CallerBargedIn():
                self._write(SpeechStarted(conversation_id=self._id, **ear.named_twice))
                self.after(GAP_S, Overheard(overheard.ear, ear.gap.begin()))
            case CallerFellSilent():
                if ear.gap.end():
                    self._write(SpeechStopped(conversation_id=self._id, **ear.named_twice))
            case CallerTurnCommitted():
                self._write(SpeechCommitted(conversation_id=self._id, **ear.named_twice))
            case CallerRecognised(text):
                said = (Alternative(text=text),)
                self._write(SpeechRecognition(conversation_id=self._id, alternatives=said, **ear.named))
                send(self._call, CallerWrote(_labelled(text, ear.participant)))
            case GapDue() as due:
                if ear.gap.lasts(due):
                    if silence := ear.gap.check():
                        self._ears[overheard.ear].tell(CallerAudio(silence))
                    self.after(GAP_S, overheard)
            case _:
                assert_never(overheard.message)

    def _settings(self) -> Mapping[str, JsonValue]:
        return ASSIST_SETTINGS

    def _take_activity(self, activity: Activity) -> None:
        super()._take_activity(activity)
        if activity.event == "start" and answers(self._phase) is Answers.ALL:
            for each in _participants(activity.parameters)[: len(self._ears)]:
                self._activity(StartRecognition(participant=each))

    def _take_text(self, activity: Activity) -> None:
        named = (activity.parameters or {}).get("participant")
        said = cut(activity.text.strip(), TURN_CHARS, "transcript")
        if said and answers(self._phase) is Answers.ALL:
            send(self._call, CallerWrote(_labelled(said, named if isinstance(named, str) else None)))

    # --- advice ---

    def _send_text(self, item_id: str, text: str, *, cut_off: bool = False) -> None:
        if text.strip(_NOTHING):
            self._activity(SendMetaData(value={"advice": cut(text, MOST_ADVICE, "advice")}))
        send(self._call, BotBegan(item_id))
        heard = ItemHeard(item_id, READ_MS, 0, int(self.now_ms()), complete=not cut_off)
        self._tell_heard((heard,), barged_in=False)

    def _say(self, clip: Clip) -> str | None:
        return None  # nobody is spoken to

    def _call_broke(self, last_words: LastWords) -> None:
        self._wire.close(1011, "internal error")  # the two go on without us
        self.stop()


def _labelled(text: str, participant: str | None) -> str:
    """The words with whose they are."""
    return f"{cut(participant, NAME_CHARS, 'name')}: {text}" if participant else text


def _participants(parameters: Mapping[str, object] | None) -> tuple[str, ...]:
    """The parties that `start` names; else the usual ones."""
    told = (parameters or {}).get("participants")
    each = [one.get("participant") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return tuple(name for name in each if isinstance(name, str) and name) or PARTIES
