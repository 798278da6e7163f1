"""Profiles of compatible servers: each difference has a source, and stands in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.realtime.client_events import InputAudioBufferCommit, ResponseCreate, SessionUpdate
from protocols.realtime.objects import AudioOutput, PcmuFormat, ResponseRequest, Session, SessionAudio
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
