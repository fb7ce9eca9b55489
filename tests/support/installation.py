"""An installed dialer as an operator has it: a migrated database, settings in the environment, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

from sqlalchemy import make_url

from dialer.takeover import takeover
from tests.support.containers import Databases, free_ports
from tests.support.dba import dba
from tests.support.waiting import wait_for
from worker.config import load

SCHEMA = "nc"
PROGRAM = (sys.executable, "-m", "dialer")


def migrate(url: str) -> None:
    """Bring an empty database to head, as its operator would."""
    environ = {**_environ(), **_database(url)}
    subprocess.run([*PROGRAM, "migrate"], env=environ, check=True, timeout=60)


def take_over(url: str) -> None:
    """Make the server known under this address, too: MariaDB's are known by it."""
    for _ in takeover(load(None, _database(url)).database, stop=False):
        pass


def installed(server: Databases) -> str:
    """The URL of a new database at head, without a case."""
    url = server.create(server.template("migrated for acceptance", migrate))
    take_over(url)  # it is a copy of the template, and workers mind that
    return url


def _database(url: str) -> dict[str, str]:
    """On MariaDB the schema is the database itself."""
    named = {} if make_url(url).get_backend_name() == "mariadb" else {"DIALER_DATABASE_SCHEME": SCHEMA}
    return {"DIALER_DATABASE_URL": url, **named}


def _environ() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("DIALER_")}


class Ami(Protocol):
    """Where an Asterisk takes logins, a real one or a simulated one."""

    host: str
    ami_port: int
    username: str
    secret: str


