"""The names of the profiles of servers, for settings: without what profiles do, which is slow to import.

Pure. May import: the standard library.
"""

from __future__ import annotations

from typing import Literal

ProfileName = Literal["openai", "beta", "speaches", "xai", "localai"]
