"""Out-of-band requests: questions to the model that are not part of the conversation.

Pure state. May import: actors.messages, fsm, protocols, the standard library.
Rules from: docs/specs/openai-realtime.md 4.5.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from actors.messages.model import OutOfBandRequest
from fsm.walk import ReasoningRequest
from protocols.realtime.client_events import ResponseCreate
from protocols.realtime.objects import InputText, Response, ResponseRequest, UserMessage

# The key in a response's metadata that holds the request's name.
CONSULT = "consult"


class OutOfBandRequests:
    """The requests of one model session that wait for an answer."""

    def __init__(self) -> None:
        self._open: dict[str, OutOfBandRequest] = {}
        self._asked = 0

    def ask(self, consult: OutOfBandRequest) -> ResponseCreate:
        """Register a request; return the event that asks it."""
        self._asked += 1
        self._open[name := f"c{self._asked}"] = consult
        return ResponseCreate(event_id=name, response=consultation(consult.request, name))

    @property
    def any(self) -> bool:
        """Whether any waits."""
        return bool(self._open)

    def refused(self, event_id: str | None) -> bool:
        """The server has refused an event. Returns whether it was such a request, which then has no answer."""
        consult = self._open.pop(event_id or "", None)
        if consult is not None:
            consult.reply.set(None)
        return consult is not None

    def ended(self, response: Response) -> None:
        """An out-of-band response has ended: deliver its choice, if its request still waits."""
        consult = self._open.pop((response.metadata or {}).get(CONSULT, ""), None)
        if consult is not None:
            consult.reply.set(chosen(response, tuple(consult.request.choices)))


def is_out_of_band(response: Response) -> bool:
    """Whether a response belongs to an out-of-band request, by its metadata."""
    return CONSULT in (response.metadata or {})


def consultation(request: ReasoningRequest, name: str) -> ResponseRequest:
    """The response.create parameters. Facts go in as data, not as instructions: they may contain a caller's words."""
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
    """The one event the answer names; None if it names none or several."""
    text = " ".join(part.text or "" for item in response.output for part in item.content)
    words = text.replace(".", " ").replace(",", " ").replace('"', " ").split()
    named = {event for event in events if event in words}
    return named.pop() if len(named) == 1 else None
