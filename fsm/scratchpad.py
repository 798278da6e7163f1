"""A run's scratchpad: what it took for granted, guessed, concluded and decided. Stored, never spoken.

May import: pydantic, the standard library.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

NoteKind = Literal["fact", "hypothesis", "conclusion", "decision"]
# A run that would write more than this turns in circles, and they say so already.
MOST_NOTES = 200


class Note(BaseModel):
    """One entry. state: where the run stood."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NoteKind
    text: str
    at: AwareDatetime
    state: str
