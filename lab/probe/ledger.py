"""What is known of each rule: kept, broken or not seen, with the messages that prove it.

May import: lab.probe, the standard library. Each rule is data, in lab/probe/rules.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any

from lab.probe.rules import Breach, ProbeRule

_PROOFS = 4  # messages a rule; the first ones
_LONGEST_TEXT = 60  # of one field of a message: audio is longer
_LONGEST_MESSAGE = 600


class RuleVerdict(StrEnum):
    """What was seen of a rule. WARN: broken, by what the other side puts up with."""

    PASS = "pass"  # noqa: S105 - a verdict
    WARN = "warn"
    FAIL = "fail"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class ProbedMessage:
    """One message in a scene. sent: by the probe. frame: None if it is no JSON object."""

    scene: str
    at_ms: int
    sent: bool
    text: str
    frame: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        return str((self.frame or {}).get("type", ""))

    @property
    def has_type(self) -> bool:
        """It is a text frame with a JSON object that has a type."""
        return self.frame is not None and isinstance(self.frame.get("type"), str)

    def __str__(self) -> str:
        """One line, with what is long cut short."""
        text = self.text if self.frame is None else json.dumps(_short(self.frame), ensure_ascii=False)
        return f"{self.scene} {self.at_ms} ms {'→' if self.sent else '←'} {text[:_LONGEST_MESSAGE]}"


def at(message: ProbedMessage | None, *path: str) -> Any:
    """What stands there in a message, or None."""
    value: Any = None if message is None else message.frame
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """A rule with its verdict. proof: messages, as lines. details: what was wrong, each once."""

    rule: ProbeRule
    verdict: RuleVerdict
    details: tuple[str, ...]
    proof: tuple[str, ...]


@dataclass(slots=True)
class _Known:
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """All rules of one wire. spec: the file whose sections the rules name."""

    url: str
    spec: str
    findings: tuple[RuleFinding, ...]

    @property
    def grade(self) -> RuleVerdict:
        """The worst verdict there is."""
        verdicts = {each.verdict for each in self.findings}
        return next((each for each in (RuleVerdict.FAIL, RuleVerdict.WARN) if each in verdicts), RuleVerdict.PASS)

    def of(self, verdict: RuleVerdict) -> list[RuleFinding]:
        return [each for each in self.findings if each.verdict is verdict]

    def as_json(self) -> dict[str, Any]:
        """For programs: the grade, and every rule with verdict, details and proof."""
        return {
            "url": self.url,
            "spec": self.spec,
            "grade": self.grade,
            "rules": [
                {
                    "name": each.rule.name,
                    "text": each.rule.text,
                    "section": each.rule.section,
                    "verdict": each.verdict,
                    "details": list(each.details),
                    "proof": list(each.proof),
                }
                for each in self.findings
            ],
        }


class ProbeLedger:
    """Collects what the scenes saw. Raises: KeyError for a rule that is not in the table."""

    def __init__(self, rules: Sequence[ProbeRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._known = {rule.name: _Known() for rule in rules}

    def kept(self, name: str, *proof: ProbedMessage | None) -> None:
        """The rule was kept, in these messages."""
        _note(self._known[name].kept, proof)

    def broken(self, name: str, detail: str, *proof: ProbedMessage | None) -> None:
        """The rule was broken. detail: how."""
        known = self._known[name]
        if detail not in known.details:
            known.details.append(detail)
        _note(known.broken, proof)

    def judge(self, name: str, kept: object, detail: str, *proof: ProbedMessage | None) -> None:
        """Kept if that is true, else broken."""
        if kept:
            self.kept(name, *proof)
        else:
            self.broken(name, detail, *proof)

    def received(self, message: ProbedMessage) -> None:
        """Judge the form of a peer's message, which is one rule on both wires."""
        self.judge("text_frames", message.has_type, "no text frame with an object that has a type", message)

    def findings(self) -> tuple[RuleFinding, ...]:
        """Every rule of the table, in its order."""
        return tuple(self._finding(name, rule) for name, rule in self._rules.items())

    def _finding(self, name: str, rule: ProbeRule) -> RuleFinding:
        known = self._known[name]
        if known.details:
            verdict = RuleVerdict.FAIL if rule.breach is Breach.FAILS else RuleVerdict.WARN
            return RuleFinding(rule, verdict, tuple(known.details), tuple(known.broken))
        verdict = RuleVerdict.PASS if known.kept else RuleVerdict.NOT_SEEN
        return RuleFinding(rule, verdict, (), tuple(known.kept))


def _note(lines: list[str], proof: Iterable[ProbedMessage | None]) -> None:
    # A message is written out only if there is room: a scene has thousands.
    met = (each for each in proof if each is not None)
    lines.extend(map(str, islice(met, _PROOFS - len(lines))))
    if not lines:
        lines.append("no message")


def _short(value: Any) -> Any:
    match value:
        case str() if len(value) > _LONGEST_TEXT:
            return f"{value[: _LONGEST_TEXT // 2]}… ({len(value)} characters)"
        case dict():
            return {name: _short(each) for name, each in value.items()}
        case list():
            return [_short(each) for each in value]
    return value
