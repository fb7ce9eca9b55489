"""Does a worker grow? Its resident memory after 10,000 and after 100,000 calls.

The real command (`dialer worker`) on PostgreSQL 12, beside a simulated Asterisk in this process whose people are
very quick: one project with agents, one that plays a message. Goal: within 20 %.
"""

# The simulated Asterisk is a gevent server.
from gevent import monkey

monkey.patch_all()

# ruff: noqa: E402
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gevent

from benchmarks.servers import Bench, bench_on
from simulator import Mix, SimulatedAsterisk, call_centre
from tests.support.waiting import wait_for
from worker.clock import SystemClock

CALLS = (10_000, 25_000, 50_000, 100_000)
"""When memory is read; the goal is about the first and the last."""
GOAL = 1.2
AGENTS = 60
PROJECTS = {"talk": 15_000, "inform": CALLS[-1]}
"""With agents, and with a message; cases of each. More than are dialled."""


def main() -> int:
    """Print the figures; 1 when the goal is missed."""
    scenario = call_centre(agents=AGENTS, speed=100, answer_rate=0.3)
    # Most are busy: their calls take the worker the same work and less time.
    people = replace(scenario.subscribers, mixes=(Mix(answer=0.3, busy=0.6, failure=0.05),))
    asterisk = SimulatedAsterisk(replace(scenario, subscribers=people), SystemClock(), seed=1)
    asterisk.keep_log = False
    with bench_on("PostgreSQL 12") as bench:
        environ = {**bench.environ, "DIALER_AMI_PORT": str(asterisk.serve()), "DIALER_LOGLEVEL": "1"}
        environ["DIALER_AMI_PASSWORD"] = next(user.secret for user in scenario.users if user.name == "dialer")
        _fill(bench)
        worker = subprocess.Popen([sys.executable, "-m", "dialer", "worker"], env={**os.environ, **environ})
        try:
            sizes = _measure(asterisk, worker)
            for project in PROJECTS:
                bench.call("dialer_project_stop", project)
            wait_for(lambda: not bench.sql("SELECT 1 FROM dialer_live"), 60, "the last calls to end", every=0.2)
            broken = bench.sql("SELECT kind FROM dialer_invariants")
        finally:
            worker.terminate()
            worker.wait(20)
            asterisk.stop()
    ratio = sizes[-1] / sizes[0]
    print(f"  after {CALLS[-1]:,} calls {ratio:.2f} times that after {CALLS[0]:,} (goal: under {GOAL})")
    print(f"  dialer_invariants: {broken or 'empty'}")
    return 0 if ratio < GOAL and not broken else 1


def _fill(bench: Bench) -> None:
    bench.sql(
        "INSERT INTO dialer_trunks (trunk, dial_template, max_lines, calls_per_second)"
        " VALUES ('default', 'PJSIP/{number}@carrier', 1000, 2000)"
    )
    bench.project("inform")
    bench.sql(
        "INSERT INTO dialer_params (project_id, queue, exten, context, dial_time)"
        " VALUES ('talk', 'sales', 's', 'progressive', 2000)"
    )
    for place, (project, count) in enumerate(PROJECTS.items()):
        first = 70_000_000 + place * 1_000_000
        bench.sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
            f" SELECT 'Case', '{project}', CAST({first} + n AS char(8)) FROM {bench.numbers(count)}"
        )
        bench.call("dialer_project_start", project)
    bench.analyze()


def _measure(asterisk: SimulatedAsterisk, worker: subprocess.Popen[bytes]) -> list[float]:
    """Resident megabytes at each of CALLS."""
    sizes = []
    began = time.monotonic()
    for calls in CALLS:
        while asterisk.statistics.ended < calls:
            if worker.poll() is not None:
                raise SystemExit(f"the worker has ended with code {worker.returncode}")
            gevent.sleep(0.1)
        sizes.append(_resident(worker.pid))
        seconds = time.monotonic() - began
        print(
            f"  {calls:>7,} calls, {seconds:5.0f} s: {sizes[-1]:.1f} MB resident, {calls / seconds:.0f} calls/s",
            flush=True,
        )
    return sizes


def _resident(pid: int) -> float:
    """VmRSS of a process, in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} tells no VmRSS")


if __name__ == "__main__":
    sys.exit(main())
