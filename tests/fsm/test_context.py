"""What a run knows: items by name within their category, as long as they hold, as far as a filter shows them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from fsm.context import EVERYTHING, FACT, SLOT, Context, ContextItem, Filter
from tests.fsm.tables import NOW

MINUTE = timedelta(minutes=1)


def known() -> Context:
    """Slots are kept for ten minutes, facts to the end."""
    context = Context({SLOT: 10 * MINUTE})
    context.put(SLOT, "size", "small", source="model", confidence=0.8, now=NOW)
    context.put(FACT, "size", "of a house", source="store", confidence=1.0, now=NOW)
    return context


def names(context: Context, seen: Filter = EVERYTHING) -> list[tuple[str, str]]:
    return [(item.category, item.name) for item in context.items(seen)]


def test_an_item_says_where_it_came_from_how_sure_it_is_and_until_when_it_holds() -> None:
    slot, fact = known().items()
    assert slot == ContextItem(
        name="size", value="small", category=SLOT, source="model", confidence=0.8, at=NOW, expires_at=NOW + 10 * MINUTE
    )
    assert fact.expires_at is None


def test_a_name_is_unique_in_its_category_and_the_last_value_counts() -> None:
    context = known()
    context.put(SLOT, "size", "large", source="caller", confidence=1.0, now=NOW)
    assert (context.values(SLOT), context.values(FACT)) == ({"size": "large"}, {"size": "of a house"})


def test_an_item_is_valid_until_it_expires() -> None:
    context = known()
    context.expire(NOW + 10 * MINUTE - timedelta(microseconds=1))
    assert names(context) == [(SLOT, "size"), (FACT, "size")]
    context.expire(NOW + 10 * MINUTE)
    assert names(context) == [(FACT, "size")]


def test_dropping_and_forgetting_touch_what_they_name_only() -> None:
    context = known()
    context.drop(SLOT, "colour")
    context.drop(SLOT, "size")
    assert names(context) == [(FACT, "size")]
    context = known()
    context.forget(FACT)
    assert names(context) == [(SLOT, "size")]


def test_what_the_caller_confirmed_is_the_callers_and_certain() -> None:
    context = known()
    context.trust(SLOT)
    slot, fact = context.items()
    assert (slot.source, slot.confidence, slot.value) == ("caller", 1.0, "small")
    assert fact.source == "store"


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        (EVERYTHING, [SLOT, FACT]),
        (Filter(categories=frozenset({SLOT})), [SLOT]),
        (Filter(sources=frozenset({"store"})), [FACT]),
        (Filter(sources=frozenset({"caller"})), []),
        (Filter(min_confidence=0.8), [SLOT, FACT]),
        (Filter(min_confidence=0.81), [FACT]),
        (Filter(categories=frozenset({SLOT}), min_confidence=0.9), []),
    ],
)
def test_a_filter_lets_through_what_meets_all_of_it(seen: Filter, shown: list[str]) -> None:
    assert [category for category, _ in names(known(), seen)] == shown


def test_a_context_is_restored_from_its_items() -> None:
    items = list(known().items())
    assert list(Context({}, items).items()) == items


def test_an_item_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        known().put(FACT, "x", 1, source="store", confidence=1.0, now=NOW.replace(tzinfo=None))
