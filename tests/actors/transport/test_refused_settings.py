"""Settings that a model's server has refused: for how long they are left out, and of how many bots."""

from __future__ import annotations

from actors.transport.refused_settings import MOST_SETTINGS, REMEMBERED_S, RefusedSettings


def test_what_was_refused_is_known_for_an_hour_and_of_these_settings_only() -> None:
    now_s = 0.0
    refused = RefusedSettings(lambda: now_s)
    assert refused.of("a") == ()
    refused.note("a", ("session.audio.output.speed",))
    now_s = REMEMBERED_S - 1
    assert (refused.of("a"), refused.of("b")) == (("session.audio.output.speed",), ())
    refused.note("a", ("session.tracing", "session.audio.output.speed"))
    assert refused.of("a") == ("session.audio.output.speed", "session.tracing")
    now_s += REMEMBERED_S
    assert refused.of("a") == ()


def test_of_too_many_settings_the_oldest_are_offered_again() -> None:
    refused = RefusedSettings(lambda: 1.0)
    for number in range(MOST_SETTINGS):
        refused.note(str(number), ("session.tracing",))
    refused.note("0", ("session.prompt",))
    refused.note("new", ("session.tracing",))
    assert refused.of("0") == ("session.tracing", "session.prompt")
    assert (refused.of("1"), refused.of("2"), refused.of("new")) == ((), ("session.tracing",), ("session.tracing",))
