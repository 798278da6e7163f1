"""The bots of a process as their files are: looked at every two seconds, built beside the calls, swapped at once.

A new call takes the present version of its bot, and goes on in it to its end: a version stays in memory for as long as
anybody holds it. Files that make no bot leave the last good version, and a folder that is gone takes no new calls.
May import: actors, gateway.bots, store, prometheus_client, SQLAlchemy, loguru, the standard library.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from types import MappingProxyType
from weakref import WeakValueDictionary

from loguru import logger
from prometheus_client import Gauge
from sqlalchemy.exc import SQLAlchemyError

from actors.bots import Arrival, Bot, BotProfile
from actors.metrics import BOT_FAULTS, BOT_INFO, BOT_RELOADS
from gateway.bots.compile import built
from gateway.bots.faults import BotFault, BotFaults
from gateway.bots.files import BOT_FILE, MOST_FILES, ROUTES_FILE, BotFiles, bot_folders, read_folder
from gateway.bots.routes import Routes
from store.bot_versions import BotVersions
from store.rows import UnreadableRow

LOOK_EVERY_S = 2.0
# How often the store is told which versions are in use: others may be deleted.
IN_USE_EVERY = timedelta(days=1)
# What a folder looks like: of each file in it the path, and what changes whenever it is written.
Looks = tuple[tuple[str, int, int, int, int], ...]
_NOTHING: Looks = ()
# Folders in folders, beyond which no change is seen.
MOST_DEEP = 8


@dataclass(frozen=True, slots=True)
class BotState:
    """One folder, for whoever looks after it. digest: of the version that takes new calls, "" if there is none.

    since: when that came to take them. faults: of the files as they are now, if they make no bot.
    """

    name: str
    digest: str = ""
    since: datetime | None = None
    faults: tuple[BotFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """What new calls are answered by.

    bots: the present versions, by name. states: of all folders, by name; under ROUTES_FILE that of the routes.
    """

    bots: Mapping[str, Bot] = field(default_factory=lambda: MappingProxyType({}))
    routes: Routes = field(default_factory=Routes)
    states: Mapping[str, BotState] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> Collection[str]:
        """Of all bots, also those of which there is no good version."""
        return self.states.keys() - {ROUTES_FILE}


class Generations:
    """The Bots of a process whose bots are files.

    root: the folder of the bots, or the one bot's. build: makes a bot; raises BotFaults. read_routes: reads root's
    routes to bots of these names; raises BotFaults. now: aware.
    `start`, then `store_in`, then `look` again and again on one thread; everything else for any.
    """

    def __init__(
        self,
        root: Path,
        build: Callable[[BotFiles], Bot],
        read_routes: Callable[[Path, Collection[str]], Routes],
        now: Callable[[], datetime],
    ) -> None:
        self._root = root
        self._build = build
        self._read_routes = read_routes
        self._now = now
        self._versions: BotVersions | None = None
        self._unstored: list[BotFiles] = []
        self._present = Generation()
        self._seen: dict[str, Looks] = {}  # at the last look, by name
        self._taken: dict[str, Looks] = {}  # what was built or refused, by name
        self._in_memory: WeakValueDictionary[tuple[str, str], Bot] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._unreadable = ""
        self._told_in_use: datetime | None = None

    # --- Bots ---

    def choose(self, arrival: Arrival) -> Bot | None:
        present = self._present
        # No other bot takes the calls of one that is wrong.
        name = present.routes.choose(arrival, present.names)
        return None if name is None else present.bots.get(name)

    def asks_dialled(self, arrival: Arrival) -> bool:
        return self._present.routes.asks_dialled(arrival)

    def present(self, name: str) -> Bot | None:
        return self._present.bots.get(name)

    def version(self, name: str, digest: str) -> Bot | None:
        if (bot := self._in_memory.get((name, digest))) is not None:
            return bot
        bot = None if self._versions is None else stored_version(self._versions, self._build, name, digest)
        return None if bot is None else self._keep(bot)

    def profiles(self) -> Collection[BotProfile]:
        return [bot.profile for bot in self._present.bots.values()]

    # --- for the daemon ---

    @property
    def generation(self) -> Generation:
        """What is there now."""
        return self._present

    def start(self) -> None:
        """Build what is there. Raises: BotFaults if there is no good bot."""
        self._look(at_once=True)
        if not self._present.bots:
            faults = [fault for state in self._present.states.values() for fault in state.faults]
            message = self._unreadable or f"there is no bot in it; make a folder with a {BOT_FILE}"
            raise BotFaults(faults or [BotFault(str(self._root), 0, "", message)])

    def store_in(self, versions: BotVersions) -> None:
        """Keep each version whole from now on, and the present ones at once; before the first call.

        Raises: SQLAlchemy's OperationalError.
        """
        self._versions = versions
        while self._unstored:
            self._store(self._unstored[-1])
            self._unstored.pop()

    def look(self) -> None:
        """Take what has changed, and has not changed any more since the last look."""
        self._look(at_once=False)
        self._tell_in_use()

    def _tell_in_use(self) -> None:
        now = self._now()
        if self._versions is None or (self._told_in_use is not None and now - self._told_in_use < IN_USE_EVERY):
            return
        try:
            self._versions.seen([(bot.name, bot.digest) for bot in self._present.bots.values()], now)
        except SQLAlchemyError as error:
            logger.warning("the store cannot be told which bots are in use", reason=type(error).__name__)
        else:
            self._told_in_use = now

    # --- looking ---

    def _look(self, *, at_once: bool) -> None:
        try:
            folders = self._folders()
        except OSError as error:
            self._tell_unreadable(f"cannot be read: {error.strerror}")
            return
        self._tell_unreadable("")
        for name in sorted(set(self._present.names) - folders.keys()):
            if self._settled(name, _NOTHING, at_once=at_once):
                self._remove(name)
        for name, folder in folders.items():
            looks = _looks(folder)
            if self._settled(name, looks, at_once=at_once):
                self._take_stored(name, folder, looks)
        if self._root not in folders.values():
            looks = _looks_of(self._root / ROUTES_FILE, ROUTES_FILE), *((name, 0, 0, 0, 0) for name in folders)
            if self._settled(ROUTES_FILE, looks, at_once=at_once):
                self._take_routes(folders, looks)

    def _folders(self) -> dict[str, Path]:
        name = self._root.name
        was_alone = name in self._present.names and self._root.is_dir() and not (self._root / name).exists()
        if was_alone or (self._root / BOT_FILE).is_file():
            return {self._root.name: self._root}  # the only one, and no routes
        return {folder.name: folder for folder in bot_folders(self._root)}

    def _settled(self, name: str, looks: Looks, *, at_once: bool) -> bool:
        """Whether this is new, and as it was at the last look: else somebody may still be writing."""
        before, self._seen[name] = self._seen.get(name), looks
        return looks != self._taken.get(name) and (at_once or looks == before)

    def _take_stored(self, name: str, folder: Path, looks: Looks) -> None:
        """Take a bot that has changed, once the store takes it; one that it does not take holds up no other."""
        try:
            self._take(name, folder, looks)
        except SQLAlchemyError as error:
            logger.warning("a changed bot waits for the store", bot=name, reason=type(error).__name__)

    def _take(self, name: str, folder: Path, looks: Looks) -> None:
        try:
            files = read_folder(folder, self._root)
            if _looks(folder) != looks:
                return  # it has been written to meanwhile
            bot = self._in_memory.get((name, files.digest)) or self._keep(built(self._build, files))
            # Another process may have to go on with a call of it, so it is stored before it takes one.
            self._store(files)
        except BotFaults as wrong:
            if _looks(folder) == looks:  # else it has been written to, and a file was gone or half there
                self._taken[name] = looks
                self._refuse(name, wrong.faults)
            return
        self._taken[name] = looks
        before = self._present.states.get(name, BotState(name))
        if before.digest == bot.digest:
            self._swap(self._present.bots, replace(before, faults=()))
        else:
            self._swap({**self._present.bots, name: bot}, BotState(name, bot.digest, self._now()))
            self._label(name, before.digest, bot.digest)
            BOT_RELOADS.labels("taken").inc()
        if before.digest != bot.digest or before.faults:
            logger.info("a bot takes calls in this version", bot=name, digest=bot.digest)

    def _store(self, files: BotFiles) -> None:
        if self._versions is None:
            self._unstored.append(files)
        else:
            self._versions.write(files.name, files.digest, files.contents, self._now())

    def _refuse(self, name: str, faults: tuple[BotFault, ...]) -> None:
        """Keep what there is. It is logged by a bot's digest, and by the number of routes."""
        before = self._present.states.get(name, BotState(name))
        self._swap(self._present.bots, replace(before, faults=faults))
        BOT_RELOADS.labels("refused").inc()
        routes = len(self._present.routes.routes) if name == ROUTES_FILE else 0
        kept = f"routes of before: {routes}" if routes else before.digest or "none"
        logger.error(
            "files of a bot are wrong: they are not used", bot=name, kept=kept, faults="\n".join(map(str, faults))
        )

    def _remove(self, name: str) -> None:
        self._seen.pop(name, None)
        self._taken.pop(name, None)
        present = self._present
        bots = {each: bot for each, bot in present.bots.items() if each != name}
        states = {each: state for each, state in present.states.items() if each != name}
        self._present = Generation(MappingProxyType(bots), present.routes, MappingProxyType(states))
        self._label(name, present.states[name].digest, "")
        _forget(BOT_FAULTS, name)
        logger.warning("a bot's folder is gone: it takes no new calls", bot=name)

    def _take_routes(self, names: Collection[str], looks: Looks) -> None:
        self._taken[ROUTES_FILE] = looks
        before = self._present.states.get(ROUTES_FILE)
        try:
            routes = self._read_routes(self._root, names)
        except BotFaults as wrong:
            self._refuse(ROUTES_FILE, wrong.faults)
            return
        present = self._present
        self._present = replace(present, routes=routes)
        self._swap(present.bots, BotState(ROUTES_FILE))
        if before is not None and (routes != present.routes or before.faults):
            logger.info("calls are routed anew")

    def _swap(self, bots: Mapping[str, Bot], state: BotState) -> None:
        states = {**self._present.states, state.name: state}
        self._present = Generation(MappingProxyType(dict(bots)), self._present.routes, MappingProxyType(states))
        BOT_FAULTS.labels(state.name).set(len(state.faults))

    @staticmethod
    def _label(name: str, before: str, digest: str) -> None:
        if before:
            _forget(BOT_INFO, name, before)
        if digest:
            BOT_INFO.labels(name, digest).set(1)

    def _keep(self, bot: Bot) -> Bot:
        """Remember a version for as long as anybody holds it; of two that are made at once, one."""
        with self._lock:
            return self._in_memory.setdefault((bot.name, bot.digest), bot)

    def _tell_unreadable(self, why: str) -> None:
        before, self._unreadable = self._unreadable, why
        if why and why != before:
            logger.error(
                "the folder of the bots cannot be read: they stay as they are", folder=str(self._root), reason=why
            )


