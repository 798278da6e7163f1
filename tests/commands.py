"""Commands of ours in this process, as tests give them."""

from __future__ import annotations

from typer.testing import CliRunner, Result

import run


def command(*args: str) -> Result:
    """A command in this process."""
    return CliRunner().invoke(run.app, list(args))


def printed(*args: str) -> list[str]:
    """The lines that a command prints which ends well."""
    result = command(*args)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()
