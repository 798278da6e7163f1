"""Makes the files of a part from its spool: stereo FLAC, caller left and bot right, its waveform, its manifest.

    FOLDER/DAY/CALL/part-EPOCH-MS-ID.flac    the sound, at the sample rate of the call's format
    FOLDER/DAY/CALL/part-EPOCH-MS-ID.peaks.json   its waveform, as audiowaveform and wavesurfer.js have it
    FOLDER/DAY/CALL/part-EPOCH-MS-ID.json    what is in it: a PartManifest
    FOLDER/DAY/CALL/manifest.json         all parts of the call, in order: one for each process that it was at

Each has `.sealed` after its name where a ring of keys is set (recordings/sealed.py).
May import: recordings, protocols, numpy, soundfile, orjson, pydantic, the standard library.
"""

from __future__ import annotations

import binascii
import fcntl
import hashlib
import os
from base64 import b64decode
from collections.abc import Iterable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

import numpy as np
import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from protocols.errors import WireError
from protocols.media import KNOWN, LPCM16_24, MediaFormat, Transcoder
from protocols.sealing import DataKey
from protocols.wav import WavTranscoder
from recordings import sealed
from recordings.facts import MANIFEST, ConsentStep, Noted, PartFacts, folder_name
from recordings.keys import NoKeys, PartKeys
from recordings.spool import MAKING, ReadBlock, read_part
from recordings.tracks import Anchor, BotTrack, CallerTrack, Samples, samples_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PEAKS_PER_S = 50
PEAKS = ".peaks.json"
# No part is longer: the longest call that can be set has a day.
MOST_S = 25 * 3600


class Gap(BaseModel):
    """Where nothing could be recorded, in ms of the part. why: "caller away"; "not written", where blocks are lost."""

    from_ms: float
    to_ms: float
    why: str


class FileOfPart(BaseModel):
    name: str
    sha256: str
    bytes: int


class AnchorOfPart(BaseModel):
    sample: int
    at_ms: float


class PartManifest(BaseModel):
    """What is in a part, and how it came to be there.

    epoch: of the call's lease, which rises with each process that takes it over; 0 without one.
    began_at, since_call_ms: of sample 0, by the wall clock and from the call's start. complete: its process has ended
    it, and every block was written; else `gaps` says what is missing, as far as it is known. unreadable: chunks that
    were no audio.
    anchors: where each track begins, and goes on after a pause. cuts_ms: where the bot was cut off.
    """

    model_config = ConfigDict(extra="ignore")

    conversation_id: str
    call: str
    epoch: int
    bot: str
    bot_digest: str
    wire_format: str
    mode: str
    consent: tuple[ConsentStep, ...]
    began_at: AwareDatetime
    since_call_ms: int
    length_ms: float
    samples: int
    sample_rate_hz: int
    channels: tuple[str, str] = ("caller", "bot")
    encoding: str = "FLAC, 16 bits"
    complete: bool
    gaps: tuple[Gap, ...] = ()
    unreadable: int = 0
    anchors: dict[str, tuple[AnchorOfPart, ...]] = {}
    cuts_ms: tuple[float, ...] = ()
    sound: FileOfPart
    peaks: FileOfPart


class CallManifest(BaseModel):
    """All parts of a call's recording, in order. complete: each of them is."""

    conversation_id: str
    call: str
    complete: bool
    parts: tuple[PartManifest, ...]


def joined(parts: Iterable[PartManifest]) -> CallManifest:
    """The manifest of a call with these parts, at least one."""
    ordered = sorted(parts, key=lambda part: (part.epoch, part.since_call_ms, part.sound.name))
    first = ordered[0]
    return CallManifest(
        conversation_id=first.conversation_id,
        call=first.call,
        complete=all(part.complete for part in ordered),
        parts=tuple(ordered),
    )


def read_parts(texts: Iterable[bytes]) -> list[PartManifest]:
    """The manifests of parts that can be read."""
    found = []
    for text in texts:
        try:
            found.append(PartManifest.model_validate_json(text))
        except ValidationError:
            continue
    return found


def folder_of(part: PartManifest) -> str:
    """Where the files of a call's recording lie: the day on which the part began, and the call's key as a file name."""
    # The day of the call, not of the part: all parts of a call lie together.
    day = part.began_at.timestamp() - part.since_call_ms / 1000
    return f"{part.began_at.fromtimestamp(day, part.began_at.tzinfo):%Y-%m-%d}/{folder_name(part.call)}"


