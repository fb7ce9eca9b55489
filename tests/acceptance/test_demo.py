"""`dialer demo`, as a newcomer runs it: it ends by itself, has dialled, and has lost nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


@pytest.mark.timeout(180)
def test_the_demo_dials_more_than_a_hundred_cases_in_half_a_minute_and_loses_none() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    done = subprocess.run(
        [sys.executable, "-m", "dialer", "demo"],
        env=environ | {"DEMO_SECONDS": "30"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = re.fullmatch(r"demo: (\d+) cases dialled, (\d+) answered, 0 lost", done.stdout.rstrip("\n").splitlines()[-1])
    assert last is not None, done.stdout
    assert int(last[1]) > 100
    assert 0 < int(last[2]) < int(last[1])
    assert " 0 of them unknown to the ledger" in done.stdout
