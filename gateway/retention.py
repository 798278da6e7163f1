"""For how long the calls of each bot are kept: as its files say, and else as the deployment does.

The files are those in the store, in the version that was in use last: a process may not have the bots of all others,
and must not delete by a rule that is not theirs. May import: gateway, store, loguru, pydantic, the standard library.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from loguru import logger
from pydantic import ValidationError

from gateway.bots.files import BOT_FILE
from gateway.bots.schema import RetentionSection
from store.bot_versions import BotVersions
from store.retention import KeptFor
from store.rows import UnreadableRow


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
