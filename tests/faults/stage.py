"""A call centre under load, something that dies in it, and what is asked afterwards.

    stage.under_load("a", "b")
    with stage.fault("Asterisk killed") as fault:
        asterisk.kill()
        asterisk.start_again()
    stage.resumes(fault, within=20)
    stage.judge(fault)

Load: a progressive project with five agents and an autoinforming one, on a SIPp carrier whose log, by Call-ID, is
the second witness. Two ends of a fault are told apart: `began`, and `back`, when the part serves again. Resumed
is what rings at the carrier and was begun after `back`, of both projects, without a command.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

from tests.faults import judge
from tests.faults.proxy import Proxy
from tests.support.containers import AsteriskContainer, MariaDbContainer, PostgresContainer
from tests.support.installation import Installation, take_over
from tests.support.sipp import Carrier, SippCall
from tests.support.waiting import wait_for
from tests.support.witness import numbers

Server = PostgresContainer | MariaDbContainer

TALK, INFORM = "talk", "inform"
# Each project's numbers end in a digit of its own; the first two say how the subscriber behaves.
_LAST = {TALK: "1", INFORM: "9"}
TALK_CASES = [f"{number}1" for number in numbers(n20=200, n36=30, n22=30, n23=15)]
INFORM_CASES = [f"{number}9" for number in numbers(n20=200, n21=120, n22=80, n23=40, n24=40, n27=40, n28=40)]
INFORM_LINES = 15
DIAL_MS = 3000


@dataclass
class Fault:
    """One fault and what came of it: a line of the table at the end. Instants are seconds since 1970."""

    name: str
    database: str
    began: float
    back: float = 0.0
    """When the part served again; `began` where nothing comes back and others must take over."""
    resumed: float | None = None
    """Seconds after `back` until both projects were dialled again."""
    silence: float | None = None
    """The longest pause between two calls at the carrier, from the fault until dialling was resumed."""
    verdict: str = "not judged"
    note: str = ""
    connected: Sequence[int] = field(default_factory=tuple)
    """Attempts whose subscriber talked to an agent when it began."""


FAULTS = pytest.StashKey[list[Fault]]()
"""All of this run, in pytest's config."""


def on_both(quick: str = "") -> pytest.MarkDecorator:
    """The test runs on both databases; in `make test`, on the one named `quick` alone."""
    names = [pytest.param(name, marks=() if name == quick else pytest.mark.full) for name in ("postgres", "mariadb")]
    return pytest.mark.parametrize("database_name", names, indirect=True)


def on_one(name: str) -> pytest.MarkDecorator:
    """The test runs on this database alone, for what it shows has little to do with databases."""
    return pytest.mark.parametrize("database_name", [pytest.param(name, marks=pytest.mark.full)], indirect=True)


