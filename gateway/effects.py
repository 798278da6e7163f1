"""The effects in the database, for the commands that list and settle them.

May import: actors, fsm, protocols, store, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from actors.bots import BotProfile, ModelSettings, OneBot
from actors.process.quarantine import Quarantine
from actors.tasks.effect_attempts import EffectAttempts
from actors.tasks.effect_recovery import EffectRecovery
from fsm.registry import load_agents
from protocols.realtime.objects import Transcription
from store.database import open_database, shown
from store.rows import report_unreadable

# The bot whose calls there are.
BOT = "linden"
__all__ = ["EffectRecovery", "effect_recovery", "shown"]


@contextmanager
def effect_recovery(database_url: str) -> Iterator[EffectRecovery]:
    """Recovery outside the daemon. Raises: MisuseError if the database or a task cannot be opened, or is not there."""
    unused = ModelSettings(voice="", transcription=Transcription(model=""))
    profile = BotProfile("", "", unused, ZoneInfo("UTC"), load_agents())
    engine = open_database(database_url, create=False)
    try:
        report_unreadable(engine, Quarantine())
        yield EffectRecovery(EffectAttempts(engine, OneBot(profile, BOT), lambda: datetime.now(UTC)))
    finally:
        engine.dispose()
