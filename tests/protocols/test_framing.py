"""WebSocket frames out of a byte stream: the same messages as the library's own protocol, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.transport.frames import TextFrames
from protocols.framing import FrameReader
from tests.protocols.wire import library

LIMIT = 1_000_000


def read(reader: FrameReader, data: bytes) -> list[tuple[bool, bytes]]:
    return list(reader.feed(data))


@settings(max_examples=200)
@given(
    texts=st.lists(st.one_of(st.text(max_size=300), st.integers(120, 70_000).map("x".__mul__)), max_size=5),
    cuts=st.lists(st.integers(1, 2000), min_size=1, max_size=20),
    masks=st.booleans(),
)
def test_texts_arrive_whole_and_in_order_however_the_bytes_are_split(
    texts: list[str], cuts: list[int], masks: bool
) -> None:
    peer = library(masks)
    for text in texts:
        peer.send_text(text.encode())
    stream = b"".join(peer.data_to_send())
    reader, got, at, turn = FrameReader(masks, LIMIT), [], 0, 0
    while at < len(stream):
        got += read(reader, stream[at : at + cuts[turn % len(cuts)]])
        at += cuts[turn % len(cuts)]
        turn += 1
    assert got == [(True, text.encode()) for text in texts]


def test_other_frames_are_passed_unchanged_to_the_library() -> None:
    peer = library(masks=True)
    peer.send_ping(b"are you there")
    peer.send_text(b"part one, ", fin=False)
    peer.send_continuation(b"part two", fin=True)
    peer.send_binary(b"\x00\x01")
    raw = peer.data_to_send()
    reader = FrameReader(masked=True, max_bytes=LIMIT)
    assert read(reader, b"".join(raw)) == [(False, frame) for frame in raw]


def test_inside_a_fragmented_message_no_frame_is_a_whole_text() -> None:
    peer = library(masks=True)
    peer.send_text(b"x")
    (raw,) = peer.data_to_send()
    reader = FrameReader(masked=True, max_bytes=LIMIT)
    reader.in_message = True
    assert read(reader, raw) == [(False, raw)]


def test_a_frame_with_the_wrong_masking_is_left_to_the_library() -> None:
    for masked in (True, False):
        peer = library(masks=not masked)
        peer.send_text(b"x")
        (raw,) = peer.data_to_send()
        assert read(FrameReader(masked=masked, max_bytes=LIMIT), raw) == [(False, raw)]


def test_a_frame_that_is_too_long_is_refused_at_its_header_and_not_buffered() -> None:
    raw = TextFrames(masks=False).build(b"x" * 2000)
    reader = FrameReader(masked=False, max_bytes=1999)
    assert read(reader, raw[:10]) == [(False, raw[:10])]
    assert read(FrameReader(masked=False, max_bytes=2000), raw) == [(True, b"x" * 2000)]


# --- one message and nothing else ---


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize(
    ("size", "whole"),
    [(1, False), (121, False), (125, False), (126, True), (2000, True), (65_535, True), (65_536, False)],
)
def test_data_that_is_one_message_of_usual_length_is_taken_at_once(masks: bool, size: int, whole: bool) -> None:
    peer = library(masks)
    peer.send_text(b"x" * size)
    data = b"".join(peer.data_to_send())
    assert FrameReader(masks, LIMIT).whole(data) == (b"x" * size if whole else None)


def test_data_that_is_anything_else_is_to_be_fed() -> None:
    peer = library(masks=True)
    peer.send_text(b"x" * 200)
    message = b"".join(peer.data_to_send())
    peer.send_binary(b"x" * 200)
    binary = b"".join(peer.data_to_send())
    unmasked = library(masks=False)
    unmasked.send_text(b"x" * 200)
    for data in (message[:-1], message + b"\x00", message + message, binary, *unmasked.data_to_send()):
        assert FrameReader(masked=True, max_bytes=LIMIT).whole(data) is None
    assert FrameReader(masked=True, max_bytes=199).whole(message) is None
    assert FrameReader(masked=True, max_bytes=200).whole(message) == b"x" * 200


def test_behind_a_begun_frame_or_inside_a_message_nothing_is_taken_at_once() -> None:
    peer = library(masks=True)
    peer.send_text(b"x" * 200)
    (message,) = peer.data_to_send()
    begun, inside = FrameReader(masked=True, max_bytes=LIMIT), FrameReader(masked=True, max_bytes=LIMIT)
    read(begun, message[:3])
    inside.in_message = True
    assert begun.whole(message) is None
    assert inside.whole(message) is None


@given(counts=st.lists(st.integers(1, 4), min_size=30, max_size=30), at=st.integers(0, 100))
def test_a_limited_feed_leaves_the_rest_for_the_next_one(counts: list[int], at: int) -> None:
    peer = library(masks=True)
    for number in range(20):
        peer.send_text(b"%d" % number)
    stream = b"".join(peer.data_to_send())
    reader, got = FrameReader(masked=True, max_bytes=LIMIT), []
    reader.keep(stream[:at])
    fed, turn = stream[at:], 0
    while reader.more or fed:
        taken = list(reader.feed(fed, counts[turn]))
        assert len(taken) <= counts[turn]
        got += taken
        fed, turn = b"", turn + 1
    assert got == [(True, b"%d" % number) for number in range(20)]
