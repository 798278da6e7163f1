"""Changes JSON by its structure: a fuzzer of bytes would hardly leave it valid, and pydantic tells it nothing.

May import: the standard library.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

_ODD: Sequence[Any] = (
    *(None, True, False, 0, -1, 1.5, 1e308, float("nan"), float("inf"), 10**400, 2**63, -(2**63) - 1),
    *("", "x", "x" * 70, "\x00", "\ud800", "ä", "AAAA", "AAA", "1e5", " ", "null", [], {}, [None], {"type": 1}, [[]]),
)
_DEEP = 200


class JsonMutator:
    """seeds: whole frames; each mutation starts from one of them, or from what the fuzzer has. words: of frames."""

    def __init__(self, seeds: Sequence[bytes], words: Sequence[str]) -> None:
        self._seeds = [json.loads(each) for each in seeds]
        self._words = words

    def __call__(self, data: bytes, most: int, seed: int) -> bytes:
        """Other bytes, as atheris asks for them."""
        chance = random.Random(seed)
        if chance.random() < 0.15:
            return _torn(data, chance)[:most]
        frame = self._start(data, chance)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            frame = self._changed(frame, chance)
        try:
            written = json.dumps(frame, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")
        except (ValueError, RecursionError):
            return data[:most]
        return written if len(written) <= most else data[:most]

    def _start(self, data: bytes, chance: random.Random) -> Any:
        try:
            return json.loads(data) if chance.random() < 0.5 else self._seed(chance)
        except (ValueError, RecursionError):
            return self._seed(chance)

    def _seed(self, chance: random.Random) -> Any:
        return json.loads(json.dumps(chance.choice(self._seeds)))

    def _changed(self, value: Any, chance: random.Random) -> Any:
        """The value with a change at one place in it."""
        inside = isinstance(value, dict | list) and value
        if inside and chance.random() < 0.8:
            at = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
            match chance.randrange(8):
                case 0:
                    del value[at]
                case 1 if isinstance(value, dict):
                    value[chance.choice(self._words)] = self._other(chance)
                case 1:
                    value.append(self._other(chance))
                case 2 if isinstance(value, list):
                    # Of what holds more only one more: many of many would take minutes to write.
                    value.extend([value[at]] * (1 if isinstance(value[at], dict | list) else chance.choice((1, 70))))
                case _:
                    value[at] = self._changed(value[at], chance)
            return value
        return self._other(chance)

    def _other(self, chance: random.Random) -> Any:
        match chance.randrange(5):
            case 0:
                return chance.choice(self._words)
            case 1:
                return self._seed(chance)
            case 2 if chance.random() < 0.1:
                return json.loads("[" * _DEEP + "]" * _DEEP)
        return deepcopy(chance.choice(_ODD))  # which may be changed where it is put


def _torn(data: bytes, chance: random.Random) -> bytes:
    """Bytes with a few of them replaced, left out or twice."""
    torn = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(torn) + 1)
        match chance.randrange(3):
            case 0:
                torn[at : at + 1] = bytes((chance.randrange(256),))
            case 1:
                del torn[at : at + chance.randint(1, 8)]
            case _:
                torn[at:at] = torn[at : at + chance.randint(1, 40)]
    return bytes(torn)
