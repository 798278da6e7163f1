"""A folder of bots: each of them, and the routes to them.

May import: actors, fsm, gateway, protocols, loguru, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from loguru import logger

from actors.bots import Bot, BotProfile, ModelSettings
from actors.clips import Clips
from fsm.registry import broken, load_tasks, offered
from gateway.bots.compile import Defaults, built, compile_bot
from gateway.bots.faults import BotFault, BotFaults, checked, parse_toml
from gateway.bots.files import (
    BOT_FILE,
    EXAMPLE,
    ROUTES_FILE,
    BotFiles,
    bot_folders,
    read_folder,
    read_routes_file,
)
from gateway.bots.routes import Routes, faults_of_routes
from gateway.bots.schema import RoutesToml
from gateway.bots.tools import tool_host
from gateway.settings import Settings
from protocols.realtime.objects import NoiseReduction, Transcription
from protocols.realtime.profiles import PROFILES
from protocols.wav import WavHeader


@dataclass(frozen=True, slots=True)
class LoadedBots:
    """What a folder holds. bots, files: of those without faults, by name. faults: of all, and of the routes."""

    bots: dict[str, Bot]
    files: dict[str, BotFiles]
    routes: Routes
    faults: tuple[BotFault, ...]


def root_of(settings: Settings) -> Path:
    """The folder of the bots."""
    return Path(settings.bots) if settings.bots else EXAMPLE


def defaults_of(settings: Settings, clips: Mapping[str, Clips]) -> Defaults:
    """What a bot gets that sets nothing of its own. clips: by language; under "" those of the deployment, for any.

    Raises: MisuseError for a task of our own; one of another package that cannot be had is logged.
    """
    tasks = load_tasks()
    for each in broken(tasks):
        logger.error("a task of an installed package cannot be had: bots that use it are refused", reason=each.why)
    noise = settings.noise_reduction
    model = ModelSettings(
        voice=settings.openai_voice,
        transcription=Transcription(model=settings.transcription_model),
        noise_reduction=None if noise == "off" else NoiseReduction(type=noise),
        profile=PROFILES[settings.openai_profile],
    )
    profile = BotProfile(
        instructions="",
        greeting="",
        model=model,
        time_zone=ZoneInfo(settings.time_zone),
        agents=offered(tasks),
        transfer_targets=settings.transfer_targets,
        region=settings.number_region(),
        no_input_s=settings.no_input_s,
        yes_without_words=settings.yes_without_words,
        filler_s=settings.filler_s,
        wav_header=WavHeader(settings.wav_header),
        max_call_s=settings.max_call_s,
        clips=own if (own := clips.get("")) is not None else clips.get("en", {}),
    )
    return Defaults(profile, tasks, tool_host(settings), None if own is not None else clips)


def load_bots(root: Path, defaults: Defaults) -> LoadedBots:
    """Read all bots of a folder and its routes, or the one bot whose folder it is."""
    alone = (root / BOT_FILE).is_file()
    faults: list[BotFault] = []
    bots: dict[str, Bot] = {}
    all_files: dict[str, BotFiles] = {}
    try:
        folders = [root] if alone else bot_folders(root)
    except OSError as error:
        return LoadedBots({}, {}, Routes(), (BotFault(str(root), 0, "", f"cannot be read: {error.strerror}"),))
    if not folders:
        message = f"there is no bot in it; make a folder with a {BOT_FILE}, or say: tieline bots new NAME"
        faults.append(BotFault(str(root), 0, "", message))
    for folder in folders:
        try:
            files = read_folder(folder, root)
            bots[files.name] = built(lambda files: compile_bot(files, defaults), files)
            all_files[files.name] = files
        except BotFaults as wrong:
            faults += wrong.faults
    routes = Routes()
    if not alone:
        try:
            # A route to a bot that is wrong is not wrong itself.
            routes = read_routes(root, [each.name for each in folders])
        except BotFaults as wrong:
            faults += wrong.faults
    return LoadedBots(bots, all_files, routes, tuple(sorted(faults)))


def read_routes(root: Path, names: Iterable[str], region: str = "") -> Routes:
    """The routes to bots of these names; none where there is no file. region: see Routes. Raises: BotFaults."""
    path = root / ROUTES_FILE
    try:
        content = read_routes_file(root)
    except FileNotFoundError:
        return Routes()
    except OSError as error:
        raise BotFaults([BotFault(path.as_posix(), 0, "", f"cannot be read: {error.strerror}")]) from None
    source = parse_toml(path.as_posix(), content)
    toml = checked(RoutesToml, source)
    if faults := faults_of_routes(toml, source, sorted(names)):
        raise BotFaults(faults)
    return Routes.of(toml, region)
