"""Runs chosen tests in forks of this process: for a mutant, or to measure which lines each test executes.

A fork inherits the imported third-party packages. The project itself it imports from the copy of the tree, except the
module that the mutant changes, which it imports from memory.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

from tools.mutations import Mutant, source_of

# Third-party packages that are slow to import.
PRELOADED = (
    "aiohttp", "alembic.command", "hypothesis.stateful", "loguru", "numpy", "openai.types.realtime", "orjson",
    "prometheus_client", "psycopg", "pydantic", "pydantic_settings", "pykka", "pytest", "rich.table", "soxr",
    "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "typer.testing", "uvloop", "websockets.client",
    "websockets.server",
)  # fmt: skip
CHILD_FAILED = 99  # not an exit code of pytest
OUTSIDE_LIMIT_S, FILE_LIMIT_S = 30.0, 600.0  # before, between and after tests; for the tests of a file, measured
OPTIONS = ("-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0")


@dataclass(frozen=True, slots=True)
class Measured:
    """executed: by module and test, the lines that run, without those run by imports. took_s: by test."""

    executed: Mapping[str, Mapping[str, frozenset[int]]]
    took_s: Mapping[str, float]


class _InMemory(MetaPathFinder, Loader):
    """Imports one module from changed source. code: compiled under the module's own path."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102 - the mutant


class TestRunner:
    """tree: the copy in which tests run. Several processes may use one tree, each with its own runner."""

    __test__ = False

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        for name in PRELOADED:
            importlib.import_module(name)

    def run(self, limits_s: Mapping[str, float], mutant: Mutant) -> int | None:
        """The exit code of pytest; None if a test's time limit passed. limits_s: the tests, in order."""
        source = source_of(self._tree, mutant)

        def child() -> int:
            path = self._tree / mutant.path
            name = ".".join(Path(mutant.path).with_suffix("").parts).removesuffix(".__init__")
            sys.meta_path.insert(0, _InMemory(name, path, compile(source, str(path), "exec")))
            options = [*OPTIONS, f"--basetemp={self._tree.parent}/tmp-{os.getpid()}"]
            return int(pytest.main([*options, *limits_s], plugins=[_Alarm(limits_s)]))

        return self._forked(child, OUTSIDE_LIMIT_S)

    def measured(self, places: Sequence[str], modules: Sequence[str], cache: Path, pool: Executor) -> Measured:
        """Run the tests of files or folders and record the lines they execute; unchanged files come from the cache."""
        files = sorted({path for place in places for path in _test_files(self._tree, place)})
        wanted = sorted({module.partition("/")[0] for module in modules})
        known: dict[str, Any] = json.loads(cache.read_text()) if cache.exists() else {}
        everything = _digest(path for path in self._tree.rglob("*.py") if not path.name.startswith("test_"))
        digests = {path.relative_to(self._tree).as_posix(): everything + _digest([path]) for path in files}
        new = [name for name, digest in digests.items() if known.get(name, {}).get("digest") != digest]
        for name, tests in zip(new, pool.map(partial(self._measure, packages=wanted), new), strict=True):
            known[name] = {"digest": digests[name], "tests": tests}
            cache.write_text(json.dumps(known))
        executed: defaultdict[str, dict[str, frozenset[int]]] = defaultdict(dict)
        took_s: dict[str, float] = {}
        for name in digests:
            for test, (seconds, lines) in known[name]["tests"].items():
                took_s[test] = seconds
                for module, numbers in lines.items():
                    executed[module][test] = frozenset(numbers)
        return Measured(executed, took_s)

    def said(self) -> str:
        """The end of the last fork's output."""
        return self._said().read_text()[-2000:]

    def _said(self) -> Path:
        return self._tree.parent / f"said-{os.getpid()}.txt"

    def _measure(self, name: str, packages: Sequence[str]) -> dict[str, tuple[float, dict[str, list[int]]]]:
        result = self._tree.parent / f"measured-{os.getpid()}.json"
        result.unlink(missing_ok=True)

        def child() -> int:
            import coverage  # noqa: PLC0415 - it traces from here on

            sources = [str(self._tree / package) for package in packages]
            meter = coverage.Coverage(data_file=None, source=sources, config_file=False)
            plugin = _Meter(meter, self._tree)
            meter.start()
            code = pytest.main(
                [*OPTIONS[1:], f"--basetemp={self._tree.parent}/tmp-{os.getpid()}", name], plugins=[plugin]
            )
            meter.stop()
            result.write_text(json.dumps(plugin.found()))
            return int(code)

        code = self._forked(child, FILE_LIMIT_S)
        if code != 0:
            raise RuntimeError(f"{name} fails, or takes too long, without any mutant ({code}): {self.said()}")
        found: dict[str, tuple[float, dict[str, list[int]]]] = json.loads(result.read_text())
        return found

    def _forked(self, do: Callable[[], int], limit_s: float) -> int | None:
        """The exit code; None if the time limit passed. What is done may set another limit, by the same timer."""
        sys.stdout.flush()
        said = self._said()
        child = os.fork()
        if child == 0:
            code = CHILD_FAILED
            try:
                os.setsid()
                # It ends the process, whatever that does: a handler would wait for the interpreter's next instruction.
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, limit_s)
                self._settle(said)
                code = do()
            except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what it has left behind
        shutil.rmtree(self._tree.parent / f"tmp-{child}", ignore_errors=True)
        code = os.waitstatus_to_exitcode(status)
        return None if code == -signal.SIGALRM else code

    def _settle(self, said: Path) -> None:
        """Make the fork one that stands in the copy, and is quiet."""
        os.chdir(self._tree)
        here = Path(__file__).parents[1]
        sys.path[:] = [str(self._tree), *(each for each in sys.path if Path(each or ".").resolve() != here)]
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tools", "tests")]:
            del sys.modules[name]
        quiet = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(quiet, stream)


class _Alarm:
    """A plugin of pytest's: gives each test its time limit."""

    def __init__(self, limits_s: Mapping[str, float]) -> None:
        self._limits_s = limits_s

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._limits_s[nodeid])

    def pytest_runtest_logfinish(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, OUTSIDE_LIMIT_S)


class _Meter:
    """A plugin of pytest's: which lines run in each test, and how long it takes."""

    def __init__(self, meter: Any, tree: Path) -> None:
        self._meter, self._tree = meter, tree
        self._took_s: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._meter.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self._meter.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._took_s[report.nodeid] += report.duration

    def found(self) -> dict[str, tuple[float, dict[str, list[int]]]]:
        lines: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        data = self._meter.get_data()
        for file in data.measured_files():
            module = Path(file).relative_to(self._tree).as_posix()
            by_test: defaultdict[str, list[int]] = defaultdict(list)
            for line, contexts in data.contexts_by_lineno(file).items():
                for context in contexts:
                    by_test[context].append(line)
            for test, numbers in by_test.items():
                if test:
                    lines[test][module] = numbers
        return {test: (round(seconds, 3), lines[test]) for test, seconds in self._took_s.items()}


def _test_files(tree: Path, place: str) -> list[Path]:
    if "*" in place:
        return sorted(tree.glob(place))
    path = tree / place
    return [path] if path.is_file() else sorted(path.rglob("test_*.py"))


def _digest(paths: Any) -> str:
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]
