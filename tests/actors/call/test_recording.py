"""Recordings of a call by message injection: to the sample what was said and heard, and nothing before it may be."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.bots import RecordingMode
from actors.call.recording import BLOCK_S, RECORDING, RecordingEvent, RecordingState
from actors.clips import Clip
from actors.messages.call import EndCall, MoveCall, Parked
from actors.messages.journal import CallOpening, Park, ResumeState
from actors.messages.journal_rows import JournalEntry, RecordingRow
from actors.messages.recording import MOST_WAITING, RecordingQueue
from protocols.activities import Offered
from protocols.media import KNOWN, LPCM16_24, MediaFormat, linear, model_format
from protocols.wav import audio_at, with_header
from recordings.facts import SpoolBlock
from store.journal import RecordingStep
from tests.actors.calls import PROFILE, Call, WaitingDispatcher, rows_of
from tests.counted import counted
from tests.probe import Probe
from tests.recordings.kept import Kept, kept

NOTICE = "This call is recorded. Is that all right?"
RNG = np.random.default_rng(3)


def noise(ms: int, media: MediaFormat = LPCM16_24) -> bytes:
    """Of a format, such that each 20 ms are like no other."""
    return RNG.integers(0, 256, media.bytes_per_ms * ms).astype(np.uint8).tobytes()


RECORDING_ACTIVITIES: tuple[Offered, ...] = (
    "start_call_recording", "stop_call_recording", "pause_call_recording", "resume_call_recording"
)  # fmt: skip


class Recorded(Call):
    """A call whose bot has it recorded, with a probe in place of the writer."""

    def __init__(
        self,
        mailboxes: WaitingDispatcher,
        mode: RecordingMode = RecordingMode.ALWAYS,
        media: MediaFormat = LPCM16_24,
        left: tuple[JournalEntry, ...] = (),
        text: bool = False,
        most: int = MOST_WAITING,
    ) -> None:
        self.writer = Probe[SpoolBlock]("writer")
        self.functions = 0  # that the model has called
        self.format = media
        self.queue = RecordingQueue(self.writer, kept=True, most=most)
        profile = replace(PROFILE, recording=mode, no_input_s=1e6, model_may=RECORDING_ACTIVITIES)
        if mode is not RecordingMode.ALWAYS:
            profile = replace(profile, disclosure=NOTICE, greeting=f"{NOTICE} Hello.")
        super().__init__(
            mailboxes,
            media=media,
            profile=profile,
            text=text,
            resume_state=ResumeState(CallOpening(), left, frozenset()) if left else None,
            recordings=self.queue,
        )

    def begun(self) -> Recorded:
        """VAIC has started the call, and the model is ready."""
        self.starts()
        self.model_is_ready()
        return self

    def hears_caller(self, audio: bytes, chunk_ms: int = 20) -> None:
        """The caller says this, in real time."""
        size = self.format.bytes_per_ms * chunk_ms
        for at in range(0, len(audio), size):
            self.mailboxes.advance(chunk_ms)
            self.vaic("userStream.chunk", audioChunk=b64encode(audio[at : at + size]).decode())

    def speaks(self, audio: bytes, item: str = "i-bot", words: str = "", chunk_ms: int = 100) -> None:
        """The model says this, all at once. audio: in its own format."""
        part = {"response_id": f"r-{item}", "item_id": item, "output_index": 0, "content_index": 0}
        self.event("response.created", response={"id": f"r-{item}", "status": "in_progress"})
        size = model_format(self.format).bytes_per_ms * chunk_ms
        for at in range(0, len(audio), size):
            self.event("response.output_audio.delta", **part, delta=b64encode(audio[at : at + size]).decode())
        self.event("response.output_audio.done", **part)
        self.event("response.output_audio_transcript.done", **part, transcript=words or item)
        self.event("response.done", response={"id": f"r-{item}", "status": "completed", "usage": {}})

    def was_sent(self) -> bytes:
        """What VAIC was sent to play, without headers."""
        sent = [b64decode(frame["audioChunk"]) for frame in self.wire.all("playStream.chunk")]
        return b"".join(each[audio_at(each, self.format) or 0 :] if self.format.wav else each for each in sent)

    def kept(self, folder: Path) -> Kept:
        return kept(self.writer.arrived, folder)

    def steps(self) -> list[str]:
        return [each.what for each in self.describe().recording]


def samples(audio: bytes, media: MediaFormat) -> np.ndarray:
    return np.frombuffer(audio, "<i2") if media.is_pcm else linear(audio)


@pytest.mark.parametrize("media", KNOWN.values(), ids=lambda media: media.name)
def test_both_sides_are_in_their_places_to_the_sample(
    mailboxes: WaitingDispatcher, tmp_path: Path, media: MediaFormat
) -> None:
    call = Recorded(mailboxes, media=media).begun()
    call.vaic("userStream.start")
    said = noise(1000, media)
    if media.wav:
        head = with_header(b64encode(said[: media.bytes_per_ms * 20]).decode(), media, whole=False)
        mailboxes.advance(20)
        call.vaic("userStream.chunk", audioChunk=head)
        call.hears_caller(said[media.bytes_per_ms * 20 :])
    else:
        call.hears_caller(said)
    call.speaks(noise(1500, model_format(media)))
    mailboxes.advance(5000)
    call.ends()
    part = call.kept(tmp_path)
    a_second = media.sample_rate_hz
    assert part.manifest.samples == 6 * a_second
    assert np.array_equal(part.caller[:a_second], samples(said, media))
    assert not part.caller[a_second:].any()
    heard = samples(call.was_sent(), media)
    assert abs(len(heard) - 1.5 * a_second) <= 1
    assert np.array_equal(part.bot[a_second : a_second + len(heard)], heard)
    assert not part.bot[:a_second].any()
    assert not (part.bot[a_second + len(heard) :]).any()
    assert part.manifest.complete


def test_a_bot_that_is_interrupted_ends_where_the_caller_heard_it_end(
    mailboxes: WaitingDispatcher, tmp_path: Path
) -> None:
    call = Recorded(mailboxes).begun()
    mailboxes.advance(250)
    call.speaks(noise(3000))
    mailboxes.advance(730)
    call.caller_says("Stop.")
    mailboxes.advance(1000)
    call.speaks(noise(200), "i-next")
    mailboxes.advance(500)
    (turn,) = [turn for turn in call.describe().turns if turn.item_id == "i-bot"]
    assert turn.heard_ms == 730
    call.ends()
    part = call.kept(tmp_path)
    sent = samples(call.was_sent(), LPCM16_24)
    assert np.array_equal(part.bot[250 * 24 : 980 * 24], sent[: 730 * 24])
    assert not part.bot[980 * 24 : 1980 * 24].any()
    assert np.array_equal(part.bot[1980 * 24 : 2180 * 24], sent[-200 * 24 :])
    assert part.manifest.cuts_ms == (980.0,)


def test_a_recorded_sentence_of_ours_is_in_it_too(mailboxes: WaitingDispatcher, tmp_path: Path) -> None:
    call = Recorded(mailboxes).begun()
    call.told(EndCall("drained", in_words=True))
    mailboxes.advance(2000)
    assert Clip.CALL_AGAIN.value in [turn.text for turn in call.describe().turns]
    call.ends()
    part = call.kept(tmp_path)
    assert [each.at_ms for each in part.manifest.anchors["bot"]] == [0.0]


def test_the_gap_of_a_lost_socket_is_a_gap_on_both_tracks(mailboxes: WaitingDispatcher, tmp_path: Path) -> None:
    call = Recorded(mailboxes).begun()
    call.vaic("userStream.start")
    call.speaks(noise(2000))
    said = noise(400)
    call.hears_caller(said[: 200 * 48])
    call.wire.breaks()
    mailboxes.advance(3000)
    old, call.wire = call.wire, call.resumes()
    mailboxes.drain()
    call.vaic("userStream.start")
    call.hears_caller(said[200 * 48 :])
    call.ends()
    part = call.kept(tmp_path)
    assert [(each.from_ms, each.to_ms, each.why) for each in part.manifest.gaps] == [(200.0, 3200.0, "caller away")]
    assert np.array_equal(part.caller[: 200 * 24], samples(said[: 200 * 48], LPCM16_24))
    assert np.array_equal(part.caller[3200 * 24 : 3400 * 24], samples(said[200 * 48 :], LPCM16_24))
    first = b64decode(old.all("playStream.chunk")[0]["audioChunk"])
    assert np.array_equal(part.bot[: 100 * 24], samples(first, LPCM16_24))
    assert part.bot[100 * 24 : 200 * 24].any()
    for track in (part.caller, part.bot):
        assert not track[200 * 24 : 3200 * 24].any()


def test_blocks_are_handed_over_while_the_call_goes_on(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes)
    call.vaic("userStream.start")
    for number in range(1, 4):
        call.hears_caller(noise(int(1000 * BLOCK_S)))
        mailboxes.advance(0)
        assert [each.number for each in call.writer.arrived] == list(range(1, number + 1))
        assert sum(what == "c" for what, _, _ in call.writer.arrived[-1].entries) >= 199
    assert all(each.until_ms - 1000 * BLOCK_S * each.number <= 1 for each in call.writer.arrived)
    call.ends()
    assert [each.last for each in call.writer.arrived] == [False] * 3 + [True]
    call.mailboxes.advance(100_000)
    assert len(call.writer.arrived) == 4


# --- when it may be ---


def test_a_bot_that_wants_no_recording_has_none_and_no_tape(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes, RecordingMode.OFF)
    call.greeted()
    call.vaic("userStream.start")
    call.hears_caller(noise(200))
    mailboxes.advance(20_000)
    assert call.steps() == []
    call.ends()
    assert call.writer.arrived == []


def test_a_call_in_writing_is_not_recorded(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes, text=True)
    mailboxes.advance(20_000)
    call.ends()
    assert call.writer.arrived == []


def test_without_a_folder_the_call_goes_on_and_is_counted(mailboxes: WaitingDispatcher) -> None:
    before = counted("tieline_recording_blocks_lost_total", why="no folder")
    call = Call(mailboxes, profile=replace(PROFILE, recording=RecordingMode.ALWAYS))
    assert counted("tieline_recording_blocks_lost_total", why="no folder") == before + 1
    call.greeted()
    call.ends()
    assert call.outcome() == "client-disconnected"


def test_nothing_is_handed_over_until_the_notice_was_heard_to_its_end(
    mailboxes: WaitingDispatcher, tmp_path: Path
) -> None:
    call = Recorded(mailboxes, RecordingMode.AFTER_NOTICE).begun()
    call.vaic("userStream.start")
    call.hears_caller(noise(100))
    spoken = noise(1000)
    call.speaks(spoken, "i-notice", f"{NOTICE} Hello.")
    call.hears_caller(noise(980))
    assert call.writer.arrived == []
    assert call.steps() == ["after notice"]
    # The next sentence is on its way to VAIC already when the recording begins.
    next_ = noise(500)
    call.speaks(next_, "i-next")
    said = noise(600)
    call.hears_caller(said)
    assert call.describe().recording == (
        RecordingStep(what="after notice", at_ms=0),
        RecordingStep(what="notice heard", at_ms=1100, words=NOTICE, from_ms=100, to_ms=1100),
    )
    call.ends()
    part = call.kept(tmp_path)
    assert part.manifest.since_call_ms == 1100
    assert [step.what for step in part.manifest.consent] == ["after notice", "notice heard"]
    assert np.array_equal(part.bot[: 500 * 24], samples(next_, LPCM16_24))
    begun = len(part.caller) - 580 * 24
    assert begun == 0
    assert np.array_equal(part.caller, samples(said[20 * 48 :], LPCM16_24))


def test_a_notice_that_was_interrupted_is_none(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes, RecordingMode.AFTER_NOTICE).begun()
    call.speaks(noise(2000), "i-notice", f"{NOTICE} Hello.")
    mailboxes.advance(700)
    call.caller_says("Hello?")
    mailboxes.advance(10_000)
    assert call.steps() == ["after notice"]
    call.ends()
    assert call.writer.arrived == []


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        ("Yes.", ["after yes", "notice heard", "yes"]),
        ("Yes, that is fine.", ["after yes", "notice heard", "yes"]),
        ("No.", ["after yes", "notice heard", "no yes"]),
        ("I would like an appointment.", ["after yes", "notice heard", "no yes"]),
        ("Why do you do that?", ["after yes", "notice heard", "no yes"]),
    ],
)
def test_only_a_yes_to_the_notice_is_one(mailboxes: WaitingDispatcher, answer: str, steps: list[str]) -> None:
    call = Recorded(mailboxes, RecordingMode.AFTER_YES).begun()
    call.caller_says("Yes.")  # to nothing
    call.speaks(noise(1000), "i-notice", f"Hello. {NOTICE}")
    mailboxes.advance(1000)
    assert call.steps() == ["after yes", "notice heard"]
    mailboxes.advance(500)
    call.caller_says("Hmm.")
    call.caller_says(answer)
    mailboxes.advance(300)
    call.caller_says("Yes.")  # to something else
    assert call.steps() == steps
    last = call.describe().recording[-1]
    assert (last.words, last.from_ms) == (answer, 1500)
    mailboxes.advance(5000)
    call.ends()
    assert bool(call.writer.arrived) is (steps[-1] == "yes")


def test_what_the_bots_redaction_leaves_out_stands_in_no_step(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes, RecordingMode.AFTER_YES).begun()
    call.speaks(noise(1000), "i-notice", f"Hello. {NOTICE}")
    mailboxes.advance(1500)
    call.caller_says("4111 1111 1111 1111.")
    assert call.describe().recording[-1].words == "[card]."


def test_a_turn_that_began_before_the_notice_was_heard_is_no_answer(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes, RecordingMode.AFTER_YES).begun()
    call.speaks(noise(1000), "i-notice", f"Hello. {NOTICE}")
    mailboxes.advance(1000)
    call.event(
        "conversation.item.input_audio_transcription.completed", item_id="u-9", content_index=0, transcript="Yes"
    )
    assert call.steps() == ["after yes", "notice heard"]


# --- what is asked of VAIC's recording is asked of ours ---


def asks(call: Recorded, what: str) -> None:
    """The model calls the function, as a task or a caller's wish may have it do."""
    call.functions += 1
    call.model_calls((f"call-{call.functions}", what, {}))


