"""What may be told of a database's error: its code, or what the operating system says; never a statement or a value.

May import: SQLAlchemy's errors, the standard library.
"""

from __future__ import annotations

import errno
import os
import re

from sqlalchemy.exc import DBAPIError

# What PostgreSQL's driver says without a code, when there is no server to give one.
_PHRASES = (
    "the server does not answer",
    "server closed the connection unexpectedly",
    "connection timeout expired",
    "could not translate host name",
    "failed to resolve host",
    "too many clients already",
    "remaining connection slots are reserved",
    "the connection is lost",
    "the connection is closed",
)
_SYSTEM = tuple(os.strerror(number) for number in sorted(errno.errorcode))
_SERVER = re.compile(r'connection to server (?:at|on socket) "([^"]+)"(?: \([^)]*\))?(?:, port (\d+))? failed')


def code_of(error: BaseException) -> str:
    """The database's code and name for its error; the type alone, if nothing else is sure to hold no caller's words."""
    cause: BaseException = (error.orig or error) if isinstance(error, DBAPIError) else error
    name = type(cause).__name__
    known = known_code(cause)
    return f"{name}: {known}" if known else name


def known_code(cause: BaseException) -> str:
    """The same of a driver's error, without its type; "" if nothing is sure."""
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    if code:
        return str(code)
    if isinstance(cause, OSError):
        return cause.strerror or ""
    text = str(cause)
    said = next((each for each in (*_PHRASES, *_SYSTEM) if each in text), "")
    server = _SERVER.search(text)
    return f"{said} ({':'.join(filter(None, server.groups()))})" if said and server else said
