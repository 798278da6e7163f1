"""Where the recordings of a call are kept, in the folder and in the store: to list them, and to delete them.

May import: recordings, the standard library.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.facts import MANIFEST, folder_name
from recordings.spool import BAD, DONE, MADE, PART, SPOOL, read_part

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


class NotFinished(OSError):
    """A recording of the call is still being made or uploaded; that takes seconds, unless the store is away."""


class KeptRecordings:
    """folder: for recordings, on this machine. url: of the store for them, or "". Methods block."""

    name = "recordings"

    def __init__(self, folder: Path, url: str = "") -> None:
        self._folder = folder.absolute()
        self._url = url
        self._store: ObjectStore | None = None

    def listed(self, call: str, began: datetime | None) -> list[str]:
        """The files of a call, by its key. began: when it did; only then those in the store. Raises: OSError."""
        there = [str(file) for where in self._folders(call) for file in sorted(where.iterdir())]
        return there + [f"{self._url.rstrip('/')}/{path}" for path in self._objects(call, began)]

    def delete(self, call: str, began: datetime | None) -> int:
        """Delete them. Returns how many there were. Raises: OSError; NotFinished, and nothing was deleted."""
        for spooled in self._spooled(call):
            if spooled.suffix != BAD:
                raise NotFinished("a recording of the call is not finished yet")
            spooled.unlink(missing_ok=True)
        objects, count = self._objects(call, began), 0
        for where in self._folders(call):
            count += len(list(where.iterdir()))
            shutil.rmtree(where)
            with suppress(OSError):  # others of this day
                where.parent.rmdir()
        if objects:
            with _as_os_errors():
                self._opened().delete(objects)
        return count + len(objects)

    def expire(self, days_of: Callable[[str], int], kept: Callable[[str], bool], today: date) -> Iterator[int]:
        """Delete those in the folder that are older than their bot's days, 0: for ever; a call at a time.

        kept: by a call's key, whether it is held. What its manifest cannot tell of is left. Raises: OSError.
        """
        for day in sorted(self._folder.glob(_DAY)):
            age = (today - date.fromisoformat(day.name)).days
            for where in sorted(day.iterdir()):
                try:
                    told = json.loads((where / MANIFEST).read_bytes())
                    call, bot = str(told["call"]), str(told["parts"][-1]["bot"])
                except (OSError, ValueError, LookupError, TypeError):
                    continue
                if 0 < days_of(bot) < age and not kept(call):
                    with suppress(NotFinished):
                        yield self.delete(call, None)

    def _folders(self, call: str) -> list[Path]:
        name = folder_name(call)
        return [found for day in sorted(self._folder.glob(_DAY)) if (found := day / name).is_dir()]

    def _spooled(self, call: str) -> Iterator[Path]:
        """The parts in the spool, also of processes that are gone, that are the call's, or may be."""
        for path in sorted((self._folder / SPOOL).glob("*/*")):
            with suppress(FileNotFoundError):  # finished meanwhile
                if path.suffix == MADE and Path(path.read_text()).parent.name == folder_name(call):
                    yield path
                if path.suffix in (PART, DONE, BAD) and _is_of(path, call):
                    yield path

    def _objects(self, call: str, began: datetime | None) -> list[str]:
        """The paths in the store. The day is by the clock of the process that had the call."""
        if not self._url or began is None:
            return []
        days = {(began.astimezone(UTC) + timedelta(days=each)).date() for each in (-1, 0, 1)}
        with _as_os_errors():
            prefixes = [f"{day}/{folder_name(call)}/" for day in sorted(days)]
            listed = [batch for prefix in prefixes for batch in self._opened().list(prefix=prefix)]
        return sorted(each["path"] for batch in listed for each in batch)

    def _opened(self) -> ObjectStore:
        from recordings.upload import open_store  # noqa: PLC0415 - of the extra `recordings`

        self._store = self._store or open_store(self._url)
        return self._store


def _is_of(spooled: Path, call: str) -> bool:
    if (read := read_part(spooled)) is None:
        return False
    facts, blocks = read
    if re.fullmatch(re.escape(facts.conversation_id) + r"(~\d+)?", call) is None:
        return False
    # Only now: a block holds seconds of sound. Keys stand in the blocks, once a process knows them.
    keys = {block.key for block in blocks if block.key}
    return not keys or call in keys


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What the store says, as OSError: its own errors are of no common kind."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised as one that is handled
        raise OSError(f"the store for recordings: {type(error).__name__}") from None