def test_a_pause_is_in_no_part_and_another_goes_on_after_it(mailboxes: WaitingDispatcher, tmp_path: Path) -> None:
    mailboxes.advance(7000)  # the clock has begun before the call
    call = Recorded(mailboxes).begun()
    call.vaic("userStream.start")
    before, secret, after = noise(400), noise(3000), noise(600)
    call.hears_caller(before)
    for _ in range(2):  # the second time it is paused already
        asks(call, "pause_call_recording")
    call.hears_caller(secret)
    mailboxes.advance(1000 * BLOCK_S)
    # Heard after the pause alone, though it was sent before.
    call.speaks(noise(500))
    asks(call, "resume_call_recording")
    call.hears_caller(after)
    assert call.steps() == ["always", "paused", "resumed"]
    call.ends()
    blocks = call.writer.arrived
    first, second = (
        kept((each for each in blocks if each.part == part), tmp_path / part)
        for part in dict.fromkeys(each.part for each in blocks)
    )
    assert np.array_equal(first.caller, samples(before, LPCM16_24))
    assert np.array_equal(second.caller, samples(after, LPCM16_24))
    assert second.manifest.since_call_ms == 400 + 3000 + 1000 * BLOCK_S
    assert second.bot.any()
    assert [each.what for each in second.manifest.consent] == ["always", "paused", "resumed"]
    assert (first.manifest.complete, second.manifest.complete) == (True, True)


