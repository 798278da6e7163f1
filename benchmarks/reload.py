"""How far a reload delays live calls: `python -m benchmarks.reload [--bots 100] [--calls 100] [--seconds 20]`.

One Tieline on a core of its own, with bots of 10 tasks each, and calls of the load generator that stream both ways:
first while nothing changes, then while all bots' files are written anew every few seconds, and last while one bot's
files are written twenty times a second, which is no reload: files that somebody is writing are not taken.
**For a machine that does nothing else**; where the generator itself was late, the delays are the machine's. Linux only.
"""

from __future__ import annotations

import argparse
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.request import urlopen

from benchmarks.compare import P99_LIMIT_MS, load
from benchmarks.contenders import Contender, Wiring, own_core, running, tieline, wired
from benchmarks.load_bots import write_bots

# A change is taken when two looks, two seconds apart, have seen the same files.
EVERY_S = 6.0
# So often that two looks never see the same; on the daemon's core or disk it should not be felt by itself.
WRITTEN_S = 0.05
CALLED = "bot1"
MARK = "\n# version "


def with_bots(folder: Path) -> Contender:
    def command(wiring: Wiring) -> tuple[list[str], dict[str, str]]:
        line, settings = tieline().command(wiring)
        return line, {**settings, "TIELINE_BOTS": str(folder)}

    return Contender("Tieline with bots", plain=False, command=command)


def changed(folder: Path, number: int) -> None:
    """Write the files of a bot so that its version is another one."""
    file = folder / "bot.toml"
    text, _, _ = file.read_text().partition(MARK)
    file.write_text(f"{text}{MARK}{number}\n")


@contextmanager
def meanwhile(change: Callable[[int], None], every_s: float) -> Iterator[None]:
    """Change something again and again, until the end of the block."""
    over = threading.Event()

    def work() -> None:
        for number in count():
            change(number)
            if over.wait(every_s):
                return

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def reloads(wiring: Wiring) -> int:
    """How many versions the process has taken so far."""
    with urlopen(f"http://127.0.0.1:{wiring.ops_port}/metrics") as answer:
        found = re.search(r'^tieline_bot_reloads_total\{outcome="taken"\} (\S+)', answer.read().decode(), re.MULTILINE)
    return int(float(found[1])) if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reload", description=__doc__.splitlines()[0])
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with wired("raw/lpcm16_24") as wiring:
        root = Path(wiring.folder) / "bots"
        write_bots(root, options.bots)
        folders = sorted(root.iterdir())

        def all_changed(number: int) -> None:
            for each in folders:
                changed(each, number)

        def one_changed(number: int) -> None:
            changed(root / CALLED, number)

        def nothing_changed(number: int) -> None:
            pass

        scenes: dict[str, tuple[Callable[[int], None], float]] = {
            "no change": (nothing_changed, EVERY_S),
            f"all {options.bots} bots reloaded": (all_changed, EVERY_S),
            "one bot being written": (one_changed, WRITTEN_S),
        }
        with running(with_bots(root), wiring) as pid:
            own_core(os.getpid(), first=False)
            for name, (change, every_s) in scenes.items():
                before = reloads(wiring)
                with meanwhile(change, every_s):
                    url = f"ws://127.0.0.1:{wiring.port}/bots/{CALLED}"
                    report = load(with_bots(root), wiring, pid, url=url, calls=options.calls, seconds=options.seconds)
                [stretch] = report.stretches
                p99_ms = max(stretch.up.delays.p99_ms, stretch.down.delays.p99_ms)
                worst_ms = max(stretch.up.delays.max_ms, stretch.down.delays.max_ms)
                told = f"{reloads(wiring) - before} versions taken"
                told += "" if p99_ms < P99_LIMIT_MS else f", above {P99_LIMIT_MS:.0f} ms"
                late = f"generator late {stretch.late_p99_ms:.2f} ms"
                print(f"{name:26} p99 {p99_ms:6.2f} ms, worst {worst_ms:6.1f} ms, {late}, {told}", flush=True)
                time.sleep(EVERY_S)


if __name__ == "__main__":
    main()
