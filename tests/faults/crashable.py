"""A daemon like `tieline serve`, whose actors can be crashed, and which can be killed at a given point, from outside.

python -m tests.faults.crashable --port N --ops-port N. A line "CLASS CONVERSATION [WAY]" on its standard input ends
that actor of that conversation by: "bug" (a message it does not understand, so that a handler raises), "exit",
"interrupt", "full" (its mailbox) or "stop". CONVERSATION "*" is any. A line "count FILE" writes there what is alive; a
line "die GAP" has the process killed when a task's thread reaches that gap of its next effect; a line "clock SECONDS"
sets the process's wall clock so far ahead of the machine's.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pykka
from pydantic import BaseModel
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from actors.system.actor import _OwnTimer
from actors.system.address import send
from actors.tasks.agent import FsmAgent
from gateway.daemon import run, serve
from gateway.logs import set_up_logs
from gateway.settings import read_settings
from gateway.systemd import InheritedSockets


class Nonsense:
    """A message that no actor understands."""


class _Trap:
    """Raises when its class is looked up, which a handler does first. Only once: later ones are not the handler's."""

    def __init__(self) -> None:
        self._set = True

    def spring(self) -> None:
        """Raise."""

    @property  # type: ignore[misc]  # on purpose
    def __class__(self) -> type:
        if self._set:
            self._set = False
            self.spring()
        return type(self)


class Exits(_Trap):
    def spring(self) -> None:
        sys.exit(3)


class Interrupts(_Trap):
    def spring(self) -> None:
        raise KeyboardInterrupt


WAYS: dict[str, type] = {"bug": Nonsense, "exit": Exits, "interrupt": Interrupts}


class Census(BaseModel):
    """What is alive in a process. actors: by class. threads: by their actors' names. timers: of actors."""

    actors: dict[str, int]
    threads: dict[str, int]
    timers: int


def crash(kind: str, conversation_id: str, way: str = "bug") -> None:
    refs = pykka.ActorRegistry.get_by_class_name(kind)
    if conversation_id == "*" and refs:
        end(random.choice(refs), way)
    for ref in refs:
        actor = ref._actor_weakref()
        config = getattr(actor, "_config", None)
        if conversation_id in (getattr(actor, "_id", ""), getattr(config, "conversation_id", ""), _task_of(actor)):
            end(ref, way)


def end(ref: pykka.ActorRef[Any], way: str) -> None:
    match way:
        case "stop":
            ref.stop(block=False)
        case "full":
            for _ in range(ref.actor_class.max_messages + 1):
                send(ref, Nonsense())
        case _:
            send(ref, WAYS[way]())  # it may have just died of another one


def census() -> Census:
    gc.collect()
    named = (each.name.partition("-") for each in threading.enumerate())
    timers = [each for each in gc.get_objects() if type(each) is _OwnTimer]
    return Census(
        actors=Counter(ref.actor_class.__name__ for ref in pykka.ActorRegistry.get_all()),
        threads=Counter(name for name, dash, _ in named if dash),
        timers=sum(each in each._actor._timers for each in timers),
    )


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


class WallClock:
    """For all threads. ahead: of the machine's."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def _main(port: int, ops_port: int) -> int:
    settings = read_settings(port=port, ops_port=ops_port)
    set_up_logs(settings.log_level)
    clock = WallClock()
    told = asyncio.create_task(_listen(clock))
    code = await serve(settings, InheritedSockets(), clock)
    told.cancel()
    return code


async def _listen(clock: WallClock) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        match line.decode().strip().split(" "):
            case ["count", file]:
                Path(file).write_text(census().model_dump_json())  # noqa: ASYNC240 - a few bytes
            case ["die", *gap]:
                die_in(" ".join(gap))
            case ["clock", seconds]:
                clock.ahead = timedelta(seconds=float(seconds))
            case words:
                crash(*words)


if __name__ == "__main__":
    sys.exit(run(_main(int(sys.argv[2]), int(sys.argv[4]))))