def test_a_recording_that_was_stopped_ends_there_whoever_goes_on(mailboxes: WaitingDispatcher) -> None:
    call = Recorded(mailboxes).begun()
    call.vaic("userStream.start")
    call.hears_caller(noise(400))
    asks(call, "stop_call_recording")
    said = len(call.writer.arrived)
    assert call.writer.arrived[-1].last
    for what in ("resume_call_recording", "start_call_recording"):
        asks(call, what)
    call.hears_caller(noise(400))
    second = Recorded(mailboxes, left=rows_of(call))
    second.vaic("userStream.start")
    second.hears_caller(noise(400))
    for each in (call, second):
        assert each.steps() == ["always", "stopped"]
        each.ends()
    assert (len(call.writer.arrived), second.writer.arrived) == (said, [])


@pytest.mark.parametrize("what", ["pause_call_recording", "stop_call_recording"])
def test_a_pause_before_the_consent_is_a_no(mailboxes: WaitingDispatcher, what: str) -> None:
    call = Recorded(mailboxes, RecordingMode.AFTER_NOTICE).begun()
    asks(call, what)
    call.speaks(noise(1000), "i-notice", f"{NOTICE} Hello.")
    mailboxes.advance(20_000)
    asks(call, "resume_call_recording")
    assert len(call.steps()) == 2
    call.ends()
    assert call.writer.arrived == []


