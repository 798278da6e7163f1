"""Out-of-band requests: what is asked, which answers count, and who gets them."""

from __future__ import annotations

import json

import pykka
import pytest

from actors.messages.model import OutOfBandRequest
from actors.model.side_questions import OutOfBandRequests, chosen, consultation, is_out_of_band
from fsm.scratchpad import Note
from fsm.spec import Known
from fsm.testing.conversation import NOON
from fsm.walk import ReasoningRequest
from protocols.realtime.objects import InputText, Response, UserMessage

REQUEST = ReasoningRequest(
    "How urgent is it?",
    {"urgent": "now", "normal": "later"},
    Known(NOON, {"hours": 2}, {"found": True}),
    (Note(kind="hypothesis", text="hours = 2", at=NOON, state="Ask"),),
    2.0,
)


def answered(text: str, metadata: dict[str, str] | None = None) -> Response:
    item = {"id": "i-9", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    return Response.model_validate({"id": "r-9", "metadata": metadata, "output": [item]})


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("urgent", "urgent"),
        ('"normal".', "normal"),
        ("It is normal, I think.", "normal"),
        ("urgent, urgent", "urgent"),
        ("", None),
        ("I do not know.", None),
        ("urgent or normal", None),
        ("urgently", None),
    ],
)
def test_an_answer_counts_that_names_one_of_the_ways_and_no_other(text: str, event: str | None) -> None:
    assert chosen(answered(text), tuple(REQUEST.choices)) == event


def test_what_is_known_goes_in_as_data_and_not_as_instructions() -> None:
    asked = consultation(REQUEST, "c1")
    assert asked.instructions == (
        "How urgent is it?\nChoices: urgent: now; normal: later.\nAnswer with exactly one of: urgent, normal."
    )
    assert asked.input is not None
    (message,) = asked.input
    assert isinstance(message, UserMessage)
    (part,) = message.content
    assert isinstance(part, InputText)
    assert json.loads(part.text) == {
        "now": "2026-11-23T12:00+00:00",
        "slots": {"hours": "2"},
        "facts": {"found": True},
        "notes": ["hypothesis: hours = 2"],
    }


def test_a_request_is_out_of_band_and_without_tools() -> None:
    asked = consultation(REQUEST, "c1")
    assert (asked.conversation, asked.output_modalities, asked.tools) == ("none", ("text",), ())
    assert is_out_of_band(answered("urgent", asked.metadata))
    assert not is_out_of_band(answered("urgent"))


def test_each_answer_is_told_to_who_asked_and_once() -> None:
    requests = OutOfBandRequests()
    replies = [pykka.ThreadingFuture[str | None]() for _ in range(2)]
    asked = [requests.ask(OutOfBandRequest(REQUEST, reply)).response for reply in replies]
    first, second = (each.metadata if each else None for each in asked)
    assert first != second
    requests.ended(answered("urgent"))
    requests.ended(answered("normal", second))
    requests.ended(answered("urgent", second))
    requests.ended(answered("urgent", first))
    assert [reply.get(timeout=0) for reply in replies] == ["urgent", "normal"]


def test_a_request_that_the_server_refuses_is_answered_with_nothing_at_once() -> None:
    requests = OutOfBandRequests()
    reply = pykka.ThreadingFuture[str | None]()
    asked = requests.ask(OutOfBandRequest(REQUEST, reply))
    assert not requests.refused(None)
    assert not requests.refused("ask-1")
    assert requests.refused(asked.event_id)
    assert reply.get(timeout=0) is None
    assert not requests.refused(asked.event_id)
