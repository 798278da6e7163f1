"""The clients that are tried: software that others wrote for the two wires.

May import: the standard library.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """One client, in an environment of its own.

    packages: what is installed into it, the newest each time; the first names the client. script: below this folder;
    a bot's is started beside the simulated caller, any other is a client of the engine. light: quick enough for CI.
    """

    name: str
    packages: tuple[str, ...]
    script: str
    scenes: tuple[str, ...]
    light: bool = False
    bot: bool = False

    @property
    def is_node(self) -> bool:
        return self.script.endswith(".mjs")

    @property
    def distribution(self) -> str:
        """The name of what is tried, at its registry."""
        return self.packages[0].partition("[")[0]


COMMON = ("text", "audio", "function", "interruption")
CLIENTS = (
    Client(
        "openai",
        ("openai[realtime]",),
        "python/openai_client.py",
        (*COMMON, "tls", "transcription", "mcp"),
        light=True,
    ),
    Client("openai-agents", ("openai-agents[voice]",), "python/openai_agents.py", COMMON, light=True),
    Client("pipecat", ("pipecat-ai[openai,websocket]",), "python/pipecat_client.py", COMMON),
    Client(
        "livekit",
        ("livekit-agents[openai]",),
        "python/livekit_agents.py",
        (*COMMON, "transcription"),
    ),
    Client("openai-node", ("openai", "ws"), "node/openai_client.mjs", COMMON),
    Client("openai-agents-node", ("@openai/agents", "zod"), "node/openai_agents.mjs", (*COMMON, "mcp")),
    Client("ac-bot-api", ("@audiocodes/ac-bot-api",), "node/ac_bot_api.mjs", ("call", "resume", "chat"), bot=True),
)
