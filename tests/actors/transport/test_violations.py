"""Protocol violations are counted each time, and logged once per conversation and kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loguru import logger

from actors.transport.violations import ProtocolViolations, cut
from protocols.errors import WireError
from tests.counted import counted


@pytest.fixture
def told() -> Iterator[list[tuple[str, dict[str, object]]]]:
    """What is logged: level and fields."""
    lines: list[tuple[str, dict[str, object]]] = []
    sink = logger.add(lambda line: lines.append((line.record["level"].name, dict(line.record["extra"]))))
    yield lines
    logger.remove(sink)


def test_each_kind_is_logged_once_in_a_conversation_and_counted_each_time(
    told: list[tuple[str, dict[str, object]]],
) -> None:
    bad = {"leg": "test", "reason": "not_json"}
    before = counted("tieline_bad_frames_total", **bad), counted("tieline_unknown_frames_total", leg="test")
    for conversation in ("c-1", "c-2"):
        violations = ProtocolViolations("test", logger.bind(conversation=conversation))
        for _ in range(3):
            violations.bad_frame(WireError("not_json", "at 0"))
            violations.unknown("session.dance")
    after = counted("tieline_bad_frames_total", **bad), counted("tieline_unknown_frames_total", leg="test")
    assert (after[0] - before[0], after[1] - before[1]) == (6, 6)
    assert told == [
        ("WARNING", {"conversation": conversation, "leg": "test", "reason": reason, "detail": detail})
        for conversation in ("c-1", "c-2")
        for reason, detail in (("not_json", "at 0"), ("unknown_type", "session.dance"))
    ]


def test_a_field_is_ignored_and_counted_like_a_frame_and_logged_beside_it(
    told: list[tuple[str, dict[str, object]]],
) -> None:
    bad = {"leg": "test", "reason": "bad_fields"}
    before = counted("tieline_bad_frames_total", **bad)
    violations = ProtocolViolations("test", logger.bind(conversation="c-1"))
    for _ in range(2):
        violations.bad_frame(WireError("bad_fields", "item.id"))
        violations.bad_field(WireError("bad_fields", "session.expires_at"))
    assert counted("tieline_bad_frames_total", **bad) - before == 4
    assert [fields["detail"] for _, fields in told] == ["item.id", "session.expires_at"]


def test_what_is_over_its_limit_is_cut_and_counted() -> None:
    before = counted("tieline_cut_short_total", what="test")
    assert [cut("abc", most, "test") for most in (4, 3, 2, 0)] == ["abc", "abc", "ab", ""]
    assert cut("", 0, "test") == ""
    assert counted("tieline_cut_short_total", what="test") - before == 2
