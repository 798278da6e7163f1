"""The embedded realtime engine: serves the OpenAI Realtime GA interface with real speech, without any API key.

    async with Engine(EngineSettings(port=0)) as engine:   # in a test
        ... connect to engine.url ...
    serve(EngineSettings())                                 # tieline engine

May import: lab, protocols.
"""

from lab.engine.faults import NO_FAULTS, Faults
from lab.engine.server import Engine, serve
from lab.engine.settings import EngineSettings

__all__ = ["NO_FAULTS", "Engine", "EngineSettings", "Faults", "serve"]
