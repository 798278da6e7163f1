"""A folder for a bot of one's own, to begin with.

May import: gateway.bots, the standard library.
"""

from __future__ import annotations

import re
from pathlib import Path

from gateway.bots.files import BOT_FILE, ROUTES_FILE
from gateway.bots.json_schema import bot_schema, routes_schema, task_schema

# What is written into TOML without escapes, and into a URL.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

BOT = """\
#:schema ../bot.schema.json
# Every key is in ../bot.schema.json: an editor that knows TOML schemas completes and explains them.
# `tieline bots check` says what is wrong, and where.

[bot]
name = "{name}"
greeting = "Hello, this is {title}. How can I help you?"
instructions = {{ file = "instructions.md" }}

[model]
voice = "marin"

[hours]
mon = ["09:00-12:30", "14:00-17:00"]
tue = ["09:00-12:30", "14:00-17:00"]
wed = ["09:00-12:30"]
thu = ["09:00-12:30", "14:00-17:00"]
fri = ["09:00-12:30"]
closed = ["2026-12-25", "2026-12-26"]

# The tasks that the bot offers. `tieline agents` lists those that are installed.
[[task]]
use = "book_appointment"
resource = "{name}" # whose time is booked: bots with different ones do not see each other's appointments
length_min = 30

[[task]]
use = "reschedule_appointment"
resource = "{name}"
length_min = 30

[[task]]
use = "cancel_appointment"
resource = "{name}"

[[task]]
use = "hand_over"

[[task]]
use = "end_call"

# The humans to hand over to; the first is the default.
# [transfer]
# reception = "tel:+4930555001"
"""

INSTRUCTIONS = """\
You are the telephone assistant of {title}. You speak with callers; keep every answer to one or two short sentences,
friendly and plain. We are open {{hours}}; we are closed on {{closed}}.

For anything that one of your functions does, call that function as soon as the caller wants it, with the values the
caller has said and no others. What a function returns under "say" is to be spoken to the caller as it stands. Never
promise or confirm anything that a function has not reported.
"""

ROUTES = """\
#:schema routes.schema.json
# Which bot takes which call; the first route that fits is taken. Each bot can also be called by wss://HOST/bots/NAME.

[[route]]
default = true
bot = "{name}"
"""


def write_bot(root: Path, name: str) -> list[Path]:
    """Write a bot's folder, and beside it routes and schemas if there are none. Returns the files.

    Raises: ValueError for a name or a folder that is there, OSError.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a bot's name; use letters, digits, _ and -")
    folder = root / name
    if folder.exists():
        raise ValueError(f"{folder} is there already; take another name")
    title = name.replace("_", " ").replace("-", " ").title()
    texts = {
        folder / BOT_FILE: BOT.format(name=name, title=title),
        folder / "instructions.md": INSTRUCTIONS.format(title=title),
    }
    beside = {
        root / "bot.schema.json": bot_schema(),
        root / "routes.schema.json": routes_schema(),
        root / "task.schema.json": task_schema(),
        root / ROUTES_FILE: ROUTES.format(name=name),
    }
    texts |= {path: text for path, text in beside.items() if not path.exists()}
    folder.mkdir(parents=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)
