"""The recordings of a process: the thread that spools them, and the one that has them made and uploaded.

May import: actors, gateway.settings, protocols, recordings, store, SQLAlchemy, loguru, the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger
from sqlalchemy import Engine

import recordings
from actors.messages.recording import RecordingQueue
from actors.metrics import RECORDING_TRIES, RECORDINGS_DUE
from actors.process.recording_writer import RecordingWriter
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from gateway.settings import Settings, SettingsError, variable_of
from protocols.sealing import DataKey, KeyRing, WrappedKey
from recordings.keys import KeyAway, PartKeys, answered, spool_place
from recordings.spool import SpoolFolder
from store.causes import code_of
from store.data_keys import DataKeys, ring_of
from store.database import DATABASE_ERRORS

if TYPE_CHECKING:
    import pykka

# How often it is looked whether something is to be made or uploaded.
LOOK_EVERY_S = 2.0
# What goes wrong is tried again after one second, then two, and so on, up to this.
LONGEST_PAUSE_S = 60.0
# Parts that one process makes: its start takes as long as a minute of sound.
AT_ONCE = 50
# Of one process that makes them.
LIMIT_S = 900.0
# For the last block of each call that was ended by the end of the daemon, and to make what can be made.
LEAVE_S = 10.0
_SECRET = variable_of("encryption_key")
# Where `recordings` lies: the child imports the same.
_ROOT = Path(recordings.__file__).parents[1]


def fault_of(settings: Settings) -> str:
    """What is wrong if calls are to be recorded and cannot be; "" if nothing is. Writes nothing."""
    if not settings.recordings:
        return ""
    if not all(find_spec(package) for package in ("soundfile", "obstore")):
        return f"{variable_of('recordings')}: needs pip install 'tieline[recordings]'"
    folder = Path(settings.recordings).absolute()
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return ""
    return f"{variable_of('recordings')}: {there} is no folder that can be written to"


class StoreKeys:
    """The keys of recordings, for those that are made of this process's. engine: with its ring."""

    def __init__(self, engine: Engine, ring: KeyRing) -> None:
        self._keys = DataKeys(engine)
        self._ring = ring

    def of_spool(self, wrapped: WrappedKey, part: str) -> DataKey:
        return self._ring.unwrap(wrapped, spool_place(part))

    def of_call(self, call: str) -> DataKey | None:
        try:
            return self._keys.to_seal(call, "audio")
        except DATABASE_ERRORS as error:
            raise KeyAway(f"its key is in the database: {code_of(error)}") from None


class Recordings:
    """folder: for recordings and their spool. url: of a store for them, or "". process: a name that no other has.
    lease_of: see RecordingQueue. engine: of the store, where the keys are; without its ring nothing is encrypted.

    Raises: SettingsError if the folder cannot be used, or what the extra `recordings` installs is missing.
    """

    def __init__(
        self,
        settings: Settings,
        process: str,
        lease_of: Callable[[str], tuple[str, int]],
        engine: Engine | None = None,
    ) -> None:
        if fault := fault_of(settings):
            raise SettingsError([fault])
        self._folder = Path(settings.recordings).absolute()
        self._url = settings.recordings_url
        try:
            self._own = SpoolFolder.new(self._folder, process)
        except OSError as error:
            raise SettingsError([f"{variable_of('recordings')}: {error.strerror or error}"]) from None
        self._ring = None if engine is None else ring_of(engine)
        self._keys = None if engine is None or self._ring is None else StoreKeys(engine, self._ring)
        self._left: list[SpoolFolder] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._pause_s, self._again_s = 0.0, 0.0
        self._leaving = False
        self._looking = threading.Lock()  # the periodic job, or the end
        self.queue = RecordingQueue(kept=True, lease_of=lease_of)
        self._start()

    def _start(self) -> None:
        self._writer: pykka.ActorRef[RecordingWriter] = RecordingWriter.start(
            ParentLink(self, "recordings"), self._own.path, self.queue, self._ring
        )
        self.queue.writer = self._writer

    def tell(self, message: ChildDied, /) -> None:
        """The writer has ended: another goes on. Calls do not notice."""
        if not self._leaving and message.reason is not None:
            self._start()

    def look(self) -> None:
        """Have made and uploaded what is due, also what processes that are gone have left."""
        with self._looking:
            if not self._leaving:
                self._look()

    def _look(self) -> None:
        for folder in SpoolFolder.left(self._folder):
            folder.close_all()
            if due := folder.due():
                logger.warning("recordings of a process that is gone are finished here", parts=len(due))
            self._left.append(folder)
        due = [part for folder in (self._own, *self._left) for part in folder.due()]
        RECORDINGS_DUE.set(len(due))
        if due and time.monotonic() >= self._again_s:
            self._make(due[:AT_ONCE], LIMIT_S)
        for folder in list(self._left):
            if not folder.due():
                folder.leave()
                self._left.remove(folder)

    def _make(self, parts: Iterable[Path], limit_s: float) -> None:
        to = ["--to", self._url] if self._url else []
        asks = [] if self._keys is None else ["--keys"]
        line = [sys.executable, "-m", recordings.__name__, *to, *asks, str(self._folder), *map(str, parts)]
        pipe = subprocess.DEVNULL if self._keys is None else subprocess.PIPE
        # It asks for the keys that it needs, and has no others.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET)}
        self._child = subprocess.Popen(
            line, cwd=_ROOT, env=kept, stdin=pipe, stdout=pipe if self._keys else None, stderr=subprocess.PIPE
        )
        limit = threading.Timer(limit_s, self._child.kill)
        limit.start()
        try:
            if self._keys is not None:
                _answer(self._child, self._keys)
            failed = self._child.wait() != 0
            _log_of(self._child)
        finally:
            limit.cancel()
        RECORDING_TRIES.labels("failed" if failed else "ok").inc()
        self._pause_s = min(LONGEST_PAUSE_S, max(1.0, 2 * self._pause_s)) if failed else 0.0
        self._again_s = time.monotonic() + self._pause_s

    def leave(self) -> None:
        """Write and make what is left, as far as there is time; the next process finds the rest. Blocks."""
        if self._leaving:
            return
        self._leaving = True
        until_s = time.monotonic() + LEAVE_S
        self._writer.stop(block=False)
        if not self._writer.actor_stopped.wait(LEAVE_S):
            logger.error("the disk does not take the recordings: what is not written yet is lost")
        if not self._looking.acquire(timeout=max(0.0, until_s - time.monotonic())):
            child = self._child
            if child is not None:
                child.kill()
            self._looking.acquire()
        if (due := self._own.due()) and not self._pause_s:
            self._make(due, max(1.0, until_s - time.monotonic()))
        for folder in (self._own, *self._left):
            folder.leave()
        self._looking.release()


def _log_of(child: subprocess.Popen[bytes]) -> None:
    """Log what a process that has made recordings had to say: a line or two for a part, less than a pipe holds."""
    assert child.stderr is not None
    with child.stderr:
        for line in child.stderr:
            try:
                told = json.loads(line)
                logger.log(told["level"], told["message"], part=told["part"], reason=told["reason"])
            except (ValueError, LookupError, TypeError):
                logger.debug("said by the process that makes recordings", text=line.decode(errors="replace").rstrip())


def _answer(child: subprocess.Popen[bytes], keys: PartKeys) -> None:
    """Tell a process that makes recordings the keys it asks for, until it ends: never those of the deployment."""
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdout, suppress(BrokenPipeError), child.stdin:
        for question in child.stdout:
            child.stdin.write(answered(question, keys))
            child.stdin.flush()
