"""Text in a chart: where it is broken."""

from __future__ import annotations

from fsm.chart.text import width_px, wrapped


def test_a_list_is_broken_between_its_items_and_an_item_that_is_too_wide_at_its_spaces() -> None:
    limit = width_px("one thing · another thing ·", 12)
    assert wrapped("one thing · another thing · a third thing", 12, limit) == (
        "one thing · another thing ·",
        "a third thing",
    )
    assert wrapped("a sentence of many words", 12, width_px("sentence of", 12)) == ("a sentence", "of many", "words")
    assert wrapped("unbreakable", 12, 10) == ("unbreakable",)
    assert wrapped("", 12, 10) == ("",)
