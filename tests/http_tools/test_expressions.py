"""Templates and conditions of tools."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import Any

import pytest

from fsm.locales import locale_of
from http_tools.expressions import Missing, expression, fields, filled, filled_json, filled_url, holds, said, searched


class Size(StrEnum):
    LARGE = "large"


VALUES: dict[str, Any] = {
    "day": date(2026, 11, 24), "at": time(9, 5), "size": Size.LARGE, "n": 3, "yes": True,
    "list": ["a b", "c"], "nothing": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{day} {at}", "2026-11-24 09:05"),
        ("{at:iso} {size} {n} {yes}", "09:05 large 3 true"),
        ("{list[0]}", "a b"),
        ("{{n}}", "{n}"),
        ("{nothing}", ""),
        ("{day:%d.%m.}", "24.11."),
    ],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    assert filled(template, VALUES) == text


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("en-GB", "Tuesday 24 November at 9:05, large 3 true; a b; 2026-11-24 09:05"),
        ("de-DE", "Dienstag, 24. November at 9 Uhr 5, large 3 true; a b; 2026-11-24 09:05"),
    ],
)
def test_a_sentence_has_days_and_times_for_the_ear(tag: str, text: str) -> None:
    template = "{day} at {at}, {size} {n} {yes}; {list[0]}; {day:iso} {at:iso}"
    assert said(template, VALUES, locale_of(tag)) == text
    for missing in ("{nobody}", "{list[7]}", "{list[x]}"):
        with pytest.raises(Missing):
            said(missing, VALUES, locale_of(tag))


def test_a_value_within_a_table_is_named_by_its_key() -> None:
    with pytest.raises(ValueError, match=r"write \{free\[0\]\[day\]\}"):
        fields("Free is {free[0].day}.")
    assert said("Free is {free[0][day]}.", {"free": [{"day": "Monday"}]}, locale_of("en-GB")) == "Free is Monday."


@pytest.mark.parametrize("template", ["{other}", "{list[7]}", "{n[0]}", "{n:%x}"])
def test_what_is_missing_is_said(template: str) -> None:
    with pytest.raises(Missing):
        filled(template, VALUES)


def test_values_of_a_url_are_quoted() -> None:
    assert filled_url("https://x/{list[0]}?a={size}", VALUES) == "https://x/a%20b?a=large"


def test_json_keeps_types_and_leaves_out_what_is_not_known() -> None:
    template = {"n": "{n}", "yes": "{yes}", "at": "{at}", "no": "{other}", "all": ["{n}", "{nothing}", "x{n}", 4]}
    assert filled_json(template, VALUES) == {"n": 3, "yes": True, "at": "09:05", "all": [3, "x3", 4]}


def test_names_in_a_template() -> None:
    assert fields("{a} {b[0]} {{c}} {a:iso}") == {"a", "b"}
    with pytest.raises(ValueError, match="name of a value"):
        fields("{a.b}")


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("status < 300", False),
        ("status == 409", True),
        ("status >= 400 && error == 'full'", True),
        ("items[0].n == 3", True),
        ("items[1].n == 3", False),
        ("contains(error, 'ul')", True),
        ("contains(status, 'ul')", False),
        ("error == '409'", False),
    ],
)
def test_conditions(condition: str, true: bool) -> None:
    assert holds(expression(condition), {"status": 409, "error": "full", "items": [{"n": 3}]}) is true


@pytest.mark.parametrize(
    "applied",
    [
        "contains(error, 409)", "items[::0]", "merge(items[0], error)", "ceil(to_number('1e999'))", "sum(error)",
        " && ".join(["status"] * 400),
    ],
)  # fmt: skip
def test_an_expression_that_cannot_be_applied_finds_nothing(applied: str) -> None:
    document = {"status": 0, "error": "full", "items": [{"n": 3}]}
    assert not searched(expression(applied), document)
    assert holds(expression(applied), document) is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lenght(items)", r"there is no function lenght\(\); there are abs, "),
        ("items[?starts_with(@)]", r"starts_with\(\) takes 2 values, and not 1"),
        ("{ a: not_null() }", r"not_null\(\) takes 1 values or more, and not 0"),
        ("items[", "is no JMESPath expression: "),
        ("(" * 5000 + "a" + ")" * 5000, "is nested too deeply"),
    ],
)
def test_an_expression_that_could_never_be_applied_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        expression(text)


def test_what_was_found_before_the_call_is_named_with_a_point() -> None:
    values = {"before.name": "Ada B", "start.tenant": "x/y", "before": "no"}
    assert fields("{before.name} {start.tenant:iso}") == {"before.name", "start.tenant"}
    assert filled("{before.name}, {before}", values) == "Ada B, no"
    assert filled_url("https://x/{start.tenant}", values) == "https://x/x%2Fy"
    assert filled_json({"a": "{before.name}", "b": "{before.other}"}, values) == {"a": "Ada B"}
    for wrong in ("{before.name.first}", "{before.}", "{start.a b}"):
        with pytest.raises(ValueError, match="name of a value"):
            fields(wrong)
