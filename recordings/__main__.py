"""Makes recordings from spooled parts, and uploads them: `python -m recordings [--to URL] [--keys] FOLDER PART…`.

--keys: they are sealed, with keys that are asked for on the standard output, and answered on the standard input.

A process of its own: neither its computing nor its crash is felt in a call. Exits with 1 if something is to be tried
again. What there is to log is a line of JSON each on the standard error, for the log of who has started it.
May import: recordings, loguru, orjson, the standard library.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from loguru import logger

from recordings.keys import AskedKeys, NoKeys, PartKeys
from recordings.part import make_part
from recordings.spool import BAD, DONE, MADE
from recordings.upload import open_store, upload

if TYPE_CHECKING:
    from loguru import Message

# Calls come first.
NICENESS = 10
# One for all parts: it keeps its connections, and its credentials until they expire.
_store = cache(open_store)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m recordings")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", default="")
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("parts", type=Path, nargs="*")
    given = parser.parse_args()
    os.nice(NICENESS)
    os.umask(0o077)  # it is what callers have said
    logger.configure(handlers=[{"sink": _tell}])
    keys = AskedKeys(sys.stdin.buffer, sys.stdout.buffer) if given.keys else NoKeys()
    left = [path for path in given.parts if not _done(path, given.folder, given.to, keys)]
    return 1 if left else 0


def _done(path: Path, folder: Path, url: str, keys: PartKeys) -> bool:
    """Do with a part what is to be done. Returns whether nothing is left to do."""
    try:
        made = _made(path, folder, url, keys) if path.suffix == DONE else Path(path.read_text())
        if made is not None and url:
            upload(_store(url), made, folder, keys)
            path.with_suffix(MADE).unlink()
    except Exception as error:  # noqa: BLE001 - of a file system, a network, a store: it is tried again
        logger.warning("a recording is not done yet: tried again", part=path.stem, reason=_reason(error))
        return False
    return True


def _made(path: Path, folder: Path, url: str, keys: PartKeys) -> Path | None:
    """The manifest of the part, whose files are made; None if there is nothing to make, or never will be."""
    try:
        made = make_part(path, folder, keys)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - it would fail again: what is there is kept for a person
        logger.error("a recording cannot be made of what was spooled", part=path.stem, reason=_reason(error))
        path.rename(path.with_suffix(BAD))
        return None
    if made is not None and url:
        path.with_suffix(MADE).write_text(str(made))
    path.unlink()
    return made


def _tell(message: Message) -> None:
    told = {"level": message.record["level"].name, "message": message.record["message"], **message.record["extra"]}
    sys.stderr.buffer.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))
    sys.stderr.buffer.flush()


def _reason(error: Exception) -> str:
    """Of a system's error its text too; one of our own may hold what somebody has said."""
    of_system = isinstance(error, OSError) or type(error).__module__.startswith("obstore")
    return f"{type(error).__name__}: {error}"[:500] if of_system else type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
