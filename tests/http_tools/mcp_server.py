"""A real MCP server on a port of loopback, in a thread of its own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Image, MCPServer
from mcp.types import ToolAnnotations
from starlette.types import Message, Receive, Scope, Send

from tests.pictures import jpeg, png

READS = ToolAnnotations(read_only_hint=True)


@dataclass
class Served:
    """received: each message with its HTTP headers. tickets: for what something was done. wait: ends `hang`."""

    server: MCPServer
    url: str = ""
    received: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)
    wait: threading.Event = field(default_factory=threading.Event)
    both: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def methods(self) -> list[str]:
        return [message["method"] for message, _ in self.received]

    def headers_of(self, method: str) -> list[dict[str, str]]:
        return [headers for message, headers in self.received if message["method"] == method]


def _with_tools(served: Served) -> None:
    server = served.server

    @server.tool()
    def callback(topic: str, number: str = "") -> dict[str, str]:
        served.tickets.append(topic)
        return {"id": f"T-{len(served.tickets)}"}

    @server.tool()
    def refuse(topic: str) -> str:
        raise RuntimeError(f"nobody for {topic}")

    @server.tool()
    def hang(topic: str) -> str:
        served.tickets.append(topic)
        served.wait.wait()
        return "late"

    @server.tool(annotations=READS)
    def meet(topic: str) -> str:
        served.both.wait(60)
        return topic

    @server.tool(annotations=READS)
    def price(what: str) -> dict[str, float]:
        return {"price": 12.5}

    @server.tool(annotations=READS)
    def photos(what: str) -> list[str | Image]:
        return [f'{{"state": "{what}"}}', Image(data=png()), Image(data=jpeg(), format="jpeg")]


@contextmanager
def mcp_server() -> Iterator[Served]:
    """A server with the tools above."""
    served = Served(MCPServer("crm", log_level="CRITICAL"))
    _with_tools(served)
    inner = served.server.streamable_http_app(host="localhost")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope.get("headers", ())}

        async def read() -> Message:
            message = await receive()
            if message["type"] == "http.request" and message.get("body"):
                served.received.append((json.loads(message["body"]), headers))
            return message

        await inner(scope, read, send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        served.url = f"http://localhost:{listener.getsockname()[1]}/mcp"
        runner = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.wait.set()
            runner.should_exit = True
            thread.join()
