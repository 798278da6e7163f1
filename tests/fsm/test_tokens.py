"""A text as a row of tokens."""

from __future__ import annotations

from datetime import date

from fsm.tokens import NOTHING, PHRASE, VALUE, Token, clock_token, counts, day_token, get, is_at, places, take, texts


def row(text: str) -> list[Token]:
    return [Token(word) for word in text.split()]


def test_beside_the_row_there_is_a_mark() -> None:
    assert get(row("a b"), 1) == Token("b")
    assert get(row("a b"), 2) is get(row("a b"), -1) is NOTHING
    assert NOTHING.is_mark
    assert texts(row("a b"), 1, 2) == ("b", ".")


def test_words_are_found_whatever_marks_are_between_and_never_twice() -> None:
    assert places(row("x a , b a b"), ("a", "b")) == [(1, 4, None), (4, 6, None)]
    assert places(row("a a a"), ("a", "a")) == [(0, 2, None)]
    assert places(row("a"), ("b",)) == places(row("a"), ()) == []


def test_what_was_read_leaves_signs_of_its_kind() -> None:
    tokens = row("a b c d")
    assert take(tokens, [(0, 1, None)], PHRASE)
    assert take(tokens, [(2, 4, None)])
    assert tokens == [PHRASE, Token("b"), VALUE, VALUE]
    assert tokens[0] is PHRASE is not tokens[2]
    assert not take(tokens, [])


def test_a_number_counts_things_unless_a_free_word_a_mark_or_a_number_follows() -> None:
    assert counts(Token("people"), {"please"})
    assert not any(counts(each, {"please"}) for each in (Token("please"), NOTHING, Token("10:30", clock=630)))
    assert not counts(Token("5", 5), ())


def test_a_bare_number_may_be_a_time_behind_such_a_word_or_behind_a_value() -> None:
    tokens = [VALUE, Token(","), Token("10", 10), Token("at"), Token("10", 10), PHRASE, Token("10", 10)]
    assert [at for at in range(len(tokens)) if tokens[at].number and is_at(tokens, at, {"at"})] == [2, 4]


def test_a_day_or_time_that_there_is_not_is_a_word() -> None:
    assert day_token("2026-11-26") == Token("2026-11-26", iso=date(2026, 11, 26))
    assert day_token("2026-02-30") == Token("2026-02-30")
    assert (clock_token(9, 5), clock_token(24, 0)) == (Token("9:05", clock=545), Token("24:00", clock=1440))
    assert (clock_token(25, 0), clock_token(9, 60)) == (Token("25:00"), Token("9:60"))
