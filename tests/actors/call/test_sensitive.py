"""The sensitive zone of a call: keys alone, whichever way it ends, at this process and at the next one."""

from __future__ import annotations

import json
import tomllib
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest

from actors.messages.journal import AppendRow, WriteRecord
from actors.messages.journal_rows import CallerTypedRow, JournalEntry, TaskRow, encode
from actors.vaic.tape import NotedTranscoder, Tape
from fsm.checks import luhn
from fsm.effects import Ok, Remote
from fsm.secret import DOTS
from fsm.task_file import Parts, compile_task
from protocols.media import (
    LPCM16,
    LPCM16_24,
    MULAW,
    MediaFormat,
    Transcoder,
    Unheard,
    decoded_bytes,
    inaudible,
    model_format,
)
from tests.actors.calls import NO_WATCH_S, PROFILE, Call, Oven, WaitingDispatcher, left_by

CARD = "4000056655665556"
LOUD = b64encode(b"\x55" * 960).decode()
PAY = compile_task(
    tomllib.loads("""
[task]
name = "pay"
description = "The caller wants to pay by card."
[slot.card]
type = "digits"
sensitive = true
check = "luhn"
ask = "Please key in the number of your card."
[flow]
collect = ["card"]
confirm = "The card ends in {card:last4}. Shall I charge it?"
done = { say = "Thank you." }
[effect]
tool = "card.charge"
"""),
    Parts(effects={"card.charge": Remote(lambda request: Ok())}, checks={"luhn": luhn}),
)
QUIET = replace(PROFILE, agents={PAY.name: PAY}, no_input_s=NO_WATCH_S)
CLOSED = [("pauseCallRecording", {}), ("config", {"sensitiveInfo": True})]
OPENED = [("config", {"sensitiveInfo": False}), ("resumeCallRecording", {})]


def asked(*wires: Any) -> list[tuple[str, Any]]:
    sent = [each for wire in wires for each in wire.activities()]
    return [
        (each["name"], each.get("sessionParams", {}))
        for each in sent
        if "bargeIn" not in each.get("sessionParams", {}) and each.get("name") != "hangup"
    ]


def keys(call: Call, digits: str) -> None:
    for each in digits:
        call.mailboxes.advance(200)
        call.vaic("activities", activities=[{"type": "event", "name": "DTMF", "value": each}])


def paying(mailboxes: WaitingDispatcher, **how: Any) -> Call:
    given: dict[str, Any] = {"profile": QUIET, "effects": {"card.charge": Oven()}} | how
    call = Call(mailboxes, **given).greeted()
    call.vaic("userStream.start")
    call.answered("call-1", "pay")
    return call


def keyed_in(call: Call, digits: str = f"{CARD}#") -> None:
    """Key it in, and wait for the task's answer."""
    before = steps(call)
    keys(call, digits)
    call.mailboxes.until(lambda: steps(call) > before)


def written(call: Call) -> list[JournalEntry]:
    return [told.entry for told in call.journal.arrived if isinstance(told, AppendRow)]


def steps(call: Call) -> int:
    return sum(isinstance(entry.row, TaskRow) for entry in written(call))


def heard(call: Call) -> list[str]:
    return [frame["audio"] for frame in call.model.all("input_audio_buffer.append")]


@pytest.mark.parametrize("end", ["filled", "cancelled", "given up"])
def test_vaic_is_told_at_both_ends_of_the_zone_whichever_way_it_ends(mailboxes: WaitingDispatcher, end: str) -> None:
    call = paying(mailboxes)
    assert asked(call.wire) == CLOSED
    for digits in {"filled": [f"{CARD}#"], "cancelled": ["*#"], "given up": ["1#", "2#", "3#"]}[end]:
        assert asked(call.wire) == CLOSED
        keyed_in(call, digits)
    assert asked(call.wire)[:4] == [*CLOSED, *OPENED]


@pytest.mark.parametrize("media", [LPCM16_24, LPCM16, MULAW])
def test_the_model_hears_silence_of_the_same_length_and_then_the_caller_again(
    mailboxes: WaitingDispatcher, media: MediaFormat
) -> None:
    call = paying(mailboxes, media=media)
    loud = b64encode(b"\x55\x2a" * (media.bytes_per_ms * 10)).decode()
    for _ in range(50):
        call.vaic("userStream.chunk", audioChunk=loud)
    quiet, model = heard(call), model_format(media)
    assert all(inaudible(each, model) for each in quiet)
    keyed_in(call)
    for _ in range(50):
        call.vaic("userStream.chunk", audioChunk=loud)
    after = heard(call)[len(quiet) :]
    assert not inaudible(after[-1], model)
    assert sum(map(decoded_bytes, after)) == pytest.approx(sum(map(decoded_bytes, quiet)), abs=20 * model.bytes_per_ms)


