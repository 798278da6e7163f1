"""A model session's configuration: complete at first, and of a change the part that changes."""

from __future__ import annotations

import json

from actors.bots import TELEPHONE_VAD
from actors.messages.model_config import ModelSessionConfig
from fsm.tools import ToolSpec
from protocols.media import LPCM16_24, MULAW, MediaFormat
from protocols.realtime.client_events import SessionUpdate

TOOL = ToolSpec("book", "Books.", {"type": "object", "properties": {}})


def config(media: MediaFormat = LPCM16_24) -> ModelSessionConfig:
    return ModelSessionConfig("c-1", media, "marin", "whisper-1", TELEPHONE_VAD, "Be kind.", (TOOL,))


def test_the_session_leaves_nothing_that_matters_to_a_default() -> None:
    written = json.loads(SessionUpdate(session=config().session()).to_wire())["session"]
    pcm = {"type": "audio/pcm", "rate": 24000}
    assert written == {
        "type": "realtime",
        "instructions": "Be kind.",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": pcm,
                "noise_reduction": None,
                "transcription": {"model": "whisper-1"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "create_response": True,
                    "interrupt_response": True,
                    "idle_timeout_ms": None,
                },
            },
            "output": {"format": pcm, "voice": "marin"},
        },
        "tools": [{"type": "function", "name": "book", "description": "Books.", "parameters": dict(TOOL.parameters)}],
        "tool_choice": "auto",
    }


def test_a_mulaw_call_has_mulaw_both_ways() -> None:
    audio = config(MULAW).session().audio
    assert audio is not None
    assert audio.input is not None
    assert audio.output is not None
    assert audio.input.format == audio.output.format
    assert audio.input.format is not None
    assert audio.input.format.type == "audio/pcmu"


def test_what_changes_in_a_call_is_instructions_and_tools() -> None:
    written = json.loads(SessionUpdate(session=config().task_session()).to_wire())["session"]
    assert set(written) == {"type", "instructions", "tools"}
