"""`dialer why`: what is printed of a number's story."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dialer.why import told
from tests.unit.dialer.test_cli import NOWHERE, dialer
from worker.figures import NextCall, NumberAttempt, NumberCase, NumberRule, NumberStory

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
EMPTY = NumberStory("+74951234567", NOW, [], [], [], [])
CASE = NumberCase(
    7, "p", "Anna", "+74951234567", 1, "queued", None, "eligible; others are first", None, None, NOW, "+74951234567"
)
RULE = NumberRule(
    "limit", 3, "p", None, None, None, None, None, "number", "attempts", 3, 1440, None, None, None, False, None
)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialer.why._instant", lambda at: at.strftime("%d. %H:%M"))


def lines(story: NumberStory, attempts: int = 100) -> list[str]:
    return [line.plain for line in told(story, attempts)]


def rule(**values: object) -> str:
    """The line of one rule."""
    return lines(replace(EMPTY, rules=[replace(RULE, **values)]))[-1].strip()  # type: ignore[arg-type]


def test_of_an_unknown_number_every_part_says_so() -> None:
    assert lines(EMPTY) == [
        "+74951234567",
        "",
        "Next",
        "  no project has a case with it",
        "",
        "Cases",
        "  none",
        "",
        "Attempts, the latest first",
        "  none",
        "",
        "Rules",
        "  none",
    ]


def test_a_number_that_was_not_read_says_how_it_is() -> None:
    assert "--country DE reads it" in lines(replace(EMPTY, number="84951234567"))[1]


@pytest.mark.parametrize(
    ("at", "reason", "detail", "line"),
    [
        (NOW, "queued", "others are first", "project p: now"),
        (NOW, "project_stopped", "start it", "project p: now (project_stopped: start it)"),
        (LATER, "redial", None, "project p: from 01. 15:00 (now redial)"),
        (None, "used", None, "project p: never (used: no further attempt is made)"),
        (None, "do_not_call", "asked us", "project p: never (do_not_call: asked us)"),
        (LATER, "other_number", "case 7 on +4930222", "project p: not before case 7 on +4930222: from 01. 15:00"),
    ],
)
def test_when_a_project_may_ring_it_next(at: datetime | None, reason: str, detail: str | None, line: str) -> None:
    assert lines(replace(EMPTY, next=[NextCall("p", at, reason, detail)]))[3].strip() == line


def test_a_case_tells_its_reason_its_own_one_and_which_number_it_is() -> None:
    stopped = replace(
        CASE,
        reason="project_stopped",
        detail="start it",
        own_reason="redial",
        own_until_at=LATER,
        next_at=LATER,
        place=2,
        phone_number="+7495000",
    )
    told_of = lines(replace(EMPTY, cases=[CASE, stopped, replace(CASE, reason="redial", detail=None, until_at=LATER)]))
    assert told_of[6:9] == [
        "  case 7 of project p: queued: eligible; others are first",
        "  case 7 of project p: project_stopped: start it; its own reason: redial until 01. 15:00;"
        " free of reasons of its own from 01. 15:00; its number 2, after +7495000",
        "  case 7 of project p: redial; until 01. 15:00",
    ]


def test_an_attempt_tells_what_is_known_of_it() -> None:
    talked = NumberAttempt(5, 7, "p", "x", NOW, LATER, "ended", "ANSWERED", "anna", "+4930111", "sold", 59.6)
    up = NumberAttempt(6, 7, "p", "x", LATER, None, "ringing", None, None, None, None, None)
    told_of = lines(replace(EMPTY, attempts=[up, talked]), attempts=2)
    assert told_of[9:12] == [
        "  01. 15:00  attempt 6, case 7 of project p: under way (ringing)",
        "  01. 12:00  attempt 5, case 7 of project p: ANSWERED, talked 60 s, agent anna, code sold, shown +4930111",
        "  (and perhaps more: --attempts 20)",
    ]
    assert not any("perhaps" in line for line in lines(replace(EMPTY, attempts=[up, talked])))


def test_a_rule_tells_what_it_asks_for_and_of_whom() -> None:
    assert (
        rule() == "project p: at most 3 attempts of the number in 1 day (dialer_limits 3), but for promised callbacks"
    )
    assert (
        rule(period_minutes=None, local_period="week", keyed_by="case", counts="conversations", callbacks=True)
        == "project p: at most 3 conversations of the case per week (dialer_limits 3)"
    )
    assert "over the whole campaign" in rule(period_minutes=None)
    assert "in 4 hours" in rule(period_minutes=240)
    assert "in 90 minutes" in rule(period_minutes=90)
    assert rule(preset="us-fl").endswith("[preset us-fl]")
    pause = {"kind": "pause", "period_minutes": 86_400, "callbacks": True}
    assert rule(**pause, outcome="ANSWERED") == "project p: rests 60 days after ANSWERED (dialer_pauses 3)"
    assert "after the agent's code refused" in rule(**pause, disposition="refused")
    assert (
        rule(kind="rest", attempt_id=9, until_at=LATER, callbacks=False)
        == "project p: rests since attempt 9 (dialer_pauses 3), but for promised callbacks, until 01. 15:00"
    )
    assert (
        rule(kind="abandoned", attempt_id=9, until_at=LATER)
        == "project p: attempt 9 abandoned it: it is called only with an agent certain, until 01. 15:00"
    )


def test_do_not_call_tells_the_row_its_reason_and_whether_it_holds() -> None:
    row = {"kind": "do_not_call", "number": "+7495*"}
    assert rule(**row) == "project p: do not call +7495* (dialer_dnc 3)"
    assert rule(**row, reason="asked us", attempt_id=4).endswith(": asked us, asked for in attempt 4")
    assert rule(**row, until_at=NOW).endswith(", over since 01. 12:00")
    assert rule(**row, from_at=LATER, until_at=LATER).endswith(", only from 01. 15:00, until 01. 15:00")
    assert rule(**row, project_id=None).startswith("of no project with a case of it: do not call")


def test_markup_in_a_name_is_printed_as_it_is() -> None:
    assert "[red]x[/red]" in lines(replace(EMPTY, cases=[replace(CASE, project_id="[red]x[/red]")]))[6]


def test_the_command_needs_a_database_and_a_sensible_number_of_attempts() -> None:
    done = dialer("why", "+74951234567", DIALER_DATABASE_URL=NOWHERE)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    done = dialer("why", "+74951234567", "--attempts", "-1", DIALER_DATABASE_URL=NOWHERE)
    assert done.returncode == 2
    assert "--attempts: -1 is out of range. Give 0 or more." in done.stderr
