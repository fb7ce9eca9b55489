"""What a soak shakes: a database server, two simulated Asterisks and two workers, all processes of their own.

Between them stand proxies, one for each worker's way to each server, so that every link can be cut alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import pymysql
from psycopg import OperationalError
from sqlalchemy import make_url

from tests.faults.judge import CallRecord
from tests.faults.proxy import Proxy
from tests.faults.unfenced import unfence
from tests.support.containers import MariaDbContainer, PostgresContainer, free_ports
from tests.support.dba import Dba, dba
from tests.support.installation import SCHEMA, migrate, take_over
from tests.support.waiting import wait_for

POSTGRESQL, MARIADB = DATABASES = ("postgresql", "mariadb")
ASTERISKS = ("default", "east")
WORKERS = ("one", "two")
LEASE_SECONDS = 3
SECRET = "soaking"
UNREACHABLE: tuple[type[Exception], ...] = (OperationalError, pymysql.OperationalError, pymysql.InterfaceError, OSError)

# Everybody is quick: 10,000 calls take minutes. The tails are long, so that some talk through every fault.
SCENARIO = """
[subscribers]
mixes = [{ answer = 0.5, busy = 0.1, failure = 0.05 }]
ring = { uniform = [0.05, 0.6] }
talk = { lognormal = [1.0, 1.0] }
patience = { lognormal = [3.0, 0.9] }
"""
AGENTS = 25
TALKS = "{ lognormal = [1.0, 1.0] }"


def scenario() -> str:
    """The simulated Asterisk's TOML: people, one queue with its agents, the trunk and the contexts as shipped."""
    agents = [f"PJSIP/agent{n}" for n in range(AGENTS)]
    parts = [SCENARIO]
    parts += [
        f'[[agents]]\ninterface = "{agent}"\npick_up = {{ uniform = [0.05, 0.4] }}\ntalk = {TALKS}\n'
        for agent in agents
    ]
    parts.append(f'[[queues]]\nname = "sales"\nmembers = {json.dumps(agents)}\ntimeout = 3.0\n')
    parts.append('[[trunks]]\nname = "carrier"\n')
    parts.append('[[contexts]]\nname = "progressive"\ndoes = "queue"\n')
    parts.append(f'[[contexts]]\nname = "autoinforming"\ndoes = "message"\nmessage = {TALKS}\n')
    parts.append(
        f'[[users]]\nname = "dialer"\nsecret = "{SECRET}"\nread = ["system", "call", "agent", "user"]\n'
        'write = ["originate", "call", "reporting"]\n'
    )
    return "\n".join(parts)


class Process:
    """A process that can be killed, frozen and started again; its log is added to."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self._words = [sys.executable, "-m", *words]
        self._environ = {**os.environ, **environ}
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._spoken = 0
        """Size of the log when it was started."""

    def start(self) -> None:
        """Start it, again."""
        with self.log.open("ab") as log:
            self._spoken = log.tell()
            self._process = subprocess.Popen(self._words, env=self._environ, stdout=log, stderr=subprocess.STDOUT)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> float:
        """SIGKILL; the instant (seconds since 1970) at which it was gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)
        return time.time()

    def end(self, seconds: float = 20) -> tuple[int, float]:
        """SIGTERM; the exit code, and how many seconds it took to leave."""
        process, self._process = self._process, None
        assert process is not None
        asked = time.monotonic()
        process.terminate()
        try:
            return process.wait(seconds), time.monotonic() - asked
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(10), time.monotonic() - asked

    @property
    def has_spoken(self) -> bool:
        """Has it said anything since it was started? Before, it is Python that is starting."""
        return self.log.stat().st_size > self._spoken

    @property
    def pid(self) -> int | None:
        """Of the one that runs now."""
        return None if self._process is None else self._process.pid

    @property
    def died(self) -> bool:
        """Has it ended without being asked?"""
        return self._process is not None and self._process.poll() is not None


class SimulatedServer(Process):
    """`dialer simulate` on a port of its own, with its call log."""

    def __init__(self, name: str, directory: Path, seed: int) -> None:
        self.name = name
        self.port = free_ports(1)
        self.call_log = directory / f"{name}.calls"
        self._deaths: dict[int, float] = {}
        self._originated = self._counted_to = 0
        """Calls in the call log up to this place."""
        definition = directory / f"{name}.toml"
        definition.write_text(scenario())
        words = ["dialer", "simulate", "--port", str(self.port), "--scenario", str(definition), "--seed", str(seed)]
        super().__init__([*words, "--call-log", str(self.call_log), "--report", "0"], {}, directory / f"{name}.log")

    def kill(self) -> float:
        """All its calls are gone at that instant."""
        pid = self.pid
        died = super().kill()
        if pid is not None:
            self._deaths[pid] = died
        return died

    def originated(self) -> int:
        """Calls so far, over all its lives."""
        with self.call_log.open("rb") as log:
            log.seek(self._counted_to)
            self._originated += sum(b'"originate"' in line for line in log)
            self._counted_to = log.tell()
        return self._originated

    def calls(self) -> Iterator[CallRecord]:
        """Its own record of all calls. One that was up when it was killed ended then."""
        up: dict[str, CallRecord] = {}
        pid = 0
        for text in self.call_log.read_text().splitlines():
            line = json.loads(text)
            what, at = line["what"], line["at"]
            if what == "boot":
                yield from (replace(call, ended=self._deaths[pid]) for call in up.values())
                up.clear()
                pid = line["pid"]
            elif what == "originate":
                up[line["call"]] = CallRecord(line["number"], line["call"], at, self.name, line["call"])
            elif what in ("answered", "connected", "ended"):
                up[line["call"]] = replace(up[line["call"]], **{what: at})
                if what == "ended":
                    yield up.pop(line["call"])
        yield from (replace(call, ended=self._deaths.get(pid)) for call in up.values())


