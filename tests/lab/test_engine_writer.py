"""What the mind seldom does, straight at the writer: several calls in one response, and words before a call."""

from __future__ import annotations

import itertools
import json
from typing import Any

from loguru import logger

from lab.engine.config import Configuration
from lab.engine.conversation import Conversation, caller_entry
from lab.engine.listening import Listener
from lab.engine.plan import plan_of
from lab.engine.requests import OfferedResponse
from lab.engine.work import Workshop
from lab.engine.writer import ResponseWriter
from lab.mind import FunctionCall
from protocols.realtime.server_events import AnyServerEvent
from tests.openai_types import openai_server_events
from tests.paced_loop import run_paced


class Written:
    """The events a writer wrote, as the client would read them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit(self, event: AnyServerEvent) -> None:
        told = json.loads(event.model_copy(update={"event_id": f"event_{len(self.events)}"}).to_wire())
        openai_server_events().validate_python(told)
        self.events.append(told)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


def _writer(written: Written) -> ResponseWriter:
    numbers = itertools.count(1)
    config = Configuration.default("sess_1", "gpt-realtime", 0)

    def new_id(kind: str) -> str:
        return f"{kind}_{next(numbers)}"

    conversation = Conversation("conv_1")
    plan = plan_of(OfferedResponse(), config, conversation, new_id)
    return ResponseWriter(plan, conversation, written.emit, new_id)


def test_calls_of_one_response_stand_at_successive_indices_with_call_ids_of_their_own() -> None:
    written = Written()
    writer = _writer(written)
    writer.begin()
    writer.call(FunctionCall("first", '{"a":1}'))
    writer.call(FunctionCall("second", "{}"))
    writer.end("completed")

    done = written.of("response.function_call_arguments.done")
    assert [(event["output_index"], event["name"], event["arguments"]) for event in done] == [
        (0, "first", '{"a":1}'),
        (1, "second", "{}"),
    ]
    output = written.of("response.done")[0]["response"]["output"]
    assert [item["call_id"] for item in output] == [event["call_id"] for event in done]
    assert len({item["call_id"] for item in output}) == 2


def test_a_call_after_words_is_added_before_the_words_are_done() -> None:
    written = Written()
    writer = _writer(written)
    writer.begin()
    writer.open_message()
    writer.words("One moment.", 500)
    writer.audio(bytes(48 * 500))
    writer.call(FunctionCall("look_up", "{}"))
    writer.end("completed")

    kinds = [(event["type"], event.get("output_index")) for event in written.events]
    assert kinds.index(("response.output_item.added", 1)) < kinds.index(("response.output_audio.done", 0))
    assert kinds.index(("response.output_item.done", 0)) < kinds.index(("response.output_item.done", 1))
    assert [item["type"] for item in written.events[-1]["response"]["output"]] == ["message", "function_call"]


def test_nothing_is_written_after_the_end() -> None:
    written = Written()
    writer = _writer(written)
    writer.begin()
    writer.end("cancelled", "turn_detected")
    count = len(written.events)
    writer.end("completed")
    assert len(written.events) == count


def test_a_recogniser_that_fails_is_reported_and_delays_nothing() -> None:
    async def call() -> None:
        written, entry = Written(), caller_entry("item_1", bytes(32_000))
        listener = Listener(Workshop(), written.emit, logger)  # never opened, it cannot transcribe
        listener.listen(entry, announced="")
        await listener.settle([entry])
        failed = written.of("conversation.item.input_audio_transcription.failed")
        assert failed[0]["error"]["code"] == "transcription_failed"

    run_paced(call())
