"""A tap on a WebSocket line: relays all messages, and records their order and times."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Socket = ClientConnection | ServerConnection


@dataclass(frozen=True, slots=True)
class Passed:
    """One message. at_ms: of the loop's clock. sender, to: "vaic", "daemon" or "model". port: the dialling side has
    it at his end.
    """

    at_ms: float
    port: int
    sender: str
    to: str
    frame: dict[str, Any]

    @property
    def kind(self) -> str:
        """The message's type; for activities, the name of the first."""
        activities = self.frame.get("activities")
        return str(activities[0].get("name") or activities[0]["type"] if activities else self.frame["type"])


def _look_away(_: Passed) -> None:
    pass


@dataclass
class Line:
    """The messages that passed the taps of one practice, in order. watch: called with each before it is relayed."""

    passed: list[Passed] = field(default_factory=list)
    watch: Callable[[Passed], None] = _look_away

    def of(self, sender: str, to: str, *kinds: str) -> list[Passed]:
        """The messages from one side to another, of some kinds or all."""
        return [
            each for each in self.passed if (each.sender, each.to) == (sender, to) and (not kinds or each.kind in kinds)
        ]


def at_the(number: int, kind: str, do: Callable[[], object]) -> Callable[[Passed], None]:
    """Watch a line for the n-th message of a kind, and act before it is relayed."""
    seen: Counter[str] = Counter()

    def watch(passed: Passed) -> None:
        seen[passed.kind] += 1
        if passed.kind == kind and seen[kind] == number:
            do()

    return watch


class Debts:
    """Whether the bot is about to say something to its only caller, judged by the taps at the models.

    For a caller that waits until the bot has finished instead of a fixed time: on a busy machine the bot may take any
    time to answer, and say "one moment" before. taps: of all processes that may have the call. What passed before is
    an earlier call's.
    """

    def __init__(self, *taps: Tap) -> None:
        self._taps = taps
        self._read = [len(tap.line.passed) for tap in taps]
        self._ready: set[int] = set()
        self._owed = True

    def __call__(self) -> bool:
        """True until a session is set up, and until each turn and function output is answered in words."""
        unread = [tap.line.passed[read:] for tap, read in zip(self._taps, self._read, strict=True)]
        self._read = [read + len(each) for read, each in zip(self._read, unread, strict=True)]
        for passed in sorted(itertools.chain.from_iterable(unread), key=lambda each: each.at_ms):
            self._take(passed)
        open_ports = {client.remote_address[1] for tap in self._taps for client in tap.clients}
        return self._owed or not self._ready & open_ports

    def moved(self) -> None:
        """The call moves to another process: the sessions so far no longer count."""
        self()
        self._ready.clear()

    def _take(self, passed: Passed) -> None:
        response = passed.frame.get("response") or {}
        match passed.kind:
            case "session.updated":
                self._ready.add(passed.port)
            case "input_audio_buffer.committed":
                self._owed = True
            case "response.create" if response.get("conversation") != "none":
                self._owed = True
            case "response.done" if response["conversation_id"] and response["status"] == "completed":
                self._owed = any(item["type"] == "function_call" for item in response["output"])


class Tap:
    """Listens on a port of its own, and dials the target once for each who comes. clients: who is there, in order.
    line: what passed.

    refusals: how many more who come are refused, with 503. target: may be changed for those who come later.
    """

    def __init__(self, target: str, line: Line, *, client: str, server: str) -> None:
        self.target = target
        self.line = line
        self._client, self._server = client, server
        self._listening: Server | None = None
        self.clients: list[ServerConnection] = []
        self.refusals = 0

    async def __aenter__(self) -> Self:
        self._listening = await serve(
            self._come,
            "127.0.0.1",
            0,
            process_request=self._let_in,
            compression=None,
            max_size=None,
            close_timeout=1,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listening is not None
        self._listening.close()
        await self._listening.wait_closed()

    @property
    def url(self) -> str:
        """The URL to connect to instead of the target."""
        assert self._listening is not None
        port = next(iter(self._listening.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}{urlsplit(self.target).path}"

    def cut(self) -> None:
        """Drop all open connections without a close frame."""
        for client in self.clients:
            client.transport.abort()

    def _let_in(self, client: ServerConnection, _: Request) -> Response | None:
        if self.refusals == 0:
            return None
        self.refusals -= 1
        return client.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Not now.\n")

    async def _come(self, client: ServerConnection) -> None:
        assert client.request is not None
        target = urlsplit(self.target)
        url = f"{target.scheme}://{target.netloc}{client.request.path}"
        token = client.request.headers.get("Authorization")
        headers = {"Authorization": token} if token else None
        self.clients.append(client)
        try:
            server = await connect(url, additional_headers=headers, compression=None, max_size=None, close_timeout=1)
            await asyncio.gather(
                self._pass_on(client, server, self._client, self._server, client.remote_address[1]),
                self._pass_on(server, client, self._server, self._client, client.remote_address[1]),
            )
        finally:
            self.clients.remove(client)

    async def _pass_on(self, source: Socket, sink: Socket, sender: str, to: str, port: int) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in source:
                passed = Passed(asyncio.get_running_loop().time() * 1000, port, sender, to, json.loads(message))
                self.line.passed.append(passed)
                self.line.watch(passed)
                await sink.send(message)
        if source.close_code in (None, 1006):
            sink.transport.abort()
        else:
            await sink.close(source.close_code, source.close_reason or "")
