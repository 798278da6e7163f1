"""A PostgreSQL server of one's own, from the system's packages: in a temporary folder, on a Unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest


class PostgresServer:
    """The programs of the newest installed version. They refuse to run as root: another user is chosen.

    settings: for postgresql.conf. of: the server whose standby this one is. Raises: FileNotFoundError where there is no
    PostgreSQL.
    """

    def __init__(self, of: PostgresServer | None = None, **settings: str) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if not found:
            raise FileNotFoundError("there is no /usr/lib/postgresql/*/bin/initdb")
        self.programs = found[-1].parent
        self._names = (f"t{number}" for number in count(1))
        # Not in pytest's folder: only its owner may enter that.
        self.folder = Path(tempfile.mkdtemp(prefix="tieline-postgres-"))
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            user = _somebody()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
        if of is None:
            self._run("initdb", "--pgdata=data", "--username=tieline", "--auth=trust", "--encoding=UTF8", "--no-sync")
        else:
            source = f"--dbname=user=tieline host={of.folder} application_name=standby"
            self._run(
                "pg_basebackup", source, "--pgdata=data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"
            )
        lines = [f"{name} = {value}" for name, value in settings.items()]
        lines += ["listen_addresses = ''", f"unix_socket_directories = '{self.folder}'"]
        with (self.folder / "data/postgresql.conf").open("a") as conf:
            conf.write("\n".join((*lines, "")))
        self.start()

    def start(self) -> None:
        """Start it; returns when it accepts connections."""
        self._run("pg_ctl", "start", "--pgdata=data", "--wait", "--silent", "--log=log")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it, with its connections. immediate: as if its machine had lost power."""
        self._run("pg_ctl", "stop", "--pgdata=data", "--wait", "--silent", f"--mode={mode}")

    def promote(self) -> None:
        """Let a standby be the primary; returns when it takes writes."""
        self._run("pg_ctl", "promote", "--pgdata=data", "--wait", "--silent")

    @property
    def pid(self) -> int:
        """Of the process whose children the others are."""
        return int((self.folder / "data/postmaster.pid").read_text().split("\n", 1)[0])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        parent = self.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for pid in (str(parent), *children):
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def destroy(self) -> None:
        if (self.folder / "data/postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / ".s.PGSQL.5432"

    def url(self, database: str, **options: str) -> str:
        """The URL for SQLAlchemy. options: libpq's."""
        told = "".join(f"&{name}={value}" for name, value in options.items())
        return f"postgresql://tieline@/{database}?host={self.folder}{told}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """A new database, for as long as it is wanted; its name."""
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self, database: str, tables: Iterable[str]) -> None:
        """Their rows are gone; that takes less time than a new database."""
        # Without triggers: the audit refuses.
        emptied = f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"
        self._execute(f"SET session_replication_role = replica; {emptied}", database)

    def connection(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """One of its own, in which each statement is committed."""
        return psycopg.connect(host=str(self.folder), user="tieline", dbname=database, autocommit=True)

    def _execute(self, sentence: str, database: str = "postgres") -> None:
        with self.connection(database) as connection:
            connection.execute(sentence.encode())

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            check=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **self._as,
        )


def running_server() -> Iterator[PostgresServer]:
    """For a fixture: what is written in it need not outlive the machine, only the server."""
    server = PostgresServer(fsync="off", full_page_writes="off", shared_buffers="16MB", max_wal_size="64MB")
    try:
        yield server
    finally:
        server.destroy()


def _somebody() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise FileNotFoundError("there is no user but root to run a server as")


@contextmanager
def a_database() -> Iterator[tuple[PostgresServer, str]]:
    """A server of this test's own, and the name of a database on it; skips the test where there is no PostgreSQL."""
    try:
        running = running_server()
        server = next(running)
    except FileNotFoundError as error:
        pytest.skip(f"PostgreSQL is not installed: {error}")
    try:
        with server.database() as name:
            yield server, name
    finally:
        next(running, None)
