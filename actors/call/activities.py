"""What the call asks VAIC for on behalf of its tasks and its model, each thing once.

Once: a step that is repeated after a crash asks again under the same key, and what another process of the call has
asked for stands in the journal. While the caller has no socket, it waits for the next one.
Not an actor: a part of a call's supervisor. May import: actors, protocols, loguru, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from pydantic import ValidationError

from actors.call.recorder import CallRecorder
from actors.messages.journal_rows import ActivityRow, JournalEntry
from actors.messages.vaic import AskVaic, VaicSocketMessage
from actors.metrics import ACTIVITIES
from actors.system.address import Address
from protocols.activities import ACTION, Action


class CallActivities:
    """vaic: the stable address of the session. recorder: gets each activity. log: bound to the conversation."""

    def __init__(
        self, conversation_id: str, vaic: Address[VaicSocketMessage], recorder: CallRecorder, log: Any
    ) -> None:
        self._conversation_id = conversation_id
        self._vaic = vaic
        self._recorder = recorder
        self._log = log
        self._asked: set[str] = set()  # the keys of all
        self._waiting: dict[str, Action] = {}  # for a socket

    def ask(self, actions: Mapping[str, Action], *, away: bool) -> list[Action]:
        """Ask for what was not asked for yet, and return that. actions: by key. away: the caller has no socket."""
        new = {key: action for key, action in actions.items() if key not in self._asked}
        for key, action in new.items():
            self._asked.add(key)
            if away:
                self._waiting[key] = action
                self._recorder.activity(self._row(key, action, sent=False))
            else:
                self._send(key, action)
        return list(new.values())

    def caller_back(self) -> None:
        """The caller has a socket again."""
        waiting, self._waiting = self._waiting, {}
        for key, action in waiting.items():
            self._send(key, action)

    def restore(self, rows: Sequence[JournalEntry]) -> None:
        """Another process has asked for these. What it had no socket for is asked for now."""
        for entry in rows:
            row = entry.row
            if not isinstance(row, ActivityRow):
                continue
            self._asked.add(row.key)
            self._waiting.pop(row.key, None)
            if not row.sent:
                try:
                    self._waiting[row.key] = ACTION.validate_python(row.action)
                except ValidationError:  # of a later release
                    self._log.warning("an activity that this release does not know", key=row.key)

    def _send(self, key: str, action: Action) -> None:
        self._recorder.activity(self._row(key, action, sent=True))
        ACTIVITIES.labels(action.do).inc()
        self._log.info("activity", do=action.do, key=key)
        # The same id for the same thing, should VAIC be told of it twice after all.
        self._vaic.tell(AskVaic(str(uuid5(NAMESPACE_OID, f"{self._conversation_id}:{key}")), action))

    def _row(self, key: str, action: Action, *, sent: bool) -> ActivityRow:
        return ActivityRow(
            key=key, action=action.model_dump(mode="json", exclude_defaults=True) | {"do": action.do}, sent=sent
        )
