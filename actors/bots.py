"""The bots of a process: what each says, offers and waits for, and which of them answers a call.

May import: actors, fsm, protocols, pydantic, the standard library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from actors.clips import Clips
from fsm.effects import EffectRequest, EffectResult
from fsm.hours import Hours
from fsm.locales import ENGLISH, Locale
from fsm.redaction import BY_DEFAULT, Redaction
from fsm.spec import AgentSpec
from protocols.activities import Offered
from protocols.images import Image
from protocols.realtime.objects import (
    CustomVoice,
    Include,
    MaxTokens,
    McpTool,
    NoiseReduction,
    PromptReference,
    Reasoning,
    RetentionRatio,
    ServerVad,
    TracingConfig,
    Transcription,
    TurnDetection,
)
from protocols.realtime.profiles import OPENAI, Profile
from protocols.wav import WavHeader

# Everything is set explicitly: the defaults differ between models (docs/specs/openai-realtime.md 2.3).
TELEPHONE_VAD = ServerVad(
    threshold=0.5,
    prefix_padding_ms=300,
    silence_duration_ms=500,
    create_response=True,
    interrupt_response=True,
    idle_timeout_ms=None,
)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a bot sets of its model's sessions. None: not sent, so that the server's default holds.

    name: of the model, on Azure the deployment; "" for the one of the URL. noise_reduction: of the caller's audio,
    before voice detection and model; None for none, which is sent. profile: what differs at its server.
    mcp: servers whose tools the model's server carries out; approved: those that it may when it asks, as (server,
    tool). The others: the Realtime API's fields.
    """

    voice: str | CustomVoice
    transcription: Transcription
    turn_detection: TurnDetection = TELEPHONE_VAD
    noise_reduction: NoiseReduction | None = None
    name: str = ""
    speed: float | None = None
    max_output_tokens: MaxTokens | None = None
    truncation: Literal["auto", "disabled"] | RetentionRatio | None = None
    reasoning: Reasoning | None = None
    parallel_tool_calls: bool | None = None
    tracing: Literal["auto"] | TracingConfig | None = None
    prompt: PromptReference | None = None
    include: tuple[Include, ...] | None = None
    profile: Profile = OPENAI
    mcp: tuple[McpTool, ...] = ()
    approved: frozenset[tuple[str, str]] = frozenset()


# The names of what the look-up before a call has found, in texts and in tools' requests.
OF_BEFORE = "before."
# Those of its request, besides those of every tool's: the number that was dialled, and parameters of VAIC's `start`.
DIALLED, OF_START = "dialled", "start."
# Of one value that it has found, in characters.
MOST_BEFORE = 200
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{((?:before|start)\.[A-Za-z_][A-Za-z0-9_]*)\}")
_START_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Parameters of VAIC's `start` that are kept.
MOST_START = 64


@dataclass(frozen=True, slots=True)
class BeforeCall:
    """The look-up before each new call. look_up: blocks, and ends by itself soon after within_s.

    within_s: how long the greeting may wait for it. defaults: by the names of its values, where nothing was found.
    needs_start: its request has values that only VAIC's `start` tells.
    """

    tool: str
    look_up: Callable[[EffectRequest], EffectResult]
    within_s: float
    defaults: Mapping[str, JsonValue] = field(default_factory=dict)
    needs_start: bool = False


@dataclass(frozen=True, slots=True)
class AfterCall:
    """What is told of each call that has ended. send: blocks, for at most longest_s.

    Returns Ok once the far side has it, Refused if it never will; the reasons hold nothing of the call. words: the
    transcript is told too.
    """

    tool: str
    send: Callable[[EffectRequest], EffectResult]
    longest_s: float
    words: bool = False


@dataclass(frozen=True, slots=True)
class TransferWith:
    """What a transfer to one target is made with, besides its address.

    reason: for the person who takes over. referred_by: a tel: or sip: URI, or "". sip_headers: by name; in them
    {start.NAME} and {before.NAME} are filled in. next: the name of the target to try if nobody answers, or "".
    when_closed: that of the target in whose place the bot's opening hours leave this one otherwise, or "".
    """

    reason: str = ""
    referred_by: str = ""
    sip_headers: Mapping[str, str] = field(default_factory=dict)
    next: str = ""
    when_closed: str = ""


