"""A collector: a real OTLP/HTTP receiver, which decodes what it is sent by OpenTelemetry's own messages."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

LIMIT_S = 60


@dataclass
class Collector:
    """statuses: how it answers one request after another; then 200. spans: of the requests that it took, in order."""

    statuses: list[int] = field(default_factory=list)
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    resource: dict[str, object] = field(default_factory=dict)
    spans: list[SpanMessage] = field(default_factory=list)
    _arrival: threading.Condition = field(default_factory=threading.Condition)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        told = ExportTraceServiceRequest.FromString(body)
        status = self.statuses.pop(0) if self.statuses else 200
        with self._arrival:
            self.requests.append({**request.headers, "path": request.path, "status": str(status)})
            if status == 200:
                for group in told.resource_spans:
                    self.resource = {each.key: plain(each.value) for each in group.resource.attributes}
                    self.spans += [span for scope in group.scope_spans for span in scope.spans]
            self._arrival.notify_all()
        headers = {"Content-Type": "application/x-protobuf"} | ({"Retry-After": "0"} if status == 503 else {})
        return web.Response(status=status, body=ExportTraceServiceResponse().SerializeToString(), headers=headers)

    def calls(self) -> list[SpanMessage]:
        """The spans of whole calls."""
        return [span for span in self.spans if not span.parent_span_id]

    def has_calls(self, number: int) -> None:
        """Wait for the traces of so many calls."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self.calls()) >= number, LIMIT_S), self.requests

    def has_requests(self, number: int) -> None:
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self.requests) >= number, LIMIT_S), self.requests


@contextmanager
def collector(*statuses: int) -> Iterator[Collector]:
    """A collector on a thread of its own, so that a test may wait for it as it likes."""
    there = Collector([*statuses])
    loop, started = asyncio.new_event_loop(), threading.Event()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/{path:.*}", there.receive)
        runners.append(web.AppRunner(app, shutdown_timeout=0.1))
        await runners[0].setup()
        site = web.TCPSite(runners[0], "127.0.0.1", 0)
        await site.start()
        (address,) = runners[0].addresses
        there.url = f"http://127.0.0.1:{address[1]}"
        started.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runners[0].cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(LIMIT_S)
    try:
        yield there
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT_S)


def plain(value: AnyValue) -> object:
    """A value of an attribute."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(plain(each) for each in value.array_value.values)
    return None if kind is None else getattr(value, kind)


def told(span: Span | Span.Event) -> dict[str, object]:
    """The attributes of a span or an event."""
    pairs: list[KeyValue] = list(span.attributes)
    return {each.key: plain(each.value) for each in pairs}


def tree(spans: list[Span], parent: bytes = b"", depth: int = 0) -> list[str]:
    """The names of spans, each below its parent and deeper by two blanks."""
    lines = []
    for span in sorted(spans, key=lambda each: (each.start_time_unix_nano, each.end_time_unix_nano)):
        if span.parent_span_id == parent:
            lines.append("  " * depth + span.name)
            lines += tree(spans, span.span_id, depth + 1)
    return lines
