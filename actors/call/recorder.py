"""A call's diary: every fact goes into its book, and into the journal as it happens.

Not an actor: the part of a call's supervisor that writes.
May import: actors, store's record types, loguru, the standard library. Rules from: docs/architecture.md 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.call.replay import fill
from actors.call.transcript import Transcript
from actors.messages.call import (
    BotHeard,
    BotSaid,
    CallerSaid,
    CallerSpeaks,
    ClipHeard,
    FunctionCalled,
    ResponseEnded,
    SpeechFact,
)
from actors.messages.journal import AppendRow, Close
from actors.metrics import CALLS_ENDED
from actors.services import Services
from actors.system.address import send
from actors.tasks.router import TaskHandle
from store.journal import JournalRow, TaskRecord

# The outcomes that are told apart in the metrics: ours, and VAIC's reason codes.
OUTCOMES = frozenset(
    {
        "completed",
        "transferred",
        "failed",
        "lost",
        "drained",
        "client-disconnected",
        "bot-disconnected",
        "machine-detected",
        "error",
    }
)


class CallRecorder:
    """book: the call as it stands. log: bound to the conversation."""

    def __init__(self, services: Services, transcript: Transcript, log: Any) -> None:
        self.transcript = transcript
        self._services = services
        self._log = log
        self._rows = 0
        self._caller_began_ms = transcript.began_ms

    def note(self, fact: SpeechFact) -> None:
        match fact:
            case CallerSpeaks():
                self.transcript.caller_speaks(fact.item_id, fact.began, fact.at_ms)
                if fact.began:
                    self._caller_began_ms = fact.at_ms
                else:
                    began_ms, ended_ms = self._since(self._caller_began_ms), self._since(fact.at_ms)
                    self.jot("caller_spoke", item=fact.item_id, began_ms=began_ms, ended_ms=ended_ms)
            case CallerSaid():
                self.transcript.caller_said(fact.item_id, fact.text)
                self.jot("caller_said", item=fact.item_id, text=fact.text)
            case BotSaid():
                self.transcript.bot_said(fact.item_id, fact.text)
                self.jot("bot_said", item=fact.item_id, text=fact.text)
            case BotHeard():
                self.transcript.bot_heard(fact.item, fact.barged_in)
                item = fact.item
                self.jot(
                    "bot_heard",
                    item=item.item_id,
                    began_ms=None if item.began_ms is None else self._since(item.began_ms),
                    heard_ms=item.heard_ms,
                    generated_ms=item.generated_ms,
                    complete=item.complete,
                    barged_in=fact.barged_in,
                )
            case ClipHeard():
                self.clip(fact)
            case ResponseEnded():
                self.transcript.spent(fact.usage)

    def clip(self, fact: ClipHeard) -> None:
        """A sentence of ours was heard, whole or not."""
        self.transcript.clip_heard(fact.item, words := self._services.profile.clips[fact.clip].words)
        self.jot("clip", text=words, heard_ms=fact.item.heard_ms)

    def called(self, call: FunctionCalled) -> None:
        self.transcript.called(call.call_id, call.name, call.arguments)
        self.jot("called", call=call.call_id, name=call.name, arguments=call.arguments, response=call.response_id)

    def answered(self, call_id: str, output: str) -> bool:
        """A function call has its output. Returns False where there was no such call."""
        known = self.transcript.answered(call_id, output)
        if known:
            self.jot("answered", call=call_id, output=output)
        return known

    def typed(self, text: str, at_ms: float) -> None:
        self.transcript.caller_typed(text, at_ms)
        self.jot("caller_typed", text=text, at_ms=self._since(at_ms))

    def task(self, run: TaskHandle) -> None:
        """A task as it stands."""
        run_id, snapshot = run.context.run_id, run.status and run.status.snapshot  # None if it died over its first step
        states = snapshot.visited if snapshot else ()
        notes = tuple((note.kind, note.state, note.text) for note in snapshot.notes) if snapshot else ()
        self.transcript.task(
            TaskRecord(agent=run.spec.name, run_id=run_id, states=states, result=run.result, notes=notes)
        )
        state, saved = states[-1] if states else "", snapshot and snapshot.model_dump(mode="json")
        self.jot(
            "task",
            run=run_id,
            agent=run.spec.name,
            response=run.response_id,
            state=state,
            result=run.result,
            snapshot=saved,
        )
        self._log.info("task", run=run_id, agent=run.spec.name, state=state, result=run.result)

    def close(self, outcome: str) -> None:
        """The call has ended: its record is written."""
        CALLS_ENDED.labels(outcome if outcome in OUTCOMES else "other").inc()
        self._log.info("call ended", outcome=outcome)
        self.jot("ended", outcome=outcome)
        send(self._services.journal, Close(self.transcript.record(outcome, self._services.now())))

    def restore(self, rows: Sequence[JournalRow]) -> None:
        """Go on where another process left off."""
        fill(self.transcript, rows)
        self._rows = rows[-1].seq if rows else 0
        self.jot("inherited")

    def _since(self, at_ms: float) -> int:
        """In ms from the call's start: another process has another clock."""
        return round(at_ms - self.transcript.began_ms)

    def jot(self, kind: str, **body: Any) -> None:
        """One line of the journal."""
        self._rows += 1
        row = JournalRow(
            conversation_id=self.transcript.conversation_id,
            seq=self._rows,
            kind=kind,
            body=body,
            at=self._services.now(),
        )
        send(self._services.journal, AppendRow(row))
