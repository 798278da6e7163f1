"""Mutation testing: `python -m tools.mutants [--room ROOM] [--seed N] [--jobs N] [--bar PERCENT]`.

Changes one thing in one module at a time (cosmic-ray's operators, and left-out statements) and runs the tests that
execute the changed line, those in the module's own test file first. A mutant for which no test fails is listed, unless
tests/mutants_accepted.toml accepts it with a reason. Result: out/mutants.json.

The sample is random, by a seed. Everything happens in a copy of the tree; each mutant exists only in the memory of a
fork, whose parent process has imported the third-party packages that the tests need.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tools.mutant_runner import CHILD_FAILED, Measured, TestRunner
from tools.mutations import Mutant, mutants_of, possible, shown

ROOT = Path(__file__).parents[1]
ACCEPTED = "tests/mutants_accepted.toml"
SEED = 1


@dataclass(frozen=True, slots=True)
class Room:
    """Modules, by patterns, where their tests are, and how many mutants of them are in a whole sample."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    share: int


# A router and the ears are parts of a call's supervisor, and tested with it.
ROUTERS = tuple(f"tests/actors/call/test_{name}.py" for name in ("speech", "dtmf", "replay"))
CALLS = tuple(f"tests/actors/{name}.py" for name in ("tasks/test_router", "tasks/test_claims", "model/test_ears"))
LEASES = tuple(f"tests/store/test_{name}.py" for name in ("leases", "locked_rows", "rows", "fleet"))
# Compared with the pictures in docs/, to the last pixel.
PICTURES = "tests/tools/test_pictures.py"
ROOMS: Mapping[str, Room] = {
    "protocols": Room(("protocols/**/*.py",), ("tests/protocols",), 90),
    "fsm": Room(("fsm/*.py", "fsm/agents/*.py"), ("tests/fsm/test_*.py", "tests/fsm/agents"), 110),
    "appointments": Room(("appointments/*.py",), ("tests/appointments",), 60),
    "fsm/chart": Room(("fsm/chart/*.py",), ("tests/fsm/chart", PICTURES), 30),
    "actors/call": Room(("actors/call/*.py",), ("tests/actors/call", *CALLS), 90),
    "actors/tasks": Room(("actors/tasks/*.py",), ("tests/actors/tasks", *ROUTERS), 60),
    "store/leases": Room(("store/leases.py",), LEASES, 40),
}

# A stage has tests up to so much time as they take without a mutant. A test that takes LIMIT_TIMES as long as without,
# and at least LIMIT_S, is stuck.
BUDGET_S, LIMIT_S, LIMIT_TIMES = 10.0, 10.0, 10.0
DEAD = ("killed", "stuck")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a mutant. how: "killed", "stuck" (killed by the time limit), "survived" or "accepted"."""

    room: str
    mutant: Mutant
    how: str
    reason: str = ""
    tests: int = 0
    took_s: float = 0.0

    @property
    def dead(self) -> bool:
        return self.how in DEAD


def copied(into: Path) -> None:
    """Copy the working tree, without the files that git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git, by name
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, into / name
        if source.is_file() and not source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def modules(room: Room) -> list[str]:
    found = {path for pattern in room.sources for path in ROOT.glob(pattern)}
    return sorted(path.relative_to(ROOT).as_posix() for path in found if path.stat().st_size)


def sample(name: str, room: Room, seed: int) -> list[Mutant]:
    """Draw a room's share of mutants: random places, and a random change at each. Deterministic for the same tree."""
    chance = random.Random(f"{seed} {name}")
    places = [place for path in modules(room) for place in mutants_of(ROOT, path)]
    chance.shuffle(places)
    drawn: list[Mutant] = []
    for ways in places:
        mutant = chance.choice(ways)
        if possible(ROOT, mutant):
            drawn.append(shown(ROOT, mutant))
        if len(drawn) == room.share:
            break
    return drawn


def own_tests(path: str) -> tuple[str, ...]:
    """The test files of a module: its own, and of a chart's the one that compares the pictures."""
    module = Path(path)
    own = Path("tests", module.parent, f"test_{module.name}").as_posix()
    return (own, PICTURES) if module.is_relative_to("fsm/chart") else (own,)


Stage = dict[str, float]


def neighbourhood(mutant: Mutant, measured: Measured) -> list[Stage]:
    """The tests to run, with their limits in s, in stages: the module's own, then others that execute the line.

    In each stage those that execute the line come first, and then the quickest. A line that runs when its module is
    imported concerns all tests that execute anything of the module.
    """
    lines = range(mutant.line, mutant.end_line + 1)
    by_test = measured.executed.get(mutant.path, {})
    hits = {test for test, executed in by_test.items() if not executed.isdisjoint(lines)} or set(by_test)
    own_files = tuple(f"{file}::" for file in own_tests(mutant.path))
    own = [test for test in measured.took_s if test.startswith(own_files)]
    stages = []
    for stage in (own, [test for test in hits if not test.startswith(own_files)]):
        chosen, left_s = Stage(), BUDGET_S
        for test in sorted(stage, key=lambda test: (test not in hits, measured.took_s[test])):
            if left_s > 0:
                chosen[test] = max(LIMIT_S, LIMIT_TIMES * measured.took_s[test])
                left_s -= measured.took_s[test]
        stages.append(chosen)
    return [stage for stage in stages if stage]


