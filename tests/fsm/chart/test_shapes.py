"""Shapes and their sizes: labels broken at their limit, boxes that hold their text, a legend of what is used."""

from __future__ import annotations

from fsm.chart import Edge, Node, TextLine
from fsm.chart.place import PORT_PX
from fsm.chart.shapes import LABEL_LIMIT_PX, LABEL_PAD_PX, LINE_PX, STRETCH_LIMIT_PX, Label, Rect, Sizes
from fsm.chart.text import TEXT_PX, width_px


def test_a_rect_ends_where_its_size_says() -> None:
    rect = Rect(10, 20, 30, 40)
    assert (rect.right, rect.bottom) == (40, 60)


def test_a_label_is_broken_at_its_limit_and_stays_muted() -> None:
    edge = Edge("a", "b", (TextLine("go"), TextLine("one long line that has to be broken somewhere", muted=True)))
    first, *rest = Label.lines_of(edge)
    assert first == TextLine("go")
    assert len(rest) >= 2
    assert all(line.muted and width_px(line.text, TEXT_PX) <= LABEL_LIMIT_PX for line in rest)
    width, height = Label.size(edge)
    assert height == (1 + len(rest)) * LINE_PX + 3
    assert width >= max(width_px(line.text, TEXT_PX) for line in (first, *rest)) + 2 * LABEL_PAD_PX


def test_a_dot_stands_between_two_events_of_a_label_and_none_before_an_action() -> None:
    edge = Edge("a", "b", (TextLine("go"), TextLine("come"), TextLine("/ ring", muted=True), TextLine("stop")))
    assert [line.text for line in Label.lines_of(edge)] == ["go ·", "come", "/ ring", "stop"]


def test_a_label_stands_with_its_middle_where_it_was_put() -> None:
    label = Label.at(Edge("a", "b", (TextLine("go"),)), 100, 50)
    assert (label.rect.left + label.rect.right) / 2 == 100
    assert abs((label.rect.top + label.rect.bottom) / 2 - 50) <= 0.5


def test_an_edge_without_a_label_has_none() -> None:
    assert Label.size(Edge("a", "b"))[1] == 0


def test_a_box_holds_its_text_its_chips_and_its_arrows() -> None:
    node = Node("state", "a", ("some details of it",))
    jump = Edge("state", "other", (TextLine("far"),), jump=True)
    sizes = Sizes.of(node, [jump], 200, ports=3, wish_px=0)
    box = sizes.box(node, x=100, top=0)
    (chip,) = box.chips
    assert box.rect.left < chip.rect.left < chip.rect.right < box.rect.right
    assert chip.rect.bottom < box.rect.bottom
    assert box.rect.width >= width_px("some details of it", TEXT_PX)
    assert Sizes.of(node, [], 200, ports=40, wish_px=0).box(node, 100, 0).rect.width >= 39 * PORT_PX


def test_a_box_is_stretched_for_its_arrows_to_a_limit_only() -> None:
    node = Node("n", "a")
    narrow, wide, widest = (
        Sizes.of(node, [], 200, ports=1, wish_px=wish).box(node, 0, 0).rect.width for wish in (0, 150, 9000)
    )
    assert narrow < wide <= widest <= STRETCH_LIMIT_PX
