"""What a trace tells of a call: which span is below which, when, and what is never told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.traces import names
from gateway.traces.spans import Trace, TraceSpan, trace_of
from http_tools.trace_context import CALL, TraceIds
from http_tools.trace_context import EFFECT as OF_EFFECT
from store.figures import STAGES
from tests.gateway.traces.journals import CALLER, EFFECT, KEY, TALK, entries, moment, record_of

IDS = TraceIds("a key")


def trace(*effects: Any, **more: Any) -> Trace:
    journal = entries()
    return trace_of(record_of(journal), journal, effects or (EFFECT,), ids=IDS, provider="openai", **more)


def below(spans: tuple[TraceSpan, ...], parent: int | None = None, depth: int = 0) -> list[str]:
    lines = []
    for span in sorted((each for each in spans if each.parent_id == parent), key=lambda each: (each.began, each.ended)):
        lines.append("  " * depth + span.name)
        lines += below(spans, span.span_id, depth + 1)
    return lines


def one(spans: tuple[TraceSpan, ...], name: str, number: int = 0) -> TraceSpan:
    return [each for each in spans if each.name == name][number]


def test_each_turn_has_what_it_led_to_and_an_effect_is_below_its_function_call() -> None:
    spans = trace().spans
    assert below(spans) == [
        "call linden",
        "  invoke_agent linden",
        "    chat gpt-realtime",
        "    bot speech",
        "  invoke_agent linden",
        "    caller speech",
        "    chat gpt-realtime",
        "    execute_tool callback",
        "      effect crm.callback",
        "    chat gpt-realtime",
        "    bot speech",
        "  invoke_agent linden",
        "    caller speech",
        "    chat gpt-realtime",
        "    execute_tool price",
    ]
    assert len({each.span_id for each in spans}) == len(spans)
    by_id = {each.span_id: each for each in spans}
    for span in spans:
        assert span.began <= span.ended
        if span.parent_id is not None:
            parent = by_id[span.parent_id]
            assert parent.began <= span.began
            assert span.ended <= parent.ended


def test_times_are_those_of_the_ear_and_of_the_journal() -> None:
    spans = trace().spans
    call = one(spans, "call linden")
    assert (call.began, call.ended) == (moment(0), moment(20))
    speech = one(spans, "caller speech")
    assert (speech.began, speech.ended) == (moment(4), moment(5.5))
    inference = one(spans, "chat gpt-realtime", 2)
    assert (inference.began, inference.ended) == (moment(7.45), moment(9.0))
    assert inference.attributes[names.FIRST_CHUNK_S] == 1.15
    heard = one(spans, "bot speech", 1)
    assert (heard.began, heard.ended) == (moment(8.9), moment(9.8))
    effect = one(spans, "effect crm.callback")
    assert (effect.began, effect.ended) == (moment(6.8), moment(7.3))
    turn = one(spans, "invoke_agent linden", 1)
    assert turn.attributes[names.ANSWER_MS] == 3400
    stages = {stage: turn.attributes[names.stage_ms(stage)] for stage in STAGES}
    assert stages == {"endpointing": 500, "ours": 100, "model": 1750, "tool": 800, "playout": 250}


def test_tokens_are_counted_as_the_conventions_have_them() -> None:
    attributes = one(trace().spans, "chat gpt-realtime", 1).attributes
    told = {name: value for name, value in attributes.items() if name.startswith("gen_ai.usage.")}
    assert told == {
        "gen_ai.usage.input_tokens": 440,
        "gen_ai.usage.audio.input_tokens": 140,
        "gen_ai.usage.text.input_tokens": 300,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.audio.cache_read.input_tokens": 40,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.usage.audio.output_tokens": 60,
        "gen_ai.usage.text.output_tokens": 20,
    }
    assert (attributes[names.PROVIDER], attributes[names.COST_USD]) == ("openai", 0.01)


def test_what_failed_is_an_error_with_its_cause() -> None:
    spans = trace(replace(EFFECT, status="unclear")).spans
    failed = {each.name: each.error for each in spans if each.error}
    assert failed == {
        "call linden": "model: ConnectionRefusedError",
        "chat gpt-realtime": "the response failed",
        "execute_tool price": "bad_value",
        "effect crm.callback": "unclear",
    }
    call = one(spans, "call linden")
    assert call.attributes[names.OUTCOME] == "failed"
    assert [each.name for each in call.events] == [
        "model dialled", "released", "taken over", "resumed", "model lost", "store away", "store back", "error"
    ]  # fmt: skip


def test_an_effect_and_a_function_call_without_an_end_last_as_long_as_the_call() -> None:
    rows = tuple(each for each in TALK if getattr(each[1], "call", "") != "k-1" or each[1].kind == "called")
    journal = entries(rows)
    asked = replace(EFFECT, status="intended", settled_at=moment(9))
    spans = trace_of(record_of(journal), journal, (asked,), ids=IDS, provider="openai").spans
    call = one(spans, "execute_tool callback")
    assert (call.ended, call.error) == (moment(20), "never answered")
    assert one(spans, "effect crm.callback").ended == moment(20)


def test_no_words_are_told_unless_they_are_wanted_and_no_number_ever() -> None:
    told = repr(trace())
    for word in ("Hello", "call you", "billing", "555010", "555 0110"):
        assert word not in told
    spans = trace(words=True).spans
    caller, bot = one(spans, "caller speech"), one(spans, "bot speech")
    assert caller.attributes[names.INPUT_WORDS] == (
        '[{"role": "user", "parts": [{"type": "text", "content": "Call +49…10 or 030…10 on 2026-11-24."}]}]'
    )
    assert "Hello, this is Linden." in str(bot.attributes[names.OUTPUT_WORDS])
    tool = one(spans, "execute_tool callback").attributes
    assert (tool[names.ARGUMENTS], tool[names.RESULT]) == ('{"topic": "billing"}', '{"say": "We will call you."}')
    assert "555010" not in repr(spans)
    assert one(spans, "call linden").attributes[names.CALLER] == "+49…10"
    without = {name for each in trace().spans for name in each.attributes}
    assert {name for each in spans for name in each.attributes} - without == names.WORDS


def test_a_trace_made_again_is_the_same_and_its_ids_are_those_that_tools_have_sent() -> None:
    assert trace() == trace()
    made = trace()
    ids = {each.name: each.span_id for each in made.spans}
    version, trace_id, call_id, _ = IDS.traceparent(KEY, CALL).split("-")
    assert (version, int(trace_id, 16), int(call_id, 16)) == ("00", made.trace_id, ids["call linden"])
    sent = IDS.traceparent(KEY, OF_EFFECT, EFFECT.key).split("-")
    assert int(sent[2], 16) == ids["effect crm.callback"]
    assert TraceIds("another key").trace(KEY) != made.trace_id
    assert IDS.trace("c-2") != made.trace_id


def test_a_call_without_anything_is_one_span() -> None:
    journal = entries((TALK[0], (3.0, TALK[-1][1])))
    (span,) = trace_of(record_of(journal), journal, ids=IDS, provider="openai").spans
    assert (span.name, span.parent_id, span.error) == ("call linden", None, "failed")
    assert CALLER not in repr(span)