class World:
    """The database, the Asterisks, the workers, and the links between them; everything runs inside the block."""

    def __init__(self, database: str, directory: Path, seed: int, *, fenced: bool = True) -> None:
        self.is_mariadb = database == MARIADB
        self.fenced = fenced
        self.directory = directory
        # What was committed survives a kill of the server; a crash of the machine is not tried here.
        self.server: PostgresContainer | MariaDbContainer = (
            MariaDbContainer(options={"innodb-flush-log-at-trx-commit": "2"})
            if self.is_mariadb
            else PostgresContainer()
        )
        self.asterisks = {name: SimulatedServer(name, directory, seed) for name in ASTERISKS}
        self.workers: dict[str, Process] = {}
        self.database_links: dict[str, Proxy] = {}
        self.ami_links: dict[tuple[str, str], Proxy] = {}
        self._url = ""

    def __enter__(self) -> Self:
        self.server.start()
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers.values(), *self.asterisks.values()):
            process.kill()
        for link in (*self.database_links.values(), *self.ami_links.values()):
            link.stop()
        self.server.stop()

    def _build(self) -> None:
        self._url = self.server.databases().create()
        migrate(self._url)
        if not self.fenced:
            unfence(self.sql, mariadb=self.is_mariadb)
        for asterisk in self.asterisks.values():
            asterisk.start()
            wait_for(partial(_listens, asterisk.port), 20, f"the simulated Asterisk {asterisk.name}", every=0.1)
        place = make_url(self._url)
        assert place.port is not None
        for worker in WORKERS:
            link = self.database_links[worker] = Proxy(place.port)
            environ = {
                "DIALER_DATABASE_URL": place.set(port=link.port).render_as_string(hide_password=False),
                "DIALER_WORKER_NAME": worker,
                "DIALER_WORKER_LEASE_SECONDS": str(LEASE_SECONDS),
                "DIALER_LOGLEVEL": "2",
            }
            take_over(environ["DIALER_DATABASE_URL"])
            if not self.is_mariadb:
                environ["DIALER_DATABASE_SCHEME"] = SCHEMA
            for name, asterisk in self.asterisks.items():
                ami = self.ami_links[worker, name] = Proxy(asterisk.port)
                section = "DIALER_AMI" if name == "default" else f"DIALER_ASTERISK_{name.upper()}"
                environ |= {
                    f"{section}_IP": "127.0.0.1",
                    f"{section}_PORT": str(ami.port),
                    f"{section}_USERNAME": "dialer",
                    f"{section}_PASSWORD": SECRET,
                }
            module = "dialer" if self.fenced else "tests.faults.unfenced"
            self.workers[worker] = Process([module, "worker"], environ, self.directory / f"worker-{worker}.log")

    @contextmanager
    def session(self) -> Iterator[Dba]:
        """A DBA's session in UTC, past all proxies. Raises one of UNREACHABLE, as what is done in it does."""
        with closing(dba(self._url, SCHEMA)) as session:
            session.sql("SET time_zone = '+00:00'" if self.is_mariadb else "SET timezone = 'UTC'")
            yield session

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run SQL in a session of its own."""
        with self.session() as session:
            return session.sql(statement, *values)

    def terminate_connections(self) -> None:
        """End every session of the dialer at the server."""
        if not self.is_mariadb:
            self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dialer'")
            return
        with closing(dba(self._url, SCHEMA)) as session:
            own = session.sql("SELECT connection_id() AS id")[0]["id"]
            for row in session.sql("SELECT id FROM information_schema.processlist WHERE db = database()"):
                if row["id"] != own:
                    with suppress(pymysql.OperationalError):  # it has just ended by itself
                        session.sql(f"KILL {int(row['id'])}")

    def originated(self) -> int:
        """Calls that have left so far."""
        return sum(asterisk.originated() for asterisk in self.asterisks.values())

    def calls(self) -> list[CallRecord]:
        """What the switches themselves have recorded."""
        return [call for asterisk in self.asterisks.values() for call in asterisk.calls()]

    def log(self) -> str:
        """All that the workers have said."""
        return "\n".join(worker.log.read_text(errors="replace") for worker in self.workers.values())


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
