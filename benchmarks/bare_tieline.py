"""Tieline with everything off that is written down or counted: no journal, no records, no metrics.

`python -m benchmarks.bare_tieline serve …` as `run.py serve …`. Only to measure what these cost: nobody could tell of a
call afterwards. May import: run, store, prometheus_client, the standard library.
"""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from store.journal import Journal


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _none(*_: Any, **__: Any) -> list[Any]:
    return []


def main() -> None:
    for kind, methods in ((Counter, ("inc",)), (Gauge, ("inc", "dec", "set")), (Histogram, ("observe",))):
        for method in methods:
            setattr(kind, method, _nothing)
    for method in ("draft", "finish"):
        setattr(Journal, method, _nothing)
    for method in ("append", "missing"):  # nothing is left over, nothing was lost
        setattr(Journal, method, _none)
    from run import app

    app()


if __name__ == "__main__":
    main()
