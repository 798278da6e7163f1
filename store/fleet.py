"""The processes that share the store: what they tell of themselves, and the calls they have.

May import: store, pydantic, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import Connection, Text, cast, func, select

from store import schema
from store.leases import is_held, lives
from store.rows import DAMAGE, readable

# What a process tells of itself: release, started_at (ISO 8601), max_calls, vaic and ops (URLs), leaving, not_ready
# (why it wants no new calls, "" if it does), and bots: by name the digest of the version that takes calls.
Facts = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class FleetMember:
    """One process. seen_at: when it last showed itself. lives: not so long ago. calls: those it has a lease for.

    facts: empty if it is of a release that tells nothing.
    """

    node: str
    seen_at: datetime
    lives: bool
    calls: int
    facts: Facts

    @property
    def room(self) -> int:
        """How many more calls it takes, as it tells."""
        most = self.facts.get("max_calls")
        closed = not self.lives or bool(self.facts.get("leaving") or self.facts.get("not_ready"))
        return 0 if closed or not isinstance(most, int) else max(0, most - self.calls)


def fleet(connection: Connection) -> list[FleetMember]:
    """The processes that have shown themselves and have not left, by name; without those whose row is damaged."""
    node, lease, dialect = schema.node.c, schema.lease.c, connection.dialect.name
    counted = select(lease.node, func.count()).where(is_held(dialect)).group_by(lease.node)
    calls: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    # As text: one whose facts are no JSON is a member all the same.
    told = cast(node.facts, Text).label("told")
    shown = select(node.node, node.seen_at, lives(dialect).label("lives"), told).order_by(node.node)

    def member(told: object, **row: Any) -> FleetMember:
        return FleetMember(**row, calls=calls.get(row["node"], 0), facts=_facts(told))

    return readable(connection, schema.node, shown, member)


def _facts(text: object) -> Facts:
    try:
        facts = json.loads(text) if isinstance(text, str) else {}
    except DAMAGE:
        return {}
    return facts if isinstance(facts, dict) else {}
