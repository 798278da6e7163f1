"""The commands `bots check`, `schema`, `diff`, `show` and `new`, and what `clips` does.

May import: actors, fsm, gateway, protocols, rich, typer, the standard library.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.console import FAILED, WRONG_SETTING, err, out, print_faults, print_misuse, settings_or_exit
from gateway.settings import Settings, SettingsError, is_given, read_settings
from protocols.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from actors.bots import Bot, BotProfile
    from gateway.bots.clips import Speaker
    from gateway.bots.compile import Defaults
    from gateway.bots.faults import BotFault
    from gateway.bots.files import BotFiles

bots_app = typer.Typer(no_args_is_help=True)
Root = Annotated[
    Path | None, typer.Argument(help="The folder of the bots, or of one bot (default: TIELINE_BOTS, else the example).")
]
OfBots = Annotated[Path | None, typer.Option("--in", help="The folder of the bots (default: TIELINE_BOTS).")]


@bots_app.command()
def check(folder: Root = None) -> None:
    """Check all bots of a folder, and its routes. Tells every fault with its file and line, and exits with 2.

    MCP servers that they name are asked whether their tools are as the files have them.
    """
    from gateway.bots.loading import load_bots

    defaults = defaults_or_exit()
    asking = replace(defaults.tools, asks=True, missed=lambda why: err.print(f"[yellow]note[/yellow] {escape(why)}"))
    loaded = load_bots(_root(folder), replace(defaults, tools=asking))
    print_bot_faults(loaded.faults)
    for name, bot in sorted(loaded.bots.items()):
        out.print(f"{escape(name)}  {bot.digest[:12]}  {', '.join(bot.profile.agents) or 'no tasks'}")
        for note in _notes(bot, loaded.files[name]):
            err.print(f"[yellow]note[/yellow] {escape(name)}: {escape(note)}")
    if loaded.faults:
        raise typer.Exit(WRONG_SETTING)


@bots_app.command()
def schema(
    routes: Annotated[bool, typer.Option("--routes", help="That of routes.toml.")] = False,
    task: Annotated[bool, typer.Option("--task", help="That of a task's file.")] = False,
) -> None:
    """Print the JSON Schema of bot.toml, by which an editor completes and checks it while it is written."""
    from gateway.bots.json_schema import bot_schema, routes_schema, task_schema

    out.file.write(routes_schema() if routes else task_schema() if task else bot_schema())


@bots_app.command()
def diff(
    one: Annotated[str, typer.Argument(help="A bot's name, or its folder.")],
    other: Annotated[str, typer.Argument(help="The other one.")],
    root: OfBots = None,
) -> None:
    """Show what callers would notice: sentences, hours, tasks, voice, whom they are transferred to."""
    from gateway.bots.describe import described, difference

    defaults = defaults_or_exit()
    before, after = (described(*bot_or_exit(each, root, defaults)) for each in (one, other))
    for line in difference(before, after):
        out.print(escape(line))


@bots_app.command()
def show(name: Annotated[str, typer.Argument(help="A bot's name, or its folder.")], root: OfBots = None) -> None:
    """Show a bot as calls see it: its files, and the deployment's settings where it has none of its own."""
    from gateway.bots.describe import described

    bot, files = bot_or_exit(name, root, defaults_or_exit())
    out.print(escape(f"name = {bot.name}\ndigest = {bot.digest}"))
    for key, text in described(bot, files).items():
        out.print(escape(f"{key} = {text}"))


@bots_app.command()
def new(
    name: Annotated[str, typer.Argument(help="The bot's name, which is its folder's.")],
    root: Annotated[
        Path | None, typer.Option("--in", help="The folder of the bots (default: TIELINE_BOTS, else bots).")
    ] = None,
) -> None:
    """Make a folder for a bot of your own, to begin with. It passes the check as it is."""
    from gateway.bots.new import write_bot

    settings = _settings()
    into = root or Path(settings.bots or "bots")
    try:
        written = write_bot(into, name)
    except (ValueError, OSError) as error:
        err.print(f"[red]not made[/red] {escape(str(error))}")
        raise typer.Exit(WRONG_SETTING) from None
    for path in written:
        out.print(f"[green]written[/green] {escape(str(path))}")


def record(name: str, root: Path | None, lab_voice: Callable[[str, float, str], Speaker]) -> None:
    """Record a bot's sentences into its folder. lab_voice: speaks where there is no key: voice, speed, language."""
    from gateway.bots.clips import NotSpoken, record_clips

    folder = _folder(name, root)
    # Without the recordings that it has, of which words may be there already and the sound not yet.
    bot, _ = bot_or_exit(name, root, defaults_or_exit(), without="clips/")
    try:
        with _voice(bot.profile, lab_voice) as say:
            for path in record_clips(folder, bot.profile.clips, say):
                out.print(f"[green]recorded[/green] {escape(str(path))}")
    except (NotSpoken, OSError) as error:
        err.print(f"[red]not recorded[/red] {escape(str(error))}")
        raise typer.Exit(FAILED) from None


