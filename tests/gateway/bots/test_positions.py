"""The line of every key of a TOML file, whatever it looks like."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.bots.positions import lines_of
from tests.gateway.bots.folders import basic, toml

TOML = '''
# a comment with [brackets] and = signs
top = 1
"quoted key" = "a # no comment"
a.b . "c d" = 'x = [1]'
[bot]  # comment
greeting = """
[not.a.table]
still = "text" \\" """
long = \'\'\'
it's '' here\'\'\'\'\'
list = [ # comment
  "one", [2, 3],

  { four = 4, five = [5] },
]
when = 1979-05-27 07:32:00
[[task]]
use = "x"
[task.inner]
deep = true
[[task]]
[[task.many]]
[[task.many]]
last = -inf
'''
LINES = {
    ("top",): 3, ("quoted key",): 4, ("a",): 5, ("a", "b"): 5, ("a", "b", "c d"): 5,
    ("bot",): 6, ("bot", "greeting"): 7, ("bot", "long"): 10, ("bot", "list"): 12, ("bot", "list", 0): 13,
    ("bot", "list", 1): 13, ("bot", "list", 1, 0): 13, ("bot", "list", 1, 1): 13, ("bot", "list", 2): 15,
    ("bot", "list", 2, "four"): 15, ("bot", "list", 2, "five"): 15, ("bot", "list", 2, "five", 0): 15,
    ("bot", "when"): 17, ("task",): 18, ("task", 0): 18, ("task", 0, "use"): 19, ("task", 0, "inner"): 20,
    ("task", 0, "inner", "deep"): 21, ("task", 1): 22, ("task", 1, "many"): 23, ("task", 1, "many", 0): 23,
    ("task", 1, "many", 1): 24, ("task", 1, "many", 1, "last"): 25,
}  # fmt: skip


def test_every_key_has_the_line_on_which_it_stands() -> None:
    tomllib.loads(TOML)
    assert lines_of(TOML) == LINES


def test_what_is_nested_too_deeply_gives_the_lines_before_it() -> None:
    assert lines_of(f"a = 1\nb = {'[' * 5000}{']' * 5000}")["a",] == 1


KEYS = st.text("ab\"'. \\é-", max_size=4)
VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text("ab\"'\n[]{}#=,\\ é", max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)


def paths(value: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, one in inner for each in paths(one, (*path, key)))]


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_no_key_is_missed(data: dict[str, Any]) -> None:
    text = "\n".join(f"{basic(key)} = {toml(each)}" for key, each in data.items())
    assert tomllib.loads(text) == data
    expected = {
        path: number for number, (key, each) in enumerate(data.items(), start=1) for path in paths(each, (key,))
    }
    assert lines_of(text) == expected
