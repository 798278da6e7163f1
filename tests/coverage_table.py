"""How much of each package the tests have run, a line a package: `python -m tests.coverage_table REPORT.json`.

The report is slipcover's, which takes a line's probe out once it was run: a fraction of what a tracer costs. What runs
in processes of its own (some whole calls, faults) is not counted, so the figures are lower bounds.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path, PurePath

from rich.console import Console
from rich.table import Table


def by_package(files: dict[str, dict[str, list[int]]]) -> dict[str, tuple[int, int]]:
    """Of each folder with modules in it: lines that were run, lines there are. files: slipcover's, by path."""
    run: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for name, file in files.items():
        package = str(PurePath(name).parent)
        run[package] += len(file["executed_lines"])
        lines[package] += len(file["executed_lines"]) + len(file["missing_lines"])
    return {package: (run[package], count) for package, count in sorted(lines.items()) if count}


def main(report: str) -> None:
    packages = by_package(json.loads(Path(report).read_text())["files"])
    table = Table("package", "lines", "run", box=None, pad_edge=False)
    for package, (run, lines) in packages.items():
        table.add_row(package, str(lines), f"{100 * run / lines:.0f} %")
    run, lines = (sum(each) for each in zip(*packages.values(), strict=True))
    table.add_row("all", str(lines), f"{100 * run / lines:.0f} %", style="bold")
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1])
