"""`dialer demo`: a whole call centre on this machine for a while.

An embedded PostgreSQL (or the server of DIALER_DATABASE_URL, in a schema of its own), migrations, a simulated
Asterisk in this process, and `dialer run` beside it as a process of its own: the product as it is, started by
its HTTP control, stopped by SIGTERM. What the simulated carrier saw is compared with the ledger at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import gevent
from gevent.event import Event
from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import column, insert, make_url, table, text
from sqlalchemy.exc import ArgumentError

from dialer import embedded
from dialer.migrate import migrate
from simulator import SimulatedAsterisk, call_centre
from worker import config, log
from worker.clock import SystemClock
from worker.db import Database, procedures
from worker.errors import DialerError, Mistake, SettingsError

SPEED = 12.0
"""How much faster than real people the simulated ones ring, talk and hang up."""
AGENTS = 16
CASES = 5000
PROJECTS = ("sales", "reminder")
_START_SECONDS = 30.0
_DRAIN_SECONDS = 5.0  # calls may end by themselves that long after the end; then the simulated people hang up
_LAST_SECONDS = 15.0


def run(environ: Mapping[str, str], seconds: float | None) -> int:
    """Show the dialer at work for `seconds` (None: DEMO_SECONDS, or until Ctrl-C). 0 if no call was lost."""
    limit = seconds if seconds is not None else _limit(environ.get("DEMO_SECONDS", ""))
    log.setup(1, sys.stderr)
    console = Console(highlight=False, soft_wrap=True)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, stop.set)
    with _database(environ, console) as settings:
        console.print(migrate(settings))
        database = Database(settings)
        try:
            _insert_sample(database)
            return _Demo(console, settings, database, stop, limit).run()
        finally:
            database.dispose()


def _limit(given: str) -> float | None:
    try:
        limit = float(given) if given else None
    except ValueError:
        limit = 0.0
    if limit is not None and not 0 < limit < 1_000_000:
        raise SettingsError([Mistake("DEMO_SECONDS", f"{given!r} is not a time", "Give seconds, such as 30.")])
    return limit


@contextlib.contextmanager
def _database(environ: Mapping[str, str], console: Console) -> Iterator[config.DatabaseSettings]:
    """Settings of an empty schema: in a server of our own, or in the one that the environment names."""
    if given := environ.get("DIALER_DATABASE_URL"):
        schema = f"dialer_demo_{secrets.token_hex(4)}"
        named = {"DIALER_DATABASE_URL": _with_database(given, schema), "DIALER_DATABASE_SCHEME": schema}
        if "DIALER_DATABASE_PASSWORD" in environ:
            named["DIALER_DATABASE_PASSWORD"] = environ["DIALER_DATABASE_PASSWORD"]
        settings = config.load(None, named).database
        try:
            yield settings
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong is what is told, not that there is nothing to tidy
                _drop(settings)
            raise
        _drop(settings)
        return
    console.print("Starting an embedded PostgreSQL ...")
    with embedded.postgresql() as url:
        yield config.load(None, {"DIALER_DATABASE_URL": url, "DIALER_DATABASE_SCHEME": "dialer"}).database


def _with_database(given: str, schema: str) -> str:
    """A url that names no database: on MariaDB the demo makes its own, on PostgreSQL it is the one called like the
    user, as for psql."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        return given  # reading the settings says what is wrong with it
    if url.database or url.username is None:
        return given
    database = schema if config.DRIVERS.get(url.drivername.lower()) == config.MARIADB else url.username
    return url.set(database=database).render_as_string(hide_password=False)


def _drop(settings: config.DatabaseSettings) -> None:
    database = Database(settings)
    try:
        with database.transaction() as connection:
            database.dialect.drop_schema(connection, settings.schema)
    finally:
        database.dispose()


def _insert_sample(database: Database) -> None:
    """Two projects and their cases, as a DBA would insert them."""
    trunk = (
        "INSERT INTO dialer_trunks (trunk, asterisk, dial_template, max_lines, calls_per_second)"
        " VALUES ('default', 'default', 'PJSIP/{number}@carrier', 60, 25)"
    )
    case = (
        "INSERT INTO dialer_clients"
        " (case_name, project_id, phone_number, priority, call_back, call_back_period)"
        " VALUES (:name, :project, :number, :priority, true, '1,5')"
    )
    projects = [
        {
            "project_id": name,
            "lines": lines,
            "dial_time": 4000,
            "case_limit": 500,
            "type": kind,
            "exten": "s",
            "context": kind,
        }
        for name, kind, lines in (("sales", "progressive", 0), ("reminder", "autoinforming", 12))
    ]
    # Written by SQLAlchemy, which knows where `lines` is a reserved word.
    params = table("dialer_params", *map(column, projects[0]))
    cases = [
        {
            "name": f"Customer {index}",
            "project": PROJECTS[index % 2],
            "number": f"7495{index:07d}",
            "priority": 1 + index % 3,
        }
        for index in range(2 * CASES)
    ]
    with database.transaction() as connection:
        connection.execute(text(trunk))
        connection.execute(insert(params).values(projects))
        connection.execute(text(case), cases)


