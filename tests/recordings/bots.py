"""The example bots, whose calls are recorded.

May import: the standard library.
"""

from __future__ import annotations

import shutil
from pathlib import Path

BOTS = Path(__file__).parents[2] / "bots"


def recorded_bots(folder: Path, mode: str = "always") -> Path:
    """A copy of the example bots in this folder, with `[recording]`. Returns its path."""
    bots = folder / "bots"
    shutil.copytree(BOTS, bots)
    for file in bots.glob("*/bot.toml"):
        file.write_text(f'{file.read_text()}\n[recording]\nmode = "{mode}"\n')
    return bots
