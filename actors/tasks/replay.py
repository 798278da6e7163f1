"""The tasks of a call read back from its journal, by the process that goes on with the call.

Pure. May import: actors.messages, fsm, store's record types, the standard library.
Rules from: docs/specs/reliability.md 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.messages.call import FunctionCalled
from fsm.effects import effect_key
from store.journal import JournalRow

OPEN = "open"
# Upper bound on states between a confirmed yes and its effect; enumerates the idempotency keys that a dead process may
# have written.
STATES_AHEAD = 8


@dataclass(frozen=True, slots=True)
class TaskLeft:
    """A run as it stood last. snapshot: None where it had not taken a step."""

    run_id: str
    agent: str
    response_id: str
    result: str
    snapshot: Mapping[str, Any] | None


def tasks_left(rows: Sequence[JournalRow]) -> list[TaskLeft]:
    """Every run of the call, in the order they began."""
    runs: dict[str, TaskLeft] = {}
    for row in rows:
        body: Mapping[str, Any] = row.body
        if row.kind == "task" and body.get("agent"):
            run_id = str(body["run"])
            before = runs.get(run_id)
            snapshot = body.get("snapshot") or (before.snapshot if before else None)
            runs[run_id] = TaskLeft(run_id, body["agent"], str(body.get("response", "")), body["result"], snapshot)
    return list(runs.values())


def keys_ahead(conversation_id: str, rows: Sequence[JournalRow]) -> dict[str, str]:
    """The keys that effects bear of which the journal knows nothing yet, should there be any; and their runs."""
    open_runs = [each for each in tasks_left(rows) if each.result == OPEN and each.snapshot is not None]
    return {
        effect_key(conversation_id, run.run_id, len(run.snapshot["visited"]) + ahead): run.run_id
        for run in open_runs
        if run.snapshot is not None
        for ahead in range(1, STATES_AHEAD + 1)
    }


def calls_left(rows: Sequence[JournalRow]) -> tuple[list[FunctionCalled], set[str]]:
    """The function calls that were never answered; and the ids of those that were."""
    called: dict[str, FunctionCalled] = {}
    answered: set[str] = set()
    for row in rows:
        body: Mapping[str, Any] = row.body
        if row.kind == "called" and "arguments" in body:
            call_id = str(body["call"])
            told = FunctionCalled(call_id, body["name"], body["arguments"], str(body.get("response", "")))
            called[call_id] = told
        elif row.kind == "answered":
            answered.add(str(body["call"]))
    return [call for call_id, call in called.items() if call_id not in answered], answered
