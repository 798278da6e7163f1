"""How long many bots take to load: `python -m benchmarks.load_bots` makes 100 bots of 10 tasks, and loads them.

Half of the tasks are in Python, with settings, half in TOML. Every third bot has recordings of its own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from gateway.bots.loading import defaults_of, load_bots
from gateway.bots.new import BOT, INSTRUCTIONS
from gateway.daemon import CLIPS, read_clips
from gateway.settings import read_settings

TASK = """\
[task]
name = "{name}"
description = "The caller wants {name} number {number}."
[slot.topic]
type = "choice"
choices = ["billing", "repair"]
ask = "Is it about billing or a repair?"
[slot.at]
type = "time"
ask = "At what time?"
check = "within_hours"
[slot.number]
type = "phone"
ask = "Under what number can we reach you?"
[flow]
collect = ["topic", "at", "number"]
confirm = "{name} about {{topic}} at {{at}}, {{number}}. Is that right?"
done = {{ say = "We will call you back." }}
"""
NAMES = ("parking", "callback", "newsletter", "directions", "complaint")


def write_bots(root: Path, count: int) -> None:
    """Bots with 10 tasks each."""
    for number in range(count):
        folder = root / f"bot{number}"
        (folder / "tasks").mkdir(parents=True)
        (folder / "instructions.md").write_text(INSTRUCTIONS.format(title=f"practice {number}"))
        files = "".join(f'[[task]]\nfile = "tasks/{name}.toml"\n' for name in NAMES)
        (folder / "bot.toml").write_text(BOT.format(name=f"bot{number}", title=f"Practice {number}") + files)
        for name in NAMES:
            (folder / "tasks" / f"{name}.toml").write_text(TASK.format(name=name, number=number))
        if number % 3 == 0:
            (folder / "clips").mkdir()
            for path in (CLIPS / "en").iterdir():
                (folder / "clips" / path.name).write_bytes(path.read_bytes())


def main(count: int = 100) -> None:
    settings = read_settings(OPENAI_API_KEY="unused", host="127.0.0.1")
    defaults = defaults_of(settings, read_clips(settings))
    with tempfile.TemporaryDirectory() as folder:
        write_bots(Path(folder), count)
        for turn in ("first", "again"):
            began, busy = time.perf_counter(), time.process_time()
            loaded = load_bots(Path(folder), defaults)
            took_s, cpu_s = time.perf_counter() - began, time.process_time() - busy
            assert not loaded.faults, loaded.faults[:3]
            tasks = sum(len(bot.profile.agents) for bot in loaded.bots.values())
            print(f"{turn}: {len(loaded.bots)} bots, {tasks} tasks: {took_s:.2f} s ({cpu_s:.2f} s of CPU)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
