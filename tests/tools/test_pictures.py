"""The pictures in docs/ are those of today's tables, and some document shows each."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import actors
import fsm
import protocols
from protocols.transitions import Table
from tools.pictures import DOCS, MACHINES, pictures

DRAWN = pictures()


@pytest.mark.parametrize("path", sorted(DRAWN), ids=str)
def test_the_picture_in_the_documents_is_not_stale(path: Path) -> None:
    assert (DOCS / path).exists(), "make pictures"
    assert (DOCS / path).read_text() == DRAWN[path], f"docs/{path} is stale: make pictures"


def test_no_picture_is_left_of_a_table_that_is_gone() -> None:
    kept = {path.relative_to(DOCS) for folder in ("tasks", "machines") for path in (DOCS / folder).glob("*.svg")}
    assert kept == set(DRAWN)


@pytest.mark.parametrize("path", sorted(DRAWN), ids=str)
def test_a_document_shows_the_picture(path: Path) -> None:
    assert f"]({path})" in "".join(document.read_text() for document in DOCS.glob("*.md"))


@pytest.mark.parametrize("path", sorted(DRAWN), ids=str)
def test_the_picture_is_readable_in_a_readmes_width_by_day_and_by_night(path: Path) -> None:
    picture = ET.fromstring(DRAWN[path])
    assert float(picture.attrib["width"]) <= 830
    assert "@media (prefers-color-scheme:dark)" in DRAWN[path]


def tables() -> Iterator[Table[Any, Any, Any]]:
    """Every transition table that a module of the product holds."""
    for room in (protocols, fsm, actors):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            yield from (each for each in vars(import_module(found.name)).values() if isinstance(each, Table))


def test_every_transition_table_has_its_picture() -> None:
    drawn = set(map(id, MACHINES.values()))
    assert {table.name for table in tables() if id(table) not in drawn} == set()
