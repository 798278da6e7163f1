"""A daemon as `run.py serve` is one, whose actors can be made to crash from outside.

python -m tests.faults.crashable --port N --ops-port N; a line "CLASS CONVERSATION" on its standard input tells that
actor of that conversation what it cannot understand: an ordinary bug of ours, in a handler. CONVERSATION "*" is any.
"""

from __future__ import annotations

import asyncio
import random
import sys

import pykka

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
        crash(*line.decode().split())


if __name__ == "__main__":
    run(_main(int(sys.argv[2]), int(sys.argv[4])))
