"""Every module has a test file in its place: `python -m tools.test_files` names those that have none.

actors/vaic/filler.py is tested by tests/actors/vaic/test_filler.py, and so in all ROOMS. There may be more test files
than modules: for what several modules do together, or for a second side of a large one.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("actors", "appointments", "protocols", "fsm", "store")

# Run by Alembic: tests/store/test_database.py migrates through all of them, and compares the result with the schema.
MIGRATIONS = "store/migrations/"
# Modules without a test file, each with the reason.
WITHOUT = {
    "actors/messages/call.py": "types only",
    "actors/messages/journal.py": "types only",
    "actors/messages/model.py": "types only",
    "actors/messages/switchboard.py": "types only",
    "actors/messages/task.py": "types only",
    "actors/messages/vaic.py": "types only",
    "actors/policies.py": "numbers and names only; tests/actors/system/test_restart.py has what they mean",
    "actors/system/signals.py": "types only",
    "actors/tasks/handle.py": "types only",
    "actors/vaic/config.py": "types only",
    "appointments/schema.py": "tables only; tests/store/test_package_tables.py has how they are made",
    "fsm/answer.py": "types only",
    "fsm/errors.py": "a type only",
    "fsm/scratchpad.py": "a type only",
    "store/schema.py": "tables only; tests/store/test_database.py compares them with the migrations",
}


def test_file(module: Path) -> Path:
    """Where a module's tests are. module: below ROOT."""
    return Path("tests", module.parent, f"test_{module.name}")


def complaints(root: Path = ROOT) -> list[str]:
    """A line for each module without a test file, and for each exception that is none."""
    modules = [
        path.relative_to(root)
        for room in ROOMS
        for path in sorted((root / room).rglob("*.py"))
        if path.name != "__init__.py" and not path.relative_to(root).as_posix().startswith(MIGRATIONS)
    ]
    found = [
        f"{module}: there is no {test_file(module)}"
        for module in modules
        if not (root / test_file(module)).is_file() and module.as_posix() not in WITHOUT
    ]
    known = {module.as_posix() for module in modules}
    for name in WITHOUT:
        if name not in known:
            found.append(f"{name}: is excepted in tools/test_files.py, and is no module")
        elif (root / test_file(Path(name))).is_file():
            found.append(f"{name}: is excepted in tools/test_files.py, and has a test file")
    return found


if __name__ == "__main__":
    sys.exit("\n".join(complaints()) or None)
