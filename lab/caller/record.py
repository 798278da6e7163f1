"""The daemon's record of a call, fetched from its ops endpoint: the transcript and the tasks.

Unknown fields are ignored, because the record may grow.
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
# The outcome of a call that has none yet.
OPEN = "open"


class RecordedTurn(BaseModel):
    """One turn; times in ms of the call, by the daemon's clock."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: str
    text: str | None = None
    began_ms: float | None = None
    heard_ms: float | None = None


class RecordedTask(BaseModel):
    """One run of a task: its states and its result."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    agent: str
    run_id: str | None = None
    states: tuple[str, ...] = ()
    result: Any = None


class DaemonRecord(BaseModel):
    """The part of the daemon's record that a call report uses."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    turns: tuple[RecordedTurn, ...] = ()
    tasks: tuple[RecordedTask, ...] = ()
    errors: tuple[Any, ...] = ()
    usage: Any = None
    outcome: str | None = None


async def fetch_record(
    ops_url: str, conversation_id: str, token: str = "", limit_s: float = _LIMIT_S
) -> DaemonRecord | None:
    """The record of a call that has just ended; None if no readable record appears within `limit_s`.

    One whose outcome is still "open" is the last resort. ops_url: of the daemon's ops endpoint, without a path.
    token: for it, "" if it needs none.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{ops_url.rstrip('/')}/calls/{quote(conversation_id, safe='')}"
    record: DaemonRecord | None = None
    try:
        async with asyncio.timeout(limit_s), aiohttp.ClientSession(headers=headers) as session:
            while True:
                async with session.get(url) as answer:
                    if answer.status == 200:
                        record = DaemonRecord.model_validate_json(await answer.read())
                        if record.outcome != OPEN:
                            return record
                await asyncio.sleep(_POLL_S)  # the daemon writes records in batches
    except (TimeoutError, aiohttp.ClientError, ValidationError):
        return record
