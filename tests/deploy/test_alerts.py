"""Prometheus' rules: each alert fires where it must and only there, has its page, and names real metrics."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from actors import metrics
from actors.call.recorder import ENDED_BY
from store.figures import OUTCOMES
from tools.dashboards import BOARDS as BOARDS_OF
from tools.dashboards import board, text

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/tieline.rules.yml"
RUNBOOK = ROOT / "docs/runbook.md"
BOARDS = ROOT / "deploy/grafana"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


@dataclass(frozen=True, slots=True)
class Scene:
    """Series in promtool's notation, a sample a minute, and the minute at which to look."""

    fires: Mapping[str, str]
    quiet: Mapping[str, str]
    minute: int


BOT = 'bot="linden"'
ENDED = "tieline_calls_ended_total"
SCENES: Mapping[str, Scene] = {
    "TielineDown": Scene({'up{job="tieline"}': "0x10"}, {'up{job="tieline"}': "1x10"}, 5),
    "TielineNoneReady": Scene(
        {'tieline_ready{instance="a"}': "0x10", 'tieline_ready{instance="b"}': "1 0x10"},
        {'tieline_ready{instance="a"}': "0x10", 'tieline_ready{instance="b"}': "1x10"},  # one leaves
        5,
    ),
    "TielineStoreAway": Scene({"tieline_store_ready": "0x10"}, {"tieline_store_ready": "1x10"}, 5),
    "TielineModelCircuitOpen": Scene(
        {"tieline_model_circuit_open": "1x10"}, {"tieline_model_circuit_open": "1 0x10"}, 5
    ),
    "TielineCallsFail": Scene(
        {f'{ENDED}{{outcome="failed"}}': "0+1x30", f'{ENDED}{{outcome="completed"}}': "0+9x30"},
        # One in a hundred; and three calls at night, of which two fail.
        {f'{ENDED}{{outcome="failed"}}': "0+1x30", f'{ENDED}{{outcome="completed"}}': "0+99x30"},
        20,
    ),
    "TielineCallsRefused": Scene(
        {'tieline_calls_refused_total{reason="full"}': "0+1x30"},
        {'tieline_calls_refused_total{reason="full"}': "3x30"},
        20,
    ),
    "TielineBudgetSpent": Scene(
        {f'{ENDED}{{outcome="too-costly"}}': "0+1x30"},
        {f'{ENDED}{{outcome="too-costly"}}': "0 0 2x28"},  # two long calls
        20,
    ),
    "TielineEffectsUnsettled": Scene(
        {"tieline_effects_unsettled": "1x30"}, {"tieline_effects_unsettled": "1x5 0x30"}, 20
    ),
    "TielineJournalRowsLost": Scene(
        {"tieline_lost_journal_rows_total": "0x10 1x10"}, {"tieline_lost_journal_rows_total": "1x20"}, 15
    ),
    "TielineLoopLate": Scene(
        {
            'tieline_loop_lag_seconds_bucket{instance="a",le="0.05"}': "0+100x20",
            'tieline_loop_lag_seconds_bucket{instance="a",le="0.1"}': "0+110x20",
            'tieline_loop_lag_seconds_bucket{instance="a",le="+Inf"}': "0+110x20",
        },
        {
            'tieline_loop_lag_seconds_bucket{instance="a",le="0.05"}': "0+1200x20",
            'tieline_loop_lag_seconds_bucket{instance="a",le="0.1"}': "0+1201x20",
            'tieline_loop_lag_seconds_bucket{instance="a",le="+Inf"}': "0+1201x20",
        },
        15,
    ),
    "TielineAnswersSlow": Scene(
        {
            f'tieline_answer_seconds_bucket{{{BOT},le="3.0"}}': "0+8x40",
            f'tieline_answer_seconds_bucket{{{BOT},le="6.0"}}': "0+10x40",
            f'tieline_answer_seconds_bucket{{{BOT},le="+Inf"}}': "0+10x40",
            f"tieline_answer_seconds_count{{{BOT}}}": "0+10x40",
        },
        {
            f'tieline_answer_seconds_bucket{{{BOT},le="3.0"}}': "0+99x40",
            f'tieline_answer_seconds_bucket{{{BOT},le="6.0"}}': "0+100x40",
            f'tieline_answer_seconds_bucket{{{BOT},le="+Inf"}}': "0+100x40",
            f"tieline_answer_seconds_count{{{BOT}}}": "0+100x40",
        },
        30,
    ),
    "TielineWorkerDies": Scene(
        {'tieline_worker_failures{worker="1"}': "3x5"}, {'tieline_worker_failures{worker="1"}': "1x5"}, 3
    ),
    "TielineNearlyFull": Scene(
        {
            'tieline_calls_live{instance="a"}': "100x20",
            'tieline_calls_live{instance="b"}': "70x20",
            'tieline_calls_capacity{instance="a"}': "100x20",
            'tieline_calls_capacity{instance="b"}': "100x20",
        },
        {
            'tieline_calls_live{instance="a"}': "100x20",
            'tieline_calls_live{instance="b"}': "10x20",
            'tieline_calls_capacity{instance="a"}': "100x20",
            'tieline_calls_capacity{instance="b"}': "100x20",
        },
        15,
    ),
    # The first of its kind in the life of a process.
    "TielineEffectsFail": Scene(
        {'tieline_effects_total{effect="book",result="failed"}': "_x20 1x20"},
        {
            'tieline_effects_total{effect="book",result="failed"}': "1x40",
            'tieline_effects_total{effect="book",result="ok"}': "_x20 1x20",
        },
        25,
    ),
    "TielineJournalRowsHeld": Scene({"tieline_held_journal_rows": "3x10"}, {"tieline_held_journal_rows": "3 0x10"}, 5),
    "TielineJournalRowsPassedOver": Scene(
        {'tieline_passed_over_journal_rows_total{why="kind"}': "_x20 1x20"},
        {'tieline_passed_over_journal_rows_total{why="kind"}': "1x40"},
        25,
    ),
    "TielineRowsUnreadable": Scene(
        {'tieline_unreadable_rows_total{table="lease"}': "_x20 1x20"},
        {'tieline_unreadable_rows_total{table="lease"}': "1x40"},
        25,
    ),
    "TielineCallsForgotten": Scene(
        {"tieline_calls_forgotten_total": "0x10 1x10"}, {"tieline_calls_forgotten_total": "1x20"}, 15
    ),
    "TielineBotFaults": Scene({f"tieline_bot_faults{{{BOT}}}": "2x10"}, {f"tieline_bot_faults{{{BOT}}}": "2 0x10"}, 8),
    "TielineOwnDelay": Scene(
        {
            'tieline_answer_stage_seconds_bucket{stage="ours",le="0.1"}': "0+5x40",
            'tieline_answer_stage_seconds_bucket{stage="ours",le="0.25"}': "0+10x40",
            'tieline_answer_stage_seconds_bucket{stage="ours",le="+Inf"}': "0+10x40",
        },
        {
            'tieline_answer_stage_seconds_bucket{stage="ours",le="0.1"}': "0+10x40",
            'tieline_answer_stage_seconds_bucket{stage="ours",le="+Inf"}': "0+10x40",
            'tieline_answer_stage_seconds_bucket{stage="model",le="0.1"}': "0+1x40",
            'tieline_answer_stage_seconds_bucket{stage="model",le="+Inf"}': "0+10x40",
        },
        30,
    ),
    "TielineLongSilences": Scene(
        {
            f'tieline_silence_seconds_bucket{{{BOT},after="caller",le="10.0"}}': "0x20",
            f'tieline_silence_seconds_count{{{BOT},after="caller"}}': "0+1x20",
        },
        {
            f'tieline_silence_seconds_bucket{{{BOT},after="caller",le="10.0"}}': "0+1x20",
            f'tieline_silence_seconds_count{{{BOT},after="caller"}}': "0+1x20",
            f'tieline_silence_seconds_bucket{{{BOT},after="bot",le="10.0"}}': "0x20",
            f'tieline_silence_seconds_count{{{BOT},after="bot"}}': "0+1x20",
        },
        15,
    ),
    "TielineLoopOverloaded": Scene(
        {"tieline_loop_overloads_total": "0x10 1x10"}, {"tieline_loop_overloads_total": "1x20"}, 15
    ),
    "TielineOutboxDead": Scene({"tieline_outbox_dead": "1x5"}, {"tieline_outbox_dead": "0x5"}, 3),
    "TielineOutboxGrows": Scene({"tieline_outbox_due": "0+1x180"}, {"tieline_outbox_due": "5x180"}, 150),
    "TielineRecordingsLost": Scene(
        {'tieline_recording_blocks_lost_total{why="disk"}': "_x20 1x20"},
        {'tieline_recording_blocks_lost_total{why="disk"}': "1x40"},
        25,
    ),
    "TielineLookupsBeforeCallsFail": Scene(
        {'tieline_before_call_total{outcome="late"}': "0+1x20"},
        {'tieline_before_call_total{outcome="late"}': "1x20", 'tieline_before_call_total{outcome="found"}': "0+1x20"},
        15,
    ),
    "TielineToolChanged": Scene(
        {'tieline_tools_refused_total{tool="crm.find"}': "_x20 1x20"},
        {'tieline_tools_refused_total{tool="crm.find"}': "1x40"},
        25,
    ),
    "TielineActorsDie": Scene(
        {'tieline_child_deaths_total{child="agent"}': "0+1x20"},
        {'tieline_child_deaths_total{child="agent"}': "1x20"},
        15,
    ),
    "TielineModelMisstates": Scene(
        {
            'tieline_task_faults_total{fault="misstated"}': "0+1x60",
            'tieline_false_claims_total{claim="book"}': "0+1x60",
            f'{ENDED}{{outcome="completed"}}': "0+2x60",
        },
        {
            'tieline_task_faults_total{fault="misstated"}': "0x60",
            'tieline_false_claims_total{claim="book"}': "0+1x60",
            f'{ENDED}{{outcome="completed"}}': "0+20x60",
        },
        50,
    ),
    "TielineKeysNotFetched": Scene(
        {
            'tieline_oauth_key_fetches_total{result="failed"}': "0+1x180",
            'tieline_oauth_key_fetches_total{result="ok"}': "1x180",
        },
        {
            'tieline_oauth_key_fetches_total{result="failed"}': "0+1x180",
            'tieline_oauth_key_fetches_total{result="ok"}': "0+1x180",
        },
        150,
    ),
    "TielineModelTokenNotFetched": Scene(
        {'tieline_model_token_fetches_total{outcome="failed"}': "0+1x20"},
        {'tieline_model_token_fetches_total{outcome="ok"}': "0+1x20"},
        15,
    ),
    "TielineCertificateExpires": Scene(
        {"tieline_tls_certificate_expires_seconds": "86400x10"}, {"tieline_tls_certificate_expires_seconds": "0x10"}, 5
    ),
    "TielineCertificateNotLoaded": Scene(
        {'tieline_tls_reloads_total{result="failed"}': "0+1x20"},
        {'tieline_tls_reloads_total{result="ok"}': "0+1x20"},
        15,
    ),
    "TielineNamesGuessed": Scene(
        {'tieline_lookups_total{effect="find",outcome="wrong"}': "0+3x20"},
        {
            'tieline_lookups_total{effect="find",outcome="wrong"}': "0+3x20",
            'tieline_lookups_total{effect="find",outcome="matched"}': "0+3x20",
        },
        15,
    ),
    "TielineTokensGuessed": Scene(
        {'tieline_auth_failures_total{status="401"}': "0+5x20"},
        {'tieline_auth_failures_total{status="401"}': "5x20"},
        15,
    ),
    "TielineCostOfCallsJumps": Scene(
        {
            f'tieline_cost_usd_total{{{BOT},kind="response"}}': "0+0.1x180 18+1x120",
            f'{ENDED}{{outcome="completed"}}': "0+1x300",
        },
        {
            f'tieline_cost_usd_total{{{BOT},kind="response"}}': "0+0.1x300",
            f'{ENDED}{{outcome="completed"}}': "0+1x300",
        },
        290,
    ),
    "TielineLogLinesLost": Scene(
        {"tieline_lost_log_lines_total": "0x10 1x10"}, {"tieline_lost_log_lines_total": "1x20"}, 15
    ),
}


