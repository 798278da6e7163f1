"""The processes that share the store: what they tell of themselves, and the calls they have.

May import: store, pydantic, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import Connection, func, select

from store import schema
from store.leases import is_held, lives

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
    """The processes that have shown themselves and have not left, by name."""
    node, lease, dialect = schema.node.c, schema.lease.c, connection.dialect.name
    counted = select(lease.node, func.count()).where(is_held(dialect)).group_by(lease.node)
    calls: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    members = select(node.node, node.seen_at, node.facts, lives(dialect)).order_by(node.node)
    return [
        FleetMember(name, seen_at, bool(living), calls.get(name, 0), facts if isinstance(facts, dict) else {})
        for name, seen_at, facts, living in connection.execute(members)
    ]
