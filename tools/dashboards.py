"""Grafana's boards, written to deploy/grafana: `python -m tools.dashboards`.

A board is rows of panels, a panel is a title, a unit and its queries; where they stand on the page is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "deploy/grafana"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 24, 8
# In a query: the bots that are chosen on the board.
BOT = 'bot=~"$bot"'


@dataclass(frozen=True, slots=True)
class Panel:
    """title: what it shows. unit: Grafana's name of it. queries: each with the legend of its lines. says: for the (i)."""

    title: str
    unit: str
    queries: Mapping[str, str]
    says: str = ""
    kind: str = "timeseries"
    stacked: bool = False


def quantiles(metric: str, *labels: str, of: str = "") -> dict[str, str]:
    """Queries for the median and the 95th percentile of a histogram, by labels."""
    by, chosen = ", ".join((*labels, "le")), f"{{{of}}}" if of else ""
    legend = " ".join(f"{{{{{each}}}}}" for each in labels)
    return {
        f"p{share} {legend}".strip(): f"histogram_quantile(0.{share}, sum by ({by}) (rate({metric}_bucket{chosen}[5m])))"
        for share in (50, 95)
    }


def rate(metric: str, *labels: str, of: str = "", per_s: float = 1, window: str = "5m") -> dict[str, str]:
    """A query for how fast a counter grows, by labels. per_s: 60 for a minute."""
    legend, chosen = " ".join(f"{{{{{each}}}}}" for each in labels) or "all", f"{{{of}}}" if of else ""
    times = "" if per_s == 1 else f" * {per_s:g}"
    by = f" by ({', '.join(labels)})" if labels else ""
    return {legend: f"sum{by} (rate({metric}{chosen}[{window}])){times}"}


