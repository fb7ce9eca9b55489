"""How long one decision of the predictive pacing takes, for 500 agents and about 2,000 calls in flight.

    python -m benchmarks.predictive [--minutes 15]

A simulated day (simulator/day.py) in which four of a hundred people answer, so that the pacing itself brings the
calls up. Timed is all that a second asks for: to learn from what was observed, and to decide; processor time, whatever
else the machine does. The goal is 5 ms.
"""

from __future__ import annotations

import argparse
import sys
import time
from statistics import quantiles

from benchmarks.pacing import MIXED, NINE
from benchmarks.pacing_rules import LIMIT
from simulator.day import Day, Predictive, Redial, Rules
from simulator.scenario import call_centre, fixed, lognormal
from worker.dialling.pacer import LEDGER_SECONDS, LEND_SECONDS
from worker.pacing.observed import Observation
from worker.pacing.settings import PacingSettings

AGENTS = 500
IN_FLIGHT = 1900
GOAL_MS = 5.0


class Timed(Predictive):
    """Keeps how long each decision took while enough calls were in flight."""

    def __init__(self, settings: PacingSettings) -> None:
        super().__init__(settings)
        self.took: list[float] = []

    def quota(self, seen: Observation) -> int:
        started = time.thread_time()
        quota = super().quota(seen)
        if len(seen.calls) >= IN_FLIGHT:
            self.took.append(1000 * (time.thread_time() - started))
        return quota


def measure(minutes: float, redial: Redial | None) -> list[float]:
    """Milliseconds of each decision with enough calls in flight."""
    scenario = call_centre(
        agents=AGENTS,
        answer_rate=0.04,
        pick_up=fixed(0.2),
        talk=lognormal(120 / 2**0.5, 0.8326),
        wrapuptime=20,
    )
    policy = Timed(PacingSettings(abandon_target=LIMIT))
    rules = Rules(lend_seconds=LEND_SECONDS, ledger_seconds=LEDGER_SECONDS)
    Day(scenario, policy, 60 * minutes, 1, NINE, rules, redial).run()
    return policy.took


def main() -> int:
    """Print both; 1 if a decision takes longer than the goal in the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0, help="of the simulated day")
    minutes = parser.parse_args().minutes
    missed = False
    for name, redial in (("cases alike", None), ("cases differ", MIXED)):
        took = measure(minutes, redial)
        cuts = quantiles(took, n=100)
        missed = missed or cuts[49] > GOAL_MS
        print(f"  {name:12} median {cuts[49]:.2f} ms, 99 of 100 within {cuts[98]:.2f} ms ({len(took):,} decisions)")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
