"""What of a peer's frame is over a limit is refused when the frame is read."""

from __future__ import annotations

import json

import pytest

from protocols.errors import WireError
from protocols.limits import CALL_CHARS, HISTORY_CHARS, MOST_ACTIVITIES, NAME_CHARS, TURN_CHARS
from protocols.realtime.server_events import SERVER_EVENTS
from protocols.vaic import FROM_VAIC, Activities


def activities(count: int) -> str:
    return json.dumps({"type": "activities", "activities": [{}] * count})


def test_an_hour_of_speech_is_one_turn_and_a_day_of_it_a_call() -> None:
    characters_an_hour = 3600 * 15  # two words and a half a second
    assert characters_an_hour < TURN_CHARS < HISTORY_CHARS < 24 * characters_an_hour < CALL_CHARS


@pytest.mark.parametrize(("sent", "read"), [(1, 1), (MOST_ACTIVITIES, MOST_ACTIVITIES), (3000, MOST_ACTIVITIES + 1)])
def test_of_too_many_activities_one_more_is_read_than_is_taken(sent: int, read: int) -> None:
    parsed = FROM_VAIC.parse(activities(sent))
    assert isinstance(parsed, Activities)
    assert len(parsed.activities) == read


@pytest.mark.parametrize("character", ["i", "ä", "\N{GRINNING FACE}"])
def test_an_id_has_a_limited_number_of_characters(character: str) -> None:
    deleted = {"type": "conversation.item.deleted", "item_id": character * NAME_CHARS}
    SERVER_EVENTS.parse(json.dumps(deleted))
    with pytest.raises(WireError, match=r"bad_fields: conversation\.item\.deleted\.item_id"):
        SERVER_EVENTS.parse(json.dumps(deleted | {"item_id": character * (NAME_CHARS + 1)}))
