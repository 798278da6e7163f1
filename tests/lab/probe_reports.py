"""What tests of both probes ask of a report.

May import: lab.probe, the standard library.
"""

from __future__ import annotations

from lab.probe import ProbeReport, RuleVerdict
from lab.probe.rules import Breach, ProbeRule


def assert_full_grade(report: ProbeReport) -> None:
    """That each rule was seen, and none of them broken."""
    broken = [(each.rule.name, each.details, each.proof) for each in report.findings if each.details]
    assert broken == [], broken
    unseen = [each.rule.name for each in report.of(RuleVerdict.NOT_SEEN)]
    assert unseen == [], unseen
    assert report.grade is RuleVerdict.PASS


def assert_broken(report: ProbeReport, rule: ProbeRule) -> None:
    """That a rule was seen to be broken, with what proves it."""
    found = next(each for each in report.findings if each.rule is rule)
    assert found.verdict is (RuleVerdict.FAIL if rule.breach is Breach.FAILS else RuleVerdict.WARN), found
    assert found.details, found
    assert found.proof, found
