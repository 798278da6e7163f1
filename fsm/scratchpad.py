"""A run's scratchpad: its facts, hypotheses, conclusions and decisions. Stored, never spoken.

May import: pydantic, the standard library.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

NoteKind = Literal["fact", "hypothesis", "conclusion", "decision"]
MOST_NOTES = 200  # a run that writes more is going in circles; its notes show that already


class Note(BaseModel):
    """One entry. state: the run's state when it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: NoteKind
    text: str
    at: AwareDatetime
    state: str
