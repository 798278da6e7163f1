"""The life of a VAIC session: every pair of its table by message injection, and the decisions behind the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from actors.clips import Clip, Clips, Recording
from actors.messages.call import BotHeard, CallerArrived, ClipHeard, TransferFailed, VaicEnded
from actors.messages.vaic import (
    BotAudio,
    BotAudioEnded,
    CallerBargedIn,
    CallerFellSilent,
    HangUp,
    LastWords,
    PhaseOverdue,
    PlayClip,
    Transfer,
)
from actors.system.signals import ChildDied
from actors.vaic.phase import (
    ALONE,
    LIMITS_S,
    RINGING_LIMIT_S,
    SESSION,
    TRANSFER_LIMIT_S,
    Action,
    Answers,
    Event,
    Phase,
    answers,
)
from protocols.errors import MisuseError, TransportLost
from protocols.media import LPCM16_24
from tests.actors.calls import CLIPS, FakeWire
from tests.actors.vaic.scene import MS_100, PLAYED, Scene
from tests.cranked import CrankedDispatcher

HANGUP = ("hangup", {"hangupReason": "done"})
LAST_WORDS = LastWords(Clip.CALL_AGAIN, "internal error")
CLIP_MS = 900
TRANSFER = Transfer("tel:+4930555001", "asked for a person")
END: dict[str, object] = {"type": "session.end", "reasonCode": "client-disconnected"}


def transfer_status(**value: object) -> dict[str, object]:
    return {"type": "activities", "activities": [{"type": "event", "name": "transferStatus", "value": value}]}


BUSY = transfer_status(status="failed", reasonCode="busy", reason="Busy Here")
START: dict[str, object] = {"type": "activities", "activities": [{"type": "event", "name": "start"}]}
DTMF: dict[str, object] = {"type": "activities", "activities": [{"type": "event", "name": "DTMF", "value": "4"}]}
# What VAIC may ask for, and the answer to it.
STREAM_REQUESTS = {"userStream.start": "userStream.started", "userStream.stop": "userStream.stopped"}
OTHER_REQUESTS = {"connection.validate": "connection.validated", "session.resume": "session.accepted"}


def saying(ms: int) -> Clips:
    """Recordings that take so long, in hundreds."""
    return {clip: Recording(clip.value, {LPCM16_24.name: (MS_100,) * (ms // 100)}) for clip in Clip}


@pytest.fixture
def scene(mailboxes: CrankedDispatcher) -> Scene:
    return Scene(mailboxes)


# --- every pair ---


def playing_out(scene: Scene) -> None:
    scene.spoke()
    scene.told(HangUp("done"))


def last_words_unconfirmed(scene: Scene) -> None:
    scene.told(LAST_WORDS)
    scene.mailboxes.advance(CLIP_MS)


def hung_up_alone(scene: Scene) -> None:
    scene.told(HangUp("done"), LAST_WORDS)


def over(scene: Scene) -> None:
    """The stop that the actor asks for is queued behind what the test injects next."""
    hung_up_alone(scene)
    scene.wire.receives({"conversationId": "c-1", **END})


def ringing(scene: Scene) -> None:
    scene.told(TRANSFER)
    scene.mailboxes.advance(1000 * RINGING_LIMIT_S)


def put_through(scene: Scene) -> None:
    scene.told(TRANSFER)
    scene.hears(transfer_status(status="answered"))


REACH: Mapping[Phase, Callable[[Scene], None]] = {
    Phase.OPEN: lambda scene: None,
    Phase.PLAYING_OUT: playing_out,
    Phase.HUNG_UP: lambda scene: scene.told(HangUp("done")),
    Phase.RINGING: ringing,
    Phase.PUT_THROUGH: put_through,
    Phase.ENDED: lambda scene: scene.hears(END),
    Phase.LAST_WORDS: lambda scene: scene.told(LAST_WORDS),
    Phase.PLAYING_OUT_ALONE: last_words_unconfirmed,
    Phase.HUNG_UP_ALONE: hung_up_alone,
    Phase.OVER: over,
}


def hear_confirmed(scene: Scene) -> None:
    scene.mailboxes.advance(CLIP_MS - 300)  # by now VAIC has got all of it
    scene.hears(PLAYED)
    scene.mailboxes.advance(300)


# Events that a phase brings about by itself are waited for.
INJECT: Mapping[Event, Callable[[Scene], None]] = {
    Event.ORDERED: lambda scene: scene.vaic.tell(TRANSFER),
    Event.ORDERED_UNPLAYED: lambda scene: scene.vaic.tell(TRANSFER),
    Event.PLAYED_OUT: lambda scene: scene.wire.receives({"conversationId": "c-1", **PLAYED}),
    Event.STILL_RINGING: lambda scene: scene.mailboxes.advance(1000 * RINGING_LIMIT_S),
    Event.ANSWERED: lambda scene: scene.wire.receives({"conversationId": "c-1", **transfer_status(status="answered")}),
    Event.TRANSFER_FAILED: lambda scene: scene.wire.receives({"conversationId": "c-1", **BUSY}),
    Event.SESSION_END: lambda scene: scene.wire.receives({"conversationId": "c-1", **END}),
    Event.SOCKET_CLOSED: lambda scene: scene.wire.breaks(1001),
    Event.CALL_BROKE: lambda scene: scene.vaic.tell(LAST_WORDS),
    Event.WORDS_HEARD: hear_confirmed,
    Event.WORDS_HEARD_UNPLAYED: lambda scene: scene.mailboxes.advance(CLIP_MS),
}
# Brought about only as the session stops: tested below.
BY_A_CUT = {
    (phase, event)
    for phase in (Phase.HUNG_UP_ALONE, Phase.OVER)
    for event in (Event.WORDS_HEARD, Event.WORDS_HEARD_UNPLAYED)
}


@pytest.mark.parametrize(("phase", "event"), SESSION.pairs, ids=lambda member: member.name)
def test_every_pair_does_what_the_table_says(mailboxes: CrankedDispatcher, phase: Phase, event: Event) -> None:
    if (phase, event) in SESSION.never:
        with pytest.raises(MisuseError):
            SESSION.step(phase, event)
        return
    if (phase, event) in BY_A_CUT:
        assert SESSION.step(phase, event) == (phase, Action.NOTHING)
        return
    # A clip that outlasts the limit of the last words, where that is to pass.
    long = phase is Phase.LAST_WORDS and event is Event.LIMIT
    scene = Scene(mailboxes, clips=saying(20_000) if long else CLIPS)
    if (phase, event) == (Phase.OPEN, Event.ORDERED_UNPLAYED):
        scene.spoke()
    of_transfer = event in (Event.TRANSFER_FAILED, Event.STILL_RINGING, Event.ANSWERED)
    if of_transfer and phase in (Phase.HUNG_UP, Phase.HUNG_UP_ALONE):
        scene.told(TRANSFER, *[LAST_WORDS] * (phase is Phase.HUNG_UP_ALONE))
    else:
        REACH[phase](scene)
    scene.wire.types()
    if phase is not Phase.OVER:
        scene.call.all(object)
        scene.parent.expect_nothing()

    if event is Event.LIMIT:
        scene.mailboxes.advance(LIMITS_S[phase] * 1000)
    else:
        INJECT[event](scene)
    mailboxes.drain()

    target, action = SESSION.step(phase, event)
    sent = [name for name, _ in scene.activities()]
    deaths = [death.reason for death in scene.parent.all(ChildDied)]
    told = scene.call.all(object)
    ended = [message.reason_code for message in told if isinstance(message, VaicEnded)]
    failures = [message.reason_code for message in told if isinstance(message, TransferFailed)]
    assert sent == ([("hangup" if phase is not Phase.OPEN else "transfer")] if action is Action.SEND_ORDER else [])
    assert ("playStream.start" in scene.wire.types()) == (
        action in (Action.SPEAK, Action.SPEAK_INSTEAD, Action.ASK_TO_WAIT)
    )
    assert failures == ["busy"] * (action is Action.REPORT_FAILURE)
    assert ended == {Action.REPORT_END: ["client-disconnected"], Action.REPORT_CLOSED: ["closed"]}.get(action, [])
    if action is Action.FAIL:
        assert [type(reason) for reason in deaths] == [TransportLost]
    else:
        assert deaths == ([None] if target is Phase.OVER else [])
    if target is not Phase.OVER:
        assert_answers(scene, answers(target))


def assert_answers(scene: Scene, expected: Answers) -> None:
    scene.wire.types()
    for request in (*STREAM_REQUESTS, *OTHER_REQUESTS):
        scene.hears({"type": request})
    streams = list(STREAM_REQUESTS.values()) if expected is not Answers.NONE else []
    others = list(OTHER_REQUESTS.values()) if expected is Answers.ALL else []
    assert scene.wire.types() == streams + others


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.OVER], ids=lambda phase: phase.name)
def test_what_vaic_asks_for_is_answered_as_its_specification_allows(scene: Scene, phase: Phase) -> None:
    REACH[phase](scene)
    assert_answers(scene, answers(phase))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.OVER], ids=lambda phase: phase.name)
def test_the_limit_of_another_phase_means_nothing(scene: Scene, phase: Phase) -> None:
    REACH[phase](scene)
    scene.wire.types()
    scene.told(*(PhaseOverdue(other) for other in Phase if other is not phase))
    assert scene.activities() == []
    scene.parent.expect_nothing()


def test_only_the_phases_alone_end_the_actor_without_a_supervisor() -> None:
    stops = {row.state for row in SESSION if row.action is Action.STOP}
    assert stops == (ALONE - {Phase.OVER}) | {Phase.ENDED}


# --- decisions ---


def test_a_transfer_that_is_asked_for_while_a_hangup_waits_comes_too_late(scene: Scene) -> None:
    playing_out(scene)
    scene.told(TRANSFER)
    scene.hears(PLAYED)
    assert scene.activities() == [HANGUP]


def test_a_transfer_is_sent_with_its_target_and_reason(scene: Scene) -> None:
    scene.told(TRANSFER)
    params = {"transferTarget": "tel:+4930555001", "handoverReason": "asked for a person"}
    assert scene.activities() == [("transfer", params)]


def test_a_hangup_that_waits_for_vaic_is_sent_after_a_second(scene: Scene) -> None:
    playing_out(scene)
    scene.mailboxes.advance(999)
    assert scene.activities() == []
    scene.mailboxes.advance(1)
    assert scene.activities() == [HANGUP]


def test_a_socket_lost_before_the_hangup_was_sent_is_a_loss(scene: Scene) -> None:
    playing_out(scene)
    scene.wire.breaks(1006)
    scene.mailboxes.drain()
    assert isinstance(scene.parent.expect(ChildDied).reason, TransportLost)
    assert scene.call.all(VaicEnded) == []


def test_nothing_is_played_behind_a_hangup(scene: Scene) -> None:
    scene.told(*[BotAudio("i-1", MS_100)] * 10, HangUp("done"))
    scene.wire.types()
    scene.mailboxes.advance(2000)
    assert scene.wire.types() == []


def test_a_second_start_gets_the_settings_again_and_the_call_is_told(scene: Scene) -> None:
    scene.hears(START, START)
    assert [name for name, _ in scene.activities()] == ["config", "config"]
    assert len(scene.call.all(CallerArrived)) == 2


@pytest.mark.parametrize("frame", [START, DTMF], ids=["start", "dtmf"])
@pytest.mark.parametrize("phase", [Phase.PLAYING_OUT, Phase.HUNG_UP, Phase.ENDED], ids=lambda phase: phase.name)
def test_start_and_keys_change_nothing_once_the_call_is_ending(
    scene: Scene, phase: Phase, frame: dict[str, object]
) -> None:
    REACH[phase](scene)
    scene.wire.types()
    scene.call.all(object)
    scene.hears(frame)
    assert scene.wire.types() == []
    scene.call.expect_nothing()


def test_a_user_stream_that_stops_in_mid_utterance_is_acknowledged_after_our_hangup(scene: Scene) -> None:
    scene.hears({"type": "userStream.start"}, {"type": "userStream.chunk", "audioChunk": "AAAA"})
    scene.told(HangUp("done"))
    scene.wire.types()
    scene.hears({"type": "userStream.stop"}, {"type": "userStream.start"})
    assert scene.wire.types() == ["userStream.stopped", "userStream.started"]


def test_a_resume_on_the_socket_that_was_told_to_hang_up_is_not_answered(scene: Scene) -> None:
    scene.told(HangUp("done"))
    scene.wire.types()
    scene.hears({"type": "session.resume"})
    assert scene.wire.types() == []


def test_the_heard_audio_is_reported_before_the_end(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100), BotAudio("i-1", MS_100))
    scene.mailboxes.advance(50)
    scene.hears(END)
    assert scene.call.expect(BotHeard).item.heard_ms == 50
    assert scene.call.expect(VaicEnded)


def test_the_end_is_reported_once(scene: Scene) -> None:
    scene.hears(END, END)
    scene.wire.breaks(1000)
    scene.mailboxes.drain()
    assert len(scene.call.all(VaicEnded)) == 1
    scene.parent.expect_nothing()


# --- a transfer that fails ---


def test_a_call_whose_transfer_failed_goes_on_and_may_be_transferred_again(scene: Scene) -> None:
    scene.told(TRANSFER)
    scene.hears(BUSY)
    scene.wire.types()
    scene.told(BotAudio("i-1", MS_100), BotAudioEnded("i-1"))
    assert "playStream.start" in scene.wire.types()
    scene.mailboxes.advance(100)
    scene.hears(PLAYED)
    scene.told(TRANSFER)
    assert [name for name, _ in scene.activities()] == ["transfer"]


def test_the_limit_of_a_phase_is_not_that_of_its_second_time(scene: Scene) -> None:
    scene.spoke()
    scene.told(TRANSFER)  # waits a second for VAIC to have played all
    scene.mailboxes.advance(500)
    scene.hears(PLAYED, BUSY)
    scene.spoke()
    scene.wire.types()
    scene.told(HangUp("done"))
    scene.mailboxes.advance(900)
    assert scene.activities() == []
    scene.mailboxes.advance(100)
    assert scene.activities() == [HANGUP]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"status": "failed", "reasonCode": "no-answer"}, ["no-answer"]),
        ({"status": "failed", "reasonCode": "something the caller said"}, ["unknown"]),
        ({"status": "failed", "reasonCode": ["busy"]}, ["unknown"]),
        ({"status": "failed"}, ["unknown"]),
        ({"status": "answered"}, []),
        ({}, []),
    ],
)
def test_only_a_failure_is_reported_and_for_one_of_few_reasons(
    scene: Scene, value: dict[str, object], reason: list[str]
) -> None:
    scene.told(TRANSFER)
    scene.hears(transfer_status(**value))
    assert [message.reason_code for message in scene.call.all(TransferFailed)] == reason


def test_who_is_put_through_is_asked_to_wait_while_nothing_is_heard_and_told_in_the_end(scene: Scene) -> None:
    scene.told(TRANSFER)
    scene.wire.types()
    for played_ms in (0, CLIP_MS):
        scene.mailboxes.advance(1000 * RINGING_LIMIT_S - played_ms - 100)
        assert scene.wire.types() == []
        scene.mailboxes.advance(100)
        assert scene.wire.types()[0] == "playStream.start"
        scene.mailboxes.advance(CLIP_MS)
        assert scene.wire.types()[-1] == "playStream.stop"
        assert scene.call.expect(ClipHeard).clip is Clip.ONE_MOMENT
    scene.mailboxes.advance(1000 * (TRANSFER_LIMIT_S - 2 * RINGING_LIMIT_S) - CLIP_MS - 100)
    assert scene.call.all(TransferFailed) == []
    scene.mailboxes.advance(100)
    assert scene.call.all(TransferFailed) == [TransferFailed("unanswered")]
    scene.hears(BUSY)
    assert scene.call.all(TransferFailed) == [], "VAIC's word comes too late"
    assert_answers(scene, answers(Phase.OPEN))


@pytest.mark.parametrize("reason", ["no-answer", "busy"])
def test_a_transfer_that_rings_fails_when_vaic_says_so(scene: Scene, reason: str) -> None:
    scene.told(TRANSFER)
    scene.mailboxes.advance(1000 * RINGING_LIMIT_S)
    scene.hears(transfer_status(status="failed", reasonCode=reason))
    assert scene.call.all(TransferFailed) == [TransferFailed(reason)]


def test_nobody_is_asked_to_wait_once_a_ringing_transfer_is_answered(scene: Scene) -> None:
    scene.told(TRANSFER)
    scene.mailboxes.advance(1000 * RINGING_LIMIT_S)
    scene.hears(transfer_status(status="answered"))
    scene.mailboxes.advance(CLIP_MS)
    scene.wire.types()
    scene.mailboxes.advance(60_000)
    assert scene.wire.types() == []
    assert scene.call.all(TransferFailed) == []


def test_a_transfer_that_is_answered_is_waited_for_and_so_is_a_hang_up(scene: Scene) -> None:
    scene.told(TRANSFER)
    scene.hears(transfer_status(status="answered"))
    scene.mailboxes.advance(60_000)
    assert scene.call.all(TransferFailed) == []


@pytest.mark.parametrize("rung_s", [RINGING_LIMIT_S - 1, TRANSFER_LIMIT_S - 1])
def test_a_limit_that_passes_as_the_transfer_is_answered_means_nothing(scene: Scene, rung_s: float) -> None:
    """Its message waits behind VAIC's word."""
    scene.told(TRANSFER)
    scene.mailboxes.advance(1000 * rung_s)
    scene.mailboxes.advance(0)
    scene.wire.types()
    scene.wire.receives({"conversationId": "c-1", **transfer_status(status="answered")})
    for phase in (Phase.HUNG_UP, Phase.RINGING):
        scene.vaic.tell(PhaseOverdue(phase))
    scene.mailboxes.advance(60_000)
    assert scene.call.all(TransferFailed) == []
    assert "playStream.start" not in scene.wire.types()