@dataclass(frozen=True)
class _Totals:
    """What the ledger says: cases dialled and answered, attempts lost and attempts without an end."""

    dialled: int
    answered: int
    lost: int
    up: int

    def __str__(self) -> str:
        return f"{self.dialled} cases dialled, {self.answered} answered, {self.up} calls up"


class _Demo:
    """One showing: start all, watch, stop all, sum up."""

    def __init__(
        self,
        console: Console,
        settings: config.DatabaseSettings,
        database: Database,
        stop: Event,
        limit: float | None,
    ) -> None:
        self._console = console
        self._settings = settings
        self._database = database
        self._stop = stop
        self._limit = limit
        self._port = _free_port()
        secret = secrets.token_hex(8)
        scenario = call_centre(agents=AGENTS, queues=("sales",), answer_rate=0.5, secret=secret, speed=SPEED)
        self._asterisk = SimulatedAsterisk(scenario, SystemClock(), seed=1)
        self._secret = secret
        self._began = time.monotonic()
        self._last_line = ""

    def run(self) -> int:
        ami_port = self._asterisk.serve()
        try:
            with tempfile.TemporaryFile("w+", prefix="dialer-demo-") as output:
                process = self._start(ami_port, output.fileno())
                good = False
                try:
                    self._until(lambda: self._reachable(process), _START_SECONDS)
                    for project in PROJECTS:
                        self._get(f"/?{urlencode({'action': 'start', 'projectid': project})}")
                    self._watch(process)
                    self._end(process)
                    good = self._sum_up()
                finally:
                    _end_process(process)
                    if not good:
                        output.seek(0)
                        self._console.print("The end of what `dialer run` said:", style="bold")
                        self._console.print("".join(output.readlines()[-30:]), markup=False)
        finally:
            self._asterisk.stop()
        self._console.print(self._last_line)
        return 0 if good else 1

    def _start(self, ami_port: int, output: int) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
        environ |= {
            "DIALER_DATABASE_URL": self._settings.url().render_as_string(hide_password=False),
            "DIALER_DATABASE_SCHEME": self._settings.schema,
            "DIALER_AMI_IP": "127.0.0.1",
            "DIALER_AMI_PORT": str(ami_port),
            "DIALER_AMI_USERNAME": "dialer",
            "DIALER_AMI_PASSWORD": self._secret,
            "DIALER_HTTP_PORT": str(self._port),
            "DIALER_WORKER_NAME": "demo",
        }
        command = [sys.executable, "-m", "dialer", "run"]
        root = Path(__file__).resolve().parent.parent
        # In a session of its own: Ctrl-C reaches this process alone, which then stops the other in order.
        return subprocess.Popen(  # noqa: S603 - this very program
            command, env=environ, cwd=root, stdout=output, stderr=output, start_new_session=True
        )

    def _reachable(self, process: subprocess.Popen[bytes]) -> bool:
        self._alive(process)
        try:
            self._get("/healthz")
        except URLError:
            return False
        return True

    def _alive(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is not None:
            raise DialerError(f"`dialer run` ended by itself with code {process.returncode}; see what it said.")

    def _get(self, path: str) -> object:
        try:
            with urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
                return json.load(answer)
        except HTTPError as error:
            told = error.read(500).decode(errors="replace").strip()
            raise DialerError(f"GET {path} was answered with {error.code}: {told}") from error

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Show progress until time is up or somebody stops us."""
        self._began = time.monotonic()
        until = None if self._limit is None else self._began + self._limit
        address = f"http://127.0.0.1:{self._port}"
        self._console.print(f"Dialling. See {address}/projects and {address}/projects/sales/stats")
        told = self._began
        with Live(self._progress(), console=self._console, transient=True, auto_refresh=False) as live:
            while not self._stop.is_set() and (until is None or time.monotonic() < until):
                self._alive(process)
                live.update(self._progress(), refresh=self._console.is_terminal)
                if not self._console.is_terminal and time.monotonic() - told >= 5:
                    told = time.monotonic()
                    totals = self._totals()
                    self._console.print(f"{told - self._began:3.0f} s: {totals}")
                remaining = 0.5 if until is None else min(0.5, max(0.0, until - time.monotonic()))
                self._stop.wait(remaining)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Stop the projects, let the calls end, then stop the dialer."""
        for project in PROJECTS:
            self._get(f"/?{urlencode({'action': 'stop', 'projectid': project})}")
        self._console.print("Stopped; waiting for the last calls to end.")

        def over() -> bool:
            self._alive(process)
            return self._totals().up == 0

        try:
            self._until(over, _DRAIN_SECONDS)
        except DialerError:
            for call in list(self._asterisk.switch.channels.calls):
                self._asterisk.switch.hang_up(call, 16)
            with contextlib.suppress(DialerError):  # what is still up then is counted as lost
                self._until(over, _LAST_SECONDS)
        process.send_signal(signal.SIGTERM)
        if _waited(process, _LAST_SECONDS) != 0:
            raise DialerError(f"`dialer run` ended with code {process.returncode} when it was told to stop.")

    def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > until:
                raise DialerError(f"`dialer run` was not where it should be within {seconds:g} s.")
            gevent.sleep(0.1)

    def _totals(self) -> _Totals:
        row = self._database.query(
            "SELECT COUNT(DISTINCT case_id) AS dialled,"
            " COUNT(DISTINCT CASE WHEN answered_at IS NOT NULL THEN case_id END) AS answered,"
            " COUNT(CASE WHEN outcome = 'LOST' THEN 1 END) AS lost,"
            " COUNT(CASE WHEN ended_at IS NULL THEN 1 END) AS up"
            " FROM dialer_stat_attempt WHERE dialing_at IS NOT NULL OR ended_at IS NULL"
        )[0]
        return _Totals(row["dialled"], row["answered"], row["lost"], row["up"])

    def _progress(self) -> Table:
        left = "" if self._limit is None else f" of {self._limit:.0f}"
        table = Table(title=f"dialer demo: {time.monotonic() - self._began:.0f}{left} s")
        for name in (
            "project",
            "state",
            "waiting",
            "ringing",
            "in queue",
            "talking",
            "agents free",
            "calls made",
        ):
            table.add_column(name, justify="left" if name in ("project", "state") else "right")
        for row in procedures.project_list(self._database):
            numbers = ("cases_waiting", "ringing", "waiting", "talking", "agents_free", "attempts")
            table.add_row(row["project_id"], row["state"], *(str(_shown(row[name])) for name in numbers))
        return table

    def _sum_up(self) -> bool:
        """The table and the comparison with the carrier; is every call accounted for?"""
        rows = self._database.query(
            "SELECT project_id, outcome, COUNT(*) AS attempts,"
            " AVG(ring_seconds) AS ring, AVG(wait_seconds) AS wait, AVG(talk_seconds) AS talk"
            " FROM dialer_stat_attempt WHERE outcome IS NOT NULL"
            " GROUP BY project_id, outcome ORDER BY project_id DESC, COUNT(*) DESC"
        )
        table = Table(title="How the calls ended")
        for name in ("project", "outcome", "calls", "ring s", "wait s", "talk s"):
            table.add_column(name, justify="left" if name in ("project", "outcome") else "right")
        for row in rows:
            means = ("" if row[name] is None else f"{row[name]:.1f}" for name in ("ring", "wait", "talk"))
            table.add_row(row["project_id"], row["outcome"], str(row["attempts"]), *means)
        self._console.print(table)
        ledger = {row["channel_id"] for row in self._database.query("SELECT channel_id FROM dialer_stat_attempt")}
        unknown = sum(call.channel_id not in ledger for call in self._asterisk.calls_log)
        broken = len(self._database.query("SELECT kind FROM dialer_invariants"))
        totals = self._totals()
        lost = totals.lost + totals.up + unknown
        seen = len(self._asterisk.calls_log)
        self._console.print(
            f"The carrier saw {seen} calls, {unknown} of them unknown to the ledger; {broken} invariants are broken."
        )
        self._last_line = f"demo: {totals.dialled} cases dialled, {totals.answered} answered, {lost} lost"
        return bool(totals.dialled) and not lost and not broken


def _shown(value: object) -> object:
    return "-" if value is None else value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _waited(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _end_process(process: subprocess.Popen[bytes]) -> None:
    """Whatever happened, nothing of ours is left running."""
    if process.poll() is None:
        process.terminate()
        if _waited(process, 5) is None:
            process.kill()
            process.wait()
