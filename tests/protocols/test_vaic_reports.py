"""What VoiceAI Connect pushes of calls, of whose form little is documented: delays are found wherever they stand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols.vaic_reports import MOST_CALLS, MOST_DELAY_MS, MOST_DELAYS, MOST_PARTS, VaicDelays, read_reports

SAID = {"timestamp": "2026-11-24T09:30:05Z", "type": "dialog", "side": "Bot", "message": "Hello.", "turnDelayMs": 1180}
MORE = SAID | {"turnDelayMs": 900.4, "botDelayMs": 700, "ttsDelayMs": 90, "sttDelayMs": None}
BOTH = (VaicDelays(turn_ms=1180), VaicDelays(turn_ms=900, bot_ms=700, tts_ms=90))


def read(document: Any) -> dict[str, tuple[VaicDelays, ...]]:
    return read_reports(json.dumps(document).encode())


@pytest.mark.parametrize(
    "document",
    [
        {"conversationId": "c-1", "transcript": [SAID, MORE]},
        [{"conversationId": "c-1", "botName": "linden", "transcript": [SAID, {"message": "Yes."}, MORE]}],
        {"cdr": {"conversationId": "c-1", "seconds": 31}, "messages": [{"type": "dialog", "dialog": SAID}, MORE]},
        {"records": [{"ids": ["x", {"conversationId": "c-1"}], "turns": {"1": SAID, "2": MORE}}], "version": 3},
        [SAID | {"conversationId": "c-1"}, MORE | {"conversationId": "c-1"}],
    ],
)  # fmt: skip
def test_the_delays_of_one_call_are_found_in_their_order_wherever_they_stand(document: Any) -> None:
    assert read(document) == {"c-1": BOTH}


def test_the_delays_of_several_calls_are_told_apart_and_those_of_nobody_are_left() -> None:
    first = {"conversationId": "c-1", "transcript": [SAID]}
    second = {"cdr": {"conversationId": "c-2"}, "transcript": [MORE]}
    assert read([SAID, first, second, {"conversationId": "3"}]) == {"c-1": BOTH[:1], "c-2": BOTH[1:], "3": ()}


@pytest.mark.parametrize("delay", [-1, MOST_DELAY_MS + 1, 1e300, "900", True, None, [900]])
def test_what_is_no_delay_is_none(delay: Any) -> None:
    assert read({"conversationId": "c-1", "transcript": [{"turnDelayMs": delay, "botDelayMs": 3}]}) == {"c-1": ()}


def test_the_delays_of_a_call_are_bounded() -> None:
    found = read({"conversationId": "c-1", "transcript": [SAID] * (MOST_DELAYS + 1)})
    assert len(found["c-1"]) == MOST_DELAYS


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no JSON", b"[NaN]", b"\xff", b"[" * 100_000, b"17", b"[]", b'{"conversationId": 7}',
        b'{"conversationId": "c-1", "turnDelayMs": NaN}', b'{"conversationId": "c-1", "seconds": -Infinity}',
        b'{"conversationId": ""}',
        json.dumps({"conversationId": "c-1", "transcript": [[]] * MOST_PARTS}).encode(),
        json.dumps({"conversationId": "x" * 257}).encode(), json.dumps([SAID]).encode(),
        json.dumps([{"conversationId": f"c-{number}"} for number in range(MOST_CALLS + 1)]).encode(),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_reports(body)
