"""A session's effective configuration, and how a `session.update` changes it.

May import: protocols, lab.ears, lab.mouth, lab.engine.refusals, the standard library.
Rules from: docs/specs/openai-realtime.md 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.ears import VadSettings
from lab.engine.refusals import InvalidEvent
from lab.engine.requests import OfferedSession
from lab.mouth import VOICES
from protocols.realtime.objects import (
    AudioFormat,
    AudioInput,
    AudioOutput,
    CustomVoice,
    EffectiveSession,
    SemanticVad,
    ServerVad,
)

PERSONA = "You are a friendly voice assistant. Keep your answers short. Call a function whenever it helps."
_DEFAULTS: Mapping[str, Any] = {
    "type": "realtime",
    "instructions": PERSONA,
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": None,
            "transcription": None,
            "turn_detection": {"type": "server_vad"},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
    },
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "truncation": "auto",
    "tracing": None,
    "prompt": None,
    "include": None,
}
# Fields that null clears instead of resetting to the default.
_CLEARED = {"turn_detection": None, "instructions": ""}
# Fields that are reported as null when they are not set. Others are left out: clients refuse a null they do not know.
_REPORTED = frozenset(
    {"noise_reduction", "transcription", "turn_detection", "idle_timeout_ms", "tracing", "prompt", "include"}
)
# Of a tool: no documented part of what the server reports, or secret.
_UNREPORTED = frozenset({"strict", "authorization", "headers"})
# What a transcription session reports of its input. It answers nobody, so turn detection has nothing to say of that.
_OF_ANSWERS = frozenset({"create_response", "interrupt_response"})
# Whose null is the client's own, to be reported as it was sent.
_OF_CLIENT = frozenset({"parameters", "metadata", "variables"})
# Objects that are merged field by field; anything else is replaced as a whole.
_PARTS = frozenset({"audio", "input", "output", "noise_reduction", "transcription", "turn_detection", "reasoning"})
# Replaces the semantic turn detection by silence alone: the more eager, the shorter.
_SEMANTIC_SILENCE_MS = {"low": 1000, "medium": 650, "auto": 650, "high": 400}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One session's effective configuration. session: every field of the interface is set.

    transcribes: the session only writes down what it hears; the rest of `session` has its defaults, and no effect.
    """

    id: str
    expires_at: int
    session: OfferedSession
    transcribes: bool = False

    @staticmethod
    def default(session_id: str, model: str, expires_at: int, *, transcribes: bool = False) -> Configuration:
        """The initial configuration. expires_at: unix seconds."""
        session = OfferedSession.model_validate({**_DEFAULTS, "model": model})
        return Configuration(session_id, expires_at, session, transcribes)

    def updated(self, change: OfferedSession, has_spoken: bool) -> Configuration:
        """The configuration after `change`. has_spoken: the voice can no longer change. Raises: InvalidEvent."""
        if change.model is not None and change.model != self.session.model:
            raise InvalidEvent("invalid_value", "The model of a session cannot be changed.", "session.model")
        merged = _merged(
            self.session.model_dump(mode="json"), change.model_dump(mode="json", exclude_unset=True), _DEFAULTS
        )
        after = replace(self, session=OfferedSession.model_validate(merged))
        check_voice(after.output.voice, "session.audio.output.voice")
        if has_spoken and after.output.voice != self.output.voice:
            raise InvalidEvent(
                "cannot_update_voice",
                "Cannot update a conversation's voice if assistant audio is present.",
                "session.audio.output.voice",
            )
        return after

    def effective(self) -> EffectiveSession:
        """The whole session, as `session.created` and `session.updated` report it."""
        told = _told(self.session.model_dump(mode="json"))
        kind = "realtime.session"
        if self.transcribes:
            kind = "realtime.transcription_session"
            heard = told["audio"]["input"]
            if heard["turn_detection"] is not None:
                vad = {name: each for name, each in heard["turn_detection"].items() if name not in _OF_ANSWERS}
                heard = {**heard, "turn_detection": vad}
            told = {"type": "transcription", "audio": {"input": heard}, "include": told["include"]}
        return EffectiveSession(**{**told, "id": self.id, "object": kind, "expires_at": self.expires_at})

    @property
    def input(self) -> AudioInput:
        assert self.session.audio is not None
        assert self.session.audio.input is not None
        return self.session.audio.input

    @property
    def output(self) -> AudioOutput:
        assert self.session.audio is not None
        assert self.session.audio.output is not None
        return self.session.audio.output

    @property
    def input_format(self) -> AudioFormat:
        assert self.input.format is not None
        return self.input.format

    @property
    def output_format(self) -> AudioFormat:
        assert self.output.format is not None
        return self.output.format

    @property
    def voice_detection(self) -> VadSettings | None:
        """The settings of voice activity detection; None without turn detection."""
        reduction = self.input.noise_reduction
        near_field = reduction is not None and reduction.type == "near_field"
        match self.input.turn_detection:
            case ServerVad() as vad:
                return VadSettings(vad.threshold, vad.prefix_padding_ms, vad.silence_duration_ms, near_field)
            case SemanticVad() as vad:
                return VadSettings(silence_duration_ms=_SEMANTIC_SILENCE_MS[vad.eagerness], near_field=near_field)
            case None:
                return None

    @property
    def idle_timeout_ms(self) -> int | None:
        vad = self.input.turn_detection
        return vad.idle_timeout_ms if isinstance(vad, ServerVad) else None


def has_setting(change: OfferedSession, path: str) -> bool:
    """Whether an update sets this: names with points between them."""
    part: Any = change.model_dump(exclude_unset=True)
    for name in path.split("."):
        if not isinstance(part, dict) or name not in part:
            return False
        part = part[name]
    return True


def check_voice(voice: str | CustomVoice | None, param: str) -> None:
    """Raises: InvalidEvent for a voice the model does not have."""
    if isinstance(voice, str) and voice not in VOICES:
        raise InvalidEvent(
            "invalid_value", f"Invalid value: '{voice}'. Supported values are: {', '.join(VOICES)}.", param
        )


def _told(value: Any) -> Any:
    """A part of the session as it is reported."""
    if isinstance(value, list):
        return [_told(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: each if name in _OF_CLIENT else _told(each)
        for name, each in value.items()
        if (each is not None or name in _REPORTED) and name not in _UNREPORTED
    }


def _merged(now: Mapping[str, Any], change: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    after = dict(now)
    for name, value in change.items():
        if value is None:
            after[name] = _CLEARED.get(name, default.get(name))
        elif name in _PARTS:
            before = now.get(name) or {}
            if before.get("type") != value.get("type"):  # another type of turn detection starts from its defaults
                before = {}
            after[name] = _merged(before, value, default.get(name) or {})
        else:
            after[name] = value
    return after
