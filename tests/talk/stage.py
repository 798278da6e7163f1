"""Where a scenario is played: the real daemon with a store of its own, the engine that hears and speaks, a caller.

Everything lives on one loop whose clock goes no faster than its work gets done (tests.paced_loop): a busy machine makes
a call slow, not different.
May import: everything.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from pydantic import SecretStr

from actors.messages.journal_rows import BotSaidRow, JournalEntry, decode
from appointments.bookings import AppointmentBook, book
from appointments.practice import Practice
from gateway.daemon import Daemon
from gateway.settings import Settings
from lab import mind
from lab.caller import CallSettings
from lab.caller.audio import Samples, resample
from lab.ears import SAMPLE_RATE_HZ, SpeechStarted, SpeechStopped, TurnDetector, VadSettings
from lab.engine import Engine, EngineSettings
from store.journal import CallRecord, Journal
from tests.adversary.story import story
from tests.adversary.telephone import Telephone
from tests.crashes import logged_crashes
from tests.paced_loop import PacedLoop, loop_time_s, run_paced
from tests.silence import longest_silence_s
from tests.talk.blame import Blame, blamed, differences
from tests.talk.facts import Appointment, Facts, ModelReply, words_heard
from tests.talk.line import Condition, MouthOnALine, background
from tests.talk.person import Person
from tests.talk.scenario import BILLING, CALLER, NOW, RECEPTION, Scenario
from tests.talk.speech import RATE_HZ

SPEED = 8.0
# Of the call's time, for all of it.
LIMIT_S = 400.0
# Of the loop's clock: until a call's record is written.
RECORD_LIMIT_S = 10.0
_ID = "call-1"


@dataclass(frozen=True, slots=True)
class Verdict:
    """blame: "" where all went as the caller wanted. findings: what decided it, who first. story: a line each.

    no_yes: effects without a heard and worded yes; one that the recogniser put into the caller's mouth was both, and is
    the ears' fault. silence_s: the longest. took_s: real time.
    """

    scenario: str
    kind: str
    about: str
    voice: str
    condition: str
    blame: str
    differences: tuple[str, ...]
    findings: tuple[str, ...]
    no_yes: int
    silence_s: float
    stored: tuple[str, ...]
    outcome: str
    story: tuple[str, ...]
    took_s: float


def play(scenario: Scenario, voice: str, condition: Condition, speed: float = SPEED) -> Verdict:
    """Have the call happen, and say who was to blame."""
    began_s = time.monotonic()
    with logged_crashes() as crashed, tempfile.TemporaryDirectory() as folder:
        facts = run_paced(_played(scenario, voice, condition, Path(folder), speed))
    facts = replace(facts, crashed=tuple(dict.fromkeys(crashed)))
    who, findings = blamed(scenario.ends, facts)
    return Verdict(
        scenario=scenario.name,
        kind=scenario.kind.value,
        about=scenario.about,
        voice=voice,
        condition=condition.value,
        blame=who.value if who is not None else "",
        differences=tuple(differences(scenario.ends, facts)),
        findings=tuple(f"{each.who.value}: {each.what}" for each in findings),
        no_yes=sum(each.no_yes and each.who is Blame.PRODUCT for each in findings),
        silence_s=facts.silence_s,
        stored=tuple(at for at, _, _ in facts.stored),
        outcome=facts.outcome,
        story=tuple(told(facts)),
        took_s=time.monotonic() - began_s,
    )


def told(facts: Facts) -> Iterator[str]:
    """The story of the call, with what the caller really said."""
    yield from story(facts.journal)
    for done in facts.done:
        text = getattr(done.answer, "text", None) or getattr(done.answer, "keys", None) or str(done.answer)
        yield f"{done.onset_ms / 1000:6.1f} said    {text!r} to {done.asked.value!r}"


async def _played(scenario: Scenario, voice: str, condition: Condition, folder: Path, speed: float) -> Facts:
    loop = asyncio.get_running_loop()
    born_s, base = loop.time(), datetime.fromisoformat(NOW).replace(tzinfo=UTC)
    replies: list[ModelReply] = []
    phone: Telephone | None = None

    def now() -> datetime:
        return base + timedelta(seconds=(loop.time() - born_s) * speed)

    def think(prompt: mind.Prompt) -> mind.Reply:
        reply = mind.think(prompt)
        replies.append(ModelReply(0 if phone is None else phone.now_ms, prompt, reply))
        return reply

    async with Engine(EngineSettings(port=0, speed=speed), now=now, think=think) as engine:
        settings = Settings(
            openai_url=engine.url,
            database_url=f"sqlite:///{folder}/talk.sqlite3",
            host="127.0.0.1",
            port=0,
            ops_port=0,
            vaic_token=SecretStr(""),
            time_zone="UTC",
            transfer_targets={"reception": RECEPTION, "billing": BILLING},
            max_lag_ms=0,  # all share one loop here
            filler_s=0,  # the machine's own time to hear and think is so many times longer by this clock
        )
        async with Daemon(settings, speed, clock_s=loop_time_s, now=now) as daemon:
            assert isinstance(loop, PacedLoop)
            loop.hold_for_store(daemon.engine)
            _prepare(scenario, daemon)
            before = _appointments(daemon)
            how = CallSettings(
                url=daemon.vaic_url,
                conversation_id=_ID,
                caller=CALLER,
                formats=("raw/mulaw",),
                speed=speed,
                limit_s=LIMIT_S,
            )
            phone = Telephone(how, now)
            mouth = MouthOnALine(background(condition, voice, seed := zlib.crc32(scenario.name.encode())))
            phone.handset.mouth = mouth
            person = Person(
                scenario=scenario,
                voice=voice,
                phone=phone,
                words=lambda: words_heard(entry.row for entry in _journal(daemon)),
                coming=lambda: _coming(_journal(daemon)),
                speed=speed,
                seed=seed,
            )
            living = asyncio.create_task(phone.live())
            while not phone.up and not living.done():
                await asyncio.sleep(0.01)
            await person.live()
            await asyncio.wait({living}, timeout=RECORD_LIMIT_S)
            living.cancel()
            record = await _record(daemon)
            handset = phone.handset
            ended_ms = handset.progress.ended_ms or phone.now_ms
            return Facts(
                done=tuple(person.done),
                journal=tuple(_journal(daemon)),
                replies=tuple(replies),
                before=before,
                stored=_appointments(daemon),
                outcome=phone.outcome,
                to=handset.progress.transfer_target,
                gave_up=person.gave_up,
                silence_s=longest_silence_s(
                    [(run.began_ms, run.ended_ms) for run in handset.ear.runs],
                    [(each.onset_ms, each.end_ms) for each in person.done],
                    ended_ms,
                ),
                broken=tuple(handset.complaints.lines()),
                record=record,
                voiced=tuple(voiced(mouth.sent)),
            )


def _prepare(scenario: Scenario, daemon: Daemon) -> None:
    with daemon.engine.begin() as connection:
        for number, own in enumerate(scenario.others):
            book(
                connection,
                resource=Practice().resource,
                starts_at=datetime.fromisoformat(own.at).replace(tzinfo=UTC),
                duration_min=Practice().length_min,
                caller=own.caller,
                conversation_id="before",
                effect_key=f"before-{number}",
                name=own.name,
            )


def _appointments(daemon: Daemon) -> tuple[Appointment, ...]:
    everything = AppointmentBook(daemon.engine).all()
    return tuple(
        sorted((f"{each.starts_at.astimezone(UTC):%Y-%m-%d %H:%M}", each.name, each.caller) for each in everything)
    )


def _journal(daemon: Daemon) -> list[JournalEntry]:
    return [decode(row) for row in daemon.journal.rows(_ID)]


def _coming(journal: list[JournalEntry]) -> str:
    return next((entry.row.text for entry in reversed(journal) if isinstance(entry.row, BotSaidRow)), "")


async def _record(daemon: Daemon) -> CallRecord | None:
    end_s = loop_time_s() + RECORD_LIMIT_S
    while (record := Journal(daemon.engine).record(_ID)) is None and loop_time_s() < end_s:
        await asyncio.sleep(0.02)
    return record


def voiced(sent: list[Samples]) -> Iterator[tuple[int, int]]:
    """When somebody spoke, in ms of what was sent, by the engine's voice detection alone."""
    if not sent:
        return
    sound = resample(np.concatenate(sent), RATE_HZ, SAMPLE_RATE_HZ).astype(np.int16)
    began_ms: int | None = None
    for event in TurnDetector(VadSettings(near_field=True)).feed(sound.tobytes()):
        match event:
            case SpeechStarted():
                began_ms = event.audio_start_ms
            case SpeechStopped() if began_ms is not None:
                yield began_ms, event.audio_end_ms
                began_ms = None
    if began_ms is not None:
        yield began_ms, len(sound) * 1000 // SAMPLE_RATE_HZ
