"""What the bot asks VAIC to do by an activity: one type for each, and the one place that writes it for the wire.

Names are VAIC's in snake case: `send_dtmf` is its `sendDtmf`. In texts of `send_dtmf` and `send_meta_data` a task may
put values of its own: `{order}` alone is the value as JSON, within other text what it reads like. What a task has the
model see is an action beside them (`show_image`), of which VAIC learns nothing.
May import: pydantic, the standard library. Rules from: docs/specs/vaic-streaming.md 1.2, 4.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, model_validator
from pydantic.alias_generators import to_camel

# Of the metadata of one activity, in characters of JSON.
MOST_METADATA = 8 * 1024
# Of a data: URL, in characters.
MOST_URL = 256 * 1024
# Of an image's name, and of what it is said to show, in characters.
MOST_NAME, MOST_ABOUT = 200, 300
A = TypeVar("A", bound=BaseModel)
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_DIGITS = re.compile(r"[0-9*#]{1,20}")
# The event that says that everything was played: a call waits for it before it hangs up, whatever else is asked for.
PLAY_FINISHED = "playFinished"

# Parameters of VAIC's with a type that is known (1.2); any others are passed on as they are.
_KNOWN: Mapping[str, type] = {
    **dict.fromkeys(
        ("bargeIn", "bargeInOnDTMF", "sendDTMF", "dtmfCollect", "transferNotifications", "sensitiveInfo"), bool
    ),
    **dict.fromkeys(
        (
            *("bargeInMinWordCount", "dtmfCollectMaxDigits", "dtmfCollectInterDigitTimeoutMS", "userNoInputTimeoutMS"),
            *("userNoInputRetries", "userNoInputGiveUpTimeoutMS", "botNoInputTimeoutMS", "botNoInputRetries"),
            *("botNoInputGiveUpTimeoutMS", "resumeRecognitionTimeoutMS"),
        ),
        int,
    ),
    **dict.fromkeys(("dtmfCollectSubmitDigit", "botNoInputSpeech", "botNoInputUrl"), str),
    "sendEventsToBot": list,
}
# They decide how VAIC connects, and cannot change within a call.
_FIXED = frozenset({"directSTT", "directTTS", "acBotApiType", "botURL", "botUrl"})
_WRITTEN = {bool: "true or false", int: "a whole number", str: "a text", list: "a list of names"}


def vaic_params(params: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Parameters of VAIC's, checked as far as they are known. Raises: ValueError."""
    for name, value in params.items():
        if name in _FIXED:
            raise ValueError(f"{name} cannot be changed within a call; set it in VoiceAI Connect")
        kind = _KNOWN.get(name)
        wrong = kind is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool)))
        if kind is not None and (wrong or (isinstance(value, list) and not all(isinstance(it, str) for it in value))):
            raise ValueError(f"{name} needs {_WRITTEN[kind]}")
    return params


