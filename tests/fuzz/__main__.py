"""Fuzzes the readers with atheris (libFuzzer): `python -m tests.fuzz [TARGET …] --seconds 600`, or `make fuzz`.

Each target has a process of its own, one after the other; the exit code is 1 if one broke. What broke it is in
out/fuzz/TARGET, as what led to new code is; `--keep` merges the smallest set of that into tests/corpus.
May import: tests.fuzz, atheris, the standard library.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import CORPUS, TARGETS

OUT = Path("out/fuzz")
LONGEST = 4096
MOST_KEPT = 1024  # bytes of a file of the corpus


def main() -> int:
    """Run the targets that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="*", choices=[*TARGETS, []], help="what to fuzz; all if none is named")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--keep", action="store_true", help="add to tests/corpus what led to new code")
    wanted = parser.parse_args()
    broken = [name for name in wanted.target or TARGETS if not _fuzzed(name, wanted.seconds, keep=wanted.keep)]
    sys.stdout.write(f"broken: {', '.join(broken) or 'none'}\n")
    return 1 if broken else 0


def _fuzzed(name: str, seconds: int, *, keep: bool) -> bool:
    found, kept = OUT / name, CORPUS / name
    found.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-m", "tests.fuzz.one", name, f"-max_total_time={seconds}", f"-max_len={LONGEST}"]
    line += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={found}/"]
    whole = subprocess.run([*line, str(found), str(kept)], check=False).returncode == 0
    if keep and whole:
        subprocess.run(
            [sys.executable, "-m", "tests.fuzz.one", name, "-merge=1", f"-max_len={MOST_KEPT}", str(kept), str(found)],
            check=True,
        )
    return whole


if __name__ == "__main__":
    sys.exit(main())