def test_a_hang_up_has_no_transfers_limit(scene: Scene) -> None:
    scene.told(HangUp("done"))
    scene.mailboxes.advance(60_000)
    assert scene.call.all(TransferFailed) == []


def test_a_failed_transfer_that_was_never_sent_means_nothing(scene: Scene) -> None:
    scene.hears(BUSY, {**BUSY, "activities": [{"type": "event", "name": "transferStatus", "value": "failed"}]})
    scene.told(HangUp("done"))
    scene.hears(BUSY)
    assert scene.call.all(TransferFailed) == []


def test_a_transfer_that_fails_alone_ends_in_last_words(scene: Scene) -> None:
    scene.told(TRANSFER, LAST_WORDS)
    scene.hears(BUSY)
    scene.mailboxes.advance(CLIP_MS)
    scene.hears(PLAYED)
    assert [name for name, _ in scene.activities()] == ["transfer", "hangup"]
    assert scene.call.expect(ClipHeard).clip is Clip.CALL_AGAIN


# --- last words ---


def test_last_words_are_spoken_then_the_call_is_hung_up_and_the_actor_ends_with_vaics_answer(scene: Scene) -> None:
    scene.told(BotAudio("i-1", MS_100))
    scene.wire.types()
    scene.told(LAST_WORDS)
    assert scene.wire.types()[:2] == ["playStream.stop", "playStream.start"]
    scene.mailboxes.advance(CLIP_MS)
    assert scene.activities() == []
    scene.hears(PLAYED)
    assert scene.activities() == [("hangup", {"hangupReason": "internal error"})]
    scene.parent.expect_nothing()
    scene.hears(END)
    assert scene.parent.expect(ChildDied).reason is None
    assert scene.wire.closed == 1000


