"""The form of bot.toml and routes.toml: every key, what it may be, and its description.

Strict: a key that is not declared is refused, and no value is converted.
May import: fsm, gateway.settings, http_tools, protocols, pydantic, phonenumbers (its regions), the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import SUPPORTED_REGIONS
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)

from fsm.hours import Hours
from fsm.redaction import BY_DEFAULT, Kind
from gateway.settings import MOST_DAYS, RETENTION_DAYS
from http_tools.declaration import McpServer, Tools, secret_name
from protocols.activities import Offered, VaicParams
from protocols.media import KNOWN
from protocols.realtime.objects import (
    CustomVoice,
    Include,
    MaxTokens,
    McpApproval,
    NoiseReduction,
    PromptReference,
    Reasoning,
    RetentionRatio,
    TracingConfig,
    Transcription,
    TurnDetection,
)
from protocols.realtime.profile_names import ProfileName

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?")
_TARGET = re.compile(r"(tel|sips?):\S+")
_SHARES = 1e-6
# The Realtime API takes 128 functions; each task is one, and the open one has four more.
MOST_TASKS = 100
MOST_TARGETS = 100


def _kind(value: object) -> str:
    return "table" if isinstance(value, dict | BaseModel) else "text"


def _secret(given: str) -> str:
    secret_name(given)
    return given


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f'"{tag}" is no language; write it like "en-GB"')
    return tag


def _spoken(tag: str) -> str:
    return tag if tag == "caller" else _language(tag)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{name}" is no time zone of the IANA database; write one like "Europe/Berlin"') from None
    return name


def _region(region: str) -> str:
    if region.upper() not in SUPPORTED_REGIONS:
        raise ValueError(f'"{region}" is no country; write its two letters, like "GB"')
    return region.upper()


def _format(name: str) -> str:
    if name not in KNOWN:
        raise ValueError(f'"{name}" is no media format of VoiceAI Connect; known are {", ".join(KNOWN)}')
    return name


def _target(uri: str) -> str:
    if not _TARGET.fullmatch(uri):
        raise ValueError(f'"{uri}" is no address to transfer to; write it like "tel:+4930555001" or "sip:desk@host"')
    return uri


def _dialled(number: str) -> str:
    """A number without what people write between its digits."""
    plain = re.sub(r"[\s().\-/\u00a0]", "", number.removeprefix("tel:"))
    if not re.fullmatch(r"\+?[0-9]+\*?", plain):
        raise ValueError(f'"{number}" is no number; write it like "+4930555001", or its beginning like "+4930*"')
    return plain


LanguageTag = Annotated[str, AfterValidator(_language), WithJsonSchema({"type": "string", "examples": ["en-GB"]})]
Target = Annotated[str, AfterValidator(_target), WithJsonSchema({"type": "string", "pattern": f"^{_TARGET.pattern}$"})]
FormatName = Annotated[str, AfterValidator(_format), WithJsonSchema({"enum": list(KNOWN)})]
Words = Annotated[str, Field(min_length=1)]
_Text, _Table = Tag("text"), Tag("table")
Voice = Annotated[Annotated[Words, _Text] | Annotated[CustomVoice, _Table], Discriminator(_kind)]
Noise = Annotated[
    Annotated[Literal["near_field", "far_field", "off"], _Text] | Annotated[NoiseReduction, _Table],
    Discriminator(_kind),
]
Truncation = Annotated[
    Annotated[Literal["auto", "disabled"], _Text] | Annotated[RetentionRatio, _Table], Discriminator(_kind)
]
Tracing = Annotated[Annotated[Literal["auto"], _Text] | Annotated[TracingConfig, _Table], Discriminator(_kind)]


Approval = Annotated[
    Annotated[Literal["always", "never"], _Text] | Annotated[McpApproval, _Table], Discriminator(_kind)
]
SecretName = Annotated[str, AfterValidator(_secret), WithJsonSchema({"type": "string", "pattern": "^secret:"})]
Label = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
Days = Annotated[int, Field(ge=0, le=MOST_DAYS)]


class Section(BaseModel):
    """A table of a bot's files."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, regex_engine="python-re")


