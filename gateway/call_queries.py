"""What is asked of the calls in the store, by HTTP and on the command line alike, and how the answer is put.

Numbers of callers are masked unless they are asked for. May import: store, pydantic, the standard library.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import JsonValue

from store.call_reports import VaicReport
from store.calls import CallFilter, Cursor, EndedCall, LiveCall
from store.journal import CallRecord

# On a page, unless another number is asked for; and at most.
PAGE, MOST_ON_PAGE = 100, 1000
FILTERS = tuple(each.name for each in fields(CallFilter))
# What a row of an export has, in order.
COLUMNS = (
    "id", "started_at", "ended_at", "seconds", "bot", "caller", "outcome", "reason", "tasks", "errors", "cost_usd",
    "unpriced",
)  # fmt: skip
_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
# A zone ahead of UTC whose + was lost.
_ZONE = re.compile(r"(T[0-9:.]+) ([0-9]{2}:?[0-9]{2})$")
_MOMENTS = ("since", "until")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# A number shorter than this has no part that could be shown, and stands in other texts by chance.
_SHORTEST = 6


def known(names: Iterable[str], allowed: Collection[str]) -> None:
    """Check the names in a question, as they come. Raises: WrongQuestion for one that is not known, or comes twice."""
    seen = set[str]()
    for name in names:
        if name not in allowed:
            raise WrongQuestion(f"{name}: is not known; there are {', '.join(allowed)}")
        if name in seen:
            raise WrongQuestion(f"{name}: is given more than once")
        seen.add(name)


class WrongQuestion(Exception):
    """What was asked cannot be understood. Its text says which part."""


def moment(name: str, text: str, now: datetime) -> datetime:
    """A moment: as 90m, 24h or 7d before now, today (its beginning), or as ISO 8601, in UTC if it names no zone. name:
    of what it is asked for. Raises: WrongQuestion, for one that has not come yet, too: of no call, it is most likely a
    local time.
    """
    if text.strip() == "today":
        return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if ago := _AGO.fullmatch(text.strip()):
        try:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        except OverflowError:
            raise WrongQuestion(f"{name}: is before all calls") from None
    try:
        # In a URL a + means a space.
        told = datetime.fromisoformat(_ZONE.sub(r"\1+\2", text.strip()))
        found = told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
    except OverflowError:  # in its own zone it is the last day of the calendar, or the first
        raise WrongQuestion(f"{name}: is not within the calendar") from None
    except ValueError:
        raise WrongQuestion(f"{name}: must be as 90m, 24h, 7d, today, or as 2026-11-30T03:00 (UTC)") from None
    if found > now:
        raise WrongQuestion(f"{name}: {found:%Y-%m-%dT%H:%M} UTC is yet to come, it is {now:%Y-%m-%dT%H:%M} UTC")
    return found


def filter_of(asked: Mapping[str, str], now: datetime) -> CallFilter:
    """The calls that are meant. asked: by the names of FILTERS, others are not looked at. Raises: WrongQuestion."""
    texts = {name: asked[name] for name in FILTERS if asked.get(name) and name not in _MOMENTS}
    since, until = (moment(name, asked[name], now) if asked.get(name) else None for name in _MOMENTS)
    if since is not None and until is not None and since >= until:
        raise WrongQuestion(f"until: {until:%Y-%m-%dT%H:%M} UTC is not after since: {since:%Y-%m-%dT%H:%M} UTC")
    return CallFilter(**texts, since=since, until=until)


def limit_of(text: str) -> int:
    """How many are wanted on a page. Raises: WrongQuestion."""
    try:
        limit = int(text or PAGE)
    except ValueError:
        limit = 0
    if not 1 <= limit <= MOST_ON_PAGE:
        raise WrongQuestion(f"limit: must be a number from 1 to {MOST_ON_PAGE}")
    return limit


def cursor_text(cursor: Cursor | None) -> str | None:
    """Where the next page begins, for the one who asks for it."""
    if cursor is None:
        return None
    return base64.urlsafe_b64encode(json.dumps([cursor[0].isoformat(), cursor[1]]).encode()).decode()


def cursor_of(text: str) -> Cursor | None:
    """The same, as it came back; None for "". Raises: WrongQuestion."""
    if not text:
        return None
    try:
        began, key = json.loads(base64.b64decode(text.encode(), altchars=b"-_", validate=True))
        str(key).encode()  # half a surrogate pair is no text, and no database takes it
        return datetime.fromisoformat(began).astimezone(UTC), str(key)
    except (binascii.Error, ValueError, TypeError, UnicodeError, OverflowError, RecursionError):
        raise WrongQuestion("after: is not what `next` of a page said") from None


def masked(caller: str) -> str:
    """A caller's number with its beginning and its end, enough to tell callers apart; "" stays."""
    if not caller:
        return ""
    return f"{caller[:3]}…{caller[-2:]}" if len(caller) > _SHORTEST else "…"


def masker(*, unmasked: bool) -> Callable[[str], str]:
    return str if unmasked else masked


def without_caller(text: str, caller: str) -> str:
    """A text, its caller's number masked wherever it stands in it, however it is written between + and digits."""
    digits = caller.removeprefix("+")
    if len(digits) < _SHORTEST:
        return text
    return text.replace(caller, masked(caller)).replace(digits, masked(digits))


def record_json(record: CallRecord, report: VaicReport | None = None, *, unmasked: bool) -> str:
    """A call's record, as JSON. report: what VoiceAI Connect says of it, which stands beside as `vaic`."""
    shown = record.model_dump(mode="json")
    if not unmasked:
        shown = _without(shown, record.caller) | {"caller": masked(record.caller)}
    if report is not None:
        shown["vaic"] = report.model_dump(mode="json")
    return json.dumps(shown, ensure_ascii=False)


def _without(value: Any, caller: str) -> Any:
    """A value of JSON without the caller's number in its texts; its names are ours."""
    match value:
        case str():
            return without_caller(value, caller)
        case list():
            return [_without(each, caller) for each in value]
        case dict():
            return {name: _without(each, caller) for name, each in value.items()}
        case _:
            return value


def ended_row(call: EndedCall, mask: Callable[[str], str]) -> dict[str, JsonValue]:
    """A call that has ended, as COLUMNS. tasks, errors: None if they are not known."""
    lasted_s = None if call.ended_at is None else round((call.ended_at - call.started_at).total_seconds(), 1)
    return {
        "id": call.key,
        "started_at": call.started_at.isoformat(),
        "ended_at": None if call.ended_at is None else call.ended_at.isoformat(),
        "seconds": lasted_s,
        "bot": call.bot,
        "caller": mask(call.caller),
        "outcome": call.outcome,
        "reason": call.reason,
        "tasks": None if call.tasks is None else [{"task": name, "result": result} for name, result in call.tasks],
        "errors": None if call.errors is None else list(call.errors),
        "cost_usd": call.cost_usd,
        "unpriced": list(call.unpriced),
    }


def live_row(call: LiveCall, mask: Callable[[str], str], now: datetime) -> dict[str, JsonValue]:
    """A call in progress."""
    return {
        "id": call.key,
        "started_at": call.started_at.isoformat(),
        "seconds": max(0.0, round((now - call.started_at).total_seconds(), 1)),
        "bot": call.bot,
        "caller": mask(call.caller),
        "task": call.task,
        "state": call.state,
        "node": call.node,
        "held": call.held,
    }
