"""The console of the command line, its exit codes, and what all commands say about wrong settings.

May import: gateway.settings, protocols, store, rich, typer, the standard library.
"""

from __future__ import annotations

import gc
import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from gateway.settings import Settings, SettingsError, read_settings
from protocols.errors import MisuseError, TielineError

# No emoji: rich would find one in "wait:soon: is no number".
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

WRONG_SETTING, FAILED = 2, 1
DATABASE = "TIELINE_DATABASE_URL"
# What Linux has as the login of a process that belongs to none.
_NO_LOGIN = 2**32 - 1


@contextmanager
def importing() -> Iterator[None]:
    """For imports of much: without a garbage collector, which takes a fifth of their time and finds nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def settings_or_exit(**overrides: object) -> Settings:
    """Read the settings, or exit with 2 after printing every fault with its variable."""
    try:
        return read_settings(**overrides)
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None


@contextmanager
def usable_or_exit() -> Iterator[None]:
    """For what is done with the settings' database: exit with 2 if it cannot be used, with 1 if it is away."""
    try:
        yield
    except SettingsError as error:
        print_faults(error.faults)
        raise typer.Exit(WRONG_SETTING) from None
    except MisuseError as error:
        print_misuse(error)
        raise typer.Exit(WRONG_SETTING) from None
    except TielineError as error:
        print_away(error)
        raise typer.Exit(FAILED) from None


def print_faults(faults: list[str]) -> None:
    for fault in faults:
        err.print(f"[red]wrong setting[/red] {escape(fault)}")


def print_misuse(error: MisuseError) -> None:
    """Say what is wrong with the database that the settings name, or with a task."""
    what, why = misuse(error)
    err.print(f"[red]{what}[/red] {escape(why)}")


def misuse(error: MisuseError) -> tuple[str, str]:
    """What is wrong, and why."""
    from store.database import WrongDatabase
    from store.package_tables import WrongTables

    if isinstance(error, WrongDatabase):
        return "wrong setting", f"{DATABASE}: {error}"
    return "wrong tables" if isinstance(error, WrongTables) else "wrong task", str(error)


def print_away(error: Exception) -> None:
    """Say that the database cannot be opened now."""
    err.print(f"[red]not now[/red] {escape(str(error))}")


def operator(login_uid: Path = Path("/proc/self/loginuid")) -> str:
    """Who gives this command, for the audit: the user of the system, and who has logged in and become that user.

    By the kernel's word, as far as it has one: LOGNAME and USER are what somebody likes to be called. SUDO_USER is no
    better, and told only where nobody's login is known.
    """
    user, login = os.getuid(), _login(login_uid)
    before = os.environ.get("SUDO_USER", "") if login is None else "" if login == user else _name(login)
    return f"{before + ' as ' if before else ''}{_name(user)}@{socket.gethostname()}"


def _login(file: Path) -> int | None:
    """The user who has logged in, whoever that is by now: Linux lets nobody change it. None for no login."""
    try:
        uid = int(file.read_text())
    except (OSError, ValueError):
        return None
    return None if uid == _NO_LOGIN else uid


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user may have no name
        return str(uid)
