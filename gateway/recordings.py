"""The recordings of a process: the thread that spools them, and the one that has them made and uploaded.

May import: actors, gateway.settings, recordings, loguru, the standard library.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

import recordings
from actors.messages.recording import RecordingQueue
from actors.metrics import RECORDING_TRIES, RECORDINGS_DUE
from actors.process.recording_writer import RecordingWriter
from actors.system.address import ParentLink
from actors.system.signals import ChildDied
from gateway.settings import Settings, SettingsError, variable_of
from recordings.spool import SpoolFolder

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
# Where `recordings` lies: the child imports the same.
_ROOT = Path(recordings.__file__).parents[1]


def missing_extra(settings: Settings) -> str:
    """What is wrong if calls are to be recorded and cannot be; "" if nothing is."""
    if not settings.recordings or all(find_spec(package) for package in ("soundfile", "obstore")):
        return ""
    return f"{variable_of('recordings')}: needs pip install 'tieline[recordings]'"


class Recordings:
    """folder: for recordings and their spool. url: of a store for them, or "". process: a name that no other has.
    lease_of: see RecordingQueue.

    Raises: SettingsError if the folder cannot be used, or what the extra `recordings` installs is missing.
    """

    def __init__(self, settings: Settings, process: str, lease_of: Callable[[str], tuple[str, int]]) -> None:
        if missing := missing_extra(settings):
            raise SettingsError([missing])
        self._folder = Path(settings.recordings).absolute()
        self._url = settings.recordings_url
        try:
            self._own = SpoolFolder.new(self._folder, process)
        except OSError as error:
            raise SettingsError([f"{variable_of('recordings')}: {error.strerror or error}"]) from None
        self._left: list[SpoolFolder] = []
        self._child: subprocess.Popen[bytes] | None = None
        self._pause_s, self._again_s = 0.0, 0.0
        self._leaving = False
        self._looking = threading.Lock()  # the periodic job, or the end
        self.queue = RecordingQueue(kept=True, lease_of=lease_of)
        self._start()

    def _start(self) -> None:
        self._writer: pykka.ActorRef[RecordingWriter] = RecordingWriter.start(
            ParentLink(self, "recordings"), self._own.path, self.queue
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
        line = [sys.executable, "-m", recordings.__name__, *to, str(self._folder), *map(str, parts)]
        self._child = subprocess.Popen(line, cwd=_ROOT, stdin=subprocess.DEVNULL)
        try:
            failed = self._child.wait(limit_s) != 0
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            failed = True
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
