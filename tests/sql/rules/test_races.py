"""Two projects want one telephone at the same instant, and a limit allows one call: exactly one of them gets it.

Two workers, as processes of their own, each with its Asterisk and its connection; a barrier lets both go.
"""

from __future__ import annotations

import multiprocessing
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import SERVERS, Dialect, execute
from tests.support.factories import add_cases, add_project, add_trunk
from worker.config import DatabaseSettings
from worker.db import Database

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

RIVALS = {"p": ("default", "+7999{:07}"), "q": ("second", "8999{:07}")}
"""Project, its Asterisk, and how it writes the telephone that it shares with the other one."""
DEADLINE_SECONDS = 60
"""In which a rival has done its part of one try, on a busy machine."""

SLEEP = {"postgresql": "pg_sleep({})", "mariadb": "sleep({})"}

Told = list[tuple[str | None, int | None]]
"""What became of each try: the refusal ('not claimed': the claim passed over the case), and the attempt."""


@dataclass
class Course:
    """What both processes share."""

    settings: DatabaseSettings
    server: str
    tries: int
    barrier: Any
    told: Any


def rival(project: str, course: Course) -> None:
    """One of the two processes: in each try it asks for the telephone, and a call that it gets ends at once.

    In half of the tries both have claimed their case already, so that only `dialer_attempt_begin` can tell them apart;
    in the others the claims race as well. One of them is late by some milliseconds, so that it comes now while the
    other one begins, now after that call has ended.
    """
    database = Database(course.settings)
    caller = Caller(database, SERVERS[course.server], asterisk=RIVALS[project][0])
    chance = random.Random(project)
    found: Told = []
    for number in range(course.tries):
        caller.now = NOON + timedelta(seconds=number)
        if project == "p":
            add_cases(
                database,
                [{"project_id": name, "phone_number": form.format(number)} for name, (_, form) in RIVALS.items()],
            )
        claimed: list[int] = []
        course.barrier.wait(DEADLINE_SECONDS)
        if number % 2 == 0:
            claimed = caller.claim(1, project)
            course.barrier.wait(DEADLINE_SECONDS)
        if chance.random() < 0.5:
            database.query(f"SELECT {SLEEP[database.dialect.name]}".format(chance.random() * 0.01))
        claimed = claimed or caller.claim(1, project)
        refusal, attempt = "not claimed", None
        if claimed:
            [row] = caller.begin(claimed, project)
            refusal, attempt = row["refusal"], row["attempt_id"]
        if attempt is not None:
            assert caller.finish(attempt, "NOANSWER", ringing=0)
        found.append((refusal, attempt))
        course.barrier.wait(DEADLINE_SECONDS)
    course.told.put((project, found))
    course.told.close()
    course.told.join_thread()
    database.dispose()


def race(db: Database, dialect: Dialect, tries: int) -> dict[str, Told]:
    """What each of the two was told, try by try."""
    server = next(name for name, one in SERVERS.items() if one is dialect)
    context = multiprocessing.get_context("spawn")
    course = Course(db.settings, server, tries, context.Barrier(2), context.Queue())
    rivals = [context.Process(target=rival, args=(project, course), daemon=True) for project in RIVALS]
    for one in rivals:
        one.start()
    try:
        return dict(course.told.get(timeout=DEADLINE_SECONDS + tries) for _ in rivals)
    finally:
        for one in rivals:
            one.join(5)
            one.kill()


def reasons(told: Sequence[tuple[str | None, int | None]]) -> Counter[str | None]:
    return Counter(refusal for refusal, _ in told)


@pytest.mark.parametrize("tries", [100, pytest.param(1000, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "limit",
    [
        pytest.param({"most": 1, "period_minutes": 1440}, id="a day's cap"),
        pytest.param({"most": 1, "period_minutes": 240}, id="a gap", marks=pytest.mark.full),
        pytest.param({"most": 1, "local_period": "day"}, id="a local day's cap", marks=pytest.mark.full),
    ],
)
def test_of_two_projects_that_want_one_telephone_exactly_one_gets_it(
    db: Database, dialect: Dialect, limit: dict[str, Any], tries: int
) -> None:
    for project, (asterisk, _) in RIVALS.items():
        add_project(db, project, country="RU", asterisk=asterisk)
        add_trunk(db, asterisk=asterisk)
        db.call("dialer_project_start", project)
    db.value("dialer_screen", 1, NOON)
    names, marks = ", ".join(limit), ", ".join(f":{name}" for name in limit)
    execute(db, f"INSERT INTO dialer_limits ({names}) VALUES ({marks})", **limit)

    told = race(db, dialect, tries)

    called = db.query("SELECT number, count(*) AS calls FROM dialer_stat_attempt GROUP BY number")
    assert [row["number"] for row in called if row["calls"] > 1] == []
    assert len(called) == tries, "one of the two each time"
    for (refusal, attempt), (other, its_attempt) in zip(told["p"], told["q"], strict=True):
        assert (attempt is None) != (its_attempt is None)
        assert (refusal or other) in ("not claimed", "number_in_call", "number_limit")
    lost = reasons(told["p"]) + reasons(told["q"])
    assert lost["number_limit"] >= tries / 20, f"begin itself had to decide: {lost}"
    assert all(sum(attempt is not None for _, attempt in one) >= tries / 10 for one in told.values()), "a race"
    assert db.query("SELECT * FROM dialer_invariants") == []
