"""How far a reload delays live calls: `python -m benchmarks.reload [--bots 100] [--calls 100] [--seconds 20]`.

One Tieline on a core of its own, with bots of 10 tasks each, and calls of the load generator that stream both ways:
first while nothing changes, then while all bots' files are written anew every few seconds, and last while one bot's
files are written twenty times a second, which is no reload: files that somebody is writing are not taken. A scene
begins when the daemon has taken all that was written in the one before, however long that takes it.
**For a machine that does nothing else**; where the generator itself was late, the delays are the machine's. Linux only.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

from benchmarks.compare import P99_LIMIT_MS, load
from benchmarks.contenders import Wiring, own_core, running, tieline, wired
from benchmarks.load_bots import write_bots
from benchmarks.surroundings import meanwhile
from gateway.bots.files import read_folder

# A change is taken when two looks, two seconds apart, have seen the same files.
EVERY_S = 6.0
# So often that two looks never see the same; on the daemon's core or disk it should not be felt by itself.
WRITTEN_S = 0.05
# How long it may take until all that was written is taken.
TAKEN_WITHIN_S = 300.0
CALLED = "bot1"
MARK = "\n# version "


def changed(folder: Path, number: int) -> None:
    """Write the files of a bot so that its version is another one."""
    file = folder / "bot.toml"
    text, _, _ = file.read_text().partition(MARK)
    file.write_text(f"{text}{MARK}{number}\n")


def metrics(wiring: Wiring) -> str:
    with urlopen(f"http://127.0.0.1:{wiring.ops_port}/metrics") as answer:
        return str(answer.read().decode())


def reloads(wiring: Wiring) -> int:
    """How many versions the process has taken so far."""
    found = re.search(r'^tieline_bot_reloads_total\{outcome="taken"\} (\S+)', metrics(wiring), re.MULTILINE)
    return int(float(found[1])) if found else 0


def wait_until_taken(wiring: Wiring, folders: list[Path]) -> None:
    """Wait until new calls are answered by the bots as their files are: a reload is no part of the scene after it."""
    written = {(each.name, read_folder(each, each.parent).digest) for each in folders}
    give_up_s = time.monotonic() + TAKEN_WITHIN_S
    while written - set(re.findall(r'^tieline_bot_info\{bot="(.*?)",digest="(.*?)"\}', metrics(wiring), re.MULTILINE)):
        if time.monotonic() > give_up_s:
            raise SystemExit("the daemon does not take the bots as they are written")
        time.sleep(0.5)


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
        contender = tieline(settings={"TIELINE_BOTS": str(root)})
        with running(contender, wiring) as pid:
            own_core(os.getpid(), first=False)
            for name, (change, every_s) in scenes.items():
                wait_until_taken(wiring, folders)
                before = reloads(wiring)
                with meanwhile(change, every_s):
                    url = f"ws://127.0.0.1:{wiring.port}/bots/{CALLED}"
                    report = load(contender, wiring, pid, url=url, calls=options.calls, seconds=options.seconds)
                [stretch] = report.stretches
                worst_ms = max(stretch.up.delays.max_ms, stretch.down.delays.max_ms)
                told = f"{reloads(wiring) - before} versions taken"
                told += "" if stretch.p99_ms < P99_LIMIT_MS else f", above {P99_LIMIT_MS:.0f} ms"
                late = f"generator late {stretch.late_p99_ms:.2f} ms"
                print(f"{name:26} p99 {stretch.p99_ms:6.2f} ms, worst {worst_ms:6.1f} ms, {late}, {told}", flush=True)


if __name__ == "__main__":
    main()
