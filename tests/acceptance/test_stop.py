"""`stop` under load: a promise about the moment after its answer."""

from __future__ import annotations

import time

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.sipp import Carrier
from tests.support.witness import assert_accounted, numbers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

LEAVE_SECONDS = 1.0
"""An Originate that was permitted before the stop may leave so long after it."""


def test_after_stop_no_attempt_begins_and_start_resumes(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier
) -> None:
    dialed = numbers(n20=120, n22=120, n27=60)
    dialer.trunk()
    dialer.project("load", type="autoinforming", context="autoinforming", lines=40, dial_time=3000)
    dialer.cases("load", *dialed)
    dialer.start("run")
    dialer.wait_until_ready()

    # More than once: the moment of a stop must not have been lucky.
    for enough in (40, 90, 140):
        dialer.start_project("load")
        dialer.wait_for_attempts(enough)
        status, answer = dialer.get("/?action=stop&projectid=load")
        heard, stopped = time.time(), dialer.now()
        assert (status, answer["state"], answer["changed"]) == (200, "stopped", True)
        up = dialer.attempts("begun_at <= %s AND coalesce(ended_at, 'infinity') > %s", stopped, stopped)
        assert len(up) <= answer["calls_up"] <= 40
        assert len(up) > 5, "there was no load"
        assert dialer.sql("SELECT * FROM dialer_claims WHERE attempt_id IS NULL") == []
        waiting = dialer.value("SELECT count(*) FROM dialer_why WHERE reason = 'project_stopped'")
        assert waiting > 0, "nothing was left to dial"

        # The calls that are up end by themselves; that takes long enough to see what else would have begun.
        dialer.wait_until_quiet()
        assert dialer.attempts("begun_at > %s", stopped) == []
        assert [call for call in carrier.wait_until_over() if call.at > heard + LEAVE_SECONDS] == []
        assert dialer.value("SELECT state FROM dialer_project_states") == "stopped"

    assert dialer.get("/?action=stop&projectid=load")[1]["changed"] is False
    dialer.start_project("load")
    dialer.wait_for_state("load", "finished", seconds=40)
    assert_accounted(dialer, carrier)
    assert sorted(row["phone_number"] for row in dialer.attempts()) == sorted(dialed), "each once"
    assert asterisk.channels() == 0
