"""A worker and a simulated Asterisk: each number of a case is really originated, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulator import call_centre
from tests.integration.place import Place
from tests.support.containers import Databases
from tests.support.dialects import SERVERS
from tests.support.installation import installed
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]


@pytest.fixture(params=["postgresql", "mariadb"])
def place(
    request: pytest.FixtureRequest, database_server: Callable[[str, str], Databases], tmp_path: Path
) -> Iterator[Place]:
    dialect = SERVERS[request.param]
    server = database_server(dialect.name, dialect.version)
    url = installed(server)
    made = Place(url, tmp_path, call_centre(agents=0, queues=(), answer_rate=0, speed=8))
    yield made
    made.close()
    server.drop(url)


def test_the_further_numbers_are_really_dialled(place: Place) -> None:
    place.rows(
        "INSERT INTO dialer_params (project_id, type, context, dial_time)"
        " VALUES ('p', 'autoinforming', 'autoinforming', 2000)"
    )
    place.rows(
        "INSERT INTO dialer_trunks (trunk, asterisk, dial_template, max_lines, calls_per_second)"
        " VALUES ('default', 'default', 'PJSIP/{number}@carrier', 40, 20)"
    )
    place.rows(place.load("p", 5))
    place.rows(
        "INSERT INTO dialer_case_numbers (case_id, place, phone_number)"
        " SELECT id, n.place, concat(n.place, phone_number)"
        " FROM dialer_clients CROSS JOIN (SELECT 2 AS place UNION SELECT 3) n"
    )
    (asterisk,) = place.asterisks.values()
    with place.worker():
        place.call("dialer_project_start", "p")
        waiting = "SELECT id FROM dialer_clients WHERE NOT used"
        wait_for(lambda: not place.rows(waiting), 90, place.situation)
    numbers = [row["phone_number"] for row in place.rows("SELECT phone_number FROM dialer_clients")]
    assert len(numbers) == 5
    for number in numbers:
        assert [call.number for call in asterisk.calls_log if call.number.endswith(number)] == [
            number,
            f"2{number}",
            f"3{number}",
        ]
    assert place.rows("SELECT * FROM dialer_invariants") == []
