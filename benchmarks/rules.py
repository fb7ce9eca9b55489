"""What rules cost: a claim among blocked cases beside one by a revision without rules, screening, why.

    python -m benchmarks.rules [REVISION]

Both schemas are on one server, as in benchmarks.gate, with two lists of 500,000 cases: one in 200 call windows, 100 of
them open, where the 100,000 cases that come first are blocked; one in a single open window. Beside them stand 100,000
numbers and 500 prefixes in dialer_dnc, limits of three calls in a day and one in four hours, and 1,000,000 attempts.

Goals: a claim at most 1.0 of what it was without rules, once the blocked ones are screened; before that no claim
longer than 250 ms (PostgreSQL) and 1 s (MariaDB); 1,000,000 cases screened in a minute; dialer_why_count in a second,
and equal to what dialer_why says case by case. The first pass after an installation also reads each number anew, as
after a change of prefixes; it is printed beside the other one.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from alembic import command
from benchmarks.gate import NOON, Side, migrated_by, revision_tree
from benchmarks.servers import SERVERS, environment
from worker.config import load
from worker.db.migration import config

BASE = "86399f8"
"""The last revision without rules."""
CASES = 500_000
WINDOWS = 200
UNSCREENED = 60
SCREENED = 2000
PAIRS = 300
COUNTS = 5
GOAL = 1.0
LONGEST_MS = {"PostgreSQL 12": 250, "MariaDB 10.5": 1000}
SCREENING_SECONDS = 60
WHY_SECONDS = 1.0

OPEN = "mod(n, 2) = 0"
# Of the open cases of the list of many windows, the 100,000 that come first are blocked.
BLOCKED = f"{OPEN} AND n > {CASES - 200_000}"


def main() -> None:
    """Print medians, ratios and the longest."""
    revision = sys.argv[1] if len(sys.argv) > 1 else BASE
    with revision_tree(revision) as tree:
        for server, container in SERVERS.items():
            with container(durable=True) as running:
                urls = [running.databases().create() for _ in range(2)]
                migrated_by(tree, urls[0])
                command.upgrade(config(load(None, environment(urls[1])).database), "head")
                base, head = (Side(url, lists=False) for url in urls)
                try:
                    for side in (base, head):
                        _fill(side)
                    _add_rules(head)
                    _unscreened(server, head)
                    _screen(server, head)
                    _why(server, head)
                    _compare(server, revision, base, head)
                finally:
                    for side in (base, head):
                        side.bench.close()


def _fill(side: Side) -> None:
    bench = side.bench
    for project in ("many", "one"):
        side.start(project)
        window = f"mod(n, {WINDOWS})" if project == "many" else "0"
        opened = OPEN if project == "many" else "n > 0"
        clock = f"concat(substr(CAST(100 + mod({window}, 60) AS char(3)), 2, 2), ':',"
        clock += f" substr(CAST(100 + floor({window} / 60) AS char(3)), 2, 2))"
        # The numbers of two in ten blocked ones begin with one of 500 prefixes.
        number = (
            f"CASE WHEN mod(n, 20) IN (12, 14) AND {BLOCKED} THEN concat('+2', CAST(100 + mod(n, 500) AS char(3)),"
            " CAST(1000000 + n AS char(7))) ELSE concat('+1', CAST(2000000000 + n AS char(10))) END"
            if project == "many"
            else "concat('+1', CAST(3000000000 + n AS char(10)))"
        )
        bench.sql(
            "INSERT INTO dialer_clients (case_name, project_id, phone_number, utc, allowed_start, allowed_stop,"
            " created)"
            f" SELECT 'Case', '{project}', {number}, 'Z',"
            f" concat(CASE WHEN {opened} THEN '08:' ELSE '20:' END, {clock}),"
            f" CASE WHEN {opened} THEN '18:00' ELSE '22:00' END,"
            f" {bench.later('2026-01-01 00:00:00', f'n + CASE WHEN {opened} THEN 0 ELSE 2592000 END')}"
            f" FROM {bench.numbers(CASES)}"
        )
    bench.analyze()


def _add_rules(side: Side) -> None:
    bench = side.bench
    first = "concat('+1', CAST(2000000000 + n AS char(10)))"
    bench.sql(
        f"INSERT INTO dialer_dnc (number, reason) SELECT {first}, 'asked for it' FROM {bench.numbers(CASES)}"
        f" WHERE mod(n, 20) IN (0, 2, 4, 6, 8, 10) AND {BLOCKED}"
    )
    bench.sql(
        "INSERT INTO dialer_dnc (number, reason) SELECT concat('+3', CAST(2000000000 + n AS char(10))), 'of no case'"
        f" FROM {bench.numbers(40_000)}"
    )
    bench.sql(
        "INSERT INTO dialer_dnc (number, reason) SELECT concat('+2', CAST(99 + n AS char(3)), '*'), 'not served'"
        f" FROM {bench.numbers(500)}"
    )
    bench.sql("INSERT INTO dialer_limits (most, period_minutes) VALUES (3, 1440), (1, 240)")
    noon = NOON.strftime("%Y-%m-%d %H:%M:%S")
    for times, hours, which in (
        (3, 10, f"mod(n, 20) = 16 AND {BLOCKED}"),
        (1, 1, f"mod(n, 20) = 18 AND {BLOCKED}"),
        (2, 50, "n > 0"),
    ):
        for number in range(times):
            begun = -3600 * hours + number
            bench.sql(
                "INSERT INTO dialer_attempts (id, case_id, case_name, project_id, phone_number, number,"
                " case_inserted_at, asterisk, trunk, worker_id, epoch, type, queue, kind, redials_done,"
                " brought_back, channel_id, action_id, channel, dial_seconds, abandon_seconds, state, outcome, effect,"
                " begun_at, ended_at)"
                f" SELECT {hours * 10 + number} * 1000000 + n, 0, 'Case', 'many', {first}, {first},"
                f" {bench.later(noon, '-9999999')}, 'default', 'default', 0, 0, 'autoinforming', 'many', 'fresh', 0, 0,"
                f" concat('{hours}-{number}-', CAST(n AS char(10))), 'action', 'PJSIP/1@carrier', 20, 2, 'ended',"
                f" 'NOANSWER', 'used', {bench.later(noon, str(begun))}, {bench.later(noon, str(begun + 20))}"
                f" FROM {bench.numbers(CASES)} WHERE {which}"
            )
    bench.analyze()


def _unscreened(server: str, side: Side) -> None:
    times = [side.claim("many", least=0)[0] * 1000 for _ in range(UNSCREENED)]
    print(
        f"  {server}: {UNSCREENED} claims that come across blocked cases: median {statistics.median(times):.1f} ms,"
        f" longest {max(times):.0f} ms (goal: at most {LONGEST_MS[server]})",
        flush=True,
    )


def _screen(server: str, side: Side) -> None:
    bench = side.bench
    for what in ("screened, numbers read anew,", "screened"):
        bench.sql("UPDATE dialer_clients SET held_for = NULL, held_until = NULL WHERE held_for IS NOT NULL")
        bench.sql("UPDATE dialer_screening SET looked_to = 0")
        bench.analyze()
        started = time.perf_counter()
        longest = 0.0
        while True:
            begun = time.perf_counter()
            looked = bench.database.value("dialer_screen", SCREENED, NOON)
            longest = max(longest, time.perf_counter() - begun)
            if not looked:
                break
        took = time.perf_counter() - started
        (row,) = bench.sql("SELECT count(*) AS n FROM dialer_clients WHERE held_for IS NOT NULL")
        print(
            f"  {server}: {2 * CASES:,} cases {what} in {took:.1f} s (goal: {SCREENING_SECONDS} s), {row['n']:,} held;"
            f" longest step {longest * 1000:.0f} ms",
            flush=True,
        )
    bench.analyze()
    bench.call("dialer_worker_beat", side.owner[0], 3600)


def _why(server: str, side: Side) -> None:
    bench = side.bench
    bench.sql(f"{'SET @dialer_now =' if bench.is_mariadb else 'SET dialer.now TO'} '{NOON:%Y-%m-%d %H:%M:%S}+00:00'")
    times = []
    for _ in range(COUNTS):
        started = time.perf_counter()
        counted = bench.sql("SELECT * FROM dialer_why_count")
        times.append(time.perf_counter() - started)
    one_by_one = bench.sql(
        "SELECT project_id, reason, own_reason, count(*) AS cases FROM dialer_why"
        " GROUP BY project_id, reason, own_reason"
    )
    same = _by_reason(counted) == _by_reason(one_by_one)
    print(
        f"  {server}: dialer_why_count over {2 * CASES:,} cases: median {statistics.median(times):.2f} s,"
        f" {'equal to' if same else 'OTHER THAN'} dialer_why (goal: {WHY_SECONDS:g} s)",
        flush=True,
    )
    assert same, (counted, one_by_one)


def _by_reason(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], int]:
    return {(row["project_id"], row["reason"], row["own_reason"]): int(row["cases"]) for row in rows}


def _compare(server: str, revision: str, base: Side, head: Side) -> None:
    for project in ("many", "one"):
        times: dict[Side, list[tuple[float, float]]] = {base: [], head: []}
        for pair in range(PAIRS):
            for side in (base, head) if pair % 2 else (head, base):
                times[side].append(side.claim(project))
        for place, what in enumerate(("claim", "begin")):
            before, now = (statistics.median(one[place] for one in times[side]) * 1000 for side in (base, head))
            goal = f" (goal: at most {GOAL})" if what == "claim" else ""
            windows = WINDOWS if project == "many" else 1
            print(
                f"  {server}, {windows} windows: {what} of 10: {revision} {before:5.2f} ms,"
                f" with all rules {now:5.2f} ms, ratio {now / before:.3f}{goal}",
                flush=True,
            )


if __name__ == "__main__":
    main()
