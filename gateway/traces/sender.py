"""Sends the traces of calls that have ended, from the store, on a thread of its own: no call ever waits for it.

What the collector does not take in time is dropped and counted; `tieline traces send` sends it again.
May import: actors' rows and metrics, gateway, http_tools.trace_context, protocols, store, loguru, SQLAlchemy, the
standard library.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from loguru import logger
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from actors.messages.journal_rows import decode
from actors.metrics import TRACES
from gateway.settings import (
    Settings,
    SettingsError,
    TraceSettings,
    provider_of,
    traces_headers,
    traces_url,
    variable_of,
)
from gateway.traces.spans import Trace, trace_of
from http_tools.trace_context import TraceIds
from protocols.sealing import KeyMissing
from store import effect_log
from store.causes import code_of
from store.data_keys import KeyGone
from store.database import reading
from store.journal import Journal
from store.rows import UnreadableRow

# Calls that wait while the collector does not answer; more are dropped, the oldest first.
MOST_WAITING = 5000
# Spans in one request, about a megabyte without words; a call is not divided.
BATCH_SPANS = 2000
# The process ends: how long what waits may take.
LEAVE_S = 5.0
_PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Export(Protocol):
    """Where traces go; see OtlpExport."""

    def send(self, traces: Sequence[Trace]) -> str: ...
    def stop(self) -> None: ...


def missing_extra(settings: Settings | TraceSettings) -> str:
    """What is wrong if traces are to be sent and cannot be made; "" if nothing is."""
    if not settings.otlp_url:
        return ""
    try:
        there = all(find_spec(package) for package in _PACKAGES)
    except ModuleNotFoundError:  # of a parent
        there = False
    return "" if there else f"{variable_of('otlp_url')}: needs OpenTelemetry's SDK: pip install 'tieline[otel]'"


def export_of(settings: Settings | TraceSettings) -> Export:
    """The collector of the settings. Raises: SettingsError without the extra."""
    if missing := missing_extra(settings):
        raise SettingsError([missing])
    from gateway.traces.export import OtlpExport  # noqa: PLC0415 - an extra

    return OtlpExport(traces_url(settings), traces_headers(settings))


@dataclass(frozen=True, slots=True)
class TraceReader:
    """Makes traces from the store. provider, words: see trace_of."""

    engine: Engine
    ids: TraceIds
    provider: str
    words: bool

    @classmethod
    def of(cls, settings: Settings | TraceSettings, engine: Engine) -> TraceReader:
        ids = TraceIds(settings.trace_key.get_secret_value())
        return cls(engine, ids, provider_of(settings), settings.trace_words)

    def trace(self, key: str) -> Trace | None:
        """The trace of a call that has ended; None if there is none.

        Raises: UnreadableRow, KeyMissing, KeyGone, SQLAlchemy's errors.
        """
        journal = Journal(self.engine)
        record = journal.record(key)
        if record is None:
            return None
        entries = [decode(row) for row in journal.rows(key)]
        with reading(self.engine) as connection:
            effects = effect_log.of_call(connection, key)
        return trace_of(record, entries, effects, ids=self.ids, provider=self.provider, words=self.words)


class TraceSender:
    """`put` from any thread; `start` once, `leave` at the end."""

    def __init__(self, reader: TraceReader, export: Export) -> None:
        self._reader = reader
        self._export = export
        self._waiting: deque[str] = deque()  # calls, by key
        self._changed = threading.Condition()
        self._leaving = False
        self._refused = ""  # why the collector did not take the last ones
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, key: str) -> None:
        """A call has ended, and its record is stored."""
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                self._waiting.popleft()
                TRACES.labels("dropped").inc()
            self._waiting.append(key)
            self._changed.notify()

    def leave(self) -> None:
        """Send what waits, if that does not take long; the rest is dropped."""
        with self._changed:
            self._leaving = True
            self._changed.notify()
        self._thread.join(LEAVE_S)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        self._export.stop()
        if left:
            TRACES.labels("dropped").inc(left)
            logger.warning("the process ends: traces of calls are dropped", calls=left)

    def _run(self) -> None:
        while (trace := self._next(wait=True)) is not None:
            batch, spans = [trace], len(trace.spans)
            while spans < BATCH_SPANS and (trace := self._next(wait=False)) is not None:
                batch.append(trace)
                spans += len(trace.spans)
            self._send(batch)

    def _next(self, *, wait: bool) -> Trace | None:
        """The trace of the call that has waited longest; None if none waits and, with wait, the process ends."""
        while True:
            with self._changed:
                while wait and not self._waiting and not self._leaving:
                    self._changed.wait()
                if not self._waiting:
                    return None
                key = self._waiting.popleft()
            if (trace := self._made(key)) is not None:
                return trace

    def _made(self, key: str) -> Trace | None:
        log = logger.bind(conversation=key)
        try:
            return self._reader.trace(key)
        except (SQLAlchemyError, UnreadableRow) as error:
            log.warning("the trace of a call cannot be made", reason=code_of(error))
        except (KeyMissing, KeyGone) as error:
            log.warning("the trace of a call cannot be made", reason=str(error))
        except Exception:
            log.exception("the trace of a call cannot be made")
        TRACES.labels("failed").inc()
        return None

    def _send(self, batch: Sequence[Trace]) -> None:
        try:
            refused = self._export.send(batch)
        except Exception as error:  # noqa: BLE001 - another library's: the thread goes on
            refused = repr(error)
        TRACES.labels("dropped" if refused else "sent").inc(len(batch))
        if refused and not self._refused:
            log = logger.bind(conversation=batch[0].key)
            log.warning("the collector does not take traces: they are dropped", reason=refused, calls=len(batch))
        elif self._refused and not refused:
            logger.info("the collector takes traces again")
        self._refused = refused
