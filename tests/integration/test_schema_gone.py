"""A schema that goes while a worker is at work on it: not by accident, and told in words an operator can act on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator import SimulatedAsterisk, call_centre
from tests.support.containers import Databases
from tests.support.dialects import SERVERS
from tests.support.installation import Installation, installed
from tests.support.waiting import wait_for
from worker.clock import SystemClock
from worker.db.migration import head

pytestmark = pytest.mark.docker


@dataclass
class Simulated:
    """A simulated Asterisk in this process, as an Installation asks for one."""

    ami_port: int
    secret: str = "secret"
    host: str = "127.0.0.1"
    username: str = "dialer"


@pytest.fixture
def asterisk() -> Iterator[Simulated]:
    simulated = SimulatedAsterisk(call_centre(agents=3, secret=Simulated.secret), SystemClock(), seed=1)
    yield Simulated(simulated.serve())
    simulated.stop()


@pytest.fixture(params=["postgresql", "mariadb"])
def dialer(
    request: pytest.FixtureRequest,
    database_server: Callable[[str, str], Databases],
    asterisk: Simulated,
    tmp_path: Path,
) -> Iterator[Installation]:
    server = database_server(request.param, SERVERS[request.param].version)
    url = installed(server)
    with Installation(url, asterisk, tmp_path) as installation:
        installation.environ["DIALER_LOGLEVEL"] = "2"
        yield installation
    server.drop(url)


def test_going_down_minds_who_is_at_work_and_what_would_be_lost(dialer: Installation) -> None:
    dialer.start("run", name="east")
    dialer.wait_until_ready()
    refused = dialer.command("migrate", "--down", "base", check=False)
    assert refused.returncode == 1
    assert "is in use by 'east'. Stop every worker first." in refused.stderr
    assert dialer.value("SELECT count(*) FROM dialer_workers") == 1

    dialer.signal("east", signal.SIGTERM)
    assert dialer.wait_for_exit("east") == 0
    dialer.cases("p", "79990000001", "79990000002")
    refused = dialer.command("migrate", "--down", "base", check=False)
    assert refused.returncode == 1
    assert "holds 2 cases, which would be deleted." in refused.stderr
    assert "--delete-everything" in refused.stderr
    assert dialer.value("SELECT count(*) FROM dialer_clients") == 2

    assert "to base" in dialer.command("migrate", "--down", "base", "--delete-everything").stdout
    assert f"to {head()}" in dialer.command("migrate").stdout
    assert "to base" in dialer.command("migrate", "--down", "base").stdout, "an empty one goes without a word"


def test_a_worker_whose_schema_went_ends_in_order(dialer: Installation) -> None:
    dialer.start("run", name="east")
    dialer.wait_until_ready()
    dialer.command("migrate", "--down", "base", "--delete-everything")
    wait_for(lambda: dialer.get("/readyz")[0] == 503, 10, "the API to notice")
    status, answer = dialer.get("/readyz")
    assert status == 503
    assert "no dialer schema" in answer["reasons"][0]
    assert dialer.get("/projects")[0] == 503
    dialer.signal("east", signal.SIGTERM)
    assert dialer.wait_for_exit("east") in (0, 1)
    assert "Traceback" not in dialer.log()
    assert "mistake in the program" not in dialer.log()
