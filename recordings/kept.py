"""Where the recordings of a call are kept, in the folder and in the store: to list, to copy and to delete them.

May import: recordings, protocols.sealing, the standard library.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from protocols.sealing import DataKey, NotUnsealed
from recordings import sealed
from recordings.facts import MANIFEST, folder_name
from recordings.spool import BAD, DONE, MADE, PART, SPOOL, calls_of

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

    def copy(
        self, call: str, began: datetime | None, to: Path, key_of: Callable[[str], DataKey]
    ) -> Iterator[tuple[str, Exception | None]]:
        """Copy them into a folder, made for its owner only, as they were before they were sealed.

        key_of: of a call's recordings. Yields each file's name, and why it could not be read. Raises: OSError; what
        key_of does.
        """
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
        for where in self._folders(call):
            for each in sorted(where.iterdir()):
                with each.open("rb") as file:
                    yield _copied(file, each.name, to, key_of)
        for path in self._objects(call, began):
            with _as_os_errors():
                fetched = io.BytesIO(self._opened().get(path).bytes().to_bytes())
            yield _copied(fetched, path.rpartition("/")[2], to, key_of)

    def expire(
        self,
        days_of: Callable[[str], int],
        kept: Callable[[str], bool],
        today: date,
        failed: Callable[[OSError], object],
    ) -> Iterator[str]:
        """Delete those in the folder that are older than their bot's days, 0: for ever; yields each call's key.

        kept: by a call's key, whether it is held. failed: told what the disk does not let go of; the others are
        deleted all the same. What its manifest cannot tell of is left; of a part of which nothing could be made the
        bot is "", and its day that of its last change.
        """
        for where in sorted(self._folder.glob(f"{_DAY}/*")):
            age = (today - date.fromisoformat(where.parent.name)).days
            try:
                call, bot = _told_by(where)
            except (OSError, ValueError, LookupError, TypeError):
                continue
            if 0 < days_of(bot) < age and not kept(call):
                try:
                    self.delete(call, None)
                except NotFinished:
                    continue
                except OSError as error:
                    failed(error)
                    continue
                yield call
        for bad in sorted((self._folder / SPOOL).glob(f"*/*{BAD}")):
            try:
                call, *_ = calls_of(bad) or ("",)
                age = (today - datetime.fromtimestamp(bad.stat().st_mtime, UTC).date()).days
                if 0 < days_of("") < age and not kept(call):
                    bad.unlink()
            except OSError as error:
                failed(error)

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
    if (read := calls_of(spooled)) is None:
        return False
    conversation, in_blocks = read
    if re.fullmatch(re.escape(conversation) + r"(~\d+)?", call) is None:
        return False
    # Only now: a block holds seconds of sound. Keys stand in the blocks, once a process knows them.
    keys = {*in_blocks} - {""}
    return not keys or call in keys


def _told_by(folder: Path) -> tuple[str, str]:
    """The call and the bot of the recordings in a folder, by their manifest, sealed or not.

    Raises: OSError; ValueError, LookupError, TypeError where it cannot be read.
    """
    if (found := folder / f"{MANIFEST}{sealed.SUFFIX}").exists():
        with found.open("rb") as file:
            header = sealed.header_of(file)
        if header is not None:
            return header.call, header.bot
    told = json.loads((folder / MANIFEST).read_bytes())
    return str(told["call"]), str(told["parts"][-1]["bot"])


def _copied(file: IO[bytes], name: str, to: Path, key_of: Callable[[str], DataKey]) -> tuple[str, Exception | None]:
    """Copy one file, for its owner only. What cannot be read whole is not there."""
    header = sealed.header_of(file)
    plain = to / name.removesuffix(sealed.SUFFIX)
    with os.fdopen(os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        try:
            if header is None:
                shutil.copyfileobj(file, target)
            else:
                target.writelines(sealed.unsealed(file, header, key_of(header.call)))
        except BaseException as error:
            plain.unlink()
            if isinstance(error, NotUnsealed):
                return plain.name, error
            raise
    return plain.name, None


# Of what the store says: its own errors go on with the source of ours.
_MOST_SAID = 300


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What the store says, as OSError: its own errors are of no common kind."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - raised as one that is handled
        # Its first lines: what the server or the network has said, as the log has it of uploads.
        said = " ".join(str(error).split())[:_MOST_SAID]
        raise OSError(f"the store for recordings: {type(error).__name__}: {said}") from None
