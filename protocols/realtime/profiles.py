"""Servers that claim the Realtime interface and differ from it: each difference as data, with where it was found.

A profile is chosen by its name. It changes what is sent: settings of another name or place, or that are left out. What
differs in what is received is read from every server, whatever the profile.
Pure. May import: protocols, orjson, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from protocols.realtime.client_events import ClientEvent, ConversationItemCreate, ResponseCreate, SessionUpdate


@dataclass(frozen=True, slots=True)
class Quirk:
    """One difference. what: for people. source: where it was found.

    Paths are those of the session, with points. leaves_out: settings that are not sent. moves: to another place, after
    that. values: what stands in place of a value there, by its JSON. contents: types of the contents of items.
    pcm_only: no G.711, so that calls need a format of PCM. no_asides: it knows only one conversation.
    no_images: an image is content of no type that it knows.
    """

    what: str
    source: str
    leaves_out: tuple[str, ...] = ()
    moves: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    pcm_only: bool = False
    no_asides: bool = False
    no_images: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of server. read: its differences that concern what it sends, which need no profile."""

    name: str
    quirks: tuple[Quirk, ...] = field(default=(), repr=False)
    read: tuple[Quirk, ...] = field(default=(), repr=False)

    @property
    def pcm_only(self) -> bool:
        return any(quirk.pcm_only for quirk in self.quirks)

    @property
    def no_asides(self) -> bool:
        return any(quirk.no_asides for quirk in self.quirks)

    @property
    def no_images(self) -> bool:
        return any(quirk.no_images for quirk in self.quirks)

    def to_wire(self, event: ClientEvent) -> bytes:
        """An event as this server wants it."""
        if not self.quirks or not isinstance(event, SessionUpdate | ResponseCreate | ConversationItemCreate):
            return event.to_wire()
        frame = orjson.loads(event.to_wire())
        for quirk in self.quirks:
            match event:
                case SessionUpdate():
                    _reshape(frame["session"], quirk)
                case ResponseCreate():
                    _reshape(frame.get("response", {}), quirk)
                case ConversationItemCreate():
                    for part in frame["item"].get("content", ()):
                        part["type"] = quirk.contents.get(part["type"], part["type"])
        return orjson.dumps(frame)

    def our_path(self, param: str | None) -> str | None:
        """The path of a setting in the interface, by that which this server names; "session." before it or not."""
        if param is None:
            return None
        path = param.removeprefix("session.")
        for quirk in reversed(self.quirks):
            for ours, theirs in quirk.moves.items():
                if path == theirs or path.startswith((f"{theirs}.", f"{theirs}[")):
                    return f"session.{ours}{path.removeprefix(theirs)}"
        return param


_NOTHING = object()


def _reshape(settings: dict[str, Any], quirk: Quirk) -> None:
    for path in quirk.leaves_out:
        _taken(settings, path)
    for path, to in quirk.moves.items():
        if (value := _taken(settings, path)) is not _NOTHING:
            _put(settings, to, value)
    for path, values in quirk.values.items():
        if (value := _taken(settings, path)) is not _NOTHING:
            written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
            _put(settings, path, values.get(written, value))


def _taken(settings: dict[str, Any], path: str) -> Any:
    """Take a value out, and what held nothing else. _NOTHING if there is none."""
    *above, last = path.split(".")
    inside = [settings]
    for name in above:
        inner = inside[-1].get(name)
        if not isinstance(inner, dict):
            return _NOTHING
        inside.append(inner)
    if last not in inside[-1]:
        return _NOTHING
    value = inside[-1].pop(last)
    for name, outer in zip(reversed(above), reversed(inside[:-1]), strict=True):
        if not outer[name]:
            del outer[name]
    return value


