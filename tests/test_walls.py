"""The allowed imports between folders (docs/architecture.md), checked in the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The folders that a folder may import, besides itself.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "protocols": frozenset(),
    "fsm": frozenset({"protocols"}),
    "fsm/agents": frozenset({"protocols", "fsm", "store"}),
    "store": frozenset({"protocols"}),
    "appointments": frozenset({"protocols", "fsm", "store"}),
    "recordings": frozenset({"protocols"}),
    "actors": frozenset({"protocols", "fsm", "store", "recordings"}),
    "http_tools": frozenset({"protocols", "fsm"}),
    "gateway": frozenset({"protocols", "fsm", "store", "actors", "http_tools", "recordings"}),
    "lab": frozenset({"protocols"}),
    "run": frozenset({"protocols", "fsm", "store", "appointments", "gateway", "lab"}),
}
ROOMS = frozenset(name for name in MAY_IMPORT if "/" not in name)

# The folders inside actors/, lowest first. Each may import those of lower rank, and none of its own rank but itself.
ACTORS_RANK: dict[str, int] = {
    "metrics": 0,
    "clips": 0,
    "system": 1,
    "bots": 1,
    "prices": 1,
    "spending": 1,
    "transport": 2,
    "messages": 3,
    "policies": 3,
    "services": 4,
    "tasks": 5,
    "vaic": 5,
    "model": 5,
    "call": 6,
    "process": 7,
}

# Modules that do I/O, wait, or are not deterministic: pure modules must not import them.
OUTSIDE = frozenset({
    "aiohttp", "asyncio", "concurrent", "ctypes", "http", "io", "logging", "loguru", "multiprocessing", "os",
    "pathlib", "prometheus_client", "pykka", "queue", "random", "sched", "secrets", "select", "selectors",
    "shutil", "signal", "socket", "socketserver", "sqlalchemy", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib", "uuid", "uvloop", "websocket", "websockets"
})  # fmt: skip
# Arithmetic and text, although it is in a library that does I/O.
PURE = ("urllib.parse.", "websockets.speedups.", "websockets.utils.")
CLOCKS = frozenset({"datetime.now", "datetime.utcnow", "datetime.today", "date.today"})
# A task's effects do its I/O: they use the store, and log if it is unavailable; all threads share a bot's own database.
AGENTS_MEET = frozenset({"loguru", "sqlalchemy"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement. at_start: executed when the module is loaded."""

    module: str
    line: int
    at_start: bool


def imports_of(source: str, package: tuple[str, ...] = ()) -> list[Import]:
    """Every import of a module, also inside functions and for the type checker. package: the module's."""
    return sorted(_imports(ast.parse(source), package, at_start=True), key=lambda each: each.line)


def _imports(node: ast.AST, package: tuple[str, ...], at_start: bool) -> Iterator[Import]:
    match node:
        case ast.Import():
            yield from (Import(alias.name, node.lineno, at_start) for alias in node.names)
        case ast.ImportFrom():
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            # `from lab import caller` imports a module too, where `from lab.caller import run_call` imports a name.
            yield from (Import(f"{module}.{alias.name}", node.lineno, at_start) for alias in node.names)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            yield from _all(node.body, package, at_start=False)
            yield from _all(node.orelse, package, at_start)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            yield from _all(ast.iter_child_nodes(node), package, at_start=False)
        case _:
            yield from _all(ast.iter_child_nodes(node), package, at_start)


def _all(nodes: Iterator[ast.AST] | list[ast.stmt], package: tuple[str, ...], at_start: bool) -> Iterator[Import]:
    for node in nodes:
        yield from _imports(node, package, at_start)


def clocks_of(source: str) -> set[str]:
    """The places that read the wall clock by name."""
    attributes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute))
    return {".".join(ast.unparse(node).split(".")[-2:]) for node in attributes} & CLOCKS


def modules(room: str) -> list[Path]:
    """The source files of a folder, without those of a listed subfolder."""
    if room == "run":
        return [ROOT / "run.py"]
    inner = [ROOT / name for name in MAY_IMPORT if name.startswith(f"{room}/")]
    paths = sorted((ROOT / room).rglob("*.py"))
    found = [path for path in paths if not any(path.is_relative_to(each) for each in inner)]
    assert found, f"no room {room}"
    return found


@cache  # many tests look at the same files
def imports(path: Path) -> list[Import]:
    package = path.relative_to(ROOT).parent.parts
    return imports_of(path.read_text(), package)


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