def judged(runner: TestRunner, room: str, mutant: Mutant, stages: Sequence[Stage]) -> Verdict:
    began_s, count = time.monotonic(), 0
    how = "survived"
    for tests in stages:
        count += len(tests)
        code = runner.run(tests, mutant)
        if code is None:
            how = "stuck"
        elif code == CHILD_FAILED:
            raise RuntimeError(f"the tests of {mutant.path}:{mutant.line} could not be run: {runner.said()}")
        elif code != 0:
            how = "killed"
        if how != "survived":
            break
    return Verdict(room, mutant, how, tests=count, took_s=round(time.monotonic() - began_s, 2))


def accepted_reasons() -> dict[tuple[str, str, str], str]:
    """Reasons by path, the line's text and the changed line's text."""
    path = ROOT / ACCEPTED
    if not path.exists():
        return {}
    entries = tomllib.loads(path.read_text())["accepted"]
    return {(each["path"], each["was"], each["is"]): each["reason"] for each in entries}


def with_reasons(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    reasons = accepted_reasons()
    for each in verdicts:
        reason = reasons.get((each.mutant.path, each.mutant.was, each.mutant.now))
        accepted = each.how == "survived" and reason is not None
        yield replace(each, how="accepted", reason=reason or "") if accepted else each


def told(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The lines of the report: every survivor, then the table by room."""
    for each in verdicts:
        if not each.dead:
            yield f"\n{each.how}: {each.mutant.path}:{each.mutant.line} ({each.mutant.operator}, {each.tests} tests)"
            if each.reason:
                yield f"  {each.reason}"
            yield from (f"  - {line}" for line in each.mutant.was.splitlines())
            yield from (f"  + {line}" for line in each.mutant.now.splitlines())
    yield f"\n{'room':<14}{'mutants':>8}{'killed':>8}{'stuck':>7}{'accepted':>10}{'survived':>10}"
    rooms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in verdicts:
        rooms[each.room][each.how] += 1
        rooms["all"][each.how] += 1
    for name, how in rooms.items():
        yield (
            f"{name:<14}{how.total():>8}{how['killed']:>8}{how['stuck']:>7}{how['accepted']:>10}{how['survived']:>10}"
            f"   {100 * (how['killed'] + how['stuck']) / how.total():.1f} % killed"
        )


Kept = dict[str, list[dict[str, Any]]]


def save(out: Path, kept: Kept, verdict: Verdict) -> Kept:
    """Add a verdict to the file, replacing an earlier one of the same mutant, so that a run may be interrupted."""
    new = asdict(verdict)
    others = [each for each in kept.get(verdict.room, []) if each["mutant"] != new["mutant"]]
    kept = {**kept, verdict.room: [*others, new]}
    out.write_text(json.dumps(kept, indent=1))
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--room", choices=list(ROOMS), action="append", help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", default="", help="only mutants of the sample in a path that begins so")
    parser.add_argument("--again", action="store_true", help="only those that were not killed the last time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument("--bar", type=float, default=0.0, help="exit 1 below so many percent killed")
    asked = parser.parse_args()
    rooms = {name: ROOMS[name] for name in asked.room or ROOMS}
    out = ROOT / "out" / "mutants.json"
    drawn = [(name, mutant) for name, room in rooms.items() for mutant in sample(name, room, asked.seed)]
    drawn = [(name, mutant) for name, mutant in drawn if mutant.path.startswith(asked.only)]
    if asked.again:
        dead = [each for room in json.loads(out.read_text()).values() for each in room if each["how"] in DEAD]
        drawn = [each for each in drawn if asdict(each[1]) not in [known["mutant"] for known in dead]]
    out.parent.mkdir(exist_ok=True)
    kept: Kept = json.loads(out.read_text()) if out.exists() else {}
    if not asked.again:
        kept = {name: known for name, known in kept.items() if name not in rooms}
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder, "tree")
        copied(tree)
        runner = TestRunner(tree)
        names = dict.fromkeys(path for room, _ in drawn for path in rooms[room].tests)
        cache = out.with_name("mutants_measured.json")
        with ProcessPoolExecutor(asked.jobs, get_context("fork")) as pool:  # which has imported what tests need
            measured = runner.measured(list(names), [m.path for _, m in drawn], cache, pool)
            told_s = time.monotonic() - began_s
            print(f"{len(drawn)} mutants; {len(measured.took_s)} tests measured in {told_s:.0f} s", flush=True)
            stages = [neighbourhood(mutant, measured) for _, mutant in drawn]
            verdicts = pool.map(partial(judged, runner), *zip(*drawn, strict=True), stages)
            for number, verdict in enumerate(with_reasons(verdicts), 1):
                kept = save(out, kept, verdict)
                if not verdict.dead:
                    mutant = verdict.mutant
                    change = f"{mutant.was.strip()} -> {mutant.now.strip()}"
                    print(f"{number} {verdict.how} {mutant.path}:{mutant.line} {change}", flush=True)
    every = [Verdict(**{**each, "mutant": Mutant(**each["mutant"])}) for name in ROOMS for each in kept.get(name, [])]
    print(*told(every), sep="\n")
    print(f"{len(drawn)} mutants in {time.monotonic() - began_s:.0f} s; {out.relative_to(ROOT)}")
    return int(100 * sum(each.dead for each in every) < asked.bar * len(every))


if __name__ == "__main__":
    sys.exit(main())
