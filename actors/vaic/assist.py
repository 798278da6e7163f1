"""The VAIC session of a bot that assists: it hears two parties on streams of their own, and speaks to neither.

What it has to say goes to the agent's desktop, as metadata.
May import: actors, protocols, pydantic, the standard library.
Rules from: docs/specs/vaic-streaming.md 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, assert_never

from pydantic import JsonValue

from actors.clips import Clip
from actors.messages.call import CallerWrote, CallMessage
from actors.messages.model import ModelSocketMessage
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
from actors.vaic.gap import GAP_S
from actors.vaic.phase import Answers, answers
from actors.vaic.session import FIRST, NO_STREAM, PartyStream, VaicSocket
from protocols.activities import SendMetaData, StartRecognition
from protocols.errors import WireError
from protocols.limits import MOST_PARTICIPANTS, NAME_CHARS, TURN_CHARS
from protocols.text import text_of
from protocols.vaic import (
    Activity,
    Alternative,
    SpeechCommitted,
    SpeechRecognition,
    SpeechStarted,
    SpeechStopped,
    UserStreamChunk,
)
from protocols.wav import to_model

# What VAIC needs for it (9).
ASSIST_SETTINGS: dict[str, JsonValue] = {"bargeIn": True, "connectOnPrompt": False, "userNoInputGiveUpTimeoutMS": 0}
# The parties, where `start` does not name them.
PARTIES = ("caller", "callee")
# Of one piece of advice, in characters.
MOST_ADVICE = 1000
# What the model writes where it has no advice.
_NOTHING = " -\u2013\u2014.\u2026\"'"


@dataclass(frozen=True, slots=True)
class _Ear:
    """One party and its stream."""

    participant: str | None
    stream: PartyStream

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

    def _stream_of(self, participant: str | None) -> PartyStream:
        ear = self._party(participant)
        if ear is None:
            if len(self._parties) >= len(self._ears):
                raise WireError("too_many_participants")
            media, model = self._config.media, self._ears[len(self._parties)]
            limits = RateLimits(media, self.now_ms)
            ear = _Ear(participant, PartyStream(model, limits, to_model(media, self._headed), media))
            self._parties.append(ear)
        return ear.stream

    def _hear(self, chunk: UserStreamChunk, sent: str, stream: PartyStream) -> None:
        ear = self._party(chunk.participant)
        if ear is None and chunk.participant is None and len(self._participants) == 1:
            ear = self._party(*self._participants)  # of the one stream that is open
        if ear is not None:
            stream = ear.stream
        # After a resume or our crash VAIC may go on without a new userStream.start (7.9).
        elif self._config.origin in FIRST or len(self._parties) >= len(self._ears):
            raise WireError(NO_STREAM)
        else:
            stream = self._stream_of(chunk.participant)
        super()._hear(chunk, sent, stream)

    def _party(self, participant: str | None) -> _Ear | None:
        """The ear of a participant; None if it has none."""
        return next((ear for ear in self._parties if ear.participant == participant), None)

    def _overhear(self, overheard: Overheard) -> None:
        """One party's session has noticed something."""
        if overheard.ear >= len(self._parties) or answers(self._phase) is not Answers.ALL:
            return
        ear = self._parties[overheard.ear]
        match overheard.message:
            case CallerBargedIn():
                if ear.stream.gap.end():  # as in a VaicSocket
                    self._write(SpeechStopped(conversation_id=self._id, **ear.named_twice))
                self._write(SpeechStarted(conversation_id=self._id, **ear.named_twice))
                self.after(GAP_S, Overheard(overheard.ear, ear.stream.gap.begin()))
            case CallerFellSilent():
                if ear.stream.gap.end():
                    self._write(SpeechStopped(conversation_id=self._id, **ear.named_twice))
            case CallerTurnCommitted():
                self._write(SpeechCommitted(conversation_id=self._id, **ear.named_twice))
            case CallerRecognised(text):
                said = (Alternative(text=text),)
                self._write(SpeechRecognition(conversation_id=self._id, alternatives=said, **ear.named))
                send(self._call, CallerWrote(_labelled(text, ear.participant)))
            case GapDue() as due:
                if ear.stream.fill(due):
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
        named = text_of((activity.parameters or {}).get("participant"))
        said = cut(activity.text.strip(), TURN_CHARS, "transcript")
        if said and answers(self._phase) is Answers.ALL:
            send(self._call, CallerWrote(_labelled(said, named)))

    # --- advice ---

    def _write_text(self, text: str) -> None:
        if text.strip(_NOTHING):
            self._activity(SendMetaData(value={"advice": cut(text, MOST_ADVICE, "advice")}))

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
    each = [text_of(one.get("participant")) for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return tuple(filter(None, each)) or PARTIES
