"""Many subscribers opt out while the link to a simulated Asterisk breaks again and again: not one is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from simulator import call_centre
from tests.integration.place import Place
from tests.support.containers import Databases
from tests.support.dialects import SERVERS
from tests.support.installation import installed
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

CASES = 150


@pytest.fixture(params=["postgresql", "mariadb"])
def place(
    request: pytest.FixtureRequest, database_server: Callable[[str, str], Databases], tmp_path: Path
) -> Iterator[Place]:
    dialect = SERVERS[request.param]
    server = database_server(dialect.name, dialect.version)
    url = installed(server)
    people = call_centre(agents=0, queues=(), answer_rate=0.8, speed=8)
    people = replace(people, subscribers=replace(people.subscribers, opts_out=0.5))
    made = Place(url, tmp_path, people)
    yield made
    made.close()
    server.drop(url)


def test_no_opt_out_is_forgotten_however_often_the_link_breaks(place: Place) -> None:
    (asterisk,) = place.asterisks.values()
    place.rows(
        "INSERT INTO dialer_params (project_id, type, context, dial_time, key_opt_out)"
        " VALUES ('p', 'autoinforming', 'autoinforming', 5000, '9')"
    )
    place.rows(
        "INSERT INTO dialer_trunks (trunk, asterisk, dial_template, max_lines, calls_per_second)"
        " VALUES ('default', 'default', 'PJSIP/{number}@carrier', 40, 10)"
    )
    place.rows(place.load("p", CASES))

    def heard(goal: int) -> bool:
        """Have so many opted out, or is there nobody left to call?"""
        return asterisk.statistics.opted_out >= goal or place.attempts("p") == CASES

    with place.worker():
        place.call("dialer_project_start", "p")
        place.wait_for_more("p")
        breaks = 0
        while place.attempts("p") < CASES:
            asterisk.drop_links()
            breaks += 1
            goal = asterisk.statistics.opted_out + 2
            wait_for(partial(heard, goal), 30, place.situation)
        asterisk.drop_links()
        open_calls = "SELECT attempt_id FROM dialer_stat_attempt WHERE ended_at IS NULL"
        wait_for(lambda: not place.rows(open_calls), 60, place.situation)
        wait_for(lambda: not asterisk.switch.astdb, 10, lambda: f"{asterisk.switch.astdb}")
    assert breaks >= 5
    opted_out = {call.number for call in asterisk.calls_log if "9" in call.keys}
    assert len(opted_out) > CASES / 5
    rows = place.rows("SELECT number FROM dialer_dnc")
    assert sorted(row["number"] for row in rows) == sorted(opted_out)
    assert place.rows("SELECT * FROM dialer_invariants") == []
