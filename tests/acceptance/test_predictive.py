"""Predictive mode on the real Asterisk: the views, SIPp and the queue's own log are three witnesses of one shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.sipp import Agents, Carrier
from tests.support.sipp_scenarios import Answer
from tests.support.witness import assert_accounted, numbers

pytestmark = pytest.mark.docker

TALKS_MS = (2000, 3000, 4000, 5000, 7000)
"""How long an agent talks, by his number."""


@pytest.fixture
def crowd() -> Iterator[AsteriskContainer]:
    """An Asterisk whose queue `crowd` has ten agents and writes its log."""
    with AsteriskContainer(queues="crowd:1-10", calls_at_once=200) as asterisk:
        script = "sed -i 's/^queue_log *=.*/queue_log = yes/' /etc/asterisk/logger.conf"
        result = asterisk.exec(["sh", "-ec", script])
        assert result.exit_code == 0, result.output
        asterisk.command("logger reload")
        yield asterisk


def queue_log(asterisk: AsteriskContainer) -> Counter[str]:
    """How many entries of each kind app_queue has written about callers."""
    result = asterisk.exec(["sh", "-ec", "cat /var/log/asterisk/queue_log"])
    assert result.exit_code == 0, result.output
    # time|call id|queue|agent|event|…
    fields = [line.split("|") for line in result.output.decode().splitlines()]
    return Counter(line[4] for line in fields if len(line) > 4)


def shift(dialer: Installation, answered: int, seconds: float) -> None:
    """Dial until so many people have answered, then stop and wait for the last call."""
    dialer.trunk(max_lines=120, calls_per_second=40)
    dialer.project("crowd", type="predictive", context="predictive", dial_time=4000, predictive_agents=2)
    # 35 of 100 answer, and their telephones ring for 0.3 to 1.5 s; the others are busy, away, or do not exist.
    dialer.cases("crowd", *numbers(n20=7 * answered // 5, n23=8 * answered // 5, n22=2 * answered // 5, n28=answered))
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("crowd")
    dialer.wait_for_attempts(answered, "answered_at IS NOT NULL", seconds=seconds)
    assert dialer.get("/?action=stop&projectid=crowd")[0] == 200
    dialer.wait_until_quiet(60)


def assert_three_witnesses_agree(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, agents: Agents
) -> None:
    attempts = dialer.attempts()
    answered = [row for row in attempts if row["answered_at"]]
    with_agent = [row for row in answered if row["agent_at"]]
    abandoned = [row for row in attempts if row["counts_as"] == "abandoned"]
    [view] = dialer.sql("SELECT * FROM dialer_stat_pacing")
    log = queue_log(asterisk)
    talks = agents.wait_until_over()

    span = max(row["ended_at"] for row in attempts) - min(row["begun_at"] for row in attempts)
    agent_seconds = 10 * span.total_seconds()
    by_ledger = sum(float(row["talk_seconds"]) for row in with_agent) / agent_seconds
    by_view = float(dialer.value("SELECT sum(talk_seconds) FROM dialer_stat_agent")) / agent_seconds
    by_sipp = sum((call.ended_at or 0) - call.answered_at for call in talks if call.answered_at) / agent_seconds
    share = len(abandoned) / len([row for row in attempts if row["counts_as"] in ("connected", "abandoned")])
    print(
        f"\n{len(attempts)} calls, {len(answered)} answered in {span.total_seconds():.0f} s; abandoned:"
        f" {100 * share:.2f} % by the ledger, {100 * view['day_rate']:.2f} % by dialer_stat_pacing;"
        f" utilisation: {by_ledger:.3f} by the ledger, {by_view:.3f} by dialer_stat_agent, {by_sipp:.3f} by SIPp;"
        f" queue_log: {dict(log)}"
    )
    assert sum(call.answered_at is not None for call in carrier.calls()) == len(answered)
    assert log["CONNECT"] == len(with_agent) == sum(call.answered_at is not None for call in talks)
    assert log["ABANDON"] + log["EXITWITHTIMEOUT"] == len(answered) - len(with_agent)
    assert view["day_abandoned"] == len(abandoned)
    assert by_view == pytest.approx(by_ledger, rel=0.01)
    assert by_sipp == pytest.approx(by_ledger, rel=0.05)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("answered", [40, pytest.param(1000, marks=pytest.mark.full)])
def test_ten_agents_and_a_shift_of_calls(
    answered: int, migrated_database: str, crowd: AsteriskContainer, tmp_path: Path
) -> None:
    talkers = {f"agent{n}@": Answer(ring_ms=(0,), hang_up_after_ms=TALKS_MS[n % 5]) for n in range(1, 11)}
    with (
        Installation(migrated_database, crowd, tmp_path) as dialer,
        Carrier(crowd.carrier_port, tmp_path) as carrier,
        Agents(crowd.agents_port, tmp_path, talkers) as agents,
    ):
        shift(dialer, answered, seconds=1.5 * answered + 60)
        assert_accounted(dialer, carrier)
        assert_three_witnesses_agree(dialer, crowd, carrier, agents)
        [view] = dialer.sql("SELECT * FROM dialer_stat_pacing")
        people = view["day_connected"] + view["day_abandoned"]
        assert people >= 0.9 * answered
        # The target, and what was ringing when the project was stopped.
        assert view["day_abandoned"] <= 0.03 * people + 2
        modes = dialer.sql("SELECT mode, count(*) AS n, sum(granted) AS calls FROM dialer_pacing_journal GROUP BY mode")
        print(modes)
        assert "predictive" in {row["mode"] for row in modes}
