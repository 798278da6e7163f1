"""Known failures: scenes that do not pass, and why.

A scene is listed here until its fault is fixed; a listed scene that passes is reported too.
"""

from __future__ import annotations

KNOWN: dict[str, str] = {}
