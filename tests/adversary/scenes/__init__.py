"""The scenes, by kind. A module here registers its scenes when it is imported."""

from __future__ import annotations

import importlib
import pkgutil


def load_scenes() -> None:
    """Have all scenes registered."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
