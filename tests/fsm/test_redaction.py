"""What is left out of words before they are stored, measured on 200 sentences."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm.redaction import KINDS, LONGEST, MARKS, Kind, Redaction
from tests.fsm.sentences import sentences

ALL = frozenset(KINDS)


def measured() -> tuple[Counter[str], list[str]]:
    """How many were found, missed and wrongly found, and which sentences those are."""
    counts, wrong = Counter[str](), list[str]()
    for region, text, wanted in sentences():
        found = [(each.start, each.end, each.kind) for each in Redaction(ALL, region).found(text)]
        hits = [
            want
            for want in wanted
            if any(start <= want[0] and want[1] <= end and kind == want[2] for start, end, kind in found)
        ]
        beside = [each for each in found if not any(each[0] < end and start < each[1] for start, end, _ in wanted)]
        counts.update(found=len(hits), missed=len(wanted) - len(hits), beside=len(beside), sentences=1)
        if len(hits) < len(wanted) or beside:
            wrong.append(f"{text} -> {Redaction(ALL, region)(text)}")
    return counts, wrong


def test_of_200_sentences_little_is_missed_and_nothing_else_is_left_out() -> None:
    counts, wrong = measured()
    recall = counts["found"] / (counts["found"] + counts["missed"])
    precision = counts["found"] / (counts["found"] + counts["beside"])
    assert counts["sentences"] == 200
    # docs/sensitive.md tells the figures.
    assert (round(precision, 2), round(recall, 2)) == (1.0, 0.91), "\n".join(wrong)


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("my name is wolfgang grabowski.", "my name is [name]."),
        ("That's Grabowski's card, and Wolfgangs.", "That's [name] card, and [name]."),
        ("Frau Hannelore Müller Lüdenscheidt, geborene Müller", "Frau [name], geborene [name]"),
        ("I am at the Wolfgangsee, on Will's card", "I am at the Wolfgangsee, on Will's card"),
        ("O'Brien, card 4111 1111 1111 1111", "[name], card [card]"),
        ("wolfgang@example.com and Wolfgang", "wolfgang@example.com and [name]"),
    ],
)
def test_names_that_are_known_are_left_out(said: str, stored: str) -> None:
    names = ("Wolfgang Grabowski", "{before.name}", "O'Brien", "{before.other}")
    redaction = Redaction(frozenset({"cards"}), "DE", names).knowing({"name": "Hannelore Müller-Lüdenscheidt"})
    assert redaction(said) == stored


def test_without_names_none_is_looked_for() -> None:
    assert Redaction(names=("{before.name}",)).knowing({})("{before.name} Grabowski") == "{before.name} Grabowski"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("It is 650 253 0000.", "It is [phone]."),
        ("The order is 650 253 0000 77 8.", "The order is 650 253 0000 77 8."),
        ("The order is 77 8 650 253 0000.", "The order is 77 8 650 253 0000."),
    ],
)
def test_where_numbers_do_not_begin_with_a_zero_only_a_whole_row_is_one(text: str, stored: str) -> None:
    assert Redaction(frozenset({"phones"}), "US")(text) == stored


# The examples of the countries in the registry of IBANs (SWIFT).
IBANS = [
    "AT611904300234573201", "BE68539007547034", "BG80BNBG96611020345678", "CH9300762011623852957",
    "CY17002001280000001200527600", "CZ6508000000192000145399", "DE89370400440532013000", "DK5000400440116243",
    "EE382200221020145685", "ES9121000418450200051332", "FI2112345600000785", "FR1420041010050500013M02606",
    "GB29NWBK60161331926819", "GR1601101250000000012300695", "HR1210010051863000160", "HU42117730161111101800000000",
    "IE29AIBK93115212345678", "IT60X0542811101000000123456", "LI21088100002324013AA", "LT121000011101001000",
    "LU280019400644750000", "LV80BANK0000435195001", "MT84MALT011000012345MTLCAST001S", "NL91ABNA0417164300",
    "NO9386011117947", "PL61109010140000071219812874", "PT50000201231234567890154", "RO49AAAA1B31007593840000",
    "SE4550000000058398257466", "SI56191000000123438", "SK3112000000198742637541", "TR330006100519786457841326",
]  # fmt: skip


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_of_every_country_is_found_whole(iban: str) -> None:
    assert Redaction(ALL, "DE")(f"It is {iban}, 1 moment.") == "It is [IBAN], 1 moment."


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("It is 4111 1111 1111 1111, yes.", "It is [card], yes."),
        ("It is 4111 1111 1111 1112, yes.", "It is 4111 1111 1111 1112, yes."),
        ("Write to a@b.example or call 030 901820.", "Write to [e-mail] or call [phone]."),
        ("4111 1111 1111 1111 and 5555 5555 5555 4444", "[card] and [card]"),
        ("four one one one, um, one one one one. Okay. one one one one, er, one one one one", "[card]"),
        (
            "vier eins eins eins. Ja. Eins eins eins eins, ähm, eins eins eins eins, also eins eins eins eins.",
            "[card].",
        ),
        (
            "4111|1111_1111:1111 and 4111; 1111… 1111\u200b1111 and 4111 minus 1111 Strich 1111 bitte 1111",
            "[card] and [card] and [card]",
        ),
        ("４１１１ １１１１ １１１１ １１１１, ٤١١١١١١١١١١١١١١١", "[card], [card]"),
        ("It is 4111 o'clock, 1111 then 1111 of 1111.", "It is 4111 o'clock, 1111 then 1111 of 1111."),
        ("DE89 3704, okay, 0044 um 0532 0130 00 please", "[IBAN] please"),
        ("", ""),
    ],
)
def test_a_mark_stands_in_the_place_of_each(text: str, stored: str) -> None:
    assert Redaction(ALL, "DE")(text) == stored


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_the_bot_wants_is_left_out(kind: Kind) -> None:
    text = "4111 1111 1111 1111; DE89 3704 0044 0532 0130 00; a@b.example; +49 30 901820"
    stored = Redaction(frozenset({kind}), "DE")(text)
    assert [mark for mark in MARKS.values() if mark in stored] == [MARKS[kind]]
    assert Redaction()(text) == text


def test_a_row_of_digits_that_nobody_says_is_left_out_whole_and_of_a_long_text_any() -> None:
    assert Redaction(frozenset({"cards"}))("one " * 100) == "[card] "
    long = "word " * LONGEST
    assert Redaction(ALL)(f"{long}4711 0815 12 a@b.example four one") == f"{long}[digits] [e-mail] four one"
