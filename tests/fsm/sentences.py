"""The sentences on which it is measured what is left out of words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fsm.spelling import said_digits

SENTENCES = Path(__file__).parent / "sentences_to_redact.txt"
_MARKED = re.compile(r"\[(\w+)\|([^\]]+)\]")


def sentences() -> Iterator[tuple[str, str, list[tuple[int, int, str]]]]:
    """The region, the sentence, and what must not be stored of it: from, to, and its kind."""
    region = ""
    for line in SENTENCES.read_text().splitlines():
        if line.startswith("=="):
            region = line.split()[1]
        elif line and not line.startswith("#"):
            text, wanted, at = "", list[tuple[int, int, str]](), 0
            for each in _MARKED.finditer(line):
                text += line[at : each.start()]
                wanted.append((len(text), len(text) + len(each[2]), each[1]))
                text, at = text + each[2], each.end()
            yield region, text + line[at:], wanted


def digits_in(text: str) -> int:
    """How many digits a text has, written or said."""
    words = re.findall(r"\d+|[^\W\d_]+", text)
    return sum(len(each if each.isdecimal() else said_digits(each)) for each in words)
