"""A model session's configuration: complete at first, and of a change the part that changes."""

from __future__ import annotations

import json
from dataclasses import replace

from actors.bots import ModelSettings
from actors.messages.model_config import ModelSessionConfig
from fsm.tools import ToolSpec
from protocols.media import LPCM16_24, MULAW, MediaFormat
from protocols.realtime.client_events import SessionUpdate
from protocols.realtime.objects import (
    CustomVoice,
    NoiseReduction,
    PromptReference,
    Reasoning,
    RetentionRatio,
    SemanticVad,
    TokenLimits,
    TracingConfig,
    Transcription,
)

TOOL = ToolSpec("book", "Books.", {"type": "object", "properties": {}})


MODEL = ModelSettings("marin", Transcription(model="whisper-1"))


def config(media: MediaFormat = LPCM16_24) -> ModelSessionConfig:
    return ModelSessionConfig("c-1", media, MODEL, "Be kind.", (TOOL,))


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


def test_every_field_that_a_bot_sets_is_sent_and_no_other() -> None:
    settings = ModelSettings(
        CustomVoice(id="voice_1"),
        Transcription(model="gpt-4o-transcribe", language="en", prompt="Names."),
        SemanticVad(eagerness="low", create_response=True, interrupt_response=True),
        NoiseReduction(type="far_field"),
        name="gpt-realtime-2",
        speed=1.1,
        max_output_tokens=2000,
        truncation=RetentionRatio(retention_ratio=0.8, token_limits=TokenLimits(post_instructions=8000)),
        reasoning=Reasoning(effort="low"),
        parallel_tool_calls=False,
        tracing=TracingConfig(workflow_name="linden"),
        prompt=PromptReference(id="pmpt_1", version="2", variables={"town": "Linden"}),
        include=("item.input_audio_transcription.logprobs",),
    )
    session = replace(config(), settings=settings).session()
    written = json.loads(SessionUpdate(session=session).to_wire())["session"]
    assert written["audio"]["input"]["transcription"] == {
        "model": "gpt-4o-transcribe", "language": "en", "prompt": "Names."
    }  # fmt: skip
    assert written["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad", "eagerness": "low", "create_response": True, "interrupt_response": True
    }  # fmt: skip
    assert written["audio"]["input"]["noise_reduction"] == {"type": "far_field"}
    assert (written["audio"]["output"]["voice"], written["audio"]["output"]["speed"]) == ({"id": "voice_1"}, 1.1)
    others = set(written) - {"type", "instructions", "output_modalities", "audio", "tools", "tool_choice"}
    assert {name: written[name] for name in others} == {
        "max_output_tokens": 2000,
        "truncation": {
            "type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 8000}
        },
        "reasoning": {"effort": "low"},
        "parallel_tool_calls": False,
        "tracing": {"workflow_name": "linden"},
        "prompt": {"id": "pmpt_1", "version": "2", "variables": {"town": "Linden"}},
        "include": ["item.input_audio_transcription.logprobs"],
    }  # fmt: skip
