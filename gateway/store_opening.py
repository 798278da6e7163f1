"""Opens the store when the daemon starts: waits while the database is away, and gives up if it is the wrong one.

May import: gateway.systemd, store, loguru, the standard library.
"""

from __future__ import annotations

import asyncio

from loguru import logger
from sqlalchemy import Engine

from gateway.systemd import EXTEND, STATUS, Notifier
from store.database import DatabaseAway, open_database

TRY_EVERY_S = 1.0
# How often the log says that it is still waited for, and the service manager is asked for more time.
TELL_EVERY_S = 10.0


async def open_store(url: str, notifier: Notifier) -> Engine:
    """Open and migrate the database as soon as it can be had. Raises: WrongDatabase."""
    loop = asyncio.get_running_loop()
    began_s, told_s = loop.time(), float("-inf")
    while True:
        try:
            # Migrations may take long: not on the loop.
            engine = await asyncio.to_thread(open_database, url)
        except DatabaseAway as error:
            now_s = loop.time()
            if now_s - told_s >= TELL_EVERY_S:
                told_s = now_s
                logger.error(
                    "the database is away: it is waited for", reason=str(error), since_s=round(now_s - began_s)
                )
                notifier.tell(EXTEND)
                notifier.tell(f"{STATUS}waiting for the database")
        else:
            if told_s >= began_s:
                logger.warning("the database is there", after_s=round(loop.time() - began_s))
            return engine
        await asyncio.sleep(TRY_EVERY_S)