def with_events(params: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Parameters of VAIC's, which do not take from the call the event that it needs."""
    events = params.get("sendEventsToBot")
    if not isinstance(events, list) or PLAY_FINISHED in events:
        return dict(params)
    return {**params, "sendEventsToBot": [PLAY_FINISHED, *events]}


VaicParams = Annotated[dict[str, JsonValue], AfterValidator(vaic_params)]


def _digits(digits: str) -> str:
    if not _DIGITS.fullmatch(digits) and not _PLACEHOLDER.fullmatch(digits):
        raise ValueError(f'"{digits}" are no keys; write up to twenty of 0 to 9, * and #, or the name of one value')
    return digits


def _metadata(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(json.dumps(value)) > MOST_METADATA:
        raise ValueError(f"is longer than {MOST_METADATA // 1024} KB of JSON")
    return value


_DO = "What VoiceAI Connect is asked for."


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SendDtmf(_Action):
    """Send keys to the far end. VAIC ignores anything but 1 to 20 of 0-9, * and #."""

    do: Literal["send_dtmf"] = Field(default="send_dtmf", description=_DO)
    digits: Annotated[str, AfterValidator(_digits), Field(description="The keys, or {slot}.")]


class PlayUrl(_Action):
    """Have VAIC play a recording, after what the bot is saying."""

    do: Literal["play_url"] = Field(default="play_url", description=_DO)
    url: Annotated[
        str,
        Field(pattern=r"^(https?://|data:)\S+$", max_length=MOST_URL, description="An http(s) or data: URL."),
    ]
    media_format: Annotated[str | None, Field(description="The recording's format, like wav/lpcm16.")] = None
    alt_text: Annotated[str | None, Field(description="What it says, for VAIC's transcript.")] = None


class Config(_Action):
    """Change parameters of VAIC's for the rest of the call, or until the state whose action it is is left."""

    do: Literal["config"] = Field(default="config", description=_DO)
    params: Annotated[VaicParams, Field(min_length=1, description="VAIC's parameters, by its names.")]
    leaving: Annotated[VaicParams | None, Field(description="What they are again once this state is left.")] = None


class SensitiveInfo(_Action):
    """Have VAIC mask what is said from now on in its log and transcript, or no more."""

    do: Literal["sensitive_info"] = Field(default="sensitive_info", description=_DO)
    on: Annotated[bool, Field(description="Whether what is said now is sensitive.")]


class StartCallRecording(_Action):
    do: Literal["start_call_recording"] = Field(default="start_call_recording", description=_DO)


class StopCallRecording(_Action):
    do: Literal["stop_call_recording"] = Field(default="stop_call_recording", description=_DO)


class PauseCallRecording(_Action):
    do: Literal["pause_call_recording"] = Field(default="pause_call_recording", description=_DO)


class ResumeCallRecording(_Action):
    do: Literal["resume_call_recording"] = Field(default="resume_call_recording", description=_DO)


class SendMetaData(_Action):
    """Pass data on to the contact centre, by SIP INFO or an HTTP POST of VAIC's (Enterprise only)."""

    do: Literal["send_meta_data"] = Field(default="send_meta_data", description=_DO)
    value: Annotated[
        dict[str, JsonValue],
        AfterValidator(_metadata),
        Field(min_length=1, description="The data; {slot} in a text is a value of the task."),
    ]


class AbortPrompts(_Action):
    """Have VAIC stop the recordings that it plays."""

    do: Literal["abort_prompts"] = Field(default="abort_prompts", description=_DO)


class ExpectAnotherBotMessage(_Action):
    """Tell VAIC that the bot will say more: its timer for a silent caller stops."""

    do: Literal["expect_another_bot_message"] = Field(default="expect_another_bot_message", description=_DO)


class ShowImage(_Action):
    """Show the model an image. Not VAIC's: the caller neither sees nor hears anything of it.

    file: in the bot's folder. kept: the name under which an effect has kept it (`Ok.images`). Exactly one is set.
    """

    do: Literal["show_image"] = Field(default="show_image", description="What the model is shown.")
    file: Annotated[str, Field(max_length=MOST_NAME, description="A PNG or JPEG in the bot's folder.")] = ""
    kept: Annotated[str, Field(max_length=MOST_NAME, description="An image that a tool has kept (keep_images).")] = ""
    about: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MOST_ABOUT,
            description="What it shows, in a few words: told with it, and in its place; {slot} is a value of the task.",
        ),
    ]
    detail: Annotated[
        Literal["auto", "low", "high"] | None,
        Field(description="How closely the model looks, which is what it costs."),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.file) == bool(self.kept):
            raise ValueError("needs one of file, in the bot's folder, and kept, by a tool")
        return self

    @property
    def name(self) -> str:
        """What the image is called in logs, records and facts of tasks."""
        return self.file or self.kept


_OfVaic = (
    SendDtmf
    | PlayUrl
    | Config
    | SensitiveInfo
    | StartCallRecording
    | StopCallRecording
    | PauseCallRecording
    | ResumeCallRecording
    | SendMetaData
    | AbortPrompts
    | ExpectAnotherBotMessage
)
Action = Annotated[_OfVaic, Field(discriminator="do")]
ACTION: TypeAdapter[Action] = TypeAdapter(Action)
# What a task may have done whenever it enters a state.
TaskAction = Annotated[_OfVaic | ShowImage, Field(discriminator="do")]

# The actions that a model can judge. How VAIC behaves (`config`) and what the call does next are the bot's.
Offered = Literal[
    "send_dtmf",
    "play_url",
    "sensitive_info",
    "start_call_recording",
    "stop_call_recording",
    "pause_call_recording",
    "resume_call_recording",
    "send_meta_data",
    "abort_prompts",
]


