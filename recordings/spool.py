"""The spool: where the sound of a call is kept, as it comes, until it is a recording.

    FOLDER/spool/PROCESS/lock       held while that process lives; once it is free, another process finishes its parts
    FOLDER/spool/PROCESS/PART.part  a part that is being recorded
    FOLDER/spool/PROCESS/PART.done  one that is not: nothing of it comes any more
    FOLDER/spool/PROCESS/PART.made  one whose files are to be uploaded: the path of its manifest

A file is lines of JSON: the part's facts, then blocks, the last one with its end. A line that was not written whole is
not read. With a ring of keys what was said is sealed in both, with a key of the part's that stands in the first line,
wrapped. May import: recordings, protocols.sealing, orjson, pydantic, the standard library.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson
from pydantic import ValidationError

from protocols.errors import TielineError
from protocols.sealing import KEY_BYTES, NONCE_BYTES, DataKey, KeyRing, WrappedKey, place
from recordings.facts import Entry, PartFacts, SpoolBlock
from recordings.keys import NoKeys, PartKeys, spool_place

SPOOL, LOCK = "spool", "lock"
PART, DONE, MADE, BAD = ".part", ".done", ".made", ".bad"
MAKING = "making-"  # begins the folders in which files are made
# For the daemon's user only: it is what callers have said.
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


class SpoolFolder:
    """A process's own folder of the spool. lock: a descriptor that holds its lock."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def new(cls, folder: Path, process: str) -> Self:
        """One for this process, which has a name of its own. Raises: OSError."""
        # Under another name until it is locked: nobody must take it for one that was left.
        new = folder / SPOOL / f".{process}"
        new.mkdir(mode=_FOLDER_MODE, parents=True)
        if (lock := _locked(new)) is None:
            raise FileExistsError(f"{new} is another process's")
        return cls(new.rename(folder / SPOOL / process), lock)

    @classmethod
    def left(cls, folder: Path) -> Iterator[Self]:
        """The folders of processes that are gone, each of which is now this process's."""
        for path in sorted((folder / SPOOL).glob("[!.]*/")):
            if (lock := _locked(path)) is not None:
                yield cls(path, lock)

    def leave(self) -> None:
        """Let go of the folder, and of its files if nothing is left to be done with them."""
        if self._lock is not None:
            if not any(each.suffix in (PART, DONE, MADE, BAD) for each in self.path.iterdir()):
                shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def due(self) -> list[Path]:
        """The parts that are to be made, or uploaded."""
        return sorted(each for each in self.path.iterdir() if each.suffix in (DONE, MADE))

    def close_all(self) -> None:
        """Whatever was being recorded here has ended, or made."""
        for unfinished in self.path.glob(f"{MAKING}*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        for path in self.path.glob(f"*{PART}"):
            path.rename(path.with_suffix(DONE))


def _locked(path: Path) -> int | None:
    """A descriptor that holds the folder's lock; None if another process does, or the folder is gone."""
    try:
        lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = (path / LOCK).stat()
    except (BlockingIOError, FileNotFoundError):
        os.close(lock)
        return None
    if there.st_ino != os.fstat(lock).st_ino:
        os.close(lock)
        return None
    return lock


class PartFile:
    """The file of a part that is being recorded. It ends with a whole line, whatever could not be written.

    Goes on with a file that is there: a writer before this one has crashed. ring: it is sealed; None: it is not.
    Raises: OSError, also from `write`: then the block is not in it, and the next may be.
    """

    def __init__(self, folder: Path, part: str, facts: PartFacts, ring: KeyRing | None = None) -> None:
        self._path = folder / f"{part}{PART}"
        self._part = part
        self._key: DataKey | None = None
        self._file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, _FILE_MODE)
        self._length = 0
        try:
            self._length = os.lseek(self._file, 0, os.SEEK_END)
            if self._length and ring is not None:
                self._key = _key_in(self._path, ring)
            if self._length and (self._key or ring is None):
                # Behind what another writer has left, perhaps in the middle of a line.
                self._put({}, new_line=True)
            else:  # what has no whole first line is read by nobody
                os.ftruncate(self._file, 0)
                self._length = os.lseek(self._file, 0, os.SEEK_SET)
                self._put(self._first_line(facts, ring))
        except OSError:
            os.close(self._file)
            if not self._length:
                self._path.unlink(missing_ok=True)
            raise

    def write(self, block: SpoolBlock) -> None:
        line: dict[str, Any] = {
            "number": block.number,
            "until_ms": block.until_ms,
            "last": block.last,
            "key": block.key,
            "epoch": block.epoch,
        }
        if self._key is None:
            line["entries"] = block.entries
        else:
            line["sealed"] = _sealed(self._key, block.entries, _block_place(self._part, line))
        self._put(line)

    def _first_line(self, facts: PartFacts, ring: KeyRing | None) -> dict[str, object]:
        told = facts.model_dump(mode="json")
        if ring is None:
            return {"facts": told}
        self._key = DataKey(os.urandom(KEY_BYTES))
        wrapped = ring.wrap(self._key, spool_place(self._part), os.urandom(NONCE_BYTES))
        sealed = _sealed(self._key, told, place("facts", self._part))
        # Whose it is must be known by those who look for it without the key.
        call = facts.conversation_id
        return {"conversation_id": call, "kek": wrapped.kek, "sealed_key": wrapped.sealed, "sealed": sealed}

    def end(self) -> None:
        """Nothing more of the part will come."""
        self.leave()
        self._path.rename(self._path.with_suffix(DONE))

    def leave(self) -> None:
        os.close(self._file)

    def _put(self, line: dict[str, object], *, new_line: bool = False) -> None:
        data = memoryview(b"\n" * new_line + orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._length)
            os.lseek(self._file, self._length, os.SEEK_SET)
            raise
        self._length += written


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """A block as it stands in a spool. key, epoch: of the call in the store; 0 for one without a lease."""

    number: int
    until_ms: float
    last: bool
    key: str
    epoch: int
    entries: tuple[Entry, ...]


