"""What may stand in the braces of a file's template."""

from __future__ import annotations

import pytest

from fsm.templates import Part, parts_of


def test_a_template_has_names_with_known_forms() -> None:
    parts = list(parts_of("On {day:%A, %d.%m.} at {at}: {{{price:EUR}}}"))
    assert parts == [
        Part("On ", "day", "%A, %d.%m."),
        Part(" at ", "at", ""),
        Part(": {", None, ""),
        Part("", "price", "EUR"),
        Part("}", None, ""),
    ]
    forms = ("iso", "ear", "spelled", ".2f", "%-H.%M")
    assert [part.form for form in forms for part in parts_of(f"{{at:{form}}}")] == list(forms)


@pytest.mark.parametrize(
    "wrong",
    [
        "{a[99]}", "{a[b]}", "{a.__class__}", "{a!r}", "{a!z}", "{a:{a}}", "{a:>1000000000}", "{a:1000000000}",
        "{a:.999999999f}", "{a:%%H}", "{a:%Q}", "{a:xyz}", "{}", "{0.b}", "{0}", "{a b}", "{a", "a}",
        "{a:%H" + "x" * 100 + "}",
    ],
)  # fmt: skip
def test_what_could_fail_in_a_call_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"write|form"):
        list(parts_of(wrong))
