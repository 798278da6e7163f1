"""A daemon as `run.py serve` is one, whose actors can be made to crash from outside, and which can be made to die.

python -m tests.faults.crashable --port N --ops-port N; a line "CLASS CONVERSATION" on its standard input tells that
actor of that conversation what it cannot understand: an ordinary bug of ours, in a handler. CONVERSATION "*" is any.
A line "die GAP" has the process killed when the thread of a task comes to that gap of its next effect.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from typing import Any

import pykka
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from actors.fsm_agent import FsmAgent
from gateway.daemon import run, serve
from gateway.logs import set_up_logs
from gateway.settings import read_settings
from gateway.systemd import Given


class Nonsense:
    """No mailbox takes it."""


def crash(kind: str, conversation_id: str) -> None:
    refs = pykka.ActorRegistry.get_by_class_name(kind)
    if conversation_id == "*" and refs:
        random.choice(refs).tell(Nonsense())
    for ref in refs:
        actor = ref._actor_weakref()
        side = getattr(actor, "_side", None)
        if conversation_id in (getattr(actor, "_id", ""), getattr(side, "conversation_id", ""), _task_of(actor)):
            ref.tell(Nonsense())


def _task_of(actor: object) -> str:
    context = getattr(actor, "_context", None)
    return getattr(context, "conversation_id", "")


def die_in(gap: str) -> None:
    """gap: one of those named below, in their order."""

    def here(place: str) -> None:
        # Pykka names the thread of an actor by its class. The journal has transactions of its own.
        if place == gap and threading.current_thread().name.startswith(FsmAgent.__name__):
            os.kill(os.getpid(), signal.SIGKILL)

    @event.listens_for(Engine, "begin")
    def _begun(_: Any) -> None:
        here("before the intent")

    @event.listens_for(Engine, "after_cursor_execute")
    def _executed(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO effect"):
            here("between the intent and the effect")
        elif statement.startswith("INSERT INTO appointment"):
            here("between the effect and its log")
        elif statement.startswith("UPDATE effect"):
            here("between the log and the commit")

    @event.listens_for(Pool, "checkin")
    def _given_back(*_: Any) -> None:
        here("between the commit and the answer")


async def _main(port: int, ops_port: int) -> None:
    settings = read_settings(port=port, ops_port=ops_port)
    set_up_logs(settings.log_level)
    told = asyncio.create_task(_listen())
    await serve(settings, Given())
    told.cancel()


async def _listen() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        what, _, whom = line.decode().strip().partition(" ")
        die_in(whom) if what == "die" else crash(what, whom)


if __name__ == "__main__":
    run(_main(int(sys.argv[2]), int(sys.argv[4])))