@pytest.mark.parametrize("paused", [True, False])
def test_another_process_goes_on_in_a_pause_and_after_it(mailboxes: WaitingDispatcher, paused: bool) -> None:
    first = Recorded(mailboxes).begun()
    asks(first, "pause_call_recording")
    if not paused:
        asks(first, "resume_call_recording")
    second = Recorded(mailboxes, left=rows_of(first))
    mailboxes.advance(1000 * BLOCK_S)
    assert len({each.part for each in second.writer.arrived}) == (0 if paused else 1)


# --- to another process ---


def test_another_process_goes_on_by_the_consent_that_was_given(mailboxes: WaitingDispatcher, tmp_path: Path) -> None:
    first = Recorded(mailboxes, RecordingMode.AFTER_NOTICE).begun()
    first.speaks(noise(1000), "i-notice", f"{NOTICE} Hello.")
    mailboxes.advance(4000)
    first.told(MoveCall(now=True))
    assert any(isinstance(each, Park) for each in first.journal.arrived)
    first.told(Parked())
    assert first.writer.arrived[-1].last
    mailboxes.advance(2000)
    second = Recorded(mailboxes, RecordingMode.AFTER_NOTICE, left=rows_of(first))
    second.vaic("userStream.start")
    said = noise(300)
    second.hears_caller(said)
    second.ends()
    part = second.kept(tmp_path)
    assert part.manifest.since_call_ms == 6000
    assert [each.what for each in part.manifest.consent] == ["after notice", "notice heard"]
    assert np.array_equal(part.caller, samples(said, LPCM16_24))
    assert first.writer.arrived[0].part != second.writer.arrived[0].part


