"""The names in traces: of spans, events and attributes, and the conventions that they follow.

`gen_ai.*` are those of OpenTelemetry's semantic conventions for generative AI, revision v0.1.0 (the first of the
repository open-telemetry/semantic-conventions-genai, with semantic-conventions v1.45.0), status Development. They have
no span for a realtime session yet: pull requests 390 and 394 there propose different ones, and neither is in force. So
a response is an inference (`chat`), a turn an invocation of the agent. What has no name there is `tieline.*`.

Pure: names only.
"""

from __future__ import annotations

# --- of the conventions ---

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"
AGENT, AGENT_VERSION = "gen_ai.agent.name", "gen_ai.agent.version"
REQUEST_MODEL = "gen_ai.request.model"
OUTPUT_TYPE = "gen_ai.output.type"
FIRST_CHUNK_S = "gen_ai.response.time_to_first_chunk"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
TOOL, TOOL_CALL, TOOL_TYPE = "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.tool.type"
ERROR_TYPE = "error.type"
# Operations.
INVOKE_AGENT, CHAT, EXECUTE_TOOL = "invoke_agent", "chat", "execute_tool"

# What somebody has said, only with TIELINE_TRACE_WORDS: these four, and no others.
INPUT_WORDS, OUTPUT_WORDS = "gen_ai.input.messages", "gen_ai.output.messages"
ARGUMENTS, RESULT = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"
WORDS = frozenset({INPUT_WORDS, OUTPUT_WORDS, ARGUMENTS, RESULT})

# --- our own ---

CALLER = "tieline.caller"
OUTCOME = "tieline.call.outcome"
MEDIA = "tieline.media.format"
GREETING_MS, UNHEARD_MS, BARGE_INS = "tieline.greeting_ms", "tieline.unheard_ms", "tieline.barge_ins"
COST_USD = "tieline.cost_usd"
TURN = "tieline.turn.number"
ANSWER_MS = "tieline.answer_ms"
YIELD_MS = "tieline.yield_ms"
HEARD_MS = "tieline.heard_ms"
STATUS = "tieline.response.status"
TOOK_MS = "tieline.took_ms"
TASK, TASK_RUN = "tieline.task.name", "tieline.task.run"
TASK_STATE, TASK_RESULT = "tieline.task.state", "tieline.task.result"
EFFECT, EFFECT_KEY, EFFECT_STATUS = "tieline.effect.name", "tieline.effect.key", "tieline.effect.status"
REASON = "tieline.reason"
MODEL = "tieline.transcription.model"

# Spans; those of turns, inferences and tools are named by their operation and its object.
CALLER_SPEECH, BOT_SPEECH = "caller speech", "bot speech"
# Events.
DIALLED, LOST_MODEL, BROKEN = "model dialled", "model lost", "error"
RESUMED, RELEASED, TAKEN_OVER = "resumed", "released", "taken over"
LOOKED_UP, TRANSCRIBED, TASK_STEP = "looked up", "transcribed", "task step"
STORE_AWAY, STORE_BACK = "store away", "store back"


def stage_ms(stage: str) -> str:
    """A part of an answer's time; see docs/metrics.md."""
    return f"tieline.answer.{stage}_ms"


def usage(tokens: dict[str, int]) -> dict[str, int]:
    """Token attributes. tokens: by kind, as in protocols.realtime.usage.

    There what was cached is counted by itself, here it is a part of the input as well.
    """
    found: dict[str, int] = {}
    for kind, count in tokens.items():
        direction, modality, *cached = kind.split("_")
        names = [f"gen_ai.usage.{direction}_tokens"]
        if modality != "other":
            names.append(f"gen_ai.usage.{modality}.{direction}_tokens")
        if cached:
            names += [CACHED_TOKENS, f"gen_ai.usage.{modality}.cache_read.input_tokens"]
        for name in names:
            found[name] = found.get(name, 0) + count
    return found