class TextFile(Section):
    """A text in a file of its own."""

    file: Annotated[str, Field(min_length=1, description="The file, within the bot's folder.")]


class BotSection(Section):
    """Who the bot is, and what it says."""

    name: Annotated[str | None, Field(description="The bot's name: its folder's, without @VARIANT.")] = None
    title: Annotated[
        str | None, Field(min_length=1, description="What {name} stands for in texts; the bot's name, if left out.")
    ] = None
    mode: Annotated[
        Literal["talk", "assist"],
        Field(description='"assist": it listens to two people and advises one in writing; it speaks to nobody.'),
    ] = "talk"
    greeting: Annotated[
        Words | None, Field(description="The first sentence of a call; a bot that talks needs one.")
    ] = None
    instructions: Annotated[
        Annotated[Words, _Text] | Annotated[TextFile, _Table],
        Discriminator(_kind),
        Field(
            description='What the model is told, as text or as { file = "instructions.md" }; {name}, {hours}, {closed},'
            " {time_zone}, {languages}, {transfer}, {before.NAME} and {start.NAME} are filled in; {{ and }} are braces."
        ),
    ]
    language: Annotated[
        str | None,
        AfterValidator(lambda tag: tag and _spoken(tag)),
        Field(description='The language the bot speaks, like "en-GB"; "caller": the caller\'s, of `languages`.'),
    ] = None
    languages: Annotated[
        tuple[LanguageTag, ...],
        Field(description="The languages that the bot may speak; the first where it is unclear."),
    ] = ()
    time_zone: Annotated[
        str | None,
        AfterValidator(lambda name: name and _zone(name)),
        Field(description='The time zone of "tomorrow" and "at ten" (TIELINE_TIME_ZONE by default).'),
    ] = None
    region: Annotated[
        str | None,
        AfterValidator(lambda region: region and _region(region)),
        Field(description="The country of callers' national numbers (TIELINE_REGION by default)."),
    ] = None
    disclosure: Annotated[
        str | None, Field(min_length=1, description="What a caller has to be told; said before the greeting.")
    ] = None


class ServerMcpSection(Section):
    """`[model.mcp.NAME]`: an MCP server whose tools the model's server carries out itself, without Tieline.

    For what only reads: nothing is read back, and nothing of it is in the record. What writes belongs into a task.
    """

    server_url: Annotated[str | None, Field(pattern="^https?://", description="The server's URL.")] = None
    connector_id: Annotated[
        str | None, Field(pattern="^connector_", description="A connector of the provider's, in place of server_url.")
    ] = None
    tunnel_id: Annotated[str | None, Field(min_length=1, description="A tunnel, in place of server_url.")] = None
    server_description: Annotated[str | None, Field(min_length=1, description="What the model is told of it.")] = None
    authorization: Annotated[
        SecretName | None, Field(description='The token that the model\'s server presents there: "secret:NAME".')
    ] = None
    headers: Annotated[
        dict[str, str], Field(description='Headers of its requests there; "secret:NAME" stands for a secret.')
    ] = {}
    allowed_tools: Annotated[
        tuple[Words, ...] | None, Field(min_length=1, description="The tools that are used; all, if left out.")
    ] = None
    require_approval: Annotated[
        Approval, Field(description="Which tools the model's server asks about before it carries one out.")
    ] = "always"
    approve: Annotated[
        tuple[Words, ...], Field(description="The tools that it may carry out when it asks; any other is refused.")
    ] = ()
    allowed_callers: Annotated[
        tuple[Literal["direct", "programmatic"], ...] | None, Field(description="How tools may be called.")
    ] = None
    defer_loading: Annotated[bool | None, Field(description="Whether tools are found by search.")] = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if sum(each is not None for each in (self.server_url, self.connector_id, self.tunnel_id)) != 1:
            raise ValueError("needs one of server_url, connector_id and tunnel_id")
        if self.require_approval == "always" and not self.approve:
            raise ValueError(
                'each tool would be refused; write approve = ["…"] with those that may be used, or'
                ' require_approval = "never"'
            )
        if self.require_approval == "never" and self.approve:
            raise ValueError('nothing is asked for with require_approval = "never"; leave approve out')
        if self.allowed_tools is not None and (others := sorted({*self.approve} - {*self.allowed_tools})):
            raise ValueError(f"approve names {others[0]}, which is not among allowed_tools")
        return self