def test_nothing_else_is_played_during_last_words(scene: Scene) -> None:
    scene.told(LAST_WORDS)
    before = scene.wire.types()
    scene.told(BotAudio("i-1", MS_100), BotAudioEnded("i-1"), CallerBargedIn(), CallerFellSilent())
    scene.told(PlayClip(Clip.SAY_AGAIN))
    scene.mailboxes.advance(CLIP_MS)
    frames = before + scene.wire.types()
    assert [kind for kind in frames if kind != "playStream.chunk"][-2:] == ["playStream.start", "playStream.stop"]
    (heard,) = scene.call.all(ClipHeard)
    assert (heard.clip, heard.item.complete) == (Clip.CALL_AGAIN, True)


def test_a_session_that_ends_in_last_words_is_not_hung_up_on(scene: Scene) -> None:
    scene.told(LAST_WORDS)
    scene.mailboxes.advance(CLIP_MS - 50)  # so late that they count as heard
    scene.hears(END)
    assert scene.activities() == []
    assert scene.parent.expect(ChildDied).reason is None


def test_last_words_that_end_late_leave_vaic_its_time_to_answer(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, clips=saying(9500))
    scene.told(LAST_WORDS)
    mailboxes.advance(9500)
    scene.hears(PLAYED)
    mailboxes.advance(5999)
    scene.parent.expect_nothing()
    mailboxes.advance(1)
    assert scene.parent.expect(ChildDied).reason is None


