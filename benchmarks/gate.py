"""What a claim costs beside one by another revision's routines, and dialer_why_count over 1,000,000 cases.

    python -m benchmarks.gate [REVISION]

Both schemas are on one server: the other one is installed by that revision's own program. Claims, and begins of what
they have claimed, come in pairs, one on each, in changing order, so that the machine's moods hit both alike; they are
given back, or rolled back, outside the measured time. Two lists: the adverse one of benchmarks.claims, and one whose
cases have all the same open window, where a claim is cheapest.

Goals: a claim at most 1.05 of what it was; dialer_why_count under a second.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from alembic import command
from benchmarks.claims import insert_cases
from benchmarks.servers import SERVERS, Bench, environment
from worker.config import load
from worker.db.migration import config

BASE = "752c9f2"
"""The last revision whose routines each had eligibility in words of their own."""
PAIRS = 300
BATCH = 10
CASES = 100_000
COUNTED = 1_000_000
IN_HAND = 500
ABANDONED = 2_000
COUNTS = 5
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GOAL = 1.05
WHY_GOAL_SECONDS = 1.0


def main() -> None:
    """Print medians and their ratios."""
    revision = sys.argv[1] if len(sys.argv) > 1 else BASE
    with revision_tree(revision) as tree:
        for server, container in SERVERS.items():
            with container(durable=True) as running:
                urls = [running.databases().create() for _ in range(2)]
                migrated_by(tree, urls[0])
                command.upgrade(config(load(None, environment(urls[1])).database), "head")
                sides = [Side(url) for url in urls]
                try:
                    _compare(server, revision, *sides)
                    _count(server, sides[1])
                finally:
                    for side in sides:
                        side.bench.close()


@contextmanager
def revision_tree(revision: str) -> Iterator[Path]:
    """The files of a revision, in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", revision], cwd=Path(__file__).parents[1], check=True, capture_output=True
        )
        subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
        yield Path(folder)


def migrated_by(tree: Path, url: str) -> None:
    """By the program in `tree`: what stands in the working directory is imported first."""
    environ = os.environ | environment(url)
    subprocess.run([sys.executable, "-m", "dialer", "migrate"], cwd=tree, env=environ, check=True)


class Side:
    """One schema, its worker and two lists."""

    def __init__(self, url: str, *, lists: bool = True) -> None:
        self.bench = Bench(url)
        self.bench.virtual_clock()
        self.owner = self.bench.own_asterisk()
        self.bench.call("dialer_asterisk_report", *self.owned(), "up", None)
        self.bench.sql("UPDATE dialer_trunks SET max_lines = 1000, calls_per_second = 10000")
        for project, one_window in (("adverse", False), ("plain", True)) if lists else ():
            self.start(project)
            insert_cases(self.bench, project, CASES, one_window=one_window)
        self.bench.analyze()

    def owned(self) -> tuple[int, str, int]:
        worker, epoch = self.owner
        return worker, "default", epoch

    def start(self, project: str) -> None:
        self.bench.project(project)
        self.bench.call("dialer_project_start", project)

    def claim(self, project: str, least: int = BATCH) -> tuple[float, float]:
        """Claim at least so many of 10, and begin them, once: seconds of each."""
        started = time.perf_counter()
        rows = self.bench.call("dialer_claim", *self.owned(), project, BATCH, NOON)
        claimed = time.perf_counter() - started
        assert len(rows) >= least, f"{len(rows)} cases were claimed"
        begun = self._begin(project, [row["case_id"] for row in rows])
        self.bench.call("dialer_release", self.owner[0], "default", project)
        self.bench.call("dialer_worker_beat", self.owner[0], 3600)
        return claimed, begun

    def _begin(self, project: str, cases: list[int]) -> float:
        requests = [
            {"case_id": case, "channel_id": secrets.token_hex(16), "action_id": secrets.token_hex(16)} for case in cases
        ]
        values: list[Any] = [*self.owned(), project, json.dumps(requests), NOON]
        names = [f"p{number}" for number in range(len(values))]
        statement = text(self.bench.database.dialect.call("dialer_attempt_begin", names))
        with self.bench.database.transaction() as connection:
            # In a transaction that has begun it is a part of that one.
            connection.execute(text("SELECT count(*) FROM dialer_settings"))
            started = time.perf_counter()
            rows = connection.execute(statement, dict(zip(names, values, strict=True))).mappings().all()
            took = time.perf_counter() - started
            assert all(row["attempt_id"] is not None for row in rows), rows
            connection.rollback()
        return took


def _compare(server: str, revision: str, base: Side, head: Side) -> None:
    for project in ("adverse", "plain"):
        times: dict[Side, list[tuple[float, float]]] = {base: [], head: []}
        for pair in range(PAIRS):
            for side in (base, head) if pair % 2 else (head, base):
                times[side].append(side.claim(project))
        for place, what in enumerate(("claim", "begin")):
            before, now = (statistics.median(one[place] for one in times[side]) * 1000 for side in (base, head))
            goal = f" (goal: at most {GOAL})" if what == "claim" and project == "adverse" else ""
            print(
                f"  {server}, {project}: {what} of {BATCH}: {revision} {before:5.2f} ms, now {now:5.2f} ms,"
                f" ratio {now / before:.3f}{goal}",
                flush=True,
            )


def _count(server: str, side: Side) -> None:
    bench = side.bench
    side.start("counted")
    insert_cases(bench, "counted", COUNTED)
    bench.sql(
        "INSERT INTO dialer_abandoned (number, until_at, project_id, attempt_id)"
        f" SELECT CAST(10000000000 + 7 * n AS char(11)), TIMESTAMP '2037-01-01 00:00:00', 'counted', n"
        f" FROM {bench.numbers(ABANDONED)}"
    )
    bench.analyze()
    claimed = bench.call("dialer_claim", *side.owned(), "counted", IN_HAND, NOON)
    assert len(claimed) == IN_HAND
    side.bench.call("dialer_worker_beat", side.owner[0], 3600)
    for what, condition in (("of a project", "WHERE project_id = 'counted'"), ("of all", "")):
        times = []
        for _ in range(COUNTS):
            started = time.perf_counter()
            rows = bench.sql(f"SELECT * FROM dialer_why_count {condition}")
            times.append(time.perf_counter() - started)
        cases = sum(row["cases"] for row in rows if row["project_id"] == "counted")
        assert cases == COUNTED, f"{cases} cases were counted"
        print(
            f"  {server}: dialer_why_count {what}, {COUNTED:,} cases, {IN_HAND} in hand, {ABANDONED:,} abandoned"
            f" numbers: median {statistics.median(times):.2f} s, {len(rows)} rows (goal: under {WHY_GOAL_SECONDS:g} s)",
            flush=True,
        )


if __name__ == "__main__":
    main()
