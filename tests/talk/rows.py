"""Journals of calls that never were, for tests of what is derived from them.

May import: tests.talk, actors' journal rows, lab.mind, the standard library.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from actors.messages.journal_rows import (
    AnsweredRow,
    BotHeardRow,
    BotSaidRow,
    CalledRow,
    CallerBeganRow,
    CallerSaidRow,
    CallerSpokeRow,
    JournalEntry,
    Row,
    TaskRow,
)
from lab.mind import Prompt, Tool, UserSaid, think
from store.journal import CallRecord, TaskRecord
from tests.talk.facts import Done, Facts, ModelReply
from tests.talk.scenario import Answer, Asked

_NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
_CONFIRM = Tool(
    "book_appointment_confirm",
    "The caller's answer to what was read back.",
    {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]},
)
_END = Tool("end_call", "The caller says goodbye: ends the call.", {"type": "object", "properties": {}})


class CallOfRows:
    """Writes a call down as it goes on. Each sentence takes a second."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._done: list[Done] = []
        self._replies: list[ModelReply] = []
        self._now_ms = 0

    def bot(self, words: str) -> None:
        item = f"b{self._now_ms}"
        self._rows.append(BotSaidRow(item=item, text=words))
        self._rows.append(
            BotHeardRow(
                item=item, began_ms=self._now_ms, heard_ms=1000, generated_ms=1000, complete=True, barged_in=False
            )
        )
        self._now_ms += 2000

    def caller(self, answer: Answer, heard: str | None, asked: Asked = Asked.MORE) -> None:
        """heard: the transcript; None where no turn began."""
        began_ms = self._now_ms
        self._done.append(Done(answer, asked, began_ms, began_ms + 1000))
        if heard is not None:
            self.turn(heard)
        self._now_ms = began_ms + 2000

    def turn(self, heard: str) -> None:
        """A turn that the voice detection finds, and what the model makes of it."""
        item = f"c{self._now_ms}"
        self._rows.append(CallerBeganRow(item=item, began_ms=self._now_ms))
        self._rows.append(CallerSpokeRow(item=item, began_ms=self._now_ms, ended_ms=self._now_ms + 1000))
        self._rows.append(CallerSaidRow(item=item, text=heard))
        prompt = Prompt("", None, (_CONFIRM, _END), "auto", (UserSaid(heard),), _NOW)
        if heard:
            self._replies.append(ModelReply(self._now_ms + 1000, prompt, think(prompt)))
        self._now_ms += 5000

    def forget_thoughts(self) -> None:
        """The model was never asked."""
        self._replies.clear()

    def called(self, name: str, arguments: dict[str, Any], **output: Any) -> None:
        call = f"f{len(self._rows)}"
        self._rows.append(CalledRow(call=call, name=name, arguments=json.dumps(arguments)))
        self._rows.append(AnsweredRow(call=call, output=json.dumps({"task": "t1", **output})))

    def task(self, result: str, agent: str = "book_appointment", run: str = "t1") -> None:
        self._rows.append(TaskRow(run=run, agent=agent, result=result))

    def facts(self, **changes: Any) -> Facts:
        entries = [JournalEntry("c", seq, _NOW, row) for seq, row in enumerate(self._rows, 1)]
        ended = [row for row in self._rows if isinstance(row, TaskRow) and row.result != "open"]
        fields: dict[str, Any] = {
            "done": self._done,
            "journal": entries,
            "replies": self._replies,
            "outcome": "bot-disconnected",
            "record": record(tuple((row.agent, row.result) for row in ended)),
        }
        return Facts(**(fields | changes))


def record(tasks: tuple[tuple[str, str], ...] = (), outcome: str = "completed") -> CallRecord:
    return CallRecord(
        conversation_id="c",
        bot="b",
        caller="+49",
        media_format="raw/mulaw",
        outcome=outcome,
        started_at=_NOW,
        ended_at=_NOW,
        tasks=tuple(
            TaskRecord(agent=agent, run_id=f"t{number}", states=(), result=result)
            for number, (agent, result) in enumerate(tasks)
        ),
    )
