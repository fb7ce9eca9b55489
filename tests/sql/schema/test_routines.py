"""What the classes of routines give is what the views and tables hold, of the types that they promise."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, get_type_hints

import pytest
from sqlalchemy import text

from tests.support.caller import Caller
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.routines.attempts import Attempts
from worker.db.routines.cases import Cases
from worker.db.routines.owners import Owners
from worker.db.routines.projects import Projects
from worker.db.routines.servers import Servers
from worker.db.routines.statistics import Statistics
from worker.db.routines.trunks import Trunks
from worker.db.routines.upkeep import Upkeep
from worker.errors import UnknownProject
from worker.figures import HourFigures, LedgerTotals, PacingFigures, ProjectFigures, ProjectNeeds, TrunkNeed


@pytest.fixture
def talked(caller: Caller) -> Caller:
    """A predictive project with an answered call, one that nobody took, and one under way."""
    add_project(caller.db, type="predictive", queue="sales")
    add_trunk(caller.db)
    caller.start()
    cases = [add_case(caller.db) for _ in range(3)]
    caller.call(cases[0], "ANSWERED", dialing=12, answered=9.5, agent=9, agent_name="PJSIP/anna")
    caller.call(cases[1], "NOANSWER", dialing=9, ringing=8)
    caller.dial(cases[2])
    return caller


@pytest.mark.parametrize(
    ("view", "kind"),
    [
        ("dialer_stat_project", ProjectFigures),
        ("dialer_stat_pacing", PacingFigures),
        ("dialer_stat_hour", HourFigures),
    ],
)
def test_no_column_of_a_view_is_kept_from_a_page(talked: Caller, view: str, kind: type[Any]) -> None:
    row = talked.db.query(f"SELECT * FROM {view}")[0]
    assert [one.name for one in fields(kind)] == [name for name in row if name in get_type_hints(kind)]
    assert set(row) - set(get_type_hints(kind)) <= {"project_id"}


def test_figures_are_of_the_types_that_they_promise(talked: Caller) -> None:
    page = Statistics(talked.db).of_project("p")
    assert page.pacing is not None
    for figures in (page.project, page.pacing, *page.outcomes, *page.hours, *page.agents):
        for name, kind in get_type_hints(type(figures)).items():
            assert isinstance(getattr(figures, name), kind), f"{name} of {figures}"
    assert Projects(talked.db).all() == [page.project]


def test_an_unknown_project_is_an_error(db: Database) -> None:
    with pytest.raises(UnknownProject):
        Projects(db).get("nobody")
    with pytest.raises(UnknownProject):
        Statistics(db).of_project("nobody")


def test_the_ledger_is_counted(talked: Caller) -> None:
    assert Statistics(talked.db).totals() == LedgerTotals(dialled=3, answered=1, lost=0, up=1)
    ended = {one.outcome: one for one in Statistics(talked.db).outcomes()}
    assert {name: one.attempts for name, one in ended.items()} == {"ANSWERED": 1, "NOANSWER": 1}
    assert ended["ANSWERED"].talk_seconds == pytest.approx(9)
    assert ended["NOANSWER"].talk_seconds is None
    attempts = Attempts(talked.db)
    assert (attempts.count_open(), attempts.count_ended(), len(attempts.channel_ids())) == (1, 2, 3)


def test_cases_projects_and_trunks_are_inserted_as_a_dba_would(caller: Caller) -> None:
    db = caller.db
    Trunks(db).insert({"trunk": "east", "asterisk": "default", "dial_template": "PJSIP/{number}@east"})
    Projects(db).insert([{"project_id": name, "lines": 3, "trunk": "east", "queue": "q"} for name in ("a", "b")])
    Cases(db).insert([{"project_id": "a", "case_name": "Ann", "phone_number": f"7999{n:07d}"} for n in range(3)])
    assert Cases(db).count() == 3
    assert Cases(db).call_windows() == {"a": 1}
    assert [need.project_id for need in Projects(db).needs()] == ["a", "b"]
    assert Trunks(db).needed()[0] == TrunkNeed("a", "east", "default", "PJSIP/{number}@east", "ok", None)


def test_what_a_project_needs_and_whether_it_is_wanted(caller: Caller) -> None:
    add_project(caller.db, type="autoinforming", queue="q", context="message", exten="s", trunk="nowhere")
    assert Projects(caller.db).needs() == [
        ProjectNeeds("p", "autoinforming", "default", "q", "message", "s", wanted=False)
    ]
    assert Projects(caller.db).wanted() == []
    caller.start()
    assert Projects(caller.db).needs()[0].wanted
    assert Projects(caller.db).wanted() == ["p"]
    (need,) = Trunks(caller.db).needed()
    assert (need.trunk, need.dial_template, need.state) == ("nowhere", None, None)
    assert Upkeep(caller.db).invariants() == []


def test_live_workers_are_those_whose_lease_has_not_run_out(caller: Caller) -> None:
    owners = Owners(caller.db)
    assert owners.live_workers() == ["tester"]
    gone, other = owners.start_worker("gone", 60), owners.start_worker("other", 60)
    assert owners.live_workers() == ["tester", "gone", "other"]
    with caller.db.transaction() as connection:
        past = text("UPDATE dialer_workers SET lease_until = '2026-01-01' WHERE id = :id")
        connection.execute(past, {"id": gone})
    owners.stop_worker(other)
    assert owners.live_workers() == ["tester"]


def test_the_server_tells_its_version_and_zone(caller: Caller) -> None:
    servers = Servers(caller.db)
    assert re.search("PostgreSQL|MariaDB", servers.version())
    assert servers.zone()
    assert servers.names()
