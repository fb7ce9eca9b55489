"""Workers that die, freeze or lose their links; a second one takes over, and nobody is rung twice."""

from __future__ import annotations

import signal

import pytest

from tests.faults.proxy import Proxy
from tests.faults.stage import Server, Stage, on_both, on_one
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

TAKEOVER_SECONDS = 10.0
"""The promise, from the death of a worker to its successor's first new calls."""
STEPS: dict[str, str] = {
    "claimed": "SELECT case_id FROM dialer_claims WHERE attempt_id IS NULL",
    "ringing": "SELECT id FROM dialer_calls WHERE state = 'ringing'",
    "waiting for an agent": "SELECT id FROM dialer_calls WHERE state = 'waiting'",
    "connected": "SELECT id FROM dialer_calls WHERE state = 'connected'",
}


@pytest.mark.parametrize(
    "step",
    [pytest.param(step, marks=() if step == "connected" else pytest.mark.full) for step in STEPS],
)
@on_both("postgres")
def test_a_worker_killed_while_a_call_is(stage: Stage, step: str) -> None:
    # Few calls a second: then cases are in hand that wait for their turn.
    stage.set_up(**({"calls_per_second": 10} if step == "claimed" else {}))
    stage.start("a", "b")
    stage.dial()
    wait_for(lambda: stage.dialer.sql(STEPS[step]), 20, f"a call that is {step}", every=0.005)
    with stage.fault(f"worker killed, a call {step}") as fault:
        kill(stage, "a")
        stage.taken_over(fault)
    stage.resumes(fault, within=TAKEOVER_SECONDS)
    assert stage.owner() == "b"
    stage.judge(fault)


@on_both()
def test_a_worker_killed_between_the_permission_and_the_call(stage: Stage, database_server: Server) -> None:
    """The attempt is committed, its worker never hears of it: it was not sent, and its case is not lost."""
    with Proxy(database_server.port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", database=proxy)
        stage.dialer.wait_until_ready(40)
        stage.start_worker("b")
        stage.dial()
        with proxy.trapping("dialer_attempt_begin", commit=True) as sprung:
            wait_for(sprung.is_set, 20, "a permission to dial")
            lonely = wait_for(
                lambda: stage.dialer.attempts("state = 'begun' AND ended_at IS NULL"), 5, "an attempt that was begun"
            )
            with stage.fault("worker killed, a call begun and not sent") as fault:
                kill(stage, "a")
                stage.taken_over(fault)
    stage.resumes(fault, within=TAKEOVER_SECONDS)
    stage.judge(fault)
    rung = {call.number for call in stage.carrier.calls() if call.at < fault.began}
    unsent = [row for row in lonely if row["phone_number"] not in rung]
    assert unsent, "all of them had been sent"
    for row in unsent:
        ended = stage.dialer.attempts("id = %s", row["id"])[0]
        assert ended["outcome"] == "LOST", "whether it was sent nobody can know who has not been there"


@on_both()
def test_a_frozen_worker_is_replaced_and_harms_nobody_when_it_wakes(stage: Stage) -> None:
    stage.under_load("a", "b")
    with stage.fault("worker frozen beyond its lease") as fault:
        stage.dialer.signal("a", signal.SIGSTOP)
        stage.taken_over(fault)
    stage.resumes(fault, within=TAKEOVER_SECONDS)
    stage.wait_for_owner("b", 1)
    stage.dialer.signal("a", signal.SIGCONT)
    # It finds itself declared dead, and registers as somebody who owns nothing.
    stage.dialer.wait_for_log("no longer owner of Asterisk")
    # What it believed to be in its hands when it froze has had time to be done twice.
    count = len(stage.dialer.attempts())
    stage.dialer.wait_for_attempts(count + 10)
    assert stage.owner() == "b"
    stage.judge(fault)


@on_both("postgres")
def test_a_worker_frozen_in_the_middle_of_a_transaction(stage: Stage, database_server: Server) -> None:
    """It holds locks on its lease, its project and its trunk, and its sessions are alive: the server ends them."""
    with Proxy(database_server.port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", database=proxy)
        stage.dialer.wait_until_ready(40)
        stage.start_worker("b")
        stage.dial()
        with proxy.trapping("dialer_attempt_begin", commit=False) as sprung:
            wait_for(sprung.is_set, 20, "a transaction")
            with stage.fault("worker frozen in a transaction") as fault:
                stage.dialer.signal("a", signal.SIGSTOP)
                stage.taken_over(fault)
        stage.resumes(fault, within=TAKEOVER_SECONDS)
        stage.wait_for_owner("b", 1)
        stage.dialer.signal("a", signal.SIGCONT)
        stage.dialer.wait_for_log("no longer owner of Asterisk", seconds=60)
        stage.judge(fault)


@on_one("mariadb")
def test_workers_die_one_after_the_other_and_come_back(stage: Stage) -> None:
    """The only one left takes over each time, also from itself."""
    stage.under_load("a", "b")
    with stage.fault("first worker killed") as first:
        kill(stage, "a")
        stage.taken_over(first)
    stage.resumes(first, within=TAKEOVER_SECONDS)
    stage.start_worker("c")
    with stage.fault("second worker killed") as second:
        kill(stage, "b")
        stage.taken_over(second)
    stage.resumes(second, within=TAKEOVER_SECONDS)
    assert stage.owner() == "c"
    stage.judge(second)
    first.verdict = second.verdict


# --- the link to Asterisk --------------------------------------------------------------------------------


@on_both("mariadb")
def test_a_cut_ami_link_is_made_again(stage: Stage) -> None:
    with Proxy(stage.asterisk.ami_port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", ami=proxy)
        stage.dialer.wait_until_ready(40)
        stage.dial()
        with stage.fault("AMI socket cut") as fault:
            proxy.cut()
        stage.resumes(fault, within=5)
        stage.judge(fault)


@on_both()
def test_a_black_hole_between_worker_and_asterisk(stage: Stage) -> None:
    """No FIN, no RST: the worker finds out by itself, and what it had sent arrives late."""
    with Proxy(stage.asterisk.ami_port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", ami=proxy)
        stage.dialer.wait_until_ready(40)
        stage.dial()
        with stage.fault("AMI black-holed for 30 s") as fault, proxy.stalled():
            stage.dialer.wait_for_log("Asterisk is down", seconds=25)
            stage.lasts(fault, 30)
        stage.resumes(fault, within=20)
        stage.judge(fault)


@on_both()
def test_a_worker_without_ami_gives_its_asterisk_to_another(stage: Stage) -> None:
    with Proxy(stage.asterisk.ami_port) as proxy:
        stage.set_up()
        stage.dialer.start("api")
        stage.start_worker("a", ami=proxy)
        stage.dialer.wait_until_ready(40)
        stage.start_worker("b")
        stage.dial()
        with stage.fault("AMI of one of two workers black-holed") as fault:
            proxy.stall()
            stage.taken_over(fault)
        # 10 s without AMI, and 10 s to take over.
        stage.resumes(fault, within=20)
        assert stage.owner() == "b"
        proxy.open()
        stage.judge(fault)


# --- help ------------------------------------------------------------------------------------------------


def kill(stage: Stage, worker: str) -> None:
    """SIGKILL the worker that owns the Asterisk."""
    assert stage.owner() == worker
    stage.dialer.signal(worker, signal.SIGKILL)
    assert stage.dialer.wait_for_exit(worker) == -signal.SIGKILL
