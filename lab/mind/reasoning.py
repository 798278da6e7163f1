"""Answers out-of-band questions: picks one of the allowed answers by the words of the given facts.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re

from lab.mind.choices import by_meaning, meanings
from lab.mind.language import sentences
from lab.mind.prompt import AssistantSaid, CallOutput, Prompt, SystemNote, UserSaid

_ONE_OF = re.compile(
    r"\b(?:answer|reply|respond)\b[^.:\n]{0,80}\bone of\b[^.:\n]{0,80}:\s*(?P<list>[^\n]+)", re.IGNORECASE
)
_OTHERWISE = re.compile(r"\b(?:other|others|otherwise|else|none|neither|unclear|unknown|default|nothing|any)\b")
_SEVERAL = re.compile(r"\s*(?:[,;|/]|\bor\b)\s*")


def decided(prompt: Prompt) -> str:
    """One of the allowed answers, if the instructions demand one ("Answer with exactly one of: a, b"); else "".

    The facts are the items, and what the instructions say besides the question and the answers' meanings.
    """
    own = prompt.response_instructions or ""
    rule = _ONE_OF.search(own)
    if rule is None:
        return ""
    listed = re.split(r"\.(?:\s|$)", rule["list"])[0]
    ways = [way for part in _SEVERAL.split(listed) if (way := part.strip(" \"'`.*"))]
    if not ways:
        return ""
    meant = meanings(ways, own)
    beside = [line for line in own.split("\n") if not _ONE_OF.search(line)]
    told = [one for one in sentences("\n".join(beside)) if not one.endswith("?")]
    facts = "\n".join((*_items(prompt), *(one for one in told if not any(m and m in one for m in meant.values()))))
    return by_meaning(meant, facts) or _otherwise(meant)


def _items(prompt: Prompt) -> list[str]:
    """The words of the items, including those in JSON."""
    texts = [
        item.output if isinstance(item, CallOutput) else item.text
        for item in prompt.items
        if isinstance(item, UserSaid | AssistantSaid | SystemNote | CallOutput)
    ]
    return [re.sub(r"[{}\[\]\":_]", " ", text) for text in texts]


def _otherwise(meant: dict[str, str]) -> str:
    """The answer if none fits: one whose meaning says so, else the last of the list, by convention."""
    fitting = (way for way, meaning in meant.items() if _OTHERWISE.search(f"{way} {meaning}".lower().replace("_", " ")))
    return next(fitting, list(meant)[-1])
