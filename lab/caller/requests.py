"""What a bot asks VAIC for by activities, besides the end of the call: kept for the report, and answered as VAIC would.

A recording is not heard here: it takes PLAYED_MS of the call's time. Pure.
May import: lab.caller, protocols, the standard library. Rules from: docs/specs/vaic-streaming.md 4.3, 4.4.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.caller.complaints import Complaints
from lab.caller.params import SessionParams
from lab.caller.settings import CallSettings
from protocols.vaic import BotActivity

# How long a recording of a URL plays, and how long a telephone rings.
PLAYED_MS = 1000
RINGING_MS = 2000
ANSWERED = "answered"
# By event: in which states of the call's recording it means something, and the state that follows.
_RECORDING: Mapping[str, tuple[frozenset[str], str]] = {
    "startcallrecording": (frozenset({"off"}), "on"),
    "stopcallrecording": (frozenset({"on", "paused"}), "off"),
    "pausecallrecording": (frozenset({"on"}), "paused"),
    "resumecallrecording": (frozenset({"paused"}), "on"),
}


@dataclass(frozen=True, slots=True)
class BotRequest:
    """One activity of the bot, as it was sent. params: its activityParams, sessionParams or value."""

    name: str
    params: Any
    at_ms: int


@dataclass(frozen=True, slots=True)
class Told:
    """An event for the bot, at its time. ends_call: it is followed by the call's end."""

    at_ms: int
    name: str
    value: Any = None
    ends_call: bool = False


class BotRequests:
    """Those of one call, over all its sockets."""

    def __init__(self, settings: CallSettings, complaints: Complaints) -> None:
        self._settings = settings
        self._complaints = complaints
        self._recording = "on" if settings.recorded else "off"
        self._transfers = deque(settings.transfers)
        self._told: set[tuple[str, str | None]] = set()  # by id and name: some bots have one id for all
        self._due: list[Told] = []
        self.all: list[BotRequest] = []

    def take(self, activity: BotActivity, params: SessionParams, now_ms: int) -> bool:
        """Take an allowed activity. params: VAIC's now. Returns whether it is a new one."""
        told = (activity.id, activity.name or activity.text)
        if activity.id and told in self._told:
            self._complaints.add("activity_repeated", activity.name or activity.type)
            return False
        self._told.add(told)
        if activity.type == "message":
            return True
        name, given = (activity.name or "").lower(), activity.activity_params
        self.all.append(BotRequest(activity.name or "", given or activity.session_params or activity.value, now_ms))
        if name in _RECORDING:
            states, after = _RECORDING[name]
            if self._recording not in states:
                self._complaints.add("recording_state", f"{activity.name} while it is {self._recording}")
            self._recording = after
        elif name == "playurl":
            self._play(str((given or {}).get("playUrlUrl", "")), params, now_ms)
        return True

    def rings(self, params: SessionParams, now_ms: int) -> bool:
        """A transfer was asked for. Returns whether the bot stays in the call until its outcome is known."""
        if not self._transfers or not params.transfer_notifications:
            return False
        outcome = self._transfers.popleft()
        answered = outcome == ANSWERED
        value = {"status": ANSWERED} if answered else {"status": "failed", "reasonCode": outcome, "reason": outcome}
        self._due.append(Told(now_ms + RINGING_MS, "transferStatus", value, ends_call=answered))
        return True

    def cut(self) -> None:
        """VAIC's prompts are interrupted."""
        self._due = [each for each in self._due if each.name != "playFinished"]

    def due(self, now_ms: int) -> list[Told]:
        """What the bot is to be told by now."""
        ripe = [each for each in self._due if each.at_ms <= now_ms]
        self._due = [each for each in self._due if each.at_ms > now_ms]
        return ripe

    def _play(self, url: str, params: SessionParams, now_ms: int) -> None:
        if url not in self._settings.unplayable:
            begins_ms = max((each.at_ms for each in self._due if each.name == "playFinished"), default=now_ms)
            self._due.append(Told(begins_ms + PLAYED_MS, "playFinished"))
        elif params.play_url_failure_handling == "notify-bot":
            value = {"reason": "not found", "playUrlUrl": url, "selfGenerated": False}
            self._due.append(Told(now_ms, "playUrlFailed", value))
