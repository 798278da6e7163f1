"""WebSocket framing on the hot path: the same messages as the library's own protocol, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from actors.transport.frames import TextFrames
from tests.protocols.wire import library


@settings(max_examples=100)
@given(text=st.one_of(st.text(max_size=200), st.integers(100, 70_000).map("y".__mul__)), masks=st.booleans())
def test_frames_that_we_build_are_read_by_the_library(text: str, masks: bool) -> None:
    peer = library(not masks)
    peer.receive_data(TextFrames(masks).build(text.encode()))
    (frame,) = peer.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, bytes(frame.data), frame.fin) == (Opcode.TEXT, text.encode(), True)


def test_masking_keys_differ_from_frame_to_frame() -> None:
    frames = TextFrames(masks=True)
    keys = {frames.build(b"x")[2:6] for _ in range(3000)}
    assert len(keys) > 2990
