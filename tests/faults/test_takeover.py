"""The process of a call is lost in the middle of a task: another one takes the call over, and it books."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import time
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine as Database

from actors.messages.journal_rows import ResponseRow
from appointments.bookings import AppointmentBook
from gateway.daemon import run
from lab.caller import BotSpoke, CallerEvent, CallSettings, Resumed, Say, place_call
from lab.engine import Engine, EngineSettings
from store.database import open_database
from store.journal import Journal
from tests.calls.live import BOOKED, LIMIT_S, PATIENCE_S, PAUSE_MS, recording, said_on
from tests.calls.process import Process, process
from tests.calls.tap import Debts, Line, Tap

# Of processes of their own, whose clocks go on while the engine thinks: as the clock, so that the engine is in time for
# them also on a busy machine (a response of which nothing more arrives for five seconds is cancelled).
SPEED = 1.0
QUESTION = "Shall I book it?"
GREETING = "Hello, this is the Linden practice. How can I help you?"
SCRIPT = [Say(recording(name)) for name in ("slt_book_named", "slt_yes_correct", "slt_goodbye")]


class Scene:
    """A call that begins at one process, whose socket then breaks, and that is resumed at another."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.url = f"sqlite:///{folder}/practice.sqlite3"
        self.database: Database = open_database(self.url)
        self.journal = Journal(self.database)

    async def play(self, end: str) -> None:
        async with (
            asyncio.timeout(LIMIT_S),
            Engine(EngineSettings(port=0, speed=SPEED)) as engine,
            Tap(engine.url, Line(), client="daemon", server="model") as model,
            process(model.url, self.url, SPEED) as first,
            process(model.url, self.url, SPEED) as second,
            Tap(first.url, Line(), client="vaic", server="daemon") as vaic,
        ):
            await self._call(vaic, model, first, second, end)

    def _freeze(self, process: Process) -> None:
        """Not during a write: a stopped process would hold SQLite's write lock, and block every takeover."""
        with self.database.begin():
            process.freeze()

    async def _call(self, vaic: Tap, model: Tap, first: Process, second: Process, end: str) -> None:
        heard, debts = count(1), Debts(model)

        def happened(event: CallerEvent) -> None:
            if isinstance(event, BotSpoke) and next(heard) == len((GREETING, QUESTION)):
                first.kill() if end == "killed" else self._freeze(first)
                debts.moved()
                vaic.target = second.url
                vaic.cut()
            elif isinstance(event, Resumed) and end == "frozen":
                first.wake()

        settings = CallSettings(
            url=vaic.url,
            conversation_id="c-1",
            speed=SPEED,
            pause_ms=PAUSE_MS,
            patience_s=PATIENCE_S * SPEED,
            limit_s=LIMIT_S * SPEED,
        )
        self.report = await place_call(settings, SCRIPT, happened, debts)


@pytest.mark.parametrize("end", ["killed", "frozen"])
def test_a_call_whose_process_is_lost_goes_on_at_another_in_the_same_state(end: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path / end)
    run(scene.play(end))
    assert (scene.report.outcome, scene.report.errors) == ("bot-disconnected", ())
    record = scene.journal.record("c-1")
    assert record is not None
    said = [turn.text for turn in record.turns if turn.role == "bot"]
    assert said.count(GREETING) == 1
    assert [QUESTION in text for text in said] == [False, True, True, False, False]
    assert record.outcome == "completed"
    assert [(task.states, task.result) for task in record.tasks] == [(BOOKED, "booked"), (("HungUp",), "hangup")]
    [appointment] = AppointmentBook(scene.database).all()
    assert appointment.starts_at in said_on(record, 1, time(10, 30))
    # What the first process had in hand when it was stopped was its last: one journal, whose epochs only go up.
    rows = scene.journal.rows("c-1")
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    epochs = [row.epoch for row in rows]
    assert epochs == sorted(epochs)
    assert set(epochs) == {1, 2}
    # What the first one spent is in the record that the second one wrote.
    responses = [row for row in rows if row.kind == "response"]
    assert {row.epoch for row in responses} == {1, 2}
    spent = Counter[str]()
    for row in responses:
        spent.update(ResponseRow.model_validate(row.body).usage)
    assert spent.total() > 0
    assert record.usage == dict(spent)