def test_last_words_that_take_too_long_are_hung_up_on_and_heard_meanwhile_change_nothing(
    mailboxes: CrankedDispatcher,
) -> None:
    scene = Scene(mailboxes, clips=saying(10_100))
    scene.told(LAST_WORDS)
    mailboxes.advance(10_000)
    assert len(scene.activities()) == 1
    scene.vaic.stop(block=False)  # cuts them where they count as heard
    mailboxes.drain()
    assert scene.call.expect(ClipHeard).item.complete
    assert len(scene.activities()) == 1


def test_a_bot_without_the_recording_is_hung_up_at_once(mailboxes: CrankedDispatcher) -> None:
    scene = Scene(mailboxes, clips={})
    scene.told(LAST_WORDS)
    assert scene.activities() == [("hangup", {"hangupReason": "internal error"})]


def test_a_clip_of_the_same_words_that_was_said_before_is_not_the_last_words(scene: Scene) -> None:
    scene.told(PlayClip(Clip.CALL_AGAIN))
    scene.mailboxes.advance(CLIP_MS - 50)
    scene.wire.types()
    scene.told(LAST_WORDS)
    assert scene.activities() == []
    assert scene.wire.types()[0] == "playStream.start"
    scene.mailboxes.advance(CLIP_MS - 1)
    assert scene.activities() == []
    assert scene.wire.types()[-1] == "playStream.stop"  # all of them was sent
    scene.mailboxes.advance(1)
    scene.hears(PLAYED)
    assert len(scene.activities()) == 1


