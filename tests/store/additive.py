"""What an earlier release cannot live with, found by comparing the tables before a migration with those after it.

The earlier release writes the columns that it knows, in rows that the later one reads, and the other way round. So what
it knows stays as it is, and what is new must be filled in without it, and refuse none of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, inspect


@dataclass(frozen=True)
class Shape:
    """A table. columns: by name, the type and whether NULL is refused. filled: those that need not be written."""

    columns: dict[str, tuple[str, bool]]
    filled: frozenset[str]
    keys: frozenset[tuple[str, ...]]
    rules: frozenset[str]


def shapes(connection: Connection) -> dict[str, Shape]:
    """The tables of a database, by name."""
    look = inspect(connection)
    return {name: _shape(look, name) for name in look.get_table_names() if name != "alembic_version"}


def not_additive(before: dict[str, Shape], after: dict[str, Shape]) -> list[str]:
    """What the release of the tables before cannot live with; empty if there is nothing."""
    found = [f"{table} is gone" for table in before.keys() - after.keys()]
    for table, old in before.items():
        if (new := after.get(table)) is None:
            continue
        for column, kind in old.columns.items():
            if column not in new.columns:
                found.append(f"{table}.{column} is gone")
            elif new.columns[column] != kind:
                found.append(f"{table}.{column} is no longer {kind}")
            elif column in old.filled - new.filled:
                found.append(f"{table}.{column} must be written")
        found += [
            f"{table}.{column} must be written" for column in new.columns.keys() - old.columns.keys() - new.filled
        ]
        found += [f"{table}: {', '.join(key)} must be unique" for key in new.keys - old.keys]
        found += [f"{table}: {', '.join(key)} need not be unique any more" for key in old.keys - new.keys]
        found += [f"{table}: {rule}" for rule in new.rules - old.rules]
    for table in after.keys() - before.keys():
        found += [f"{table} {rule}" for rule in after[table].rules if rule.removeprefix("refers to ") in before]
    return sorted(found)


def _shape(look: Any, table: str) -> Shape:
    columns = look.get_columns(table)
    primary = tuple(look.get_pk_constraint(table)["constrained_columns"])
    unique = [tuple(each["column_names"]) for each in look.get_unique_constraints(table)]
    unique += [tuple(each["column_names"]) for each in look.get_indexes(table) if each["unique"]]
    rules = [f"refers to {each['referred_table']}" for each in look.get_foreign_keys(table)]
    rules += [f"check {each['sqltext']}" for each in look.get_check_constraints(table)]
    return Shape(
        {each["name"]: (str(each["type"]), not each["nullable"]) for each in columns},
        # A single integer key fills itself in, on both databases.
        frozenset(
            each["name"]
            for each in columns
            if each["nullable"]
            or each["default"] is not None
            or (primary == (each["name"],) and "INT" in str(each["type"]))
        ),
        frozenset((primary, *unique)),
        frozenset(rules),
    )
