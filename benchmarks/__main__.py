"""`make bench`: every benchmark in a process of its own, one after the other.

Quote ratios, and figures of one run; machines differ. Some goals are missed on a busy machine, so nothing here
fails a build.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TITLES = {
    "ami_parsing": "AMI parsing, against asterisk-ami and panoramisk from PyPI",
    "claims": "A claim of 10 at 100,000 and 1,000,000 waiting cases, 90 % of them closed and first in order",
    "dialling": "From the database to Asterisk, and CPU of the worker per call",
    "gate": "A claim and a begin beside an older revision's, and why 1,000,000 cases are not being dialled, summed",
    "imports": "dialer import beside a bare COPY or LOAD DATA into a table with the same indexes",
    "memory": "Resident memory of a worker after 10,000 and after 100,000 calls",
    "predictive": "One predictive decision for 500 agents and 2,000 calls in flight",
    "progressive": "One progressive decision for 500 agents and 20 projects",
    "rules": "A claim with all rules beside an older revision's without any, screening, and why, at 1,000,000 cases",
    "simulator": "The simulated Asterisk by itself",
}


def main() -> int:
    """Run those named on the command line, or all; 1 if one of them could not run."""
    root = Path(__file__).parents[1]
    failed = []
    for name in sys.argv[1:] or TITLES:
        print(f"{TITLES.get(name, name)}:", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=root, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"did not reach its goal or could not run: {', '.join(failed)}", file=sys.stderr)
    return 0 if not failed else 1


if __name__ == "__main__":
    sys.exit(main())
