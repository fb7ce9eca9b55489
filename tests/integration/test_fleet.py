"""Several workers and several Asterisks on one database: who owns what, and how it changes hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import make_url

from alembic import command
from simulator import SimulatedAsterisk, call_centre
from tests.faults.proxy import Proxy
from tests.support.containers import free_ports
from tests.support.dba import dba
from tests.support.waiting import wait_for
from worker.clock import SystemClock
from worker.config import Settings, load
from worker.db.migration import config
from worker.owners import fleet
from worker.service import Service

pytestmark = pytest.mark.docker

SCHEMA = "nc"
OWNED = "SELECT 1 FROM dialer_asterisks WHERE lease_until > clock_timestamp()"


class Site:
    """A database, simulated Asterisks and workers, all in this process."""

    def __init__(self, url: str, closing: ExitStack) -> None:
        self._url = url
        self._closing = closing
        command.upgrade(config(self.settings("migration", default=1).database), "head")
        self._dba = dba(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False), SCHEMA)
        closing.callback(self._dba.close)
        self.database_port = make_url(url).port or 0

    def settings(self, name: str, lease_seconds: int = 6, database: int | None = None, **ports: int) -> Settings:
        """A worker's settings; `database`: another port to reach it at; `ports`: AMI port of each Asterisk, by name."""
        url = make_url(self._url)
        environ = {
            "DIALER_DATABASE_URL": url.set(port=database or url.port).render_as_string(hide_password=False),
            "DIALER_DATABASE_SCHEME": SCHEMA,
            "DIALER_WORKER_NAME": name,
            "DIALER_WORKER_LEASE_SECONDS": str(lease_seconds),
        }
        secret = next(user.secret for user in call_centre(agents=1).users if user.name == "dialer")
        for asterisk, port in ports.items():
            section = "DIALER_AMI" if asterisk == "default" else f"DIALER_ASTERISK_{asterisk.upper()}"
            environ |= {
                f"{section}_IP": "127.0.0.1",
                f"{section}_PORT": str(port),
                f"{section}_USERNAME": "dialer",
                f"{section}_PASSWORD": secret,
            }
        return load(None, environ)

    def asterisk(self, seed: int = 1) -> tuple[SimulatedAsterisk, int]:
        """A simulated Asterisk that serves, and its AMI port."""
        simulated = SimulatedAsterisk(call_centre(agents=5), SystemClock(), seed)
        self._closing.callback(simulated.stop)
        return simulated, simulated.serve()

    def worker(self, name: str, **options: int) -> Service:
        """A worker that runs."""
        service = Service(self.settings(name, **options))
        self._closing.callback(service.close)
        service.start()
        return service

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run SQL as a DBA would."""
        return self._dba.sql(statement, *values)

    def owner(self, asterisk: str = "default") -> str | None:
        """The name of the worker that owns an Asterisk."""
        rows = self.sql(
            "SELECT w.name FROM dialer_asterisks a JOIN dialer_workers w ON w.id = a.worker_id WHERE a.asterisk = %s",
            asterisk,
        )
        return rows[0]["name"] if rows else None


@pytest.fixture
def site(empty_database: str) -> Iterator[Site]:
    with ExitStack() as closing:
        yield Site(empty_database, closing)


def ready(service: Service) -> Callable[[], bool]:
    return lambda: any(session.ready for session in service.sessions())


def test_an_owner_that_cannot_reach_its_asterisk_gives_it_to_one_that_can(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "SILENCE_SECONDS", 1.0)
    _, port = site.asterisk()
    cut_off = site.worker("cut off", default=free_ports(1))
    wait_for(lambda: site.owner() == "cut off", 10, "the first worker to own the Asterisk")
    near = site.worker("near", default=port)
    wait_for(ready(near), 10, "the second worker to have taken it")
    assert site.owner() == "near"
    wait_for(lambda: not cut_off.sessions(), 5, "the first worker to have let it go")
    assert site.sql("SELECT state FROM dialer_asterisks")[0]["state"] == "up"


def test_an_owner_without_its_asterisk_keeps_trying_when_it_is_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "SILENCE_SECONDS", 0.2)
    port = free_ports(1)
    alone = site.worker("alone", default=port, lease_seconds=2)
    wait_for(alone.sessions, 10, "the worker to have the Asterisk in hand")
    [session] = alone.sessions()
    wait_for(lambda: session.client.silent_seconds() > 1.5, 10, "its patience to have passed")
    assert alone.sessions() == [session], "there was nobody to give it to"
    assert site.sql("SELECT epoch FROM dialer_asterisks")[0]["epoch"] == 1


def test_what_nobody_reaches_does_not_change_hands_all_the_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(fleet, "SILENCE_MOST_SECONDS", 1000.0)
    nowhere = free_ports(1)
    site.worker("one", default=nowhere, lease_seconds=2)
    site.worker("two", default=nowhere, lease_seconds=2)
    # One patience of 0.5 s each, then one of 1 s each.
    wait_for(lambda: site.sql("SELECT epoch FROM dialer_asterisks")[0]["epoch"] >= 5, 60, "four changes of hands")
    [row] = site.sql("SELECT clock_timestamp() - min(started_at) AS took FROM dialer_workers")
    assert row["took"].total_seconds() > 0.5 + 0.5 + 1 + 1


def test_a_worker_that_leaves_hands_over_at_once(site: Site) -> None:
    _, port = site.asterisk()
    # The second one looks for itself only every 15 s.
    first = site.worker("first", default=port, lease_seconds=60)
    wait_for(ready(first), 10, "the first worker to be ready")
    second = site.worker("second", default=port, lease_seconds=60)
    wait_for(lambda: len(site.sql("SELECT * FROM dialer_workers")) == 2, 10, "the second worker to have registered")
    first.close()
    wait_for(ready(second), 5, "the second worker to have taken over")


def test_after_an_outage_of_the_database_the_owner_before_it_comes_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He alone knows how the calls of that time have ended."""
    monkeypatch.setattr(fleet, "OWNERS_FIRST_SECONDS", 60)
    _, port = site.asterisk()
    with Proxy(site.database_port) as one, Proxy(site.database_port) as two:
        first = site.worker("first", lease_seconds=2, database=one.port, default=port)
        wait_for(ready(first), 10, "the first one to be ready")
        second = site.worker("second", lease_seconds=2, database=two.port, default=port)
        wait_for(lambda: len(site.sql("SELECT 1 FROM dialer_workers")) == 2, 10, "the second one to register")
        for link in (one, two):
            link.stall()
        over = "SELECT 1 FROM dialer_workers HAVING max(lease_until) < clock_timestamp()"
        wait_for(lambda: bool(site.sql(over)), 10, "both leases to be over")
        two.open()
        beaten = "SELECT 1 FROM dialer_workers WHERE name = 'second' AND lease_until > clock_timestamp() + '1.8 s'"
        for _ in range(3):  # in its first turns it would have taken it
            wait_for(lambda: bool(site.sql(beaten)), 20, "the second one to be in touch again")
            wait_for(lambda: not site.sql(beaten), 20, "its next turn")
        assert site.owner() == "first"
        one.open()
        wait_for(lambda: bool(site.sql(OWNED)), 20, "the first one to have it again")
        assert [row["epoch"] for row in site.sql("SELECT epoch FROM dialer_asterisks")] == [1]
        assert not second.sessions()


