"""A subscriber presses the key for "never call me again": the row is there, whatever dies meanwhile."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.proxy import Proxy
from tests.support.containers import AsteriskContainer
from tests.support.dba import dba
from tests.support.installation import SCHEMA, Installation
from tests.support.sipp import Carrier
from tests.support.sipp_scenarios import PRESSERS, SUBSCRIBERS
from tests.support.waiting import wait_for
from tests.support.witness import assert_accounted

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

PRESSES_9, PRESSES_1, PRESSES_9_LATER, LISTENS = "600001", "610001", "640001", "300001"


class BehindAProxy:
    """An Asterisk whose AMI is reached through a proxy."""

    def __init__(self, asterisk: AsteriskContainer, port: int) -> None:
        self.host, self.ami_port = "127.0.0.1", port
        self.username, self.secret = asterisk.username, asterisk.secret


@contextmanager
def carrier_of(asterisk: AsteriskContainer, directory: Path) -> Iterator[Carrier]:
    with Carrier(asterisk.carrier_port, directory, {**SUBSCRIBERS, **PRESSERS}) as carrier:
        yield carrier
        asterisk.hang_up_all()


def campaign(dialer: Installation, *numbers: str, **params: Any) -> None:
    """A started worker and project whose messages offer keys."""
    dialer.trunk()
    offered = {"key_repeat": "1", "key_opt_out": "9", **params}
    dialer.project("inform", type="autoinforming", context="autoinforming", dial_time=5000, **offered)
    dialer.cases("inform", *numbers, call_back=True, call_back_period="600")
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("inform")


def blocked(dialer: Installation) -> list[dict[str, Any]]:
    return dialer.sql("SELECT number, project_id, reason, attempt_id FROM dialer_dnc ORDER BY id")


def kept(asterisk: AsteriskContainer) -> bool:
    """Does Asterisk's own database hold an opt-out?"""
    return "/dialer-optout/" in asterisk.command("database show dialer-optout")


def assert_opted_out(dialer: Installation, asterisk: AsteriskContainer, number: str) -> None:
    """The one row is there, the call has ended well, and Asterisk need not remember it."""
    wait_for(lambda: blocked(dialer), 60, dialer.situation)
    dialer.wait_for_attempts(1, "ended_at IS NOT NULL", seconds=30)
    (attempt,) = dialer.attempts()
    (row,) = blocked(dialer)
    assert (row["number"], row["project_id"], row["attempt_id"]) == (number, None, attempt["attempt_id"])
    assert row["reason"] == "the subscriber pressed 9 in a call of project inform"
    assert (attempt["outcome"], attempt["keys_pressed"]) == ("ANSWERED", "9")
    assert dialer.value("SELECT used FROM dialer_clients")
    wait_for(lambda: not kept(asterisk), 10, "Asterisk to forget the opt-out")


@pytest.mark.parametrize("migrated_database", ["postgresql", "mariadb"], indirect=True)
def test_keys_and_opt_outs_of_a_campaign(dialer: Installation, asterisk: AsteriskContainer, tmp_path: Path) -> None:
    with carrier_of(asterisk, tmp_path) as carrier:
        campaign(dialer, PRESSES_9, PRESSES_1, LISTENS)
        assert "project inform: the key 9 opts out of further calls" in dialer.command("check", check=False).stdout
        dialer.wait_for_attempts(3, "ended_at IS NOT NULL", seconds=40)
        assert_accounted(dialer, carrier)
        attempts = {row["phone_number"]: row for row in dialer.attempts()}
        told = {number: (row["outcome"], row["keys_pressed"]) for number, row in attempts.items()}
        assert told == {
            PRESSES_9: ("ANSWERED", "9"), PRESSES_1: ("ANSWERED", "1"), LISTENS: ("ANSWERED", None),
        }  # fmt: skip
        assert [attempts[number]["played_at"] is not None for number in told] == [
            number != PRESSES_9 for number in told
        ]
        (row,) = blocked(dialer)
        assert (row["number"], row["attempt_id"]) == (PRESSES_9, attempts[PRESSES_9]["attempt_id"])
        counted = dialer.sql("SELECT digit, calls, times, opt_outs FROM dialer_stat_key ORDER BY digit")
        assert [tuple(one.values()) for one in counted] == [("1", 1, 1, 0), ("9", 1, 1, 1)]
        wait_for(lambda: not kept(asterisk), 10, "Asterisk to forget the opt-out")


@pytest.mark.parametrize("migrated_database", ["postgresql", "mariadb"], indirect=True)
def test_from_the_key_on_no_project_rings_the_number(
    dialer: Installation, asterisk: AsteriskContainer, tmp_path: Path
) -> None:
    """Two projects have the telephone, and both go on with others."""
    others = [f"30000{place}" for place in range(2, 4)]
    with carrier_of(asterisk, tmp_path) as carrier:
        dialer.project(
            "remind",
            type="autoinforming",
            context="autoinforming",
            dial_time=5000,
            sort="1:2",
            lines=1,
            key_opt_out="9",
        )
        campaign(dialer, PRESSES_9_LATER, LISTENS, sort="1:2", lines=1)
        dialer.wait_for_attempts(1, "answered_at IS NOT NULL")
        dialer.cases("remind", PRESSES_9_LATER, priority=1)
        dialer.cases("remind", *others, priority=2)
        dialer.start_project("remind")
        wait_for(lambda: blocked(dialer), 30, dialer.situation)
        (pressed,) = dialer.sql("SELECT number, added_at FROM dialer_dnc")
        assert pressed["number"] == PRESSES_9_LATER
        dialer.wait_for_attempts(2 + len(others), "ended_at IS NOT NULL", seconds=60)
        attempts = dialer.attempts()
        assert [row["phone_number"] for row in attempts].count(PRESSES_9_LATER) == 1
        assert {row["project_id"] for row in attempts if row["begun_at"] > pressed["added_at"]} == {"inform", "remind"}
        (waiting,) = dialer.sql(
            "SELECT own_reason, next_at FROM dialer_why WHERE project_id = 'remind' AND phone_number = %s",
            PRESSES_9_LATER,
        )
        assert (waiting["own_reason"], waiting["next_at"]) == ("do_not_call", None)
        assert dialer.value("SELECT used FROM dialer_clients WHERE project_id = 'inform' ORDER BY id LIMIT 1")
        assert_accounted(dialer, carrier)
        assert dialer.sql("SELECT kind FROM dialer_invariants") == []