class HangUpEvent(_Action):
    """End the call. reason: for the SIP Reason header and VAIC's CDR."""

    do: Literal["hangup"] = "hangup"
    reason: str


class TransferEvent(_Action):
    """Transfer the caller. target, referred_by: tel: or sip: URIs. sip_headers: of the REFER, by name."""

    do: Literal["transfer"] = "transfer"
    target: str
    reason: str
    referred_by: str = ""
    sip_headers: dict[str, str] = {}


class StartRecognition(_Action):
    """Have VAIC stream, or transcribe, one party of a call in which the bot assists."""

    do: Literal["start_recognition"] = "start_recognition"
    participant: str


Asked = Action | HangUpEvent | TransferEvent | StartRecognition


def on_wire(action: Asked) -> dict[str, Any]:
    """An action as the fields of an activity of ours: its name, and where VAIC looks for the parameters."""
    match action:
        case HangUpEvent():
            return _event(action, activity_params={"hangupReason": action.reason})
        case TransferEvent():
            params: dict[str, object] = {"transferTarget": action.target, "handoverReason": action.reason}
            if action.referred_by:
                params["transferReferredByURL"] = action.referred_by
            if action.sip_headers:
                params["transferSipHeaders"] = [{"name": it, "value": each} for it, each in action.sip_headers.items()]
            return _event(action, activity_params=params)
        case StartRecognition():
            return _event(action, activity_params={"targetParticipant": action.participant})
        case SendDtmf():
            return _event(action, activity_params={"dtmfDigits": action.digits})
        case PlayUrl():
            told = {"playUrlMediaFormat": action.media_format, "playUrlAltText": action.alt_text}
            given = {name: each for name, each in told.items() if each is not None}
            return _event(action, activity_params={"playUrlUrl": action.url, **given})
        case Config():
            return _event(action, session_params=with_events(action.params))
        case SensitiveInfo():
            return {"name": "config", "session_params": {"sensitiveInfo": action.on}}
        case SendMetaData():
            return _event(action, value=action.value)
        case _:
            return _event(action)


def _event(action: BaseModel, **fields: object) -> dict[str, Any]:
    return {"name": to_camel(action.do), **fields}  # type: ignore[attr-defined] # every action has it


def values_named(action: BaseModel) -> frozenset[str]:
    """The names of the values that an action's texts are filled with."""
    found: set[str] = set()

    def note(text: str) -> JsonValue:
        found.update(_PLACEHOLDER.findall(text))
        return text

    _each_text(action, note)
    return frozenset(found)


def filled(action: A, values: Mapping[str, JsonValue]) -> A:
    """An action with the values in its texts. Raises: ValueError for one that it cannot have, or that is missing."""

    def fill(text: str) -> JsonValue:
        if whole := _PLACEHOLDER.fullmatch(text):
            return _known(whole[1], values)
        return _PLACEHOLDER.sub(lambda found: _plain(_known(found[1], values)), text)

    done = type(action).model_validate(_each_text(action, fill))
    if isinstance(done, SendDtmf) and not _DIGITS.fullmatch(done.digits):
        raise ValueError("these are no keys")
    return done


def _known(name: str, values: Mapping[str, JsonValue]) -> JsonValue:
    if name not in values:
        raise ValueError(f"nothing is known of {name}")
    return values[name]


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _each_text(action: BaseModel, change: Callable[[str], JsonValue]) -> dict[str, Any]:
    """The fields of an action, with its texts that may name values changed."""
    fields = action.model_dump()
    match action:
        case SendDtmf():
            fields["digits"] = _plain(change(action.digits))
        case SendMetaData():
            fields["value"] = _in_texts(action.value, change)
        case ShowImage():
            fields["about"] = _plain(change(action.about))[:MOST_ABOUT]
        case _:
            pass
    return fields


def _in_texts(value: JsonValue, change: Callable[[str], JsonValue]) -> JsonValue:
    match value:
        case str():
            return change(value)
        case list():
            return [_in_texts(each, change) for each in value]
        case dict():
            return {name: _in_texts(each, change) for name, each in value.items()}
        case _:
            return value
