"""What the model is told of the languages that a bot speaks."""

from __future__ import annotations

import pytest

from fsm.locales import locale_of
from gateway.bots.languages import own_placeholders, placeholders, told_language

AS_IT_IS = "as they are, with every value and the question at the end, and nothing added or left out."
GIVEN = 'Sentences that you are to say word for word, and what your functions return under "say", are given to you'


@pytest.mark.parametrize(
    ("language", "tags", "told"),
    [
        (None, (), ""),
        ("de-DE", ("de-DE",), "Speak German (de-DE), whatever language the caller speaks."),
        ("tlh", (), "Speak tlh, whatever language the caller speaks."),
        (
            "fr-FR",
            ("fr-FR",),
            f"Speak French (fr-FR), whatever language the caller speaks. {GIVEN} in English where you speak French "
            f"(fr-FR). Say them in French (fr-FR) {AS_IT_IS}",
        ),
        ("caller", (), f"Speak the language that the caller speaks. {GIVEN} in English. Say them in it {AS_IT_IS}"),
        (
            "caller",
            ("de-DE", "en-GB"),
            "Speak the caller's language if it is one of these: German (de-DE), English (en-GB); otherwise German "
            "(de-DE). When you call a function that has a parameter for it, pass the language that you speak with the "
            "caller.",
        ),
    ],
)
def test_the_model_is_told_the_language(language: str | None, tags: tuple[str, ...], told: str) -> None:
    assert told_language(language, tuple(map(locale_of, tags))) == told


def test_placeholders_are_the_names_of_values() -> None:
    ours = placeholders("{day} at {at}, at least {lowest:g}, {code:spelled} {{x}}")
    assert ours == {("day", ""), ("at", ""), ("lowest", "g"), ("code", "spelled")}
    assert own_placeholders("{lowest:g}, {code}, {{x}}, {other}", ours) == {"lowest", "code", "other"}


@pytest.mark.parametrize("wrong", ["{day", "{day:%A}", "{day:>1000000000}", "{at.hour}", "{code[99]}", "{at!r}", "{}"])
def test_a_sentence_that_could_fail_in_a_call_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="write"):
        own_placeholders(wrong, placeholders("{day} at {at}, {code:spelled}"))
