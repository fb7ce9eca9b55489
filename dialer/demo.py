"""`dialer demo`: a whole call centre on this machine for a while.

An embedded PostgreSQL (or the server of DIALER_DATABASE_URL, in a schema of its own), migrations, a simulated
Asterisk in this process, and `dialer run` beside it as a process of its own: the real product, started by its HTTP
control, stopped by SIGTERM. At the end what the simulated carrier saw is compared with the ledger.
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
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import gevent
from gevent.event import Event
from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from dialer import embedded
from dialer.migrate import migrate
from simulator import SimulatedAsterisk, call_centre
from worker import config, log
from worker.clock import SystemClock
from worker.db import Database
from worker.db.routines.attempts import Attempts
from worker.db.routines.cases import Cases
from worker.db.routines.projects import Projects
from worker.db.routines.statistics import Statistics
from worker.db.routines.trunks import Trunks
from worker.db.routines.upkeep import Upkeep
from worker.errors import DialerError, Mistake, SettingsError
from worker.figures import LedgerTotals

SPEED = 12.0
"""How many times faster than real people the simulated ones ring, talk and hang up."""
AGENTS = 16
CASES = 5000
PROJECTS = ("sales", "reminder")
_START_SECONDS = 30.0
_DRAIN_SECONDS = 5.0  # seconds for calls to end by themselves after the end; then the simulated people hang up
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
    """Settings for an empty schema: in a server of our own, or in the one that the environment names."""
    if given := environ.get("DIALER_DATABASE_URL"):
        schema = f"dialer_demo_{secrets.token_hex(4)}"
        named = {"DIALER_DATABASE_URL": _with_database(given, schema), "DIALER_DATABASE_SCHEME": schema}
        if "DIALER_DATABASE_PASSWORD" in environ:
            named["DIALER_DATABASE_PASSWORD"] = environ["DIALER_DATABASE_PASSWORD"]
        settings = config.load(None, named).database
        try:
            yield settings
        except BaseException:
            with contextlib.suppress(Exception):  # report what went wrong, not that there is nothing to tidy up
                _drop(settings)
            raise
        _drop(settings)
        return
    console.print("Starting an embedded PostgreSQL ...")
    with embedded.postgresql() as url:
        yield config.load(None, {"DIALER_DATABASE_URL": url, "DIALER_DATABASE_SCHEME": "dialer"}).database


def _with_database(given: str, schema: str) -> str:
    """Complete a url that names no database: on MariaDB the demo makes its own; on PostgreSQL it uses the one named
    like the user, as psql does."""
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        return given  # reading the settings will say what is wrong with it
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
    Trunks(database).insert(
        {
            "trunk": "default",
            "asterisk": "default",
            "dial_template": "PJSIP/{number}@carrier",
            "max_lines": 60,
            "calls_per_second": 25,
        }
    )
    Projects(database).insert(
        [
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
    )
    Cases(database).insert(
        [
            {
                "case_name": f"Customer {index}",
                "project_id": PROJECTS[index % 2],
                "phone_number": f"7495{index:07d}",
                "priority": 1 + index % 3,
                "call_back": True,
                "call_back_period": "1,5",
            }
            for index in range(2 * CASES)
        ]
    )


def _told(totals: LedgerTotals) -> str:
    return f"{totals.dialled} cases dialled, {totals.answered} answered, {totals.up} calls up"


class _Demo:
    """One run of the demo: start everything, watch, stop everything, sum up."""

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
        self._statistics = Statistics(database)
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
        # In a session of its own, so that Ctrl-C reaches only this process, which then stops the other properly.
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
                    totals = _told(self._statistics.totals())
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
            return self._statistics.totals().up == 0

        try:
            self._until(over, _DRAIN_SECONDS)
        except DialerError:
            for call in list(self._asterisk.switch.channels.calls):
                self._asterisk.switch.hang_up(call, 16)
            with contextlib.suppress(DialerError):  # calls still up then are counted as lost
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
        for one in Projects(self._database).all():
            counts = (one.cases_waiting, one.ringing, one.waiting, one.talking, one.agents_free, one.attempts)
            table.add_row(one.project_id, one.state, *("-" if count is None else str(count) for count in counts))
        return table

    def _sum_up(self) -> bool:
        """The table and the comparison with the carrier; is every call accounted for?"""
        table = Table(title="How the calls ended")
        for name in ("project", "outcome", "calls", "ring s", "wait s", "talk s"):
            table.add_column(name, justify="left" if name in ("project", "outcome") else "right")
        for one in self._statistics.outcomes():
            means = (one.ring_seconds, one.wait_seconds, one.talk_seconds)
            seconds = ("" if mean is None else f"{mean:.1f}" for mean in means)
            table.add_row(one.project_id, one.outcome, str(one.attempts), *seconds)
        self._console.print(table)
        ledger = Attempts(self._database).channel_ids()
        unknown = sum(call.channel_id not in ledger for call in self._asterisk.calls_log)
        broken = len(Upkeep(self._database).invariants())
        totals = self._statistics.totals()
        lost = totals.lost + totals.up + unknown
        seen = len(self._asterisk.calls_log)
        self._console.print(
            f"The carrier saw {seen} calls, {unknown} of them unknown to the ledger; {broken} invariants are broken."
        )
        self._last_line = f"demo: {totals.dialled} cases dialled, {totals.answered} answered, {lost} lost"
        return bool(totals.dialled) and not lost and not broken


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
    """Make sure that nothing of ours is left running, whatever happened."""
    if process.poll() is None:
        process.terminate()
        if _waited(process, 5) is None:
            process.kill()
            process.wait()
