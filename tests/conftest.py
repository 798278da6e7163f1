"""Fixtures and options of all tests."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest
from hypothesis import HealthCheck, settings
from loguru import logger
from sqlalchemy import Engine

from actors.system.dispatcher import install
from appointments import schema as appointments
from store import schema
from store.database import open_database
from tests.cranked import CrankedDispatcher
from tests.groups import Grouping, scheduler
from tests.store.postgres import PostgresServer, running_server

ROOT = Path(__file__).parent
# Collecting makes hundreds of thousands of objects that stay; a quarter of its time would go into a search for garbage.
gc.disable()


@pytest.fixture
def mailboxes() -> Iterator[CrankedDispatcher]:
    """The hand-cranked dispatcher of this test's loop actors; those still alive at the end are stopped."""
    dispatcher = CrankedDispatcher()
    install(dispatcher)
    yield dispatcher
    for ref in pykka.ActorRegistry.get_all():
        ref.stop(block=False)
    dispatcher.drain()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied: the migrations take longer than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "tieline.sqlite3"
    open_database(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """A database without rows."""
    engine = open_database(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Level, message and bound fields of the log lines from WARNING on."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line).strip()), level="WARNING", format="{level} {message} {extra}")
    yield lines
    logger.remove(sink)


@pytest.fixture
def all_lines() -> Iterator[list[str]]:
    """All that is logged, at any level, with all that is bound to it and with the variables of each traceback."""
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {extra} {exception}", backtrace=True, diagnose=True)
    yield lines
    logger.remove(sink)


# --- either kind of database: a SQLite file, and one on a PostgreSQL server that this session has started ---


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        yield from running_server()
    except FileNotFoundError as error:
        pytest.skip(f"PostgreSQL is not installed (apt-get install postgresql): {error}")


@pytest.fixture(scope="session")
def migrated(postgres: PostgresServer) -> Iterator[str]:
    """A migrated database, shared by tests one after the other."""
    with postgres.database() as name:
        open_database(postgres.url(name)).dispose()
        yield name


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_file: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/empty.sqlite3"


@pytest.fixture
def postgres_url(postgres: PostgresServer, migrated: str) -> Iterator[str]:
    yield postgres.url(migrated)
    postgres.empty(migrated, [*schema.metadata.tables, *appointments.metadata.tables])


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as name:
        yield postgres.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a database without rows; a test with it runs once for each kind of database."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request: pytest.FixtureRequest) -> str:
    """As `url`, but the database has no tables yet."""
    url: str = request.getfixturevalue("empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url")
    return url


@pytest.fixture
def either_engine(url: str) -> Iterator[Engine]:
    """A database without rows, of each kind in turn."""
    engine = open_database(url)
    yield engine
    engine.dispose()


# pytest tests/fsm/testing/test_machine.py --hypothesis-profile=thorough: more than ten thousand random conversations.
settings.register_profile("thorough", max_examples=1500, deadline=None)
# How long an example takes says nothing on a machine that is busy with other things. Each run draws other examples.
settings.register_profile("unhurried", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Let each process of xdist begin to collect elsewhere.

    The first to read a file keeps what pytest made of its assertions for all: on a fresh clone each would else do it.
    """
    worker = getattr(config, "workerinput", None)
    if worker is not None and [Path(arg).resolve() for arg in config.args] == [ROOT]:
        found = sorted([*ROOT.glob("test_*.py"), *(path for path in ROOT.iterdir() if (path / "__init__.py").exists())])
        first = int(worker["workerid"].removeprefix("gw")) * len(found) // worker["workercount"]
        config.args[:] = map(str, [*found[first:], *found[:first]])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of tests/faults: `make test` runs only those of them that are fast."""
    items.sort(key=lambda item: item.path)  # in whatever order they were collected
    for item in items:
        if item.path.relative_to(ROOT).parts[0] == "faults":
            item.add_marker(pytest.mark.faults)


def pytest_collection_finish() -> None:
    """What there is now stays: tests have only their own objects looked through."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Grouping | None:
    return scheduler(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the fault tests have measured."""
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        for name, told in getattr(report, "user_properties", ()):
            if name == "figures" and told and report.when == "teardown":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {told}")


@pytest.fixture
def info_lines() -> Iterator[list[dict[str, object]]]:
    """The message, as "message", and the fields of each line of the log at INFO."""
    lines: list[dict[str, object]] = []
    sink = logger.add(
        lambda line: lines.append({"message": line.record["message"], **line.record["extra"]}),
        filter=lambda record: record["level"].name == "INFO",
    )
    yield lines
    logger.remove(sink)
