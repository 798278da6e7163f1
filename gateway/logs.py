"""Logging: loguru to stderr, one line an event with its fields; the standard library's loggers are routed into it.

May import: loguru, the standard library. Secrets, audio and callers' words never appear above DEBUG.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

# Last line of defence: what looks like a credential is not written, wherever it came from.
_SECRET = re.compile(r"(?i)(bearer\s+|api-key['\"]?[:=]\s*['\"]?)[^\s'\"]+|\bsk-[\w-]{8,}")


def set_up_logs(level: str) -> None:
    """Write log lines of `level` and above to stderr."""
    logger.remove()
    # diagnose would print the values of variables, and with them audio and words.
    logger.add(sys.stderr, level=level, format=_line, backtrace=False, diagnose=False, enqueue=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    # Its trace dumps headers and frames; its ordinary lines say nothing that we do not.
    logging.getLogger("websocket").setLevel(logging.CRITICAL)


def _line(record: Record) -> str:
    fields = " ".join(f"{key}={_field(value)}" for key, value in record["extra"].items())
    message = _SECRET.sub(r"\1***", record["message"])
    text = f"{record['time']:YYYY-MM-DDTHH:mm:ss.SSS} {record['level'].name:<7} {record['name']}: {message}"
    text = f"{text}  {fields}" if fields else text
    return text.replace("{", "{{").replace("}", "}}").replace("<", r"\<") + "\n{exception}"


def _field(value: object) -> str:
    text = _SECRET.sub(r"\1***", str(value))
    return repr(text) if " " in text or not text else text


class _ToLoguru(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())
