"""What a claim of 10 costs at 100,000 and at 1,000,000 waiting cases, on each database.

Adverse on purpose: 60 call windows, 6 of them open; 90 % of the cases lie in closed windows and come first in
the project's sort order. Runs of the two sizes are interleaved, so that the machine's moods hit both alike.
Claims are given back outside the measured time.

Goal: the same within 20 % on PostgreSQL, within 30 % on MariaDB.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

from benchmarks.servers import SERVERS, Bench, bench_on

SIZES = (100_000, 1_000_000)
ROUNDS = 40
CLAIMS_A_ROUND = 5
BATCH = 10
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GOALS = {"PostgreSQL 12": 1.2, "MariaDB 10.5": 1.3}


def main() -> None:
    """Print medians and their ratio."""
    for server in SERVERS:
        with bench_on(server) as bench:
            _measure(server, bench)


def _measure(server: str, bench: Bench) -> None:
    bench.virtual_clock()
    owner = bench.own_asterisk()
    for size in SIZES:
        bench.project(f"list{size}")
        took = insert_cases(bench, f"list{size}", size)
        print(f"  {server}: INSERT of {size:>9,} cases: {took:6.1f} s, {took / size * 1e6:5.1f} µs a row")
        bench.call("dialer_project_start", f"list{size}")
    bench.analyze()
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            times[size] += _claims(bench, owner, f"list{size}")
    medians = {size: statistics.median(values) * 1000 for size, values in times.items()}
    for size, values in times.items():
        p99 = statistics.quantiles(values, n=100)[98] * 1000
        print(f"  {server}: claim of {BATCH} at {size:>9,}: median {medians[size]:5.2f} ms, p99 {p99:5.2f} ms")
    print(f"  {server}: ratio {medians[SIZES[1]] / medians[SIZES[0]]:.2f} (goal: at most {GOALS[server]})")


def insert_cases(bench: Bench, project: str, size: int, *, one_window: bool = False) -> float:
    """A list of `size` cases, as described above; one_window: all in one that is open. Seconds that it took."""
    started = time.perf_counter()
    opened = "mod(n, 10) = 0" if not one_window else "n > 0"
    minute = "mod(n, 60)" if not one_window else "0"
    bench.sql(
        "INSERT INTO dialer_clients (case_name, project_id, phone_number, priority, utc, allowed_start,"
        " allowed_stop, created)"
        f" SELECT 'Case', '{project}', CAST(10000000000 + n AS char(11)), 1 + mod(n, 5), '+00:00',"
        f" concat(CASE WHEN {opened} THEN '08:' ELSE '20:' END, substr(CAST(100 + {minute} AS char(3)), 2, 2)),"
        f" CASE WHEN {opened} THEN '18:00' ELSE '22:00' END,"
        f" {bench.later('2026-01-01 00:00:00', f'n + CASE WHEN {opened} THEN 0 ELSE 2592000 END')}"
        f" FROM {bench.numbers(size)}"
    )
    return time.perf_counter() - started


def _claims(bench: Bench, owner: tuple[int, int], project: str) -> list[float]:
    worker, epoch = owner
    times = []
    for _ in range(CLAIMS_A_ROUND):
        started = time.perf_counter()
        rows = bench.call("dialer_claim", worker, "default", epoch, project, BATCH, NOON)
        times.append(time.perf_counter() - started)
        assert len(rows) == BATCH, f"{len(rows)} cases were claimed"
        bench.call("dialer_release", worker, "default", project)
    bench.call("dialer_worker_beat", worker, 3600)
    return times


if __name__ == "__main__":
    main()
