"""What a model's server has refused of a bot's settings, so that the next call does not offer it again.

Pure state. May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

# How long they are left out: the server may learn a setting, and an account be given one.
REMEMBERED_S = 3600.0
# Bots' settings of which something is remembered. With more, the oldest are offered whole again.
MOST_SETTINGS = 1000


class RefusedSettings:
    """By the key of a bot's settings, whose other versions are offered whole. now_s: monotonic."""

    __slots__ = ("_now_s", "_refused")

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._refused: dict[str, tuple[float, tuple[str, ...]]] = {}  # from when on, and the paths

    def note(self, key: str, paths: Iterable[str]) -> None:
        """A session was accepted without the settings at these paths, in the order in which they were refused."""
        known = self.of(key)
        self._refused.pop(key, None)
        if len(self._refused) >= MOST_SETTINGS:
            del self._refused[next(iter(self._refused))]
        self._refused[key] = self._now_s(), (*known, *(path for path in paths if path not in known))

    def of(self, key: str) -> tuple[str, ...]:
        """The paths to leave out."""
        since_s, paths = self._refused.get(key, (0.0, ()))
        if paths and self._now_s() - since_s >= REMEMBERED_S:
            del self._refused[key]
            return ()
        return paths
