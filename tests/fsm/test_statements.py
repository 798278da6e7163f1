"""Statements that something was done, in a language of a few words."""

from __future__ import annotations

import re

import pytest

from fsm.claims import Deed, Statement
from fsm.statements import AROUND, StatementWords, first_end, near

WORDS = StatementWords(
    deeds={"booked": frozenset({Deed.BOOKED})},
    noun="visit",
    own=(
        re.compile(r"your (?P<noun>\w+) is (?P<done>\w+ed)"),
        re.compile(r"i (?P<done>\w+ed) (?:a|your) (?P<noun>\w+)"),
    ),
    splits=re.compile(";"),
    harmless=re.compile("no problem"),
    none_before=re.compile(r"\bno\b"),
    none_after=re.compile(r"\bonce\b"),
    taken=re.compile("sorry"),
    yours=re.compile("your"),
    noted=("listed", "recorded"),
)


def test_a_statement_is_what_was_done_to_what_it_names() -> None:
    assert list(WORDS.statements_in("your cake is booked; i baked a bun.")) == [
        Statement("cake", "booked", frozenset({Deed.BOOKED}), "your cake is booked"),
        Statement("bun", "baked", frozenset(), "i baked a bun."),
    ]


def test_what_was_written_down_is_so_in_any_words() -> None:
    [one], [other] = (list(WORDS.statements_in(f"your cake is {done}")) for done in ("listed", "recorded"))
    assert one.participle == other.participle == "listed"


@pytest.mark.parametrize(
    "sentence",
    [
        "your cake is baked?",
        "no, your cake is baked",
        "your cake is baked once you pay",
        "your visit is booked",  # that is a claim
        "sorry, i baked a cake",  # for somebody else
        "",
    ],
)
def test_other_sentences_state_nothing(sentence: str) -> None:
    assert list(WORDS.statements_in(sentence)) == []


def test_what_is_harmless_or_said_of_ones_own_leaves_a_statement() -> None:
    for sentence in ("no problem, your cake is baked", "no; your cake is baked", "sorry, your cake is baked"):
        assert [each.noun for each in WORDS.statements_in(sentence)] == ["cake"]


def test_a_condition_is_that_of_its_own_clause() -> None:
    assert [each.noun for each in WORDS.statements_in("your cake is baked once you pay; your bun is baked")] == ["bun"]


def test_a_statement_has_what_stands_near_it() -> None:
    clause = "a" * 300 + "b" * 300
    assert near(clause, 300) == "a" * AROUND + "b" * AROUND


def test_without_such_words_the_first_end_is_past_the_clause() -> None:
    assert first_end(re.compile("b"), "aba") == 2
    assert first_end(re.compile("b"), "aaa") == 4
