"""The settings: environment variables, read once at start and checked before anything is opened.

May import: gateway.addresses, gateway.credentials, gateway.small_files, gateway.tls, protocols, pydantic,
pydantic-settings, SQLAlchemy (its URLs), phonenumbers (its regions), the standard library. Every error names the
variable.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from gateway.addresses import Network, networks
from gateway.credentials import MIN_TOKEN_CHARS
from gateway.small_files import read_small
from gateway.tls import TlsFiles
from protocols.realtime.profile_names import ProfileName
from protocols.sealing import KeyRing, keys_in, read_ring

OPENAI_URL = "wss://api.openai.com/v1/realtime"
DATABASE_URL = "sqlite:///tieline.sqlite3"
HIGHEST_PORT = 65535
# Fields that may also be read from a file, named by VARIABLE_FILE.
SECRETS = (
    "openai_api_key", "openai_client_secret", "vaic_token", "ops_token", "database_url", "trace_key", "otlp_headers",
    "encryption_key",
)  # fmt: skip
FILE = "_FILE"
# What a bot's file calls secret:CRM is TIELINE_SECRET_CRM.
TOOL_SECRET = "TIELINE_SECRET_"  # noqa: S105 - the prefix of a variable
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
# The names that a resource of Azure OpenAI or Foundry may have, also in its clouds for governments and in China.
_AZURE = (
    ".api.cognitive.microsoft.com",
    *(
        f"{kind}.{cloud}"
        for kind in (".openai", ".cognitiveservices", ".services.ai")
        for cloud in ("azure.com", "azure.us", "azure.cn")
    ),
)
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\*|[0-9a-f:]*:[0-9a-f:.]*")
_STORE = re.compile(r"(s3|s3a|gs|az|azure|abfss?|https|file)://\S+")
S = TypeVar("S", bound=BaseSettings)
Port = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]


class SettingsError(Exception):
    """Wrong settings. faults: lines of `VARIABLE: what is wrong`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _database_url(url: str) -> str:
    try:
        make_url(url)
    except (ArgumentError, ValueError):  # their text holds the URL, and with it a password
        raise ValueError("must be an SQLAlchemy URL, like sqlite:///tieline.sqlite3") from None
    return url


DatabaseUrl = Annotated[
    str, Field(min_length=1, description="SQLAlchemy URL of the store"), AfterValidator(_database_url)
]


def listed(hosts: str) -> tuple[str, ...]:
    """The hosts of a setting that lists them."""
    return tuple(filter(None, (each.strip().lower() for each in hosts.split(","))))


def _pairs(text: str) -> list[tuple[str, str]]:
    """The names and values of a setting like name=value,name=value; "" for what is missing."""
    parts = (each.partition("=") for each in text.split(",") if each.strip())
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _tool_hosts(text: str) -> str:
    for host in listed(text):
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host!r} must be a name or an address, without scheme, port and path")
    return text


def _private_hosts(text: str) -> str:
    if "*" in text:
        raise ValueError("must name each host, without *")
    return _tool_hosts(text)


ToolHosts = Annotated[
    str,
    Field(description="hosts that tools may reach, as a.example,*.b.example; empty: any public one"),
    AfterValidator(_tool_hosts),
]
PrivateHosts = Annotated[
    str,
    Field(description="hosts of tools that may have addresses within your own network, each written out"),
    AfterValidator(_private_hosts),
]


def _recordings_url(url: str, info: ValidationInfo) -> str:
    if url and not _STORE.match(url):
        raise ValueError("must be a URL like s3://BUCKET/PREFIX, gs://, az:// or file:///")
    if url and not info.data.get("recordings"):
        raise ValueError("needs TIELINE_RECORDINGS too: the folder where recordings wait")
    return url


RecordingsFolder = Annotated[
    str, Field(description="folder for recordings of calls whose bots want them; empty: no call is recorded")
]
RecordingsUrl = Annotated[
    str,
    Field(
        validate_default=True,
        description="store that recordings are uploaded to, as s3://BUCKET/PREFIX; empty: they stay in the folder",
    ),
    AfterValidator(_recordings_url),
]


