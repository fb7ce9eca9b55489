"""Where a reader types what the pages say: a database, a directory, a terminal, and names for those of the pages."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, make_url

from tests.docs.extract import ROOT, SHELL, SQL, TOML, Typed, section, typed
from tests.support.containers import MariaDbDatabases, PostgresDatabases, free_ports
from tests.support.dba import Dba, dba
from tests.support.waiting import wait_for

_SERVES = re.compile(r"^dialer (--config \S+ )?(run|worker|api|simulate)\b(?!.*--help)")
"""Commands that go on until they are told to stop."""
FIRST_CALL = ROOT / "docs" / "first-call.md"
_INSTALLING = ("2. A place in a database", "3. Settings")

NOT_RUN = {
    "python3 -m venv .venv": "this environment is there already",
    ". .venv/bin/activate": "likewise",
    "pip install .": "likewise",
    "DIALER_DATABASE_URL=mariadb://user:password@host/ make demo": "no such host; tests/acceptance/test_demo.py",
    'python -m benchmarks.pacing --only "20 agents" jumps': "takes minutes",
    "python -m benchmarks.predictive": "likewise",
    "dialer pacing replay sales --hours 2": "needs half an hour of dialling; tests/integration/test_predictive_day.py",
    "SET innodb_snapshot_isolation = OFF": "newer servers alone have it",
    "SET GLOBAL log_bin_trust_function_creators = 1": "changes a server that others use",
    "mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql": "likewise",
}
"""What the pages say and nobody does here, and why. `make` is asked what it would do, no more."""


class World:
    """One reader and one database server. Nothing is there but the server; on PostgreSQL, an empty database."""

    def __init__(self, server: PostgresDatabases | MariaDbDatabases, dialect: str, directory: Path) -> None:
        self.dialect = dialect
        self.directory = directory
        self._server, self._first = server, server.admin_url
        self._admin = server.admin_url
        url = server.create()
        self.database = make_url(url).database or ""
        self._made = dialect == "postgresql"
        if not self._made:
            server.drop(url)  # there the reader makes it
        self.user, self.lists, self.reports = (
            f"{name}_{secrets.token_hex(4)}" for name in ("dialer", "lists", "reports")
        )
        self.http, self.ami = free_ports(1), free_ports(1)
        postgresql = dialect == "postgresql"
        self.schema = "nc" if postgresql else self.database
        self.renamed = {
            r"\bnc_username\b": self.user,
            r"\bnc_lists\b": self.lists,
            r"\bnc_reader\b": self.reports,
            r"\bnc\b(?!_)(?!\.(sql|dump))": self.schema,
            r"db\.example\.com": self._admin.host or "127.0.0.1",
            r"\b192\.0\.2\.10\b": "127.0.0.1",
            r"127\.0\.0\.1:8080": f"127.0.0.1:{self.http}",
            r"^Port = 8080": f"Port = {self.http}",
            r'"pgx"': '"pgx"' if postgresql else '"mysql"',
            r"\basterisk\b(?=\"?$)": self.database,
            r"^dialer simulate": f"dialer simulate --port {self.ami}",
            r"^((?:\w+=\S+ )*)make ": rf"\1make --silent -C {ROOT} --just-print ",
        }
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DIALER_")},
            "PATH": f"{self._programs()}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DIALER_AMI_PORT": str(self.ami),
            **self._place(),
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = 0
        self._dba: Dba | None = None

    def _place(self) -> dict[str, str]:
        """What the dialer and a DBA's own programs go by; his are the administrator's rights."""
        return {
            "DIALER_DATABASE_PORT": str(self._admin.port),
            "PGHOST": str(self._admin.host),
            "PGPORT": str(self._admin.port),
            "PGUSER": str(self._admin.username),
            "PGPASSWORD": str(self._admin.password),
            "MYSQL_HOST": str(self._admin.host),
            "MYSQL_TCP_PORT": str(self._admin.port),
            "MYSQL_PWD": str(self._admin.password),
        }

    def move(self, server: PostgresDatabases | MariaDbDatabases) -> None:
        """The reader sits before another server of the same kind from now on, on which nothing is."""
        if self._dba is not None:
            self._dba.close()
            self._dba = None
        self._admin = server.admin_url
        self._made = False
        self.environ |= self._place()

    def here(self, text: str) -> str:
        """A text of the pages with the names of this run."""
        for old, new in self.renamed.items():
            text = re.sub(old, new, text, flags=re.MULTILINE)
        return text

    # --- what is typed -----------------------------------------------------------------------------------

    def run(self, command: str) -> str:
        """A shell command to its end, or started if it has none; what it has said. What it exports stays set."""
        command = self.here(command)
        if _SERVES.match(command):
            return self._start(command)
        after = self.directory / ".environment"
        done = subprocess.run(
            ["bash", "-e", "-c", f"{command}\nenv -0 > {shlex.quote(str(after))}"],
            cwd=self.directory,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{command!r} ended with {done.returncode}: {done.stdout}{done.stderr}{self.said()}")
        pairs = (one.partition("=") for one in after.read_text().split("\0") if one)
        self.environ = {name: value for name, _, value in pairs}
        return done.stdout

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """A statement of the DBA."""
        if self._dba is None:
            self._dba = self._connected(self._admin)
        rows = self._dba.sql(self.here(statement).replace("%", "%%"))
        if statement.startswith(("CREATE DATABASE", "DROP DATABASE")):
            self._made = statement.startswith("CREATE")
            self._dba.close()
            self._dba = None
        return rows

    def sql_as(self, user: str, statement: str) -> list[dict[str, Any]]:
        """A statement of one of the users that the pages make, each with the password 'secret'."""
        connection = self._connected(self._admin.set(username=self.here(user), password="secret"))
        try:
            return connection.sql(self.here(statement))
        finally:
            connection.close()

    def session(self) -> Dba:
        """A session of the DBA's own, to be closed."""
        return self._connected(self._admin)

    def _connected(self, url: URL) -> Dba:
        placed = url.set(database=self.database if self._made else None)
        return dba(placed.render_as_string(hide_password=False), self.schema)

    def type(self, what: Typed) -> None:
        """Whatever a page says, unless it is for the other database, or nobody does it here."""
        if what.text in NOT_RUN or what.dialect not in (None, self.dialect):
            return
        try:
            if what.kind == SHELL:
                self.run(what.text)
            elif what.kind == SQL:
                self.sql(what.text)
        except Exception as error:
            raise AssertionError(f"{what}\n{error}") from error

    def write_files(self, page: Path) -> None:
        """The settings and the simulated people of a page."""
        for what in typed(page):
            if what.kind == TOML and "[database]" in what.text and "[ami]" in what.text:
                (self.directory / "dialer.toml").write_text(self.here(what.text))
            elif what.kind == TOML and "[[agents]]" in what.text:
                (self.directory / "people.toml").write_text(what.text)

    def install(self) -> None:
        """What docs/first-call.md says, to where the dialer is installed; and the Asterisk that is played."""
        self.write_files(FIRST_CALL)
        for title in _INSTALLING:
            for what in section(FIRST_CALL, title):
                self.type(what)
        self.run("dialer simulate")

    def _start(self, command: str) -> str:
        found = _SERVES.match(command)
        assert found is not None
        kind = "simulate" if found[2] == "simulate" else "work"
        if kind in self._running:  # who starts it anew has ended the one before
            self.end(kind)
        self._starts += 1
        log = self.directory / f"running-{self._starts}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(command, comments=True), cwd=self.directory, env=self.environ, stdout=output, stderr=output
            )
        self._running[kind] = process

        def serves() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"{command!r} ended with {process.returncode}: {self.said()}")
            said = {"simulate": "AMI on", "api": "http_started"}.get(found[2], "_up")
            return said in log.read_text() or (kind == "work" and self.ready())

        wait_for(serves, 20, lambda: f"{command!r} to serve: {self.said()}", every=0.1)
        return log.read_text()

    def end(self, kind: str) -> None:
        """End one that runs: simulate, or work."""
        process = self._running.pop(kind)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, self.said()

    def ready(self) -> bool:
        """Does /readyz say so?"""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    def said(self) -> str:
        """What the running commands have said."""
        return "\n".join(
            f"{log.name}: {log.read_text()[-2000:]}" for log in sorted(self.directory.glob("running-*.log"))
        )

    def stop(self) -> None:
        """End what runs, in order."""
        for kind in ("work", "simulate"):
            if kind in self._running:
                self.end(kind)

    # --- before and after ----------------------------------------------------------------------------------

    def _programs(self) -> str:
        """`dialer` as this tree has it, and the clients of MariaDB as this run's administrator."""
        programs = self.directory / "programs"
        programs.mkdir()
        script = {"dialer": f'exec {shlex.quote(sys.executable)} -m dialer "$@"'}
        for name in ("mariadb", "mariadb-dump"):
            script[name] = f'exec /usr/bin/{name} --user={self._admin.username} --protocol=tcp "$@"'
        for name, text in script.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        return str(programs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.kill()
            process.wait(10)
        if self._dba is not None:
            self._dba.close()
        self._server.drop(self._first.set(database=self.database).render_as_string(hide_password=False))
        with closing(self._server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP USER IF EXISTS {self.user}, {self.lists}, {self.reports}")
