"""The soak: thousands of calls while everything around the dialer breaks, again and again; then the judge.

    python -m tests.faults.soak --seed 7 --calls 10000 --database postgresql

Two workers on one database, two simulated Asterisks, projects with agents and without, numbers that several
projects want at once. What breaks, when and for how long is drawn from the seed, so a seed that failed is played
again by its number (the schedule is the same; how far the calls are when a blow falls is not). When enough calls
were made everything is put back, nobody types a command, and what is due must end by itself. Exit code 0: the
judge has no complaint.
"""

from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402
import argparse
import random
import signal
import sys
import tempfile
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import gevent
from gevent.event import Event

from tests.faults.hands import HANDS, Hands
from tests.faults.judge import Books, Complaint, Fault, Verdict, judge
from tests.faults.proxy import Proxy
from tests.faults.soak_world import (
    ASTERISKS,
    DATABASES,
    LEASE_SECONDS,
    UNREACHABLE,
    WORKERS,
    Process,
    World,
)
from tests.support.waiting import wait_for

GAP = (2.0, 5.0)
"""Seconds from one blow to the next."""
FEED = 200
"""So many cases a project gets when it has fewer than half of them waiting."""
DRAIN_SECONDS = 120.0
SILENCE_SECONDS = 90.0
"""So long no call may leave, whatever breaks; then the soak says where it stands and gives up."""
LEAVES_WITHIN = 15.0
"""Seconds from SIGTERM to the exit of a worker, also when its database is away and the machine is busy."""

# How often each kind falls, and for how many seconds.
KINDS: Mapping[str, tuple[int, tuple[float, float]]] = {
    "worker killed": (4, (0.2, 5.0)),
    "worker frozen past its lease": (3, (LEASE_SECONDS + 0.5, LEASE_SECONDS + 9.0)),
    "worker frozen for a moment": (2, (0.3, LEASE_SECONDS - 1.0)),
    "worker asked to leave": (2, (0.2, 3.0)),
    "AMI cut": (3, (0.0, 0.0)),
    "AMI half closed": (1, (0.0, 0.0)),
    "AMI black hole": (3, (1.0, 16.0)),
    "AMI answers held back": (2, (1.0, 16.0)),
    "Asterisk killed": (3, (0.5, 4.0)),
    "Asterisk frozen": (2, (0.5, 8.0)),
    "database links cut": (2, (0.0, 0.0)),
    "database link stalled": (3, (0.5, 9.0)),
    "database answers held back": (3, (0.5, 12.0)),
    "database sessions ended": (2, (0.0, 0.0)),
    "database restarted": (1, (0.0, 0.0)),
    "database killed": (1, (0.2, 4.0)),
}
ALL_KINDS = {**KINDS, **HANDS}
DOUBTS = ("database sessions ended",)
"""For the control run: after each, a worker clears up what it believes to be its own."""


@dataclass(frozen=True)
class Blow:
    """One thing that breaks."""

    gap: float
    """Seconds since the one before."""
    kind: str
    worker: str
    asterisk: str
    seconds: float


