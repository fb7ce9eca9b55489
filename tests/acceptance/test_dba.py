"""A DBA who writes at the wrong moment: before, during and after a real call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.sipp import Agents, Carrier
from tests.support.sipp_scenarios import Answer
from tests.support.witness import assert_accounted

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

WRITES: dict[str, list[str]] = {
    "nothing": [],
    "withdrawn": ["UPDATE dialer_clients SET used = true WHERE id = %s"],
    "fresh": [
        "UPDATE dialer_clients SET used = true WHERE id = %s",
        "UPDATE dialer_clients SET used = false WHERE id = %s",
    ],
    "promised": ["UPDATE dialer_clients SET deferred_time = '2037-01-01 09:00+00' WHERE id = %s"],
    "deleted": ["DELETE FROM dialer_clients WHERE id = %s"],
}
"""What the DBA writes, by the case that it is written to."""


def write_each(dialer: Installation, ids: dict[str, int]) -> None:
    """All the writes, each to its case."""
    for name, statements in WRITES.items():
        for statement in statements:
            dialer.sql(statement, ids[name])


def cases(dialer: Installation, prefix: str) -> dict[str, int]:
    """A case for each kind of write, with one redial in ten hours; their ids."""
    names = {name: f"{prefix}000{index}" for index, name in enumerate(WRITES)}
    dialer.cases("dba", *names.values(), call_back=True, call_back_period="600")
    ids = {row["phone_number"]: row["id"] for row in dialer.sql("SELECT id, phone_number FROM dialer_clients")}
    return {name: ids[number] for name, number in names.items()}


def row(dialer: Installation, case: int) -> dict[str, Any]:
    found = dialer.sql("SELECT * FROM dialer_clients WHERE id = %s", case)
    return found[0] if found else {}


def outcomes(dialer: Installation, case: int) -> list[str]:
    return [attempt["outcome"] for attempt in dialer.attempts("case_id = %s", case)]


def start(dialer: Installation) -> None:
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("dba")


def assert_promised(dialer: Installation, case: int) -> None:
    promised = row(dialer, case)
    assert (promised["used"], promised["deferred_kind"], promised["deferred_done"]) == (False, "scheduled", False)
    assert promised["deferred_time"].astimezone(UTC).isoformat() == "2037-01-01T09:00:00+00:00"
    assert dialer.value("SELECT reason FROM dialer_why WHERE case_id = %s", case) == "scheduled"


def assert_redial(dialer: Installation, case: int) -> None:
    """It waits for the first redial of its list."""
    waiting = row(dialer, case)
    assert (waiting["used"], waiting["deferred_kind"], waiting["redials_done"]) == (False, "redial", 1)
    last = dialer.attempts("case_id = %s", case)[-1]
    assert waiting["deferred_time"] == last["ended_at"] + timedelta(minutes=600)


def assert_withdrawn(dialer: Installation, case: int) -> None:
    withdrawn = row(dialer, case)
    assert (withdrawn["used"], withdrawn["deferred_time"], withdrawn["deferred_kind"]) == (True, None, None)


@pytest.fixture
def project(dialer: Installation, agents: Agents) -> Installation:
    """A project with an agent for each of its cases."""
    dialer.trunk()
    dialer.project("dba", queue="sales", dial_time=4000, sort="2:2")
    return dialer


def test_before_the_call(project: Installation, carrier: Carrier) -> None:
    ids = cases(project, "20")
    write_each(project, ids)
    start(project)
    project.wait_for_state("dba", "idle")  # the promised one is left

    assert_accounted(project, carrier)
    assert {name: outcomes(project, case) for name, case in ids.items()} == {
        "nothing": ["ANSWERED"],
        "withdrawn": [],
        "fresh": ["ANSWERED"],
        "promised": [],
        "deleted": [],
    }
    assert_withdrawn(project, ids["withdrawn"])
    assert_promised(project, ids["promised"])


@pytest.fixture
def slow_agents(asterisk: AsteriskContainer, tmp_path: Path) -> Iterator[None]:
    """Agents who talk long enough to write into their calls."""
    with Agents(asterisk.agents_port, tmp_path, otherwise=Answer(ring_ms=(200,), hang_up_after_ms=4000)):
        yield


@pytest.mark.usefixtures("slow_agents")
@pytest.mark.parametrize(
    ("prefix", "state", "outcome"), [("23", "ringing", "NOANSWER"), ("20", "connected", "ANSWERED")]
)
def test_during_the_call(dialer: Installation, carrier: Carrier, prefix: str, state: str, outcome: str) -> None:
    dialer.trunk()
    dialer.project("dba", queue="sales", dial_time=4000, sort="2:2")
    ids = cases(dialer, prefix)
    start(dialer)
    dialer.wait_for_attempts(len(WRITES), "state = %s", state)
    write_each(dialer, ids)
    assert len(dialer.attempts("state = %s", state)) == len(WRITES), "the writes came too late to tell anything"
    dialer.wait_for_attempts(2, "case_id = %s", ids["fresh"])
    dialer.wait_for_state("dba", "idle")
    dialer.wait_until_quiet()

    assert_accounted(dialer, carrier)
    assert {name: outcomes(dialer, case) for name, case in ids.items()} == {
        "nothing": [outcome],
        "withdrawn": [outcome],
        "fresh": [outcome, outcome],  # as if it had never been called, once the call was over
        "promised": [outcome],
        "deleted": [outcome],
    }
    assert_withdrawn(dialer, ids["withdrawn"])
    assert_promised(dialer, ids["promised"])
    assert row(dialer, ids["deleted"]) == {}
    assert dialer.value("SELECT state FROM dialer_stat WHERE id = %s", ids["deleted"]) == outcome
    first, second = dialer.attempts("case_id = %s", ids["fresh"])
    assert second["begun_at"] >= first["ended_at"]
    for name in ("nothing", "fresh"):
        if outcome == "ANSWERED":
            assert row(dialer, ids[name])["used"]
        else:
            assert_redial(dialer, ids[name])


def test_after_the_call(project: Installation, carrier: Carrier) -> None:
    ids = cases(project, "22")
    start(project)
    project.wait_for_attempts(len(WRITES), "outcome = 'BUSY'")
    project.wait_for_state("dba", "idle")
    for case in ids.values():
        assert_redial(project, case)
    write_each(project, ids)

    project.wait_for_attempts(2, "case_id = %s", ids["fresh"])
    project.wait_for_state("dba", "idle")
    project.wait_until_quiet()
    assert_accounted(project, carrier)
    assert {name: len(outcomes(project, case)) for name, case in ids.items()} == {
        "nothing": 1,
        "withdrawn": 1,
        "fresh": 2,
        "promised": 1,
        "deleted": 1,
    }
    assert_withdrawn(project, ids["withdrawn"])
    assert_promised(project, ids["promised"])
    for name in ("nothing", "fresh"):
        assert_redial(project, ids[name])