class Stage:
    """One dialer under load, on one database and one Asterisk."""

    def __init__(
        self, dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, database: str, faults: list[Fault]
    ) -> None:
        self.dialer = dialer
        self.asterisk = asterisk
        self.carrier = carrier
        self.database = database
        self._faults = faults
        self._mine: list[Fault] = []

    # --- before ------------------------------------------------------------------------------------------

    def set_up(self, **trunk: Any) -> None:
        """Projects and cases, as a DBA writes them."""
        dialer = self.dialer
        dialer.trunk(**trunk)
        dialer.project(TALK, queue="sales", dial_time=DIAL_MS)
        dialer.project(INFORM, type="autoinforming", context="autoinforming", lines=INFORM_LINES, dial_time=DIAL_MS)
        dialer.cases(TALK, *TALK_CASES, call_back=True, call_back_period="1")
        dialer.cases(INFORM, *INFORM_CASES, call_back=True, call_back_period="1")

    def start(self, *workers: str) -> None:
        """The API and workers by these names; the first one becomes the owner."""
        self.dialer.start("api")
        for number, worker in enumerate(workers):
            self.start_worker(worker)
            if number == 0:
                self.dialer.wait_until_ready(40)

    def start_worker(self, name: str, *, ami: Proxy | None = None, database: Proxy | None = None) -> None:
        """A worker, with its links to Asterisk or to the database over a proxy if need be; returns when it lives."""
        environ = {}
        if ami is not None:
            environ["DIALER_AMI_PORT"] = str(ami.port)
        if database is not None:
            url = make_url(self.dialer.environ["DIALER_DATABASE_URL"]).set(port=database.port)
            environ["DIALER_DATABASE_URL"] = url.render_as_string(hide_password=False)
            take_over(environ["DIALER_DATABASE_URL"])
        self.dialer.start("worker", name, **environ)
        lives = "SELECT id FROM dialer_workers WHERE name = %s AND stopped_at IS NULL"
        wait_for(lambda: self.dialer.sql(lives, name), 40, lambda: f"worker {name}: {self.dialer.log()}", every=0.1)

    def under_load(self, *workers: str) -> None:
        """Everything set up and started; returns when both projects are in the middle of their calls."""
        self.set_up()
        self.start(*(workers or ("a",)))
        self.dial()

    def dial(self) -> None:
        """Start both projects; returns when they are in the middle of their calls."""
        for project in (TALK, INFORM):
            self.dialer.start_project(project)

        def in_the_middle() -> bool:
            up = self.dialer.attempts("ended_at IS NULL")
            ended = self.dialer.value("SELECT count(*) FROM dialer_stat_attempt WHERE ended_at IS NOT NULL")
            talking = any(row["project_id"] == TALK and row["agent_at"] for row in up)
            informed = any(row["project_id"] == INFORM and row["answered_at"] for row in up)
            ringing = any(row["ringing_at"] and not row["answered_at"] for row in up)
            return ended >= 5 and talking and informed and ringing

        wait_for(in_the_middle, 30, self.dialer.situation)

    def owner(self) -> str | None:
        """The name of the worker that owns the Asterisk now."""
        rows = self.dialer.sql(
            "SELECT w.name FROM dialer_asterisks a JOIN dialer_workers w ON w.id = a.worker_id"
            " WHERE a.asterisk = 'default'"
        )
        return rows[0]["name"] if rows else None

    def wait_for_owner(self, name: str, seconds: float) -> None:
        """Return when this worker owns the Asterisk."""
        wait_for(
            lambda: self.owner() == name, seconds, lambda: f"{name} to own the Asterisk: {self.dialer.situation()}"
        )

    # --- the fault ---------------------------------------------------------------------------------------

    @contextmanager
    def fault(self, name: str) -> Iterator[Fault]:
        """Within the block something breaks and, unless others take over, comes back."""
        fault = Fault(name, self.database, time.time())
        fault.connected = [
            row["id"]
            for row in self.dialer.attempts("ended_at IS NULL AND agent_at IS NOT NULL AND project_id = %s", TALK)
        ]
        fault.began = time.time()
        self._faults.append(fault)
        self._mine.append(fault)
        yield fault
        if not fault.back:
            fault.back = time.time()
        self._reconnect()

    def lasts(self, fault: Fault, seconds: float) -> None:
        """Return when the fault is so old."""
        wait_for(lambda: time.time() >= fault.began + seconds, seconds + 1, "the end of the fault", every=0.1)

    def taken_over(self, fault: Fault) -> None:
        """Nothing comes back: what counts is the time from the fault itself."""
        fault.back = fault.began

    def resumes(self, fault: Fault, within: float) -> None:
        """Both projects are dialled again by themselves; how long it took is kept for the table."""

        def first_calls() -> dict[str, float]:
            begun = {
                row["phone_number"]: judge.seconds(row["begun_at"])
                for row in self.dialer.attempts()
                if judge.seconds(row["begun_at"]) > fault.back
            }
            found: dict[str, float] = {}
            for call in self.carrier.calls():
                if _project(call) and call.at >= begun.get(call.number, float("inf")) - judge.SLACK:
                    found.setdefault(_project(call), call.at)
            return found

        left = fault.back + within - time.time()
        wait_for(
            lambda: len(first_calls()) == 2,
            max(left, 0.5),
            lambda: f"calls of both projects after {fault.name}: {first_calls()} {self.dialer.situation()}",
            every=0.1,
        )
        resumed = max(first_calls().values())
        fault.resumed = max(0.0, resumed - fault.back)
        fault.silence = self.longest_pause(fault.began, resumed)

    def longest_pause(self, since: float, until: float) -> float:
        """The longest time without a new call at the carrier between two instants."""
        calls = [call.at for call in self.carrier.calls() if since <= call.at <= until]
        return max(second - first for first, second in pairwise([since, *calls, until]))

    # --- after -------------------------------------------------------------------------------------------

    def finish(self, seconds: float = 45) -> None:
        """Stop both projects, and wait until every call and every attempt has its end."""
        for row in self.dialer.sql("SELECT project_id FROM dialer_params"):
            project = str(row["project_id"])
            wait_for(partial(self._stops, project), 60, f"project {project} to be stopped", every=0.5)
        self.dialer.wait_until_quiet(seconds)
        # Claimed by a dead worker, or held by somebody when its call ended: reap looks every 5 s.
        wait_for(
            lambda: not self.dialer.sql("SELECT case_id FROM dialer_claims"),
            15,
            lambda: (
                f"nothing to be in hand: {self.dialer.sql('SELECT * FROM dialer_claims')} {self.dialer.situation()}"
            ),
            every=0.1,
        )
        wait_for(self._no_channels, 30, "Asterisk to have no channels left", every=0.2)

    def judge(self, fault: Fault, *, died: float | None = None) -> judge.Verdict:
        """The promise after a fault: the carrier's log against the ledger. died: when Asterisk was killed, for SIPp
        cannot know that the calls that were up then are over."""
        fault.verdict = "FAILED"
        self.finish()

        def ended() -> bool:
            return all(call.ended_at for call in self.carrier.calls() if died is None or call.at > died)

        wait_for(
            ended, 15, lambda: f"the carrier's calls to end: {[c for c in self.carrier.calls() if not c.ended_at]}"
        )
        calls = [
            judge.CallRecord(
                number=call.number,
                call_id=call.call_id,
                began=call.at,
                answered=call.answered_at,
                # Some of our subscribers go on talking to a dead Asterisk until they hang up themselves.
                ended=min(call.ended_at or died, died) if died is not None and call.at < died else call.ended_at,
            )
            for call in self.carrier.calls()
        ]
        faults = [judge.Fault(one.name, one.began, max(one.back, one.began)) for one in self._mine]
        verdict = judge.judge(calls, judge.Books.read(self.dialer.sql), faults)
        assert not verdict.complaints, f"{verdict}\n{self.dialer.log()[-20000:]}"
        for number in fault.connected:
            rows = self.dialer.attempts(
                "case_id = (SELECT case_id FROM dialer_stat_attempt WHERE attempt_id = %s)", number
            )
            assert [(row["id"], row["outcome"]) for row in rows] == [(number, "ANSWERED")], rows
        assert verdict.attempts >= 15, "hardly a load"
        fault.verdict = f"kept: {verdict.calls} calls, {verdict.attempts} attempts"
        return verdict

    def _stops(self, project: str) -> bool:
        """Control by the API, which may have to find out first that its database has gone elsewhere."""
        try:
            return self.dialer.get(f"/?action=stop&projectid={project}")[0] == 200
        except OSError:
            return False

    def _no_channels(self) -> bool:
        # A console that is disturbed by a reload or a restart prints nothing now and then.
        return self.asterisk.command("core show channels count", check=False).startswith("0 active channels")

    def _reconnect(self) -> None:
        with suppress(Exception):
            self.dialer.sql("SELECT 1")
            return

        def connected() -> bool:
            try:
                self.dialer.connect()
            except (psycopg.OperationalError, pymysql.OperationalError):
                return False
            return True

        wait_for(connected, 30, "the DBA to connect again", every=0.1)


def _project(call: SippCall) -> str:
    """Which of the two; '' for a number of the test's own."""
    return next((project for project, last in _LAST.items() if call.number.endswith(last)), "")
