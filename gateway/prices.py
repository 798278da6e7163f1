"""The price list of the models, read from its file.

May import: actors.prices, protocols, gateway.settings, gateway.small_files, the standard library.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from actors.prices import Price, Prices
from gateway.settings import Settings, SettingsError
from gateway.small_files import read_small
from protocols.realtime.usage import KINDS

DATE, MINUTE = "as_of", "minute"


def read_prices(settings: Settings) -> Prices:
    """The list that the settings name; by default the one that comes along. Raises: SettingsError, with every fault."""
    try:
        if settings.prices:
            text = read_small(Path(settings.prices)).decode()
        else:
            text = (resources.files("gateway") / "prices.toml").read_text(encoding="utf-8")
        told = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise SettingsError([f"TIELINE_PRICES: {error}"]) from None
    faults = list(_faults(told))
    if faults:
        raise SettingsError([f"TIELINE_PRICES: {fault}" for fault in faults])
    models = {
        name: Price({kind: price for kind, price in told[name].items() if kind != MINUTE}, told[name].get(MINUTE))
        for name in told
        if name != DATE
    }
    return Prices(models, told[DATE])


def _faults(told: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    if type(told.get(DATE)) is not date:
        found.append(f"{DATE}: must be a date, like 2026-11-30")
    for name, prices in told.items():
        if name == DATE:
            continue
        if not isinstance(prices, dict):
            found.append(f"{name}: must be a table of prices, as [{name!r}]")
            continue
        for kind, price in prices.items():
            if kind not in (*KINDS, MINUTE):
                found.append(f"{name}.{kind}: is none of {', '.join((*KINDS, MINUTE))}")
            elif isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < 1e6:
                found.append(f"{name}.{kind}: must be US dollars, like 4.00")
    return found