def _voice(profile: BotProfile, lab_voice: Callable[[str, float, str], Speaker]) -> AbstractContextManager[Speaker]:
    """Who says a bot's sentences: the model if there is a key for it."""
    from contextlib import nullcontext

    from actors.transport.dialler import NoCredentials, with_model
    from gateway.bots.clips import ModelSpeaker, NotSpoken
    from gateway.model_credentials import credentials_of

    settings = profile.model
    if not any(map(is_given, ("openai_api_key", "openai_token_command", "openai_token_url"))):
        voice = settings.voice if isinstance(settings.voice, str) else "alloy"
        return nullcontext(lab_voice(voice, settings.speed or 1.0, profile.locale.tag))
    given = settings_or_exit(host="127.0.0.1")
    try:
        headers = dict(credentials_of(given).headers())
    except NoCredentials as error:
        raise NotSpoken(f"the model cannot be reached: {error}") from None
    return ModelSpeaker(with_model(given.model_url(), settings.name), headers, settings)


def print_bot_faults(faults: Iterable[BotFault]) -> None:
    for fault in faults:
        err.print(escape(str(fault)))


def _notes(bot: Bot, files: BotFiles) -> list[str]:
    """What a bot's author should know that is no fault."""
    from actors.clips import Clip
    from fsm.locales import language_name
    from gateway.bots.describe import hours_by_default, resources, unwatched

    notes = []
    if len(set((used := resources(files)).values())) > 1:
        told = ", ".join(f"{task} {resource}" for task, resource in used.items())
        notes.append(f"its tasks have different resources, and see nothing of each other's: {told}")
    profile = bot.profile
    spoken = profile.locales.values() or (profile.locale,)
    for locale in spoken:
        if locale.translates:
            name = language_name(locale.tag)
            notes.append(f"there are no sentences in {name}: the model is told to translate the English ones")
    for locale in spoken:
        if lacking := [clip.value for clip in Clip if clip not in profile.clips_in(locale)]:
            name, which = language_name(locale.tag), ", ".join(lacking)
            make = f"; make them with: tieline bots clips {bot.name}" if locale is profile.locale else ""
            notes.append(f"it has no recordings in {name} of {which}: nothing is played there{make}")
    if profile.hours is None and (open_by_default := hours_by_default(bot)):
        notes.append(f"it has no [hours], and its tasks take their own: {', '.join(open_by_default)}")
    if unsaid := unwatched(bot, files):
        notes.append(
            f"a model that says too early that it was done would not be corrected for {', '.join(unsaid)}:"
            ' where it ends say what was done to what, as "Your callback is noted."'
        )
    return notes


def bot_or_exit(name: str, root: Path | None, defaults: Defaults, without: str = "") -> tuple[Bot, BotFiles]:
    """The bot of a name or a folder, or exit with 2. without: the beginning of paths that are left out."""
    from gateway.bots.compile import built, compile_bot
    from gateway.bots.faults import BotFaults
    from gateway.bots.files import BotFiles, read_folder

    folder = _folder(name, root)
    try:
        files = read_folder(folder, _root(root))
        if without:
            kept = {path: each for path, each in files.contents.items() if not path.startswith(without)}
            files = BotFiles(files.name, kept, files.shown)
        return built(lambda files: compile_bot(files, defaults), files), files
    except BotFaults as wrong:
        print_bot_faults(wrong.faults)
        raise typer.Exit(WRONG_SETTING) from None


def _folder(name: str, root: Path | None) -> Path:
    """The folder of a bot, by its name or itself; or exit with 2."""
    from gateway.bots.files import BOT_FILE, bot_folders

    bots = _root(root)
    folder = Path(name) if (Path(name) / BOT_FILE).is_file() else bots / name
    if not (folder / BOT_FILE).is_file():
        known = ", ".join(each.name for each in bot_folders(bots)) if bots.is_dir() else ""
        err.print(f"[red]unknown bot[/red] {escape(name)}: there is {escape(known or 'none')} in {escape(str(bots))}")
        raise typer.Exit(WRONG_SETTING)
    return folder


def _root(folder: Path | None) -> Path:
    """The folder of the bots, as short as it can be named from here."""
    from gateway.bots.loading import root_of

    root = folder or root_of(_settings())
    return root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root


def _settings() -> Settings:
    """The settings, without those that only a daemon needs; or exit with 2."""
    try:
        return read_settings(OPENAI_API_KEY="not needed here", host="127.0.0.1")
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None


def defaults_or_exit() -> Defaults:
    from gateway.bots.loading import defaults_of
    from gateway.daemon import read_clips

    try:
        settings = _settings()
        return defaults_of(settings, read_clips(settings))
    except SettingsError as error:
        print_faults(error.faults)
    except MisuseError as error:
        print_misuse(error)
    raise typer.Exit(WRONG_SETTING)
