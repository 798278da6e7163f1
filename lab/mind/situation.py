"""Where the conversation stands: what is unanswered, which task is open, what the caller was last asked.

May import: the standard library, lab.mind.language, lab.mind.prompt, lab.mind.schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lab.mind.language import sentences, stems
from lab.mind.prompt import AssistantSaid, Called, CallOutput, Item, Prompt, SystemNote, Tool, UserSaid
from lab.mind.schema import properties

LONGEST = 1000  # characters of one turn that are listened to


@dataclass(frozen=True, slots=True)
class Situation:
    """The conversation, read.

    said: what the caller said and nobody answered yet. outputs: results not spoken yet, oldest first.
    pending: a function call has no output yet. open_task: name of the tool that opened the task in hand, or "".
    state_tools: the tools of that task, its opener aside. openers: all other tools.
    asked: the parameter the caller was asked for, or "". question: how, or "". read_back: the task's last words.
    last_said: the model's last words.
    run: the task's run id from its newest output, or "". history: what the caller said since the last call.
    """

    said: str
    outputs: tuple[str, ...]
    pending: bool
    open_task: str
    state_tools: tuple[Tool, ...]
    openers: tuple[Tool, ...]
    asked: str
    question: str
    read_back: str
    last_said: str
    run: str
    history: tuple[str, ...]
    today: date


def look(prompt: Prompt) -> Situation:
    """Read the items of a prompt."""
    items = tuple(item for item in prompt.items if not isinstance(item, SystemNote))
    names = {item.call_id: item.name for item in items if isinstance(item, Called)}
    open_task, newest = _open_task(prompt, items, names)
    state_tools = tuple(tool for tool in prompt.tools if open_task and tool.name.startswith(open_task + "_"))
    last_said = next((item.text for item in reversed(items) if isinstance(item, AssistantSaid)), "")
    spoken = say(newest) or last_said if open_task else last_said
    question = _question(spoken)
    unanswered = _after_last(items, AssistantSaid, Called)
    since = _after_last(items, Called)
    return Situation(
        said=" ".join(item.text for item in unanswered if isinstance(item, UserSaid))[:LONGEST],
        outputs=_unspoken(items),
        pending=any(isinstance(item, Called) for item in _after_last(items, AssistantSaid, CallOutput)),
        open_task=open_task,
        state_tools=state_tools,
        openers=tuple(tool for tool in prompt.tools if tool not in state_tools and tool.name != open_task),
        asked=_asked(newest, state_tools, question) if open_task else "",
        question=question or (spoken if open_task else ""),
        read_back=spoken,
        last_said=last_said,
        run=str(newest.get("task") or ""),
        history=tuple(item.text for item in since if isinstance(item, UserSaid)),
        today=_today(prompt),
    )


def parsed(output: str) -> Mapping[str, object]:
    """A call's output as an object; empty when it is none."""
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def say(output: Mapping[str, object]) -> str:
    """The sentence a task wants spoken."""
    sentence = output.get("say")
    return sentence.strip() if isinstance(sentence, str) else ""


def _after_last(items: tuple[Item, ...], *kinds: type) -> tuple[Item, ...]:
    last = max((index for index, item in enumerate(items) if isinstance(item, kinds)), default=-1)
    return items[last + 1 :]


def _unspoken(items: tuple[Item, ...]) -> tuple[str, ...]:
    """The outputs at the end, unless the caller has spoken after them: then that is what to answer."""
    outputs: list[str] = []
    earlier = False  # past the calls that these are the outputs of: what is before them was answered
    for item in reversed(items):
        if isinstance(item, AssistantSaid) or not (outputs or isinstance(item, CallOutput)):
            break
        if isinstance(item, CallOutput) and not earlier:
            outputs.append(item.output)
        earlier = earlier or isinstance(item, Called)
    return tuple(reversed(outputs))


def _open_task(prompt: Prompt, items: tuple[Item, ...], names: Mapping[str, str]) -> tuple[str, Mapping[str, object]]:
    """The task that was called last among those whose state tools are in force, and its newest output."""
    declared = {tool.name for tool in prompt.tools}
    outputs = [(names.get(item.call_id, ""), parsed(item.output)) for item in items if isinstance(item, CallOutput)]
    told = {re.sub(r"\W.*", "", str(output.get("task") or "")) for _, output in outputs}  # "book_appointment#1" too
    tasks = {
        name for name in {*names.values(), *declared, *told} if any(one.startswith(name + "_") for one in declared)
    }
    roots = {name for name in tasks if name and not any(name.startswith(other + "_") for other in tasks if other)}
    calls = [names.get(item.call_id, "") for item in items if isinstance(item, CallOutput | Called)]
    for called in reversed(calls):
        root = max((one for one in roots if f"{called}_".startswith(one + "_")), key=len, default="")
        if root:
            mine = (output for name, output in reversed(outputs) if f"{name}_".startswith(root + "_"))
            return root, next(mine, {})
    return "", {}


def _question(spoken: str) -> str:
    """The last question in what was said."""
    return next((one for one in reversed(sentences(spoken)) if one.endswith("?")), "")


def _asked(output: Mapping[str, object], tools: tuple[Tool, ...], question: str) -> str:
    """The parameter asked for: the first that the task needs, else the one the question is about."""
    needs = output.get("needs")
    declared = [one for tool in tools for one in properties(tool)]
    if isinstance(needs, list):
        return next((name for name in needs if isinstance(name, str)), "")
    about = stems(question)
    scored = [(len(about & stems(f"{one.name} {one.description}")), one.name) for one in declared]
    best = max(scored, default=(0, ""), key=lambda one: one[0])
    return best[1] if best[0] else ""


def _today(prompt: Prompt) -> date:
    match = re.search(
        r"\b[Tt]oday is (?:\w+,? )?(\d{4}-\d{2}-\d{2})", f"{prompt.instructions}\n{prompt.response_instructions or ''}"
    )
    try:
        return date.fromisoformat(match[1]) if match else prompt.now.date()
    except ValueError:
        return prompt.now.date()
