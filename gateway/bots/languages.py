"""Which language a bot speaks, and what the model is told of it.

May import: fsm, the standard library.
"""

from __future__ import annotations

from string import Formatter

from fsm.locales import Locale, language_name

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


def placeholders(template: str) -> set[str]:
    """The names of the values in a template. Raises: ValueError if it is malformed."""
    names = (name for _, name, _, _ in Formatter().parse(template) if name is not None)
    return {name.partition(".")[0].partition("[")[0] for name in names}