def alerts() -> list[str]:
    return re.findall(r"- alert: (\w+)", RULES.read_text())


def metrics_named(text: str) -> set[str]:
    """The metrics of ours that a text names, without the endings of a histogram's series."""
    names = set(re.findall(r"\btieline_[a-z_]+\b", text))
    return {re.sub(r"_(bucket|count|sum)$", "", each) for each in names}


def ours() -> set[str]:
    kinds = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    families = [family for kind in kinds for family in kind.describe()]
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in families}


def test_each_alert_has_a_scene() -> None:
    assert sorted(SCENES) == sorted(alerts())


def judge(folder: Path, scenes: Iterable[tuple[str, Mapping[str, str], int, bool]]) -> None:
    """Check by promtool. scenes: an alert, the series, the minute at which to look, and whether it must fire then."""
    looks = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [{"series": each, "values": values} for each, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count by (alertname) (ALERTS{{alertname="{name}",alertstate="firing"}})',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}] if fires else [],
                }
            ],
        }
        for name, series, minute, fires in scenes
    ]
    # JSON is YAML.
    plan = folder / "alerts.json"
    plan.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": looks}))
    said = subprocess.run(["promtool", "test", "rules", str(plan)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@needs_promtool
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "is quiet"])
def test_an_alert_fires_where_it_must_and_only_there(fires: bool, tmp_path: Path) -> None:
    judge(tmp_path, [(name, each.fires if fires else each.quiet, each.minute, fires) for name, each in SCENES.items()])


