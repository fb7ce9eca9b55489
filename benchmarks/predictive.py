"""How long one decision of the predictive pacing takes, for 500 agents and about 2,000 calls in flight.

    python -m benchmarks.predictive [--minutes 15]

A simulated day (simulator/day.py) in which four of a hundred people answer, so that the pacing itself brings the
calls up. Processor time, whatever else the machine does: of the decision itself, whose goal is 5 ms, and of all that a
second asks for (to read what the calls and agents do, to learn from it, and to decide).
"""

from __future__ import annotations

import argparse
import sys
import time
from statistics import quantiles

from benchmarks.pacing import MIXED, NINE
from benchmarks.pacing_rules import LIMIT
from simulator.cases import Redial
from simulator.day import Day
from simulator.policies import Predictive
from simulator.scenario import call_centre, fixed, lognormal
from worker.pacing.observed import Observation
from worker.pacing.pilot import Decided, Pilot, Sight
from worker.pacing.predictive import Decision
from worker.pacing.settings import PacingSettings

AGENTS = 500
IN_FLIGHT = 1900
GOAL_MS = 5.0


class Timed(Pilot):
    """Keeps how long each decision took while enough calls were in flight, in milliseconds."""

    def __init__(self, settings: PacingSettings) -> None:
        super().__init__(settings)
        self.decisions: list[float] = []
        self.looks: list[float] = []

    def look(self, sight: Sight) -> Decided | None:
        started = time.thread_time()
        decided = super().look(sight)
        if len(sight.calls) >= IN_FLIGHT:
            self.looks.append(1000 * (time.thread_time() - started))
        return decided

    def _rule(self, observation: Observation) -> Decision:
        started = time.thread_time()
        decision = super()._rule(observation)
        if len(observation.calls) >= IN_FLIGHT:
            self.decisions.append(1000 * (time.thread_time() - started))
        return decision


def measure(minutes: float, redial: Redial | None) -> Timed:
    """A day whose cases are called again as `redial` says."""
    scenario = call_centre(
        agents=AGENTS,
        answer_rate=0.04,
        pick_up=fixed(0.2),
        talk=lognormal(120 / 2**0.5, 0.8326),
        wrapuptime=20,
    )
    settings = PacingSettings(abandon_target=LIMIT)
    policy = Predictive(settings)
    policy.pilot = timed = Timed(settings)
    Day(scenario, policy, 60 * minutes, 1, NINE, redial=redial).run()
    return timed


def main() -> int:
    """Print both; 1 if a decision takes longer than the goal in the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0, help="of the simulated day")
    minutes = parser.parse_args().minutes
    missed = False
    for name, redial in (("cases alike", None), ("cases differ", MIXED)):
        timed = measure(minutes, redial)
        for what, took in (("decision", timed.decisions), ("whole look", timed.looks)):
            cuts = quantiles(took, n=100)
            missed = missed or (what == "decision" and cuts[49] > GOAL_MS)
            told = f"median {cuts[49]:.2f} ms, 99 of 100 within {cuts[98]:.2f} ms ({len(took):,} of them)"
            print(f"  {name:12} {what:10} {told}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
