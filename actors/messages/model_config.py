"""The configuration of a model session, and the conversation it starts with.

May import: actors.bots, fsm, protocols, the standard library. Rules from: docs/specs/openai-realtime.md 3 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.bots import ModelSettings
from fsm.spec import ToolSpec
from protocols.media import MediaFormat, realtime_format
from protocols.realtime.objects import (
    AudioInput,
    AudioOutput,
    FunctionCallItem,
    FunctionTool,
    NewItem,
    Session,
    SessionAudio,
    Tool,
)

_OPTIONAL = (
    "max_output_tokens", "truncation", "reasoning", "parallel_tool_calls", "tracing", "prompt", "include"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelSessionConfig:
    """What an OpenAISocket needs from its call.

    media: the model's format, both ways. settings: the bot's. history: items that rebuild the conversation on a new
    session. open_calls: function calls of a lost session that have no output yet, by call id.
    answer_due: the caller waits for an answer. standby: configure the session and wait for TakeOver. text: the model
    answers in writing. only_hears: it transcribes, and answers nothing. used: ids of items that the call has had.
    """

    conversation_id: str
    media: MediaFormat
    settings: ModelSettings
    instructions: str
    tools: tuple[ToolSpec, ...]
    history: tuple[NewItem, ...] = ()
    open_calls: Mapping[str, FunctionCallItem] = field(default_factory=dict)
    answer_due: bool = False
    standby: bool = False
    text: bool = False
    only_hears: bool = False
    used: frozenset[str] = frozenset()

    def session(self) -> Session:
        """The whole configuration; nothing that matters on the telephone is left to a default of the server."""
        form, settings = realtime_format(self.media), self.settings
        # A field that is not given must not be sent either: null is another value than the default.
        optional = {name: value for name in _OPTIONAL if (value := getattr(settings, name)) is not None}
        speed = {} if settings.speed is None else {"speed": settings.speed}
        return Session(
            type="realtime",
            instructions=self.instructions,
            output_modalities=("text",) if self.text else ("audio",),
            audio=SessionAudio(
                input=AudioInput(
                    format=form,
                    noise_reduction=settings.noise_reduction,
                    transcription=settings.transcription,
                    turn_detection=settings.turn_detection,
                ),
                output=AudioOutput(format=form, voice=settings.voice, **speed),
            ),
            tools=self._tools(),
            tool_choice="auto",
            **optional,
        )

    def task_session(self) -> Session:
        """The part that changes during a call: instructions and tools."""
        return Session(type="realtime", instructions=self.instructions, tools=self._tools())

    def _tools(self) -> tuple[Tool, ...]:
        functions = (
            FunctionTool(name=each.name, description=each.description, parameters=dict(each.parameters))
            for each in self.tools
        )
        return (*functions, *self.settings.mcp)
