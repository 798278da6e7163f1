"""From blocks to a recording, as the daemon and its child make it.

May import: recordings, soundfile, numpy, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from recordings.facts import Entry, PartFacts, SpoolBlock
from recordings.part import PartManifest, make_part
from recordings.spool import DONE, PART, PartFile

FACTS = PartFacts(
    conversation_id="c-1",
    bot="practice",
    bot_digest="abc",
    media="raw/lpcm16_24",
    began_at=datetime(2026, 11, 23, 13, 5, tzinfo=UTC),
    origin_ms=1000.0,
    since_call_ms=0,
    mode="always",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A part as it lies on the disk. caller, bot: its samples, read back."""

    manifest: PartManifest
    path: Path
    caller: NDArray[np.int16]
    bot: NDArray[np.int16]


def block(
    number: int, *entries: Entry, until_ms: float, last: bool = False, part: str = "p", facts: PartFacts = FACTS
) -> SpoolBlock:
    return SpoolBlock(part, facts, number, entries, until_ms, last)


def spooled(blocks: Iterable[SpoolBlock], folder: Path, key: str = "c-1", epoch: int = 1) -> Path:
    """The file of a part with these blocks, which has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, PartFile] = {}
    for each in blocks:
        if each.part not in files:
            files[each.part] = PartFile(folder, each.part, each.facts)
        files[each.part].write(replace(each, key=key, epoch=epoch))
    ((part, file),) = files.items()
    file.end()
    assert not (folder / f"{part}{PART}").exists()
    return folder / f"{part}{DONE}"


def kept(blocks: Iterable[SpoolBlock], folder: Path, key: str = "c-1", epoch: int = 1) -> Kept:
    """The recording of a part with these blocks."""
    made = make_part(spooled(blocks, folder / "spool" / "test", key, epoch), folder)
    assert made is not None
    return read(made)


def read(made: Path) -> Kept:
    """A part by its manifest."""
    manifest = PartManifest.model_validate_json(made.read_bytes())
    samples, rate = soundfile.read(made.with_name(manifest.sound.name), dtype="int16")
    assert rate == manifest.sample_rate_hz
    assert samples.shape == (manifest.samples, 2)
    return Kept(manifest, made, samples[:, 0], samples[:, 1])
