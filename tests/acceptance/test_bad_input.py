"""Settings and dialplan that do not fit: said where people look, tried again, and never in the way of others."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.containers import AsteriskContainer, PostgresContainer
from tests.support.installation import Installation, migrate
from tests.support.queues import extra_queue
from tests.support.sipp import Agents, Carrier
from tests.support.waiting import wait_for
from tests.support.witness import assert_accounted, numbers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

INFORM = {"type": "autoinforming", "context": "autoinforming", "dial_time": 3000}

REASONS = {
    "no_queue": "Asterisk 'default' has no queue 'late': add it to queues.conf",
    "no_context": "Asterisk 'default' has no extension 's' in context 'missing'",
    "no_exten": "Asterisk 'default' has no extension 'missing' in context 'autoinforming'",
    "no_trunk": "has no row in dialer_trunks for Asterisk",
    "no_endpoint": "look at the carrier behind PJSIP/{number}@missing",
}


def test_a_project_that_cannot_be_dialled_says_why_and_others_go_on(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, agents: Agents
) -> None:
    dialer.trunk(max_lines=30)
    dialer.trunk("endpoint", dial_template="PJSIP/{number}@missing")
    dialer.project("healthy", **INFORM, lines=2)
    dialer.project("no_queue", queue="late", dial_time=3000)
    dialer.project("no_context", **{**INFORM, "context": "missing"})
    dialer.project("no_exten", **{**INFORM, "exten": "missing"})
    dialer.project("no_trunk", **INFORM, trunk="missing")
    dialer.project("no_endpoint", **INFORM, trunk="endpoint")
    dialer.cases("healthy", *numbers(n21=6))
    for digit, project in enumerate(REASONS):
        count = 25 if project == "no_endpoint" else 2  # twenty calls in vain are the proof against an endpoint
        dialer.cases(project, *(f"{number}{digit}" for number in numbers(n22=count)))
    dialer.start("run")
    dialer.wait_until_ready()
    for project in REASONS:
        dialer.start_project(project)
    for project, reason in REASONS.items():
        dialer.wait_for_state(project, "failing", seconds=10)
        status, answer = dialer.get(f"/projects/{project}")
        assert (status, answer["state"]) == (200, "failing")
        assert reason in answer["reason"]
        told = dialer.sql("SELECT DISTINCT reason, detail FROM dialer_why WHERE project_id = %s", project)
        assert ("project_failing", answer["reason"]) in {(row["reason"], row["detail"]) for row in told}, told
    dialer.start_project("healthy")
    dialer.wait_for_state("healthy", "finished", seconds=30)
    assert {row["project_id"] for row in dialer.attempts()} == {"healthy", "no_endpoint"}
    assert {row["outcome"] for row in dialer.attempts("project_id = 'no_endpoint'")} == {"FAILED"}
    assert dialer.value("SELECT count(*) FROM dialer_clients WHERE used AND project_id <> 'healthy'") == 0
    assert {row["project_id"] for row in dialer.sql("SELECT * FROM dialer_project_states WHERE state = 'failing'")} == {
        *REASONS
    }

    # Each is put right in its own way, and each goes on by itself.
    fixes = {
        "no_context": "UPDATE dialer_params SET context = 'autoinforming' WHERE project_id = 'no_context'",
        "no_exten": "UPDATE dialer_params SET exten = NULL WHERE project_id = 'no_exten'",
        "no_trunk": "INSERT INTO dialer_trunks (trunk, dial_template) VALUES ('missing', 'PJSIP/{number}@carrier')",
        "no_endpoint": "UPDATE dialer_trunks SET dial_template = 'PJSIP/{number}@carrier', calls_per_second = 20"
        " WHERE trunk = 'endpoint'",
    }
    for project, fix in fixes.items():
        dialer.sql(fix)
        dialer.wait_for_attempts(1, "project_id = %s AND outcome = 'BUSY'", project, seconds=3)
    assert dialer.value("SELECT state FROM dialer_project_states WHERE project_id = 'no_queue'") == "failing"
    with extra_queue(asterisk, "late", "member => PJSIP/agent10,0,Agent 10,PJSIP/agent10"):
        dialer.wait_for_attempts(1, "project_id = 'no_queue' AND outcome = 'BUSY'", seconds=3)
        for project in REASONS:
            dialer.wait_for_state(project, "finished", seconds=20)
    assert_accounted(dialer, carrier)
    assert dialer.value("SELECT count(*) FROM dialer_clients WHERE NOT used") == 0


def test_a_wrong_password_is_said_once_and_not_hammered(dialer: Installation, asterisk: AsteriskContainer) -> None:
    dialer.project("blind", **INFORM)
    dialer.cases("blind", "220000")
    said_before = asterisk.logs().count("failed to authenticate")
    dialer.start("run", DIALER_AMI_PASSWORD="not-the-secret")
    dialer.wait_for_log("refused the login of user dialer (Authentication failed)")
    sentence = "correct Username and Password in the settings"
    wait_for(lambda: sentence in str(dialer.get("/readyz")), 5, lambda: f"/readyz to say it: {dialer.get('/readyz')}")
    assert dialer.get("/readyz")[0] == 503
    assert dialer.get("/healthz")[0] == 200
    dialer.start_project("blind")
    wait_for(lambda: sentence in dialer.get("/projects/blind")[1]["reason"], 5, dialer.situation)
    assert dialer.get("/projects/blind")[1]["state"] == "failing"
    assert dialer.sql("SELECT reason FROM dialer_why") == [{"reason": "asterisk_down"}]

    with pytest.raises(TimeoutError):
        wait_for(lambda: asterisk.logs().count("failed to authenticate") > said_before + 1, 8, "a second try")
    assert dialer.log().count("No link to Asterisk") == 1
    assert "not-the-secret" not in dialer.log()
    assert dialer.attempts() == []


def test_a_database_that_is_away_is_waited_for(asterisk: AsteriskContainer, carrier: Carrier, tmp_path: Path) -> None:
    with PostgresContainer(durable=True) as server:
        url = server.databases().create()
        migrate(url)
        with Installation(url, asterisk, tmp_path) as dialer:
            dialer.trunk()
            dialer.project("list", **INFORM, lines=8)
            dialer.cases("list", *numbers(n21=24, n22=12))
            server.kill()

            dialer.start("run")
            dialer.wait_for_log("waiting for the database")
            wait_for(dialer.listens, 5, dialer.log)
            status, answer = dialer.get("/readyz")
            assert status == 503
            assert "database" in str(answer).lower()
            assert dialer.get("/projects")[0] == 503
            server.start_again()
            dialer.connect()
            dialer.wait_until_ready()
            assert dialer.log().count("waiting for the database") == 1

            # And gone again in the middle: what the calls told meanwhile is written afterwards.
            dialer.start_project("list")
            dialer.wait_for_attempts(4, "state = 'answered'")
            told = dialer.log().count("action=database_down")
            server.kill()
            wait_for(lambda: dialer.log().count("action=database_down") > told, 10, dialer.log)
            server.start_again()
            dialer.connect()
            dialer.wait_for_state("list", "finished", "idle", seconds=40)
            dialer.wait_until_quiet()
            assert_accounted(dialer, carrier)
            assert {row["outcome"] for row in dialer.attempts()} <= {"ANSWERED", "BUSY", "LOST", "CANCELLED"}
            called = Counter(row["phone_number"] for row in dialer.attempts("outcome <> 'CANCELLED'"))
            assert [number for number, count in called.items() if count > 1] == []


def test_an_asterisk_that_is_away_is_waited_for(migrated_database: str, tmp_path: Path) -> None:
    asterisk = AsteriskContainer()
    with Installation(migrated_database, asterisk, tmp_path) as dialer:
        dialer.trunk()
        dialer.project("list", **INFORM, lines=8)
        dialer.cases("list", *numbers(n21=24, n22=12), call_back=True, call_back_period="600")
        dialer.start("run")
        dialer.wait_for_log("No link to Asterisk: cannot connect to Asterisk")
        dialer.start_project("list")
        wait_for(lambda: "cannot connect" in dialer.get("/projects/list")[1]["reason"], 10, dialer.situation)
        assert dialer.get("/projects/list")[1]["state"] == "failing"
        assert dialer.get("/readyz")[0] == 503
        assert {row["reason"] for row in dialer.sql("SELECT reason FROM dialer_why")} == {"asterisk_down"}

        with asterisk, Carrier(asterisk.carrier_port, tmp_path) as carrier:
            # Nobody asks for anything: the project was started before.
            dialer.wait_for_attempts(4, "state = 'answered'", seconds=20)
            assert dialer.log().count("No link to Asterisk") == 1

            asterisk.kill()
            died = time.time()
            dialer.wait_for_state("list", "failing")
            assert "Asterisk default is down" in dialer.get("/projects/list")[1]["reason"]
            up = dialer.attempts("ended_at IS NULL")
            asterisk.start_again()
            dialer.wait_for_state("list", "running", "idle", "finished")
            dialer.wait_for_state("list", "idle", "finished", seconds=60)
            dialer.wait_until_quiet()
            assert_accounted(dialer, carrier, died=died)
            for row in up:
                after = dialer.attempts("id = %s", row["id"])[0]
                expected = {"ANSWERED"} if row["answered_at"] else {"TECHNICAL", "LOST", "BUSY", "ANSWERED"}
                assert after["outcome"] in expected, after
            answered = Counter(row["case_id"] for row in dialer.attempts("answered_at IS NOT NULL"))
            assert [case for case, count in answered.items() if count > 1] == []
