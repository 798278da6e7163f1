"""The clients that are tried: each has its scenes, and its row in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.catalogue import CLIENTS, Client

HERE = Path(__file__).parent
TABLE = (HERE.parents[1] / "docs" / "clients.md").read_text()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_has_its_scenes_and_its_row(client: Client) -> None:
    (row,) = re.findall(rf"^\| `{client.name}` \|.*$", TABLE, re.MULTILINE)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert f"`{client.distribution}`" in cells[1]
    assert tuple(cells[3].split(", ")) == client.scenes
    source = (HERE / client.script).read_text()
    if not client.bot:
        begins = r"^  async (\w+)\(\) \{" if client.is_node else r"^async def (\w+)\(\) -> None"
        assert set(client.scenes) <= set(re.findall(begins, source, re.MULTILINE))
    assert all(f"| {scene} |" in TABLE for scene in client.scenes)


def test_two_are_light_enough_for_ci() -> None:
    assert sum(client.light for client in CLIENTS) == 2