def read_part(path: Path, keys: PartKeys | None = None) -> tuple[PartFacts, Iterator[ReadBlock]] | None:
    """The facts of a part and its blocks, one at a time; None if not even its facts were written.

    A block that was changed is not read. Raises: KeyAway, for one that is sealed, without its key.
    """
    found = _first(path)
    if found is None:
        return None
    first, begin = found
    key: DataKey | None = None
    try:
        told = first.get("facts")
        if told is None:
            key = _key_of(first, path.stem, keys or NoKeys())
            told = orjson.loads(key.unseal_text(first["sealed"], place("facts", path.stem)))
        facts = PartFacts.model_validate(told)
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
    return facts, _blocks(path, begin, key)


def calls_of(path: Path) -> tuple[str, Iterator[str]] | None:
    """Whose a part is, sealed or not: its conversation id, and the keys in the store that its blocks have, "" for none.

    None if not even its facts were written.
    """
    found = _first(path)
    if found is None:
        return None
    first, begin = found
    told = first.get("facts", first)
    if not isinstance(told, dict) or not isinstance(call := told.get("conversation_id"), str):
        return None
    return call, (str(line.get("key", "")) for line in _lines(path, begin))


def _first(path: Path) -> tuple[dict[str, Any], int] | None:
    """The first line of a part, and where the next begins."""
    with path.open("rb") as file:
        line = file.readline()
        begin = file.tell()
    try:
        first = orjson.loads(line)
    except ValueError:
        return None
    return (first, begin) if isinstance(first, dict) else None


def _key_of(first: dict[str, Any], part: str, keys: PartKeys) -> DataKey:
    return keys.of_spool(WrappedKey(str(first["kek"]), str(first["sealed_key"])), part)


def _key_in(path: Path, ring: KeyRing) -> DataKey | None:
    """The key of a part that this process has begun; None if its first line was not written whole."""
    try:
        first, _ = _first(path) or ({}, 0)
        return ring.unwrap(WrappedKey(first["kek"], first["sealed_key"]), spool_place(path.stem))
    except (KeyError, TielineError):
        return None


def _sealed(key: DataKey, what: object, where: bytes) -> str:
    return key.seal_text(orjson.dumps(what), where, os.urandom(NONCE_BYTES))


def _block_place(part: str, line: dict[str, Any]) -> bytes:
    """All that stands beside what is sealed is bound to it."""
    return place("block", part, *(line[name] for name in ("number", "until_ms", "last", "key", "epoch")))


def _blocks(path: Path, begin: int, key: DataKey | None) -> Iterator[ReadBlock]:
    for block in _lines(path, begin):
        try:
            told = block["entries"] if key is None else _unsealed(key, block, path.stem)
            entries = tuple((str(what), float(at_ms), str(payload)) for what, at_ms, payload in told)
            yield ReadBlock(block["number"], block["until_ms"], block["last"], block["key"], block["epoch"], entries)
        except (ValueError, KeyError, TypeError):
            continue


def _unsealed(key: DataKey, block: dict[str, Any], part: str) -> Any:
    return orjson.loads(key.unseal_text(block["sealed"], _block_place(part, block)))


def _lines(path: Path, begin: int) -> Iterator[dict[str, Any]]:
    """Those that are whole."""
    with path.open("rb") as file:
        file.seek(begin)
        for line in file:
            try:
                read = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(read, dict):
                yield read
