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
from store.database import open_database
from tests.cranked import CrankedDispatcher
from tests.groups import Grouping, scheduler

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
def engine(tmp_path: Path, migrated_file: Path) -> Iterator[Engine]:
    """A database without rows."""
    engine = open_database(f"sqlite:///{shutil.copy(migrated_file, tmp_path)}")
    yield engine
    engine.dispose()


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    """Level, message and bound fields of the log lines from WARNING on."""
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line).strip()), level="WARNING", format="{level} {message} {extra}")
    yield lines
    logger.remove(sink)


# pytest tests/fsm/testing/test_machine.py --hypothesis-profile=thorough: more than ten thousand random conversations.
settings.register_profile("thorough", max_examples=1500, deadline=None)
# How long an example takes says nothing on a machine that is busy with other things. Each run draws other examples.
settings.register_profile("unhurried", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of tests/faults: `make test` runs only those of them that are fast."""
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