# --- imports between folders ---


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_it_may(room: str) -> None:
    known = MAY_IMPORT[room] | {room.partition("/")[0]}
    broken = [
        f"{where(path, each.line)} imports {each.module}"
        for path in modules(room)
        for each in imports(path)
        if (target := each.module.split(".")[0]) in ROOMS and target not in known
    ]
    assert not broken


@pytest.mark.parametrize("room", [room for room in MAY_IMPORT if room != "run"])
def test_no_room_imports_the_command_line_the_tests_or_the_benchmarks(room: str) -> None:
    outer = {"run", "tests", "tools", "benchmarks"}
    assert not [
        f"{where(path, each.line)} imports {each.module}"
        for path in modules(room)
        for each in imports(path)
        if each.module.split(".")[0] in outer
    ]


def test_no_test_is_imported_by_another() -> None:
    """Helpers of several test files are in helper modules, so that a test file can be moved or deleted alone."""
    broken = [
        f"{where(path, each.line)} imports {each.module}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for each in imports(path)
        if each.module.startswith("tests.") and module_path(each.module).name.startswith("test_")
    ]
    assert not broken


def module_path(name: str) -> Path:
    """The file of an imported module, or of the module that holds an imported name. name: dotted, from ROOT."""
    path = ROOT.joinpath(*name.split("."))
    return (path if path.parent.is_dir() else path.parent).with_suffix(".py")


def actors_room(module: str) -> str:
    """The room of a module in actors/: its second part. module: dotted."""
    return module.split(".")[1]


def test_inside_actors_imports_go_down_only() -> None:
    broken = [
        f"{where(path, each.line)} imports {each.module}"
        for path in modules("actors")
        if (here := path.relative_to(ROOT / "actors").with_suffix("").parts[0]) != "__init__"
        for each in imports(path)
        if each.module.startswith("actors.") and actors_room(each.module) != here
        if ACTORS_RANK[actors_room(each.module)] >= ACTORS_RANK[here]
    ]
    assert not broken


def test_the_actor_system_knows_nothing_of_a_call() -> None:
    ours = {
        each.module
        for path in modules("actors")
        if path.is_relative_to(ROOT / "actors" / "system")
        for each in imports(path)
        if each.module.split(".")[0] in ROOMS and not each.module.startswith(("actors.system.", "actors.metrics."))
    }
    assert ours == {"protocols.errors.PeerError"}  # an end that is not logged as a crash


def imported_modules(named: dict[str, Path]) -> dict[str, set[str]]:
    """By module, the modules that it imports, also for the type checker or inside a function. named: all modules."""

    def module_of(name: str) -> str | None:
        """The module that holds an imported name, or that the name is."""
        while name not in named and "." in name:
            name = name.rpartition(".")[0]
        return name if name in named else None

    found = {name: {module_of(each.module) for each in imports(path)} for name, path in named.items()}
    return {name: {each for each in targets if each not in (None, name)} for name, targets in found.items()}