def make_part(spooled: Path, folder: Path, keys: PartKeys | None = None) -> Path | None:
    """Make the files of a part, and the manifest of its call. Returns the part's manifest; None if nothing was spooled.

    The spool's file is left. keys: None where nothing is sealed. Raises: OSError, as KeyAway.
    """
    keys = keys or NoKeys()
    read = read_part(spooled, keys)
    if read is None:
        return None
    facts, blocks = read
    with TemporaryDirectory(dir=spooled.parent, prefix=MAKING) as made:
        manifest = _Making(facts, Path(made), spooled.stem).make(blocks)
        if manifest is None:
            return None
        key = keys.of_call(manifest.call)
        where = _made(folder / folder_of(manifest))
        for file in files_of(Path(made) / f"{manifest.sound.name.removesuffix('.flac')}.json"):
            ready = file if key is None else sealed.seal_file(file, key, manifest.call, manifest.bot)
            path = ready.replace(where / ready.name)
    with _alone(where):
        parts = [each for each in where.iterdir() if is_of_part(each.name)]
        name, told = call_manifest((each.read_bytes() for each in parts), key)
        write_whole(where / name, told)
        if key is not None:  # of parts that were made before there were keys
            (where / MANIFEST).unlink(missing_ok=True)
    return path


def files_of(manifest: Path) -> list[Path]:
    """The files of a part, by its manifest, which is the last one: what it names is there."""
    suffix = sealed.SUFFIX if manifest.name.endswith(sealed.SUFFIX) else ""
    name = manifest.name.removesuffix(suffix).removesuffix(".json")
    return [manifest.with_name(f"{name}{each}{suffix}") for each in (".flac", PEAKS, ".json")]


def call_manifest(texts: Iterable[bytes], key: DataKey | None) -> tuple[str, bytes]:
    """The manifest of a call, from those of its parts: its file's name, and what is in it, sealed with a key."""
    plain = [text if key is None else sealed.unsealed_bytes(text, key) for text in texts]
    whole = joined(read_parts(plain))
    told = whole.model_dump_json(indent=1).encode()
    if key is None:
        return MANIFEST, told
    return f"{MANIFEST}{sealed.SUFFIX}", sealed.seal_bytes(told, MANIFEST, key, whole.call, whole.parts[-1].bot)