def _put(settings: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for name in above:
        settings = settings.setdefault(name, {})
    settings[last] = value


_BETA = "docs/specs/openai-realtime.md 1.7"
_BETA_FORMATS = {
    '{"rate":24000,"type":"audio/pcm"}': "pcm16",
    '{"type":"audio/pcmu"}': "g711_ulaw",
    '{"type":"audio/pcma"}': "g711_alaw",
}
_SPEACHES = "https://github.com/speaches-ai/speaches/blob/9aca787/src/speaches"
_LIVEKIT_XAI = (
    "https://github.com/livekit/agents/blob/b176f14/livekit-plugins/livekit-plugins-xai/livekit/plugins/xai/realtime"
)
_LOCALAI = "https://github.com/mudler/LocalAI/blob/82c191a/core/http/endpoints/openai/realtime.go"

_CONTENTS = "https://github.com/oapicf/openapi-openai, RealtimeConversationItemContentInner"

_FLAT = (
    Quirk(
        "the session is flat, without a type",
        _BETA,
        leaves_out=("type", "parallel_tool_calls", "reasoning", "truncation", "prompt", "include"),
        moves={
            "audio.input.format": "input_audio_format",
            "audio.output.format": "output_audio_format",
            "audio.input.transcription": "input_audio_transcription",
            "audio.input.noise_reduction": "input_audio_noise_reduction",
            "audio.input.turn_detection": "turn_detection",
            "audio.output.voice": "voice",
            "audio.output.speed": "speed",
            "max_output_tokens": "max_response_output_tokens",
            "output_modalities": "modalities",
        },
    ),
    Quirk(
        "formats and modalities have other values; audio always comes with text",
        f"{_BETA}, 1.8",
        values={
            "input_audio_format": _BETA_FORMATS,
            "output_audio_format": _BETA_FORMATS,
            "modalities": {'["audio"]': ["audio", "text"]},
        },
    ),
    Quirk("an assistant's words are content of type text", _BETA, contents={"output_text": "text"}),
    Quirk("no images", _CONTENTS, no_images=True),
)
_BETA_NAMES = Quirk("audio, its words and texts come by other names", _BETA)
_ITEM_CREATED = Quirk("conversation.item.created in place of conversation.item.added", _BETA)

PROFILES: Mapping[str, Profile] = {
    each.name: each
    for each in (
        Profile("openai"),
        Profile("beta", _FLAT, (_BETA_NAMES, _ITEM_CREATED)),
        Profile(
            "speaches",
            (
                Quirk(
                    "audio is 16-bit PCM at 24 kHz, and naming a format is answered by an error",
                    f"{_SPEACHES}/realtime/session_event_router.py",
                    leaves_out=("audio.input.format", "audio.output.format"),
                    pcm_only=True,
                ),
                Quirk(
                    "prefix_padding_ms is answered by an error",
                    f"{_SPEACHES}/realtime/session_event_router.py",
                    leaves_out=("audio.input.turn_detection.prefix_padding_ms",),
                ),
                Quirk(
                    "only server_vad, without idle_timeout_ms and interrupt_response",
                    f"{_SPEACHES}/types/realtime.py",
                    leaves_out=(
                        "audio.input.turn_detection.idle_timeout_ms",
                        "audio.input.turn_detection.interrupt_response",
                        "audio.input.noise_reduction",
                        "audio.output.speed",
                        "tracing",
                    ),
                ),
                *_FLAT,
                Quirk(
                    "one conversation: conversation = none is unknown, and metadata does not come back",
                    f"{_SPEACHES}/types/realtime.py",
                    no_asides=True,
                ),
            ),
            (_BETA_NAMES, _ITEM_CREATED),
        ),
        Profile(
            "xai",
            (
                Quirk(
                    "the language and the words to expect have other names, and no model of transcription is named",
                    "https://github.com/pipecat-ai/pipecat/pull/5199",
                    leaves_out=(
                        "audio.input.transcription.model",
                        "audio.input.transcription.prompt",
                        "audio.input.transcription.delay",
                        "audio.input.transcription.languages",
                    ),
                    moves={
                        "audio.input.transcription.language": "audio.input.transcription.language_hint",
                        "audio.input.transcription.keywords": "audio.input.transcription.keyterms",
                    },
                ),
                Quirk(
                    "settings that its reference does not have",
                    "https://github.com/pipecat-ai/pipecat/pull/5199, https://github.com/TanStack/ai/pull/506",
                    leaves_out=(
                        "audio.input.noise_reduction",
                        "max_output_tokens",
                        "truncation",
                        "tracing",
                        "prompt",
                        "include",
                        "parallel_tool_calls",
                        "tool_choice",
                    ),
                ),
                Quirk(
                    "voice and turn_detection stand at the top of the session",
                    f"{_LIVEKIT_XAI}/_session_update.py",
                    moves={"audio.output.voice": "voice", "audio.input.turn_detection": "turn_detection"},
                ),
            ),
            (
                Quirk(
                    "a session may begin with conversation.created, without session.created",
                    "https://github.com/gptme/gptme-contrib/pull/709, https://docs.x.ai/docs/guides/voice/agent",
                ),
                Quirk(
                    "a transcript may be completed several times, with status in_progress until it is",
                    f"{_LIVEKIT_XAI.replace('b176f14', '65cb6f6')}/realtime_session.py",
                ),
                Quirk(
                    "input_audio_transcription.updated with the words so far",
                    "https://docs.x.ai/voice-realtime.ws.json",
                ),
            ),
        ),
        Profile(
            "localai",
            (Quirk("of the formats only PCM is read: G.711 would be noise", _LOCALAI, pcm_only=True),),
            (
                Quirk("a refused session.update names no parameter (session_update_error)", _LOCALAI),
                Quirk("expires_at and rate limits are not told", _LOCALAI),
            ),
        ),
    )
}


OPENAI = PROFILES["openai"]
