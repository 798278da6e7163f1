"""Values that do not belong into their columns, as a damaged disk or another program leaves them in SQLite."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, DateTime, Engine, Integer, Table, TypeDecorator

NOT_UTF_8 = "CAST(x'ff00fe41' AS TEXT)"
BLOB = "x'00ff'"
WORD = "'zzz'"
JSON_GARBAGE = ("'{\"a\":'", "'null'", "'[1, 2]'", "'\"text\"'", "'7'", f"'{'[' * 100_000}'", BLOB, NOT_UTF_8, "7.5")


def garbage_for(column: Any) -> tuple[str, ...]:
    """SQL expressions."""
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, JSON):
        return JSON_GARBAGE
    if isinstance(kind, DateTime):
        return (WORD, BLOB, "7", "'9999-99-99 25:00:00'")
    if isinstance(kind, Integer):
        return (WORD, BLOB, "7.5")
    return (BLOB, NOT_UTF_8)


def columns_of(*tables: Table, keys: bool = True) -> list[tuple[Table, str, str]]:
    """Each column of the tables with each garbage for it. keys: those of primary keys too."""
    return [
        (table, column.name, garbage)
        for table in tables
        for column in table.columns
        if keys or not column.primary_key
        for garbage in garbage_for(column)
    ]


def spoil(engine: Engine, table: Table, column: str, garbage: str, where: str) -> None:
    """Write garbage into a column of the rows for which `where`, a condition, holds."""
    with engine.begin() as connection:
        statement = f'UPDATE "{table.name}" SET "{column}" = {garbage} WHERE {where}'  # noqa: S608 - ours
        connection.exec_driver_sql(statement)
