"""The probe's verdict on the daemon with the engine: the full grade."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.probe import ProbeReport, ProbeSettings, RuleVerdict, probe_bot
from tests.calls.live import PATIENCE_S, practice
from tests.paced_loop import run_paced


@pytest.mark.faults
def test_the_daemon_gets_the_full_grade(tmp_path: Path) -> None:
    async def graded() -> ProbeReport:
        async with practice(tmp_path) as services:
            patience_s = PATIENCE_S * services.speed
            return await probe_bot(ProbeSettings(url=services.vaic_url, speed=services.speed, patience_s=patience_s))

    report = run_paced(graded())
    assert [(each.rule.name, each.details, each.proof) for each in report.findings if each.details] == []
    # The daemon of these tests takes calls without a token.
    assert [each.rule.name for each in report.of(RuleVerdict.NOT_SEEN)] == ["wrong_token"]
