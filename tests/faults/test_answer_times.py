"""The daemon's own answer times, against an ear: what the simulated callers of the same calls measured.

python -m pytest tests/faults/test_answer_times.py -m faults -s prints the figures. The caller counts samples at its end
of the line, from the last of its speech to the first of the bot's; the daemon knows neither.
"""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from gateway.daemon import Daemon
from gateway.daemon import run as run_on_loop
from lab.caller import CallReport, CallSettings, HangUp, Interrupt, Say, ScriptStep, Wait, place_call
from protocols.media import LPCM16_24
from store.journal import CallRecord
from tests.calls.live import record_of
from tests.calls.settings import daemon_settings
from tests.faults.exact_model import exact_model, tone

pytestmark = pytest.mark.faults

CALLS, TURNS = 10, 20
LIMIT_S = 300.0
WITHIN_MS = 20


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """What the callers say: a tone between silences, whose edges nobody can argue about."""
    file = tmp_path / "sound.wav"
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(LPCM16_24.sample_rate_hz)
        wav.writeframes(bytes(4800) + tone(LPCM16_24, 400) + bytes(4800))
    return file


async def measured(folder: Path, form: str, steps: list[ScriptStep], calls: int) -> list[tuple[CallReport, CallRecord]]:
    """Calls at a time, each as its caller and as the daemon has measured it."""
    async with (
        asyncio.timeout(LIMIT_S),
        exact_model() as model_url,
        Daemon(daemon_settings(model_url, f"sqlite:///{folder}/calls.sqlite3")) as daemon,
    ):

        async def one(number: int) -> tuple[CallReport, CallRecord]:
            await asyncio.sleep(number * 0.137)  # not in step with one another
            name = f"c-{number}"
            settings = CallSettings(url=daemon.vaic_url, conversation_id=name, formats=(form,), pause_ms=200)
            report = await place_call(settings, steps)
            return report, await record_of(daemon, name)

        return list(await asyncio.gather(*map(one, range(calls))))


def percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else float("nan")


def print_figures(what: str, errors: list[int]) -> None:
    spread = [float(abs(each)) for each in errors]
    middle, high = percentile(spread, 50), percentile(spread, 95)
    mean = sum(errors) / len(errors)
    line = f"{what}: {len(errors)} turns, off by {mean:+.1f} ms on average, p50 {middle:.0f}, p95 {high:.0f} ms"
    sys.stdout.write(f"\n{line}\n")


@pytest.mark.parametrize("form", ["raw/mulaw", "raw/lpcm16", "raw/lpcm16_24"])
def test_the_daemon_and_the_ear_agree_on_answer_times(tmp_path: Path, sound: Path, form: str) -> None:
    found: list[tuple[CallReport, CallRecord]] = []

    async def scene() -> None:
        found.extend(await measured(tmp_path, form, [*[Say(sound)] * TURNS, Wait(1500), HangUp()], CALLS))

    run_on_loop(scene())
    errors = []
    for report, record in found:
        assert report.errors == ()
        ours = [turn.answer for turn in record.turns if turn.role == "caller"]
        assert len(ours) == len(report.first_audio_ms) == TURNS
        for answer, ear_ms in zip(ours, report.first_audio_ms, strict=True):
            assert answer is not None
            assert sum(answer.stages.values()) == answer.answer_ms
            assert ear_ms is not None
            errors.append(answer.answer_ms - ear_ms)
    print_figures(f"answer, {form}", errors)
    assert percentile([abs(each) for each in errors], 95) <= WITHIN_MS


def test_the_daemon_and_the_ear_agree_on_when_the_bot_yields(tmp_path: Path, sound: Path) -> None:
    found: list[tuple[CallReport, CallRecord]] = []
    steps: list[ScriptStep] = [Say(sound), Interrupt(sound, 200)] * 5

    async def scene() -> None:
        found.extend(await measured(tmp_path, "raw/lpcm16_24", [*steps, Wait(1500), HangUp()], CALLS))

    run_on_loop(scene())
    errors = []
    for report, record in found:
        ours = [turn.yield_ms for turn in record.turns if turn.yield_ms is not None]
        if len(ours) == len(report.barge_in_stop_ms):
            errors += [mine - ear_ms for mine, ear_ms in zip(ours, report.barge_in_stop_ms, strict=True)]
    print_figures("yield", errors)
    assert len(errors) >= CALLS
    assert percentile([abs(each) for each in errors], 95) <= 2 * WITHIN_MS
