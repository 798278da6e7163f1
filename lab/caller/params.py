"""VAIC's session parameters that a bot may change with `config`, as far as the simulation supports them.

May import: pydantic, the standard library. Rules from: docs/specs/vaic-streaming.md 1.2, 4.3.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class SessionParams(BaseModel):
    """Effective for the rest of the call. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    barge_in: bool = False
    barge_in_on_dtmf: bool = Field(default=False, alias="bargeInOnDTMF")
    send_dtmf: bool = Field(default=False, alias="sendDTMF")
    dtmf_collect: bool = False
    transfer_notifications: bool = False
    play_url_failure_handling: str = ""
    send_events_to_bot: frozenset[str] = frozenset()
    resume_recognition_timeout_ms: int = Field(default=10_000, alias="resumeRecognitionTimeoutMS")

    def changed(self, params: dict[str, Any]) -> SessionParams:
        """A copy with some parameters replaced. Raises: pydantic.ValidationError for a value of the wrong type."""
        return SessionParams.model_validate(self.model_dump(by_alias=True) | params)