class Installation:
    """One dialer: its migrated database, its settings, and the processes that are running."""

    def __init__(
        self,
        url: str,
        asterisk: Ami,
        directory: Path,
        *,
        dba_url: str | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """`dba_url`: where the DBA connects, if not where the dialer does. `program`: how `dialer` is called."""
        self._program = list(program)
        self.port = free_ports(1)
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = 0
        self.environ = {
            **_environ(),
            **_database(url),
            "DIALER_AMI_IP": asterisk.host,
            "DIALER_AMI_PORT": str(asterisk.ami_port),
            "DIALER_AMI_USERNAME": asterisk.username,
            "DIALER_AMI_PASSWORD": asterisk.secret,
            "DIALER_HTTP_IP": "127.0.0.1",
            "DIALER_HTTP_PORT": str(self.port),
            "DIALER_LOGLEVEL": "3",
        }
        self._url = dba_url or url
        self.connect()

    def connect(self, url: str | None = None) -> None:
        """Connect the DBA; again, after the database was away or has moved to another url."""
        self._url = url or self._url
        self._dba = dba(self._url, SCHEMA)

    # --- what an operator types --------------------------------------------------------------------------

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one `dialer` command to its end."""
        line = [*self._program, *words]
        done = subprocess.run(line, env=self.environ, capture_output=True, text=True, timeout=60, check=False)
        if check and done.returncode:
            raise RuntimeError(f"dialer {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start(self, command: str, name: str | None = None, **environ: str) -> None:
        """Start `dialer run`, `worker` or `api` as a process of its own; `name` tells several workers apart."""
        self._starts += 1
        named = {} if name is None else {"DIALER_WORKER_NAME": name}
        name = name or command
        with (self._directory / f"{name}-{self._starts}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [*self._program, command],
                env={**self.environ, **named, **environ},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a running command, or the worker of this name, a signal."""
        self._processes[name].send_signal(number)

    def wait_for_exit(self, name: str, seconds: float = 10) -> int:
        """The exit code of a command, or of the worker of this name, that is about to end."""
        return self._processes.pop(name).wait(seconds)

    def log(self, name: str = "") -> str:
        """All that the processes have said, or the one of this name."""
        logs = sorted(self._directory.glob(f"{name or '*'}-[0-9]*.log"))
        return "\n".join(path.read_text() for path in logs if not path.name.startswith(("carrier", "agents")))

    def get(self, path: str) -> tuple[int, Any]:
        """GET a path of the API: status and JSON."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def listens(self) -> bool:
        """Does the API answer, whatever it says?"""
        try:
            self.get("/healthz")
        except OSError:
            return False
        return True

    def wait_until_ready(self, seconds: float = 15) -> None:
        """Return when the API answers and a worker has its Asterisk in hand."""

        def ready() -> bool:
            try:
                return self.get("/readyz")[0] == 200
            except OSError:
                return False

        wait_for(ready, seconds, lambda: f"the dialer to be ready; log:\n{self.log()[-4000:]}", every=0.1)

    def wait_for_log(self, text: str, seconds: float = 10) -> None:
        """Return when a process has said this."""
        wait_for(lambda: text in self.log(), seconds, lambda: f"{text!r} in the log:\n{self.log()[-4000:]}")

    def start_project(self, project_id: str) -> None:
        """GET /?action=start."""
        status, answer = self.get(f"/?action=start&projectid={project_id}")
        assert (status, answer.get("wanted")) == (200, "start"), answer

    # --- what a DBA types --------------------------------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run SQL as a DBA would; the rows."""
        return self._dba.sql(statement, *values)

    def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row."""
        return next(iter(self.sql(statement, *values)[0].values()))

    def project(self, project_id: str, **params: Any) -> None:
        """Insert a project; what is not said is as shipped."""
        row = {"project_id": project_id, "exten": "s", "context": "progressive", **params}
        quote = self._dba.quote
        names = ", ".join(f"{quote}{name}{quote}" for name in row)
        self.sql(f"INSERT INTO dialer_params ({names}) VALUES ({', '.join('%s' for _ in row)})", *row.values())

    def cases(self, project_id: str, *numbers: str, **columns: Any) -> None:
        """Insert cases in one statement, in this order."""
        row = {"case_name": "Case", "project_id": project_id, **columns}
        names = [*row, "phone_number"]
        line = f"({', '.join('%s' for _ in names)})"
        values = [value for number in numbers for value in (*row.values(), number)]
        self.sql(f"INSERT INTO dialer_clients ({', '.join(names)}) VALUES {', '.join(line for _ in numbers)}", *values)

    def trunk(self, trunk: str = "default", **columns: Any) -> None:
        """Insert a trunk that no test waits for, unless it says otherwise."""
        row = {
            "dial_template": "PJSIP/{number}@carrier",
            "max_lines": 60,
            "calls_per_second": 40,
            **columns,
            "trunk": trunk,
        }
        self.sql(f"INSERT INTO dialer_trunks ({', '.join(row)}) VALUES ({', '.join('%s' for _ in row)})", *row.values())

    def change(self, statement: str, *values: Any) -> datetime:
        """Run one statement; an instant just after its commit, by the database's clock."""
        self.sql(statement, *values)
        return self.now()

    def now(self) -> datetime:
        """The database's clock, which dates everything in the ledger."""
        instant: datetime = self.value("SELECT clock_timestamp()")
        return instant

    def attempts(self, where: str = "true", *values: Any) -> list[dict[str, Any]]:
        """All attempts, in the order in which they began."""
        attempts = "(SELECT attempt_id AS id, a.* FROM dialer_stat_attempt a) attempts"
        return self.sql(f"SELECT * FROM {attempts} WHERE {where} ORDER BY id", *values)

    def wait_for_attempts(self, count: int, where: str = "true", *values: Any, seconds: float = 20) -> None:
        """Return when the ledger has so many such attempts."""
        wait_for(
            lambda: len(self.attempts(where, *values)) >= count,
            seconds,
            lambda: f"{count} attempts where {where} {values}: {self.situation()}",
        )

    def wait_until_quiet(self, seconds: float = 30, where: str = "true") -> None:
        """Return when every such attempt has its end."""
        where = f"ended_at IS NULL AND {where}"
        wait_for(
            lambda: not self.attempts(where),
            seconds,
            lambda: f"all calls to end: {self.attempts(where)} {self.situation()}",
        )

    def wait_for_state(self, project_id: str, *states: str, seconds: float = 30) -> None:
        """Return when the project is in one of these states."""
        wait_for(
            lambda: self.value("SELECT state FROM dialer_project_states WHERE project_id = %s", project_id) in states,
            seconds,
            lambda: f"project {project_id} to be {' or '.join(states)}: {self.situation()}",
        )

    def situation(self) -> str:
        """What somebody wants to know who waited in vain."""
        return (
            f"{self.sql('SELECT * FROM dialer_stat_project')}"
            f" {self.sql('SELECT project_id, reason, detail, count(*) FROM dialer_why GROUP BY 1, 2, 3 LIMIT 20')}"
            f"\n{self.log()[-4000:]}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(10)
        self._dba.close()
