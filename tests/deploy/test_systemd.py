"""The systemd unit: how little it may do, and that the daemon lives with it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy/systemd/tieline.service"
# Of 10, as systemd-analyze counts what a service could do to the machine; the network alone is 0.8.
MOST_EXPOSED = 2.0
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1

SERVES = """
import asyncio, ctypes, mmap, sys
if ctypes.CDLL(None).prctl({set_mdwe}, {refuse}, 0, 0, 0):
    sys.exit("no such limit")
try:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit("no such limit")
except OSError:
    pass
import gateway.commands, soxr, psycopg
from gateway.daemon import Daemon, run
from gateway.settings import read_settings

async def serve():
    async with Daemon(read_settings(openai_url="ws://127.0.0.1:1", port=0, ops_port=0, database_url=sys.argv[1])):
        print("serving")

run(serve())
"""


def test_the_unit_exposes_little() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for tieline.service: ([\d.]+)", told.stdout)
    if found is None:
        pytest.skip(f"this systemd-analyze knows no --offline: {told.stderr}")
    assert float(found[1]) <= MOST_EXPOSED, told.stdout


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    # Whatever it says otherwise: that the program is not where it will be installed.
    unit = re.sub(r"(?<=^ExecStart=)\S+", sys.executable, UNIT.read_text(), flags=re.MULTILINE)
    (tmp_path / UNIT.name).write_text(unit)
    shutil.copy(UNIT.with_suffix(".socket"), tmp_path)
    files = [str(tmp_path / UNIT.name), str(tmp_path / f"{UNIT.stem}.socket")]
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "UMask=0077",
        "MemoryDenyWriteExecute=yes",
        "DynamicUser=yes",
        "NoNewPrivileges=yes",
        "StateDirectoryMode=0700",
        "OOMPolicy=continue",
    ],
)
def test_the_unit_says(line: str) -> None:
    assert line in UNIT.read_text().splitlines()


def test_the_daemon_and_its_libraries_make_no_code_at_run_time(tmp_path: Path) -> None:
    """As MemoryDenyWriteExecute= has it, by the kernel's own means (Linux 6.3)."""
    if sys.platform != "linux":
        pytest.skip("Linux only")
    source = SERVES.format(set_mdwe=PR_SET_MDWE, refuse=REFUSE_EXEC_GAIN)
    done = subprocess.run(
        [sys.executable, "-c", source, f"sqlite:///{tmp_path}/tieline.sqlite3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "no such limit" in done.stderr:
        pytest.skip("this kernel cannot refuse it")
    assert (done.returncode, done.stdout) == (0, "serving\n"), done.stderr


def test_the_lock_file_has_every_package_that_the_daemon_needs() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    needed = [*setup["options"]["install_requires"].split("\n"), *f"{extras['postgres']}\n{extras['otel']}".split("\n")]
    names = {re.split(r"[\s\[=<>]", line, maxsplit=1)[0].lower() for line in needed if line}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert names - locked == set()
    assert {"pykka", "sqlalchemy", "psycopg", "opentelemetry-sdk"} <= names
