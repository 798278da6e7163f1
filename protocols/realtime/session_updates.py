"""A session's configuration and its later changes, with a smaller update if the server refuses one.

The server refuses an update as a whole. At the start the caller would then be answered by the server's own persona, and
later the model would not know of an open task. So what it names is left out, and the rest is sent again.
Pure state. May import: protocols, pydantic, the standard library. Rules from: docs/specs/openai-realtime.md 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from pydantic import ValidationError

from protocols.realtime.client_events import SessionUpdate
from protocols.realtime.objects import ErrorDetail, Session

_REFUSED_TOOL = re.compile(r"session\.tools\[(\d{1,4})\]")
# Some servers name the setting in the error's text alone.
_NAMED = re.compile(r"\bsession(?:\.[a-z_]{1,40}|\[\d{1,4}\]){1,8}")
_TEXT_LIMIT = 500
# In place of a path, where the server names none.
ALL_OPTIONAL = "session: all optional settings"
Path = tuple[str, ...]
# A call without these would be another one: the bot's words, its tasks, and audio that is no noise.
_ESSENTIAL: tuple[Path, ...] = (
    ("type",),
    ("instructions",),
    ("tools",),
    ("audio", "input", "format"),
    ("audio", "output", "format"),
)


class SessionUpdates:
    """The updates of one session. Only the last one is retried; an earlier one has been replaced by it."""

    def __init__(self) -> None:
        self._names = count(1)
        self._last: SessionUpdate | None = None
        self._whole: Session | None = None  # until the server has taken it
        self._refused: list[str] = []  # paths of settings, until then

    def set_up(self, session: Session, left_out: Iterable[str] = ()) -> SessionUpdate:
        """The event for the first, whole configuration. left_out: paths of settings that are known to be refused."""
        for setting in left_out:
            smaller = _without_setting(session.model_dump(exclude_unset=True), setting)
            session = session if smaller is None else smaller
        self._whole = session
        return self._named(session)

    def taken(self) -> list[str]:
        """The server has accepted the whole configuration. Returns the paths of what it has refused before.

        Tools are not among them: others may stand in their place in the next session.
        """
        self._whole = None
        refused, self._refused = self._refused, []
        return refused

    def update(self, change: Session) -> SessionUpdate:
        """The event for this change of instructions and tools."""
        if self._whole is not None:
            self._whole = self._whole.model_copy(
                update={name: getattr(change, name) for name in change.model_fields_set}
            )
        return self._named(change)

    def _named(self, session: Session) -> SessionUpdate:
        self._last = SessionUpdate(event_id=f"update-{next(self._names)}", session=session)
        return self._last

    @property
    def latest(self) -> SessionUpdate:
        """The event that was made last."""
        assert self._last is not None
        return self._last

    def refused(self, error: ErrorDetail) -> bool:
        """Whether an error event refuses the last update. Many name only the parameter, not the event."""
        if self._last is None:
            return False
        return error.event_id == self._last.event_id if error.event_id else (error.param or "").startswith("session.")

    def smaller_whole(self, error: ErrorDetail) -> tuple[str, SessionUpdate] | None:
        """The refused configuration without the setting that the error names, or else without all that are optional.

        With the path of what is left out. None if nothing is left to leave out: each is smaller than the one before.
        """
        if self._whole is None:
            return None
        named = setting_named(error)
        tools = self._whole.tools or ()
        if (tool := _REFUSED_TOOL.match(named)) and (number := int(tool[1])) < len(tools):
            kept = (*tools[:number], *tools[number + 1 :])
            return f"session.tools[{number}]", self.set_up(self._whole.model_copy(update={"tools": kept}))
        path = tuple(re.findall(r"[a-z_]+", named))[1:]
        if any(path[: len(each)] == each for each in _ESSENTIAL):
            return None
        written = self._whole.model_dump(exclude_unset=True)
        settings = [f"session.{'.'.join(path[:length])}" for length in range(len(path), 0, -1)
                    if not any(each[:length] == path[:length] for each in _ESSENTIAL)]  # fmt: skip
        for setting in (*settings, ALL_OPTIONAL):
            session = _without_setting(written, setting)
            if session is not None and session != self._whole:
                self._refused.append(setting)
                return setting, self.set_up(session)
        return None

    def smaller(self, error: ErrorDetail) -> SessionUpdate | None:
        """The refused change without the tool that the error names, or else without all tools.

        None if nothing is left. Each is smaller than the one before, so this terminates.
        """
        if self._last is None or not (tools := self._last.session.tools):
            return None
        named = _REFUSED_TOOL.match(error.param or "")
        number = int(named[1]) if named else len(tools)
        instructions = self._last.session.instructions
        if number >= len(tools):  # absent, the tools stay as they were
            return self.update(Session(type="realtime", instructions=instructions))
        kept = (*tools[:number], *tools[number + 1 :])
        return self.update(Session(type="realtime", instructions=instructions, tools=kept))


def setting_named(error: ErrorDetail) -> str:
    """The setting that an error is about, like "session.audio.output.speed"; "" if it names none."""
    if error.param:
        return error.param if error.param.startswith("session") else f"session.{error.param}"
    found = _NAMED.search(error.message[:_TEXT_LIMIT])
    return found[0] if found else ""


def _without_setting(written: Mapping[str, Any], setting: str) -> Session | None:
    """The configuration without a setting, by its path; None if there is none without it."""
    if setting == ALL_OPTIONAL:
        return _valid(_only_essential(written))
    return _valid(_without(written, tuple(setting.split(".")[1:])))


def _without(written: Mapping[str, Any], path: Path) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {name: each for name, each in written.items() if name != first}
    inner = written.get(first)
    return {**written, first: _without(inner, tuple(rest))} if isinstance(inner, Mapping) else dict(written)


def _only_essential(written: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for path in _ESSENTIAL:
        source, target = written, kept
        for name in path[:-1]:
            source, target = source.get(name) or {}, target.setdefault(name, {})
        if path[-1] in source:
            target[path[-1]] = source[path[-1]]
    return kept


def _valid(written: dict[str, Any]) -> Session | None:
    try:
        return Session.model_validate(written)
    except ValidationError:
        return None
