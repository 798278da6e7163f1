"""The glossary: every file that it names exists and contains the name given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| our term")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_term_is_where_the_glossary_says(row: list[str]) -> None:
    assert len(row) == 4
    assert all(row)
    where, _, name = row[3].partition(": ")
    paths = [ROOT / each for each in re.findall(r"`([^`]+)`", where)]
    assert paths
    assert [path for path in paths if not path.is_file()] == []
    if name:
        assert re.search(rf"\b{re.escape(name.strip('`'))}\b", paths[0].read_text())


def test_no_term_is_explained_twice() -> None:
    terms = [row[0] for row in ROWS]
    assert len(terms) > 50
    assert sorted({each for each in terms if terms.count(each) > 1}) == []
