"""A proxy that spoils what a Realtime server says: the engine behind it keeps the rules, the client sees a fault.

May import: websockets, the standard library.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Event = dict[str, Any]
Spoilt = Iterable[Event | bytes | int]  # an integer is a close code
MINE = {"event_id": "event_of_the_proxy"}


def as_it_is(event: Event) -> Spoilt:
    return [event]


@dataclass(frozen=True)
class ServerFault:
    """scene: of the probe's, that shows it. sends: what the client gets in place of an event.

    hears: what the client gets at once for its own event, which then goes no further. upgrades: how many succeed.
    """

    scene: str
    sends: Callable[[Event], Spoilt] = as_it_is
    hears: Callable[[Event], Spoilt] | None = None
    patience_s: float = 60.0
    upgrades: int = 1000


@asynccontextmanager
async def spoiling(engine_url: str, fault: ServerFault) -> AsyncIterator[str]:
    """The URL of a proxy before that server."""
    upgrades = 0

    def upgrade(socket: ServerConnection, _request: Request) -> Response | None:
        nonlocal upgrades
        upgrades += 1
        return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "") if upgrades > fault.upgrades else None

    async def opened(client: ServerConnection) -> None:
        headers = {"Authorization": "Bearer any"}
        async with connect(
            f"{engine_url}?model=any", additional_headers=headers, compression=None, max_size=None
        ) as server:
            back = asyncio.ensure_future(_back(server, client, fault))
            try:
                async for text in client:
                    event = _event(text)
                    answer = None if fault.hears is None else [*fault.hears(event)]
                    if answer:
                        await _put(client, answer)
                    else:
                        await server.send(text)
            except ConnectionClosed:
                pass
            finally:
                back.cancel()

    async with serve(
        opened, "127.0.0.1", 0, compression=None, process_request=upgrade, max_size=None, close_timeout=1
    ) as listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def _back(server: ClientConnection, client: ServerConnection, fault: ServerFault) -> None:
    try:
        async for text in server:
            await _put(client, fault.sends(json.loads(text)))
    except ConnectionClosed:
        pass


async def _put(client: ServerConnection, what: Spoilt) -> None:
    for each in what:
        match each:
            case int():
                await client.close(each)
            case bytes():
                await client.send(each)
            case _:
                await client.send(json.dumps(each))


def _event(text: str | bytes) -> Event:
    try:
        event = json.loads(text)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


# --- kinds of faults ---


def drops(*kinds: str) -> Callable[[Event], Spoilt]:
    return lambda event: [] if event["type"] in kinds else [event]


def adds(kind: str, make: Callable[[Event], Event], *, before: bool = False) -> Callable[[Event], Spoilt]:
    """Another event is sent with each of this type."""

    def sends(event: Event) -> Spoilt:
        if event["type"] != kind:
            return [event]
        more = {**MINE, **make(event)}
        return [more, event] if before else [event, more]

    return sends


def changes(kind: str, *path: str, to: object) -> Callable[[Event], Spoilt]:
    """A field of the events of this type has another value."""

    def sends(event: Event) -> Spoilt:
        return [_changed(event, path, to) if event["type"] == kind else event]

    return sends


def _changed(value: Any, path: tuple[str, ...], to: object) -> Any:
    if not path:
        return to
    step, *rest = path
    inside = value if isinstance(value, Mapping) else {}
    return {**inside, step: _changed(inside.get(step), tuple(rest), to)}
