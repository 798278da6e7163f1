"""Changes to a live session's instructions and tools, with a smaller update if the server refuses one.

The server refuses an update as a whole, and the model would then not know of an open task.
Pure state. May import: protocols, the standard library. Rules from: docs/specs/openai-realtime.md 1.5.
"""

from __future__ import annotations

import re
from itertools import count

from protocols.realtime.client_events import SessionUpdate
from protocols.realtime.objects import ErrorDetail, Session

_REFUSED_TOOL = re.compile(r"session\.tools\[(\d{1,4})\]")


class SessionUpdates:
    """The updates of one session. Only the last one is retried; an earlier one has been replaced by it."""

    def __init__(self) -> None:
        self._names = count(1)
        self._last: SessionUpdate | None = None

    def update(self, session: Session) -> SessionUpdate:
        """The event for this change."""
        self._last = SessionUpdate(event_id=f"update-{next(self._names)}", session=session)
        return self._last

    def refused(self, error: ErrorDetail) -> bool:
        """Whether an error event refuses the last update. Many name only the parameter, not the event."""
        if self._last is None:
            return False
        return error.event_id == self._last.event_id if error.event_id else (error.param or "").startswith("session.")

    def smaller(self, error: ErrorDetail) -> SessionUpdate | None:
        """The refused update without the tool that the error names, or else without all tools.

        None if nothing is left. Each is smaller than the one before, so this terminates.
        """
        if self._last is None or not (tools := self._last.session.tools):
            return None
        named = _REFUSED_TOOL.match(error.param or "")
        number = int(named[1]) if named else len(tools)
        instructions = self._last.session.instructions
        if number >= len(tools):  # absent, the tools stay as they were
            return self.update(Session(type="realtime", instructions=instructions))
        kept = (*tools[:number], *tools[number + 1 :])
        return self.update(Session(type="realtime", instructions=instructions, tools=kept))
