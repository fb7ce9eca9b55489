"""Asterisk goes down in its three ways, under load: its calls are settled, and dialling goes on when it is back."""

from __future__ import annotations

import time

import pytest

from tests.faults.stage import Stage, on_both
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]


@on_both("postgres")
def test_asterisk_killed(stage: Stage) -> None:
    stage.under_load()
    with stage.fault("Asterisk killed and started") as fault:
        stage.asterisk.kill()
        died = time.time()
        stage.asterisk.start_again()
    stage.resumes(fault, within=20)
    stage.judge(fault, died=died)


@on_both()
def test_asterisk_restarted_now(stage: Stage) -> None:
    stage.under_load()
    with stage.fault("Asterisk: core restart now") as fault:
        stage.asterisk.command("core restart now", check=False)
        wait_until_restarted(stage, fault.began)
    stage.resumes(fault, within=20)
    stage.judge(fault)
    outcomes = {row["outcome"] for row in stage.dialer.attempts()}
    assert "LOST" not in outcomes, "Asterisk said that it goes down, so the end of each call is known"


@on_both()
def test_asterisk_restarted_gracefully(stage: Stage) -> None:
    """It takes no new calls, lets those that are up go on, and restarts when the last one is over. It makes no calls
    to agents either, so who waits in a queue then waits until Queue()'s limit."""
    stage.under_load()
    with stage.fault("Asterisk: core restart gracefully") as fault:
        stage.asterisk.command("core restart gracefully", check=False)
        wait_until_restarted(stage, fault.began)
    stage.resumes(fault, within=20)
    stage.judge(fault)
    # Nobody was hung up on: who was talking when it began went on to the end.
    for row in stage.dialer.attempts("answered_at IS NOT NULL"):
        assert row["outcome"] in ("ANSWERED", "EARLY_HANGUP", "ABANDONED"), row


def wait_until_restarted(stage: Stage, since: float) -> None:
    """Return when this Asterisk was started after `since` and is fully booted."""

    def restarted() -> bool:
        said = stage.asterisk.command("core show uptime seconds", check=False)
        if not said.startswith("System uptime:"):
            return False
        return time.time() - int(said.split()[2].rstrip(",")) > since - 0.5

    wait_for(restarted, 90, "Asterisk to restart", every=0.2)
    stage.asterisk.wait_until_ready()