class ModelSection(Section):
    """The model's session: the fields of the Realtime API. Tools, instructions and audio formats are Tieline's."""

    name: Annotated[str | None, Field(min_length=1, description="The model, on Azure the deployment.")] = None
    profile: Annotated[
        ProfileName | None, Field(description="What kind of server it is at (TIELINE_OPENAI_PROFILE by default).")
    ] = None
    voice: Annotated[
        Voice | None,
        Field(description='The voice, like "marin", or { id = "…" } for one of your own.'),
    ] = None
    speed: Annotated[float | None, Field(ge=0.25, le=1.5, description="How fast it speaks.")] = None
    turn_detection: Annotated[TurnDetection | None, Field(description="How the end of the caller's turn is found.")] = (
        None
    )
    transcription: Annotated[Transcription | None, Field(description="How callers' words are transcribed.")] = None
    noise_reduction: Annotated[
        Noise | None,
        Field(description="What is taken out of callers' audio (TIELINE_NOISE_REDUCTION by default)."),
    ] = None
    max_output_tokens: Annotated[MaxTokens | None, Field(description="The longest response, in tokens.")] = None
    truncation: Annotated[
        Truncation | None,
        Field(description="What is forgotten of a conversation that has become too long."),
    ] = None
    reasoning: Annotated[Reasoning | None, Field(description="How much a model that reasons does so.")] = None
    parallel_tool_calls: Annotated[bool | None, Field(description="Whether it may call several functions at once.")] = (
        None
    )
    tracing: Annotated[
        Tracing | None,
        Field(description="Traces in the provider's dashboard."),
    ] = None
    prompt: Annotated[PromptReference | None, Field(description="A prompt stored at the provider.")] = None
    include: Annotated[tuple[Include, ...] | None, Field(description="More fields in what the server sends.")] = None
    mcp: Annotated[
        dict[Label, ServerMcpSection],
        Field(description="MCP servers whose tools the model's server carries out itself, by name."),
    ] = {}


class TaskSection(BaseModel):
    """A task that the bot offers: one of Python with its settings, or a file of the bot's folder."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: Annotated[str | None, Field(description="The name of a task in Python; its settings stand beside it.")] = None
    file: Annotated[str | None, Field(description="The file of a task, like tasks/callback.toml.")] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.use is None) == (self.file is None):
            raise ValueError('needs either use = "NAME" or file = "tasks/NAME.toml"')
        return self

    def settings(self) -> Mapping[str, Any]:
        """The keys beside `use`."""
        return self.__pydantic_extra__ or {}


class TurnSection(Section):
    """Silences."""

    no_input_s: Annotated[
        float | None, Field(ge=2, le=120, description="Silence before the bot speaks up (TIELINE_NO_INPUT_S).")
    ] = None
    filler_s: Annotated[
        float | None, Field(ge=0, le=20, description='Silence before a waiting caller hears "one moment"; 0: never.')
    ] = None
    yes_without_words: Annotated[
        bool | None, Field(description="Whether a yes to a read-back counts even if no transcript of it arrives.")
    ] = None


class PrivacySection(Section):
    """What is left out of the words of both sides before they are stored."""

    redact: Annotated[list[Kind], Field(description="What is looked for; [] for nothing.")] = sorted(BY_DEFAULT.kinds)
    names: Annotated[
        list[Annotated[str, Field(pattern=r"^(\{before\.\w+\}|[^{}]*[^\W\d_]{3}[^{}]*)$", max_length=100)]],
        Field(max_length=500, description="Names that are too; {before.NAME} is what the look-up before a call found."),
    ] = []


class TransferSection(Section):
    """A human to hand over to, and what VoiceAI Connect passes on with the call."""

    to: Annotated[Target, Field(description="The address, tel: or sip:.")]
    reason: Annotated[str, Field(max_length=256, description="Why, for whoever takes over (handoverReason).")] = ""
    referred_by: Annotated[
        Target | None, Field(description="Who refers the caller, tel: or sip: (transferReferredByURL).")
    ] = None
    sip_headers: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9!%*_+`'~.-]+$")], Annotated[str, Field(max_length=1024)]],
        Field(description="SIP headers of the transfer; {start.NAME} and {before.NAME} are filled in."),
    ] = {}
    next: Annotated[str | None, Field(description="The name of another target, to try if nobody answers.")] = None
    when_closed: Annotated[
        str | None, Field(description="The name of another target, in whose place outside of [hours].")
    ] = None


class VaicSection(Section):
    """How VoiceAI Connect treats the bot's calls."""

    config: Annotated[
        VaicParams, Field(description="Parameters of VoiceAI Connect, by its names, requested as each call begins.")
    ] = {}
    formats: Annotated[
        tuple[FormatName, ...],
        Field(description="The media formats it takes, best first; if empty, 24 kHz, else in VoiceAI Connect's order."),
    ] = ()


