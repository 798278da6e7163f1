"""Ranks and order: which edges lead back, which row a node stands in, and where in the row."""

from __future__ import annotations

from fsm.chart.layers import START, Cell, leading_back, link, ordered, ranks


def test_edges_to_where_the_way_has_come_through_and_to_the_start_lead_back() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "a"), ("a", "c"), ("b", "b")]
    assert leading_back("a", ["a", "b", "c"], pairs) == {("c", "b"), ("c", "a"), ("b", "b")}


def test_edges_of_nodes_the_start_does_not_reach_may_lead_back() -> None:
    assert leading_back("a", ["a", "b", "c"], [("b", "c"), ("c", "b"), ("b", "a")]) == {("c", "b"), ("b", "a")}


def ranked(pairs: list[tuple[str, str]], limit_px: float = 1000, names: str = "abcd") -> dict[str, int]:
    nodes = [START, *names]
    return ranks(nodes, [(START, names[0]), *pairs], dict.fromkeys(nodes, 100.0), limit_px)


def test_every_edge_leads_down_and_the_initial_dot_stands_above_all() -> None:
    assert ranked([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]) == {START: 0, "a": 1, "b": 2, "c": 3, "d": 4}


def test_a_node_that_nothing_holds_above_moves_down_to_its_neighbours() -> None:
    found = ranked([("a", "b"), ("b", "c"), ("d", "c")])
    assert found["d"] == found["c"] - 1


def test_a_node_with_more_edges_below_than_above_moves_down_to_its_neighbours() -> None:
    found = ranked([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("a", "x"), ("x", "d"), ("x", "e")], names="abcdex")
    assert found["x"] == found["d"] - 1 == 3


def test_a_node_follows_one_below_it_that_has_moved_down() -> None:
    deep = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    found = ranked([*deep, ("x", "y"), ("y", "d"), ("y", "e")], names="axybcde")
    assert (found["x"], found["y"], found["d"]) == (2, 3, 4)


def test_a_row_that_is_too_wide_is_broken() -> None:
    fan = [("a", "b"), ("a", "c"), ("a", "d")]
    assert ranked(fan) == {START: 0, "a": 1, "b": 2, "c": 2, "d": 2}
    assert sorted(ranked(fan, limit_px=200).values()) == [0, 1, 2, 2, 3]


def test_a_node_without_an_edge_is_in_the_last_row() -> None:
    assert ranked([("a", "b"), ("b", "c")])["d"] == 3


def cells(row: int, *names: str) -> list[Cell]:
    return [Cell(row, 10, 10, 10, node=name) for name in names]


def test_nodes_are_ordered_so_that_edges_need_not_cross() -> None:
    (a, b, c), (x, y, z) = cells(0, "a", "b", "c"), cells(1, "x", "y", "z")
    for upper, lower in ((a, z), (b, y), (c, x)):
        link([upper, lower])
    top, bottom = ordered([a, b, c, x, y, z])
    partner = {"a": "z", "b": "y", "c": "x"}
    assert [partner[cell.node] for cell in top] == [cell.node for cell in bottom]


def test_a_chain_is_joined_from_the_upper_to_the_lower() -> None:
    (a,), (x,) = cells(0, "a"), cells(1, "x")
    link([a, x])
    assert (a.down, x.up, a.up, x.down) == ([x], [a], [], [])
