"""The effects in the database, for the commands that list and settle them.

May import: actors, fsm, gateway.bots, gateway.settings, protocols, store, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from actors.bots import Arrival, Bot, BotProfile, ModelSettings
from actors.process.quarantine import Quarantine
from actors.tasks.effect_attempts import EffectAttempts
from actors.tasks.effect_recovery import EffectRecovery
from fsm.registry import load_tasks, offered
from gateway.bots.compile import Defaults, compile_bot
from gateway.bots.generations import stored_version
from gateway.bots.tools import tool_host
from gateway.settings import read_tool_settings
from protocols.realtime.objects import Transcription
from store.bot_versions import BotVersions
from store.database import open_database, shown
from store.rows import report_unreadable

__all__ = ["EffectRecovery", "effect_recovery", "shown"]


@contextmanager
def effect_recovery(database_url: str) -> Iterator[EffectRecovery]:
    """Recovery outside the daemon.

    Raises: MisuseError if the database or a task cannot be opened, or is not there; SettingsError for those of tools.
    """
    tasks = load_tasks()
    unused = ModelSettings(voice="", transcription=Transcription(model=""))
    defaults = Defaults(
        BotProfile("", "", unused, ZoneInfo("UTC"), offered(tasks)), tasks, tool_host(read_tool_settings())
    )
    engine = open_database(database_url, create=False)
    try:
        report_unreadable(engine, Quarantine())
        bots = _StoredBots(BotVersions(engine), defaults)
        yield EffectRecovery(EffectAttempts(engine, bots, lambda: datetime.now(UTC)))
    finally:
        engine.dispose()


class _StoredBots:
    """The bots as the store has them, whose files may be on other machines; else the registered tasks."""

    def __init__(self, versions: BotVersions, defaults: Defaults) -> None:
        self._versions = versions
        self._defaults = defaults
        self._registered = Bot("", "", defaults.profile)

    def choose(self, arrival: Arrival) -> Bot:
        return self._registered

    def profiles(self) -> tuple[BotProfile, ...]:
        return (self._registered.profile,)

    def asks_dialled(self, arrival: Arrival) -> bool:
        return False

    def present(self, name: str) -> Bot:
        return self._registered

    def version(self, name: str, digest: str) -> Bot | None:
        return stored_version(self._versions, lambda files: compile_bot(files, self._defaults), name, digest)
