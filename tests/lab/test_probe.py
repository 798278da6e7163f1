"""`tieline probe --to`: a bot that keeps the rules gets the full grade, and each rule is seen to be broken once."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path

import pytest

from lab.probe import ProbeReport, ProbeSettings, RuleVerdict, Unreachable, probe_bot
from lab.probe.ledger import ProbedMessage, ProbeLedger
from lab.probe.rules import VAIC_RULES, VAIC_SPEC, ProbeRule
from lab.probe.vaic import NOT_A_RULE, ODD
from protocols.media import KNOWN
from tests.lab.probe_bot import (
    SPEECH,
    SPEED,
    TOKEN,
    Bot,
    Close,
    Fault,
    Frame,
    Pause,
    Sent,
    adds,
    answers,
    bot_server,
    changes,
    drops,
    trips_over,
)
from tests.lab.probe_reports import assert_broken, assert_full_grade
from tests.paced_loop import run_paced

ROOT = Path(__file__).parents[2]
STARTED = {"type": "userStream.started"}
ACCEPTED = {"type": "session.accepted", "mediaFormat": "raw/lpcm16_24"}
REFUSED = {"type": "session.error", "reason": "no"}
INITIATE, RESUME, END = "session.initiate", "session.resume", "session.end"
CALLS = ("call", "barge_in", "resume", "chat")  # scenes in the call's time: patience costs little
TEN_S = b64encode(b"\1\2" * 240_000).decode()  # of raw/lpcm16_24
PLAYED = ("playStream.start", "playStream.chunk", "playStream.stop")


def activity(name: str, **fields: object) -> Frame:
    return {"type": "activities", "activities": [{"type": "event", "name": name, **fields}]}


def play(kind: str, bot: Bot, **fields: object) -> Frame:
    return {"type": f"playStream.{kind}", "streamId": bot.stream, **fields}


def once_more(kind: str, **fields: object) -> Fault:
    """A message of a play stream follows its stop."""

    def sends(_bot: Bot, frame: Frame) -> Iterable[Sent]:
        more = {"type": kind, "streamId": frame.get("streamId"), **fields}
        return [frame, more] if frame["type"] == "playStream.stop" else [frame]

    return Fault("call", sends=sends)


def only_the_first(kind: str) -> Fault:
    return Fault("no_start", lambda bot, frame: [] if frame["type"] == kind and kind in bot.sent else [frame])


def one_id(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [{**frame, "streamId": "p"} if "streamId" in frame else frame]


def silent_after_the_greeting(bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [] if frame["type"] in PLAYED and f"{SPEECH}committed" in bot.sent else [frame]


def not_stopped(bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [] if frame["type"] == "playStream.stop" and bot.sent[-1] == f"{SPEECH}started" else [frame]


def stopped_too_soon(bot: Bot, frame: Frame) -> Iterable[Sent]:
    cut = frame["type"] == f"{SPEECH}started" and bot.stream is not None
    return [play("stop", bot), frame] if cut else [frame]


def goes_on_talking(bot: Bot, frame: Frame) -> Iterable[Sent]:
    cut = frame["type"] == f"{SPEECH}started" and bot.stream is not None
    return [frame, play("chunk", bot, audioChunk="AAEC")] if cut else [frame]


def another_format(bot: Bot, frame: Frame) -> Iterable[Sent]:
    changed = frame["type"] == "session.accepted" and RESUME in bot.heard
    return [{**frame, "mediaFormat": "raw/mulaw"} if changed else frame]


def second_stream(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [{**frame, "streamId": "other"}, frame] if frame["type"] == "playStream.start" else [frame]


def floods_audio(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    """Chunks of ten seconds, without end."""
    return repeat({**frame, "audioChunk": TEN_S}) if frame["type"] == "playStream.chunk" else [frame]


def floods_at_once(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    """Calls are accepted, and then nothing is heard for telling."""
    yield frame
    if frame["type"] == "session.accepted":
        yield from repeat({"type": "playStream.chunk", "streamId": "p", "audioChunk": TEN_S})


def nobody_named(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [{name: each for name, each in frame.items() if name != "participant"}]


def writes_nothing(_bot: Bot, frame: Frame) -> Iterable[Sent]:
    return [] if frame["type"] == "activities" else [frame]


def not_in(name: str) -> Callable[[Bot, Frame, str | bytes], Iterable[Sent] | None]:
    """Calls that offer only this format are refused."""
    return answers(INITIATE, REFUSED, when=lambda _bot, frame: frame.get("supportedMediaFormats") == [name])


# By rule: a bot that breaks it.
FAULTS = {
    "connects": Fault("formats", upgrades=1),
    "wrong_token": Fault("token", any_token=True),
    "http_get": Fault("http", serves_http=False),
    "no_compression": Fault("compression", compression="deflate"),
    "text_frames": Fault("validate", adds("session.accepted", b"\x00 binary")),
    "known_messages": Fault("call", adds("session.accepted", {"type": "session.weather"})),
    "right_conversation": Fault("call", changes("userStream.started", conversationId="another")),
    "no_participant": Fault("call", changes("userStream.started", participant="caller")),
    "validate": Fault("validate", drops("connection.validated")),
    "validate_alone": Fault("validate", adds("connection.validated", STARTED)),
    "validate_then_call": Fault("validate", hears=answers(INITIATE)),
    "answered": Fault("no_start", hears=answers(INITIATE)),
    "answered_soon": Fault("no_start", hears=answers(INITIATE, Pause(0.3), ACCEPTED)),
    "answer_first": Fault("call", adds("session.accepted", STARTED, before=True)),
    "one_answer": Fault("call", adds("session.accepted", ACCEPTED)),
    "offered_format": Fault("formats", changes("session.accepted", mediaFormat="raw/opus")),
    "minimal_initiate": Fault(
        "initiates", hears=answers(INITIATE, REFUSED, when=lambda _bot, frame: "botName" not in frame)
    ),
    "start_missing": Fault("no_start", hears=answers("userStream.stop")),
    "initiate_without_formats": Fault(
        "initiates", hears=answers(INITIATE, when=lambda _bot, frame: "supportedMediaFormats" not in frame)
    ),
    "initiate_with_null_formats": Fault(
        "initiates", hears=answers(INITIATE, when=lambda _bot, frame: frame.get("supportedMediaFormats", 1) is None)
    ),
    "initiate_without_id": Fault(
        "initiates", hears=answers(INITIATE, when=lambda _bot, frame: "conversationId" not in frame)
    ),
    "unknown_formats_refused": Fault(
        "formats",
        hears=answers(
            INITIATE, ACCEPTED, when=lambda _bot, frame: frame.get("supportedMediaFormats") == ["raw/telegraph"]
        ),
    ),
    "two_initiates": Fault("twice", hears=answers(INITIATE, Close(1011), when=lambda bot, _frame: bot.call)),
    "before_initiate": Fault("twice", hears=answers(INITIATE, when=lambda bot, _frame: bot.heard and not bot.call)),
    **{f"format {name}": Fault("formats", hears=not_in(name)) for name in KNOWN},
    "greets": Fault("call", hears=answers("activities")),
    "user_started": Fault("no_start", drops("userStream.started")),
    "user_stopped": Fault("no_start", drops("userStream.stopped")),
    "user_again": only_the_first("userStream.started"),
    "speech_told": Fault(
        "call", drops(*(f"{SPEECH}{name}" for name in ("started", "stopped", "recognition", "committed")))
    ),
    "speech_recommended": Fault("call", drops(f"{SPEECH}committed")),
    "speech_order": Fault("call", adds(f"{SPEECH}started", {"type": f"{SPEECH}started"})),
    "speech_alternatives": Fault("call", changes(f"{SPEECH}recognition", alternatives=[])),
    "answers_speech": Fault("call", silent_after_the_greeting),
    "one_stream": Fault("call", second_stream),
    "new_stream_id": Fault("call", one_id),
    "chunks_inside": once_more("playStream.chunk", audioChunk="AAEC"),
    "stops_inside": once_more("playStream.stop"),
    "stream_ended": Fault("call", drops("playStream.stop")),
    "no_silence": Fault("call", changes("playStream.chunk", audioChunk=b64encode(bytes(4800)).decode())),
    "no_empty_stream": Fault("call", drops("playStream.chunk")),
    "whole_samples": Fault("call", changes("playStream.chunk", audioChunk=b64encode(b"\1" * 4801).decode())),
    "no_flood": Fault("call", floods_audio),
    "audio_readable": Fault("call", changes("playStream.chunk", audioChunk="*** no base64 ***")),
    "barge_in_told": Fault("barge_in", hears=answers("userStream.chunk")),
    "barge_in_stops": Fault("barge_in", not_stopped),
    "barge_in_order": Fault("barge_in", stopped_too_soon),
    "barge_in_final": Fault("barge_in", goes_on_talking),
    **{rule: Fault("odd", hears=trips_over(messages, Close(1011))) for rule, messages in ODD.items()},
    "odd late chunk": Fault(
        "streams", hears=answers("userStream.chunk", Close(1011), when=lambda bot, _frame: not bot.streams)
    ),
    "odd participant": Fault("streams", nobody_named),
    "known_activities": Fault("call", adds("session.accepted", activity("weather"))),
    "activity_fields": Fault("call", adds("session.accepted", activity("transfer", activityParams={}))),
    "activity_once": Fault("call", adds("session.accepted", *[activity("config", id="b-1", sessionParams={})] * 2)),
    "never_ends": Fault("no_start", adds("session.accepted", {"type": END})),
    "stays": Fault("odd", hears=trips_over(ODD["dtmf"], Close(1000))),
    "no_error": Fault("odd", hears=trips_over(ODD["dtmf"], REFUSED)),
    "closes": Fault("no_start", hears=answers(END)),
    "closes_normally": Fault("no_start", hears=answers(END, Close(1011))),
    # Between the caller's 2 s for what crosses and its limit of 5 s: at full speed a late tick is as long as that.
    "silent_at_end": Fault("call", hears=answers(END, Pause(3.5 / 10), STARTED, Close(1000)), speed=10.0),
    "resume_unknown": Fault("resume_unknown", hears=answers(RESUME, ACCEPTED)),
    "resume_ended": Fault(
        "resume_unknown",
        hears=answers(RESUME, ACCEPTED, when=lambda bot, frame: frame["conversationId"] in bot.server.ended),
    ),
    "resumes": Fault("resume", hears=answers(RESUME, REFUSED)),
    "resume_streams": Fault("resume", lambda bot, frame: [] if frame == STARTED and RESUME in bot.heard else [frame]),
    "resume_format": Fault("resume", another_format),
    "text_mode": Fault("chat", adds("session.accepted", {**ACCEPTED, "type": "playStream.start", "streamId": "p"})),
    "text_answers": Fault("chat", writes_nothing),
}


async def graded(fault: Fault, scenes: tuple[str, ...], patience_s: float, soon_s: float) -> ProbeReport:
    async with bot_server(fault, fault.speed) as server:
        return await probe_bot(
            ProbeSettings(
                url=server.url,
                token=TOKEN,
                scenes=scenes,
                patience_s=patience_s,
                soon_s=soon_s,
                speed=fault.speed,
            )
        )


def test_a_bot_that_keeps_the_rules_gets_the_full_grade() -> None:
    assert_full_grade(run_paced(graded(Fault(""), (), 30, 30)))


@pytest.mark.parametrize("rule", VAIC_RULES, ids=lambda rule: rule.name)
def test_each_rule_is_seen_to_be_broken(rule: ProbeRule) -> None:
    fault = FAULTS[rule.name]
    report = run_paced(graded(fault, (fault.scene,), 5 if fault.scene in CALLS else 0.5, 0.1))
    assert_broken(report, rule)


def flood(report: ProbeReport) -> tuple[str, ...]:
    assert report.grade is RuleVerdict.FAIL
    return next(each.details for each in report.findings if each.rule.name == "no_flood")


def test_audio_that_nobody_can_play_ends_the_scene_and_the_next_ones_go_on() -> None:
    report = run_paced(graded(Fault("", floods_audio, speed=1), ("call", "resume", "chat", "no_start"), 60, 30))
    details = flood(report)
    assert {each.partition(":")[0] for each in details} == {"in call", "in resume"}
    assert all(re.fullmatch(r"in \w+: floods audio: 30\d s ahead of what is played", each) for each in details)
    broken = {each.rule.name for each in report.findings if each.details}
    assert broken == {"no_flood"}  # nothing that was not seen to its end is held against the bot
    assert {"text_answers", "start_missing"} <= {each.rule.name for each in report.of(RuleVerdict.PASS)}


def test_a_flood_on_a_socket_of_the_probes_own_ends_the_scene() -> None:
    report = run_paced(graded(Fault("", floods_at_once, speed=1), ("no_start", "validate"), 60, 30))
    details = flood(report)
    assert {each.partition(":")[0] for each in details} == {"in no_start", "in validate"}
    assert all(re.search(r"floods \d+ messages, 2\d MB in \d s", each) for each in details), details
    assert "answered" in {each.rule.name for each in report.of(RuleVerdict.PASS)}


def test_messages_are_written_out_only_where_they_are_kept() -> None:
    class Written(ProbedMessage):
        def __str__(self) -> str:
            times.append(self.at_ms)
            return super().__str__()

    times: list[int] = []
    ledger = ProbeLedger(VAIC_RULES)
    for at_ms in range(100):
        ledger.received(Written("call", at_ms, sent=False, text="{}", frame={"type": "userStream.started"}))
    ledger.broken("answered", "none", *(Written("call", at_ms, sent=True, text="", frame=None) for at_ms in range(9)))
    assert times == [0, 1, 2, 3] * 2


def test_there_is_a_fault_for_each_rule_and_a_rule_for_each_complaint_of_the_caller() -> None:
    assert FAULTS.keys() == {rule.name for rule in VAIC_RULES}
    source = "".join(path.read_text() for path in sorted((ROOT / "lab" / "caller").glob("*.py")))
    complaints = set(re.findall(r'\.add\(\s*"(\w+)"', source)) | set(
        re.findall(r'(?:fail|give_up)\("\w+", "(\w+)"', source)
    )
    complaints |= {"chunk_after_stop", "chunk_outside_stream"}
    named = {complaint for rule in VAIC_RULES for complaint in rule.complaints}
    assert complaints - {"not_acknowledged"} == named | NOT_A_RULE


def test_each_rule_names_a_section_of_the_specification() -> None:
    spec = (ROOT / VAIC_SPEC).read_text()
    for section in {rule.section for rule in VAIC_RULES}:
        chapter, _, number = section.partition(".")
        heads = (f"\n### {section} ", f"\n## {section}.", f"\n| {section} |")
        listed = chapter == "11" and f"\n{number}. " in spec.partition("\n## 11.")[2]
        assert listed or any(head in spec for head in heads), section


def test_where_nobody_answers_there_is_nothing_to_grade() -> None:
    async def unreachable() -> None:
        async with bot_server(Fault(""), SPEED) as server:
            url = server.url
        with pytest.raises(Unreachable):
            await probe_bot(ProbeSettings(url=url))

    run_paced(unreachable())
