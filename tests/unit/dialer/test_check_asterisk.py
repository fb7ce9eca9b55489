"""`dialer check` before a simulated Asterisk: each fault is named with its remedy, and nothing is dialled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dialer import check_asterisk
from dialer.check_asterisk import check
from dialer.finding import Finding, Verdict, clock
from simulator import SimulatedAsterisk, User, lab
from simulator.switch.actions import _HANDLERS, _KEY_STEPS, Action, Actions, error
from worker.clock import SystemClock
from worker.config import AsteriskSettings, Secret
from worker.figures import ProjectNeeds

SALES = ProjectNeeds("sales", "progressive", "default", "sales", "progressive", "s", wanted=True)


@pytest.fixture
def asterisk(request: pytest.FixtureRequest) -> Iterator[SimulatedAsterisk]:
    user = getattr(request, "param", User())
    simulated = SimulatedAsterisk(replace(lab(), users=(user,)), SystemClock(), seed=1)
    yield simulated
    assert simulated.calls_log == []
    simulated.stop()


def settings_for(port: int, password: str = "x", timeout_seconds: float = 2.0) -> AsteriskSettings:
    return AsteriskSettings(
        name="default",
        host="127.0.0.1",
        port=port,
        timeout_seconds=timeout_seconds,
        username="dialer",
        password=Secret(password),
    )


def checked(asterisk: SimulatedAsterisk, *projects: ProjectNeeds, password: str = "dialersecret") -> list[Finding]:
    return list(check(settings_for(asterisk.serve(), password), projects))


def told(findings: list[Finding], verdict: Verdict) -> str:
    found = [finding for finding in findings if finding.verdict is verdict]
    assert all(bool(finding.remedy) == (verdict is not Verdict.OK) for finding in found)
    return "\n".join(f"{finding.subject}: {finding.text}" for finding in found)


def test_all_is_well(asterisk: SimulatedAsterisk) -> None:
    findings = checked(asterisk, SALES)
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    good = told(findings, Verdict.OK)
    assert all(f"right '{right}'" in good for right in ("reporting", "call", "originate"))
    assert "queue 'sales' has 5 members" in good
    assert "answered calls go to s@progressive" in good
    assert "clock" in good


def test_missing_queue_context_and_extension_are_faults_of_a_project_that_should_run(
    asterisk: SimulatedAsterisk,
) -> None:
    bad = replace(SALES, project_id="bad", queue="nowhere", context="nowhere")
    worse = replace(SALES, project_id="worse", exten="unheard-of")
    idle = replace(bad, project_id="idle", wanted=False)
    findings = checked(asterisk, bad, worse, idle)
    faults = told(findings, Verdict.FAULT)
    assert "project bad: Asterisk default has no queue 'nowhere'" in faults
    assert "project bad: Asterisk default has no context for s@nowhere" in faults
    assert "project worse: Asterisk default has no extension unheard-of@progressive" in faults
    assert "idle" not in faults
    assert "project idle: Asterisk default has no queue 'nowhere'" in told(findings, Verdict.LOOK)


def test_a_queue_that_is_listed_only_by_name_is_found(
    asterisk: SimulatedAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A realtime queue that nobody has used since Asterisk started."""
    listed = check_asterisk._queues
    monkeypatch.setattr(check_asterisk, "_queues", lambda client, named=None: listed(client, named) if named else {})
    assert "queue 'sales' has 5 members" in told(checked(asterisk, SALES), Verdict.OK)


def test_an_empty_queue_is_worth_a_look_and_a_message_needs_none(asterisk: SimulatedAsterisk) -> None:
    empty = replace(SALES, queue="empty")
    message = ProjectNeeds("info", "autoinforming", "default", "nowhere", "autoinforming", "s", wanted=True)
    findings = checked(asterisk, empty, message)
    assert "queue 'empty' has no member" in told(findings, Verdict.LOOK)
    assert told(findings, Verdict.FAULT) == ""


