"""Processes that carry out a task's effect and may kill themselves at a given point; the next one continues.

python -m tests.actors.killed reads a line of JSON for each set of concurrent processes, with the arguments of `main`
for each, and prints their exit codes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from actors.tasks.effect_runner import EffectRunner
from appointments.bookings import book
from fsm.answer import Snapshot
from fsm.effects import EffectRequest, EffectResult, Local, Ok, Remote, TaskContext
from fsm.run import TaskRun
from store.database import open_database
from tests.actors.bots import OneWith
from tests.fsm.tables import table

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def main(url: str, folder: str, kind: str, gap: str, holder: str, answer_file: str) -> None:
    """kind: "local", or how a remote effect recovers. gap: where to die.

    holder: the process whose snapshot to continue from. answer_file: receives the output for the model.
    """

    def here(place: str) -> None:
        if place == gap:
            os.kill(os.getpid(), signal.SIGKILL)

    def locally(request: EffectRequest, connection: Any) -> EffectResult:
        here("in the effect")
        book(connection, resource="oven", starts_at=AT, duration_min=5, caller="", conversation_id="c-1",
             effect_key=request.key)  # fmt: skip
        here("after the effect")
        return Ok()

    def remotely(request: EffectRequest) -> EffectResult:
        here("in the effect")
        (Path(folder) / f"done-{request.key}").touch()  # a remote system, which drops duplicates by the key
        here("after the effect")
        return Ok()

    engine = open_database(url)

    @event.listens_for(engine, "after_cursor_execute")
    def _after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO effect"):
            here("in the intent")

    @event.listens_for(engine, "commit")
    def _commit(connection: Any) -> None:
        here("before the first commit")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        here("before the intent")

    effect = Local(locally) if kind == "local" else Remote(remotely, recover="retry" if kind == "retry" else "human")
    spec = table(effects={"pizza.bake": effect})
    context = TaskContext("c-1", "t1", "", lambda: AT)
    effects = EffectRunner(engine, OneWith({spec.name: spec}), lambda: AT)
    saved = Path(folder) / f"{holder}.snapshot"
    if saved.exists():
        run = TaskRun.restore(spec, context, effects, Snapshot.model_validate_json(saved.read_text()))
    else:
        run = TaskRun(spec, context, effects)
        run.open('{"size": "small", "count": 3, "note": "no olives", "crisp": true}')
        _write(saved, run.snapshot().model_dump_json())
    answer = run.call("order_pizza_confirm", '{"yes": true}')
    here("after the outcome")
    _write(saved, run.snapshot().model_dump_json())
    here("after the snapshot")
    _write(Path(folder) / answer_file, answer.output)
    here("after the answer")


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(text)
    part.rename(path)


def _child(arguments: list[str], start: int) -> None:
    try:
        os.read(start, 1)
        main(*arguments)
        os._exit(0)
    finally:  # it must not come back into the loop of its parent, whatever happened
        traceback.print_exc()
        os._exit(1)


def serve() -> None:
    """Fork the processes: starting a new one would take half a second."""
    for line in sys.stdin:
        held, start = os.pipe()
        children = []
        for arguments in json.loads(line):
            child = os.fork()
            if child == 0:
                os.close(start)
                _child(arguments, held)
            children.append(child)
        os.close(held)
        os.close(start)  # now they begin, all at once
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
