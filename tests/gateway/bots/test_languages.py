"""What the model is told of the languages that a bot speaks."""

from __future__ import annotations

import pytest

from fsm.locales import locale_of
from gateway.bots.languages import placeholders, told_language

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
    assert placeholders("{day:%A} at {at.hour}, {code[0]} {{x}}") == {"day", "at", "code"}
    with pytest.raises(ValueError, match="expected"):
        placeholders("{day")
