"""The play stream and the heard ledger: pacing, barge-in, and how much was heard, to the millisecond."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.frames import Unknown
from protocols.media import KNOWN, LPCM16_24, MULAW, MediaFormat
from protocols.playout import PLAYBACK, Playback, PlaybackEvent, Playout
from protocols.vaic import TO_VAIC, PlayStreamChunk, PlayStreamStart, PlayStreamStop, ToVaic
from protocols.wav import WavHeader, with_header


def playout(media: MediaFormat = LPCM16_24, lead_ms: int = 400) -> Playout:
    return Playout("c-1", media, lead_ms, "p0")


def audio(length_ms: int, media: MediaFormat = LPCM16_24) -> str:
    return b64encode(
        b"\x01\x02\x03\x04\x05\x06"[: media.bytes_per_sample] * (length_ms * media.sample_rate_hz // 1000)
    ).decode()


def read(frames: list[bytes]) -> list[ToVaic]:
    parsed = [TO_VAIC.parse(frame) for frame in frames]
    return [frame for frame in parsed if not isinstance(frame, Unknown)]


def types(frames: list[bytes]) -> list[str]:
    return [frame.type.removeprefix("playStream.") for frame in read(frames)]


def sent_audio(frames: list[bytes]) -> bytes:
    return b"".join(b64decode(frame.audio_chunk) for frame in read(frames) if isinstance(frame, PlayStreamChunk))


def test_the_first_piece_opens_a_stream_and_is_sent_at_once() -> None:
    frames = playout().bot_audio("i-1", audio(20), now_ms=1000)
    assert types(frames) == ["start", "chunk"]


@pytest.mark.parametrize("header", WavHeader)
def test_a_header_stands_where_it_is_wanted_and_takes_no_time(header: WavHeader) -> None:
    wav = KNOWN["wav/lpcm16"]
    plain, out = playout(wav.raw, lead_ms=1000), Playout("c-1", wav, 1000, "p0", header)
    chunks: dict[Playout, list[str]] = {plain: [], out: []}
    for each, found in chunks.items():
        for item in ("i-1", "i-2"):
            frames = [*each.bot_audio(item, audio(250, wav), now_ms=0), *each.item_done(item, now_ms=0)]
            assert [frame.media_format for frame in read(frames) if isinstance(frame, PlayStreamStart)] == [
                each._media.name
            ]
            found += [frame.audio_chunk for frame in read(frames) if isinstance(frame, PlayStreamChunk)]
        assert each.next_due_ms() == 250, "the end of the first"
    heads = {
        WavHeader.STREAM: (True, False, False) * 2,
        WavHeader.CHUNK: (True,) * 6,
        WavHeader.NONE: (False,) * 6,
    }
    assert len(chunks[out]) == len(heads[header]) == 6
    whole = header is WavHeader.CHUNK
    for sent, raw, headed in zip(chunks[out], chunks[plain], heads[header], strict=True):
        assert sent == (with_header(raw, wav, whole=whole) if headed else raw)


def test_a_raw_format_has_no_header() -> None:
    out = Playout("c-1", KNOWN["raw/lpcm16"], 400, "p0", WavHeader.CHUNK)
    assert sent_audio(out.bot_audio("i-1", audio(20), now_ms=0)) == b64decode(audio(20))


def test_the_play_stream_runs_ahead_by_the_lead_and_no_more() -> None:
    out = playout(lead_ms=400)
    frames = out.bot_audio("i-1", audio(2000), now_ms=0)
    assert types(frames) == ["start"] + ["chunk"] * 4
    assert out.due(now_ms=99) == []
    assert out.next_due_ms() == 100
    assert types(out.due(now_ms=100)) == ["chunk"]
    assert types(out.due(now_ms=300)) == ["chunk", "chunk"]


def test_a_piece_that_is_longer_than_the_lead_is_sent_when_there_is_nothing_left_to_play() -> None:
    out = playout(lead_ms=50)
    assert types(out.bot_audio("i-1", audio(200), now_ms=0)) == ["start", "chunk"]
    assert out.next_due_ms() == 100
    assert types(out.due(now_ms=100)) == ["chunk"]


def test_the_stream_is_stopped_when_the_last_of_the_item_was_sent_and_heard_later() -> None:
    out = playout()
    out.bot_audio("i-1", audio(300), now_ms=0)
    assert types(out.item_done("i-1", now_ms=10)) == ["stop"]
    assert out.quiet
    assert out.pop_finished(now_ms=299) == []
    assert out.next_due_ms() == 300
    (heard,) = out.pop_finished(now_ms=300)
    assert (heard.item_id, heard.heard_ms, heard.began_ms, heard.complete) == ("i-1", 300, 0, True)
    assert out.next_due_ms() is None


def test_two_items_are_played_in_two_streams() -> None:
    out = playout(lead_ms=1000)
    frames = out.bot_audio("i-1", audio(100), now_ms=0) + out.item_done("i-1", now_ms=0)
    frames += out.bot_audio("i-2", audio(100), now_ms=0) + out.item_done("i-2", now_ms=0)
    assert types(frames) == ["start", "chunk", "stop", "start", "chunk", "stop"]
    of = [
        (frame.conversation_id, frame.stream_id)
        for frame in read(frames)
        if isinstance(frame, PlayStreamStart | PlayStreamChunk | PlayStreamStop)
    ]
    assert of == [("c-1", "p0-1")] * 3 + [("c-1", "p0-2")] * 3
    assert [(item.item_id, item.began_ms) for item in out.pop_finished(now_ms=200)] == [("i-1", 0), ("i-2", 100)]


def test_barge_in_stops_the_stream_and_returns_what_was_heard() -> None:
    out = playout()
    out.bot_audio("i-1", audio(2000), now_ms=0)
    frames, cut = out.cut(now_ms=150)
    assert types(frames) == ["stop"]
    assert [(item.item_id, item.heard_ms, item.complete) for item in cut] == [("i-1", 150, False)]
    assert out.due(now_ms=5000) == []


def test_a_cut_after_everything_was_sent_needs_no_frame_but_returns_what_was_heard() -> None:
    out = playout()
    out.bot_audio("i-1", audio(300), now_ms=0)
    out.item_done("i-1", now_ms=0)
    frames, cut = out.cut(now_ms=120)
    assert frames == []
    assert [(item.heard_ms, item.generated_ms, item.complete) for item in cut] == [(120, 300, False)]


def test_items_after_the_one_that_was_cut_were_not_heard() -> None:
    out = playout()
    out.bot_audio("i-1", audio(1000), now_ms=0)
    out.item_done("i-1", now_ms=0)
    out.bot_audio("i-2", audio(1000), now_ms=0)
    out.due(now_ms=300)
    _, cut = out.cut(now_ms=500)
    assert [(item.item_id, item.heard_ms, item.began_ms) for item in cut] == [("i-1", 500, 0), ("i-2", 0, None)]


def test_a_pause_of_the_model_is_not_counted_as_heard() -> None:
    out = playout()
    out.bot_audio("i-1", audio(100), now_ms=0)
    out.bot_audio("i-1", audio(100), now_ms=5000)
    _, cut = out.cut(now_ms=5050)
    assert cut[0].heard_ms == 150


def test_after_a_cut_the_next_item_begins_at_once_in_a_new_stream() -> None:
    out = playout()
    out.bot_audio("i-1", audio(2000), now_ms=0)
    out.cut(now_ms=100)
    frames = out.bot_audio("i-2", audio(20), now_ms=200)
    assert types(frames) == ["start", "chunk"]
    start = read(frames)[0]
    assert isinstance(start, PlayStreamStart)
    assert start.stream_id == "p0-2"


def test_an_item_without_sound_opens_no_stream() -> None:
    out = playout()
    assert out.item_done("i-1", now_ms=0) == []
    assert out.bot_audio("i-2", "", now_ms=0) == []
    assert out.quiet


@settings(max_examples=200)
@given(
    lengths=st.lists(st.integers(1, 700), min_size=1, max_size=8),
    steps=st.lists(st.integers(0, 400), min_size=1, max_size=40),
    media=st.sampled_from([LPCM16_24, MULAW]),
)
def test_every_byte_is_sent_once_in_order_and_never_too_far_ahead(
    lengths: list[int], steps: list[int], media: MediaFormat
) -> None:
    out, now_ms = playout(media), 0.0
    frames: list[bytes] = []
    original = b"".join(b64decode(audio(length, media)) for length in lengths)
    for index, length in enumerate(lengths):
        frames += out.bot_audio("i", audio(length, media), now_ms)
        now_ms += steps[index % len(steps)]
        frames += out.due(now_ms)
        assert len(sent_audio(frames)) / media.bytes_per_ms <= now_ms + 400 + 1
    frames += out.item_done("i", now_ms)
    while not out.quiet:
        due_ms = out.next_due_ms()
        assert due_ms is not None
        now_ms = max(now_ms, due_ms)
        frames += out.due(now_ms)
    assert sent_audio(frames) == original
    assert types(frames)[0] == "start"
    assert types(frames).count("start") == types(frames).count("stop") == 1
    (heard,) = out.pop_finished(now_ms + 2000)
    assert heard.complete
    assert heard.heard_ms == int(len(original) / media.bytes_per_ms)


# --- what VAIC has confirmed ---


def streaming(out: Playout) -> None:
    out.bot_audio("i-1", audio(100), now_ms=0)


def stopped(out: Playout) -> None:
    """Sent, and heard by our clock."""
    streaming(out)
    out.item_done("i-1", now_ms=0)
    out.pop_finished(now_ms=100)


def confirmed(out: Playout) -> None:
    stopped(out)
    out.play_finished()


def waiting(out: Playout) -> None:
    """Sent up to the lead; the rest waits in the queue, and so does the end of the item."""
    out.bot_audio("i-1", audio(1000), now_ms=0)
    out.item_done("i-1", now_ms=0)


REACH = {Playback.CONFIRMED: confirmed, Playback.STREAMING: streaming, Playback.UNCONFIRMED: stopped}
# What brings the event about, and what can be seen of it: the frames, or whether VAIC's word counts for everything.
INJECT: dict[PlaybackEvent, Callable[[Playout], object]] = {
    PlaybackEvent.STARTED: lambda out: types(out.bot_audio("i-2", audio(100), now_ms=200)),
    PlaybackEvent.STOPPED: lambda out: types(out.cut(now_ms=200)[0]),
    PlaybackEvent.PLAYED: lambda out: out.play_finished(),
}
SEEN = {PlaybackEvent.STARTED: ["start", "chunk"], PlaybackEvent.STOPPED: ["stop"], PlaybackEvent.PLAYED: True}


@pytest.mark.parametrize(("state", "event"), PLAYBACK.pairs, ids=lambda member: member.name)
def test_every_pair_of_the_playback_does_what_the_table_says(state: Playback, event: PlaybackEvent) -> None:
    out = playout()
    REACH[state](out)
    if event is PlaybackEvent.PLAYED_MORE_WAITS:
        if state is not Playback.STREAMING:
            # VAIC is still busy by our clock, so that the next item waits.
            out.bot_audio("i-2", audio(400), now_ms=200)
            out.item_done("i-2", now_ms=200)
            out.bot_audio("i-3", audio(400), now_ms=200)
        assert not out.play_finished()
        out.cut(now_ms=700)
        assert out.unconfirmed
        return
    seen = INJECT[event](out)
    if (state, event) in PLAYBACK.never:
        assert seen != SEEN[event]
        return
    assert seen == SEEN[event]
    target, _ = PLAYBACK.step(state, event)
    if event is PlaybackEvent.STARTED:
        out.cut(now_ms=300)  # closes the stream: what VAIC has got of it was not confirmed
        assert out.unconfirmed
    else:
        assert out.unconfirmed == (target is Playback.UNCONFIRMED)


def test_what_vaic_says_of_an_earlier_stream_confirms_nothing_of_an_open_one() -> None:
    out = playout()
    waiting(out)
    unconfirmed = [out.unconfirmed]  # not yet: there is more to send
    confirms = [out.play_finished()]
    out.cut(now_ms=50)
    unconfirmed.append(out.unconfirmed)
    confirms.append(out.play_finished())
    unconfirmed.append(out.unconfirmed)
    assert (unconfirmed, confirms) == ([False, True, False], [False, True])


def test_the_end_of_an_item_takes_no_time() -> None:
    out = playout()
    out.bot_audio("i-1", audio(500), now_ms=0)
    out.item_done("i-1", now_ms=0)
    out.due(now_ms=100)
    assert out.next_due_ms() == 500, "nothing waits to be sent"
    assert [item.item_id for item in out.pop_finished(now_ms=500)] == ["i-1"]


def test_a_stream_whose_audio_waits_to_be_sent_is_not_looked_at_again_before_it_may_starve() -> None:
    out = playout()
    out.bot_audio("i-1", audio(2000), now_ms=0)
    assert [out.starves_in_ms(now_ms) for now_ms in (0, 9000)] == [1000, 1000]


def test_a_stream_that_gets_no_audio_is_stopped_and_what_comes_later_opens_another() -> None:
    out = playout()
    out.bot_audio("i-1", audio(100), now_ms=0)
    assert [out.starves(now_ms) for now_ms in (100, 1099, 1100)] == [False, False, True]
    assert [out.starves_in_ms(now_ms) for now_ms in (0, 100, 1099, 1200)] == [1100, 1000, 1, 0]
    assert types(out.pause()) == ["stop"]
    assert not out.streaming
    assert not out.starves(9000)
    assert types(out.bot_audio("i-1", audio(100), now_ms=9000)) == ["start", "chunk"]
    out.item_done("i-1", now_ms=9000)
    (heard,) = out.pop_finished(9100)
    assert (heard.heard_ms, heard.complete) == (200, True)


def test_an_item_that_the_model_did_not_finish_is_not_complete() -> None:
    out = playout()
    out.bot_audio("i-1", audio(100), now_ms=0)
    out.item_done("i-1", now_ms=0, cut_off=True)
    (heard,) = out.pop_finished(100)
    assert (heard.heard_ms, heard.complete) == (100, False)


def test_what_waits_to_be_sent_is_known() -> None:
    out = playout(lead_ms=400)
    out.bot_audio("i-1", audio(2000), now_ms=0)
    assert out.waiting_ms == 1600
    out.due(now_ms=300)
    assert out.waiting_ms == 1300
    out.cut(now_ms=300)
    assert out.waiting_ms == 0


def test_audio_behind_what_waits_is_sent_after_it() -> None:
    out = playout(lead_ms=400)
    out.bot_audio("i-1", audio(500), now_ms=0)
    assert out.waiting_ms == 100
    # Late: both pieces are due by now, and neither passes the other.
    frames = out.bot_audio("i-1", audio(60), now_ms=300)
    assert [len(sent_audio([each])) for each in frames] == [4800, 2880]
    assert out.waiting_ms == 0
