"""What callers would notice of a bot, as names and texts: for people to read, and to compare two versions by.

May import: actors, fsm, gateway.bots, http_tools, protocols, pydantic, the standard library.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

from pydantic import BaseModel

from actors.bots import Bot, ModelSettings
from actors.tasks.claims import statements_of
from fsm.hours import DAYS
from fsm.locales import Locale, sentences_in
from fsm.registry import TaskFactory, load_tasks
from fsm.spec import Act, AgentSpec, Choose, Confirm, End
from gateway.bots.faults import text_of
from gateway.bots.files import BOT_FILE, BotFiles
from http_tools.declaration import tools_in
from protocols.realtime.profiles import Profile


def described(bot: Bot, files: BotFiles) -> dict[str, str]:
    """A bot by the names of what it says, offers and waits for."""
    profile, toml = bot.profile, _toml(files)
    told = {
        "mode": "assist" if profile.assists else "",
        "greeting": profile.greeting,
        "instructions": profile.instructions,
        "languages": ", ".join(profile.languages),
        **{f"sentences.{key}": profile.locale.of(sentences_in("en")[key]) for key in toml.get("sentences", {})},
        "time_zone": profile.time_zone.key,
        "region": profile.region,
        **{f"model.{name}": text for name, text in _model(profile.model)},
    }
    if profile.hours is not None:
        for number, day in enumerate(DAYS):
            told[f"hours.{day}"] = ", ".join(map(str, profile.hours.of_weekday(number))) or "closed"
        told["hours.closed"] = ", ".join(map(str, profile.hours.closed))
    told |= {f"transfer.{name}": uri for name, uri in profile.transfer_targets.items()}
    for name, each in profile.transfer_with.items():
        told |= {f"transfer.{name}.{key}": _text(value) for key, value in dataclasses.asdict(each).items()}
    told |= {f"start.{name}": _text(value) or '""' for name, value in profile.start.items()}
    told |= {f"vaic.config.{name}": _text(value) for name, value in profile.vaic_params.items()}
    told["activities.allow"] = ", ".join(profile.model_may)
    told |= {f"activities.urls.{name}": url for name, url in profile.recordings.items()}
    told["privacy.redact"] = ", ".join(sorted(profile.redaction.kinds))
    told["privacy.names"] = ", ".join(profile.redaction.names)
    for name in ("no_input_s", "filler_s", "yes_without_words"):
        told[f"turn.{name}"] = _text(getattr(profile, name))
    for name in ("max_call_s", "max_cost_usd", "max_cost_usd_per_day", "effects_per_call", "effects_per_number"):
        told[f"limits.{name}"] = _text(getattr(profile, name))
    told["vaic.formats"] = ", ".join(profile.media_formats)
    for clip, recording in profile.clips.items():
        sound = hashlib.sha256("".join(next(iter(recording.payloads.values()))).encode()).hexdigest()[:8]
        told[f"clips.{clip.value}"] = f"{recording.words} ({sound})"
    for hook in ("before_call", "after_call"):
        told |= {f"{hook}.{key}": _text(value) for key, value in toml.get(hook, {}).items()}
    settings = _settings(toml)
    for name, spec in profile.agents.items():
        told[f"task.{name}"] = settings.get(name, "offered")
        told |= {f"task.{name}.{key}": text for key, text in _task(spec, profile.locale)}
    told |= _tools(toml)
    return {name: text for name, text in told.items() if text}


def hours_by_default(bot: Bot) -> list[str]:
    """The bot's tasks, as they are registered, that have opening hours."""
    registered = load_tasks()
    return [
        name
        for name in bot.profile.agents
        if isinstance(task := registered.get(name), TaskFactory) and "hours" in task.settings.model_fields
    ]


def resources(files: BotFiles) -> dict[str, str]:
    """Whose time the bot's tasks book, as their settings say: by task."""
    registered = load_tasks()
    found = {}
    for section in _toml(files).get("task", ()):
        task = registered.get(section.get("use", ""))
        if isinstance(task, TaskFactory) and (field := task.settings.model_fields.get("resource")) is not None:
            found[task.name] = str(section.get("resource", field.default))
    return found


