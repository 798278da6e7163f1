"""A chart as SVG: all of it well formed, every text escaped, colours for light and dark pages."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from fsm.chart import Chart, Edge, Kind, Node, TextLine, render

SPACE = "{http://www.w3.org/2000/svg}"


def chart(title: str = "a title") -> Chart:
    kinds = {
        "plain": Kind("plain kind", "blue"),
        "end": Kind("an end", "red", rounded=True, double=True),
        "dashed": Kind("dashed kind", "grey", dashed=True),
    }
    nodes = (Node("one", "plain", ("<words> & more",)), Node("two", "end"), Node("three", "dashed"))
    edges = (
        Edge("one", "two", (TextLine("a < b"),)),
        Edge("two", "three", (TextLine("/ does it", muted=True),)),
        Edge("one", "three", (TextLine("far"),), jump=True),
    )
    return Chart(title, kinds, nodes, edges, "one", ("a note",))


def texts(picture: ET.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SPACE}text")]


def test_every_word_is_in_the_picture_whatever_it_means_in_xml() -> None:
    picture = ET.fromstring(render(chart("<\"both\"> & 'quotes'")))
    assert picture.get("aria-label") == "<\"both\"> & 'quotes'"
    assert picture.findtext(f"{SPACE}title") == "<\"both\"> & 'quotes'"
    assert {"one", "two", "three", "<words> & more", "a < b", "/ does it", "a note", "plain kind"} <= set(
        texts(picture)
    )


def test_kinds_are_told_apart_by_hue_and_outline() -> None:
    boxes = [each.get("class") or "" for each in ET.fromstring(render(chart())).iter(f"{SPACE}rect")]
    assert boxes.count("box blue") == 2, "the node and the legend"
    assert boxes.count("box grey dashed") == 2
    assert boxes.count("red inner") == 2
    assert [name for name in boxes if name.startswith("chip")] == ["chip grey"]


def test_dark_pages_have_colours_of_their_own_for_every_hue_in_use() -> None:
    style = ET.fromstring(render(chart())).findtext(f"{SPACE}style") or ""
    light, _, dark = style.partition("prefers-color-scheme:dark")
    for hue in ("blue", "red", "grey"):
        assert f".{hue}{{" in light
        assert f".{hue}{{" in dark
    assert ".teal{" not in style


def test_what_is_said_of_an_action_is_muted() -> None:
    (action,) = (each for each in ET.fromstring(render(chart())).iter(f"{SPACE}text") if each.text == "/ does it")
    assert action.get("class") == "muted mid"


def test_each_arrow_has_one_head() -> None:
    paths = [each for each in ET.fromstring(render(chart())).iter(f"{SPACE}path") if each.get("class") == "line"]
    assert len([each for each in paths if each.get("marker-end")]) == 3, "two edges and the initial arrow"