MESSAGE = ProjectNeeds(
    "info", "autoinforming", "default", "sales", "autoinforming", "s", wanted=True, key_repeat="1", key_opt_out="9"
)


def test_keys_of_the_shipped_dialplan_do_what_they_are_for(asterisk: SimulatedAsterisk) -> None:
    predictive = replace(MESSAGE, project_id="calls", type="predictive", context="predictive")
    findings = checked(asterisk, MESSAGE, predictive)
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    for project in ("info", "calls"):
        assert f"project {project}: the key 9 opts out of further calls" in told(findings, Verdict.OK)


def test_keys_that_a_context_does_nothing_with_are_named(asterisk: SimulatedAsterisk) -> None:
    deaf = replace(MESSAGE, context="progressive", key_agent="2")
    findings = checked(asterisk, deaf, replace(deaf, project_id="idle", wanted=False))
    assert told(findings, Verdict.FAULT).splitlines() == [
        "project info: context progressive sends no UserEvent DialerKey: the key 1 does nothing",
        "project info: context progressive sends no UserEvent DialerOptOut: the key 9 does nothing",
    ]
    assert "project idle: context progressive sends no UserEvent DialerOptOut" in told(findings, Verdict.LOOK)


def test_who_asks_for_an_agent_in_a_message_needs_a_queue(asterisk: SimulatedAsterisk) -> None:
    findings = checked(asterisk, replace(MESSAGE, key_agent="2", queue="nowhere"))
    assert "project info: Asterisk default has no queue 'nowhere'" in told(findings, Verdict.FAULT)


def test_a_dialplan_that_keeps_no_opt_outs_is_worth_a_look(
    asterisk: SimulatedAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = _KEY_STEPS["_[0-9*#]"]
    monkeypatch.setitem(_KEY_STEPS, "_[0-9*#]", [step for step in kept if not step[2].startswith("DB(")])
    findings = checked(asterisk, MESSAGE)
    assert "project info: its context does not keep opt-outs" in told(findings, Verdict.LOOK)


def test_without_func_db_no_opt_out_can_be_kept(asterisk: SimulatedAsterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_self: Actions, action: Action, _session: object) -> str:
        return error(action, "Variable not set")

    monkeypatch.setitem(_HANDLERS, "setvar", (unknown, frozenset({"call"})))
    assert "has no function DB_DELETE" in told(checked(asterisk, MESSAGE), Verdict.FAULT)


@pytest.mark.parametrize("asterisk", [User(write=frozenset({"call"}))], indirect=True)
def test_missing_rights_are_named(asterisk: SimulatedAsterisk) -> None:
    findings = checked(asterisk, SALES)
    faults = told(findings, Verdict.FAULT)
    assert "'reporting'" in faults
    assert "'originate'" in faults
    assert "'call'" in told(findings, Verdict.OK)


def test_a_wrong_password_is_said_once_and_not_shown(asterisk: SimulatedAsterisk) -> None:
    (finding,) = checked(asterisk, SALES, password="hush")
    assert finding.verdict is Verdict.FAULT
    assert "refused the login" in finding.text
    assert "hush" not in str(finding)


def test_nobody_listens(asterisk: SimulatedAsterisk) -> None:
    (finding,) = check(settings_for(1, timeout_seconds=0.5), [])
    assert "cannot connect" in finding.text


@pytest.mark.parametrize(
    ("ahead", "uncertain", "verdict"),
    [
        (0.5, 0.1, Verdict.OK),
        (-3, 0.1, Verdict.LOOK),
        (3, 2, Verdict.OK),
        (90, 0.1, Verdict.FAULT),
        (-90, 0.1, Verdict.FAULT),
    ],
)
def test_clocks_are_judged_by_what_is_certain(ahead: float, uncertain: float, verdict: Verdict) -> None:
    assert clock("x", ahead, uncertain).verdict is verdict
