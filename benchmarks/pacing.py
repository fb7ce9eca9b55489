"""`make bench-pacing`: simulated days under several pacing rules; how busy agents are, how many calls abandoned.

    python -m benchmarks.pacing [--only jump drift] [--columns progressive ours] [--processes 2]

Days are those of simulator/day.py: agents whose phones answer by themselves (0.2 s), talks of 120 s (standard
deviation 120 s), 20 s of wrap-up that the queue gives, 25 s of ringing, 2 s of patience, a limit of 3 %. Every day
begins with nothing learned and an empty ledger, at nine; a cell is the sum of its days. Rates over the limit are
marked with !: such a rule talks more, and is forbidden. With few answers a rate is what chance has made of it: one
standard deviation is at most about 0.17 / √(people who answered); the last column is the fewest of any rule.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from os import cpu_count
from typing import Any
from zlib import crc32

from benchmarks.pacing_rules import LIMIT, AdaptiveLevel, ExpectedFrees, FixedRatio, Progressive
from simulator.day import Case, Day, Figures, Policy, Predictive, Redial, Rules
from simulator.scenario import Scenario, call_centre, fixed, lognormal
from worker.dialling.pacer import LEDGER_SECONDS, LEND_SECONDS
from worker.pacing.settings import PacingSettings

NINE = 9 * 3600.0
HOUR = 3600.0


@dataclass(frozen=True)
class Row:
    """Days of one kind: so many, each of so many hours. people: more arguments of call_centre."""

    name: str
    agents: int
    days: int
    hours: float
    people: dict[str, Any] = field(default_factory=dict)
    amd: bool = False
    differ: Redial | None = None
    """How cases differ in how likely they answer; None: all are alike, and nobody is called twice."""

    def scenario(self) -> Scenario:
        """Its call centre."""
        return call_centre(
            agents=self.agents,
            pick_up=fixed(0.2),
            talk=lognormal(120 / 2**0.5, 0.8326),
            wrapuptime=20,
            **{"answer_rate": 0.3, **self.people},
        )

    def play(self, policy: Callable[[PacingSettings], Policy], ahead: int) -> Figures:
        """All its days. ahead: how many cases the policy knows before they are called.

        Rows meet different people, or one unlucky morning would show in all of them; all policies meet the same.
        """
        first = crc32(self.name.encode())
        rules = Rules(amd=self.amd, lend_seconds=LEND_SECONDS, ledger_seconds=LEDGER_SECONDS, cases_ahead=ahead)
        days = [
            Day(
                self.scenario(),
                policy(PacingSettings(abandon_target=LIMIT, amd=self.amd)),
                self.hours * HOUR,
                seed,
                NINE,
                rules,
                self.differ,
            ).run()
            for seed in range(first, first + self.days)
        ]
        return reduce(add, days)


def _odds(case: Case) -> float:
    """Who was busy is at home; who did not answer is out; and with every attempt those who answer readily are gone."""
    return {"BUSY": 5.0, "NOANSWER": 0.4}.get(case.last_outcome or "", 1.5) * float(0.8**case.dials)


def _far_odds(case: Case) -> float:
    """A list of which few answer: four of five of those who were busy do, and one of thirty of those who did not."""
    return {"BUSY": 40.0, "NOANSWER": 0.3}.get(case.last_outcome or "", 1.0)


_AGAIN = {"BUSY": 300.0, "NOANSWER": 1200.0}
MIXED = Redial(again=_AGAIN, most_dials=5, odds=_odds)
FAR_APART = Redial(again=_AGAIN, most_dials=5, odds=_far_odds)

JUMPS = {"answer_rate": ((0.0, 0.15), (NINE + 1.3 * HOUR, 0.45), (NINE + 2.6 * HOUR, 0.15))}
DRIFTS = {"answer_rate": ((0.0, 0.1), (NINE, 0.1), (NINE + 2 * HOUR, 0.5), (NINE + 4 * HOUR, 0.1)), "drifting": True}
BREAKS = {"breaks": (lognormal(2700.0, 0.5), lognormal(500.0, 0.5))}

ROWS = [
    Row("1 agent", 1, 5, 8),
    Row("2 agents", 2, 3, 8),
    Row("5 agents", 5, 2, 8),
    Row("10 agents", 10, 3, 4),
    Row("20 agents", 20, 2, 4),
    Row("50 agents", 50, 2, 2),
    Row("100 agents", 100, 1, 2),
    Row("200 agents", 200, 1, 2),
    *(
        Row(f"{agents} agents, {rate}", agents, days, hours, {"answer_rate": rate})
        for rate in (0.1, 0.6)
        for agents, days, hours in ((2, 2, 8), (10, 2, 4), (50, 1, 2))
    ),
    Row("20, rate jumps", 20, 2, 4, JUMPS),
    Row("50, rate drifts", 50, 1, 4, DRIFTS),
    Row("10, breaks", 10, 3, 4, BREAKS),
    Row("50, breaks", 50, 1, 4, BREAKS),
    Row("20, AMD, 25 % machines", 20, 2, 4, {"machines": 0.25, "answer_rate": 0.4}, amd=True),
    Row("10, cases differ", 10, 3, 4, differ=MIXED),
    Row("50, cases differ", 50, 1, 4, differ=MIXED),
    Row("10, cases differ much", 10, 2, 4, {"answer_rate": 0.1}, differ=FAR_APART),
    Row("50, cases differ much", 50, 1, 2, {"answer_rate": 0.1}, differ=FAR_APART),
]


def _alike(settings: PacingSettings) -> Policy:
    return Predictive(settings, cases_differ=False)


KNOWN = 50
"""Cases that `known` is told of before they are called."""
COLUMNS: dict[str, Callable[[PacingSettings], Policy]] = {
    "progressive": lambda _: Progressive(),
    "ratio 2": lambda _: FixedRatio(2),
    "level": lambda _: AdaptiveLevel(),
    "frees": lambda _: ExpectedFrees(),
    "ours, alike": _alike,
    "ours": Predictive,
    "ours, known": Predictive,
}
"""level, frees: see pacing_rules. ours: as the worker does it, with what each case's answering probability is learned
to be; alike: as if nothing were known of them; known: what is called next is known before it is decided."""

OF_CASES = ("ours, alike", "ours, known")
"""Columns that are played only where cases differ."""


def _cell(place: tuple[int, str]) -> tuple[int, str, Figures, float]:
    index, column = place
    started = time.process_time()
    found = ROWS[index].play(COLUMNS[column], KNOWN if column == "ours, known" else 0)
    return index, column, found, time.process_time() - started


def _shown(found: Figures | None) -> str:
    if found is None:
        return ""
    mark = "!" if found.rate > LIMIT else ""
    return f"{found.utilisation:.3f} at {100 * found.rate:.1f}{mark}"


def main() -> int:
    """Print the table; 1 if the worker's own pacing is over the limit somewhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[""], metavar="TEXT", help="rows whose names contain one of these")
    parser.add_argument("--columns", nargs="*", default=list(COLUMNS), choices=list(COLUMNS), metavar="COLUMN")
    parser.add_argument("--processes", type=int, default=cpu_count() or 1)
    arguments = parser.parse_args()
    rows = [index for index, row in enumerate(ROWS) if any(text in row.name for text in arguments.only)]
    columns = arguments.columns
    places = [(index, column) for index in rows for column in columns if column not in OF_CASES or ROWS[index].differ]
    # What takes longest goes first, so that no process is left alone with it.
    places.sort(key=lambda place: (place[1].startswith("ours"), ROWS[place[0]].agents), reverse=True)
    started = time.monotonic()
    table: dict[tuple[int, str], Figures] = {}
    spent = 0.0
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for index, column, found, seconds in pool.imap_unordered(_cell, places):
            table[index, column] = found
            spent += seconds
            told = f"{ROWS[index].name}, {column}: {_shown(found)} ({seconds:.0f} s)"
            print(f"  {len(table)} of {len(places)}: {told}", file=sys.stderr, flush=True)
    print("Utilisation at abandoned calls in per cent; answer rate 0.3 unless a row says otherwise; ! over the limit")
    print("| agents | " + " | ".join(columns) + " | people |")
    print("|---|" + "---|" * (len(columns) + 1))
    for index in rows:
        cells = [_shown(table.get((index, column))) for column in columns]
        people = min(found.connected + found.abandoned for (row, _), found in table.items() if row == index)
        print(f"| {ROWS[index].name} | " + " | ".join(cells) + f" | {people:,} |", flush=True)
    print(f"{len(table)} cells in {time.monotonic() - started:.0f} s, {spent:.0f} s of processor time")
    return int(any(found.rate > LIMIT for (_, column), found in table.items() if column == "ours"))


if __name__ == "__main__":
    sys.exit(main())
