"""The settings: read from the environment, checked together, reported by variable, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from gateway.model_credentials import credentials_of
from gateway.settings import (
    OPENAI_URL,
    Settings,
    SettingsError,
    given_tool_secrets,
    is_loopback,
    provider_of,
    read_settings,
    read_store_settings,
    read_tool_secret,
    read_trace_settings,
    region_of,
    settings_as_given,
    tokens_in,
    traces_headers,
    traces_url,
    unknown_variables,
    variable_of,
)

KEY, TOKEN = "sk-0123456789abcdef", "s3cret-token-of-ours"


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with valid settings."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return monkeypatch


def faults() -> list[str]:
    with pytest.raises(SettingsError) as wrong:
        read_settings()
    assert str(wrong.value) == "\n".join(wrong.value.faults)
    return wrong.value.faults


def named(lines: list[str]) -> list[str]:
    return [line.partition(":")[0] for line in lines]


@pytest.mark.usefixtures("env")
def test_with_a_key_alone_everything_else_has_a_default() -> None:
    settings = read_settings()
    assert settings.openai_api_key.get_secret_value() == KEY
    assert (settings.openai_url, settings.port, settings.ops_port) == (OPENAI_URL, 8050, 8060)
    assert (settings.max_calls, settings.time_zone, settings.log_level) == (200, "UTC", "INFO")
    assert settings.database_url == "sqlite:///tieline.sqlite3"


WELL_SET = {
    "OPENAI_API_KEY": KEY,
    "TIELINE_OPENAI_URL": "wss://eu.example/v1/realtime",
    "TIELINE_OPENAI_CLEARTEXT": "True",
    "TIELINE_OPENAI_PROFILE": "xai",
    "TIELINE_OPENAI_AUTH": "api-key",
    "TIELINE_OPENAI_TOKEN_COMMAND": "",
    "TIELINE_OPENAI_TOKEN_URL": "https://login.example/token",
    "TIELINE_OPENAI_TOKEN_SCOPE": "https://cognitiveservices.azure.com/.default",
    "TIELINE_OPENAI_CLIENT_ID": "client",
    "TIELINE_OPENAI_CLIENT_SECRET": "of-the-client",
    "TIELINE_OPENAI_MODEL": "gpt-realtime-mini",
    "TIELINE_OPENAI_VOICE": "cedar",
    "TIELINE_TRANSCRIPTION_MODEL": "whisper-1",
    "TIELINE_HOST": "10.0.0.1",
    "TIELINE_VAIC_TOKEN": TOKEN,
    "TIELINE_OAUTH_ISSUER": "https://login.example",
    "TIELINE_OAUTH_AUDIENCE": "tieline",
    "TIELINE_OAUTH_JWKS_URL": "https://login.example/keys",
    "TIELINE_TRUSTED_PROXIES": "10.0.0.0/8,::1",
    "TIELINE_PORT": "9000",
    "TIELINE_OPS_HOST": "10.0.0.2",
    "TIELINE_OPS_TOKEN": "s3cret-token-of-operators",
    "TIELINE_OPS_PORT": "9001",
    "TIELINE_DATABASE_URL": "sqlite:///other.sqlite3",
    "TIELINE_MAX_CALLS": "3",
    "TIELINE_WORKERS": "1",
    "TIELINE_TIME_ZONE": "Europe/Berlin",
    "TIELINE_TRANSFER_TARGETS": "reception=tel:+4930555099,billing=sip:billing@example.org",
    "TIELINE_NO_INPUT_S": "6.5",
    "TIELINE_YES_WITHOUT_WORDS": "True",
    "TIELINE_EFFECTS_PER_CALL": "3",
    "TIELINE_EFFECTS_PER_NUMBER": "7",
    "TIELINE_FILLER_S": "2.5",
    "TIELINE_MAX_CALL_S": "900.0",
    "TIELINE_NOISE_REDUCTION": "far_field",
    "TIELINE_REGION": "AT",
    "TIELINE_WAV_HEADER": "chunk",
    "TIELINE_BOTS": "/srv/bots",
    "TIELINE_CLIPS": "/srv/clips",
    "TIELINE_PRICES": "/srv/prices.toml",
    "TIELINE_RECORDINGS": "/srv/recordings",
    "TIELINE_RECORDINGS_URL": "s3://calls/kept",
    "TIELINE_ENCRYPTION_KEY": "5e" * 32,
    "TIELINE_TOOL_HOSTS": "crm.example,*.corp.example",
    "TIELINE_TOOL_PRIVATE_HOSTS": "crm.local,10.0.0.7,fd00::7",
    "TIELINE_OTLP_URL": "https://collector.example:4318",
    "TIELINE_OTLP_HEADERS": "x-key=of-the-collector",
    "TIELINE_TRACE_KEY": "of-the-traces",
    "TIELINE_TRACE_WORDS": "True",
    "TIELINE_MAX_LAG_MS": "80",
    "TIELINE_MAX_MEMORY_MB": "512",
    "TIELINE_LAME_DUCK_S": "1.5",
    "TIELINE_DRAIN_S": "30.0",
    "TIELINE_DRAIN_MODE": "move",
    "TIELINE_LOG_LEVEL": "DEBUG",
    "TIELINE_RETENTION": "words=30,record=365",
    "TIELINE_LOG_LEVELS": "actors.model=DEBUG,gateway=ERROR",
    "TIELINE_LOG_FORMAT": "json",
}


def test_every_setting_is_read_from_its_variable(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("bots.example")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    files = {"TIELINE_TLS_CERTIFICATE": "cert.pem", "TIELINE_TLS_KEY": "key.pem", "TIELINE_TLS_CLIENT_CA": "ca.pem"}
    well_set = WELL_SET | {name: str(tmp_path / file) for name, file in files.items()}
    for name, value in well_set.items():
        env.setenv(name, value)
    settings = read_settings()
    read = {variable_of(name): getattr(settings, name) for name in Settings.model_fields}
    for name in ("TIELINE_TRANSFER_TARGETS", "TIELINE_LOG_LEVELS", "TIELINE_RETENTION"):
        read[name] = ",".join(f"{key}={value}" for key, value in read[name].items())
    plain = {name: each.get_secret_value() if isinstance(each, SecretStr) else str(each) for name, each in read.items()}
    assert plain == well_set


def test_an_option_of_the_command_line_overrides_the_environment(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_PORT", "9000")
    env.setenv("TIELINE_OPS_PORT", "9001")
    settings = read_settings(port=9100, ops_port=None)
    assert (settings.port, settings.ops_port) == (9100, 9001)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIELINE_OPENAI_URL", "https://api.openai.com/v1/realtime"),
        ("TIELINE_OPENAI_URL", "wss://"),
        ("TIELINE_OPENAI_URL", "api.openai.com"),
        ("TIELINE_OPENAI_URL", "ws://127.0.0.1:engine"),
        ("TIELINE_OPENAI_URL", "ws://127.0.0.1:0"),
        ("TIELINE_OPENAI_URL", "ws://[::1"),
        ("TIELINE_OPENAI_URL", ""),
        ("TIELINE_OPENAI_MODEL", ""),
        ("TIELINE_OPENAI_VOICE", ""),
        ("TIELINE_TRANSCRIPTION_MODEL", ""),
        ("TIELINE_PORT", "http"),
        ("TIELINE_PORT", "65536"),
        ("TIELINE_PORT", ""),
        ("TIELINE_OPS_PORT", "-1"),
        ("TIELINE_DATABASE_URL", ""),
        ("TIELINE_DATABASE_URL", "tieline.sqlite3"),
        ("TIELINE_DATABASE_URL", "postgresql://h:port/d"),
        ("TIELINE_MAX_CALLS", "0"),
        ("TIELINE_MAX_CALLS", "many"),
        ("TIELINE_WORKERS", "0"),
        ("TIELINE_WORKERS", "201"),
        ("TIELINE_TIME_ZONE", "Mars/Olympus"),
        ("TIELINE_TIME_ZONE", "../../etc/passwd"),
        ("TIELINE_TIME_ZONE", ""),
        ("TIELINE_TRANSFER_TARGETS", "+4930555099"),
        ("TIELINE_TRANSFER_TARGETS", "reception=+4930555099"),
        ("TIELINE_TRANSFER_TARGETS", "=tel:+4930555099"),
        ("TIELINE_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TIELINE_TRUSTED_PROXIES", "balancer"),
        ("TIELINE_TLS_CERTIFICATE", "/no/such/file.pem"),
        ("TIELINE_LOG_LEVELS", "actors"),
        ("TIELINE_LOG_LEVELS", "actors=LOUD"),
        ("TIELINE_LOG_LEVELS", "=INFO"),
        ("TIELINE_LOG_FORMAT", "xml"),
        ("TIELINE_TOOL_HOSTS", "https://crm.example"),
        ("TIELINE_TOOL_HOSTS", "crm.example:443"),
        ("TIELINE_TOOL_PRIVATE_HOSTS", "*.local"),
        ("TIELINE_NO_INPUT_S", "0"),
        ("TIELINE_MAX_CALL_S", "-1"),
        ("TIELINE_NOISE_REDUCTION", "loud"),
        ("TIELINE_YES_WITHOUT_WORDS", "perhaps"),
        ("TIELINE_EFFECTS_PER_CALL", "-1"),
        ("TIELINE_EFFECTS_PER_NUMBER", "-1"),
        ("TIELINE_LOG_LEVEL", "info"),
        ("TIELINE_LOG_LEVEL", "TRACE"),
    ],
)
def test_only_the_wrong_setting_is_reported_by_its_variable(variable: str, value: str, env: pytest.MonkeyPatch) -> None:
    env.setenv(variable, value)
    (fault,) = faults()
    assert fault.startswith(f"{variable}: ")
    assert fault != f"{variable}: "


@pytest.mark.parametrize(("option", "variable"), [("port", "TIELINE_PORT"), ("ops_port", "TIELINE_OPS_PORT")])
@pytest.mark.usefixtures("env")
def test_a_wrong_option_is_reported_by_its_variable(option: str, variable: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        read_settings(**{option: 70_000})
    assert named(wrong.value.faults) == [variable]


def test_all_wrong_settings_are_reported_at_once(env: pytest.MonkeyPatch) -> None:
    wrong = {
        "OPENAI_API_KEY": "",
        "TIELINE_HOST": "0.0.0.0",
        "TIELINE_PORT": "x",
        "TIELINE_OPS_PORT": "x",
        "TIELINE_MAX_CALLS": "-5",
        "TIELINE_TIME_ZONE": "Nowhere",
        "TIELINE_TRANSFER_TARGETS": "me=mailto:me",
        "TIELINE_LOG_LEVEL": "LOUD",
        "TIELINE_OPENAI_MODEL": "",
    }
    for name, value in wrong.items():
        env.setenv(name, value)
    # Listening everywhere is right, but not without a token.
    assert sorted(named(faults())) == sorted(set(wrong) - {"TIELINE_HOST"} | {"TIELINE_VAIC_TOKEN"})


def test_a_wrong_url_is_not_reported_as_a_wrong_key(env: pytest.MonkeyPatch) -> None:
    env.delenv("OPENAI_API_KEY")
    env.setenv("TIELINE_OPENAI_URL", "nonsense")
    assert named(faults()) == ["TIELINE_OPENAI_URL"]


@pytest.mark.parametrize("url", ["", "wss://eu.example/v1/realtime", "wss://10.0.0.5:9050", "wss://127.evil.example"])
def test_a_key_is_needed_for_every_model_that_is_not_on_this_machine(url: str, env: pytest.MonkeyPatch) -> None:
    env.delenv("OPENAI_API_KEY")
    if url:
        env.setenv("TIELINE_OPENAI_URL", url)
    assert faults() == ["OPENAI_API_KEY: needed for any model that does not run on this machine"]


@pytest.mark.parametrize("url", ["ws://10.0.0.5:9050", "ws://127.evil.example", "ws://model.example/v1"])
def test_a_key_goes_to_another_host_in_clear_text_only_where_a_setting_allows_it(
    url: str, env: pytest.MonkeyPatch
) -> None:
    env.setenv("TIELINE_OPENAI_URL", url)
    assert faults() == [
        "TIELINE_OPENAI_URL: would send the key in clear text: must be wss://, or TIELINE_OPENAI_CLEARTEXT=true"
    ]
    env.setenv("TIELINE_OPENAI_CLEARTEXT", "true")
    assert read_settings().openai_url == url


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9050", "ws://localhost:9050", "ws://[::1]:9050", "wss://127.8.8.8"])
def test_no_key_is_needed_for_a_model_on_this_machine(url: str, env: pytest.MonkeyPatch) -> None:
    env.delenv("OPENAI_API_KEY")
    env.setenv("TIELINE_OPENAI_URL", url)
    assert credentials_of(read_settings()).headers() == {"Authorization": "Bearer local"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "bots.example"])
def test_without_a_token_only_loopback_is_allowed(host: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_HOST", host)
    assert faults() == ["TIELINE_VAIC_TOKEN: needed to listen beyond loopback"]
    env.setenv("TIELINE_VAIC_TOKEN", TOKEN)
    assert read_settings().listen_host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "ops.example"])
def test_calls_and_metrics_are_served_beyond_loopback_with_a_token_only(host: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPS_HOST", host)
    assert faults() == ["TIELINE_OPS_TOKEN: needed to serve calls and metrics beyond loopback"]
    env.setenv("TIELINE_OPS_TOKEN", "short")
    assert faults()[0].startswith("TIELINE_OPS_TOKEN: must have at least 16 characters")
    env.setenv("TIELINE_OPS_TOKEN", TOKEN)
    assert (read_settings().ops_host, read_settings().ops_tokens) == (host, (TOKEN,))
    assert TOKEN in read_settings().secrets()


def test_oauth_is_set_up_whole_or_not_at_all_and_its_keys_come_by_tls(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OAUTH_ISSUER", "https://login.example")
    assert named(faults()) == ["TIELINE_OAUTH_AUDIENCE", "TIELINE_OAUTH_JWKS_URL"]
    env.setenv("TIELINE_OAUTH_AUDIENCE", "tieline")
    env.setenv("TIELINE_OAUTH_JWKS_URL", "http://login.example/keys")
    assert faults() == ["TIELINE_OAUTH_JWKS_URL: must be an https:// URL"]
    env.setenv("TIELINE_OAUTH_JWKS_URL", "https://login.example/keys")
    env.setenv("TIELINE_HOST", "0.0.0.0")
    assert read_settings().listen_host == "0.0.0.0"
    env.delenv("TIELINE_OAUTH_ISSUER")
    assert named(faults()) == ["TIELINE_OAUTH_AUDIENCE", "TIELINE_OAUTH_JWKS_URL", "TIELINE_VAIC_TOKEN"]


@pytest.mark.parametrize("tokens", ["fifteen-letters", f"{TOKEN},short", f"short,{TOKEN}"])
def test_a_short_token_is_refused(tokens: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_VAIC_TOKEN", tokens)
    (fault,) = faults()
    assert fault.startswith("TIELINE_VAIC_TOKEN: must have at least 16 characters")
    assert "short" not in fault


def test_several_tokens_are_read(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_VAIC_TOKEN", f" {TOKEN} , another-s3cret-token,")
    assert read_settings().vaic_tokens == (TOKEN, "another-s3cret-token")


# --- secrets from files ---


def test_each_secret_is_read_from_the_file_that_is_named(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.delenv("OPENAI_API_KEY")
    values = {"OPENAI_API_KEY": KEY, "TIELINE_VAIC_TOKEN": TOKEN, "TIELINE_DATABASE_URL": "sqlite:///of-a-file.sqlite3"}
    for name, value in values.items():
        (tmp_path / name).write_text(f"{value}\n")
        env.setenv(f"{name}_FILE", str(tmp_path / name))
    settings = read_settings()
    assert settings.openai_api_key.get_secret_value() == KEY
    assert settings.vaic_tokens == (TOKEN,)
    assert settings.database_url == read_store_settings().database_url == "sqlite:///of-a-file.sqlite3"
    assert unknown_variables() == []
    assert settings_as_given()["TIELINE_VAIC_TOKEN"] == f"from {tmp_path / 'TIELINE_VAIC_TOKEN'}"


def test_a_tools_secret_is_read_from_its_variable_a_file_or_systemds_credentials(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env.setenv("TIELINE_SECRET_CRM", "of-the-crm")
    (tmp_path / "shop").write_text("of-the-shop\n")
    env.setenv("TIELINE_SECRET_SHOP_FILE", str(tmp_path / "shop"))
    (tmp_path / "TIELINE_SECRET_BANK").write_text("of-the-bank")
    env.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert [read_tool_secret(name) for name in ("CRM", "SHOP", "BANK")] == ["of-the-crm", "of-the-shop", "of-the-bank"]
    env.setenv("TIELINE_SECRET_LOST_FILE", str(tmp_path / "lost"))
    assert set(given_tool_secrets()) == {"of-the-crm", "of-the-shop", "of-the-bank"}
    assert unknown_variables() == []


def test_a_tools_secret_that_is_missing_is_named_by_its_variable(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_SECRET_EMPTY", " ")
    for name in ("CRM", "EMPTY"):
        with pytest.raises(SettingsError, match=f"^TIELINE_SECRET_{name}: is not set"):
            read_tool_secret(name)


def test_a_secret_is_read_from_systemds_credentials_unless_its_variable_is_set(
    env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_settings().vaic_tokens == ()
    (tmp_path / "TIELINE_VAIC_TOKEN").write_text(TOKEN)
    (tmp_path / "OPENAI_API_KEY").write_text("another")
    settings = read_settings()
    assert settings.vaic_tokens == (TOKEN,)
    assert settings.openai_api_key.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read: No such file or directory"), (b" \n", "is empty"), (b"\xff", "it is not UTF-8")],
)
def test_a_file_that_holds_no_secret_is_a_fault_of_its_variable_and_the_only_one(
    content: bytes | None, why: str, env: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env.setenv("TIELINE_HOST", "0.0.0.0")
    env.setenv("TIELINE_VAIC_TOKEN_FILE", str(tmp_path / "token"))
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    (fault,) = faults()
    assert fault.startswith(f"TIELINE_VAIC_TOKEN_FILE: {tmp_path / 'token'} ")
    assert fault.endswith(why)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"{TOKEN}\n", (TOKEN,)),
        (f" {TOKEN}-2 , {TOKEN}\n", (f"{TOKEN}-2", TOKEN)),
        ("", "is empty"),
        (",", "holds no token"),
        (f"{TOKEN},short", "at least 16 characters"),
        (None, "No such file"),
    ],
)
def test_the_tokens_in_a_file_are_read_as_at_the_start(
    tmp_path: Path, content: str | None, told: tuple[str, ...] | str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    if isinstance(told, tuple):
        assert tokens_in(file) == told
    else:
        with pytest.raises(ValueError, match=told) as wrong:
            tokens_in(file)
        assert TOKEN not in str(wrong.value)


def test_a_secret_in_a_variable_and_in_a_file_is_a_fault(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    assert faults() == ["OPENAI_API_KEY_FILE: is set beside OPENAI_API_KEY: only one of them may be"]


@pytest.mark.usefixtures("env")
def test_without_a_host_the_token_decides_where_to_listen(env: pytest.MonkeyPatch) -> None:
    assert read_settings().listen_host == "127.0.0.1"
    env.setenv("TIELINE_VAIC_TOKEN", TOKEN)
    assert read_settings().listen_host == "0.0.0.0"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_needs_no_token(host: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_HOST", host)
    assert is_loopback(host)
    assert read_settings().listen_host == host


def test_no_secret_is_in_the_settings_text_or_in_an_error(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_VAIC_TOKEN", TOKEN)
    settings = read_settings()
    assert KEY not in repr(settings)
    assert TOKEN not in repr(settings)
    assert KEY not in settings.model_dump_json()
    assert TOKEN not in settings.model_dump_json()
    env.setenv("TIELINE_PORT", KEY)
    env.setenv("TIELINE_TIME_ZONE", TOKEN)
    told = "\n".join(faults())
    assert KEY not in told
    assert TOKEN not in told


@pytest.mark.usefixtures("env")
def test_settings_do_not_change_once_read() -> None:
    settings = read_settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_a_misspelt_variable_is_reported(env: pytest.MonkeyPatch) -> None:
    assert unknown_variables() == []
    env.setenv("TIELINE_MAX_CALL", "5")
    env.setenv("TIELINE_OPENAI_API_KEY", "x")
    assert unknown_variables() == ["TIELINE_MAX_CALL", "TIELINE_OPENAI_API_KEY"]
    assert read_settings().max_calls == 200


@pytest.mark.parametrize(
    ("url", "dialled"),
    [
        ("wss://api.openai.com", "wss://api.openai.com/v1/realtime?model=gpt-realtime"),
        ("wss://api.openai.com/v1/realtime", "wss://api.openai.com/v1/realtime?model=gpt-realtime"),
        ("ws://127.0.0.1:9050/", "ws://127.0.0.1:9050/v1/realtime?model=gpt-realtime"),
        ("ws://[::1]:9050", "ws://[::1]:9050/v1/realtime?model=gpt-realtime"),
        ("wss://eu.example/realtime?model=mine", "wss://eu.example/realtime?model=mine"),
        (
            "wss://x.openai.azure.com/openai/realtime?api-version=2024-10-01-preview&deployment=d",
            "wss://x.openai.azure.com/openai/realtime?api-version=2024-10-01-preview&deployment=d",
        ),
        (
            "wss://x.openai.azure.com/openai/v1/realtime",
            "wss://x.openai.azure.com/openai/v1/realtime?model=gpt-realtime",
        ),
        ("wss://x.openai.azure.com", "wss://x.openai.azure.com/openai/v1/realtime?model=gpt-realtime"),
        ("wss://x.openai.azure.com/openai/v1/", "wss://x.openai.azure.com/openai/v1/realtime?model=gpt-realtime"),
        ("wss://eu.api.openai.com/v1", "wss://eu.api.openai.com/v1/realtime?model=gpt-realtime"),
    ],
)
def test_missing_parts_of_the_models_url_are_filled_in(url: str, dialled: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPENAI_URL", url)
    assert read_settings().model_url() == dialled


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("wss://api.openai.com", {"Authorization": f"Bearer {KEY}"}),
        ("wss://x.openai.azure.com/openai/v1/realtime", {"api-key": KEY}),
        ("wss://x.cognitiveservices.azure.com/openai/v1/realtime", {"api-key": KEY}),
        ("wss://x.services.ai.azure.com/openai/v1/realtime", {"api-key": KEY}),
        ("wss://x.openai.azure.us/openai/v1/realtime", {"api-key": KEY}),
        ("wss://swedencentral.api.cognitive.microsoft.com/openai/v1/realtime", {"api-key": KEY}),
        ("wss://eu.api.openai.com/v1/realtime", {"Authorization": f"Bearer {KEY}"}),
        ("wss://openai.azure.com.evil.example", {"Authorization": f"Bearer {KEY}"}),
        ("wss://evilopenai.azure.com", {"Authorization": f"Bearer {KEY}"}),
    ],
)
def test_the_key_is_sent_in_the_header_of_the_endpoint(
    url: str, headers: dict[str, str], env: pytest.MonkeyPatch
) -> None:
    env.setenv("TIELINE_OPENAI_URL", url)
    assert credentials_of(read_settings()).headers() == headers


def test_every_setting_has_a_description_and_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"`{variable_of(name)}`" in readme


def test_traces_go_where_their_collector_is(env: pytest.MonkeyPatch) -> None:
    assert read_settings().otlp_url == "", "nowhere, unless it is set"
    for given, whole in (
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://otlp.example/tenant/v1/traces", "https://otlp.example/tenant/v1/traces"),
    ):
        env.setenv("TIELINE_OTLP_URL", given)
        assert traces_url(read_settings()) == traces_url(read_trace_settings()) == whole
    env.setenv("TIELINE_OTLP_HEADERS", "Authorization=Bearer s3cret=, x-team = calls,")
    env.setenv("TIELINE_TRACE_KEY", "s3cret-of-traces")
    settings = read_settings()
    assert traces_headers(settings) == {"Authorization": "Bearer s3cret=", "x-team": "calls"}
    assert {"Bearer s3cret=", "s3cret-of-traces"} <= {*settings.secrets()}
    for wrong in ("grpc://collector:4317", "collector:4318", "http://", "http://collector:0", "http://collector:no"):
        env.setenv("TIELINE_OTLP_URL", wrong)
        assert named(faults()) == ["TIELINE_OTLP_URL"]


def test_the_headers_of_traces_are_well_formed_and_no_secret_goes_in_clear_text(env: pytest.MonkeyPatch) -> None:
    for wrong in ("Authorization", "=x", "a=b,c="):
        env.setenv("TIELINE_OTLP_HEADERS", wrong)
        assert faults() == ["TIELINE_OTLP_HEADERS: must be name=value,name=value"]
    env.setenv("TIELINE_OTLP_HEADERS", "Authorization=s3cret")
    env.setenv("TIELINE_OTLP_URL", "http://collector:4318")
    assert faults() == ["TIELINE_OTLP_HEADERS: would be sent in clear text: TIELINE_OTLP_URL must be https://"]
    env.setenv("TIELINE_OTLP_URL", "http://127.0.0.1:4318")
    assert traces_headers(read_settings()) == {"Authorization": "s3cret"}


@pytest.mark.parametrize(
    ("url", "profile", "provider"),
    [
        ("wss://api.openai.com/v1/realtime", "openai", "openai"),
        ("wss://x.openai.azure.com/openai/v1/realtime", "openai", "azure.ai.openai"),
        ("wss://api.x.ai/v1/realtime", "xai", "x_ai"),
        ("ws://127.0.0.1:8000/v1/realtime", "speaches", "speaches"),
    ],
)
def test_traces_name_the_provider(url: str, profile: str, provider: str, env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_OPENAI_URL", url)
    env.setenv("TIELINE_OPENAI_PROFILE", profile)
    assert provider_of(read_settings()) == provider_of(read_trace_settings()) == provider


def test_the_region_of_national_numbers_is_the_time_zones_unless_it_is_set(env: pytest.MonkeyPatch) -> None:
    assert read_settings().number_region() == "", "UTC is the time zone of no country"
    env.setenv("TIELINE_TIME_ZONE", "Europe/Berlin")
    assert read_settings().number_region() == "DE"
    env.setenv("TIELINE_REGION", "at")
    assert read_settings().number_region() == "AT"


def test_a_region_that_is_no_country_is_refused(env: pytest.MonkeyPatch) -> None:
    env.setenv("TIELINE_REGION", "Europe")
    with pytest.raises(SettingsError, match="TIELINE_REGION: must be the two letters of a country"):
        read_settings()


def test_a_time_zone_without_a_table_has_no_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gateway.settings.TZPATH", (str(tmp_path),))
    assert region_of("Etc/UTC") == ""
    (tmp_path / "zone.tab").write_text("# a comment\nGB\t+513030-0000731\tEurope/London\n")
    assert region_of("Europe/London") == "GB"
