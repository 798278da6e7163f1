"""A model that does what an author's rules say: a pattern of what was heard, or of an output, to words and calls.

Pure: which rules are used up is read from the conversation, so a session that is rebuilt goes on where the old one was.
May import: the standard library, lab.mind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.mind import speech
from lab.mind.calling import call
from lab.mind.prompt import (
    AssistantSaid,
    Called,
    CallOutput,
    FunctionCall,
    ImageSeen,
    Prompt,
    PromptItem,
    Reply,
    Tool,
    UserSaid,
)
from lab.mind.reasoning import decided
from lab.mind.situation import look

# A group of a rule's pattern, in its words and arguments.
FIELD = re.compile(r"\{(\w+)\}")
# What the words of a rule for images may name besides.
IMAGE_FIELDS = ("kind", "width", "height")
NO_RULE = "I have no rule for that."


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule. where: its file and line.

    heard, output, asked, image: the pattern that is looked for in the caller's words, in a function's output (its
    text), in the question that a response is to answer by one word, in the words beside an image; exactly one is set.
    of: the function whose output it is, "" for any. say: the words. calls: functions and their arguments, in order.
    once: for the first that fits only.
    """

    where: str
    heard: re.Pattern[str] | None = None
    output: re.Pattern[str] | None = None
    asked: re.Pattern[str] | None = None
    image: re.Pattern[str] | None = None
    of: str = ""
    say: str = ""
    calls: Sequence[tuple[str, Mapping[str, object]]] = ()
    once: bool = False


@dataclass(frozen=True, slots=True)
class Scripted:
    """The model of a script: `think(prompt)`. Of the rules that fit the first is taken.

    default: said where none fits the caller's words. log: gets a level and what is to be noted, without callers' words.
    """

    rules: Sequence[Rule]
    default: str = NO_RULE
    log: Callable[[str, str], None] = field(default=lambda _level, _text: None)

    def think(self, prompt: Prompt) -> Reply:
        """The next reply. What a response is told to say comes first, as with any model."""
        told = self._answered(prompt) or decided(prompt) or speech.dictated(prompt)
        if told:
            return Reply(told)
        texts, calls = self._taken(prompt)
        if prompt.tool_choice == "none":
            calls = []
        return Reply(" ".join(dict.fromkeys(texts)), tuple(calls)) if texts or calls else Reply(self.default)

    def _answered(self, prompt: Prompt) -> str:
        """The word for a question beside the conversation, by the first rule that fits."""
        own = prompt.response_instructions or ""
        return next((rule.say for rule in self.rules if rule.asked is not None and rule.asked.search(own)), "")

    def _taken(self, prompt: Prompt) -> tuple[list[str], list[FunctionCall]]:
        """The words and calls for all that is not answered yet, in its order."""
        last = max((at for at, item in enumerate(prompt.items) if isinstance(item, AssistantSaid | Called)), default=-1)
        names = {item.call_id: item.name for item in prompt.items if isinstance(item, Called)}
        used: set[Rule] = set()
        texts: list[str] = []
        calls: list[FunctionCall] = []
        for at, item in enumerate(prompt.items):
            found = self._fitting(item, names, used)
            if found is not None and found[0].once:
                used.add(found[0])
            if at <= last:
                continue
            if found is not None:
                text, made = self._carried_out(*found, prompt)
                texts += [text] if text else []
                calls += made
            elif isinstance(item, CallOutput):
                texts.append(speech.results((item.output,)))
            elif isinstance(item, UserSaid):
                self.log("INFO", "no rule fits what was heard")
        return [text for text in texts if text], calls

    def _fitting(
        self, item: PromptItem, names: Mapping[str, str], used: set[Rule]
    ) -> tuple[Rule, Mapping[str, str]] | None:
        """The first rule that fits an item, with the groups of its pattern."""
        for rule in self.rules:
            if rule in used:
                continue
            found = None
            if isinstance(item, UserSaid) and rule.heard is not None:
                found = rule.heard.search(item.text)
            elif isinstance(item, CallOutput) and rule.output is not None:
                found = rule.output.search(item.output) if rule.of in ("", names.get(item.call_id)) else None
            elif isinstance(item, ImageSeen) and rule.image is not None:
                found = rule.image.search(item.text)
            if found is not None:
                of_image = _of_image(item) if isinstance(item, ImageSeen) else {}
                return rule, {name: text or "" for name, text in found.groupdict().items()} | of_image
        return None

    def _carried_out(self, rule: Rule, groups: Mapping[str, str], prompt: Prompt) -> tuple[str, list[FunctionCall]]:
        self.log("INFO", f"{rule.where}: this rule answers")
        here = look(prompt)
        calls = []
        for name, arguments in rule.calls:
            given = {key: filled(value, groups) for key, value in arguments.items()}
            tool = next((one for one in prompt.tools if one.name == name), None)
            if tool is None:
                there = ", ".join(one.name for one in prompt.tools) or "none"
                self.log("WARNING", f"{rule.where}: {name} is called, and not offered now; there are {there}")
            calls.append(call(tool or Tool(name, "", {}), here, given))
        return filled_text(rule.say, groups), calls


def _of_image(item: ImageSeen) -> dict[str, str]:
    """What the words of a rule may name of the image that fits it: IMAGE_FIELDS."""
    return dict(zip(IMAGE_FIELDS, (item.kind.removeprefix("image/"), str(item.width), str(item.height)), strict=True))


def filled(value: object, groups: Mapping[str, str]) -> object:
    """An argument, with the groups of the pattern in its texts."""
    if isinstance(value, str):
        return filled_text(value, groups)
    if isinstance(value, list):
        return [filled(one, groups) for one in value]
    if isinstance(value, Mapping):
        return {key: filled(one, groups) for key, one in value.items()}
    return value


def filled_text(text: str, groups: Mapping[str, str]) -> str:
    return FIELD.sub(lambda found: groups.get(found[1], found[0]), text)


def fields_of(value: object) -> set[str]:
    """The groups that words or arguments name."""
    return set(FIELD.findall(json.dumps(value, default=str, ensure_ascii=False)))


def next_heard(heard: Sequence[str], said: Sequence[str]) -> str:
    """What the next utterance is taken as; "" after the last. said: the caller's words so far, oldest first.

    Other words in between, such as pressed keys, do not count.
    """
    at = 0
    for words in said:
        found = next((place for place in range(at, len(heard)) if heard[place] == words.strip()), None)
        at = at if found is None else found + 1
    return heard[at] if at < len(heard) else ""