def test_with_the_link_cut_it_is_found_when_the_link_is_back(
    migrated_database: str, asterisk: AsteriskContainer, tmp_path: Path
) -> None:
    through = Proxy(asterisk.ami_port)
    behind = BehindAProxy(asterisk, through.port)
    with carrier_of(asterisk, tmp_path) as carrier, Installation(migrated_database, behind, tmp_path) as dialer:
        campaign(dialer, PRESSES_9_LATER)
        dialer.wait_for_attempts(1, "answered_at IS NOT NULL")
        through.stop()
        carrier.wait_until_over()
        assert kept(asterisk)
        assert blocked(dialer) == []
        with Proxy(asterisk.ami_port, behind.ami_port):
            assert_opted_out(dialer, asterisk, PRESSES_9_LATER)


def test_it_survives_a_restart_of_asterisk_while_the_link_is_cut(migrated_database: str, tmp_path: Path) -> None:
    with AsteriskContainer() as asterisk:
        through = Proxy(asterisk.ami_port)
        behind = BehindAProxy(asterisk, through.port)
        with carrier_of(asterisk, tmp_path) as carrier, Installation(migrated_database, behind, tmp_path) as dialer:
            campaign(dialer, PRESSES_9_LATER)
            dialer.wait_for_attempts(1, "answered_at IS NOT NULL")
            through.stop()
            carrier.wait_until_over()
            booted = asterisk.command("core show uptime seconds")
            asterisk.command("core restart now", check=False)
            wait_for(
                lambda: (
                    "fully booted" in asterisk.command("core waitfullybooted", check=False)
                    and asterisk.command("core show uptime seconds", check=False) < booted
                ),
                30,
                "Asterisk to be back",
            )
            with Proxy(asterisk.ami_port, behind.ami_port):
                assert_opted_out(dialer, asterisk, PRESSES_9_LATER)


def test_with_the_worker_killed_its_successor_finds_it(
    dialer: Installation, asterisk: AsteriskContainer, tmp_path: Path
) -> None:
    with carrier_of(asterisk, tmp_path) as carrier:
        campaign(dialer, PRESSES_9_LATER)
        dialer.wait_for_attempts(1, "answered_at IS NOT NULL")
        dialer.signal("run", signal.SIGKILL)
        assert dialer.wait_for_exit("run") == -signal.SIGKILL
        carrier.wait_until_over()
        assert kept(asterisk)
        assert blocked(dialer) == []
        dialer.start("run")
        assert_opted_out(dialer, asterisk, PRESSES_9_LATER)


def test_a_table_that_is_locked_delays_an_opt_out_and_the_end_of_its_call(
    migrated_database: str, dialer: Installation, asterisk: AsteriskContainer, tmp_path: Path
) -> None:
    """The number stays in a call meanwhile, so nobody can dial it."""
    with carrier_of(asterisk, tmp_path) as carrier, closing(dba(migrated_database, SCHEMA)) as somebody:
        campaign(dialer, PRESSES_9_LATER)
        dialer.wait_for_attempts(1, "answered_at IS NOT NULL")
        somebody.sql("BEGIN")
        somebody.sql("LOCK TABLE dialer_dnc IN EXCLUSIVE MODE")
        carrier.wait_until_over()
        wait_for(
            lambda: [row for row in dialer.sql("SELECT detail FROM dialer_warnings") if "dialer_dnc" in row["detail"]],
            20,
            dialer.situation,
        )
        assert [row["number"] for row in dialer.sql("SELECT number FROM dialer_live")] == [PRESSES_9_LATER]
        assert kept(asterisk)
        somebody.sql("ROLLBACK")
        assert_opted_out(dialer, asterisk, PRESSES_9_LATER)


def test_each_case_hears_its_own_recording(dialer: Installation, asterisk: AsteriskContainer, tmp_path: Path) -> None:
    with carrier_of(asterisk, tmp_path):
        dialer.cases("inform", LISTENS, fields=json.dumps({"clip": "demo-congrats"}))
        dialer.cases("inform", "300002", fields=json.dumps({"clip": "../no/file"}))
        campaign(dialer, "300003", message="demo-instruct", message_field="clip")

        def played() -> set[str]:
            lines = asterisk.command("core show channels concise").splitlines()
            return {line.split("!")[6] for line in lines if "BackGround" in line}

        wait_for(lambda: played() >= {"demo-congrats", "demo-instruct"}, 20, dialer.situation)
        asterisk.hang_up_all()
        dialer.wait_until_quiet()