# What is kept of a call, by the names of KeptFor; and the fewest days of it. The budgets of a day and the limits of
# effects are counted from what there is.
RETENTION_DAYS = {"audio": 1, "words": 1, "record": 2, "effects": 2}


def _retention(value: object) -> object:
    if not isinstance(value, str):
        return value
    days: dict[str, int] = {}
    for name, number in _pairs(value):
        least = RETENTION_DAYS.get(name)
        if least is None or not number.isdecimal() or not (number == "0" or least <= int(number) <= MOST_DAYS):
            raise ValueError(
                "must be name=DAYS,name=DAYS with audio, words, record and effects; the last two for 2 days or more, 0:"
                " for ever"
            )
        days[name] = int(number)
    return days


# A moment so long ago can still be told.
MOST_DAYS = 36_500
RetentionDays = Annotated[
    dict[str, int],
    NoDecode,
    BeforeValidator(_retention),
    Field(
        description="days that calls are kept, of bots that say nothing of it: words=30, record=365, effects=365;"
        " what is left out: for ever"
    ),
]


def _otlp_url(url: str) -> str:
    parts = urlsplit(url)
    # Reading `port` raises ValueError if it is not a number.
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0):
        raise ValueError("must be an http:// or https:// URL, like http://collector:4318")
    return url


def _otlp_headers(given: SecretStr, info: ValidationInfo) -> SecretStr:
    text = given.get_secret_value()
    if not all(map(all, _pairs(text))):
        raise ValueError("must be name=value,name=value")
    url = urlsplit(info.data.get("otlp_url", ""))  # missing if it is wrong itself
    if text and url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise ValueError("would be sent in clear text: TIELINE_OTLP_URL must be https://")
    return given


OtlpUrl = Annotated[
    str,
    Field(description="where traces of calls go by OTLP/HTTP, as http://collector:4318; empty: nowhere"),
    AfterValidator(_otlp_url),
]
OtlpHeaders = Annotated[
    SecretStr,
    Field(description="headers of these requests, as name=value,name=value"),
    AfterValidator(_otlp_headers),
]
TraceKey = Annotated[
    SecretStr, Field(description="the key by which trace ids are made of conversation ids; the same at all processes")
]
TraceWords = Annotated[bool, Field(description="traces hold what was said and what functions were told")]


def _encryption_key(given: SecretStr) -> SecretStr:
    read_ring(given.get_secret_value())
    return given


EncryptionKey = Annotated[
    SecretStr,
    Field(
        description="what wraps the keys with which calls are encrypted where they are stored, 64 hex digits; after the"
        " first those that were in use before; empty: nothing is encrypted"
    ),
    AfterValidator(_encryption_key),
]


