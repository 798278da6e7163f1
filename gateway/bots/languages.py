"""Which language a bot speaks, and what the model is told of it.

May import: fsm, the standard library.
"""

from __future__ import annotations

import re

from fsm.locales import Locale, language_name
from fsm.templates import parts_of

CALLER = "caller"


def told_language(language: str | None, locales: tuple[Locale, ...]) -> str:
    """What the model is told of languages; "" if the bot sets none.

    language: as in bot.toml. locales: those it speaks.
    """
    if language is None:
        return ""
    if language != CALLER:
        told = [f"Speak {language_name(language)}, whatever language the caller speaks."]
    elif not locales:
        told = ["Speak the language that the caller speaks.", f"{_GIVEN} in English. {_SAY_THEM.format('it')}"]
    else:
        named = [language_name(each.tag) for each in locales]
        told = [f"Speak the caller's language if it is one of these: {', '.join(named)}; otherwise {named[0]}."]
        if len(locales) > 1:
            told.append(_SEVERAL)
    told += [
        f"{_GIVEN} in English where you speak {language_name(each.tag)}. {_SAY_THEM.format(language_name(each.tag))}"
        for each in locales
        if each.translates
    ]
    return " ".join(told)


# With sentences in a language there is nothing to translate: word for word means in that language.
_GIVEN = 'Sentences that you are to say word for word, and what your functions return under "say", are given to you'
_SAY_THEM = "Say them in {} as they are, with every value and the question at the end, and nothing added or left out."
_SEVERAL = "When you call a function that has a parameter for it, pass the language that you speak with the caller."


def placeholders(template: str) -> set[tuple[str, str]]:
    """The values in a sentence of ours: their names, and how each is said."""
    return {(part.name, part.form) for part in parts_of(template, allowed=_ANY) if part.name is not None}


def own_placeholders(template: str, ours: set[tuple[str, str]]) -> set[str]:
    """The names of the values in a bot's sentence, each plain or as ours has it. Raises: ValueError, what to write."""
    names = set()
    for part in parts_of(template, allowed=_ANY):
        if part.name is None:
            continue
        if part.form and (part.name, part.form) not in ours and part.name in {name for name, _ in ours}:
            raise ValueError(f"{{{part.name}:{part.form}}}: there is no such form here; write {{{part.name}}}")
        names.add(part.name)
    return names


# Which forms there are, our sentence says.
_ANY = re.compile(r"[^{}]*")
