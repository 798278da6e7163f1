"""Digits, letters and addresses as callers say them, in English and German."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.spelling import address, characters, code, digits


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("0171 234-567", "0171234567"),
        ("oh one seven double five, one two", "0175512"),
        ("triple eight and nine", "8889"),
        ("thirty two forty", "3240"),
        ("nineteen", "19"),
        ("twenty-two double-five", "2255"),
        ("plus four nine three zero", "+4930"),
        ("(030) 555/01", "03055501"),
        ("null acht fünfzehn", "0815"),
        ("zweiunddreißig, zwo eins", "3221"),
        ("doppel fünf", "55"),
        ("Doppel-Fünf", "55"),
        ("zwei mal die fünf", "55"),
        ("zweimal die fünf, dreimal die null", "55000"),
        ("zwomal die fünf, viermal die null", "550000"),
        ("doppelt fünf, dreifach null", "55000"),
        ("2 mal die 5", "55"),
        ("twice the five", "55"),
        ("zwo drei zwo", "232"),
        ("zehn eins eins neun", "10119"),
        ("zehntausendeinhundertneunzehn", "10119"),
        ("zwanzig zwei", "202"),
        ("two hundred and five", "205"),
        ("hundred and five", "105"),
        ("oh eight hundred, five five", "080055"),
        ("a hundred", "100"),
        ("one hundred and twenty three", "123"),
        ("eighteen hundred", "1800"),
        ("two thousand and one", "2001"),
        ("zweihundert", "200"),
        ("null achthundert, fünf fünf", "080055"),
        ("hundert", "100"),
        ("er, oh one, um, two", "012"),
        ("äh, null eins, ähm, zwei", "012"),
        ("my number is oh one two", "012"),
        ("Oh, my number is one two, please", "12"),
        ("It's one two.", "12"),
        ("yes, that's 12, thank you", "12"),
        ("meine Nummer ist null eins zwei, bitte", "012"),
        ("Ja, also die Telefonnummer lautet 030 12", "03012"),
        ("plus neunundvierzig, dreißig", "+4930"),
        ("oh three zero slash triple five dash one", "0305551"),
        ("null drei null Schrägstrich fünf Strich eins", "03051"),
        ("my number", ""),
        ("", ""),
    ],
)
def test_digits(said: str, meant: str) -> None:
    assert digits(said) == meant


@pytest.mark.parametrize(
    "said",
    [
        "call me",
        "my wife's is one",
        "one two my number",
        "zwei Leute",
        "doppel",
        "five percent",
        "12a",
        "0171@x",
        "1+2",
    ],
)
def test_what_are_no_digits(said: str) -> None:
    assert digits(said) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("D E eight nine 3704", "DE893704"),
        ("DE89 3704 0044", "DE8937040044"),
        ("A wie Anton, B wie Berta, sieben", "AB7"),
        ("Anna wie Anton", "A"),
        ("S as in Sierra, W for Whiskey, one", "SW1"),
        ("delta echo", "DE"),
        ("s w one a, one a a", "SW1A1AA"),
        ("Double-U wie Wuppertal", None),
        ("A wie Berta", None),
        ("S double u one", "SW1"),
        ("B U one", "BU1"),
        ("Doppel-N", "NN"),
        ("doppelte sechs", "66"),
        ("zweimal N", "NN"),
        ("Aachen Berlin Chemnitz", "ABC"),
        ("Düsseldorf, Essen, acht neun", "DE89"),
        ("A wie in Anton", "A"),
        ("Umlaut Unna, Umlaut A", "ÜÄ"),
        ("Zett", "Z"),
        ("My IBAN is DE89 3704", "DE893704"),
        ("IBAN DE 89 3704", "DE893704"),
        ("Die IBAN lautet D E acht neun", "DE89"),
        ("triple A b c", "AAABC"),
        ("double a b", "AAB"),
        ("double the a", "AA"),
        ("X-ray, yankee", "XY"),
        ("x ray y z nine", "XYZ9"),
        ("X – ray", "X"),
        ("ix ypsilon zett", "XYZ"),
        ("bee cee dee, double kay", "BCDKK"),
        ("it is a b as in bravo, double seven", "B77"),
        ("It's a B for Bravo, an F as in Foxtrot", "BF"),
        ("ein B wie Berta, ein C wie Cäsar", "BC"),
        ("A B as in Bravo", "AB"),
        ("a b as in bravo", "AB"),
        ("it is A, B as in Bravo", "AB"),
        ("it is a b c", "ABC"),
        ("capital A, letter B, digit seven", "AB7"),
        ("großes A, kleines b, Ziffer sieben", "AB7"),
        ("A B dash seven slash nine", "AB79"),
        ("H H Bindestrich A B Leerzeichen eins minus zwei", "HHAB12"),
        ("the letter of my wife", None),
        ("NO 93 8601", "NO938601"),
        ("my postcode is 10119", "10119"),
        ("die Postleitzahl ist eins null eins eins neun, danke", "10119"),
    ],
)
def test_characters(said: str, meant: str | None) -> None:
    assert characters(said) == meant


def test_what_are_no_characters() -> None:
    assert characters("my account at the bank") is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("bee cee dee 1 2 3", "BCD123"),
        ("B-MW 1234", "BMW1234"),
        ("A hyphen B", "AB"),
        ("x-ray one", "X1"),
    ],
)
def test_codes(said: str, meant: str) -> None:
    assert code(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("x-ray at example dot com", "x-ray@example.com"),
        ("anna.smith@example.com", "anna.smith@example.com"),
        ("Anna dot Smith at example dot com.", "anna.smith@example.com"),
        ("max bindestrich müller ät web punkt de", "max-müller@web.de"),
        ("A as in Anton, n n a at example dot org", "anna@example.org"),
        ("info underscore one at example dot com", "info_1@example.com"),
        ("My e-mail address is anna at example dot com, please.", "anna@example.com"),
        ("meine E-Mail-Adresse lautet anna Klammeraffe web Punkt de", "anna@web.de"),
        ("ähm, anna Unterstrich s at-Zeichen web Punkt de", "anna_s@web.de"),
        ("it's anna at libero dot it", "anna@libero.it"),
        ("mail at example dot com", "mail@example.com"),
        ("max zwei drei at gmail Punkt com", "max23@gmail.com"),
        ("max dreiundzwanzig at gmail Punkt com", "max23@gmail.com"),
        ("max twenty three at gmail dot com", "max23@gmail.com"),
        ("max ２３ at gmail dot com", "max23@gmail.com"),
        ("anna alles klein zusammen at gmx Punkt de", "anna@gmx.de"),
        ("anna, alles zusammengeschrieben, at gmx Punkt de", "anna@gmx.de"),
        ("anna smith all in one word at gmx dot net", "annasmith@gmx.net"),
        ("max klein at gmx Punkt de", "maxklein@gmx.de"),
        ("i am anna at web dot de", "anna@web.de"),
        ("I'm anna at web dot de", "anna@web.de"),
        ("ich bin anna at web Punkt de", "anna@web.de"),
        ("i a n at web dot de", "ian@web.de"),
        ("ich at web Punkt de", "ich@web.de"),
        ("anna is my address at web dot de", ""),
        ("bitte anna zusammen at web Punkt de", ""),
        ("my mail is mail at example dot com", "mail@example.com"),
        ("Die Adresse ist info Minus eins ät web Punkt de kleingeschrieben", "info-1@web.de"),
    ],
)
def test_addresses(said: str, meant: str) -> None:
    assert address(said) == meant


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    read = digits(text)
    assert read is None or set(read) <= set("+0123456789") or any(each.isdecimal() for each in read)
    characters(text)
    address(text)


@given(st.text(alphabet="0123456789", max_size=30))
def test_digits_are_themselves(text: str) -> None:
    assert digits(text) == text
    assert digits(" ".join(text)) == text


def test_digits_of_any_width_and_script_are_those_of_ascii() -> None:
    assert digits("１２３ ٤٥") == "12345"
    assert characters("ＤＥ８９") == "DE89"
