"""For how long the calls of each bot are kept: as its files say, and else as the deployment does.

The files are those in the store, in the version that was in use last: a process may not have the bots of all others,
and must not delete by a rule that is not theirs.
May import: actors.metrics, gateway, recordings, store, loguru, pydantic, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from loguru import logger
from pydantic import ValidationError
from sqlalchemy import Engine

from actors.metrics import RETENTION_DELETED
from gateway.bots.files import BOT_FILE
from gateway.bots.schema import RetentionSection
from gateway.settings import Settings, StoreSettings
from recordings.kept import KeptRecordings
from store.bot_versions import BotVersions
from store.calls import caller_of
from store.data_keys import DataKeys
from store.database import reading
from store.holds import held
from store.retention import KeptFor
from store.rows import UnreadableRow

# How often it is looked for recordings that are kept no longer.
EXPIRE_EVERY_S = 6 * 3600.0


def recordings_of(settings: StoreSettings | Settings) -> list[KeptRecordings]:
    """Where recordings are kept, if they are."""
    return [KeptRecordings(Path(settings.recordings), settings.recordings_url)] if settings.recordings else []


class KeptRules:
    """default: by the setting TIELINE_RETENTION. For one thread."""

    def __init__(self, versions: BotVersions, default: Mapping[str, int]) -> None:
        self._versions = versions
        self._default = default
        self._told: set[str] = set()

    def of(self, bot: str) -> KeptFor | None:
        """A bot's; None if its files cannot be read: nothing of it is deleted. Raises: as BotVersions does."""
        try:
            files = self._versions.newest(bot) if bot else None
            data = {} if files is None else tomllib.loads(files[BOT_FILE].decode())
            own = RetentionSection.model_validate(data.get("retention", {}))
        except (UnreadableRow, KeyError, ValueError, ValidationError) as error:
            if bot not in self._told:
                self._told.add(bot)
                logger.error("how long calls are kept cannot be read: all are", bot=bot, reason=type(error).__name__)
            return None
        days = {name.removesuffix("_days"): value for name, value in own if value is not None}
        return KeptFor(**{**self._default, **days})


def _not_deleted(error: OSError) -> None:
    logger.warning("a recording cannot be deleted: tried again", reason=f"{error.strerror or error}")


class RecordingExpiry:
    """Deletes recordings in the folder of this machine that are kept no longer: by each process, for it has no other's.

    Those of an uploaded call go with its record, and by the lifecycle of their store. rules: for this thread. failed:
    told of each that the disk does not let go of.
    """

    def __init__(
        self,
        engine: Engine,
        recordings: KeptRecordings,
        rules: KeptRules,
        now: Callable[[], datetime],
        failed: Callable[[OSError], object] = _not_deleted,
    ) -> None:
        self._engine = engine
        self._recordings = recordings
        self._rules = rules
        self._now = now
        self._failed = failed
        self._keys = DataKeys(engine)

    def look(self) -> None:
        """One round. Raises: as the database does; what is left is deleted by the next one."""
        days_of = cache(self._days_of)  # a bot's files are read once a round
        gone = 0
        for call in self._recordings.expire(days_of, self._is_held, self._now().date(), self._failed):
            self._keys.delete(call, "audio")
            gone += 1
        if gone:
            RETENTION_DELETED.labels("audio").inc(gone)
            logger.info("deleted recordings that are kept no longer", calls=gone)

    def _days_of(self, bot: str) -> int:
        rule = self._rules.of(bot)
        return 0 if rule is None else rule.audio or rule.record

    def _is_held(self, call: str) -> bool:
        with reading(self._engine) as connection:
            return held(connection).covers(call, caller_of(connection, call))
