"""How long one decision of the progressive pacing takes, for 500 free agents and 20 projects.

    python -m benchmarks.progressive [--rounds 50]

A turn of the dialer makes one such decision, up to 50 times a second. How the agents are shared decides the cost:
all of them by all projects, each project by its own, or each agent by a random third of the projects.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from worker.pacing.progressive import quotas

AGENTS = 500
PROJECTS = 20


def situations() -> dict[str, dict[str, set[str]]]:
    """Free agents by project, by the way in which they are shared."""
    draw = random.Random(1)
    agents = [f"PJSIP/{number}" for number in range(AGENTS)]
    projects = [f"p{number}" for number in range(PROJECTS)]
    return {
        "all shared": {project: set(agents) for project in projects},
        "none shared": {project: set(agents[number::PROJECTS]) for number, project in enumerate(projects)},
        "a third each": {project: {agent for agent in agents if draw.random() < 1 / 3} for project in projects},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    for name, free in situations().items():
        for load, count in (("idle", 0), ("half busy", 12), ("full", 25)):
            in_flight = dict.fromkeys(free, count)
            took = []
            for _ in range(rounds):
                started = time.perf_counter()
                quotas(free, in_flight, dict.fromkeys(free, 100))
                took.append(time.perf_counter() - started)
            print(f"  {name:12} {load:9} {statistics.median(took) * 1000:6.1f} ms (median of {rounds})")


if __name__ == "__main__":
    main()
