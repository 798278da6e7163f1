"""Logging: loguru to stderr, one line per event with its fields; the standard library's loggers are routed into it.

Secrets, audio and callers' words never appear above DEBUG.
May import: gateway.log_writer, loguru, the standard library.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from loguru import logger

from gateway.log_writer import WRITER

if TYPE_CHECKING:
    from loguru import Message, Record

# Text that looks like a credential: a URL's password, a secret in a query or header, an OpenAI key.
_SECRET = re.compile(
    r"""(?ix) (://[^/@\s:]*:) [^@\s]+ (?=@)
      | (bearer\s+ | api-key['"]?[:=]\s*['"]? | [?&][^=&\s]*(?:key|token|secret|password)[^=&\s]*=) [^\s'"&]+
      | \bsk-[\w-]{8,}"""
)


def set_up_logs(level: str) -> None:
    """Write log lines of `level` and above to stderr."""
    logger.remove()
    WRITER.begin()
    # `diagnose` would print the values of variables, and with them audio and callers' words.
    logger.add(_write, level=level, format="", backtrace=False, diagnose=False, enqueue=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    # websocket-client's trace dumps headers and frames; its other lines repeat ours.
    logging.getLogger("websocket").setLevel(logging.CRITICAL)


def without_secrets(text: str) -> str:
    """The text with everything that looks like a credential replaced by ***: the last line of defence."""
    return _SECRET.sub(r"\1\2***", text)


def _write(message: Message) -> None:
    # The format is empty, so a peer's text is never parsed as a format; `message` is the traceback alone.
    WRITER.write(_line(message.record) + without_secrets(message))


def _line(record: Record) -> str:
    fields = " ".join(f"{key}={_field(value)}" for key, value in record["extra"].items())
    message = without_secrets(record["message"])
    if not message.isprintable():
        message = repr(message)
    text = f"{record['time']:YYYY-MM-DDTHH:mm:ss.SSS} {record['level'].name:<7} {record['name']}: {message}"
    return f"{text}  {fields}" if fields else text


def _field(value: object) -> str:
    text = without_secrets(str(value))
    return text if text and text.isprintable() and " " not in text else repr(text)


class _ToLoguru(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())
