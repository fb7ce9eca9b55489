"""What a claim of 10 costs at 100,000 and at 1,000,000 waiting cases.

Adverse on purpose: 40 call windows, 10 of them open; 90 % of the cases lie in closed windows and come first in
the project's sort order. Runs of the two sizes are interleaved, so that the machine's moods hit both alike.
Claims are given back outside the measured time.

Goal: the same within 20 %.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.servers import Bench, bench_database

SIZES = (100_000, 1_000_000)
ROUNDS = 40
CLAIMS_A_ROUND = 5
BATCH = 10
NOW = "2026-03-02T12:00:00+00:00"
GOAL = 1.2

_CASES = """
    INSERT INTO dialer_clients (case_name, project_id, phone_number, priority, utc, allowed_start, allowed_stop,
        created)
    SELECT 'Case', '{project}', (10000000000 + n)::varchar, 1 + n % 5, '+00:00',
        CASE WHEN n % 10 = 0 THEN '08:' ELSE '20:' END
            || lpad((CASE WHEN n % 10 = 0 THEN n / 10 % 10 ELSE n % 30 END)::varchar, 2, '0'),
        CASE WHEN n % 10 = 0 THEN '18:00' ELSE '22:00' END,
        timestamptz '2026-01-01' + CASE WHEN n % 10 = 0 THEN interval '0' ELSE interval '30 days' END
            + n * interval '1 second'
    FROM generate_series(1, {size}) n
"""


def main() -> None:
    """Print medians and their ratio."""
    with bench_database() as bench:
        bench.virtual_clock()
        owner = bench.own_asterisk()
        for size in SIZES:
            project = _project(size)
            bench.sql(f"INSERT INTO dialer_params (project_id, type, exten) VALUES ('{project}', 'autoinforming', 's')")
            started = time.perf_counter()
            bench.sql(_CASES.format(project=project, size=size))
            took = time.perf_counter() - started
            print(f"  INSERT of {size:>9,} cases: {took:6.1f} s, {took / size * 1e6:5.1f} µs a row")
            bench.sql(f"SELECT dialer_project_start('{project}')")
        bench.sql("VACUUM ANALYZE")
        times: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(ROUNDS):
            for size in SIZES:
                times[size] += _claims(bench, owner, _project(size))
        medians = {size: statistics.median(values) * 1000 for size, values in times.items()}
        for size, values in times.items():
            p99 = statistics.quantiles(values, n=100)[98] * 1000
            print(f"  claim of {BATCH} at {size:>9,} cases: median {medians[size]:5.2f} ms, p99 {p99:5.2f} ms")
        ratio = medians[SIZES[1]] / medians[SIZES[0]]
        print(f"  ratio {ratio:.2f} (goal: at most {GOAL})")


def _project(size: int) -> str:
    return f"list{size}"


def _claims(bench: Bench, owner: tuple[int, int], project: str) -> list[float]:
    worker, epoch = owner
    times = []
    for _ in range(CLAIMS_A_ROUND):
        started = time.perf_counter()
        rows = bench.sql(
            "SELECT * FROM dialer_claim(%s, 'default', %s, %s, %s, %s)", worker, epoch, project, BATCH, NOW
        )
        times.append(time.perf_counter() - started)
        assert len(rows) == BATCH, f"{len(rows)} cases were claimed"
        bench.sql("SELECT dialer_release(%s, 'default', %s)", worker, project)
    bench.sql("SELECT dialer_worker_beat(%s, 3600)", worker)
    return times


if __name__ == "__main__":
    main()
