"""A process that carries out a task's yes and kills itself in one of the gaps; the next goes on from what was saved.

python -m tests.actors.killed DATABASE_URL FOLDER local|remote GAP
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event

from actors.effects import EffectDesk
from fsm.answer import Snapshot
from fsm.effects import EffectRequest, EffectResult, Local, Ok, Remote, TaskContext
from fsm.run import TaskRun
from store.appointments import book
from store.database import open_database
from tests.fsm.tables import table

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def main(url: str, folder: Path, kind: str, gap: str) -> None:
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
        (folder / f"done-{request.key}").touch()  # somebody else's system, which tells doubles by the key
        here("after the effect")
        return Ok()

    engine = open_database(url)

    @event.listens_for(engine, "after_cursor_execute")
    def _after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO effect"):
            here("after the intent")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        here("before the intent")

    spec = table(effects={"pizza.bake": Local(locally) if kind == "local" else Remote(remotely, recover="retry")})
    context = TaskContext("c-1", "t1", "", lambda: AT)
    effects = EffectDesk(engine, {spec.name: spec}, lambda: AT)
    saved = folder / "snapshot.json"
    if saved.exists():
        run = TaskRun.restore(spec, context, effects, Snapshot.model_validate_json(saved.read_text()))
    else:
        run = TaskRun(spec, context, effects)
        run.open('{"size": "small", "count": 3, "note": "no olives", "crisp": true}')
        saved.write_text(run.snapshot().model_dump_json())
    answer = run.call("order_pizza_confirm", '{"yes": true}')
    here("after the outcome")
    after = run.snapshot().model_dump_json()
    here("after the answer")
    saved.write_text(after)
    sys.stdout.write(answer.output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4])
