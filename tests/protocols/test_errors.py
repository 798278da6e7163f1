"""The text of errors, which goes to the log."""

from __future__ import annotations

from protocols.errors import Fenced, TransportLost, WireError


def test_errors_say_what_happened() -> None:
    assert str(WireError("unknown_type", "session.greet")) == "unknown_type: session.greet"
    assert str(WireError("unknown_type")) == "unknown_type"
    assert str(TransportLost(1011, "overloaded")) == "1011 overloaded"
    assert str(TransportLost(1006)) == "1006"
    assert str(Fenced("c-1")) == "another process has taken over conversation c-1"
