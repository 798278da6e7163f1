"""The demo's stories: what the caller says, and which appointments are booked before and must be booked afterwards.

Pure data.
May import: lab.caller, the standard library.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path

from lab.caller import CallReport, Say
from lab.caller.script import ScriptStep

SPEECH = Path(__file__).parent / "speech"
VOICES = ("slt", "rms")
CALLER, NAME = "+4930555010", "John Smith"
RECEPTION, BILLING = "tel:+4930555020", "tel:+4930555021"


@dataclass(frozen=True, slots=True)
class BookedTime:
    """An appointment's time, relative to the call. days: after the day of the call. at: local time."""

    days: int
    at: time

    def on(self, today: date, zone: tzinfo) -> datetime:
        """The date and time, aware."""
        return datetime.combine(today + timedelta(days=self.days), self.at, zone)


@dataclass(frozen=True, slots=True)
class Story:
    """One call.

    says: recordings, each said once the bot has spoken and is quiet. others, own: booked before the call, by others and
    by the caller. leaves: booked under the caller's number afterwards. ends: the tasks' outcomes, in the order they
    began. hears: words the bot must have said. outcome: the call's. put_through_to: the expected transfer target.
    settings: of the daemon, by environment variable.
    """

    name: str
    about: str
    says: tuple[str, ...]
    ends: tuple[str, ...]
    others: tuple[BookedTime, ...] = ()
    own: tuple[BookedTime, ...] = ()
    leaves: tuple[BookedTime, ...] = ()
    hears: tuple[str, ...] = ()
    outcome: str = "bot-disconnected"
    put_through_to: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def script(self, rand: random.Random) -> list[ScriptStep]:
        """The call's script, in one of the recorded voices."""
        voice = rand.choice(VOICES)
        return [Say(SPEECH / f"{voice}_{sentence}.wav") for sentence in self.says]

    def faults(self, report: CallReport, left: Iterable[datetime], today: date, zone: tzinfo) -> list[str]:
        """The differences from what the story expects. left: what is booked under the caller's number now."""
        found, wanted = sorted(left), sorted(each.on(today, zone) for each in self.leaves)
        ends = tuple(str(task.result) for task in report.tasks)
        heard = " ".join(turn.text for turn in report.turns if turn.role == "bot").lower()
        faults = [f"the bot never said {words!r}" for words in self.hears if words not in heard]
        if found != wanted:
            faults.append(f"booked is {_listed(found, zone)}, and should be {_listed(wanted, zone)}")
        if ends != self.ends:
            faults.append(f"the tasks ended {', '.join(ends) or 'never'}, and should have ended {', '.join(self.ends)}")
        if report.outcome != self.outcome:
            faults.append(f"the call ended {report.outcome}, and should have ended {self.outcome}")
        if report.transfer_target != self.put_through_to:
            faults.append(f"the caller was put through to {report.transfer_target}, not to {self.put_through_to}")
        return faults


def _listed(moments: list[datetime], zone: tzinfo) -> str:
    return ", ".join(f"{each.astimezone(zone):%Y-%m-%d %H:%M}" for each in moments) or "nothing"


_HALF_PAST_TEN, _ELEVEN, _HALF_PAST_TWO = time(10, 30), time(11), time(14, 30)
_TOLD = (
    Story(
        "book",
        "an appointment for tomorrow is booked",
        says=("book", "time_1030", "name", "yes", "goodbye"),
        ends=("booked", "hangup"),
        leaves=(BookedTime(1, _HALF_PAST_TEN),),
    ),
    Story(
        "correct",
        "the caller takes back a time when it is read back, and gives another",
        says=("book_named", "correct_time", "yes", "goodbye"),
        ends=("booked", "hangup"),
        leaves=(BookedTime(1, _HALF_PAST_TWO),),
        hears=("10:30", "14:30"),
    ),
    Story(
        "digress",
        "the caller asks for the opening hours before giving a time",
        says=("book", "hours", "time_1030", "name", "yes", "goodbye"),
        ends=("booked", "hangup"),
        leaves=(BookedTime(1, _HALF_PAST_TEN),),
        hears=("nine in the morning to five in the afternoon",),
    ),
    Story(
        "cancel",
        "the caller forgets about it half-way, and nothing is booked",
        says=("book", "time_1030", "name", "cancel_task", "goodbye"),
        ends=("cancelled", "hangup"),
    ),
    Story(
        "refused",
        "the first time is outside the opening hours, the second is taken, the third is free",
        says=("book", "time_evening", "time_1030", "name", "yes", "time_eleven", "yes_correct", "goodbye"),
        ends=("booked", "hangup"),
        others=(BookedTime(1, _HALF_PAST_TEN),),
        leaves=(BookedTime(1, _ELEVEN),),
        hears=("open from nine to five", "already taken"),
    ),
    Story(
        "reschedule",
        "an appointment is moved to another day and time",
        says=("reschedule", "name_john", "day_after_eleven", "yes", "goodbye"),
        ends=("moved", "hangup"),
        own=(BookedTime(1, _HALF_PAST_TEN),),
        leaves=(BookedTime(2, _ELEVEN),),
    ),
    Story(
        "cancel_booking",
        "an appointment is cancelled that was booked before",
        says=("cancel_booking", "name_john", "yes", "goodbye"),
        ends=("removed", "hangup"),
        own=(BookedTime(1, _HALF_PAST_TEN),),
    ),
    Story(
        "human",
        "the caller wants to speak to a person, and is put through to the one asked for",
        says=("human", "reception"),
        ends=("transfer",),
        outcome="transferred",
        put_through_to=RECEPTION,
        settings={"TIELINE_TRANSFER_TARGETS": f"billing={BILLING},reception={RECEPTION}"},
    ),
)
STORIES = {story.name: story for story in _TOLD}