BOARDS: Mapping[str, tuple[str, Sequence[Sequence[Panel]]]] = {
    "fleet": (
        "Tieline: fleet",
        (
            (
                Panel(
                    "Calls in progress",
                    "short",
                    {"all": "sum(tieline_calls_live)", "may be": "sum(tieline_calls_capacity)"},
                    kind="stat",
                ),
                Panel(
                    "Calls failed or lost", "percentunit", {"last 15 min": "tieline:calls_failed:ratio15m"}, kind="stat"
                ),
                Panel("Effects without an outcome", "short", {"all": "max(tieline_effects_unsettled)"}, kind="stat"),
                Panel(
                    "Processes that take calls",
                    "short",
                    {"ready": "sum(tieline_ready)", "of": "count(tieline_ready)"},
                    kind="stat",
                ),
                Panel("Store answers", "short", {"{{instance}}": "tieline_store_ready"}, "1: yes", kind="stat"),
            ),
            (
                Panel("Calls in progress by process", "short", {"{{instance}}": "tieline_calls_live"}, stacked=True),
                Panel(
                    "Calls ended a minute, by outcome",
                    "short",
                    rate("tieline_calls_ended_total", "outcome", per_s=60),
                    stacked=True,
                ),
            ),
            (
                Panel(
                    "Calls refused a minute, by reason",
                    "short",
                    rate("tieline_calls_refused_total", "reason", per_s=60),
                ),
                Panel(
                    "Lag of the event loop",
                    "s",
                    quantiles("tieline_loop_lag_seconds", "instance"),
                    "over 50 ms audio stutters",
                ),
            ),
            (
                Panel("Deaths of actors a minute", "short", rate("tieline_child_deaths_total", "child", per_s=60)),
                Panel(
                    "Circuit to the model",
                    "short",
                    {"{{instance}}": "tieline_model_circuit_open"},
                    "1: open, calls do without the model",
                ),
                Panel(
                    "Journal",
                    "short",
                    {
                        "held": "sum(tieline_held_journal_rows)",
                        "lost": "sum(increase(tieline_lost_journal_rows_total[5m]))",
                    },
                ),
            ),
            (
                Panel("Sockets cut, by leg", "short", rate("tieline_floods_total", "leg", per_s=60)),
                Panel(
                    "Frames that broke the protocol a minute",
                    "short",
                    rate("tieline_bad_frames_total", "leg", "reason", per_s=60),
                ),
                Panel(
                    "Versions of each bot",
                    "short",
                    {"{{bot}}": "count by (bot) (count by (bot, digest) (tieline_bot_info == 1))"},
                    "how many there are in use; more than one in a deploy",
                ),
            ),
        ),
    ),
    "quality": (
        "Tieline: quality",
        (
            (
                Panel(
                    "Answer time, as heard",
                    "s",
                    quantiles("tieline_answer_seconds", "bot", of=BOT),
                    "from the caller's last word to the first sound of the answer",
                ),
                Panel(
                    "Where it goes: stages, p95",
                    "s",
                    {
                        "{{stage}}": f"histogram_quantile(0.95, sum by (stage, le) (rate(tieline_answer_stage_seconds_bucket{{{BOT}}}[5m])))"
                    },
                ),
            ),
            (
                Panel(
                    "Greeting",
                    "s",
                    quantiles("tieline_greeting_seconds", "bot", of=BOT),
                    "from the call's start to the first sound",
                ),
                Panel(
                    "Yielding to the caller",
                    "s",
                    quantiles("tieline_yield_seconds", "bot", of=BOT),
                    "how long the bot talks on",
                ),
                Panel(
                    "Silences over 5 s a minute",
                    "short",
                    {
                        "after {{after}}": f'(sum by (after) (rate(tieline_silence_seconds_count{{{BOT}}}[5m])) - sum by (after) (rate(tieline_silence_seconds_bucket{{{BOT},le="5.0"}}[5m]))) * 60'
                    },
                ),
            ),
            (
                Panel(
                    "Tools, p95",
                    "s",
                    {
                        "{{tool}} {{outcome}}": "histogram_quantile(0.95, sum by (tool, outcome, le) (rate(tieline_tool_seconds_bucket[5m])))"
                    },
                ),
                Panel(
                    "Effects a minute, by result", "short", rate("tieline_effects_total", "effect", "result", per_s=60)
                ),
                Panel("Connections to the model", "s", quantiles("tieline_dial_seconds")),
            ),
            (
                Panel("Tasks ended a minute", "short", rate("tieline_tasks_ended_total", "agent", "outcome", per_s=60)),
                Panel(
                    "What the model does wrong, a minute",
                    "short",
                    rate("tieline_task_faults_total", "fault", per_s=60)
                    | {"false claim of {{claim}}": "sum by (claim) (rate(tieline_false_claims_total[5m])) * 60"},
                ),
                Panel("Barge-ins a minute", "short", rate("tieline_barge_ins_total", per_s=60)),
            ),
        ),
    ),
    "cost": (
        "Tieline: cost",
        (
            (
                Panel(
                    "Spent in the time shown",
                    "currencyUSD",
                    {"all": f"sum(increase(tieline_cost_usd_total{{{BOT}}}[$__range]))"},
                    kind="stat",
                ),
                Panel("A call, on average", "currencyUSD", {"last hour": "tieline:call_cost_usd:mean1h"}, kind="stat"),
                Panel(
                    "Speech paid for and never heard",
                    "s",
                    {"in the time shown": f"sum(increase(tieline_unheard_seconds_total{{{BOT}}}[$__range]))"},
                    kind="stat",
                ),
            ),
            (
                Panel(
                    "Spent an hour, by bot",
                    "currencyUSD",
                    rate("tieline_cost_usd_total", "bot", of=BOT, per_s=3600),
                    stacked=True,
                ),
                Panel(
                    "Spent an hour, by what for",
                    "currencyUSD",
                    rate("tieline_cost_usd_total", "kind", of=BOT, per_s=3600),
                    stacked=True,
                ),
            ),
            (
                Panel(
                    "Tokens a minute",
                    "short",
                    rate("tieline_tokens_total", "direction", "modality", "cached", per_s=60),
                    stacked=True,
                ),
                Panel(
                    "Share of the input that was cached",
                    "percentunit",
                    {
                        "{{model}}": 'sum by (model) (rate(tieline_tokens_total{direction="input",cached="true"}[15m])) / sum by (model) (rate(tieline_tokens_total{direction="input"}[15m]))'
                    },
                ),
                Panel("Speech transcribed, s a minute", "s", rate("tieline_transcribed_seconds_total", per_s=60)),
            ),
        ),
    ),
    "calls": (
        "Tieline: calls",
        (
            (
                Panel("Length of a call", "s", quantiles("tieline_call_seconds")),
                Panel(
                    "Calls ended an hour, by outcome",
                    "short",
                    rate("tieline_calls_ended_total", "outcome", per_s=3600),
                    stacked=True,
                ),
            ),
            (
                Panel(
                    "Transfers that nobody answered",
                    "short",
                    rate("tieline_transfers_failed_total", "reason", per_s=60),
                ),
                Panel(
                    "Look-ups by what callers claim",
                    "short",
                    rate("tieline_lookups_total", "effect", "outcome", per_s=60),
                ),
                Panel("Look-ups before calls", "short", rate("tieline_before_call_total", "outcome", per_s=60)),
            ),
            (
                Panel(
                    "To be told of ended calls",
                    "short",
                    {"due": "max(tieline_outbox_due)", "given up": "max(tieline_outbox_dead)"},
                ),
                Panel(
                    "Sessions of the model renewed or refused",
                    "short",
                    {"renewed": "sum(rate(tieline_model_sessions_renewed_total[5m])) * 60"}
                    | rate("tieline_model_updates_refused_total", "done", per_s=60),
                ),
                Panel("Errors of the model a minute", "short", rate("tieline_model_errors_total", "code", per_s=60)),
            ),
        ),
    ),
}


def drawn(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + index), "datasource": SOURCE, "expr": query, "legendFormat": legend}
        for index, (legend, query) in enumerate(panel.queries.items())
    ]
    lines = {"stacking": {"mode": "normal" if panel.stacked else "none"}, "fillOpacity": 20 if panel.stacked else 0}
    custom = {} if panel.kind == "stat" else {"custom": {**lines, "showPoints": "never"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **custom}, "overrides": []},
        "options": {},
        "targets": targets,
    }


def board(name: str) -> dict[str, Any]:
    title, rows = BOARDS[name]
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        height = HEIGHT // 2 if all(each.kind == "stat" for each in row) else HEIGHT
        width = WIDTH // len(row)
        for index, panel in enumerate(row):
            place = {"x": index * width, "y": top, "w": width, "h": height}
            panels.append(drawn(panel, len(panels) + 1, place))
        top += height
    choices = [
        {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
        {
            "name": "bot",
            "label": "Bot",
            "type": "query",
            "datasource": SOURCE,
            "query": "label_values(tieline_bot_info, bot)",
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]
    return {
        "uid": f"tieline-{name}",
        "title": title,
        "tags": ["tieline"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": choices},
        "links": [{"type": "dashboards", "title": "Tieline", "tags": ["tieline"], "asDropdown": True}],
        "panels": panels,
    }


def text(name: str) -> str:
    return json.dumps(board(name), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))


if __name__ == "__main__":
    main()
