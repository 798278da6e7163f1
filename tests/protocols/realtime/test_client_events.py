"""The events we send: each of them one that the interface knows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from protocols.frames import Frame
from protocols.realtime import client_events
from protocols.realtime.client_events import CLIENT_EVENTS, AnyClientEvent
from tests.openai_types import openai_client_events
from tests.protocols.wire import models, same_fields, sample


@pytest.mark.parametrize("model", models(AnyClientEvent).values(), ids=models(AnyClientEvent))
def test_every_client_event_of_ours_is_one_of_the_openai_package(model: type[Frame]) -> None:
    text = model.model_validate(sample(model)).to_wire()
    theirs: Any = openai_client_events().validate_json(text)
    assert theirs.type == json.loads(text)["type"]
    assert CLIENT_EVENTS.parse(text) == model.model_validate(sample(model))


def test_every_client_event_of_the_realtime_interface_is_known_with_its_fields() -> None:
    assert same_fields("client", models(AnyClientEvent)) == 11


def test_a_cut_is_in_whole_ms_and_none_is_before_the_beginning() -> None:
    for wrong in (-1, 1.5):
        with pytest.raises(ValidationError, match="audio_end_ms"):
            client_events.ConversationItemTruncate.model_validate(
                {"item_id": "i-1", "content_index": 0, "audio_end_ms": wrong}
            )
