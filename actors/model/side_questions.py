"""A question to the model beside the conversation: neither heard by the caller nor remembered.

Pure state. May import: actors.messages, fsm, protocols, the standard library.
Rules from: docs/specs/openai-realtime.md 4.5.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from actors.messages.model import OutOfBandRequest
from fsm.walk import ReasoningRequest
from protocols.realtime.objects import InputText, Response, ResponseRequest, UserMessage

# In a response's metadata: which consultation it is.
CONSULT = "consult"


class OutOfBandRequests:
    """Those of one model session that wait for their answers."""

    def __init__(self) -> None:
        self._open: dict[str, OutOfBandRequest] = {}
        self._asked = 0

    def ask(self, consult: OutOfBandRequest) -> ResponseRequest:
        """The response that will answer it."""
        self._asked += 1
        self._open[name := f"c{self._asked}"] = consult
        return consultation(consult.request, name)

    def ended(self, response: Response) -> None:
        """A response that was one has ended; nothing if nobody waits for it any more."""
        consult = self._open.pop((response.metadata or {}).get(CONSULT, ""), None)
        if consult is not None:
            consult.reply.set(chosen(response, tuple(consult.request.choices)))


def is_out_of_band(response: Response) -> bool:
    """It is beside the conversation: neither heard nor in anybody's way."""
    return CONSULT in (response.metadata or {})


def consultation(request: ReasoningRequest, name: str) -> ResponseRequest:
    """The response to ask for. What is known goes in as data, not as instructions: callers had a hand in it."""
    choices = "; ".join(f"{event}: {meaning}" for event, meaning in request.choices.items())
    rule = f"Answer with exactly one of: {', '.join(request.choices)}."
    known = {
        "now": request.known.now.isoformat(timespec="minutes"),
        "slots": {name: str(value) for name, value in request.known.slots.items()},
        "facts": dict(request.known.facts),
        "notes": [f"{note.kind}: {note.text}" for note in request.notes],
    }
    return ResponseRequest(
        conversation="none",
        output_modalities=("text",),
        metadata={CONSULT: name},
        instructions=f"{request.question}\nChoices: {choices}.\n{rule}",
        input=(UserMessage(content=(InputText(text=json.dumps(known, default=str)),)),),
        tools=(),
        max_output_tokens=50,
    )


def chosen(response: Response, events: Sequence[str]) -> str | None:
    """The event that the answer names, and no other; None where it does not."""
    text = " ".join(part.text or "" for item in response.output for part in item.content)
    words = text.replace(".", " ").replace(",", " ").replace('"', " ").split()
    named = {event for event in events if event in words}
    return named.pop() if len(named) == 1 else None
