"""A bot's folder: what is in it, and the digest that is its version.

May import: gateway.bots, the standard library.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.bots.faults import BotFault, BotFaults

BOT_FILE = "bot.toml"
ROUTES_FILE = "routes.toml"
# What makes a folder that of a bot, also where its bot.toml is lost or has another name.
_OF_BOTS = (BOT_FILE, "instructions.md", "tasks")
# The example that comes along.
EXAMPLE = Path(__file__).parents[2] / "bots"
# What makes a version is kept whole in the store; recordings for a bot are a few MB.
MOST_BYTES = 8 * 1024 * 1024
MOST_FILES = 1000
# Instructions of 100 KB take some 25,000 tokens of every response.
MOST_TEXT_BYTES = 100 * 1024
MOST_TOML_BYTES = 256 * 1024
_MOST_OF = {".toml": MOST_TOML_BYTES, ".md": MOST_TEXT_BYTES, ".txt": MOST_TEXT_BYTES}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(@[A-Za-z0-9_.-]+)?")
# Left behind by editors and by Python.
_LEAVINGS = re.compile(r"\..*|.*~|#.*#|.*\.(swp|swo|bak|orig|rej|tmp|pyc)|__pycache__")


@dataclass(frozen=True, slots=True)
class BotFiles:
    """The files of one version of a bot. name: its folder's, which may end in @VARIANT.

    contents: by path within the folder. shown: the folder as the user names it. digest: hex, of paths and contents.
    """

    name: str
    contents: Mapping[str, bytes]
    shown: str = ""
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self.contents))

    def path(self, name: str) -> str:
        """A file as the user names it."""
        return f"{self.shown or self.name}/{name}"


def digest_of(contents: Mapping[str, bytes]) -> str:
    """The digest of files by path, in hex."""
    digest = hashlib.sha256()
    for path, content in sorted(contents.items()):
        name = path.encode("utf-8", "surrogateescape")
        digest.update(b"%d %d " % (len(name), len(content)) + name + content)
    return digest.hexdigest()


def bot_folders(root: Path) -> list[Path]:
    """The folders of bots in a folder, by name: what holds something of one, or lets nobody look. Raises: OSError."""
    return sorted(each for each in root.iterdir() if not _LEAVINGS.fullmatch(each.name) and _is_bot(each))


def _is_bot(folder: Path) -> bool:
    try:
        there = [folder / name for name in _OF_BOTS]
        return any(each.exists() or each.is_symlink() for each in there)
    except OSError:  # the bot, if it is one, is told as one that cannot be read; a disk's own folder is none
        return folder.name != "lost+found"


def read_folder(folder: Path, root: Path | None = None) -> BotFiles:
    """Read a bot's files. root: where links may lead besides the bot's own folder.

    Raises: BotFaults for one that cannot be read, or lies elsewhere, too many, no bot.toml, or a folder's name.
    """
    name, shown = folder.name, folder.as_posix()
    if not _NAME.fullmatch(name):
        raise BotFaults([BotFault(shown, 0, "", f"{name!r} cannot be a bot's name; use letters, digits, _ . and -")])
    contents: dict[str, bytes] = {}
    left = MOST_BYTES
    try:
        inside = (folder.resolve(), (root or folder).resolve())
        for path in _files(folder, inside[:1], inside):
            content = read_bounded(path, _MOST_OF.get(path.suffix.lower(), MOST_BYTES))
            left -= len(content)
            if left < 0:
                message = f"the folder holds more than {MOST_BYTES // 1024**2} MB; leave out what the bot does not need"
                raise BotFaults([BotFault(shown, 0, "", message)])
            contents[path.relative_to(folder).as_posix()] = content
            if len(contents) > MOST_FILES:
                message = f"the folder holds more than {MOST_FILES} files; leave out what the bot does not need"
                raise BotFaults([BotFault(shown, 0, "", message)])
    except OSError as error:
        raise BotFaults([BotFault(str(error.filename or shown), 0, "", f"cannot be read: {error.strerror}")]) from None
    if BOT_FILE not in contents:
        message = f"there is no {BOT_FILE} in it; write one, or take the folder away"
        raise BotFaults([BotFault(shown, 0, "", message)])
    return BotFiles(name, contents, shown)


def read_routes_file(root: Path) -> bytes:
    """The file of the routes in the folder of the bots. Raises: FileNotFoundError without one, BotFaults, OSError."""
    path = root / ROUTES_FILE
    _stays(path, (root.resolve(),))
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise BotFaults([BotFault(path.as_posix(), 0, "", "is no file; write one, or take it away")])
    return read_bounded(path, MOST_TOML_BYTES)


def read_bounded(path: Path, most: int) -> bytes:
    """A file of at most that many bytes. Raises: BotFaults if it has more, OSError."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise BotFaults([BotFault(path.as_posix(), 0, "", f"is longer than {most // 1024} KB; shorten it")])
    return content


def _files(folder: Path, around: tuple[Path, ...], inside: tuple[Path, ...]) -> Iterator[Path]:
    """The files in a folder and below, symbolic links followed. around: the folders it is in, resolved, and itself.

    inside: where links may lead. What a bot's author may not read, as a secret of the deployment, no model is told.
    Raises: BotFaults for one that leads elsewhere, OSError.
    """
    for path in sorted(folder.iterdir()):
        if _LEAVINGS.fullmatch(path.name):
            continue
        _stays(path, inside)
        if path.is_dir():
            # A link to a folder around it would lead round for ever.
            if (resolved := path.resolve()) not in around:
                yield from _files(path, (*around, resolved), inside)
        elif path.is_file():  # and no pipe, which would be waited for
            yield path
        elif path.is_symlink():
            raise FileNotFoundError(2, "the link leads nowhere", str(path))


def _stays(path: Path, inside: tuple[Path, ...]) -> None:
    """Raises: BotFaults for a link that leads elsewhere than into these folders, which are resolved."""
    if path.is_symlink() and not any(Path(os.path.realpath(path)).is_relative_to(each) for each in inside):
        message = "is a link that leads out of the folder of the bots; copy what it leads to"
        raise BotFaults([BotFault(path.as_posix(), 0, "", message)])