def is_of_part(name: str) -> bool:
    """Whether a file's name is that of a part's manifest."""
    name = name.removesuffix(sealed.SUFFIX)
    return name.startswith("part-") and name.endswith(".json") and not name.endswith(PEAKS)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file such that nobody sees a part of it."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: another may finish another part of the call."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class _Making:
    """One part, being made in a folder."""

    def __init__(self, facts: PartFacts, folder: Path, part: str) -> None:
        self._part = part
        self._facts = facts
        self._folder = folder
        self._media = KNOWN.get(facts.media, LPCM16_24)
        self._gaps: list[Gap] = []
        self._away_ms: float | None = None
        self._unreadable = 0
        self._caller = _plain(self._media)  # takes headers off, and puts halves of samples together
        self._bot = Transcoder(self._media.raw, self._media.raw)

    def make(self, blocks: Iterable[ReadBlock]) -> PartManifest | None:
        facts, media = self._facts, self._media
        with ExitStack() as files:
            opened = [files.enter_context(TemporaryFile(dir=self._folder)) for _ in range(3)]
            caller = CallerTrack(opened[0], opened[1], media, facts.origin_ms)
            bot = BotTrack(opened[2], media, facts.origin_ms)
            read_ms, number, last, key, epoch = facts.origin_ms, 0, False, facts.conversation_id, 0
            for block in blocks:
                if block.number != number + 1:
                    self._gap(read_ms, min((at for _, at, _ in block.entries), default=block.until_ms), "not written")
                for entry in block.entries:
                    self._take(*entry, caller, bot)
                read_ms, number, last = block.until_ms, block.number, block.last
                if block.epoch >= epoch:
                    key, epoch = block.key or key, block.epoch
            samples = round((read_ms - facts.origin_ms) * media.sample_rate_hz / 1000)
            if samples <= 0:
                return None
            if samples > MOST_S * media.sample_rate_hz:
                raise ValueError(f"a part of {samples} samples")
            if self._away_ms is not None:
                self._gap(self._away_ms, read_ms, "caller away")
            caller.place()
            name = f"part-{epoch:06d}-{facts.since_call_ms:09d}-{self._part[:8]}"
            sound, peaks = self._encode(name, caller, bot, samples)
        manifest = PartManifest(
            conversation_id=facts.conversation_id,
            call=key,
            epoch=epoch,
            bot=facts.bot,
            bot_digest=facts.bot_digest,
            wire_format=facts.media,
            mode=facts.mode,
            consent=facts.consent,
            began_at=facts.began_at,
            since_call_ms=facts.since_call_ms,
            length_ms=round(samples * 1000 / media.sample_rate_hz, 3),
            samples=samples,
            sample_rate_hz=media.sample_rate_hz,
            complete=last and not any(gap.why == "not written" for gap in self._gaps),
            gaps=tuple(self._gaps),
            unreadable=self._unreadable,
            anchors={"caller": _told(caller.anchors, samples), "bot": _told(bot.anchors, samples)},
            cuts_ms=tuple(bot.cuts_ms),
            sound=sound,
            peaks=peaks,
        )
        (self._folder / f"{name}.json").write_text(manifest.model_dump_json(indent=1))
        return manifest

    def _take(self, what: str, at_ms: float, payload: str, caller: CallerTrack, bot: BotTrack) -> None:
        match what:
            case Noted.CALLER:
                caller.heard(at_ms, self._decoded(self._caller, payload))
            case Noted.STREAM:
                self._caller.flush()
            case Noted.BOT:
                bot.heard(at_ms, self._decoded(self._bot, payload))
            case Noted.CUT:
                bot.cut(at_ms)
            case Noted.AWAY:
                self._away_ms = at_ms
            case Noted.BACK if self._away_ms is not None:
                self._gap(self._away_ms, at_ms, "caller away")
                self._away_ms = None
            case _:
                pass

    def _decoded(self, transcoder: Transcoder, payload: str) -> Samples:
        try:
            return samples_of(b64decode(transcoder.feed(payload), validate=True), self._media)
        except (WireError, binascii.Error, ValueError):
            self._unreadable += 1
            return np.zeros(0, np.int16)

    def _gap(self, from_ms: float, to_ms: float, why: str) -> None:
        origin_ms = self._facts.origin_ms
        self._gaps.append(
            Gap(from_ms=round(max(0.0, from_ms - origin_ms), 3), to_ms=round(to_ms - origin_ms, 3), why=why)
        )

    def _encode(self, name: str, caller: CallerTrack, bot: BotTrack, samples: int) -> tuple[FileOfPart, FileOfPart]:
        import soundfile  # noqa: PLC0415 - of the extra `recordings`

        rate = self._media.sample_rate_hz
        flac, waveform = self._folder / f"{name}.flac", self._folder / f"{name}{PEAKS}"
        a_pixel, peaks = rate // PEAKS_PER_S, list[int]()
        with soundfile.SoundFile(flac, "w", rate, 2, "PCM_16", format="FLAC") as encoder:
            for at in range(0, samples, rate):
                count = min(rate, samples - at)
                both = np.column_stack([caller.sound.read(at, count), bot.sound.read(at, count)])
                encoder.write(both)
                padded = np.concatenate([both, np.zeros((-count % a_pixel, 2), np.int16)]).reshape(-1, a_pixel, 2)
                peaks += np.stack([padded.min(axis=1), padded.max(axis=1)], axis=2).reshape(-1).tolist()
        told = {
            "version": 2,
            "channels": 2,
            "sample_rate": rate,
            "samples_per_pixel": a_pixel,
            "bits": 16,
            "length": len(peaks) // 4,
            "data": peaks,
        }
        waveform.write_bytes(orjson.dumps(told))
        return _file(flac), _file(waveform)


def _plain(media: MediaFormat) -> Transcoder:
    """From the caller's chunks as they came to the format without headers."""
    return WavTranscoder(media, media.raw, lambda _found: None) if media.wav else Transcoder(media, media)


def _told(anchors: Iterable[Anchor], samples: int) -> tuple[AnchorOfPart, ...]:
    return tuple(AnchorOfPart(sample=each.sample, at_ms=each.at_ms) for each in anchors if each.sample < samples)


def _file(path: Path) -> FileOfPart:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileOfPart(name=path.name, sha256=digest, bytes=path.stat().st_size)