def test_what_is_recorded_inside_is_silence_of_the_same_length() -> None:
    tape = Tape(lambda: 0.0)
    tape.begin()
    Unheard(NotedTranscoder(Transcoder(MULAW, MULAW), tape), MULAW).feed(LOUD)
    [(_, _, noted)] = tape.take()
    assert inaudible(noted, MULAW)
    assert len(noted) == len(LOUD)


def test_what_vaic_has_understood_inside_is_not_read(mailboxes: WaitingDispatcher) -> None:
    call = paying(mailboxes)
    call.writes("four zero zero zero")
    assert "four zero" not in json.dumps(call.model.frames)
    assert "four zero" not in repr(written(call))


def test_the_digits_reach_the_effect_and_nothing_else(mailboxes: WaitingDispatcher, all_lines: list[str]) -> None:
    oven = Oven(Ok({"echo": f"charged {CARD}", "receipt": "R-7"}))
    call = paying(mailboxes, effects={"card.charge": oven})
    keys(call, "4")  # one too early, and then all of it
    keyed_in(call, "#")
    keyed_in(call)
    call.bot_says("The card ends in 5 5 5 6. Shall I charge it?", ms=1000)
    call.mailboxes.advance(1000)
    call.caller_says("Yes.")
    call.model_calls(("call-2", "pay_confirm", {"yes": True}))
    call.mailboxes.until(lambda: "call-2" in call.outputs())
    keys(call, "6")  # pressed too late: nobody has asked for it
    mailboxes.advance(10_000)
    typed = [each.row.text for each in written(call) if isinstance(each.row, CallerTypedRow)]
    assert typed == [f"The caller pressed these keys: {DOTS}."] * 3
    call.ends()
    call.mailboxes.until(lambda: any(isinstance(each, WriteRecord) for each in call.journal.arrived))
    assert [each.slots["card"].reveal() for each in oven.requests] == [CARD]
    everything = [
        json.dumps([wire.frames for wire in call.dialler.wires]),
        json.dumps(call.wire.frames),
        "".join(str(encode(each, 1).body) for each in written(call)),
        repr(call.journal.arrived),
        *all_lines,
    ]
    assert not [each for each in everything if CARD in each or "keys: 6" in each]
    assert DOTS in everything[2]
    assert "R-7" in everything[0]


def test_a_number_that_the_model_has_heard_before_is_not_stored_with_its_call(mailboxes: WaitingDispatcher) -> None:
    call = Call(mailboxes, profile=QUIET).greeted()
    told = call.answered("call-1", "pay", card=CARD)
    assert (told["state"], told["error"]) == ("Collect", "unknown_property")
    assert CARD not in str([encode(each, 1).body for each in written(call)])


def test_a_caller_may_look_at_the_card_between_its_groups(mailboxes: WaitingDispatcher) -> None:
    call = paying(mailboxes)
    for group in ("4000", "0566", "5566"):
        keys(call, group)
        mailboxes.advance(8000)
    keyed_in(call, "5556#")
    assert asked(call.wire) == [*CLOSED, *OPENED]


def test_a_socket_that_vaic_resumes_on_is_closed_from_its_first_chunk(mailboxes: WaitingDispatcher) -> None:
    call = paying(mailboxes)
    call.wire.breaks()
    mailboxes.drain()
    wire, before = call.resumes(), len(heard(call))
    wire.receives({"type": "userStream.chunk", "conversationId": "c-1", "audioChunk": LOUD})
    mailboxes.drain()
    assert {b64decode(each) for each in heard(call)[before:]} == {bytes(960)}


def test_the_zone_that_a_dead_process_has_left_is_closed_at_the_next_one(mailboxes: WaitingDispatcher) -> None:
    first = paying(mailboxes)
    second = Call(mailboxes, profile=QUIET, effects={"card.charge": Oven()}, resume_state=left_by(first))
    second.model_is_ready()
    second.wire.receives({"type": "userStream.start", "conversationId": "c-1"})
    second.vaic("userStream.chunk", audioChunk=LOUD)
    assert {b64decode(each) for each in heard(second)} == {bytes(960)}
    assert asked(second.wire) == [], "VAIC was told by the first one"
    keyed_in(second)
    assert asked(second.wire) == OPENED


def test_a_secret_that_died_with_its_process_is_asked_for_again(mailboxes: WaitingDispatcher) -> None:
    first = paying(mailboxes)
    keyed_in(first)
    oven = Oven()
    second = Call(mailboxes, profile=QUIET, effects={"card.charge": oven}, resume_state=left_by(first))
    second.model_is_ready()
    told = second.answered("call-2", "pay_confirm", yes=True)
    assert (told["state"], oven.requests) == ("Collect", [])
    assert asked(second.wire) == CLOSED
    keyed_in(second)
    assert asked(second.wire) == [*CLOSED, *OPENED]
