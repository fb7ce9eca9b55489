"""What a call costs the worker, and how soon it is on its way.

The real command (`dialer worker`) on a real PostgreSQL and a simulated Asterisk in this process:
- from the commit of a single INSERT to its Originate at Asterisk, for a project that waits for cases,
- from the commit of a start to the first Originate,
- CPU of the worker per call, at 100 calls a second,
- statements a second that an idle worker sends (MariaDB).

Goals: p99 of INSERT to Originate under 50 ms on PostgreSQL, under 250 ms on MariaDB; idle under 5 statements/s.
"""

# The simulated Asterisk is a gevent server.
from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import gevent

from benchmarks.servers import SERVERS, Bench, bench_on
from simulator import SimulatedAsterisk, call_centre
from tests.support.waiting import wait_for
from worker.clock import SystemClock

INSERTS = 300
STARTS = 40
RATE = 100
LOAD_SECONDS = 30
GOALS = {"PostgreSQL 12": 0.05, "MariaDB 10.5": 0.25}
IDLE_SECONDS = 20
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the figures."""
    for server in SERVERS:
        with _dialer(server) as (bench, asterisk, worker):
            waits = _insert_to_originate(bench, asterisk)
            _print(f"{server}: INSERT to Originate", waits, f"(goal: p99 under {GOALS[server] * 1000:.0f} ms)")
            _print(f"{server}: start to Originate", _start_to_originate(bench, asterisk))
            if bench.is_mariadb:
                print(f"  {server}: idle, {_questions_a_second(bench):.1f} statements/s (goal: under 5)")
            calls, seconds = _cpu_per_call(bench, asterisk, worker)
            print(f"  {server}: at {RATE} calls/s {seconds / calls * 1000:.2f} ms CPU a call, over {calls} calls")


def _print(what: str, waits: list[float], goal: str = "") -> None:
    cuts = statistics.quantiles(waits, n=100)
    print(f"  {what}: p50 {cuts[49] * 1000:6.1f} ms, p99 {cuts[98] * 1000:6.1f} ms of {len(waits)} {goal}")


@contextmanager
def _dialer(server: str) -> Iterator[tuple[Bench, SimulatedAsterisk, subprocess.Popen[bytes]]]:
    asterisk = SimulatedAsterisk(replace(call_centre(speed=60), agents=(), queues=()), SystemClock(), seed=1)
    with bench_on(server) as bench:
        environ = {**bench.environ, "DIALER_AMI_PORT": str(asterisk.serve()), "DIALER_LOGLEVEL": "1"}
        environ["DIALER_AMI_PASSWORD"] = next(user.secret for user in asterisk.scenario.users if user.name == "dialer")
        bench.sql(
            "INSERT INTO dialer_trunks (trunk, dial_template, max_lines, calls_per_second)"
            " VALUES ('default', 'PJSIP/{number}@carrier', 5000, 2000)"
        )
        worker = subprocess.Popen([sys.executable, "-m", "dialer", "worker"], env={**os.environ, **environ})
        try:
            wait_for(
                lambda: bench.sql("SELECT 1 FROM dialer_asterisks WHERE state = 'up'"), 20, "the worker", every=0.1
            )
            yield bench, asterisk, worker
        finally:
            worker.terminate()
            worker.wait(20)
            asterisk.stop()


def _case(bench: Bench, project: str, number: int) -> None:
    bench.sql(
        "INSERT INTO dialer_clients (case_name, project_id, phone_number) VALUES ('Case', %s, %s)", project, str(number)
    )


def _wait(asterisk: SimulatedAsterisk, action: Callable[[], object]) -> float:
    """Seconds from the return of `action` to the next Originate that Asterisk sees."""
    before = len(asterisk.calls_log)
    action()
    committed = time.time()
    wait_for(lambda: len(asterisk.calls_log) > before, 10, "an Originate", every=0.001)
    return max(0.0, asterisk.calls_log[before].begun - committed)


def _insert_to_originate(bench: Bench, asterisk: SimulatedAsterisk) -> list[float]:
    bench.project("waiting")
    bench.call("dialer_project_start", "waiting")
    _wait(asterisk, lambda: _case(bench, "waiting", 70_000_000))
    waits = []
    for number in range(INSERTS):
        gevent.sleep(0.03 + number % 7 * 0.01)  # not in step with the worker's turns
        waits.append(_wait(asterisk, partial(_case, bench, "waiting", 70_000_001 + number)))
    return waits


def _start_to_originate(bench: Bench, asterisk: SimulatedAsterisk) -> list[float]:
    waits = []
    for number in range(STARTS):
        project = f"start{number}"
        bench.project(project)
        _case(bench, project, 71_000_000 + number)
        waits.append(_wait(asterisk, partial(bench.call, "dialer_project_start", project)))
        bench.call("dialer_project_stop", project)
    return waits


def _cpu_per_call(bench: Bench, asterisk: SimulatedAsterisk, worker: subprocess.Popen[bytes]) -> tuple[int, float]:
    bench.sql("UPDATE dialer_trunks SET calls_per_second = %s", RATE)
    bench.project("load")
    bench.sql(
        "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
        f" SELECT 'Case', 'load', CAST(72000000 + n AS char(8)) FROM {bench.numbers(RATE * (LOAD_SECONDS + 20))}"
    )
    bench.call("dialer_project_start", "load")
    wait_for(lambda: asterisk.statistics.originated > INSERTS + STARTS + 5 * RATE, 60, "the load", every=0.1)
    calls, seconds = asterisk.statistics.originated, _cpu(worker)
    gevent.sleep(LOAD_SECONDS)
    return asterisk.statistics.originated - calls, _cpu(worker) - seconds


def _questions_a_second(bench: Bench) -> float:
    def questions() -> int:
        # The server's count, less the one that this asks.
        return int(bench.sql("SHOW GLOBAL STATUS LIKE 'Questions'")[0]["Value"])

    gevent.sleep(2)
    before = questions()
    gevent.sleep(IDLE_SECONDS)
    return (questions() - before - 1) / IDLE_SECONDS


def _cpu(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of a process, user and system."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
