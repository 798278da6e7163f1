"""A value that a caller has keyed in and that nobody may see: a card's number, a PIN.

Only the tool that needs it reveals it. Wherever else it is written, it is dots.
May import: fsm.effects, fsm.templates, pydantic_core, the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic_core import CoreSchema, core_schema

from fsm.effects import EffectRequest, EffectResult, NotSent, Ok, Refused
from fsm.templates import LAST4

DOTS = "••••"
# Of its characters, where it is written in groups.
_BETWEEN = r"[\s.\-]?"
# The fewest digits of which the last four tell little.
LEAST_FOR_LAST4 = 12


class SecretLost(NotSent):
    """The process that knew a secret has died. The caller is asked for it again."""


class Secret:
    """Text as dots. `reveal` is for the code of a tool, `{value:last4}` for a sentence."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text. Raises: SecretLost if this is what a snapshot or a log has kept of it, which is dots."""
        if self.lost:
            raise SecretLost("the secret is not known any more")
        return self._text

    @property
    def lost(self) -> bool:
        return self._text == DOTS

    def __str__(self) -> str:
        return DOTS

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return " ".join(self._text[-len(DOTS) :]) if spec == LAST4 else DOTS

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (DOTS,)

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )


def without_secrets(result: EffectResult, request: EffectRequest) -> EffectResult:
    """An effect's result with dots for each secret of its request that the far side has repeated in it."""
    slots = request.slots.values()
    texts = [text for each in slots if isinstance(each, Secret) and not each.lost and (text := each.reveal())]
    if not texts:
        return result
    # The longest first, however the far side groups it.
    grouped = (_BETWEEN.join(map(re.escape, each)) for each in sorted(texts, key=len, reverse=True))
    secrets = re.compile("|".join(grouped))
    match result:
        case Ok(values=values, images=images):
            return Ok(_without(values, secrets), images)
        case Refused(say=say, facts=facts):
            return Refused(_without(say, secrets), _without(facts, secrets))
        case _:
            return type(result)(_without(result.say, secrets))


def _without(value: Any, secrets: re.Pattern[str]) -> Any:
    match value:
        case Mapping():
            return {_without(key, secrets): _without(each, secrets) for key, each in value.items()}
        case list() | tuple():
            return [_without(each, secrets) for each in value]
        case str():
            return secrets.sub(DOTS, value)
        case int() if secrets.fullmatch(str(value)):
            return DOTS
        case _:
            return value
