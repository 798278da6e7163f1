"""Opens the store when the daemon starts: waits while the database is away, and gives up if it is the wrong one.

May import: gateway.systemd, store, loguru, the standard library.
"""

from __future__ import annotations

import asyncio

from loguru import logger
from sqlalchemy import Engine

from gateway.systemd import EXTEND, STATUS, Notifier
from store.database import DatabaseAway, open_database, shown

TRY_EVERY_S = 1.0
# How often the log says that it is still waited for, and the service manager is asked for more time.
TELL_EVERY_S = 10.0


async def open_store(url: str, notifier: Notifier) -> Engine:
    """Open and migrate the database as soon as it can be had. Raises: WrongDatabase."""
    loop = asyncio.get_running_loop()
    began_s, told_s, reason = loop.time(), float("-inf"), ""

    def tell(what: str, **more: str) -> None:
        nonlocal told_s
        told_s = loop.time()
        logger.error(what, **more, since_s=round(told_s - began_s))
        notifier.tell(EXTEND)
        notifier.tell(f"{STATUS}waiting for the database")

    while True:
        # Not on the loop: a migration, or a slow server, may take longer than we may be silent.
        attempt = loop.create_task(asyncio.to_thread(open_database, url))
        try:
            while not attempt.done():
                due_s = max(began_s, told_s) + TELL_EVERY_S
                if not (await asyncio.wait({attempt}, timeout=max(0.0, due_s - loop.time())))[0]:
                    if reason:  # it takes as long to fail again
                        tell("the database is away: it is waited for", reason=reason)
                    else:
                        tell("the database is still being opened or migrated", database=shown(url))
            engine = attempt.result()
        except DatabaseAway as error:
            reason = str(error)
            if loop.time() - told_s >= TELL_EVERY_S:
                tell("the database is away: it is waited for", reason=reason)
        else:
            if told_s >= began_s:
                logger.warning("the database is there", after_s=round(loop.time() - began_s))
            return engine
        finally:
            attempt.cancel()
        await asyncio.sleep(TRY_EVERY_S)
