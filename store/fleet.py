"""The processes that share the store: what they tell of themselves, and the calls they have.

May import: store, pydantic, SQLAlchemy, the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Connection, Text, cast, func, select

from store import schema
from store.leases import is_held, lives
from store.rows import DAMAGE, readable

# What a process tells of itself: release, started_at (ISO 8601), max_calls, vaic and ops (URLs), leaving, and bots: by
# name the digest of the version that takes calls.
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
        leaving = not self.lives or bool(self.facts.get("leaving"))
        return 0 if leaving or not isinstance(most, int) else max(0, most - self.calls)


def fleet(connection: Connection) -> list[FleetMember]:
    """The processes that have shown themselves and have not left, by name; without those whose row is damaged."""
    node, lease, dialect = schema.node.c, schema.lease.c, connection.dialect.name
    counted = select(lease.node, func.count()).where(is_held(dialect)).group_by(lease.node)
    calls: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    shown = select(node.node, node.seen_at, lives(dialect).label("lives")).order_by(node.node)
    members = readable(connection, schema.node, shown, lambda **row: FleetMember(**row, calls=0, facts={}))
    # As texts: facts of one that are no JSON would be the end of the list.
    told = {row[0]: row[1] for row in connection.execute(select(node.node, cast(node.facts, Text)))}
    return [replace(each, calls=calls.get(each.node, 0), facts=_facts(told.get(each.node))) for each in members]


def _facts(text: object) -> Facts:
    try:
        facts = json.loads(text) if isinstance(text, str) else {}
    except DAMAGE:
        return {}
    return facts if isinstance(facts, dict) else {}
