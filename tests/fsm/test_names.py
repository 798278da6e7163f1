"""Which words are a name, and which names are one person's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fsm.errors import SlotError
from fsm.names import has_letters, is_whole, real_name, same_person
from fsm.spec import Known

KNOWN = Known(datetime(2026, 11, 23, 14, 5, tzinfo=UTC), {})


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("John Smith", "john  SMITH"),
        ("John Smith", "Smith John"),
        ("John Smith", "Smith, John"),
        ("John Smith", "Mr. John Smith"),
        ("Dr. John Smith", "John Smith"),
        ("Anna Maria Schneider", "Anna Schneider"),
        ("Anna Schneider", "Schneider, Anna Maria"),
        ("Anna Maria Schneider", "Schneider Anna"),
        ("Ursula von der Leyen", "Ursula Leyen"),
        ("Max Müller", "Max Mueller"),
        ("Max Müller", "Max Muller"),
        ("Max Mueller", "Max Mu\u0308ller"),
        ("Jürgen Groß", "Juergen Gross"),
        ("José Núñez", "Jose Nunez"),
        ("Søren Østergård", "Soeren Oestergaard"),
        ("Łukasz Wałęsa", "Lukasz Walesa"),
        ("Maria Schmidt", "Maria Schmitt"),
        ("Maria Schmidt", "Maria Schmid"),
        ("Maria Meyer", "Maria Meier"),
        ("Max Müller", "Max Miller"),
        ("Anne-Marie Fox", "Annemarie Fox"),
        ("Anne-Marie Fox", "Anne Marie Fox"),
        ("Sam O'Neil", "Sam O Neil"),
        ("Anna Maria Lena Schneider", "Anna Lena Schneider"),
        ("Prof. Dr. John Smith", "John Smith"),
        ("Sir", "sir"),
        ("Bo", "bo"),
        ("李娜", "李娜"),
        ("Nguyễn Văn An", "Nguyen Van An"),
    ],
)
def test_one_name_is_the_same_however_it_is_put(stored: str, said: str) -> None:
    assert same_person(stored, said)
    assert same_person(said, stored)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("Maria Schneider", "Peter Schneider"),
        ("Maria Schneider", "Marie Schneider"),
        ("Maria Schneider", "Schneider Marie"),
        ("Max Müller", "Mia Müller"),
        ("Peter Hoffmann", "Anne Hoffmann"),
        ("John Smith", "Joan Smith"),
        ("John Smith", "Jon Smith"),
        ("Tom Schneider", "Tim Schneider"),
        ("Anna Fox", "Hanna Fox"),
        ("Maria Schneider", "Peter Maria Schneider"),
        ("Anna Maria Schneider", "Maria Schneider"),
        ("Anna Maria Schneider", "Anna Lena Schneider"),
        ("Anna Maria Schneider", "Anna Maria"),
        ("Maria Schneider", "Schneider"),
        ("Maria Schneider", "Frau Schneider"),
        ("Maria Schneider", "Maria"),
        ("Schneider", "Maria Schneider"),
        ("Ann Fox", "Ann Cox"),
        ("Ann Meier", "Ann Meie"),
        ("Maria Schmidt", "Maria Schmitz"),
        ("Maria Meyer", "Maria Meyerin"),
        ("Maria Schneider", "Maria Schnieder"),
        ("Maria Schneider", "Maria Schxxider"),
        ("Anna Maria Schneider", "Anna Maria Lena Schulze"),
        ("Maria Schmidt", "Maria Schulte"),
        ("John Smith", "John Smith Junior"),
        ("李娜", "李雷"),
        ("김 민수", "김 민주"),
        ("राम", "रमा"),
        ("", "John Smith"),
        ("", ""),
        ("...", "..."),
        ("-", "John Smith"),
        ("12345", "12345"),
    ],
)
def test_two_names_are_not_the_same_because_they_are_alike(stored: str, said: str) -> None:
    assert not same_person(stored, said)
    assert not same_person(said, stored)


def test_a_name_has_letters_and_is_whole_with_two_parts() -> None:
    assert [has_letters(name) for name in ("Bo", "李娜", "-", "4711", "")] == [True, True, False, False, False]
    assert [is_whole(name) for name in ("John Smith", "Smith", "Mr Smith", "Smith - ", "")] == [True, *[False] * 4]


@pytest.mark.parametrize(
    "name", ["Judith Guest", "Will Caller", "Nobody Owens", "李娜", "Nguyễn Văn An", "O'Neil", "Bo", "x" * 100]
)
def test_a_real_name_is_taken_though_it_holds_a_word_of_no_name(name: str) -> None:
    assert real_name(f" {name} ", KNOWN) == name


@pytest.mark.parametrize(
    "name",
    [
        "  ",
        "",
        "unknown",
        "the caller",
        "N/A",
        "4711",
        "x" * 101,
        "keine Angabe",
        "unbekannter Anrufer",
        "nicht genannt",
    ],
)
def test_a_placeholder_is_not_a_name(name: str) -> None:
    with pytest.raises(SlotError):
        real_name(name, KNOWN)
