"""Profiles of compatible servers: each difference has a source, and stands in the documentation."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from protocols.realtime.client_events import (
    ConversationItemCreate,
    InputAudioBufferCommit,
    ResponseCreate,
    SessionUpdate,
)
from protocols.realtime.objects import (
    AssistantMessage,
    AudioOutput,
    OutputText,
    PcmuFormat,
    ResponseRequest,
    Session,
    SessionAudio,
)
from protocols.realtime.profiles import OPENAI, PROFILES, Profile, Quirk

DOCS = (Path(__file__).parents[3] / "docs" / "realtime.md").read_text()
ALL = [(name, quirk) for name, profile in PROFILES.items() for quirk in (*profile.quirks, *profile.read)]


@pytest.mark.parametrize(("name", "quirk"), ALL)
def test_each_difference_has_a_source_and_is_documented(name: str, quirk: Quirk) -> None:
    assert quirk.source.startswith(("https://", "docs/specs/"))
    assert f"| `{name}` | {quirk.what} |" in DOCS
    if quirk.source.startswith("https://"):
        assert quirk.source.partition(",")[0] in DOCS


def test_without_differences_an_event_is_written_as_ever() -> None:
    event = SessionUpdate(session=Session(type="realtime", audio=SessionAudio(output=AudioOutput(voice="marin"))))
    assert OPENAI.to_wire(event) == event.to_wire()
    for profile in PROFILES.values():
        assert profile.to_wire(InputAudioBufferCommit()) == b'{"type":"input_audio_buffer.commit"}'


@pytest.mark.parametrize("profile", PROFILES.values(), ids=str)
def test_only_a_server_that_can_be_told_of_g711_gets_it(profile: Profile) -> None:
    g711 = SessionAudio(output=AudioOutput(format=PcmuFormat()))
    told = profile.to_wire(SessionUpdate(session=Session(type="realtime", audio=g711)))
    assert profile.pcm_only or b"pcmu" in told or b"g711_ulaw" in told


def test_some_servers_read_only_pcm_and_one_knows_no_conversation_beside_the_calls() -> None:
    assert [name for name, profile in PROFILES.items() if profile.pcm_only is not False] == ["speaches", "localai"]
    assert [name for name, profile in PROFILES.items() if profile.no_asides is not False] == ["speaches"]


PCMU = {"type": "audio/pcmu"}


@pytest.mark.parametrize(
    ("profile", "output", "session"),
    [
        ("openai", AudioOutput(voice="marin"), {"type": "realtime", "audio": {"output": {"voice": "marin"}}}),
        ("xai", AudioOutput(voice="marin"), {"type": "realtime", "voice": "marin"}),
        (
            "xai",
            AudioOutput(voice="marin", format=PcmuFormat()),
            {"type": "realtime", "voice": "marin", "audio": {"output": {"format": PCMU}}},
        ),
        (
            "beta",
            AudioOutput(voice="marin", format=PcmuFormat()),
            {"voice": "marin", "output_audio_format": "g711_ulaw"},
        ),
    ],
)
def test_a_session_has_its_settings_where_the_server_reads_them(
    profile: str, output: AudioOutput, session: dict[str, object]
) -> None:
    event = SessionUpdate(session=Session(type="realtime", audio=SessionAudio(output=output)))
    assert orjson.loads(PROFILES[profile].to_wire(event))["session"] == session


@pytest.mark.parametrize(("profile", "kind"), [("openai", "output_text"), ("beta", "text")])
def test_an_assistants_words_have_the_type_that_the_server_knows(profile: str, kind: str) -> None:
    event = ConversationItemCreate(item=AssistantMessage(content=(OutputText(text="Hello."),)))
    content = orjson.loads(PROFILES[profile].to_wire(event))["item"]["content"]
    assert content == [{"type": kind, "text": "Hello."}]


def test_a_response_is_reshaped_like_a_session() -> None:
    event = ResponseCreate(response=ResponseRequest(output_modalities=("text",), max_output_tokens=50))
    assert PROFILES["beta"].to_wire(event) == (
        b'{"type":"response.create","response":{"max_response_output_tokens":50,"modalities":["text"]}}'
    )


@pytest.mark.parametrize(
    ("profile", "theirs", "ours"),
    [
        ("xai", "session.voice", "session.audio.output.voice"),
        ("xai", "turn_detection.threshold", "session.audio.input.turn_detection.threshold"),
        ("beta", "session.input_audio_format", "session.audio.input.format"),
        ("beta", "session.instructions", "session.instructions"),
        ("openai", "session.voice", "session.voice"),
        ("openai", None, None),
    ],
)
def test_a_path_of_theirs_is_ours(profile: str, theirs: str | None, ours: str | None) -> None:
    assert PROFILES[profile].our_path(theirs) == ours
