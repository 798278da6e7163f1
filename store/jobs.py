"""Jobs that one process at a time does, whichever it is, and how long ago the last round was.

Times are by the database's clock. May import: SQLAlchemy, store, the standard library.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, and_, not_, or_

from store import schema
from store.database import insert, moment


class Job:
    """For one thread. node: a unique name of the process. hold_s: after that without `keep` another process may.

    Raises: SQLAlchemy's OperationalError if the database is unavailable.
    """

    def __init__(self, engine: Engine, name: str, node: str, hold_s: float = 120.0) -> None:
        self._engine = engine
        self._name = name
        self._node = node
        self._hold_s = hold_s

    def begin(self, every_s: float) -> bool:
        """Take the job, if nobody has it and its last round ended that long ago. Returns whether it is ours.

        What lies further ahead than it can is of a clock that was set back since, or damaged: it holds up nobody.
        """
        table, dialect = schema.job, self._engine.dialect.name
        row = {"name": self._name, "node": self._node, "lease_until": moment(dialect, self._hold_s)}
        statement = insert(dialect, table).values(row)
        until, done_at, now = table.c.lease_until, table.c.done_at, moment(dialect)
        held = and_(until > now, until <= moment(dialect, 2 * self._hold_s))
        done = and_(done_at > moment(dialect, -every_s), done_at <= moment(dialect, every_s))
        free = or_(not_(held), table.c.node == self._node)
        due = or_(done_at.is_(None), not_(done))
        taken = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={name: statement.excluded[name] for name in ("node", "lease_until")},
            where=free & due,
        ).returning(table.c.name)
        with self._engine.begin() as connection:
            return connection.scalar(taken) is not None

    def keep(self, connection: Connection) -> bool:
        """Go on having it, in a transaction of its work; False if another process has it by now."""
        mine = schema.job.update().where(schema.job.c.name == self._name, schema.job.c.node == self._node)
        return connection.execute(mine.values(lease_until=moment(connection.dialect.name, self._hold_s))).rowcount == 1

    def leave(self, *, done: bool) -> None:
        """Give it up. done: the round is over; else another process may go on at once."""
        now = moment(self._engine.dialect.name)
        values = {"lease_until": now} | ({"done_at": now} if done else {})
        mine = schema.job.update().where(schema.job.c.name == self._name, schema.job.c.node == self._node)
        with self._engine.begin() as connection:
            connection.execute(mine.values(values))