class ActivitiesSection(Section):
    """What the model itself may ask VoiceAI Connect for. Tasks may ask for anything, in `actions`."""

    allow: Annotated[tuple[Offered, ...], Field(description="The activities that the model may use.")] = ()
    urls: Annotated[
        dict[
            Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Annotated[str, Field(pattern=r"^(https?://|data:)\S+$")]
        ],
        Field(description="The recordings that it may have played (play_url), by name."),
    ] = {}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.allow)) < len(self.allow):
            raise ValueError("allow names one twice; leave one out")
        if ("play_url" in self.allow) != bool(self.urls):
            raise ValueError('needs both: "play_url" in allow, and in urls a name and a URL for each recording')
        return self


class LimitsSection(Section):
    """How much a call may take."""

    max_call_s: Annotated[float | None, Field(ge=0, le=86400, description="The longest call; 0: no limit.")] = None
    max_cost_usd: Annotated[
        float, Field(ge=0, description="What a call may cost by the price list, in US dollars; 0: no limit.")
    ] = 0.0
    max_cost_usd_per_day: Annotated[
        float, Field(ge=0, description="The same of all calls of a day of the bot's; 0: no limit.")
    ] = 0.0
    effects_per_call: Annotated[
        int | None, Field(ge=0, description="Bookings, moves and cancellations in one call; 0: any number.")
    ] = None
    effects_per_number: Annotated[
        int | None, Field(ge=0, description="The same for a caller's number within 24 hours; 0: any number.")
    ] = None


class RetentionSection(Section):
    """How many days after its end a call is kept; 0: for ever; left out: as TIELINE_RETENTION says."""

    audio_days: Annotated[Days | None, Field(description="Its recordings.")] = None
    words_days: Annotated[Days | None, Field(description="All that was said, and the journal of the call.")] = None
    record_days: Annotated[
        Days | None, Field(description="The call itself, with its caller's number and what is left of it.")
    ] = None
    effects_days: Annotated[Days | None, Field(description="What tasks have done, after they had the outcome.")] = None

    @model_validator(mode="after")
    def _countable(self) -> Self:
        for name, least in RETENTION_DAYS.items():
            if 0 < (getattr(self, days := f"{name}_days") or 0) < least:
                raise ValueError(f"{days} must be {least} or more: what a day costs, and does, is counted from them")
        return self


class BeforeCallSection(Section):
    """A look-up before each new call, while the model is dialled: what it keeps stands in texts as {before.NAME}."""

    tool: Annotated[str, Field(min_length=1, description="The tool, with reads_only = true.")]
    within_s: Annotated[
        float, Field(gt=0, le=2, description="How long the greeting may wait for it; then the defaults hold.")
    ] = 0.8
    defaults: Annotated[
        dict[str, str | bool | int | float], Field(description="Its values where nothing was found, by name.")
    ] = {}


