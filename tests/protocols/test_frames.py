"""Both wire languages: what is read, what is refused, what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import WireError
from protocols.frames import MOST_VALUES, SIMPLE_BYTES, FrameTemplate, Unknown
from protocols.realtime.client_events import InputAudioBufferClear
from protocols.realtime.server_events import SERVER_EVENTS
from protocols.vaic import (
    FROM_VAIC,
    Activities,
    PlayStreamChunk,
    SessionInitiate,
    UserStreamChunk,
    UserStreamStop,
)


def test_unknown_types_and_fields_of_the_peer_are_tolerated() -> None:
    assert SERVER_EVENTS.parse('{"type":"response.telepathy.delta"}') == Unknown("response.telepathy.delta")
    assert FROM_VAIC.parse('{"type":"session.dance"}') == Unknown("session.dance")
    grown = FROM_VAIC.parse('{"type":"session.initiate","conversationId":"c-1","mood":"good"}')
    assert grown == SessionInitiate(conversation_id="c-1")


@pytest.mark.parametrize("odd", [r"\u0000", r"\ud800", r"\uDFFF"])
def test_what_no_store_can_hold_is_replaced_as_it_is_read(odd: str) -> None:
    frame = '{"type":"session.initiate","conversationId":"c-1","botName":"' + odd + r'\u00e4 \\u0000"}'
    read = SessionInitiate(conversation_id="c-1", bot_name="\ufffdä \\u0000")
    assert FROM_VAIC.parse(frame) == FROM_VAIC.parse(frame.encode()) == read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not_json"),
        ("", "not_json"),
        ("hello", "not_json"),
        (b"hello", "not_json"),
        (b"\xff\xfe\x00", "not_utf8"),
        (b'{"type":"userStream.chunk","audioChunk":"\xc3\x28"}', "not_utf8"),
        (b'{"type":"session.dance","nobody reads":"\xed\xa0\x80"}', "not_utf8"),
        (b'{"type":"session.dance"} \xff', "not_utf8"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ("7", "not_an_object"),
        ("{}", "no_type"),
        ('{"type":"userStream.chunk"}', "bad_fields"),
        ('{"type":"session.initiate","conversationId":""}', "bad_fields"),
        ('{"type":"session.initiate","conversationId":7}', "bad_fields"),
        ('{"type":"activities","activities":"start"}', "bad_fields"),
    ],
)
def test_an_unusable_frame_raises_a_named_error(text: str | bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        FROM_VAIC.parse(text)
    assert caught.value.reason == reason


def test_an_error_names_the_field_and_never_repeats_the_value() -> None:
    with pytest.raises(WireError) as caught:
        FROM_VAIC.parse('{"type":"userStream.chunk","audioChunk":["4111 1111 1111 1111"]}')
    assert "audioChunk" in str(caught.value)
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud83d", r"\uDE00"])
def test_a_long_frame_of_escapes_that_no_store_can_hold_is_refused(escape: str) -> None:
    assert FROM_VAIC.parse('{"type":"no.such","a":"' + escape * MOST_VALUES + '"}') == Unknown("no.such")
    with pytest.raises(WireError) as refused:
        FROM_VAIC.parse('{"type":"no.such","a":"' + escape * (MOST_VALUES + 1) + '"}')
    assert refused.value.reason == "too_many_values"
    assert FROM_VAIC.parse('{"type":"no.such","a":"' + escape + "a" * SIMPLE_BYTES + '"}') == Unknown("no.such")


def test_a_frame_is_written_with_its_type_first_and_what_was_set() -> None:
    assert SessionInitiate(conversation_id="c-1").to_wire() == b'{"type":"session.initiate","conversationId":"c-1"}'
    assert InputAudioBufferClear().to_wire() == b'{"type":"input_audio_buffer.clear"}'


@given(text=st.text(), fixed=st.text(min_size=1))
def test_a_template_writes_what_the_frame_itself_would(text: str, fixed: str) -> None:
    names = {"conversation_id": fixed, "stream_id": '""}'}
    frame = PlayStreamChunk(audio_chunk=text, **names)
    assert FrameTemplate(PlayStreamChunk, "audio_chunk", **names).fill(text) == frame.to_wire()


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    first, last = '"type":"session.end","audioChunk":"AAAA"', '"type":"userStream.chunk","audioChunk":"BBBB"'
    twice = f'{{"conversationId":"c-1",{first},{last}}}'
    assert FROM_VAIC.parse(twice) == UserStreamChunk(conversation_id="c-1", audio_chunk="BBBB")


@pytest.mark.parametrize(
    "number",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "1" * 400, "1" * 4301, "-" + "1" * 4301),
        *("1" * 5000 + ".5E+3", "1." + "5" * 9000, "1e" + "1" * 5000, "[1," + "1" * 5000 + "]"),
    ],
)  # fmt: skip
def test_a_number_that_is_none_takes_its_own_field_at_most(number: str) -> None:
    event = f'{{"type":"event","name":"DTMF","value":{number},"id":{number},"delay":{number}}}'
    frame = f'{{"type":"activities","conversationId":"c-1","nobody reads":{number},"activities":[{event}]}}'
    for sent in (frame, frame.encode()):
        read = FROM_VAIC.parse(sent)
        assert isinstance(read, Activities)
        assert (read.conversation_id, read.activities[0].event) == ("c-1", "dtmf")
        assert read.activities[0].id in ("", number)


def test_a_byte_order_mark_before_a_frame_is_ignored_and_two_are_no_json() -> None:
    frame, begins = '{"type":"userStream.stop","conversationId":"c-1"}', "\ufeff"
    for sent in (begins + frame, (begins + frame).encode()):
        assert FROM_VAIC.parse(sent) == UserStreamStop(conversation_id="c-1")
    for bad in (begins * 2 + frame, begins, frame + begins):
        with pytest.raises(WireError, match="not_json"):
            FROM_VAIC.parse(bad)


def test_a_number_of_endless_digits_is_told_and_what_is_no_json_besides_it_stays_that() -> None:
    told: list[str] = []
    endless = "1" * 5000
    FROM_VAIC.parse(f'{{"type":"userStream.stop","n":[{endless}, -{endless}]}}', lambda error: told.append(str(error)))
    assert told == ["bad_fields: a number of too many digits"]
    for bad in (f'{{"type":"userStream.stop","n":{endless}', f'{{"type":"userStream.stop","n":{endless}x}}', endless):
        with pytest.raises(WireError, match="not_json"):
            FROM_VAIC.parse(bad)


def test_what_is_nested_deeper_than_a_reader_goes_is_no_json_and_anything_less_is_read() -> None:
    def nested(depth: int) -> str:
        return '{"type":"no.such","a":' + "[" * depth + "]" * depth + "}"

    assert FROM_VAIC.parse(nested(100)) == Unknown("no.such")
    for depth in (300, 8000, 500_000):
        with pytest.raises(WireError, match=r"not_json|too_many_values"):
            FROM_VAIC.parse(nested(depth))


def test_a_long_frame_of_many_values_is_refused_before_it_is_read_and_one_long_text_is_read() -> None:
    values = b'{"type":"no.such","a":[' + b"[]," * MOST_VALUES + b"[]]}"
    with pytest.raises(WireError) as refused:
        FROM_VAIC.parse(values + b" " * SIMPLE_BYTES)
    assert refused.value.reason == "too_many_values"
    short = b'{"type":"no.such","a":[' + b"[]," * (SIMPLE_BYTES // 4) + b"[]]}"
    assert FROM_VAIC.parse(short) == Unknown("no.such")
    nested = b'{"type":"no.such","a":' + b'{"a":' * 20 + b"1" + b"}" * 21
    assert FROM_VAIC.parse(nested + b" " * SIMPLE_BYTES) == Unknown("no.such")
    long = b'{"type":"userStream.chunk","audioChunk":"' + b"A" * 10 * SIMPLE_BYTES + b'"}'
    assert isinstance(FROM_VAIC.parse(long), UserStreamChunk)
