"""What VoiceAI Connect says of calls that have ended: how long their answers took by its own clock.

May import: protocols, pydantic, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import Connection, Engine, Integer, cast, select

from protocols.vaic_reports import VaicDelays
from store import schema
from store.call_keys import call_key
from store.database import insert, reading
from store.rows import readable_one


class VaicReport(BaseModel):
    """What was reported of one call. delays: of each answer, in their order."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    received_at: AwareDatetime
    delays: tuple[VaicDelays, ...]


class VaicReports:
    """For any thread. Raises: SQLAlchemy's OperationalError if the database is unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, delays: Mapping[str, tuple[VaicDelays, ...]], at: datetime) -> list[str]:
        """Keep what was said of calls, by conversation id; of one that is reported again, the latest. at: aware.

        Returns the ids that no call here has.
        """
        unknown = []
        with self._engine.begin() as connection:
            for conversation_id, each in sorted(delays.items()):  # in order, to prevent deadlocks
                key = _latest_key(connection, conversation_id)
                if key is None:
                    unknown.append(conversation_id)
                    continue
                facts = {"delays": [delay.model_dump(exclude_none=True) for delay in each]}
                values = {"received_at": at, "facts": facts}
                row = insert(connection.dialect.name, schema.call_report).values(conversation_id=key, **values)
                connection.execute(row.on_conflict_do_update(index_elements=["conversation_id"], set_=values))
        return unknown

    def of_call(self, key: str) -> VaicReport | None:
        """What was said of a call. Raises: UnreadableRow."""
        column = schema.call_report.c
        query = select(column.received_at, column.facts).where(column.conversation_id == key)
        with reading(self._engine) as connection:
            return readable_one(connection, schema.call_report, query, _report)


def _report(received_at: datetime, facts: dict[str, Any]) -> VaicReport:
    return VaicReport(received_at=received_at, delays=facts["delays"])


def _latest_key(connection: Connection, conversation_id: str) -> str | None:
    """The key of the last call of an id; None if the store knows none."""
    first, lease, call = call_key(conversation_id), schema.lease.c, schema.call.c
    # Cast, because SQLite keeps any value: a damaged count would stand in a key as it is.
    calls = connection.scalar(select(cast(lease.calls, Integer)).where(lease.conversation_id == first))
    if calls is not None:
        return call_key(conversation_id, calls)
    return connection.scalar(select(call.conversation_id).where(call.conversation_id == first))
