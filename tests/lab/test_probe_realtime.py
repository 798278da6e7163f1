"""`tieline probe --realtime`: the engine gets the full grade, and each rule is seen to be broken once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from lab.probe import ProbeReport, ProbeSettings, Unreachable, probe_realtime
from lab.probe.ledger import RuleVerdict
from lab.probe.realtime import BAD
from lab.probe.rules import REALTIME_EVENTS, REALTIME_RULES, REALTIME_SPEC, ProbeRule
from tests.lab.engine_client import running
from tests.lab.probe_proxy import MINE, Event, ServerFault, Spoilt, adds, changes, drops, spoiling
from tests.lab.probe_reports import assert_broken, assert_full_grade
from tests.paced_loop import run_paced
from tests.protocols.wire import EVENTS

ROOT = Path(__file__).parents[2]
SPEED = 40.0
BRIEF_S = 0.3  # where the fault is that something does not come
ADDED, DONE = "conversation.item.added", "conversation.item.done"
VAD = "input_audio_buffer"


def renamed(event: Event) -> Spoilt:
    return [{**event, "type": event["type"].replace("output_text", "text")}]


def numberless(event: Event) -> Spoilt:
    return [{name: each for name, each in event.items() if name != "event_id"}]


def floods(event: Event) -> Spoilt:
    """Deltas without end."""
    return repeat({**event, "delta": "one " * 50_000}) if event["type"] == "response.output_text.delta" else [event]


def forgets(event: Event) -> Spoilt:
    """An update that does not name the tools loses them."""
    brief = event.get("session", {}).get("instructions") == "Be briefer."
    return [{**event, "session": {**event["session"], "tools": []}} if brief else event]


def never_null(event: Event) -> Spoilt:
    off = event["type"] == "session.updated" and event["session"]["audio"]["input"]["turn_detection"] is None
    return changes("session.updated", "session", "audio", "input", "turn_detection", to={})(event) if off else [event]


def lives_longer(event: Event) -> Spoilt:
    return changes("session.updated", "session", "expires_at", to=1)(event)


def no_object(event: Event) -> Spoilt:
    done = event["type"] == "response.function_call_arguments.done"
    return [{**event, "arguments": "{"} if done else event]


def without(*names: str) -> ServerFault:
    def sends(event: Event) -> Spoilt:
        delta = event["type"].endswith(".delta")
        return [{name: each for name, each in event.items() if name not in names} if delta else event]

    return ServerFault("text", sends)


def silent(rule: str) -> ServerFault:
    """An event at fault gets no error."""
    named = f"bad_{rule.replace(' ', '_')}"

    def sends(event: Event) -> Spoilt:
        own = event["type"] == "error" and event["error"]["event_id"] in (named, None)
        return [] if own else [event]

    return ServerFault("bad", sends, patience_s=BRIEF_S)


def refuses_outputs(event: Event) -> Spoilt:
    output = event.get("item", {}).get("type") == "function_call_output"
    error = {"type": "invalid_request_error", "message": "no", "event_id": event.get("event_id")}
    return [{"type": "error", **MINE, "error": error}] if output else []


def response_of(event: Event) -> str:
    return str(event.get("response_id") or event["response"]["id"])


FAULTS = {
    "connects": ServerFault("formats", upgrades=1),
    "wrong_key": ServerFault("key"),
    "no_flood": ServerFault("text", floods),
    "text_frames": ServerFault("formats", lambda event: [event, b"\0"]),
    "event_ids": ServerFault("formats", numberless),
    "known_events": ServerFault("formats", adds("session.updated", lambda _event: {"type": "session.weather"})),
    "ga_names": ServerFault("text", renamed, patience_s=BRIEF_S),
    "session_created": ServerFault(
        "formats", adds("session.created", lambda _event: {"type": "conversation.created"}, before=True)
    ),
    "session_expires": ServerFault("formats", changes("session.created", "session", "expires_at", to=None)),
    "session_shape": ServerFault("configure", changes("session.updated", "session", "type", to=None)),
    "session_updated": ServerFault("configure", drops("session.updated"), patience_s=BRIEF_S),
    "session_echo": ServerFault("configure", changes("session.updated", "session", "instructions", to="")),
    "session_merge": ServerFault("configure", forgets),
    "session_null": ServerFault("configure", never_null),
    "session_expiry_fixed": ServerFault("configure", lives_longer),
    **{
        f"format {name}": ServerFault(
            "formats", changes("session.updated", "session", "audio", "output", "format", "type", to="audio/opus")
        )
        for name in ("audio/pcm", "audio/pcmu", "audio/pcma")
    },
    "error_shape": ServerFault("bad", changes("error", "error", "message", to=None)),
    "error_event_id": ServerFault("bad", changes("error", "error", "event_id", to=None)),
    "errors_survived": ServerFault("bad", lambda event: [event, 1011] if event["type"] == "error" else [event]),
    **{rule: silent(rule) for rule in BAD},
    "item_added": ServerFault("items", drops(ADDED), patience_s=BRIEF_S),
    "item_id": ServerFault("items", changes(DONE, "item", "id", to="item_other")),
    "item_retrieved": ServerFault("items", drops("conversation.item.retrieved"), patience_s=BRIEF_S),
    "item_deleted": ServerFault("items", drops("conversation.item.deleted"), patience_s=BRIEF_S),
    "buffer_cleared": ServerFault("items", drops(f"{VAD}.cleared"), patience_s=BRIEF_S),
    "response_created": ServerFault("function", drops("response.created"), patience_s=BRIEF_S),
    "response_done": ServerFault("text", adds("response.done", lambda event: event)),
    "response_completed": ServerFault("text", changes("response.done", "response", "status", to="incomplete")),
    "response_order": ServerFault(
        "text", adds("response.content_part.done", lambda event: {**event, "type": "response.content_part.added"})
    ),
    "response_ids": without("item_id"),
    "response_closed": ServerFault(
        "text",
        adds(
            "response.done",
            lambda event: {"type": "response.output_text.delta", "response_id": response_of(event), "delta": "x"},
        ),
    ),
    "response_output": ServerFault("text", changes("response.done", "response", "output", to=[])),
    "response_usage": ServerFault("text", changes("response.done", "response", "usage", to=None)),
    "response_metadata": ServerFault("text", changes("response.done", "response", "metadata", to=None)),
    "second_response": ServerFault("text", drops("error")),
    "out_of_band": ServerFault("text", adds("response.created", lambda _event: {"type": ADDED, "item": {"id": "x"}})),
    "text_only": ServerFault(
        "text", adds("response.output_text.done", lambda event: {**event, "type": "response.output_audio.done"})
    ),
    "text_whole": ServerFault("text", changes("response.output_text.done", "text", to="Something else.")),
    "audio_and_transcript": ServerFault("audio", drops("response.output_audio_transcript.delta")),
    "transcript_whole": ServerFault(
        "audio", changes("response.output_audio_transcript.done", "transcript", to="Something else.")
    ),
    "audio_readable": ServerFault("audio", changes("response.output_audio.delta", "delta", to="AAAA")),
    "function_called": ServerFault("function", drops("response.function_call_arguments.done"), patience_s=BRIEF_S),
    "function_order": ServerFault(
        "function",
        adds(
            "response.function_call_arguments.done",
            lambda event: {**event, "type": "response.function_call_arguments.delta", "delta": ""},
        ),
    ),
    "function_arguments": ServerFault("function", no_object),
    "function_names": ServerFault("function", changes("response.function_call_arguments.done", "name", to=None)),
    "function_output": ServerFault("function", hears=refuses_outputs),
    "cancelled": ServerFault("cancel", changes("response.done", "response", "status", to="completed")),
    "cancel_reason": ServerFault(
        "cancel", changes("response.done", "response", "status_details", "reason", to="turn_detected")
    ),
    "truncated": ServerFault("audio", changes("conversation.item.truncated", "audio_end_ms", to=101)),
    "vad_order": ServerFault("voice", drops(f"{VAD}.speech_stopped")),
    "vad_item": ServerFault("voice", changes(f"{VAD}.committed", "item_id", to="item_other")),
    "vad_offsets": ServerFault("voice", changes(f"{VAD}.speech_started", "audio_start_ms", to=52.0)),
    "vad_answers": ServerFault("voice", drops("response.created"), patience_s=BRIEF_S),
    "vad_silent": ServerFault(
        "listening", adds(f"{VAD}.committed", lambda _event: {"type": "response.created", "response": {"id": "x"}})
    ),
    "vad_interrupts": ServerFault("interrupt", changes("response.done", "response", "status", to="completed")),
    "transcribed": ServerFault(
        "voice", drops("conversation.item.input_audio_transcription.completed"), patience_s=BRIEF_S
    ),
    "manual_turn": ServerFault("listening", drops(f"{VAD}.committed"), patience_s=BRIEF_S),
}


async def graded(fault: ServerFault) -> ProbeReport:
    async with running(SPEED) as engine, spoiling(engine.url, fault) as url:
        return await probe_realtime(
            ProbeSettings(url=url, token="any", scenes=(fault.scene,), patience_s=fault.patience_s, speed=SPEED)
        )


def test_the_engine_gets_the_full_grade() -> None:
    async def whole() -> ProbeReport:
        async with running(SPEED, key="its key") as engine:
            settings = ProbeSettings(url=engine.url, token="its key", patience_s=60, speed=SPEED)
            return await probe_realtime(settings)

    assert_full_grade(run_paced(whole()))


@pytest.mark.parametrize("rule", REALTIME_RULES, ids=lambda rule: rule.name)
def test_each_rule_is_seen_to_be_broken(rule: ProbeRule) -> None:
    report = run_paced(graded(FAULTS[rule.name]))
    assert_broken(report, rule)


def echo(frame: str | bytes) -> list[str | bytes]:
    return [frame]


def nonsense(frame: str | bytes) -> list[str | bytes]:
    if "response.create" not in str(frame) and "session.update" not in str(frame):
        return []
    created = '{"type":"response.created","response":{"id":[]}}'
    done = '{"type":"response.done","response":{"id":[],"status":"completed","output":7}}'
    begun = '{"type":"response.output_item.added","response_id":[],"item":{"id":[]}}'
    return [created, begun, done, '{"type":"session.updated","session":{"tools":7,"audio":[]}}', "[]", b"\xff"]


def nothing(_: str | bytes) -> list[str | bytes]:
    return []


@pytest.mark.parametrize("answers", [echo, nonsense, nothing])
def test_whatever_a_server_sends_it_gets_its_grade(answers: Callable[[str | bytes], list[str | bytes]]) -> None:
    async def talk(socket: ServerConnection) -> None:
        async for frame in socket:
            for each in answers(frame):
                await socket.send(each)

    async def whole() -> ProbeReport:
        async with serve(talk, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            settings = ProbeSettings(url=f"ws://127.0.0.1:{port}/v1/realtime", patience_s=BRIEF_S, speed=SPEED)
            return await probe_realtime(settings)

    verdicts = {finding.rule.name: finding.verdict for finding in run_paced(whole()).findings}
    assert verdicts["session_created"] is RuleVerdict.FAIL


def test_there_is_a_fault_for_each_rule() -> None:
    assert FAULTS.keys() == {rule.name for rule in REALTIME_RULES}


def test_the_events_are_those_of_the_published_interface() -> None:
    assert {each["type"] for each in EVENTS if each["direction"] == "server"} == REALTIME_EVENTS


def test_each_rule_names_a_section_of_the_specification() -> None:
    spec = (ROOT / REALTIME_SPEC).read_text()
    sections = {rule.section for rule in REALTIME_RULES}
    assert {each for each in sections if f"\n### {each} " not in spec and f"\n## {each}." not in spec} == set()


def test_where_nobody_answers_there_is_nothing_to_grade() -> None:
    async def unreachable() -> None:
        with pytest.raises(Unreachable, match="401"):
            async with running(SPEED, key="its key") as engine:
                await probe_realtime(ProbeSettings(url=engine.url))

    run_paced(unreachable())
