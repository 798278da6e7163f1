"""Updates of a live session that the server refuses: what is sent in their place, and that this comes to an end."""

from __future__ import annotations

from protocols.realtime.client_events import SessionUpdate
from protocols.realtime.objects import ErrorDetail, FunctionTool, Session
from protocols.realtime.session_updates import SessionUpdates


def whole(*names: str) -> Session:
    return Session(type="realtime", instructions="Now.", tools=tuple(FunctionTool(name=name) for name in names))


def names(update: SessionUpdate | None) -> list[str] | None:
    """The tools of an update; None where there is none, or it leaves them as they are."""
    if update is None or update.session.tools is None:
        return None
    return [tool.name for tool in update.session.tools if isinstance(tool, FunctionTool)]


def test_a_refusal_is_known_by_the_events_id_or_by_its_parameter() -> None:
    updates = SessionUpdates()
    assert not updates.refused(ErrorDetail(param="session.tools[0]")), "nothing was sent yet"
    sent = updates.update(whole("book"))
    assert updates.refused(ErrorDetail(event_id=sent.event_id))
    assert updates.refused(ErrorDetail(param="session.tools[0].parameters"))
    assert not updates.refused(ErrorDetail(event_id="ask-1", param="session.tools[0]"))
    assert not updates.refused(ErrorDetail(param="response.tools"))
    updates.update(whole("book"))
    assert not updates.refused(ErrorDetail(event_id=sent.event_id)), "an older one"


def test_what_is_refused_is_sent_without_the_tool_that_is_named() -> None:
    updates = SessionUpdates()
    updates.update(whole("a", "b", "c"))
    smaller = updates.smaller(ErrorDetail(param="session.tools[1].parameters"))
    assert names(smaller) == ["a", "c"]
    assert smaller is not None
    assert smaller.session.instructions == "Now."
    assert updates.refused(ErrorDetail(event_id=smaller.event_id))


def test_where_no_tool_is_named_the_instructions_are_sent_alone_and_then_nothing() -> None:
    for param in (None, "session.tools", "session.tools[7]"):
        updates = SessionUpdates()
        updates.update(whole("a", "b"))
        smaller = updates.smaller(ErrorDetail(param=param))
        assert smaller is not None
        assert (smaller.session.instructions, smaller.session.tools) == ("Now.", None)
        assert updates.smaller(ErrorDetail(param=param)) is None


def test_updates_end_even_if_every_form_is_refused() -> None:
    updates = SessionUpdates()
    updates.update(whole(*"abcdefgh"))
    times = 0
    while updates.smaller(ErrorDetail(param="session.tools[0]")) is not None:
        times += 1
    assert times == 8
