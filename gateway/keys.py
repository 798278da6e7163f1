"""The keys of the settings, for what the store holds.

May import: gateway.settings, protocols, store, SQLAlchemy, the standard library.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine

from gateway.settings import Settings, SettingsError, ring_of, variable_of
from protocols.sealing import KeyRing
from store.data_keys import WrongKeys, check_ring, use_ring
from store.database import reading

VARIABLE = variable_of("encryption_key")


def use_keys(engine: Engine, settings: Settings) -> None:
    """Have a store sealed and read with the keys of the settings.

    Raises: SettingsError if it has what they cannot read: a call must not find that out.
    """
    ring = ring_of(settings)
    use_ring(engine, ring)
    with reading(engine) as connection:
        check_keys(connection, ring)


def check_keys(connection: Connection, ring: KeyRing | None) -> None:
    """Raises: SettingsError."""
    try:
        check_ring(connection, ring)
    except WrongKeys as wrong:
        raise SettingsError([f"{VARIABLE}: {wrong}"]) from None
