"""What `dialer import` costs beside a bare COPY or LOAD DATA into a table with the same indexes and no triggers.

    python -m benchmarks.imports [--million]

Both fill a table of their own on one server, in rounds that take turns, so that the machine's moods hit both alike. The
import does all that it does for people: it reads the file, checks each line, looks each number up in file and project,
and has the triggers on.

Then another process claims cases of another project, alone and beside an import, and renews a short lease meanwhile.

Goals: at least 0.5 of the bare rate on PostgreSQL, 0.4 on MariaDB; the median claim beside an import at most doubled,
and the lease is never lost.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import statistics
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gate import Side
from benchmarks.servers import SERVERS, Bench, bench_on
from dialer import imports
from tests.support.writers import WRITERS, Writer

ROWS = 100_000
MILLION = 1_000_000
ROUNDS = 2
GOALS = {"PostgreSQL 12": 0.5, "MariaDB 10.5": 0.4}
OTHERS = 20_000
ALONE_SECONDS = 5
LEASE_SECONDS = 5
CLAIM_GOAL = 2.0
COLUMNS = "case_name, project_id, phone_number, number, utc, allowed_start, allowed_stop, fields, import_id"


def main() -> None:
    """Print rates and their ratio."""
    size = MILLION if "--million" in sys.argv[1:] else ROWS
    for server in SERVERS:
        with bench_on(server) as bench, TemporaryDirectory() as folder:
            _measure(server, bench, Path(folder), size)
            _beside(server, bench, Path(folder), size)


def _measure(server: str, bench: Bench, folder: Path, size: int) -> None:
    bench.project("list")
    like = "LIKE dialer_clients" if bench.is_mariadb else "(LIKE dialer_clients INCLUDING ALL)"
    bench.sql(f"CREATE TABLE bare {like}")
    writer = WRITERS["mariadb" if bench.is_mariadb else "postgresql"](bench.database.settings)
    spent = {"import": 0.0, "bare": 0.0}
    for number in range(ROUNDS):
        first, count = number * size // ROUNDS, size // ROUNDS
        for what in ("import", "bare") if number % 2 else ("bare", "import"):
            took = _import(bench, folder, first, count) if what == "import" else _bare(writer, first, count)
            spent[what] += took
    writer.close()
    (row,) = bench.sql("SELECT count(*) AS n FROM dialer_clients")
    assert row["n"] == size, f"{row['n']} cases were imported"
    for what, took in spent.items():
        each = took / size * 1e6
        print(f"  {server}: {size:,} rows, {what:6}: {size / took:8,.0f} rows/s, {each:5.1f} µs a row", flush=True)
    ratio = spent["bare"] / spent["import"]
    print(f"  {server}: {ratio:.2f} of the bare rate (goal: at least {GOALS[server]})", flush=True)


def _beside(server: str, bench: Bench, folder: Path, size: int) -> None:
    side = Side(bench.url, lists=False)
    side.start("other")
    bench.sql(
        "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
        f" SELECT 'Case', 'other', concat('+1', CAST(2000000000 + n AS char(10))) FROM {bench.numbers(OTHERS)}"
    )
    bench.analyze()
    method = multiprocessing.get_context("spawn")
    begun, over, times = method.Event(), method.Event(), method.Queue()
    claimer = method.Process(target=_claim, args=(bench.url, side.owner, begun, over, times))
    claimer.start()
    begun.wait()
    time.sleep(ALONE_SECONDS)
    since = time.time()
    took = _import(bench, folder, 2 * size, size // 2)
    until = time.time()
    over.set()
    all_of_them = times.get()
    claimer.join()
    side.bench.close()
    alone = statistics.median(seconds for at, seconds in all_of_them if at < since)
    beside = [seconds for at, seconds in all_of_them if since <= at <= until]
    (lease,) = bench.sql("SELECT worker_id, epoch FROM dialer_asterisks WHERE asterisk = 'default'")
    kept = "kept" if (lease["worker_id"], lease["epoch"]) == side.owner else "LOST"
    print(
        f"  {server}: claims of 10 of another project: median {alone * 1000:.1f} ms alone,"
        f" {statistics.median(beside) * 1000:.1f} ms in the {took:.0f} s of an import (ratio"
        f" {statistics.median(beside) / alone:.2f}, goal: at most {CLAIM_GOAL}), longest {max(beside) * 1000:.0f} ms;"
        f" a lease of {LEASE_SECONDS} s was {kept}",
        flush=True,
    )


def _claim(url: str, owner: tuple[int, int], begun: Event, over: Event, times: multiprocessing.Queue[object]) -> None:
    """In a process of its own: claim until told, ten times a second; instants and seconds."""
    bench = Bench(url)
    found = []
    while not over.is_set():
        at, started = time.time(), time.perf_counter()
        rows = bench.call("dialer_claim", owner[0], "default", owner[1], "other", 10, None)
        found.append((at, time.perf_counter() - started))
        assert len(rows) == 10, f"{len(rows)} cases were claimed"
        bench.call("dialer_release", owner[0], "default", "other")
        bench.call("dialer_worker_beat", owner[0], LEASE_SECONDS)
        begun.set()
        time.sleep(0.1)
    bench.close()
    times.put(found)


def _import(bench: Bench, folder: Path, first: int, count: int) -> float:
    path = folder / f"list {first}.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("Name;Phone;Time zone;allowed_start;allowed_stop;City\n")
        for n in range(first, first + count):
            file.write(f"Somebody {n};+49 30 {10_000_000 + n};{_zone(n)};09:00;18:00;Berlin\n")
    maps = {"Time zone": "utc"}
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        assert imports.run(bench.database.settings, imports.Wanted(path, "list", maps=maps)) == 0
    return time.perf_counter() - started


def _bare(writer: Writer, first: int, count: int) -> float:
    lines = "".join(
        f"Somebody {n}\tlist\t+4930{10_000_000 + n}\t+4930{10_000_000 + n}\t{_zone(n)}\t09:00\t18:00\t"
        '{"City": "Berlin"}\t1\n'
        for n in range(first, first + count)
    ).encode()
    started = time.perf_counter()
    writer.load("bare", COLUMNS, lines)
    return time.perf_counter() - started


def _zone(n: int) -> str:
    """Lists come sorted, more or less."""
    return f"+0{n // 500 % 4}:00"


if __name__ == "__main__":
    main()