class RecordingSection(Section):
    """Whether calls are recorded: as heard, the caller left and the bot right."""

    mode: Annotated[
        Literal["off", "always", "after_notice", "after_yes"],
        Field(
            description="off, always, after_notice (the disclosure was heard to its end) or after_yes (and the caller"
            " has answered it with a yes)."
        ),
    ] = "off"


class AfterCallSection(Section):
    """What is told of each call that has ended: at least once, for a day if need be."""

    tool: Annotated[str, Field(min_length=1, description="The tool, with idempotent = true.")]
    words: Annotated[bool, Field(description="Whether the transcript is told too, as {transcript}.")] = False


TransferTo = Annotated[
    Annotated[Target, _Text] | Annotated[TransferSection, _Table],
    Discriminator(_kind),
]


class BotToml(Section):
    """A bot: bot.toml in a folder of its own."""

    bot: BotSection
    model: ModelSection = ModelSection()
    hours: Annotated[
        Hours | None, Field(description="When it is open: pieces of each day; a day left out is closed.")
    ] = None
    task: Annotated[
        tuple[TaskSection, ...] | None,
        Field(max_length=MOST_TASKS, description="The tasks it offers; all that are installed, if none is named."),
    ] = None
    tool: Annotated[Tools, Field(description="Tools, over HTTP or of MCP servers: the effects of tasks in files.")] = (
        Tools({})
    )
    mcp: Annotated[
        dict[str, McpServer], Field(description="MCP servers, by name; only tools declared here are used.")
    ] = {}
    transfer: Annotated[
        dict[str, TransferTo],
        Field(max_length=MOST_TARGETS, description="The humans to hand over to, by name; the first is the default."),
    ] = {}
    start: Annotated[
        dict[Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")], str | bool | int | float],
        Field(description="Parameters of VAIC's start that texts name as {start.NAME}, and what stands there without."),
    ] = {}
    vaic: VaicSection = VaicSection()
    activities: ActivitiesSection = ActivitiesSection()
    sentences: Annotated[
        dict[str, Words],
        Field(description="Sentences of Tieline's in the bot's own words, by the keys of fsm/sentences."),
    ] = {}
    turn: TurnSection = TurnSection()
    privacy: PrivacySection = PrivacySection()
    limits: LimitsSection = LimitsSection()
    retention: RetentionSection = RetentionSection()
    recording: RecordingSection = RecordingSection()
    before_call: BeforeCallSection | None = None
    after_call: AfterCallSection | None = None


class RouteSection(Section):
    """A route: which calls go to which bot. All conditions of one route must hold."""

    path: Annotated[str | None, Field(pattern="^/", description="The path of the URL that VoiceAI Connect dials.")] = (
        None
    )
    bot_name: Annotated[str | None, Field(min_length=1, description="The name of the bot in VoiceAI Connect.")] = None
    dialled: Annotated[
        str | None,
        AfterValidator(lambda number: number and _dialled(number)),
        Field(description='The number that was called, or a prefix with *: "+4930*".'),
    ] = None
    default: Annotated[Literal[True] | None, Field(description="Takes every call that comes so far.")] = None
    bot: Annotated[str | None, Field(min_length=1, description="The bot: its folder.")] = None
    split: Annotated[
        dict[str, Annotated[float, Field(gt=0, le=1)]] | None,
        Field(description="The share of calls that each of several bots takes; a caller stays with one."),
    ] = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.bot is None) == (self.split is None):
            raise ValueError('needs either bot = "NAME" or split = { NAME = 0.9, … }')
        conditions = (self.path, self.bot_name, self.dialled)
        if self.default and any(each is not None for each in conditions):
            raise ValueError("is the default and has conditions besides; write two routes")
        if not self.default and all(each is None for each in conditions):
            raise ValueError("has no condition; write path, bot_name, dialled, or default = true")
        if self.split is not None and abs(sum(self.split.values()) - 1) > _SHARES:
            raise ValueError(f"the shares make {sum(self.split.values()):g}; write shares that make 1")
        return self


class RoutesToml(Section):
    """Which bot takes which call: routes.toml. The first route that fits is taken."""

    route: Annotated[tuple[RouteSection, ...], Field(description="The routes, in order.")] = ()