def stored_version(versions: BotVersions, build: Callable[[BotFiles], Bot], name: str, digest: str) -> Bot | None:
    """A version made of what is stored; None if it is not there, or makes no bot any more.

    Raises: SQLAlchemy's OperationalError.
    """
    log = logger.bind(bot=name, digest=digest)
    try:
        contents = versions.files(name, digest)
    except UnreadableRow:
        log.error("a version of a bot cannot be read from the store")
        return None
    files = BotFiles(name, contents) if contents else None
    if files is None or files.digest != digest or BOT_FILE not in files.contents:
        log.warning("a version of a bot is not in the store")
        return None
    try:
        return built(build, files)
    except BotFaults as wrong:
        log.warning("a version of a bot cannot be made any more", faults=str(wrong))
        return None


def _forget(gauge: Gauge, *labels: str) -> None:
    with suppress(KeyError):
        gauge.remove(*labels)


def _looks(folder: Path) -> Looks:
    """What the files of a folder look like, links followed; () if it cannot be read."""
    return tuple(_looks_in(folder, "", 0, count()))


def _looks_in(folder: Path, prefix: str, depth: int, number: Iterator[int]) -> Iterator[tuple[str, int, int, int, int]]:
    """number: counts what has been seen."""
    try:
        with os.scandir(folder) as entries:
            # What is hidden is no part of a bot: what editors keep, and what links of a mounted ConfigMap lead to.
            found = sorted((each for each in entries if not each.name.startswith(".")), key=lambda each: each.name)
    except OSError:
        return
    for each in found:
        path = f"{prefix}{each.name}"
        # Of a folder that is refused for their number, names are enough.
        yield _looks_of(Path(each.path), path) if next(number) < 2 * MOST_FILES else (path, 0, 0, 0, 0)
        # A link to a folder around it would lead round for ever.
        if depth < MOST_DEEP and each.is_dir():
            yield from _looks_in(Path(each.path), f"{path}/", depth + 1, number)


def _looks_of(path: Path, name: str) -> tuple[str, int, int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return name, 0, 0, 0, 0
    return name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
