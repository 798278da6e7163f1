"""Logging: loguru to stderr, one line per event with its fields; the standard library's loggers are routed into it.

Secrets, audio and callers' words never appear above DEBUG.
May import: gateway.log_errors, gateway.log_writer, loguru, the standard library.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from loguru import logger

from gateway.log_errors import error_frames, error_text
from gateway.log_writer import WRITER

if TYPE_CHECKING:
    from loguru import Message, Record

LogFormat = Literal["plain", "json"]
DEBUG = 10
# A shorter text is not masked as a secret: it may be an ordinary word.
SHORTEST_SECRET = 8

# Text that looks like a credential: a URL's password, a secret in a query or header, an OpenAI key. What follows
# "bearer" is one if it has a digit or is as long as a token must be: "bad or missing bearer token" is a sentence.
_SECRET = re.compile(
    r"""(?ix) (://[^/@\s:]*:) [^@\s]+ (?=@)
      | (bearer\s+ (?= [^\s'"&]*\d | [^\s'"&]{16})
        | api-key['"]?[:=]\s*['"]? | [?&][^=&\s]*(?:key|token|secret|password)[^=&\s]*=) [^\s'"&]+
      | \bsk-[\w-]{8,}"""
)

_QUERY = re.compile(r"\?[^\s#]+")


def set_up_logs(
    level: str,
    form: LogFormat = "plain",
    levels: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Write log lines of `level` and above to stderr, also for what no code catches.

    form: of a line, see docs/operations.md. levels: of modules, by dotted name; a package's holds for what is in it.
    secrets: texts that are replaced wherever they occur.
    """
    sink = _Sink(form, logger.level(level).no, {name: logger.level(each).no for name, each in (levels or {}).items()})
    _HIDDEN.texts = ()
    hide(secrets)
    logger.remove()
    WRITER.begin()
    # The format is a function, so a peer's text is never parsed as one, and no traceback is appended. `diagnose` would
    # print the values of variables, and with them audio and callers' words.
    logger.add(
        sink.write,
        level=min([sink.level, *sink.levels.values()]),
        filter=lambda record: record["level"].no >= sink.level_of(record["name"]),
        format=lambda _: "",
        backtrace=False,
        diagnose=False,
        enqueue=False,
    )
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    # websocket-client's trace dumps headers and frames; its other lines repeat ours.
    logging.getLogger("websocket").setLevel(logging.CRITICAL)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_failed


@dataclass(slots=True)
class _Hidden:
    """texts: the secrets of this process, the longest first. One tuple: lines are written on all threads."""

    texts: tuple[str, ...] = ()


_HIDDEN = _Hidden()


def hide(secrets: Iterable[str]) -> None:
    """From now on replace these texts, too, wherever they occur in a line."""
    known = {each for each in (*_HIDDEN.texts, *secrets) if len(each) >= SHORTEST_SECRET}
    _HIDDEN.texts = tuple(sorted(known, key=len, reverse=True))


def without_secrets(text: str) -> str:
    """The text with everything that looks like a credential replaced by ***: the last line of defence."""
    return _SECRET.sub(r"\1\2***", text)


def without_query(text: str) -> str:
    """A URL with its whole query replaced by ***, because any parameter may be secret."""
    return _QUERY.sub("?***", text)


@dataclass(slots=True)
class _Sink:
    """Writes events as lines. level, levels: see set_up_logs, as numbers."""

    form: LogFormat
    level: int
    levels: dict[str, int]
    _known: dict[str, int] = field(default_factory=dict)

    def level_of(self, module: str | None) -> int:
        name = module or ""
        if name not in self._known:
            parts = name.split(".")
            packages = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
            self._known[name] = next((self.levels[each] for each in packages if each in self.levels), self.level)
        return self._known[name]

    def write(self, message: Message) -> None:
        record = message.record
        fields = self._fields(record)
        text = self._clean(record["message"])
        head = record["time"].isoformat(timespec="milliseconds"), record["level"].name, record["name"] or "-"
        if self.form == "json":
            fixed = dict(zip(("time", "level", "module", "message"), (*head, text), strict=True))
            rest = {f"{key}_" if key in fixed else key: value for key, value in fields.items()}
            WRITER.write(json.dumps(fixed | rest) + "\n")  # ASCII: a lone surrogate has no UTF-8
            return
        time, level, module = head
        told = text if text.isprintable() else repr(text)
        shown = "".join(f" {key}={_quoted(value)}" for key, value in fields.items())
        WRITER.write(f"{time} {level:<7} {module}: {told}" + (f" {shown}" if shown else "") + "\n")

    def _fields(self, record: Record) -> dict[str, object]:
        frank = self.level_of(record["name"]) <= DEBUG
        fields = {key: self._value(value, frank) for key, value in record["extra"].items()}
        if (raised := record["exception"]) is not None and raised.value is not None:
            fields["error"] = self._clean(error_text(raised.value, frank))
            fields["trace"] = [self._clean(each) for each in error_frames(raised.value)]
        return fields

    def _value(self, value: object, frank: bool) -> object:
        match value:
            case None | bool() | int() | float():
                return value
            case BaseException():
                return self._clean(error_text(value, frank))
            case list() | tuple() | set() | frozenset():
                return [self._value(each, frank) for each in value]
            case _:
                return self._clean(str(value))

    def _clean(self, text: str) -> str:
        for each in _HIDDEN.texts:
            text = text.replace(each, "***")
        return without_secrets(text)


def _quoted(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)


class _ToLoguru(logging.Handler):
    """Passes the standard library's records on, under their logger's name as the module."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        text = record.getMessage()
        if record.exc_info:
            # asyncio's further lines and parentheses have the text of the exception and the arguments of callbacks.
            text = text.partition("\n")[0].partition("(")[0]

        def named(ours: Record) -> None:
            ours["name"] = record.name

        logger.patch(named).opt(exception=record.exc_info).log(level, "{}", text)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.opt(exception=(kind, error, trace)).critical("the process fails")


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    logger.opt(exception=unraisable.exc_value).error("an exception could not be raised")


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread is not None else ""
        logger.opt(exception=args.exc_value).error("a thread has failed", thread=name)