def cycle_of(known: dict[str, set[str]]) -> list[str]:
    """An import cycle from a module to itself; empty if there is none."""
    safe: set[str] = set()

    def follow(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in safe:
            for each in sorted(known[name]):
                if found := follow(each, [*path, name]):
                    return found
            safe.add(name)
        return []

    return next((found for name in sorted(known) if (found := follow(name, []))), [])


@pytest.mark.parametrize("room", sorted(ROOMS - {"run"}))
def test_no_module_is_in_an_import_cycle(room: str) -> None:
    paths = sorted((ROOT / room).rglob("*.py"))
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    assert " imports ".join(cycle_of(imported_modules(named))) == ""


def test_an_import_cycle_is_found_and_printed() -> None:
    assert cycle_of({"a": {"b"}, "b": {"c", "d"}, "c": {"d"}, "d": {"b"}}) == ["b", "c", "d", "b"]
    assert cycle_of({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_the_actors_import_no_tables_of_the_store() -> None:
    known = {
        ".".join(each.module.split(".")[:2])
        for path in modules("actors")
        for each in imports(path)
        if each.module.startswith("store.")
    }
    assert known == {
        "store.call_keys", "store.causes", "store.costs", "store.database", "store.effect_log", "store.figures",
        "store.jobs", "store.journal", "store.leases", "store.outbox", "store.proof", "store.resolving",
        "store.retention", "store.rows", "store.watch",
    }  # fmt: skip


# What callers say of an appointment is a part of a language; a new bot begins with an example.
SPEAK_OF_APPOINTMENTS = (
    "fsm/claims.py",
    "fsm/english",
    "fsm/german",
    "gateway/bots/new.py",
    "store/migrations/",
)


def test_the_core_names_no_example() -> None:
    named = [
        where(path, number)
        for room in sorted(ROOMS - {"appointments", "lab", "run"})
        for path in modules(room)
        if not str(path.relative_to(ROOT)).startswith(SPEAK_OF_APPOINTMENTS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search("appointment|linden|practice", line, re.IGNORECASE)
    ]
    assert not named


def test_fsm_loads_its_tasks_by_folder_and_imports_none() -> None:
    named = [
        f"{where(path, each.line)} imports {each.module}"
        for path in modules("fsm")
        for each in imports(path)
        if each.module.startswith("fsm.agents.")
    ]
    assert not named


def test_the_command_line_imports_lab_only_inside_the_commands_that_need_it() -> None:
    met = [each for each in imports(ROOT / "run.py") if each.module.split(".")[0] == "lab"]
    assert met
    assert not [each for each in met if each.at_start]


# With whole tables, without OAuth: not what a start does not need, and takes a tenth of a second each to import.
START = """
import sys, run, gateway.daemon
from store.database import open_database
open_database(sys.argv[1])
print(*{name.partition(".")[0] for name in sys.modules} & {"lab", "alembic", "joserfc"})
"""


def test_the_serving_process_has_loaded_no_module_of_lab_and_none_that_it_does_not_need(migrated_file: Path) -> None:
    line = [sys.executable, "-c", START, f"sqlite:///{migrated_file}"]
    told = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == []


# --- pure modules ---


@pytest.mark.parametrize(
    ("room", "meets"),
    [
        ("protocols", frozenset()),
        ("fsm", frozenset()),
        ("fsm/agents", AGENTS_MEET),
        ("appointments", AGENTS_MEET | {"threading"}),
    ],
)
def test_pure_modules_import_no_socket_thread_or_clock(room: str, meets: frozenset[str]) -> None:
    reached = [
        f"{where(path, each.line)} imports {each.module}"
        for path in modules(room)
        for each in imports(path)
        if each.module.split(".")[0] in OUTSIDE - meets and not each.module.startswith(PURE)
    ]
    read = [
        f"{path.relative_to(ROOT)} reads {clock}"
        for path in modules(room)
        for clock in sorted(clocks_of(path.read_text()))
    ]
    assert not reached + read


# --- the checker itself ---

# Class names that more than one module may use, each with the reason.
SHARED_NAMES = {
    "Action": "a transition table's actions, one enum a table",
    "Event": "a transition table's events, one enum a table",
    "Phase": "a transition table's states, one enum a table",
    "SpeechStarted": "the same event on both wires and of the lab's voice detection",
    "SpeechStopped": "the same event on both wires and of the lab's voice detection",
    "CallerRecognised": "an actor's message, and the simulated caller's event",
    "HangUp": "an actor's message, and a step of the simulated caller",
    "Conversation": "the engine's, and the test kit's for authors of tasks",
    "Reply": "a caller's words as an answer, and the lab model's next words",
    "Spoken": "words with their place in a sentence, and with how they were heard",
    "Turn": "a turn in a call report, and whose turn it is",
}


def test_a_class_name_means_one_thing() -> None:
    defined: dict[str, list[str]] = {}
    for room in ROOMS:
        for path in modules(room):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    defined.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    shared = {name: paths for name, paths in defined.items() if len(paths) > 1}
    assert not {name: paths for name, paths in shared.items() if name not in SHARED_NAMES}
    assert SHARED_NAMES.keys() <= shared.keys(), "exemptions that are no longer needed"


SAMPLE = """
import asyncio, lab.engine
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from lab.caller import CallReport
else:
    from lab import mouth
try:
    import uvloop
except ImportError:
    from . import address
class A:
    import store
    def f(self):
        from ..gateway import ops
        async def g(): import run
"""


def test_imports_are_found_anywhere_in_a_module() -> None:
    seen = [(each.module, each.at_start) for each in imports_of(SAMPLE, ("actors", "inner"))]
    assert seen == [
        ("asyncio", True),
        ("lab.engine", True),
        ("typing.TYPE_CHECKING", True),
        ("lab.caller.CallReport", False),
        ("lab.mouth", True),
        ("uvloop", True),
        ("actors.inner.address", True),
        ("store", True),
        ("actors.gateway.ops", False),
        ("run", False),
    ]


def test_a_call_of_the_wall_clock_is_found_and_a_clock_handed_in_is_not() -> None:
    assert clocks_of("a = datetime.now(UTC)\nb = datetime.datetime.utcnow\nc = dt.date.today()") == {
        "datetime.now",
        "datetime.utcnow",
        "date.today",
    }
    assert clocks_of("context.now(); self._now(); now_ms(); datetime.combine(day, at)") == set()
