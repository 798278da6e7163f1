"""The settings of the embedded realtime engine.

May import: lab.engine.faults, pydantic, the standard library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lab.engine.faults import NO_FAULTS, Faults


class EngineSettings(BaseModel):
    """port: 0 for any free one. session_s: the session's lifetime, reported as `expires_at`.

    think_ms: a wait before each answer, on top of the real work. pace: how much faster than real time speech is sent.
    speed: how much faster than real time the model's own waits run (think_ms, pace, idle timeout); VAD counts samples,
    and a session's lifetime and the faults keep to real time.
    azure: be reached as Azure OpenAI is: by its GA path, with a key as `api-key` or a token as bearer.
    key: the only key or token that is let in; "" for any.
    tls_cert, tls_key: PEM files; wss is served, and ws no longer.
    self_signed: the same with a certificate made for this run; it is written there, for clients to trust.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(9050, ge=0, le=65535)
    session_s: float = Field(3600, gt=0)
    think_ms: int = Field(0, ge=0)
    pace: float = Field(5.0, gt=0)
    speed: float = Field(1.0, gt=0)
    faults: Faults = NO_FAULTS
    azure: bool = False
    key: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    self_signed: Path | None = None

    @model_validator(mode="after")
    def _one_certificate(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("a certificate needs its key, and a key its certificate")
        if self.tls_cert is not None and self.self_signed is not None:
            raise ValueError("a certificate is either given or made")
        return self