class TraceSettings(BaseSettings):
    """The settings of a command that sends traces from the store."""

    model_config = SettingsConfigDict(env_prefix="TIELINE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: DatabaseUrl = DATABASE_URL
    openai_url: str = OPENAI_URL
    openai_profile: str = "openai"
    otlp_url: OtlpUrl = ""
    otlp_headers: OtlpHeaders = SecretStr("")
    trace_key: TraceKey = SecretStr("")
    trace_words: TraceWords = False


class ToolSettings(BaseSettings):
    """The settings of a command that only carries out tools."""

    model_config = SettingsConfigDict(env_prefix="TIELINE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    tool_hosts: ToolHosts = ""
    tool_private_hosts: PrivateHosts = ""
    trace_key: TraceKey = SecretStr("")


class StoreSettings(BaseSettings):
    """The settings of a command that only opens the store."""

    model_config = SettingsConfigDict(env_prefix="TIELINE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: DatabaseUrl = DATABASE_URL
    retention: RetentionDays = {}
    recordings: RecordingsFolder = ""
    recordings_url: RecordingsUrl = ""
    encryption_key: EncryptionKey = SecretStr("")


class Settings(BaseSettings):
    """All settings of the daemon. Variables are TIELINE_ and the field's name, except OPENAI_API_KEY."""

    model_config = SettingsConfigDict(env_prefix="TIELINE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    # A validator sees the fields above its own: a secret stands below the field that decides whether it is needed.
    openai_cleartext: Annotated[
        bool, Field(description="the key may go to another host in clear text, by ws://: within a network of your own")
    ] = False
    openai_url: Annotated[str, Field(description="the Realtime endpoint: OpenAI, Azure, the embedded engine")] = (
        OPENAI_URL
    )
    openai_profile: Annotated[
        ProfileName, Field(description="what kind of server the endpoint is: openai (also Azure), or a compatible one")
    ] = "openai"
    openai_auth: Annotated[
        Literal["auto", "api-key", "bearer"],
        Field(description="the header of the key; auto: api-key at Azure's hosts, bearer elsewhere"),
    ] = "auto"
    openai_token_command: Annotated[
        str, Field(description="a command that prints an access token, in place of a key; run again before it expires")
    ] = ""
    openai_client_id: Annotated[str, Field(description="the client of the token endpoint, with its secret")] = ""
    openai_client_secret: Annotated[SecretStr, Field(description="the secret of that client")] = SecretStr("")
    openai_token_scope: Annotated[str, Field(min_length=1, description="for what a token is asked for there")] = (
        "https://ai.azure.com/.default"  # noqa: S105 - no secret
    )
    openai_token_url: Annotated[
        str,
        Field(
            validate_default=True,
            description="an OAuth 2.0 token endpoint (Entra ID), in place of a key: client credentials",
        ),
    ] = ""
    openai_api_key: Annotated[
        SecretStr, Field(validation_alias="OPENAI_API_KEY", description="the key of the Realtime API")
    ] = SecretStr("")
    openai_model: Annotated[str, Field(min_length=1, description="the model, or on Azure the deployment")] = (
        "gpt-realtime"
    )
    openai_voice: Annotated[str, Field(min_length=1, description="the voice of the bot")] = "marin"
    transcription_model: Annotated[str, Field(min_length=1, description="the model that transcribes callers")] = (
        "gpt-4o-mini-transcribe"
    )
    host: Annotated[str, Field(description="address to listen on; without a token only loopback is allowed")] = ""
    oauth_issuer: Annotated[
        str, Field(description="the issuer of access tokens that VAIC presents instead of a fixed one; empty: none")
    ] = ""
    oauth_audience: Annotated[str, Field(validate_default=True, description="for whom these tokens must be issued")] = (
        ""
    )
    oauth_jwks_url: Annotated[
        str, Field(validate_default=True, description="where their issuer publishes its keys, https://")
    ] = ""
    vaic_token: Annotated[
        SecretStr, Field(description="the bearer token that VAIC presents; several during an exchange, as TOKEN,TOKEN")
    ] = SecretStr("")
    tls_key: Annotated[str, Field(description="PEM file of the key, if it is not in TIELINE_TLS_CERTIFICATE")] = ""
    tls_client_ca: Annotated[
        str, Field(description="PEM file of who signs the certificates that VAIC must present; empty: it needs none")
    ] = ""
    tls_certificate: Annotated[
        str,
        Field(
            validate_default=True, description="PEM file of the certificate for wss:// without a balancer; empty: ws://"
        ),
    ] = ""
    trusted_proxies: Annotated[
        str, Field(description="networks of the balancers whose X-Forwarded-For says who connects, as 10.0.0.0/8,::1")
    ] = ""
    port: Annotated[Port, Field(description="port of the VAIC endpoint")] = 8050
    ops_host: Annotated[
        str,
        Field(min_length=1, description="address of the ops endpoint; beyond loopback it needs TIELINE_OPS_TOKEN"),
    ] = "127.0.0.1"
    ops_token: Annotated[
        SecretStr,
        Field(
            validate_default=True,
            description="the bearer token for the data of the ops endpoint; several during an exchange, as TOKEN,TOKEN",
        ),
    ] = SecretStr("")
    ops_port: Annotated[Port, Field(description="port of the ops endpoint")] = 8060
    database_url: DatabaseUrl = DATABASE_URL
    retention: RetentionDays = {}
    max_calls: Annotated[int, Field(ge=1, le=100_000, description="calls at a time")] = 200
    workers: Annotated[int, Field(ge=1, le=256, description="processes that share the port and the calls")] = 1
    time_zone: Annotated[str, Field(description="the time zone of 'tomorrow' and 'at ten'")] = "UTC"
    region: Annotated[
        str, Field(description="country (ISO 3166) of callers' national numbers; empty for the time zone's")
    ] = ""
    transfer_targets: Annotated[
        dict[str, str],
        NoDecode,
        Field(description="humans to hand over to, as name=URI,name=URI with tel: or sip:; the first is the default"),
    ] = {}
    no_input_s: Annotated[
        float,
        Field(
            ge=2,
            le=120,
            description="silence before the bot says something; after three times without an answer the call ends",
        ),
    ] = 8
    yes_without_words: Annotated[
        bool, Field(description="a yes to what was read back counts even where no transcript of it comes")
    ] = False
    effects_per_call: Annotated[
        int, Field(ge=0, description="bookings, moves and cancellations in one call, then a human; 0: any number")
    ] = 5
    effects_per_number: Annotated[
        int, Field(ge=0, description="the same for one caller's number within 24 hours; 0: any number")
    ] = 10
    filler_s: Annotated[
        float, Field(ge=0, le=20, description="silence before a waiting caller hears 'one moment'; 0: never")
    ] = 1.5
    max_call_s: Annotated[
        float, Field(ge=0, le=86400, description="longest call, which then ends in words; 0: no limit")
    ] = 3600
    noise_reduction: Annotated[
        Literal["near_field", "far_field", "off"],
        Field(
            description="what the model's side takes out of callers' audio: for handsets, for speakerphones, nothing"
        ),
    ] = "near_field"
    wav_header: Annotated[
        Literal["stream", "chunk", "none"],
        Field(
            description="where VAIC is sent the header of a wav format: at each stream's start, in each chunk, or not"
        ),
    ] = "stream"
    bots: Annotated[str, Field(description="folder of the bots; empty: the example that comes along")] = ""
    clips: Annotated[str, Field(description="folder of the recorded sentences; empty: those included")] = ""
    prices: Annotated[str, Field(description="TOML file of what models cost; empty: the list that comes along")] = ""
    recordings: RecordingsFolder = ""
    recordings_url: RecordingsUrl = ""
    encryption_key: EncryptionKey = SecretStr("")
    tool_hosts: ToolHosts = ""
    tool_private_hosts: PrivateHosts = ""
    otlp_url: OtlpUrl = ""
    otlp_headers: OtlpHeaders = SecretStr("")
    trace_key: TraceKey = SecretStr("")
    trace_words: TraceWords = False
    max_lag_ms: Annotated[
        int, Field(ge=0, description="lag of the event loop above which no new calls are taken; 0: no limit")
    ] = 50
    max_memory_mb: Annotated[
        int, Field(ge=0, description="resident memory above which no new calls are taken; 0: no limit")
    ] = 0
    lame_duck_s: Annotated[
        float, Field(ge=0, le=60, description="in a drain: how long new calls are still taken while /readyz says no")
    ] = 3
    drain_s: Annotated[
        float, Field(ge=0, le=86400, description="in a drain: how long calls may take to end by themselves")
    ] = 600
    drain_mode: Annotated[
        Literal["goodbye", "move"], Field(description="calls left after that: ended in words, or resumed elsewhere")
    ] = "goodbye"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="what is logged")] = "INFO"
    log_levels: Annotated[
        dict[str, str],
        NoDecode,
        Field(description="levels of modules or packages that differ: module=LEVEL, module=LEVEL"),
    ] = {}
    log_format: Annotated[
        Literal["plain", "json"], Field(description="a line of the log: for eyes and grep, or one JSON object")
    ] = "plain"

    @field_validator("openai_url")
    @classmethod
    def _websocket_url(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        # Reading `port` raises ValueError if it is not a number.
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0:
            raise ValueError("must be a ws:// or wss:// URL")
        if parts.scheme == "ws" and not is_loopback(parts.hostname) and not info.data.get("openai_cleartext"):
            raise ValueError("would send the key in clear text: must be wss://, or TIELINE_OPENAI_CLEARTEXT=true")
        return url

    @field_validator("openai_token_url")
    @classmethod
    def _token_endpoint(cls, url: str, info: ValidationInfo) -> str:
        given = [info.data.get(name) for name in ("openai_client_id", "openai_client_secret")]  # missing if wrong
        if not url:
            if any(given):
                raise ValueError("is needed with TIELINE_OPENAI_CLIENT_ID and TIELINE_OPENAI_CLIENT_SECRET")
            return url
        parts = urlsplit(url)
        if not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))):
            raise ValueError("must be an https:// URL")
        if not all(given):
            raise ValueError("needs TIELINE_OPENAI_CLIENT_ID and TIELINE_OPENAI_CLIENT_SECRET")
        if info.data.get("openai_token_command"):
            raise ValueError("is set beside TIELINE_OPENAI_TOKEN_COMMAND: only one of them may be")
        return url

    @field_validator("oauth_audience", "oauth_jwks_url")
    @classmethod
    def _with_issuer(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("oauth_issuer", value)):
            raise ValueError("is needed with TIELINE_OAUTH_ISSUER, and only with it")
        return value

    @field_validator("oauth_jwks_url")
    @classmethod
    def _safe_url(cls, url: str) -> str:
        parts = urlsplit(url)
        # Whoever can change the keys on their way is let in.
        if url and not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))):
            raise ValueError("must be an https:// URL")
        return url

    @field_validator("tls_certificate")
    @classmethod
    def _usable_certificate(cls, certificate: str, info: ValidationInfo) -> str:
        key, client_ca = info.data["tls_key"], info.data["tls_client_ca"]
        if certificate:
            TlsFiles(certificate, key, client_ca).context()
        elif key or client_ca:
            raise ValueError("is needed with TIELINE_TLS_KEY and TIELINE_TLS_CLIENT_CA")
        return certificate

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str) -> str:
        networks(text)
        return text

    @field_validator("workers")
    @classmethod
    def _enough_for_each(cls, workers: int, info: ValidationInfo) -> int:
        if workers == 1:
            return workers
        if sys.platform == "win32":
            raise ValueError("must be 1 on Windows")
        if workers > info.data.get("max_calls", workers):
            raise ValueError("must not be more than TIELINE_MAX_CALLS")
        # Each has its own ops port.
        if info.data.get("ops_port", 0) + workers > HIGHEST_PORT:
            raise ValueError("needs a port for each above TIELINE_OPS_PORT, and there are not as many")
        return workers

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA database") from None
        return name

    @field_validator("region")
    @classmethod
    def _known_region(cls, region: str) -> str:
        if region and region.upper() not in SUPPORTED_REGIONS:
            raise ValueError("must be the two letters of a country, like GB")
        return region.upper()

    @field_validator("transfer_targets", mode="before")
    @classmethod
    def _targets(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        targets: dict[str, str] = {}
        for name, uri in _pairs(value):
            if not name or not uri.startswith(("tel:", "sip:", "sips:")):
                raise ValueError("must be name=URI,name=URI, each URI a tel: or sip: one")
            targets[name] = uri
        return targets

    @field_validator("log_levels", mode="before")
    @classmethod
    def _levels(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        levels = dict(each.strip().partition("=")[::2] for each in value.split(",") if each.strip())
        if not all(name and level in LOG_LEVELS for name, level in levels.items()):
            raise ValueError(f"must be module=LEVEL, module=LEVEL, each level one of {', '.join(LOG_LEVELS)}")
        return levels

    @field_validator("openai_api_key")
    @classmethod
    def _key_where_needed(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        url = info.data.get("openai_url")  # missing if it is wrong itself
        if info.data.get("openai_token_command") or info.data.get("openai_token_url", "wrong itself"):
            return key
        if url is not None and not key.get_secret_value() and not is_loopback(urlsplit(url).hostname or ""):
            raise ValueError("needed for any model that does not run on this machine")
        return key

    @field_validator("vaic_token")
    @classmethod
    def _token_where_needed(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        host = info.data.get("host")
        by_oauth = info.data.get("oauth_issuer", "unknown: wrong itself")
        if host and not token.get_secret_value() and not by_oauth and not is_loopback(host):
            raise ValueError("needed to listen beyond loopback")
        _check_tokens(_tokens(token))
        return token

    @field_validator("ops_token")
    @classmethod
    def _ops_token_where_needed(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        host = info.data.get("ops_host")  # missing if it is wrong itself
        if host and not token.get_secret_value() and not is_loopback(host):
            raise ValueError("needed to serve calls and metrics beyond loopback")
        _check_tokens(_tokens(token))
        return token

    @property
    def ops_tokens(self) -> tuple[str, ...]:
        """The accepted bearer tokens of the ops endpoint; none: whoever is on this machine may read it."""
        return _tokens(self.ops_token)

    @property
    def vaic_tokens(self) -> tuple[str, ...]:
        """The accepted bearer tokens; the first is the one of new calls."""
        return _tokens(self.vaic_token)

    @property
    def asks_for_token(self) -> bool:
        """Whether an upgrade needs a token, fixed or by OAuth; without, only loopback may be served."""
        return bool(self.vaic_tokens or self.oauth_issuer)

    @property
    def tls(self) -> TlsFiles | None:
        """The files of TLS in this process; None: a balancer's matter."""
        return TlsFiles(self.tls_certificate, self.tls_key, self.tls_client_ca) if self.tls_certificate else None

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of TIELINE_TRUSTED_PROXIES."""
        return networks(self.trusted_proxies)

    @property
    def listen_host(self) -> str:
        """Where the VAIC endpoint listens: everywhere with a token, on loopback without one."""
        return self.host or ("0.0.0.0" if self.asks_for_token else "127.0.0.1")  # noqa: S104 - meant

    def secrets(self) -> tuple[str, ...]:
        """The secrets, which must never be shown; besides these, a URL may have a password."""
        keys = (self.openai_api_key, self.openai_client_secret, self.trace_key, self.otlp_headers)
        whole = (key.get_secret_value() for key in keys)
        keys_of_keys = keys_in(self.encryption_key.get_secret_value())
        return *whole, *keys_of_keys, *self.vaic_tokens, *self.ops_tokens, *traces_headers(self).values()

    def number_region(self) -> str:
        """The country whose national numbers are understood; "" where neither setting nor time zone names one."""
        return self.region or region_of(self.time_zone)

    def model_url(self) -> str:
        """The URL to dial, with path and model filled in if the setting leaves them out."""
        parts = urlsplit(self.openai_url)
        query = parse_qs(parts.query, keep_blank_values=True)
        if "deployment" not in query:  # Azure's retired URLs name the model by this parameter
            query.setdefault("model", [self.openai_model])
        path = parts.path.rstrip("/")
        if not path:
            path = "/openai/v1/realtime" if is_azure(parts.hostname or "") else "/v1/realtime"
        elif path.endswith("/v1"):  # the base URL of the other interfaces
            path += "/realtime"
        else:
            path = parts.path
        return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query, doseq=True), ""))

    def key_header(self, key: str) -> dict[str, str]:
        """The header of an upgrade with this key."""
        as_key = is_azure(urlsplit(self.openai_url).hostname or "")
        if self.openai_auth == "api-key" or (self.openai_auth == "auto" and as_key):
            return {"api-key": key}
        return {"Authorization": f"Bearer {key}"}


def _tokens(setting: SecretStr) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, setting.get_secret_value().split(","))))


def _check_tokens(tokens: Sequence[str]) -> None:
    if any(len(each) < MIN_TOKEN_CHARS for each in tokens):
        raise ValueError(f"must have at least {MIN_TOKEN_CHARS} characters, like the output of: openssl rand -hex 32")


def is_azure(host: str) -> bool:
    """Whether a host is one of Azure's, which take a key as `api-key`."""
    return host.lower().endswith(_AZURE)


def provider_of(settings: Settings | TraceSettings) -> str:
    """Who serves the model, by OpenTelemetry's names for them; a compatible server by that of its profile."""
    profile = settings.openai_profile
    if profile in ("openai", "beta"):
        return "azure.ai.openai" if is_azure(urlsplit(settings.openai_url).hostname or "") else "openai"
    return {"xai": "x_ai"}.get(profile, profile)


def ring_of(settings: Settings | StoreSettings) -> KeyRing | None:
    """The keys of TIELINE_ENCRYPTION_KEY; None: nothing is encrypted."""
    return read_ring(settings.encryption_key.get_secret_value())


def traces_url(settings: Settings | TraceSettings) -> str:
    """Where traces are posted to: OTLP's path is added to a URL that has none."""
    parts = urlsplit(settings.otlp_url)
    return settings.otlp_url if parts.path.strip("/") else urlunsplit(parts._replace(path="/v1/traces"))


def traces_headers(settings: Settings | TraceSettings) -> dict[str, str]:
    """The headers of TIELINE_OTLP_HEADERS."""
    return dict(_pairs(settings.otlp_headers.get_secret_value()))


def is_loopback(host: str) -> bool:
    """Whether a name or address reaches this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def region_of(time_zone: str) -> str:
    """The country of a time zone's city, by the zone database's own table; "" for UTC, or without a table."""
    folders = [Path(folder) for folder in TZPATH]
    with suppress(ModuleNotFoundError):
        folders.append(Path(str(resources.files("tzdata"))) / "zoneinfo")
    for table in (folder / "zone.tab" for folder in folders):
        with suppress(OSError):
            rows = (row.split("\t") for row in table.read_text("utf-8").splitlines() if not row.startswith("#"))
            return next((row[0] for row in rows if row[2:3] == [time_zone] and row[0] in SUPPORTED_REGIONS), "")
    return ""


def variable_of(name: str) -> str:
    """The environment variable of a field."""
    return "OPENAI_API_KEY" if name.lower() == "openai_api_key" else f"TIELINE_{name.upper()}"


def read_settings(**overrides: object) -> Settings:
    """Read and check. overrides: the command line's options, which win; None: not given. Raises: SettingsError."""
    return _read(Settings, {key: value for key, value in overrides.items() if value is not None})


def read_store_settings() -> StoreSettings:
    """Read and check what opens the store; no other setting has to be right. Raises: SettingsError."""
    return _read(StoreSettings, {})


def read_trace_settings() -> TraceSettings:
    """Read and check what sends traces; no other setting has to be right. Raises: SettingsError."""
    return _read(TraceSettings, {})


def read_tool_settings() -> ToolSettings:
    """Read and check what tools may reach; no other setting has to be right. Raises: SettingsError."""
    return _read(ToolSettings, {})


def _read(kind: type[S], overrides: dict[str, object]) -> S:
    from_files: dict[str, str] = {}
    faults: list[str] = []
    for name in SECRETS:
        if name in kind.model_fields and name not in overrides:
            try:
                value = _from_file(variable_of(name))
            except SettingsError as error:
                faults += error.faults
                value = ""  # the error was reported already
            if value is not None:
                from_files[str(kind.model_fields[name].validation_alias or name)] = value
    try:
        settings = kind(**from_files | overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        faulty = {each.partition(":")[0].removesuffix(FILE) for each in faults}
        others = [_fault(each["loc"], each["msg"]) for each in error.errors(include_url=False)]
        faults += [each for each in others if each.partition(":")[0] not in faulty]
    if faults:
        raise SettingsError(faults)
    return settings


def _from_file(variable: str) -> str | None:
    """The content of a secret's file; None if there is no such file. Raises: SettingsError.

    The file is named by VARIABLE_FILE, or is VARIABLE in the folder that systemd's LoadCredential= fills.
    """
    if os.environ.get(f"{variable}{FILE}") and variable in os.environ:
        raise SettingsError([f"{variable}{FILE}: is set beside {variable}: only one of them may be"])
    path = secret_file(variable)
    if path is None:
        return None
    try:
        return _secret_in(path)
    except ValueError as error:
        raise SettingsError([f"{variable}{FILE}: {error}"]) from None


def secret_file(variable: str) -> Path | None:
    """The file that a secret is read from; None if there is none."""
    given, folder = os.environ.get(f"{variable}{FILE}"), os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(given) if given else folder and Path(folder) / variable
    if not path or variable in os.environ or not (given or path.exists()):
        return None
    return path


def _secret_in(path: Path) -> str:
    """Raises: ValueError that says what is wrong, without what the file holds."""
    try:
        text = read_small(path).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"{path} cannot be read: {why}") from None
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def read_tool_secret(name: str) -> str:
    """A secret of tools, by its name in a bot's file; from its variable or a file. Raises: SettingsError."""
    variable = f"{TOOL_SECRET}{name}"
    secret = _from_file(variable)
    secret = os.environ.get(variable, "").strip() if secret is None else secret
    if not secret:
        raise SettingsError([f"{variable}: is not set; set it, or {variable}{FILE} to the file that holds the secret"])
    return secret


def model_key_in(path: Path) -> str:
    """The key of the model's endpoint in a file. Raises: ValueError that says what is wrong, without the key."""
    return _secret_in(path)


def tokens_in(path: Path) -> tuple[str, ...]:
    """The bearer tokens in a file. Raises: ValueError that says what is wrong, without what the file holds."""
    tokens = _tokens(SecretStr(_secret_in(path)))
    if not tokens:
        raise ValueError(f"{path} holds no token")
    _check_tokens(tokens)
    return tokens


def given_tool_secrets() -> tuple[str, ...]:
    """All secrets of tools that are set, so that they are never shown."""
    folder, given = os.environ.get("CREDENTIALS_DIRECTORY"), list(os.environ)
    if folder:
        with suppress(OSError):
            given += [path.name for path in Path(folder).iterdir()]
    names = {name.removeprefix(TOOL_SECRET).removesuffix(FILE) for name in given if name.startswith(TOOL_SECRET)}
    return tuple(filter(None, map(_secret_or_nothing, sorted(names))))


def _secret_or_nothing(name: str) -> str:
    try:
        return read_tool_secret(name)
    except SettingsError:  # told when a bot needs it
        return ""


def settings_as_given() -> dict[str, str]:
    """Each variable's value in the environment, else its default; secrets hidden, nothing checked."""
    given = {}
    for name, field in Settings.model_fields.items():
        variable = variable_of(name)
        secret = field.annotation is SecretStr
        default = field.default.get_secret_value() if secret else field.default
        file = os.environ.get(f"{variable}{FILE}") if name in SECRETS else None
        value = os.environ.get(variable, str(default))
        given[variable] = f"from {file}" if file else str(SecretStr(value)) if secret else value
    return given


def is_given(name: str) -> bool:
    """Whether a field is set by its variable or a file."""
    variable = variable_of(name)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    in_file = f"{variable}{FILE}" in os.environ or bool(folder and (Path(folder) / variable).exists())
    return variable in os.environ or (name in SECRETS and in_file)


def unknown_variables() -> list[str]:
    """TIELINE_ variables that no setting reads: most likely misspelt."""
    known = {variable_of(name) for name in Settings.model_fields} | {f"{variable_of(name)}{FILE}" for name in SECRETS}
    given = (name for name in os.environ if name.startswith("TIELINE_") and not name.startswith(TOOL_SECRET))
    return sorted(name for name in given if name not in known)


def _fault(where: tuple[int | str, ...], message: str) -> str:
    return f"{variable_of(str(where[0]))}: {message.removeprefix('Value error, ')}"
