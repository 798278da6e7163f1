"""The daemon's record of a call, fetched from its ops endpoint: what was said in words, and which tasks ran.

Read tolerantly: it is another program's, and may grow.
May import: aiohttp, pydantic, the standard library.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

_LIMIT_S = 5.0
_POLL_S = 0.1


class RecordedTurn(BaseModel):
    """One turn as the daemon has it; times in ms of the call, by the daemon's clock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: str
    text: str | None = None
    began_ms: float | None = None
    heard_ms: float | None = None


class RecordedTask(BaseModel):
    """One run of a task: the states it went through, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    agent: str
    run_id: str | None = None
    states: tuple[str, ...] = ()
    result: Any = None


class DaemonRecord(BaseModel):
    """What of the daemon's record a call report is made of."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    turns: tuple[RecordedTurn, ...] = ()
    tasks: tuple[RecordedTask, ...] = ()
    errors: tuple[Any, ...] = ()
    usage: Any = None


async def fetch_record(ops_url: str, conversation_id: str, limit_s: float = _LIMIT_S) -> DaemonRecord | None:
    """The record of a call that has just ended, or None when there is none, or none that can be read, within `limit_s`.

    ops_url: of the daemon's ops endpoint, without a path.
    """
    url = f"{ops_url.rstrip('/')}/calls/{quote(conversation_id, safe='')}"
    try:
        async with asyncio.timeout(limit_s), aiohttp.ClientSession() as session:
            while True:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return DaemonRecord.model_validate_json(await answer.read())
                await asyncio.sleep(_POLL_S)  # the daemon writes records in batches
    except (TimeoutError, aiohttp.ClientError, ValidationError):
        return None
