"""The state of the conversation: what is unanswered, which task is open, what the caller was last asked.

May import: the standard library, lab.mind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lab.mind.language import sentences, stems
from lab.mind.prompt import AssistantSaid, Called, CallOutput, ImageSeen, Prompt, PromptItem, SystemNote, Tool, UserSaid
from lab.mind.runs import Run, open_runs, say
from lab.mind.schema import properties

LONGEST = 1000  # characters of one turn that are read


@dataclass(frozen=True, slots=True)
class Situation:
    """What the items of a conversation mean.

    said: what the caller said that is not answered yet. outputs: outputs not spoken yet, oldest first.
    pending: a function call has no output yet. open_task: name of the tool that opened the current task, or "".
    state_tools: the tools of that task, except its opener. openers: all other tools.
    asked: the parameter the caller was asked for, or "". question: the question, or "".
    read_back: the task's last words. last_said: the model's last words.
    run: the run id of the current task, or "". history: what the caller said since the last call.
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
    """Analyse the items of a prompt."""
    items = tuple(item for item in prompt.items if not isinstance(item, SystemNote | ImageSeen))
    runs = open_runs(prompt, items)
    run = runs[-1] if runs else Run()
    state_tools = tuple(tool for tool in prompt.tools if run.task and tool.name.startswith(f"{run.task}_"))
    busy = tuple(f"{one.task}_" for one in runs)
    last_said = next((item.text for item in reversed(items) if isinstance(item, AssistantSaid)), "")
    asked_since = _asked_since(items, run.output) if run.task else ""
    spoken = (asked_since or say(run.output) or last_said) if run.task else last_said
    question = _question(spoken)
    unanswered = _after_last(items, AssistantSaid, Called)
    since = _after_last(items, Called)
    return Situation(
        said=" ".join(item.text for item in unanswered if isinstance(item, UserSaid))[:LONGEST],
        outputs=_unspoken(items),
        pending=any(isinstance(item, Called) for item in _after_last(items, AssistantSaid, CallOutput)),
        open_task=run.task,
        state_tools=state_tools,
        openers=tuple(tool for tool in prompt.tools if tool.name != run.task and not tool.name.startswith(busy)),
        asked=_asked({} if asked_since else run.output, state_tools, question) if run.task else "",
        question=question or (spoken if run.task else ""),
        read_back=spoken,
        last_said=last_said,
        run=run.run_id,
        history=tuple(item.text for item in since if isinstance(item, UserSaid)),
        today=_today(prompt),
    )


def _after_last(items: tuple[PromptItem, ...], *kinds: type) -> tuple[PromptItem, ...]:
    last = max((index for index, item in enumerate(items) if isinstance(item, kinds)), default=-1)
    return items[last + 1 :]


def _unspoken(items: tuple[PromptItem, ...]) -> tuple[str, ...]:
    """The outputs at the end; empty if the caller has spoken after them."""
    outputs: list[str] = []
    earlier = False  # before the calls of these outputs: older outputs were answered
    for item in reversed(items):
        if isinstance(item, AssistantSaid) or not (outputs or isinstance(item, CallOutput)):
            break
        if isinstance(item, CallOutput) and not earlier:
            outputs.append(item.output)
        earlier = earlier or isinstance(item, Called)
    return tuple(reversed(outputs))


def _asked_since(items: tuple[PromptItem, ...], output: Mapping[str, object]) -> str:
    """The question asked after the task's newest output, if it is another than the output's.

    The task went on without a call: the caller was silent or pressed keys.
    """
    spoken = [item.text for item in _after_last(items, CallOutput) if isinstance(item, AssistantSaid)]
    question = _question(spoken[-1]) if spoken else ""
    told = f"{say(output)} {output.get('next') or ''}"
    return spoken[-1] if question and question not in told else ""


def _question(spoken: str) -> str:
    """The last question in a text."""
    return next((one for one in reversed(sentences(spoken)) if one.endswith("?")), "")


def _asked(output: Mapping[str, object], tools: tuple[Tool, ...], question: str) -> str:
    """The parameter asked for: the first that the task needs, else the one that fits the question best."""
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
