"""Who is calling: what is a number, what is nobody, and which two are the same."""

from __future__ import annotations

import pytest

from protocols.caller_id import NOBODY, digits_of, e164, is_withheld


@pytest.mark.parametrize(
    "caller",
    [
        "",
        "  ",
        "anonymous",
        "Anonymous",
        "ANONYMOUS",
        "+anonymous",
        "restricted",
        "unavailable",
        "unknown",
        "private",
        "Private Number",
        "withheld",
        "no caller id",
        "anonym",
        "Unbekannt",
        "unterdrückt",
        "inconnu",
        "numéro masqué",
        "desconocido",
        "privato",
        "非通知",
        "匿名",
        "неизвестен",
        "مجهول",
        "sip:anonymous@anonymous.invalid",
        "SIP:Anonymous@ANONYMOUS.INVALID",
        "sip:+4930123456@anonymous.invalid",
        '"Anonymous" <sip:anonymous@anonymous.invalid;transport=tcp>',
        "sips:unknown@pbx.example.com",
        "sip:@pbx.example.com",
        "tel:anonymous",
        "tel:",
        "+",
        "00",
        "0000000000",
        "+10000000000",
    ],
)
@pytest.mark.parametrize("region", ["", "DE", "US"])
def test_a_withheld_number_is_known_in_any_case_and_language(caller: str, region: str) -> None:
    assert e164(caller, region) == NOBODY
    assert is_withheld(caller) is (caller != "+10000000000")


@pytest.mark.parametrize(
    "caller", ["+4930123456", "030 123456", "1234", "sip:7042@pbx.example.com", "sip:alice@b.example"]
)
def test_what_is_somebodys_is_not_withheld(caller: str) -> None:
    assert not is_withheld(caller)


@pytest.mark.parametrize("digits", ["266696687", "+266696687", "7378742833", "86282452253", "8656696", "+7748283"])
def test_a_vanity_number_counts_as_withheld(digits: str) -> None:
    assert e164(digits) == e164(digits, "US") == e164(digits, "DE") == NOBODY


@pytest.mark.parametrize(
    "caller",
    [
        "+4930123456",
        "+49 30 123456",
        "+49 (0)30 / 123 456",
        "0049 30 123456",
        "030 123456",
        "(030) 12 34-56",
        "tel:+49-30-123456",
        "TEL:030123456",
        "tel:30-123456;phone-context=+49",
        "sip:+4930123456@sbc.example.com",
        "sip:+4930123456@sbc.example.com:5060;user=phone",
        "sip:+4930123456;npdi@sbc.example.com",
        "sip:%2B4930123456@sbc.example.com",
        "sips:030123456@sbc.example.com",
        '"Jane" <sip:+4930123456@sbc.example.com>',
        "+4930123456@sbc.example.com",
        "+4930123456:secret@sbc.example.com",
    ],
)
def test_one_number_is_the_same_however_it_is_written(caller: str) -> None:
    assert e164(caller, "DE") == "+4930123456"


def test_a_national_number_is_read_by_the_bots_own_region() -> None:
    assert e164("020 7946 0018", "GB") == "+442079460018"
    assert e164("011 49 30 123456", "US") == "+4930123456"
    assert e164("020 7946 0018") == NOBODY, "nobody knows in which country"


def test_an_international_number_needs_no_region() -> None:
    assert e164("+4930555010") == e164("004930555010") == "+4930555010"


@pytest.mark.parametrize("region", ["", "US", "DE"])
def test_a_number_that_names_its_country_is_not_read_by_the_bots_region(region: str) -> None:
    assert e164("tel:30-123456;phone-context=+49", region) == "+4930123456"
    assert e164("+4930123456;phone-context=+1", region) == "+4930123456"


def test_a_private_extension_counts_as_withheld() -> None:
    assert e164("1234", "DE") == e164("sip:7042@pbx.example.com", "GB") == NOBODY


@pytest.mark.parametrize("caller", ["9" * 4000, "+" * 4000, "sip:" * 1000, "<" * 4000, "+49\x00" + "1" * 9, "+٤٩٣٠"])
def test_any_caller_id_is_read_as_a_number_or_as_withheld(caller: str) -> None:
    number = e164(caller, "DE")
    assert number == NOBODY or number.lstrip("+").isdecimal()


@pytest.mark.parametrize(
    ("address", "digits"),
    [
        ("tel:+49-30-1", "+49301"), ("sip:5001@pbx;user=phone", "5001"), ("+49 (30) 1", "+49301"), ("reception", ""),
        ("5001;phone-context=+4930", "+49305001"), ("", ""), ("\u0664\u0665", ""),
    ],
)  # fmt: skip
def test_the_digits_of_a_number_are_those_that_are_written(address: str, digits: str) -> None:
    assert digits_of(address) == digits