def known_start(parameters: Mapping[str, object]) -> dict[str, JsonValue]:
    """The parameters of VAIC's `start`, as they may stand in texts; those within another one as OUTER_INNER."""
    flat: dict[str, Any] = {}
    for name, value in parameters.items():
        inner = {f"{name}_{each}": it for each, it in value.items()} if isinstance(value, dict) else {name: value}
        flat |= {each: it for each, it in inner.items() if _START_NAME.fullmatch(each)}
    return known_before(dict(islice(flat.items(), MOST_START)))


def known_before(values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What a look-up before a call has found, as it may stand in texts: short, on one line, without control characters.

    Left out is what is neither a text nor a number nor true or false, and a text in which nothing stands.
    """
    found: dict[str, JsonValue] = {}
    for name, value in values.items():
        if isinstance(value, str):
            plain = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in value)
            if text := " ".join(plain.split())[:MOST_BEFORE]:
                found[name] = text
        elif isinstance(value, bool | int | float) and len(str(value)) <= MOST_BEFORE:
            found[name] = value
    return found


def fill_in(text: str, before: Mapping[str, JsonValue], start: Mapping[str, JsonValue]) -> str:
    """A text with what was found before a call, and with the parameters of VAIC's `start`; {{ and }} are braces."""

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return found.group()[0]
        of, _, name = found[1].partition(".")
        given = (start if of == "start" else before).get(name, "")
        return str(given).lower() if isinstance(given, bool) else str(given)

    return _PLACEHOLDER.sub(value, text)


class RecordingMode(Enum):
    """When a bot's calls are recorded."""

    OFF = "off"
    ALWAYS = "always"
    AFTER_NOTICE = "after_notice"  # the disclosure was heard to its end
    AFTER_YES = "after_yes"  # and the caller has said yes to it


@dataclass(frozen=True, slots=True)
class BotProfile:
    """What the bot says, offers and waits for.

    instructions: the model's, without date and tasks. greeting: its first sentence. agents: the tasks it offers, by
    name.
    transfer_targets: tel: or sip: URIs by the names callers may ask for; the first is the default, empty: no transfers.
    lead_ms: how far the play stream runs ahead of what the caller hears.
    region: see protocols.caller_id.e164.
    redaction: of what is stored of the words of both sides. no_input_s: silence before the bot speaks up.
    filler_s: see CallerSessionConfig. max_call_s: 0 for no limit.
    max_cost_usd: what a call may cost at the model's provider, by the price list; max_cost_usd_per_day: what those of
    one day may. 0 for no limit.
    disclosure: what a caller has to be told, a part of the greeting. languages: BCP 47 tags of what it speaks; empty if
    that is not set. hours: its opening hours, if they are set. effects_per_call, effects_per_number: 0 for any number;
    None for the deployment's limits.
    locale: the language of the bot's sentences, whose reader judges a yes. locales: where it speaks the caller's, those
    that it may go on in, by tag; clips_of: its recordings in them. yes_without_words: a turn without a transcript may
    be a yes to a read-back.
    assists: it listens to two people and advises one in writing; it speaks to nobody, and never ends their call.
    before_call, after_call: what is asked before a call, and told after it. start: parameters of VAIC's `start` that
    texts name, with what stands where VAIC sends none. With these or before_call, instructions and greeting are filled
    for each call (`filled`).
    vaic_params: VAIC's parameters for its calls. model_may: what the model may ask VAIC for; recordings: the URLs that
    it may have played, by name. transfer_with: by the names of transfer_targets.
    media_formats: VAIC's names of those that it speaks, best first; empty: see `negotiate`. wav_header: see Playout.
    images: in its folder, that its tasks show the model, by path.
    """

    instructions: str
    greeting: str
    model: ModelSettings
    time_zone: ZoneInfo
    agents: Mapping[str, AgentSpec]
    transfer_targets: Mapping[str, str] = field(default_factory=dict)
    lead_ms: int = 400
    region: str = ""
    no_input_s: float = 8.0
    redaction: Redaction = BY_DEFAULT
    filler_s: float = 1.5
    max_call_s: float = 0.0
    max_cost_usd: float = 0.0
    max_cost_usd_per_day: float = 0.0
    clips: Clips = field(default_factory=dict)
    locale: Locale = ENGLISH
    locales: Mapping[str, Locale] = field(default_factory=dict)
    clips_of: Mapping[str, Clips] = field(default_factory=dict)
    yes_without_words: bool = False
    disclosure: str = ""
    languages: tuple[str, ...] = ()
    hours: Hours | None = None
    effects_per_call: int | None = None
    effects_per_number: int | None = None
    assists: bool = False
    before_call: BeforeCall | None = None
    after_call: AfterCall | None = None
    start: Mapping[str, JsonValue] = field(default_factory=dict)
    vaic_params: Mapping[str, JsonValue] = field(default_factory=dict)
    model_may: tuple[Offered, ...] = ()
    recordings: Mapping[str, str] = field(default_factory=dict)
    transfer_with: Mapping[str, TransferWith] = field(default_factory=dict)
    media_formats: tuple[str, ...] = ()
    wav_header: WavHeader = WavHeader.STREAM
    recording: RecordingMode = RecordingMode.OFF
    images: Mapping[str, Image] = field(default_factory=dict)

    @property
    def takes_secrets(self) -> bool:
        """Whether any task asks for what nobody may hear: a caller may key it in, or say it, at any moment."""
        return any(slot.sensitive for spec in self.agents.values() for slot in spec.slots.values())

    @property
    def differs_by_call(self) -> bool:
        """Instructions and greeting are filled for each call."""
        return self.before_call is not None or bool(self.start)

    def filled(self, text: str, before: Mapping[str, JsonValue], start: Mapping[str, JsonValue] | None = None) -> str:
        """A text of the bot's with what is known of a call. before: what was found before it. start: VAIC's.

        Where calls do not differ, it is whole already; where they do, its braces are doubled.
        """
        return fill_in(text, before, {**self.start, **(start or {})}) if self.differs_by_call else text

    def clips_in(self, locale: Locale) -> Clips:
        """The recordings that are played to a caller of this language."""
        return self.clips_of.get(locale.tag, self.clips)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Bot:
    """One version of one bot. A call keeps the one it began with.

    digest: of its files, in hex; "" for one that was made in code. profile: what it says and does.
    """

    name: str
    digest: str
    profile: BotProfile


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a call when its bot is chosen; "" for what is not.

    path: of the request, from "/" on, without query and escapes. bot_name: by VAIC's configuration. dialled, caller:
    numbers, as VAIC has them. conversation_id: VAIC's.
    """

    path: str
    bot_name: str
    dialled: str
    caller: str
    conversation_id: str


class Bots(Protocol):
    """The bots of a process."""

    def choose(self, arrival: Arrival) -> Bot | None:
        """The bot that answers a call, in its present version; None if none is there for it. For any thread."""
        ...

    def profiles(self) -> Collection[BotProfile]:
        """Of all present versions; without any no calls can be taken. For any thread."""
        ...

    def asks_dialled(self, arrival: Arrival) -> bool:
        """Whether the number that was dialled would decide who answers, and is not known yet. For any thread."""
        ...

    def present(self, name: str) -> Bot | None:
        """The present version of a bot; None if there is no such bot. For any thread."""
        ...

    def version(self, name: str, digest: str) -> Bot | None:
        """A version in which a call began; None if it cannot be had any more. For any thread but the loop's.

        Raises: SQLAlchemy's OperationalError if it is not in memory and the store is unavailable.
        """
        ...


class OneBot:
    """The Bots of a process with one bot, of which there is one version. It answers every call."""

    def __init__(self, profile: BotProfile, name: str = "bot") -> None:
        self.bot = Bot(name, "", profile)

    def profiles(self) -> Collection[BotProfile]:
        return (self.bot.profile,)

    def choose(self, arrival: Arrival) -> Bot:
        return self.bot

    def asks_dialled(self, arrival: Arrival) -> bool:
        return False

    def present(self, name: str) -> Bot | None:
        return self.bot if name == self.bot.name else None

    def version(self, name: str, digest: str) -> Bot | None:
        return self.bot if (name, digest) == (self.bot.name, self.bot.digest) else None
