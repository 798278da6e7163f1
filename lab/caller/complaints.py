"""The complaints about a call, each once: a broken rule of the protocol, or a missing answer.

May import: the standard library.
"""

from __future__ import annotations

from collections.abc import Callable


class Complaints:
    """Collects complaints in order of first occurrence. now_ms: the call's time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._first_ms: dict[tuple[str, str], int] = {}
        self._times: dict[tuple[str, str], int] = {}

    def add(self, rule: str, detail: str = "") -> None:
        """rule: the stable name of the broken rule. detail: where; repetitions are counted."""
        key = (rule, detail)
        self._first_ms.setdefault(key, self._now_ms())
        self._times[key] = self._times.get(key, 0) + 1

    @property
    def met(self) -> list[tuple[str, str]]:
        """The broken rules with their details, in order of first occurrence."""
        return list(self._first_ms)

    def lines(self) -> list[str]:
        """One line each: `rule: detail (at 1240 ms)`, with a count if it was repeated."""
        lines = []
        for (rule, detail), at_ms in self._first_ms.items():
            times = self._times[rule, detail]
            when = f"at {at_ms} ms" if times == 1 else f"{times} times from {at_ms} ms"
            lines.append(f"{rule}: {detail} ({when})" if detail else f"{rule} ({when})")
        return lines