def schedule(seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> Iterator[Blow]:
    """The blows of a seed, without end: first one of each kind, then as often as such things happen."""
    dice = random.Random(seed)
    weights = [ALL_KINDS[kind][0] for kind in kinds]
    first = dice.sample(kinds, len(kinds))
    while True:
        kind = first.pop() if first else dice.choices(kinds, weights)[0]
        yield Blow(
            gap=dice.uniform(*GAP),
            kind=kind,
            worker=dice.choice(WORKERS),
            asterisk=dice.choice(ASTERISKS),
            seconds=dice.uniform(*ALL_KINDS[kind][1]),
        )


@dataclass(frozen=True)
class _Project:
    name: str
    type: str
    asterisk: str | None
    lines: int
    prefix: int


PROJECTS = (
    _Project("talk", "progressive", None, 20, 71),
    _Project("talk-east", "progressive", "east", 0, 72),
    _Project("inform", "autoinforming", None, 70, 73),
    _Project("remind", "autoinforming", None, 50, 74),
)
TRUNK_LINES = 70
CALLS_PER_SECOND = 60


@dataclass
class Report:
    """What a soak has found."""

    verdict: Verdict
    blows: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    resumed_after: float | None = None
    """Seconds from the last repair to the next Originate."""
    leaving: list[float] = field(default_factory=list)
    """Seconds that each worker took to leave when it was asked."""

    def __str__(self) -> str:
        resumed = "not needed" if self.resumed_after is None else f"{self.resumed_after:.1f} s"
        leaving = f"{max(self.leaving):.1f} s" if self.leaving else "none"
        return (
            f"{self.blows.total()} blows in {self.seconds:.0f} s {dict(self.blows)}; dialling again after the"
            f" last repair: {resumed}; slowest worker to leave: {leaving}\n{self.verdict}"
        )


class Soak:
    """One run in a world that is up: until so many calls are made and so many blows have fallen. `blows`: what
    breaks meanwhile."""

    def __init__(
        self,
        world: World,
        calls: int,
        least_blows: int,
        blows: Iterator[Blow],
        hands: Hands,
        *,
        say: Callable[[str], None] = print,
    ) -> None:
        self._world = world
        self._hands = hands
        self._calls = calls
        self._least_blows = least_blows
        self._blows = blows
        self._say = say
        self._began = time.monotonic()
        self._fed: dict[str, int] = {}
        self._broken: dict[str, Blow] = {}
        self._faults: list[tuple[str, float, float]] = []
        """Kind, from, and when it was repaired."""
        self._healthy: list[float] = []
        """Instants at which both Asterisks were in somebody's hands and up."""
        self._over = Event()
        self._report = Report(Verdict())
        self._trouble: list[Complaint] = []

    def run(self) -> Report:
        """All of it; the workers have left at the end."""
        world = self._world
        for worker in world.workers.values():
            worker.start()
        self._set_up()
        helpers = [gevent.spawn(self._watch), gevent.spawn(self._feed)]
        breaking = gevent.spawn(self._break)
        try:
            done = 0
            while done < self._calls or self._report.blows.total() < self._least_blows:
                # Whatever breaks, calls go on.
                wait_for(
                    lambda last=done: self._world.originated() > last,  # type: ignore[misc]
                    SILENCE_SECONDS,
                    lambda: f"calls: {self._situation()}",
                    every=0.5,
                )
                done = self._world.originated()
        finally:
            self._over.set()
            breaking.get()
        self._resume()
        gevent.joinall(helpers, raise_error=True)
        self._drain()
        for worker in world.workers.values():
            self._leave(worker)
        self._report.seconds = time.monotonic() - self._began
        self._report.verdict = judge(world.calls(), Books.read(world.sql, self._hands.taken_away), self._all_faults())
        self._report.verdict.complaints += self._trouble
        return self._report

    # --- the work ----------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        sql = self._world.sql
        wait_for(
            lambda: len(sql("SELECT 1 FROM dialer_trunks")) == len(ASTERISKS),  # a worker's first start makes them
            60,
            lambda: f"the first start: {self._world.log()[-3000:]}",
            every=0.1,
        )
        self._hands.set_up()
        sql("UPDATE dialer_trunks SET max_lines = %s, calls_per_second = %s", TRUNK_LINES, CALLS_PER_SECOND)
        for project in PROJECTS:
            sql(
                "INSERT INTO dialer_params (project_id, type, queue, exten, context, dial_time, asterisk, trunk,"
                f" {self._quote('lines')}) VALUES (%s, %s, 'sales', 's', %s, 1000, %s, NULL, %s)",
                project.name,
                project.type,
                project.type,
                project.asterisk,
                project.lines,
            )
            call = "CALL" if self._world.is_mariadb else "SELECT * FROM"
            sql(f"{call} dialer_project_start('{project.name}')")

    def _quote(self, name: str) -> str:
        return f"`{name}`" if self._world.is_mariadb else f'"{name}"'

    def _feed(self) -> None:
        """Keep cases waiting, so that there is always something to dial."""
        while not self._over.is_set():
            for project in PROJECTS:
                try:
                    self._feed_one(project)
                except UNREACHABLE:
                    break
            self._over.wait(1.0)

    def _feed_one(self, project: _Project) -> None:
        waiting = self._world.sql(
            "SELECT count(*) AS n FROM dialer_clients WHERE project_id = %s AND NOT used AND NOT checked", project.name
        )[0]["n"]
        if waiting > FEED / 2:
            return
        first = self._fed.get(project.name, 0)
        # A case is called about twice; what is too much would only be dialled after the faults.
        last = first + max(20, min(FEED, (self._calls - self._world.originated()) // (2 * len(PROJECTS))))
        # Each fifth number is wanted by all projects. Redials come at once: whoever is rung twice is rung soon.
        numbers = [f"70{n:06}" if n % 5 == 0 else f"{project.prefix}{n:06}" for n in range(first, last)]
        rows = ", ".join(f"('Case', '{project.name}', '{number}', true, '0,0')" for number in numbers)
        self._fed[project.name] = last
        self._world.sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number, call_back, call_back_period)"
            f" VALUES {rows}"
        )

    # --- what breaks -------------------------------------------------------------------------------------

    def _break(self) -> None:
        repairs = []
        for blow in self._blows:
            if self._over.wait(blow.gap):
                break
            target, strike = self._strike(blow)
            if target in self._broken:
                self._say(f"{self._clock()} {blow.kind}: {target} is broken already")
                continue
            self._broken[target] = blow
            self._report.blows[blow.kind] += 1
            self._say(f"{self._clock()} {blow.kind}: {target}, {blow.seconds:.1f} s; {self._world.originated()} calls")
            repairs.append(gevent.spawn(self._carry_out, target, blow, strike))
        gevent.joinall(repairs, raise_error=True)

    def _carry_out(self, target: str, blow: Blow, strike: Callable[[float], None]) -> None:
        began = time.time()
        try:
            strike(blow.seconds)
        except UNREACHABLE as error:
            self._say(f"{self._clock()} {blow.kind}: {target} could not be struck, the database is away ({error})")
        finally:
            if blow.kind in KINDS:  # a DBA's hands are no excuse for anything
                self._faults.append((blow.kind, began, time.time()))
            del self._broken[target]

    def _strike(self, blow: Blow) -> tuple[str, Callable[[float], None]]:
        """What breaks, and the function that breaks it, waits, and repairs it."""
        world = self._world
        worker = world.workers[blow.worker]
        asterisk = world.asterisks[blow.asterisk]
        ami = world.ami_links[blow.worker, blow.asterisk]
        database = world.database_links[blow.worker]

        def killed(process: Process) -> Callable[[float], None]:
            def strike(seconds: float) -> None:
                process.kill()
                gevent.sleep(seconds)
                process.start()

            return strike

        def frozen(process: Process) -> Callable[[float], None]:
            def strike(seconds: float) -> None:
                process.signal(signal.SIGSTOP)
                gevent.sleep(seconds)
                process.signal(signal.SIGCONT)

            return strike

        def left(seconds: float) -> None:
            self._leave(worker)
            gevent.sleep(seconds)
            worker.start()

        def held(asks: bool, proxy: Proxy) -> Callable[[float], None]:
            def strike(seconds: float) -> None:
                proxy.stall(asks=asks)
                gevent.sleep(seconds)
                proxy.open()

            return strike

        def restarted(_: float) -> None:
            world.server.restart()

        def crashed(seconds: float) -> None:
            world.server.kill()
            gevent.sleep(seconds)
            world.server.start_again()

        def all_cut(_: float) -> None:
            for link in world.database_links.values():
                link.cut()

        if blow.kind in HANDS:
            return "cases", lambda _: self._hands.move(blow.kind)
        name = f"worker {blow.worker}"
        way = f"AMI of {blow.worker} to {blow.asterisk}"
        strikes: Mapping[str, tuple[str, Callable[[float], None]]] = {
            "worker killed": (name, killed(worker)),
            "worker frozen past its lease": (name, frozen(worker)),
            "worker frozen for a moment": (name, frozen(worker)),
            "worker asked to leave": (name, left),
            "AMI cut": (way, lambda _: ami.cut()),
            "AMI half closed": (way, lambda _: ami.half_close()),
            "AMI black hole": (way, held(True, ami)),
            "AMI answers held back": (way, held(False, ami)),
            "Asterisk killed": (f"Asterisk {blow.asterisk}", killed(asterisk)),
            "Asterisk frozen": (f"Asterisk {blow.asterisk}", frozen(asterisk)),
            "database links cut": ("database links", all_cut),
            "database link stalled": (f"database link of {blow.worker}", held(True, database)),
            "database answers held back": (f"database link of {blow.worker}", held(False, database)),
            "database sessions ended": ("database", lambda _: world.terminate_connections()),
            "database restarted": ("database", restarted),
            "database killed": ("database", crashed),
        }
        return strikes[blow.kind]

    def _leave(self, worker: Process) -> None:
        """SIGTERM. A worker may be late with its writing (exit code 0 all the same), but not in leaving."""
        if worker.pid is None:
            return
        spoke = worker.has_spoken
        code, seconds = worker.end()
        self._report.leaving.append(seconds)
        if not spoke and code == -signal.SIGTERM:
            return  # it had not begun
        if code or seconds > LEAVES_WITHIN:
            what = f"{worker.log.name} left with code {code} after {seconds:.1f} s"
            self._trouble.append(Complaint("worker_leaves_badly", what))

    # --- afterwards --------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Note when all is well, for the judge; a worker that ended by itself is a complaint."""
        while not self._over.wait(0.2):
            try:
                up = self._world.sql(
                    "SELECT count(*) AS n FROM dialer_asterisks WHERE state = 'up' AND lease_until > now()"
                )[0]["n"]
            except UNREACHABLE:
                continue
            if up == len(ASTERISKS):
                self._healthy.append(time.time())
            for name, worker in self._world.workers.items():
                if worker.died:
                    self._trouble.append(Complaint("worker_died", f"{name}: {worker.log.read_text()[-2000:]}"))
                    worker.start()

    def _all_faults(self) -> list[Fault]:
        """Each fault, from its blow until both Asterisks were in good hands again."""
        found = []
        for kind, at, repaired in self._faults:
            # The state is believed until the lease of a dead owner has run out.
            sure = max(repaired, at + LEASE_SECONDS)
            place = bisect_left(self._healthy, sure)
            until = self._healthy[place] if place < len(self._healthy) else time.time()
            found.append(Fault(kind, at, until))
        return found

    def _resume(self) -> None:
        """All is repaired: the next call leaves with no command typed."""
        repaired, before = time.monotonic(), self._world.originated()
        wait_for(
            lambda: self._world.originated() > before or not self._due(),
            60,
            lambda: f"dialling to resume: {self._situation()}",
            every=0.1,
        )
        if self._world.originated() > before:
            self._report.resumed_after = time.monotonic() - repaired

    def _due(self) -> int:
        rows = self._world.sql(
            "SELECT count(*) AS n FROM dialer_clients WHERE NOT used AND (checked"
            " OR ((not_before_at IS NULL OR not_before_at <= now())"
            " AND (deferred_time IS NULL OR deferred_done OR deferred_time <= now())))"
        )
        return int(rows[0]["n"])

    def _drain(self) -> None:
        """What is due ends by itself."""
        seconds = DRAIN_SECONDS + self._due() / 20

        def drained() -> bool:
            busy = self._world.sql(
                "SELECT (SELECT count(*) FROM dialer_claims) + (SELECT count(*) FROM dialer_live) AS n"
            )
            return not busy[0]["n"] and not self._due()

        try:
            wait_for(drained, seconds, self._situation, every=0.5)
        except TimeoutError as error:
            self._trouble.append(Complaint("not_drained", str(error)))

    def _situation(self) -> str:
        sql = self._world.sql
        try:
            why = sql("SELECT project_id, reason, detail, count(*) AS n FROM dialer_why GROUP BY 1, 2, 3 LIMIT 20")
            open_attempts = sql("SELECT * FROM dialer_calls ORDER BY id LIMIT 5")
            asterisks = sql("SELECT * FROM dialer_asterisks")
        except UNREACHABLE as error:
            return f"{self._world.originated()} calls, the database is away ({error}); broken: {self._broken}"
        return (
            f"{self._world.originated()} calls of {self._calls}; broken: {list(self._broken)}; why not: {why};"
            f" Asterisks: {asterisks}; open: {open_attempts}"
        )

    def _clock(self) -> str:
        return f"{time.monotonic() - self._began:6.1f} s"


def soak(
    database: str,
    seed: int,
    calls: int,
    directory: Path,
    *,
    least_blows: int = 0,
    fenced: bool = True,
    kinds: tuple[str, ...] = tuple(KINDS),
    say: Callable[[str], None] = print,
) -> Report:
    """One soak in a world of its own."""
    with World(database, directory, seed, fenced=fenced) as world:
        return Soak(world, calls, least_blows, schedule(seed, kinds), Hands(world, seed), say=say).run()


def main() -> int:
    """Run by hand; the exit code."""
    options = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    options.add_argument("--seed", type=int, default=None, help="of the blows and the people (default: a new one)")
    options.add_argument("--calls", type=int, default=10_000, help="to be made (default %(default)s)")
    options.add_argument("--database", choices=DATABASES, default=DATABASES[0], help="(default %(default)s)")
    options.add_argument("--unfenced", action="store_true", help="control: leases switched off, must be caught")
    options.add_argument("--only", action="append", choices=list(ALL_KINDS), help="these kinds of blows alone")
    options.add_argument("--directory", type=Path, help="for logs and call logs (default: a new one)")
    given = options.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    directory = given.directory or Path(tempfile.mkdtemp(prefix="soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, {given.calls} calls on {given.database}; logs in {directory}", flush=True)
    kinds = tuple(given.only) if given.only else (DOUBTS if given.unfenced else tuple(KINDS))
    report = soak(given.database, seed, given.calls, directory, fenced=not given.unfenced, kinds=kinds)
    print(report)
    return 1 if report.verdict.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
