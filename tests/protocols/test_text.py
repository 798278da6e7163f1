"""Texts from outside: what no store can hold is replaced, and nothing else changes."""

from __future__ import annotations

import json
import sys
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import protocols.text
from protocols.text import well_formed, well_formed_json

# Any text, with what is odd in it often enough.
ANY = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from('\0\\u"d800😀ü')))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("", ""),
        ("Grüß Gott 😀", "Grüß Gott 😀"),
        ("a\0b", "a\ufffdb"),
        ("\ud800 \udfff", "\ufffd \ufffd"),
        ("\t\n\x7f", "\t\n\x7f"),
    ],
)
def test_nul_and_halves_of_pairs_are_replaced(text: str, clean: str) -> None:
    assert well_formed(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (r'"a\u0000b"', r'"a\ufffdb"'),
        (r'"\ud800"', r'"\ufffd"'),
        (r'"\uDC00\uD83D"', r'"\ufffd\ufffd"'),
        (r'"\ud83d\ude00"', r'"\ud83d\ude00"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\u0000 \\\u0000"', r'"\\u0000 \\\ufffd"'),
        (r'"\\ud83d\ude00 \ud83d\\ude00"', r'"\\ud83d\ufffd \ufffd\\ude00"'),
        (r'"\ud83d\ude00\ude00"', r'"\ud83d\ude00\ufffd"'),
        (r'"\u0001 \u00000"', r'"\u0001 \ufffd0"'),
        (r'"\u00', r'"\u00'),
        ("\\", "\\"),
        (r"\u", r"\u"),
    ],
)
def test_escapes_in_json_are_replaced_where_they_are_escapes(text: str, clean: str) -> None:
    assert well_formed_json(text) == clean
    assert well_formed_json(text.encode()) == clean.encode()


@pytest.mark.parametrize("escape", [r"\\", r"\n", r"\u", r"\u00e9", r"\ud83d\ude00", r"\u0000", r"\ud83d", r"\udc00"])
def test_nothing_is_called_for_each_escape(escape: str) -> None:
    called = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if frame.f_code.co_filename == protocols.text.__file__:  # and not the garbage collector's callbacks
            called.append(event)

    json = f'"{escape * 1000}' + r'\u0000"'
    sys.setprofile(note)
    well_formed_json(json)
    well_formed_json(json.encode())
    sys.setprofile(None)
    assert len(called) < 100


def test_what_is_no_json_for_a_nul_that_is_not_escaped_stays_as_it_is() -> None:
    assert well_formed_json('"\0\0 \\u0000"') == '"\0\0 \\u0000"'
    assert well_formed_json(b'"\0\0 \\u0000"') == b'"\0\0 \\u0000"'


@pytest.mark.parametrize("text", ['"a"', r'"a\\b"', r'"\\\\server"', r'"\u00e9 \ud7ff"', "\0\\\\u0000"])
def test_a_json_text_that_has_none_is_not_copied(text: str) -> None:
    sent = text.encode()
    assert well_formed_json(text) is text
    assert well_formed_json(sent) is sent


@given(ANY)
def test_cleaned_json_says_the_cleaned_text(text: str) -> None:
    # As one text: halves that stand beside each other in two texts of Python's are one character in JSON.
    said = json.loads(json.dumps(text))
    assert json.loads(well_formed_json(json.dumps(text))) == well_formed(said)
    well_formed(text).encode()
