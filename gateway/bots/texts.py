"""What fills the placeholders in the texts of a bot's files, when the bot is made and again for each call.

May import: actors.bots, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from actors.bots import OF_BEFORE, OF_START

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{((?:(?:before|start)\.)?[A-Za-z_][A-Za-z0-9_]*)\}")
_SET_BY = {
    "hours": "write [hours]",
    "closed": "write closed = [ … ] in [hours]",
    "languages": "write languages = [ … ] in [bot]",
    "transfer": "write [transfer]",
}


def fill(text: str, values: Mapping[str, str], *, again: bool = False) -> str:
    """A text with its placeholders filled in; {{ and }} are braces. Unknown ones are left as they are.

    again: it is filled again for each call (BotProfile.filled): braces, {before.NAME} and {start.NAME} stay.
    """

    def filled(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found.group() if again else found.group()[0]
        if name not in values or name.startswith((OF_BEFORE, OF_START)):
            return found.group()
        return doubled(values[name]) if again else values[name]

    return _PLACEHOLDER.sub(filled, text)


def unfilled(text: str, values: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The placeholders that cannot be filled in: where they begin, and what is wrong."""
    for found in _PLACEHOLDER.finditer(text):
        name = found[1]
        if name is None:
            continue
        if name not in values and name.startswith(OF_START):
            own = name.removeprefix(OF_START)
            yield (
                found.start(),
                f'{{{name}}} needs what stands there where VAIC sends none; write {own} = "…" in [start]',
            )
        elif name not in values:
            there = ", ".join(f"{{{each}}}" for each in values)
            yield found.start(), f"nothing is known to put in for {{{name}}}; there are {there}; for a brace write {{{{"
        elif not values[name]:
            if name.startswith(OF_BEFORE):
                own = name.removeprefix(OF_BEFORE)
                told = f"has no value where nothing is found; write defaults = {{ {own} = … }} in [before_call]"
            else:
                told = f"is empty, because the bot does not set it; {_SET_BY[name]}"
            yield found.start(), f"{{{name}}} {told}"


def doubled(text: str) -> str:
    """A text that is filled once more, and is to be then as it is now."""
    return text.replace("{", "{{").replace("}", "}}")