@pytest.mark.parametrize("answer", ["No.", ""])
def test_a_caller_who_has_not_agreed_is_not_recorded_there_either(mailboxes: WaitingDispatcher, answer: str) -> None:
    first = Recorded(mailboxes, RecordingMode.AFTER_YES).begun()
    first.speaks(noise(1000), "i-notice", NOTICE)
    mailboxes.advance(1000)
    if answer:
        first.caller_says(answer)
    second = Recorded(mailboxes, RecordingMode.AFTER_YES, left=rows_of(first))
    second.model_is_ready()
    mailboxes.advance(20_000)
    assert second.writer.arrived == []
    second.caller_says("Yes.")
    mailboxes.advance(20_000)
    assert bool(second.writer.arrived) is (not answer)


@pytest.mark.parametrize("what", ["yes", "a later release's"])
def test_rows_that_do_not_tell_of_a_consent_are_none(mailboxes: WaitingDispatcher, what: str) -> None:
    first = Recorded(mailboxes)
    left = rows_of(first)
    bad = [
        replace(each, row=RecordingRow(what=what, at_ms=5)) if isinstance(each.row, RecordingRow) else each
        for each in left
    ]
    second = Recorded(mailboxes, RecordingMode.AFTER_YES, left=tuple(bad))
    mailboxes.advance(20_000)
    assert second.writer.arrived == []
    assert "recording: its consent cannot be read" in second.describe().errors


# --- what may not cost the call ---


def test_what_a_slow_disk_cannot_take_is_dropped_and_counted(mailboxes: WaitingDispatcher) -> None:
    before = counted("tieline_recording_blocks_lost_total", why="queue")
    call = Recorded(mailboxes, most=1_000_000)
    call.greeted()
    call.vaic("userStream.start")
    call.hears_caller(noise(int(10_000 * BLOCK_S)), chunk_ms=100)
    lost = counted("tieline_recording_blocks_lost_total", why="queue") - before
    assert lost >= 5
    queue = call.queue
    assert queue.given - queue.taken <= 1_000_000
    queue.taken = queue.given  # it has caught up
    call.ends()
    numbers = [each.number for each in call.writer.arrived]
    assert len(numbers) + lost == numbers[-1]
    assert call.writer.arrived[-1].last
    assert call.outcome() == "client-disconnected"


@pytest.mark.parametrize(("state", "event"), RECORDING.pairs)
def test_only_a_consent_leads_to_a_recording(state: RecordingState, event: RecordingEvent) -> None:
    consents = {RecordingEvent.ALWAYS, RecordingEvent.NOTICE_HEARD, RecordingEvent.YES}
    if (state, event) in RECORDING.transitions:
        target, _ = RECORDING.transitions[state, event]
        resumes = state in (RecordingState.ON, RecordingState.PAUSED) and event is RecordingEvent.RESUME
        assert target is not RecordingState.ON or event in consents or resumes