def unwatched(bot: Bot, files: BotFiles) -> list[str]:
    """The bot's tasks in files at whose end nothing is said that a model could be caught at claiming too early."""
    paths = [section["file"].removeprefix("./") for section in _toml(files).get("task", ()) if "file" in section]
    names = [tomllib.loads(text_of(path, files.contents[path]))["task"]["name"] for path in paths]
    read = [each for each in bot.profile.locales.values() or (bot.profile.locale,) if each.is_read]
    specs = [bot.profile.agents[name] for name in names]
    return [
        spec.name
        for spec in specs
        if read and spec.after_deeds() and not any(statements_of(spec, locale) for locale in read)
    ]


def difference(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    """The lines that say what is different, name by name."""
    for name in (*one, *(each for each in other if each not in one)):
        before, after = one.get(name, ""), other.get(name, "")
        if before == after:
            continue
        yield name
        lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
        yield from (f"  {line[0]} {line[1:]}" for line in lines if line[:2] not in ("--", "++", "@@"))


def _model(settings: ModelSettings) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Profile):
            yield field.name, value.name
        elif field.name == "approved":
            yield field.name, ", ".join(sorted(f"{server}.{tool}" for server, tool in value))
        elif field.name == "mcp":
            for server in value:
                given = server.model_dump(
                    exclude_none=True, exclude={"type", "server_label", "authorization", "headers"}
                )
                yield from ((f"mcp.{server.server_label}.{name}", _text(each)) for name, each in given.items())
        elif isinstance(value, BaseModel):
            given = value.model_dump(exclude_none=True)
            yield from ((f"{field.name}.{name}", _text(each)) for name, each in given.items())
        else:
            yield field.name, _text(value)


def _task(spec: AgentSpec, locale: Locale) -> Iterator[tuple[str, str]]:
    of = locale.of
    yield "description", spec.description
    for name, slot in spec.slots.items():
        yield (
            f"slot.{name}.ask",
            " / ".join(filter(None, (of(slot.ask), of(slot.example), of(slot.keypad.ask) if slot.keypad else ""))),
        )
    for name, state in spec.states.items():
        match state:
            case Confirm():
                yield name, f"{of(state.template)} / {of(state.change)}"
            case End():
                yield name, f"{of(state.say)} ({state.outcome})"
            case Choose():
                yield name, " / ".join(filter(None, (of(state.ask), state.reason.question if state.reason else "")))
            case Act():
                yield name, state.effect
            case _:
                yield name, f"collects {', '.join(state.slots)}"
        asked = spec.actions.get(name, ())
        yield f"{name}.actions", ", ".join(_text(each.model_dump(exclude_none=True)) for each in asked)
        yield f"{name}.arrows", ", ".join(f"{event} → {arrow.to}" for event, arrow in spec.written_from(name))


def _settings(toml: Mapping[str, Any]) -> dict[str, str]:
    """The settings of each task as they stand in the file, by the task's name."""
    tasks = toml.get("task", ())
    return {
        each["use"]: ", ".join(f"{key} = {_text(value)}" for key, value in each.items() if key != "use") or "offered"
        for each in tasks
        if "use" in each
    }


def _tools(toml: Mapping[str, Any]) -> dict[str, str]:
    """The keys of each tool as they stand in the file, by the names of the tool and the key."""
    tools = toml.get("tool", {})
    return {
        ".".join(("tool", *keys, name)): _text(value)
        for keys, tool in tools_in(tools)
        for name, value in tool.items()
    }  # fmt: skip


def _toml(files: BotFiles) -> dict[str, Any]:
    return tomllib.loads(files.contents[BOT_FILE].decode().removeprefix("\ufeff"))


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case tuple() | list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{key} = {_text(each)}" for key, each in value.items())
        case _:
            return str(value)
