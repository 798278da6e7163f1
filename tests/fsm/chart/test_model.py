"""What a chart is made of: names that are not there and unknown hues are refused."""

from __future__ import annotations

import pytest

from fsm.chart import Chart, Edge, Kind, Node
from protocols.errors import MisuseError


@pytest.mark.parametrize(
    ("nodes", "edges", "start", "what"),
    [
        ((Node("one", "a"), Node("one", "a")), (), "one", "the same name"),
        ((Node("one", "b"),), (), "one", "unknown kind 'b'"),
        ((Node("one", "a"),), (Edge("one", "two"),), "one", "no node 'two'"),
        ((Node("one", "a"),), (), "two", "no node 'two'"),
    ],
)
def test_a_chart_that_names_what_is_not_there_is_refused(
    nodes: tuple[Node, ...], edges: tuple[Edge, ...], start: str, what: str
) -> None:
    with pytest.raises(MisuseError, match=what):
        Chart("wrong", {"a": Kind("kind", "blue")}, nodes, edges, start)


def test_a_kind_of_an_unknown_hue_is_refused() -> None:
    with pytest.raises(MisuseError, match="no hue 'pink'"):
        Chart("wrong", {"a": Kind("kind", "pink")}, (Node("one", "a"),), (), "one")