def test_an_announcement_is_dialled_where_trunks_have_room_and_an_asterisk_that_is_down_left_out(site: Site) -> None:
    here, port = site.asterisk(1)
    there, other_port = site.asterisk(2)
    worker = site.worker("worker", default=port, east=other_port, west=free_ports(1))
    wait_for(lambda: sum(one.ready for one in worker.sessions()) == 2, 10, "two of three Asterisks to be up")
    site.sql("UPDATE dialer_trunks SET max_lines = 5, calls_per_second = 50")
    site.sql(
        "INSERT INTO dialer_params (project_id, type, exten, context)"
        " VALUES ('news', 'autoinforming', 's', 'autoinforming')"
    )
    site.sql(
        "INSERT INTO dialer_clients (case_name, project_id, phone_number)"
        " SELECT 'Case', 'news', (7000000 + n)::varchar FROM generate_series(1, 40) n"
    )
    site.sql("SELECT dialer_project_start('news')")
    wait_for(
        lambda: here.statistics.originated >= 5 and there.statistics.originated >= 5,
        10,
        lambda: f"calls on both: {here.statistics} {there.statistics} {site.sql('SELECT * FROM dialer_stat_project')}",
    )
    places = {row["asterisk"] for row in site.sql("SELECT DISTINCT asterisk FROM dialer_stat_attempt")}
    assert places == {"default", "east"}
    assert site.sql("SELECT * FROM dialer_invariants") == []
