"""Bots' files that tests make, and what they are compiled with."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from actors.bots import Bot, BotProfile, ModelSettings
from fsm.registry import load_tasks, offered
from gateway.bots.compile import Defaults, compile_bot
from gateway.bots.faults import BotFaults
from gateway.bots.files import BotFiles
from protocols.realtime.objects import Transcription

TASKS = load_tasks(installed=())
PROFILE = BotProfile(
    instructions="",
    greeting="",
    model=ModelSettings("marin", Transcription(model="whisper-1")),
    time_zone=ZoneInfo("Europe/Berlin"),
    agents=offered(TASKS),
    transfer_targets={"desk": "tel:+491"},
    no_input_s=8,
)
DEFAULTS = Defaults(PROFILE, TASKS)
BOT = '[bot]\ngreeting = "Hello."\ninstructions = "Be kind."\n'


def files(toml: str | bytes = BOT, name: str = "linden", **others: str | bytes) -> BotFiles:
    """A bot's files. others: by path, with __ for / and _dot_ for the last dot."""
    contents = {
        "bot.toml": toml,
        **{path.replace("__", "/").replace("_dot_", "."): each for path, each in others.items()},
    }
    return BotFiles(name, {path: each.encode() if isinstance(each, str) else each for path, each in contents.items()})


def bot(toml: str = BOT, name: str = "linden", **others: str | bytes) -> Bot:
    return compile_bot(files(toml, name, **others), DEFAULTS)


def faults(
    toml: str | bytes, name: str = "linden", *, defaults: Defaults = DEFAULTS, **others: str | bytes
) -> list[str]:
    """What is said to be wrong, line by line; empty if nothing is."""
    try:
        compile_bot(files(toml, name, **others), defaults)
    except BotFaults as wrong:
        return [str(each) for each in wrong.faults]
    return []


def written(root: Path, name: str, toml: str = BOT, **others: str | bytes) -> Path:
    """A bot's folder on the disk. Returns it."""
    folder = root / name
    for path, content in files(toml, name, **others).contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def basic(text: str) -> str:
    """A text as TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def toml(value: Any) -> str:
    """A value as TOML, on one line."""
    match value:
        case str():
            return basic(value)
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{basic(key)} = {toml(each)}" for key, each in value.items()) + "}"
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)
