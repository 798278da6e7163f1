"""Why a call went as it did, in plain words, by rules: from its record and its journal, also of an earlier release.

Pure. May import: actors' rows, outcomes and policies, gateway.answer_times, gateway.call_queries, gateway.traces.spans,
store's record types, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from actors.call.recorder import ENDED_BY
from actors.messages.journal_rows import (
    AnsweredRow,
    CalledRow,
    EndedRow,
    ErrorRow,
    ImageRow,
    InheritedRow,
    JournalEntry,
    LookedUpRow,
    LostModelRow,
    ParkedRow,
    ResumedRow,
    StoreRow,
    TaskRow,
    UnreadRow,
)
from actors.policies import STORE_LIMIT_S
from gateway.answer_times import quantile
from gateway.call_queries import masked, without_caller
from gateway.traces.spans import error_of
from store.call_reports import VaicReport
from store.effect_log import LoggedEffect
from store.figures import AnswerFigures
from store.journal import CallRecord, TurnRecord

# How many of the slowest answers are told, and from which on one is worth it.
SLOWEST, SLOW_MS = 3, 1500
# A stage shorter than this is no part of the reason.
LEAST_MS = 50
# Of a limit of the model's account, as a share.
LITTLE_LEFT = 0.1
WIDTH = 100
OPEN = "open"

# By outcome, how the call ended.
ENDS = {
    "completed": "The bot said goodbye and hung up.",
    "transferred": "The bot transferred the caller.",
    "client-disconnected": "The caller hung up.",
    "bot-disconnected": "VoiceAI Connect ended the call after the bot's.",
    "silent": "Nobody answered the bot, and it hung up.",
    "too-long": "The call had lasted as long as a call may, and the bot hung up.",
    "too-costly": "The call, or its bot's day, had cost as much as may be: the bot hung up, or transferred the caller.",
    "failed": "The call could not go on: the caller heard an apology, or was transferred.",
    "drained": "The process stopped, and the call could not be moved.",
    "lost": "The caller's socket was lost and nobody came back, or the process died and no other took the call over.",
    OPEN: "The call goes on.",
}
# By the beginning of an error, what it means.
MEANINGS = (
    ("model: ConnectionRefusedError", "nothing listens at the model's address (TIELINE_OPENAI_URL, a proxy before it)"),
    ("model: gaierror", "the model's host has no address: DNS, or TIELINE_OPENAI_URL"),
    ("model: WebSocketAddressException", "the model's host has no address: DNS, or TIELINE_OPENAI_URL"),
    ("model: TimeoutError", "the model did not answer in time: the network, or the provider"),
    ("model: WebSocketTimeoutException", "the model did not answer in time: the network, or the provider"),
    ("model: certificate", "the model's certificate is not trusted here (SSL_CERT_FILE)"),
    ("model: status 401", "the model does not know our key (OPENAI_API_KEY)"),
    ("model: status 403", "the key may not use this model"),
    ("model: status 404", "there is no such model or deployment (TIELINE_OPENAI_MODEL, bot.toml)"),
    ("model: status 429", "the provider's limit of rates is used up"),
    ("model: insufficient_quota", "the provider's account is empty"),
    ("model: limit on rates", "the provider's limit of rates is used up"),
    ("model: session refused", "the model does not take the bot's settings (bot.toml, the audio format)"),
    ("model: closed with ", "the model ended the session, with this code of WebSocket"),
    ("model: answers nothing", "the model took requests, and several in a row got no answer"),
    ("model: the model answers nothing", "the model took requests, and several in a row got no answer"),
    ("model: the model's session was not set up in time", "the model was connected to and never ready"),
    ("model: does not come to an end", "the model kept calling functions and was stopped"),
    ("transfer failed: ", "nobody took the transferred call"),
    ("task:", "the code of a task raised: the log has its trace"),
    ("journal: ", "a row of the journal cannot be read"),
)
# By why an image was not shown (docs/images.md), what it means; of what is refused, an error tells.
UNSEEN = {
    "gone": "this process has none of that name: the tool has brought none, or to another process",
    "too_large": "the tool has brought a larger one than is sent",
    "not_png_or_jpeg": "what the tool has brought is no PNG and no JPEG",
    "broken": "what the tool has brought is cut off or damaged",
    "too_many": "the images of one step have too many bytes together",
    "unsupported": "the model's server takes no images, by its profile",
}


def why(
    record: CallRecord,
    entries: Sequence[JournalEntry],
    effects: Sequence[LoggedEffect] = (),
    report: VaicReport | None = None,
    *,
    unmasked: bool = False,
) -> list[str]:
    """The page, as lines. effects: that the call has begun. report: of VoiceAI Connect, if there is one."""
    lines = [*_head(record, unmasked), "", *_course(record, entries)]
    for title, found in (
        ("Slow", _slow(record)),
        ("By VoiceAI Connect's clock", _by_vaic(record, report)),
        ("Tasks", _tasks(record)),
        ("Effects", _effects(effects)),
        ("Broke", _broke(record, entries)),
        ("Tried again", _retried(record, entries)),
        ("Cost", _cost(record)),
    ):
        told = list(found)
        if told:
            lines += ["", title, *(f"  {line}" for line in told)]
    lines += ["", "Why it ended", *(f"  {line}" for line in _end(record))]
    return lines if unmasked else [without_caller(line, record.caller) for line in lines]


def _head(record: CallRecord, unmasked: bool) -> Iterator[str]:
    lasted_s = (record.ended_at - record.started_at).total_seconds()
    caller = (record.caller if unmasked else masked(record.caller)) or "withheld"
    version = f" {record.bot_digest[:12]}" if record.bot_digest else ""
    yield f"{record.conversation_id}: {record.outcome} after {clock(lasted_s * 1000)}"
    began = f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"{began}, bot {record.bot}{version}, caller {caller}, {record.media_format}"
    if record.words_unread:
        yield f"What was said is encrypted and cannot be read: {record.words_unread}"


def _end(record: CallRecord) -> Iterator[str]:
    told = ENDS.get(record.outcome)
    yield told or f"VoiceAI Connect ended the call: {record.outcome}."
    if record.outcome == "failed" and record.errors:
        yield f"Because of: {_explained(record.errors[-1])}"
    heard = [turn for turn in record.turns if turn.role == "bot" and turn.heard_ms and turn.text]
    if record.outcome != OPEN and heard and ENDED_BY.get(record.outcome) == "caller":
        yield f'Last heard from the bot: "{_short(heard[-1].text)}"'
    if left := [task.agent for task in record.tasks if task.result == "abandoned"]:
        yield f"Cut short by that: {', '.join(left)}"


# --- turn by turn ---


def _course(record: CallRecord, entries: Sequence[JournalEntry]) -> list[str]:
    """What happened, in order: turns by when they began, everything else by when it was written."""
    told: list[tuple[int, int, str]] = []
    for number, turn in enumerate(record.turns):
        told.append((_began(record.turns, number), 0, _turn(turn)))
    for entry in entries:
        at_ms = round((entry.at - record.started_at).total_seconds() * 1000)
        if happened := _happened(entry):
            told.append((at_ms, 1, f"        * {happened}"))
    return [f"{clock(at_ms, fine=True):>8}  {line}" for at_ms, _, line in sorted(told, key=lambda each: each[:2])]


def _began(turns: Sequence[TurnRecord], number: int) -> int:
    """When a turn began; of one that was never heard the one before it."""
    return next((each.began_ms for each in reversed(turns[: number + 1]) if each.began_ms is not None), 0)


def _turn(turn: TurnRecord) -> str:
    notes = []
    if turn.answer is not None:
        notes.append(f"answered after {seconds(turn.answer.answer_ms)}")
    if turn.yield_ms is not None:
        notes.append(f"interrupted the bot, which fell silent {seconds(turn.yield_ms)} later")
    if turn.role == "bot" and turn.unheard_ms >= 1000:
        notes.append(f"{seconds(turn.unheard_ms)} of it not heard")
    if turn.began_ms is None and turn.role == "bot":
        notes = ["never heard"]
    words = f'"{_short(turn.text)}"' if turn.text else "(no words)"
    aside = f"  [{', '.join(notes)}]" if notes else ""
    return f"{turn.role:<6}  {words}{aside}"


def _happened(entry: JournalEntry) -> str:  # noqa: PLR0911 - one flat match, a case a kind
    """What a row tells besides turns; "" for nothing."""
    match entry.row:
        case LookedUpRow(outcome=outcome):
            return f"look-up before the call: {outcome}"
        case CalledRow(name=name):
            return f"the model calls {name}"
        case TaskRow(agent=agent, state=state, result=result):
            return f"{agent}: {state}" if result == OPEN else f"{agent} ends: {result}"
        case LostModelRow(reason=reason):
            return f"the model is lost ({reason}), another session is tried"
        case ErrorRow(text=text):
            return f"broken: {text}"
        case ImageRow(unseen="") as row:
            return f"the model is shown the image {row.name}"
        case ImageRow(unseen=reason) as row:
            return f"the image {row.name} is not shown: {reason}"
        case StoreRow(fault=""):
            return "the store answers again: what was kept for it is written"
        case StoreRow(fault=fault):
            return f"{fault}: noticed now, it may have begun {STORE_LIMIT_S:.0f} s before"
        case ResumedRow():
            return "VoiceAI Connect lost its socket and resumed the call"
        case ParkedRow():
            return "this process lets the call go, to another one"
        case InheritedRow():
            return "another process takes the call over"
        case EndedRow(outcome=outcome):
            return f"the end: {outcome}"
        case UnreadRow(kind=kind):
            return f"a row of the kind {kind} cannot be read"
        case _:
            return ""


# --- what stands out ---


def _slow(record: CallRecord) -> Iterator[str]:
    figures = record.figures
    answers = sorted(
        (turn.answer for turn in record.turns if turn.answer is not None), key=lambda each: -each.answer_ms
    )
    for answer in answers[:SLOWEST]:
        if answer.answer_ms >= SLOW_MS:
            at = clock(answer.quiet_ms, fine=True)
            yield f"{at} answered after {seconds(answer.answer_ms)}: {stages_told(answer)}"
    longest = max(figures.silences, key=lambda each: each.length_ms, default=None)
    if longest is not None:
        at = clock(longest.at_ms, fine=True)
        yield f"longest silence {seconds(longest.length_ms)}, at {at}, after the {longest.after}"
    if figures.greeting_ms is not None and figures.greeting_ms >= SLOW_MS:
        yield f"the first sound of the bot came after {seconds(figures.greeting_ms)}"
    for tool in figures.tools:
        if tool.length_ms is None:
            yield f"{tool.name}, called at {clock(tool.at_ms, fine=True)}, was never answered"
        elif tool.length_ms >= SLOW_MS:
            yield f"{tool.name} took {seconds(tool.length_ms)}, at {clock(tool.at_ms, fine=True)}"
    if answers:
        median_ms = quantile([each.answer_ms for each in answers], 0.5)
        yield f"median of the answers {seconds(median_ms)}, of {len(answers)}"


def _by_vaic(record: CallRecord, report: VaicReport | None) -> Iterator[str]:
    """Its delays beside ours: turn by turn where both have as many, which is how they are matched."""
    if report is None:
        return
    theirs = [each.turn_ms for each in report.delays]
    ours = [turn.answer.answer_ms for turn in record.turns if turn.answer is not None]
    if len(theirs) == len(ours):
        for number, (its_ms, our_ms) in enumerate(zip(theirs, ours, strict=True), 1):
            yield f"answer {number} after {seconds(its_ms)}, by ours {seconds(our_ms)}"
        return
    median = f"median {seconds(quantile(theirs, 0.5))}, slowest {seconds(max(theirs))}"
    yield f"{len(theirs)} answers, {median}; by ours {len(ours)}, so that they cannot be matched"


def stages_told(answer: AnswerFigures) -> str:
    """The longest first."""
    known = sorted(((length_ms, stage) for stage, length_ms in answer.stages.items()), reverse=True)
    told = [f"{stage} {seconds(length_ms)}" for length_ms, stage in known if length_ms >= LEAST_MS]
    if not answer.complete:
        told.append(f"not known {seconds(answer.answer_ms - sum(answer.stages.values()))}")
    return ", ".join(told) or f"no stage over {LEAST_MS} ms"


def _tasks(record: CallRecord) -> Iterator[str]:
    for task in record.tasks:
        path = " → ".join(task.states)
        yield f"{task.agent}: {task.result}{f', by {path}' if path else ''}"
        for kind, state, text in task.notes:
            yield f"  {kind} in {state}: {_short(text)}"


def _effects(effects: Iterable[LoggedEffect]) -> Iterator[str]:
    for effect in effects:
        open_ = effect.settled_at is None or effect.status == "intended"
        settled = "" if open_ else f", settled {effect.settled_at:%H:%M:%S}"
        yield f"{effect.name}: {effect.status}, begun {effect.intended_at:%H:%M:%S}{settled}  ({effect.key})"


def _broke(record: CallRecord, entries: Sequence[JournalEntry]) -> Iterator[str]:
    for error in record.errors:
        yield _explained(error)
    images = (entry.row for entry in entries if isinstance(entry.row, ImageRow) and entry.row.unseen in UNSEEN)
    for name, reason in dict.fromkeys((row.name, row.unseen) for row in images):
        yield f"the image {name} was not shown to the model: {UNSEEN[reason]}"
    yield from _store_away(record, entries)
    refused = sum(isinstance(entry.row, AnsweredRow) and error_of(entry.row.output) != "" for entry in entries)
    if refused:
        yield f"function calls of the model that were answered with an error: {refused}"
    if unread := sum(isinstance(entry.row, UnreadRow) for entry in entries):
        yield f"rows of the journal that this release cannot read: {unread}"


def _store_away(record: CallRecord, entries: Sequence[JournalEntry]) -> Iterator[str]:
    """When the store could not be used; what a task would have done meanwhile was not confirmed to the caller."""
    away: str | None = None
    for entry in entries:
        at = clock((entry.at - record.started_at).total_seconds() * 1000)
        match entry.row:
            case StoreRow(fault=fault) if fault and away is None:
                away = f"{fault} from {at}"
            # A process that takes the call over has it from the store.
            case StoreRow(fault="") | InheritedRow() if away is not None:
                yield f"{away} to {at}: nothing could be confirmed to the caller meanwhile"
                away = None
            case _:
                pass
    if away is not None:
        yield f"{away} on: nothing could be confirmed to the caller"


def _explained(error: str) -> str:
    meaning = next((text for beginning, text in MEANINGS if error.startswith(beginning)), "")
    if error.startswith("effect "):
        unclear = " unclear: " in error
        told = len(error.split(": ")) > 2
        not_done = "not done" if told else "not done: the log of that key says why"
        meaning = "see `tieline effects`, and the log of that key" if unclear else not_done
    return f"{error}: {meaning}" if meaning else error


def _retried(record: CallRecord, entries: Sequence[JournalEntry]) -> Iterator[str]:
    kinds = [type(entry.row) for entry in entries]
    losses: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry.row, LostModelRow):
            losses[entry.row.reason] = losses.get(entry.row.reason, 0) + 1
    for reason, times in losses.items():
        yield f"the model was dialled again after {reason}{_times(times)}"
    if (dials := len(record.figures.dials_ms)) > 1:
        slowest = seconds(max(record.figures.dials_ms))
        yield f"{dials} connections to the model were opened, the slowest in {slowest}"
    if resumed := kinds.count(ResumedRow):
        yield f"VoiceAI Connect resumed the call on another socket{_times(resumed)}"
    if inherited := kinds.count(InheritedRow):
        yield f"another process went on with the call{_times(inherited)}"


def _cost(record: CallRecord) -> Iterator[str]:
    figures = record.figures
    if figures.cost_usd is not None:
        without = f", without {', '.join(figures.unpriced)}" if figures.unpriced else ""
        yield f"{figures.cost_usd:.4f} USD{without}"
    elif figures.unpriced:
        yield f"not known: no price for {', '.join(figures.unpriced)}"
    if figures.unheard_ms >= SLOW_MS:
        yield f"{seconds(figures.unheard_ms)} of speech were paid for and not heard"
    for name, share in sorted(figures.rates_left.items()):
        if share < LITTLE_LEFT:
            yield f"of the model account's limit on {name} {share:.0%} was left"


# --- words ---


def clock(at_ms: float, *, fine: bool = False) -> str:
    """Minutes and seconds from the call's start. fine: with tenths."""
    if not fine:  # as lists have it
        minutes, rest = divmod(round(max(0.0, at_ms) / 1000), 60)
        return f"{minutes}:{rest:02}"
    minutes, tenths = divmod(round(max(0.0, at_ms) / 100), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def seconds(length_ms: float) -> str:
    return f"{length_ms / 1000:.1f} s"


def _times(number: int) -> str:
    return "" if number == 1 else f", {number} times"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= WIDTH else f"{flat[: WIDTH - 1]}…"
