"""Sends traces by OTLP/HTTP, with OpenTelemetry's SDK: the extra `tieline[otel]`, imported only where traces are sent.

May import: gateway.logs, gateway.traces, opentelemetry, the standard library.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.logs import without_query, without_secrets
from gateway.traces.spans import Trace, TraceSpan

# How long one request is tried: again after 1, 2, 4, 8 and 16 s, while nobody listens, or at 429, 502, 503 and 504.
SEND_LIMIT_S = 40.0
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OtlpExport:
    """For one thread; `stop` for any. url: whole, as http://collector:4318/v1/traces. headers: of each request."""

    def __init__(self, url: str, headers: Mapping[str, str], limit_s: float = SEND_LIMIT_S) -> None:
        self._exporter = OTLPSpanExporter(url, headers=dict(headers) or None, timeout=limit_s)
        release = version("tieline")
        self._resource = Resource.create({SERVICE_NAME: "tieline", SERVICE_VERSION: release})
        self._scope = InstrumentationScope("tieline", release)
        # The exporter tells only its log why something was not taken, and that again at each try.
        self._said = _LastWord()
        trace_exporter._logger.addFilter(self._said)  # noqa: SLF001 - its own module's name, by which others may find it

    def send(self, traces: Sequence[Trace]) -> str:
        """Returns "" if the collector has them all, else why not."""
        self._said.forget()
        spans = [self._span(trace, span) for trace in traces for span in trace.spans]
        if self._exporter.export(spans) is SpanExportResult.SUCCESS:
            return ""
        return self._said.text or "it was not taken"

    def stop(self) -> None:
        """Try no more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]
        trace_exporter._logger.removeFilter(self._said)  # noqa: SLF001 - as above

    def _span(self, trace: Trace, span: TraceSpan) -> ReadableSpan:
        def context(span_id: int) -> SpanContext:
            return SpanContext(trace.trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

        return ReadableSpan(
            span.name,
            context(span.span_id),
            None if span.parent_id is None else context(span.parent_id),
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(each.name, each.attributes, _ns(each.at)) for each in span.events],
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=_ns(span.began),
            end_time=_ns(span.ended),
            instrumentation_scope=self._scope,
        )


class _LastWord(logging.Filter):
    """Keeps what was logged last, and lets nothing through. text: without what a query may hold."""

    def __init__(self) -> None:
        super().__init__()
        self.text = self._passing = ""

    def forget(self) -> None:
        self.text = self._passing = ""

    def filter(self, record: logging.LogRecord) -> bool:
        said = without_secrets(without_query(record.getMessage()))
        if record.levelno < logging.ERROR:
            self._passing = said  # of a try that is repeated: the last error does not name the cause
        else:
            self.text = " ".join(filter(None, (said, self._passing)))
        return False


def _ns(at: datetime) -> int:
    """Since 1970, exact to the microsecond."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000