def test_a_supervisor_that_fails_while_a_transfer_waits_has_it_carried_out(scene: Scene) -> None:
    scene.spoke()
    scene.told(TRANSFER, LAST_WORDS)
    scene.hears(PLAYED)
    assert [name for name, _ in scene.activities()] == ["transfer"]
    scene.mailboxes.advance(6000)
    assert scene.parent.expect(ChildDied).reason is None


def test_a_crash_alone_closes_the_socket_because_nobody_takes_it_over(mailboxes: CrankedDispatcher) -> None:
    wire = FakeWire()
    scene = Scene(mailboxes, wire=wire)
    scene.told(LAST_WORDS)
    wire.errors.append(RuntimeError("of ours"))
    scene.hears({"type": "connection.validate"})
    assert isinstance(scene.parent.expect(ChildDied).reason, RuntimeError)
    assert wire.closed == 1011


def test_a_crash_under_a_supervisor_leaves_the_socket_open(mailboxes: CrankedDispatcher) -> None:
    wire = FakeWire()
    scene = Scene(mailboxes, wire=wire)
    wire.errors.append(RuntimeError("of ours"))
    scene.hears({"type": "connection.validate"})
    assert isinstance(scene.parent.expect(ChildDied).reason, RuntimeError)
    assert wire.closed is None
