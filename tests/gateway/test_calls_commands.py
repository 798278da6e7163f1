"""`tieline calls` and `tieline why`, on a store that no process serves: what is printed, and what is refused."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from protocols.vaic_reports import VaicDelays
from store.call_reports import VaicReports
from store.figures import CallFigures, answer
from store.journal import CallRecord, Journal, JournalRow, TaskRecord, TurnRecord
from store.leases import Lease, Leases
from tests.commands import command, printed
from tests.gateway.daemons import logs_put_back

CALLER = "+4930555010"


@pytest.fixture
def store(store: Engine) -> Engine:
    """A store with calls of today and of the day before yesterday."""
    journal = Journal(store)
    journal.finish(call("c-1", 60, outcome="failed", errors=("model: ConnectionRefusedError",)))
    journal.finish(call("c-2", 30, tasks=(task("book", "completed"), task("end_call", "hangup")), caller=CALLER))
    journal.finish(call("c-3", 48 * 60, outcome="failed", errors=("effect crm.book failed: c-3:t1",), bot="dental"))
    return store


def call(key: str, minutes_ago: int, **fields: object) -> CallRecord:
    began = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    said = TurnRecord(role="caller", text=f"I am {CALLER}.", item_id="u", began_ms=0, ended_ms=900, heard_ms=900)
    ours: dict[str, object] = {"conversation_id": key, "bot": "linden", "caller": "", "media_format": "raw/mulaw"}
    ours["outcome"] = "completed"
    ours |= {"started_at": began, "ended_at": began + timedelta(seconds=75), "turns": (said,)}
    return CallRecord.model_validate(ours | fields)


def task(name: str, result: str) -> TaskRecord:
    return TaskRecord(agent=name, run_id=name, states=("Ask",), result=result)


def in_progress(engine: Engine, key: str) -> None:
    lease = Leases(engine, "node-a").open(key, "", {"bot": "linden", "caller": CALLER})
    assert isinstance(lease, Lease)
    began = {"bot": "linden", "caller": CALLER, "media": "raw/mulaw"}
    step = {"run": "t", "agent": "book", "state": "Confirm", "result": "open"}
    rows = [(1, "call", began), (2, "task", step)]
    Journal(engine).append(
        [JournalRow(key, seq, kind, {**body}, datetime.now(UTC), lease.epoch) for seq, kind, body in rows]
    )


def keys(*args: str) -> list[str]:
    return [line.split()[0] for line in printed("calls", "list", *args)]


def test_calls_are_listed_those_in_progress_first_then_the_newest(store: Engine) -> None:
    in_progress(store, "c-9")
    live, newest, failed, oldest = printed("calls", "list")
    assert live.split("  ")[:5] == ["c-9", "on the line", live.split("  ")[2], "linden", "+49…10"]
    assert live.endswith("  book: Confirm  node-a")
    assert newest.split("  ")[2:] == ["1:15", "linden", "+49…10", "completed", "book completed; end_call hangup"]
    assert failed.endswith("1:15  linden  withheld  failed  model: ConnectionRefusedError")
    assert oldest.startswith("c-3  ")
    assert CALLER in "\n".join(printed("calls", "list", "--unmasked"))


def test_each_option_narrows_the_list(store: Engine) -> None:
    assert keys("--outcome", "failed") == ["c-1", "c-3"]
    assert keys("--outcome", "failed", "--since", "24h") == ["c-1"]
    assert keys("--bot", "dental") == ["c-3"]
    assert keys("--caller", CALLER) == ["c-2"]
    assert keys("--task", "book") == ["c-2"]
    assert keys("--error", "refused") == ["c-1"]
    assert keys("--limit", "3") == ["c-2", "c-1", "c-3"]
    *two, more = printed("calls", "list", "--limit", "2")
    assert [line.split()[0] for line in two] == ["c-2", "c-1"]
    assert more == "and more: the newest 2 are shown; --limit, or --count for how many"
    assert keys("--since", "3d", "--until", "24h") == ["c-3"]
    assert printed("calls", "list", "--live") == ["Nobody is on the line"]
    in_progress(store, "c-9")
    assert keys("--live") == keys("--outcome", "open") == ["c-9"]


def test_how_many_failed_and_why_is_counted(store: Engine) -> None:
    in_progress(store, "c-9")
    assert printed("calls", "list", "--count") == [
        "     1  on the line",
        "     1  completed",
        "     1  failed  effect crm.book failed",
        "     1  failed  model: ConnectionRefusedError",
    ]
    assert printed("calls", "list", "--count", "--outcome", "failed", "--since", "24h") == [
        "     1  failed  model: ConnectionRefusedError"
    ]
    assert printed("calls", "list", "--count", "--live", "--bot", "nobody") == ["     0  on the line"]


@pytest.mark.parametrize("asked", [("list",), ("list", "--count"), ("cost",), ("slow",)])
def test_a_name_that_no_call_has_is_not_taken_for_good_news(store: Engine, asked: tuple[str, ...]) -> None:
    """`--outcome fail` finds nothing, however many have failed."""
    nothing, note = printed("calls", *asked, "--outcome", "fail")
    assert nothing == "No call is like that"
    assert note.startswith("note no call in the store at all has --outcome fail; there are bot-disconnected, client-")
    bots = "No call is like that", "note no call in the store at all has --bot nobody"
    assert printed("calls", *asked, "--bot", "nobody", "--outcome", "failed") == [*bots]
    assert printed("calls", *asked, "--outcome", "completed", "--bot", "dental") == ["No call is like that"]


def test_outcomes_that_metrics_do_not_tell_apart_are_found_together(store: Engine) -> None:
    Journal(store).finish(call("c-4", 5, outcome="call-refused"))
    assert keys("--outcome", "other") == keys("--outcome", "call-refused") == ["c-4"]
    assert printed("calls", "list", "--count", "--outcome", "other") == ["     1  call-refused"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (("list", "--live", "--outcome", "failed"), "live: calls in progress have no outcome"),
        (("list", "--live", "--error", "model"), "live: calls in progress have no outcome"),
        (("cost", "--outcome", "open"), "outcome: calls in progress have no record yet"),
        (("export", "--outcome", "open"), "outcome: calls in progress have no record yet"),
        (("list", "--since", "1h", "--until", "2h"), "until: "),
        (("list", "--since", "2999-01-01"), "since: 2999-01-01T00:00 UTC is yet to come"),
    ],
)
def test_a_question_that_nothing_can_answer_is_refused(store: Engine, asked: tuple[str, ...], why: str) -> None:
    result = command("calls", *asked)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"not understood --{why}")


def test_of_more_calls_in_progress_than_are_read_the_rest_is_told(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.calls.MOST_LIVE", 2)
    for number in range(7, 10):
        in_progress(store, f"c-{number}")
    assert printed("calls", "list", "--live")[2:] == ["and more: of those in progress the oldest 2 are shown"]
    assert printed("calls", "list", "--live", "--count") == ["     2  on the line or more"]


def test_what_a_day_has_cost_is_told_by_bot_and_in_all(store: Engine) -> None:
    journal = Journal(store)
    noon = datetime.now(UTC).replace(hour=12) - timedelta(days=4)  # of whichever day: it may be midnight now
    times = {"started_at": noon, "ended_at": noon + timedelta(seconds=75)}
    for key, bot, usd in (("c-4", "dental", 0.5), ("c-5", "dental", 0.25), ("c-6", "linden", 1.0)):
        journal.finish(call(key, 0, bot=bot, figures=CallFigures(cost_usd=usd), **times))
    day = noon.date()
    assert printed("calls", "cost", "--since", f"{day - timedelta(days=1)}", "--outcome", "completed")[-3:] == [
        f"{day}  dental  2 calls  0.75 USD, 0.3750 a call",
        f"{day}  linden  1 call  1.00 USD, 1.0000 a call",
        "in all  4 calls  1.75 USD, 0.5833 a call  1 without a cost",
    ]
    assert printed("calls", "cost", "--since", "30m", "--bot", "dental") == ["No call is like that"]
    assert "  0.5000 USD" in printed("calls", "list", "--bot", "dental", "--limit", "3")[-1]
    (row,) = (json.loads(line) for line in printed("calls", "export", "--bot", "linden", "--since", "6d")[-1:])
    assert row["cost_usd"] == 1.0


def test_a_day_of_which_only_a_part_is_meant_says_so(store: Engine) -> None:
    day = (datetime.now(UTC) - timedelta(days=4)).date()
    for hour in (1, 10, 20):
        began = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=hour)
        times = {"started_at": began, "ended_at": began + timedelta(seconds=75)}
        Journal(store).finish(call(f"h-{hour}", 0, bot="part", figures=CallFigures(cost_usd=1.0), **times))
    since, until = ("--since", f"{day}T02:30"), ("--until", f"{day}T12:00")
    whole = "--since", f"{day}", "--until", f"{day + timedelta(days=1)}"
    told = {asked: printed("calls", "cost", "--bot", "part", *asked)[0] for asked in (whole, since, since + until)}
    assert list(told.values()) == [
        f"{day}  part  3 calls  3.00 USD, 1.0000 a call",
        f"{day}  part  2 calls  2.00 USD, 1.0000 a call  from 02:30Z",
        f"{day}  part  1 call  1.00 USD, 1.0000 a call  from 02:30Z  before 12:00Z",
    ]


def test_what_has_no_price_is_told_beside_what_has_one(store: Engine) -> None:
    journal = Journal(store)
    for key, usd, models in (("p-1", 0.5, ()), ("p-2", 0.25, ("whisper-9",)), ("p-3", None, ("gpt-9", "whisper-9"))):
        journal.finish(call(key, 1, bot="new", figures=CallFigures(cost_usd=usd, unpriced=models)))
    told = "3 calls  0.75 USD or more, 0.3750 a call  1 without a cost  1 priced in part"
    cost = printed("calls", "cost", "--bot", "new")
    assert [line.partition("  ")[2] for line in cost[:2]] == [f"new  {told}", told]
    assert cost[2:] == ["no price for gpt-9, whisper-9: see TIELINE_PRICES"]
    listed = sorted(printed("calls", "list", "--bot", "new"))
    assert [line.partition("  completed  ")[2] for line in listed] == [
        "0.5000 USD", "0.2500 USD without whisper-9", "without gpt-9; whisper-9",
    ]  # fmt: skip
    exported = [json.loads(line)["unpriced"] for line in printed("calls", "export", "--bot", "new")]
    assert sorted(exported) == [[], ["gpt-9", "whisper-9"], ["whisper-9"]]
    assert "not known: no price for gpt-9, whisper-9" in "\n".join(printed("why", "p-3"))


def test_the_slowest_answers_of_many_calls_are_told_with_their_stages(
    store: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.call_queries.MOST_ON_PAGE", 2)
    said = TurnRecord(role="caller", text="", item_id="u", began_ms=0, ended_ms=900, heard_ms=900)
    for number in range(1, 6):
        quiet, heard = 10_000, 10_000 + number * 1000
        marks = {"asked_ms": 10_300, "first_ms": heard, "sent_ms": heard}
        figures = answer(item_id="b", quiet_ms=quiet, turn_ms=10_300, heard_ms=heard, **marks)
        journaled = call(f"s-{number}", number, bot="slow", turns=(said.model_copy(update={"answer": figures}),))
        Journal(store).finish(journaled)
    assert printed("calls", "slow", "--bot", "slow", "--limit", "2") == [
        "5 answers in 5 calls",
        "  answer       median   3.0 s, 95% below   5.0 s",
        "  endpointing  median   0.3 s, 95% below   0.3 s",
        "  ours         median   0.0 s, 95% below   0.0 s",
        "  model        median   2.7 s, 95% below   4.7 s",
        "  tool         median   0.0 s, 95% below   0.0 s",
        "  playout      median   0.0 s, 95% below   0.0 s",
        "s-5  at 0:10.0  slow  5.0 s: model 4.7 s, endpointing 0.3 s",
        "s-4  at 0:10.0  slow  4.0 s: model 3.7 s, endpointing 0.3 s",
    ]
    assert printed("calls", "slow", "--since", "24h", "--bot", "linden") == ["No answer in 2 calls"]


def test_a_moment_that_cannot_be_understood_is_told_and_ends_with_2(store: Engine) -> None:
    result = command("calls", "list", "--since", "yesterday")
    assert (result.exit_code, result.stderr) == (
        2, "not understood --since: must be as 90m, 24h, 7d, today, or as 2026-11-30T03:00 (UTC)\n"
    )  # fmt: skip


def test_an_export_has_every_call_as_objects_or_as_a_table(store: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.call_queries.MOST_ON_PAGE", 1)  # pages follow each other
    objects = [json.loads(line) for line in printed("calls", "export")]
    assert [(each["id"], each["caller"], each["reason"]) for each in objects] == [
        ("c-2", "+49…10", ""),
        ("c-1", "", "model: ConnectionRefusedError"),
        ("c-3", "", "effect crm.book failed"),
    ]
    table = list(csv.DictReader(printed("calls", "export", "--format", "csv", "--unmasked", "--since", "24h")))
    assert [(each["id"], each["caller"], each["tasks"], each["seconds"]) for each in table] == [
        ("c-2", CALLER, "book completed; end_call hangup", "75.0"),
        ("c-1", "", "", "75.0"),
    ]


def test_a_table_has_no_cell_that_a_spreadsheet_would_carry_out(store: Engine) -> None:
    Journal(store).finish(call("=1+1", 5, errors=("@SUM(A1)",), caller="+1+cmd|' /C calc'!A0"))
    rows = csv.DictReader(printed("calls", "export", "--format", "csv", "--unmasked", "--since", "10m"))
    (row,) = rows
    assert (row["id"], row["reason"], row["caller"]) == ("'=1+1", "'@SUM(A1)", "'+1+cmd|' /C calc'!A0")


def test_a_call_is_shown_whole_and_its_callers_number_only_if_asked(store: Engine) -> None:
    shown = json.loads("\n".join(printed("calls", "show", "c-2")))
    assert (shown["caller"], shown["turns"][0]["text"]) == ("+49…10", "I am +49…10.")
    assert "vaic" not in shown
    VaicReports(store).put({"c-2": (VaicDelays(turn_ms=1180),)}, datetime.now(UTC))
    whole = json.loads("\n".join(printed("calls", "show", "c-2", "--unmasked")))
    assert (whole["caller"], whole["vaic"]["delays"][0]["turn_ms"]) == (CALLER, 1180)


def test_why_tells_of_calls_that_ended_and_of_those_in_progress(store: Engine) -> None:
    told = printed("why", "c-1")
    assert told[0] == "c-1: failed after 1:15"
    assert told[-1].startswith("  Because of: model: ConnectionRefusedError: nothing listens at the model's address")
    in_progress(store, "c-9")
    told = printed("why", "c-9")
    assert (told[0], told[-1]) == ("c-9: open after 0:00", "  The call goes on.")
    assert "bot linden, caller +49…10, raw/mulaw" in told[1]
    assert f"caller {CALLER}" in printed("why", "c-9", "--unmasked")[1]


@pytest.mark.parametrize("args", [("calls", "show", "c-7"), ("why", "c-7")])
def test_a_call_that_is_not_there_is_told_and_ends_with_1(store: Engine, args: tuple[str, ...]) -> None:
    result = command(*args)
    assert (result.exit_code, result.stderr) == (1, "no such call c-7\n")


def test_a_store_that_is_not_there_ends_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIELINE_DATABASE_URL", f"sqlite:///{tmp_path}/none.sqlite3")
    with logs_put_back():
        for args in (("calls", "list"), ("calls", "export"), ("why", "c-1")):
            result = command(*args)
            assert (result.exit_code, "there is no such file" in result.stderr) == (2, True)
