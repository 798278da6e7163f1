"""A script for the engine: the file in which an author says what the model does, and in which language callers speak.

May import: lab.mind, pydantic, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lab.mind.scripted import IMAGE_FIELDS, NO_RULE, Rule, Scripted, fields_of

# What the engine's ears know.
HEARD_LANGUAGE = "en"
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(
            f"is no regular expression: {error}; a character such as ( or ? is written \\( or \\?"
        ) from None
    return text


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise ValueError('is no language; write one like "de" or "en-GB"')
    return text


def _sentence(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


Pattern = Annotated[str, AfterValidator(_pattern)]
Sentence = Annotated[str, AfterValidator(_sentence)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleTable(_Table):
    """One `[[rule]]`."""

    heard: Pattern | None = Field(None, description="A regular expression, looked for in what the caller said.")
    output: Pattern | None = Field(None, description="One that is looked for in the output of a function.")
    asked: Pattern | None = Field(None, description="One that is looked for in a question to be answered by a word.")
    image: Pattern | None = Field(None, description="One that is looked for in what stands beside an image.")
    of: str | None = Field(None, description="The function whose output it is; any, if left out.")
    say: Sentence | None = Field(None, description="What is said; {name} stands for a group (?P<name>…).")
    call: dict[str, dict[str, Any]] = Field({}, description="Functions to call, in this order, with their arguments.")
    once: bool = Field(False, description="For the first that fits only.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        patterns = [one for one in (self.heard, self.output, self.asked, self.image) if one is not None]
        if len(patterns) != 1:
            raise ValueError('needs one of heard, output, asked and image; write, for example, heard = "appointment"')
        if self.say is None and not self.call:
            raise ValueError('says and calls nothing; write say = "…" or call.NAME = { … }')
        if self.of is not None and self.output is None:
            raise ValueError("has of, which belongs to output; leave it out")
        if self.asked is not None and self.call:
            raise ValueError("answers a question beside the conversation, where nothing can be called; leave out call")
        known = [*re.compile(patterns[0]).groupindex, *(IMAGE_FIELDS if self.image is not None else ())]
        if unknown := sorted(fields_of([self.say, self.call]).difference(known)):
            there = ", ".join(f"{{{name}}}" for name in known) or "no groups"
            raise ValueError(
                f"has {{{unknown[0]}}}, which is no group (?P<{unknown[0]}>…) of its pattern; it has {there}"
            )
        return self


class ScriptTable(_Table):
    """The whole file."""

    language: Annotated[str, AfterValidator(_language)] = Field("en", description="What is spoken, as de or en-GB.")
    heard: tuple[Sentence, ...] | None = Field(
        None, description="What the caller's utterances are taken as, one after the other, instead of listening."
    )
    default: Sentence = Field(NO_RULE, description="Said where no rule fits what the caller said.")
    rule: tuple[RuleTable, ...] = ()

    @model_validator(mode="after")
    def _can_be_heard(self) -> Self:
        if self.heard is None and not self.language.lower().startswith(HEARD_LANGUAGE):
            raise ValueError(
                f'the laboratory\'s ears know no language "{self.language}"; write heard = ["…"], what the caller says'
            )
        return self


@dataclass(frozen=True, slots=True)
class Script:
    """What the engine does instead of its own rules.

    heard: what utterances are taken as, in their order; None: the ears listen.
    """

    language: str
    heard: Sequence[str] | None
    model: Scripted


def script_of(table: ScriptTable, where: Callable[[int], str], log: Callable[[str, str], None]) -> Script:
    """The script of a checked file. where: the file and line of a rule, by its number from 0. log: see Scripted."""
    rules = [
        Rule(
            where=where(number),
            heard=_compiled(rule.heard),
            output=_compiled(rule.output),
            asked=_compiled(rule.asked),
            image=_compiled(rule.image),
            of=rule.of or "",
            say=rule.say or "",
            calls=tuple(rule.call.items()),
            once=rule.once,
        )
        for number, rule in enumerate(table.rule)
    ]
    return Script(table.language, table.heard, Scripted(rules, table.default, log))


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    return None if pattern is None else re.compile(pattern, re.IGNORECASE)