@needs_promtool
def test_somebody_is_woken_where_no_process_is_seen(tmp_path: Path) -> None:
    judge(tmp_path, [("TielineNoneReady", {'tieline_ready{instance="a"}': "1 1 1 stale"}, 8, True)])


@needs_promtool
def test_prometheus_understands_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)


def test_each_alert_has_its_page() -> None:
    pages = [each.lower() for each in re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)]
    assert pages == [each.lower() for each in alerts()]
    links = re.findall(r"runbook: docs/runbook\.md#(\w+)", RULES.read_text())
    assert links == pages


@pytest.mark.parametrize("path", [RULES, RUNBOOK, *sorted(BOARDS.glob("*.json"))], ids=lambda path: path.name)
def test_each_metric_that_is_named_exists(path: Path) -> None:
    assert metrics_named(path.read_text()) - ours() == set()


@pytest.mark.parametrize("name", BOARDS_OF)
def test_a_board_is_what_its_source_says(name: str) -> None:
    assert (BOARDS / f"{name}.json").read_text() == text(name), "python -m tools.dashboards"


@needs_promtool
def test_prometheus_understands_the_queries_of_the_boards(tmp_path: Path) -> None:
    queries = [target["expr"] for name in BOARDS_OF for panel in board(name)["panels"] for target in panel["targets"]]
    filled = [each.replace("$__range", "1h").replace("$bot", ".*") for each in queries]
    # As rules, which promtool parses.
    rules = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(filled)]
    path = tmp_path / "queries.json"
    path.write_text(json.dumps({"groups": [{"name": "boards", "rules": rules}]}))
    said = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_each_recorded_figure_that_a_board_shows_is_recorded() -> None:
    recorded = set(re.findall(r"- record: (\S+)", RULES.read_text()))
    shown = {each for name in BOARDS_OF for each in re.findall(r"\btieline:[a-z0-9_:]+", text(name))}
    assert shown <= recorded


def test_what_an_alert_awaits_the_first_of_is_counted_from_zero() -> None:
    # A growth of more than none, of a series with a label; and the failed calls, of which a process may have few.
    awaited = set(re.findall(r'increase\((tieline_\w+)\{(\w+)="(\w+)"\}\[\w+\]\)\)? > 0', RULES.read_text()))
    assert awaited
    awaited |= {("tieline_calls_ended_total", "outcome", outcome) for outcome in OUTCOMES | ENDED_BY.keys()}
    for name, label, value in awaited:
        assert REGISTRY.get_sample_value(name, {label: value}) is not None, f"{name} {value}"


def test_each_log_line_that_a_page_names_is_written() -> None:
    sources = [
        each for folder in ("actors", "gateway", "store", "fsm", "http_tools") for each in (ROOT / folder).rglob("*.py")
    ]
    code = "\n".join(each.read_text() for each in sources)
    told = re.findall(r"[Ll]og lines? ((?:`[^`]+`(?:, )?)+)", RUNBOOK.read_text())
    named = {each for line in told for each in re.findall(r"`([^`]+)`", line)}
    assert named
    assert {each for each in named if each not in code} == set()
