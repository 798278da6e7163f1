"""A practice that can be called: the real daemon, the real engine and a real database, in one process on one loop.

Nothing of ours is replaced. Everything runs SPEED times as fast as the clock, except recognition and synthesis.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from appointments.bookings import Appointment, AppointmentBook
from gateway.daemon import Daemon
from lab.caller import CallerEvent, CallReport, CallSettings, Say, ScriptStep, place_call
from lab.engine import NO_FAULTS, Engine, EngineSettings, Faults
from lab.mouth import Voice, espeak
from lab.script import Script
from store.journal import CallRecord
from tests.calls.settings import daemon_settings
from tests.calls.tap import Line, Tap
from tests.gateway.daemons import until
from tests.paced_loop import loop_time_s

SPEECH = Path(__file__).parents[2] / "lab" / "speech"
SPEED = 8.0
# Of the clock, for a whole test; and how long a caller waits for the bot: a machine that is slow to hear must not look
# like a bot that is silent.
LIMIT_S, PATIENCE_S = 120.0, 20.0

# How long the bot must be quiet before the caller speaks: a machine that stumbles must not look like a bot that ended.
PAUSE_MS = 1500


def recording(name: str) -> Path:
    """The path of a recording in lab/speech."""
    return SPEECH / f"{name}.wav"


def spoken(text: str, file: Path, voice: str = "en+m7") -> Path:
    """A sentence that was never recorded, synthesised with an eSpeak NG voice that no bot of ours uses."""
    samples, rate_hz = espeak().speak(text, Voice(flite="", flite_pitch=1.0, espeak=voice, pace=0.95), 1.0)
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes(samples.tobytes())
    return file


def _step(step: str | Path | ScriptStep) -> ScriptStep:
    match step:
        case str():
            return Say(recording(step))
        case Path():
            return Say(step)
        case _:
            return step


async def record_of(daemon: Daemon, conversation_id: str) -> CallRecord:
    """The record of a call that has ended, once it is stored: a caller who hangs up may be ahead of it."""

    async def stored() -> CallRecord | None:
        await daemon.live_calls()
        return daemon.journal.record(conversation_id)

    return await until(stored)


@dataclass
class Practice:
    """A running practice. line: what passed the two taps, if any."""

    engine: Engine
    daemon: Daemon
    speed: float
    vaic_url: str
    line: Line
    vaic_tap: Tap
    model_tap: Tap

    async def call(
        self,
        *steps: str | Path | ScriptStep,
        conversation_id: str = "c-1",
        on_event: Callable[[CallerEvent], None] | None = None,
        **settings: Any,
    ) -> CallReport:
        """Place a call. steps: of the script; the name of a recording or a WAV file is said."""
        how: dict[str, Any] = {
            "url": self.vaic_url,
            "ops_url": self.daemon.ops_url,
            "speed": self.speed,
            "pause_ms": PAUSE_MS,
            "patience_s": PATIENCE_S * self.speed,
            "limit_s": LIMIT_S * self.speed,
        }
        script = [_step(step) for step in steps]
        return await place_call(CallSettings(conversation_id=conversation_id, **how | settings), script, on_event)

    def appointments(self) -> list[Appointment]:
        return AppointmentBook(self.daemon.engine).all()

    async def record(self, conversation_id: str = "c-1") -> CallRecord:
        return await record_of(self.daemon, conversation_id)


@asynccontextmanager
async def practice(
    folder: Path,
    *,
    speed: float = SPEED,
    faults: Faults = NO_FAULTS,
    tapped: bool = False,
    bots: Path | None = None,
    script: Script | None = None,
    before: Callable[[str], AbstractAsyncContextManager[str]] = nullcontext,
    **more: object,
) -> AsyncIterator[Practice]:
    """Run a practice for the time of the block. tapped: both lines go through taps. bots: the bots' folder.

    script: what the model does, if not as the engine's own has it. before: the URL of a proxy before that engine.
    more: of Settings, by field name.
    """
    line = Line()
    async with (
        asyncio.timeout(LIMIT_S),
        Engine(EngineSettings(port=0, speed=speed, faults=faults), script=script) as engine,
        before(engine.url) as model_url,
        Tap(model_url, line, client="daemon", server="model") as model_tap,
    ):
        settings = daemon_settings(model_tap.url if tapped else model_url, f"sqlite:///{folder}/practice.sqlite3")
        settings = settings.model_copy(update=more | ({} if bots is None else {"bots": str(bots)}))
        async with (
            Daemon(settings, speed, clock_s=loop_time_s) as daemon,
            Tap(daemon.vaic_url, line, client="vaic", server="daemon") as vaic_tap,
        ):
            vaic_url = vaic_tap.url if tapped else daemon.vaic_url
            yield Practice(engine, daemon, speed, vaic_url, line, vaic_tap, model_tap)


def said_on(record: CallRecord, days: int, at: time) -> set[datetime]:
    """The dates that "in N days" may have meant in a call that may have passed midnight."""
    return {
        datetime.combine(each.date() + timedelta(days=days), at, UTC) for each in (record.started_at, record.ended_at)
    }


def heard_words(report: CallReport) -> str:
    """Everything the bot said that the caller heard to its end."""
    return " ".join(turn.text for turn in report.turns if turn.role == "bot" and turn.heard_ms >= turn.sent_ms - 20)


BOOKED = ("CollectDate", "CollectTime", "CollectName", "Confirm", "Execute", "Booked")
