"""The pictures in docs/ are those of today's tables, and some document shows each."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
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

Drawn = Mapping[Path, str]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return pictures()


def test_no_picture_in_the_documents_is_stale(drawn: Drawn) -> None:
    kept = {path.relative_to(DOCS) for folder in ("tasks", "machines") for path in (DOCS / folder).glob("*.svg")}
    assert kept == set(drawn), "make pictures"
    assert [str(path) for path, picture in drawn.items() if (DOCS / path).read_text() != picture] == [], "make pictures"


def test_a_document_shows_each_picture(drawn: Drawn) -> None:
    documents = "".join(document.read_text() for document in DOCS.glob("*.md"))
    assert [str(path) for path in drawn if f"]({path})" not in documents] == []


def test_each_picture_is_readable_in_a_readmes_width_by_day_and_by_night(drawn: Drawn) -> None:
    too_wide = [path for path, picture in drawn.items() if float(ET.fromstring(picture).attrib["width"]) > 830]
    dark = [path for path, picture in drawn.items() if "@media (prefers-color-scheme:dark)" in picture]
    assert (too_wide, dark) == ([], list(drawn))


def tables() -> Iterator[Table[Any, Any, Any]]:
    """Every transition table that a module of the product holds."""
    for room in (protocols, fsm, actors):
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            yield from (each for each in vars(import_module(found.name)).values() if isinstance(each, Table))


def test_every_transition_table_has_its_picture() -> None:
    drawn = set(map(id, MACHINES.values()))
    assert {table.name for table in tables() if id(table) not in drawn} == set()
