"""`dialer demo`, as a newcomer runs it: it ends by itself, has dialled, and has lost nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import URL, make_url

from tests.support.containers import MariaDbDatabases

pytestmark = pytest.mark.timeout(180)


def demo(seconds: int, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DIALER_")}
    return subprocess.run(
        [sys.executable, "-m", "dialer", "demo"],
        env=clean | {"DEMO_SECONDS": str(seconds)} | environ,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_demo_dials_more_than_a_hundred_cases_in_half_a_minute_and_loses_none() -> None:
    done = demo(30)
    assert done.returncode == 0, done.stdout + done.stderr
    last = re.fullmatch(r"demo: (\d+) cases dialled, (\d+) answered, 0 lost", done.stdout.rstrip("\n").splitlines()[-1])
    assert last is not None, done.stdout
    assert int(last[1]) > 100
    assert 0 < int(last[2]) < int(last[1])
    assert " 0 of them unknown to the ledger" in done.stdout


@pytest.mark.docker
@pytest.mark.parametrize("server", ["postgres_server", "mariadb_server"])
def test_a_server_of_ones_own_is_enough(request: pytest.FixtureRequest, server: str) -> None:
    admin: URL = request.getfixturevalue(server).admin_url
    without = admin.set(drivername=server.removesuffix("_server"), database=None)
    done = demo(4, DIALER_DATABASE_URL=without.render_as_string(hide_password=False))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip("\n").endswith(" 0 lost")


@pytest.mark.docker
def test_what_went_wrong_is_told_and_not_that_there_is_nothing_to_tidy_up(mariadb_server: MariaDbDatabases) -> None:
    url = make_url(mariadb_server.create())
    with closing(mariadb_server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{url.database}'@'%' IDENTIFIED BY 'hush'")
        cursor.execute(f"GRANT SELECT, DROP ON `dialer\\_demo\\_%`.* TO '{url.database}'@'%'")  # CREATE is missing
    weak = url.set(drivername="mariadb", username=url.database, password="hush", database=None)
    done = demo(4, DIALER_DATABASE_URL=weak.render_as_string(hide_password=False))
    assert done.returncode == 1
    assert "denied" in done.stderr
    assert "Unknown database" not in done.stderr
    assert "hush" not in done.stderr
