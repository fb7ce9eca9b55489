"""Which number a call shows: by prefix and nearest area code, evenly rotated, never more often than its cap permits."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import gevent
import pytest

from tests.sql.attempts.test_begin import begin_in
from tests.support.caller import NOON, Caller
from tests.support.dialects import Dialect, execute, listen, query_at, wait_for_waiting
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from worker.db import Database


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


def shows(db: Database, caller_id: str, **columns: Any) -> None:
    """A row of dialer_caller_ids, of project 'p' unless told otherwise."""
    values = {"caller_id": caller_id, "project_id": "p", **columns}
    execute(
        db,
        f"INSERT INTO dialer_caller_ids ({', '.join(values)}) VALUES ({', '.join(f':{one}' for one in values)})",
        **values,
    )


def begin_one(caller: Caller, project: str = "p", **columns: Any) -> dict[str, Any]:
    """Begin a new case."""
    case = add_case(caller.db, project_id=project, **columns)
    assert case in caller.claim(project=project)
    return dict(caller.begin([case], project)[0])


def shown(caller: Caller, project: str = "p", **columns: Any) -> str | None:
    """What a call of a new case shows. It has to be permitted."""
    row = begin_one(caller, project, **columns)
    assert row["refusal"] is None, row
    found: str | None = row["caller_id"]
    return found


def ledger(caller: Caller) -> list[str]:
    return [
        row["caller_id"] for row in caller.db.query("SELECT caller_id FROM dialer_stat_attempt ORDER BY attempt_id")
    ]


# --- which row applies ------------------------------------------------------------------------------------------------


def test_where_no_row_applies_the_projects_own_is_shown(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET caller_id = 'Us <+49 30 123>'")
    shows(caller.db, "+4930999", project_id="another")
    shows(caller.db, "+4930998", client="another")
    shows(caller.db, "+4930997", purpose="debt")
    shows(caller.db, "+4930996", prefix="44")
    shows(caller.db, "+4930995", region="DE-BE")
    assert shown(caller) == "Us <+49 30 123>"
    assert ledger(caller) == ["+4930123"], "the number alone, in one form"


def test_without_any_caller_id_none_is_noted(caller: Caller) -> None:
    assert shown(caller) is None
    assert ledger(caller) == [None]


def test_a_row_applies_by_all_of_its_scope(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET client = 'acme', purpose = 'debt'")
    shows(caller.db, "+4930999", client="acme", purpose="debt", region="US")
    assert shown(caller, region="US-FL") == "+4930999"
    assert shown(caller, region="US") == "+4930999"
    assert shown(caller, region="CA") is None
    assert shown(caller) is None
    execute(caller.db, "UPDATE dialer_params SET purpose = 'sales'")
    assert shown(caller, region="US-FL") is None


def test_a_part_of_a_country_is_not_the_country(caller: Caller) -> None:
    shows(caller.db, "+4930999", region="US-FL")
    assert shown(caller, region="US") is None
    assert shown(caller, region="US-FLX") is None
    assert shown(caller, region="US-FL") == "+4930999"


def test_the_longest_prefix_goes_first_whatever_is_nearer(caller: Caller) -> None:
    shows(caller.db, "+4930111")
    shows(caller.db, "+12125550100", prefix="49")
    shows(caller.db, "+12125550101", prefix="4930")
    shows(caller.db, "+12125550102", prefix="49301")
    assert {shown(caller, phone_number=f"+4930200{n}") for n in range(3)} == {"+12125550101"}
    assert shown(caller, phone_number="+4989200") == "+12125550100"
    assert shown(caller, phone_number="+4930120") == "+12125550102"
    assert shown(caller, phone_number="+4420123") == "+4930111"


def test_when_the_longest_prefix_is_used_up_the_next_goes(caller: Caller) -> None:
    shows(caller.db, "+4930111")
    shows(caller.db, "+4930222", prefix="49", most_per_day=1)
    assert [shown(caller) for _ in range(3)] == ["+4930222", "+4930111", "+4930111"]


# --- nearest area code ------------------------------------------------------------------------------------------------


def test_the_same_area_code_goes_first(caller: Caller) -> None:
    for number in ("+12125550100", "+13055550100", "+13055550101", "+447700900123", "+498912345"):
        shows(caller.db, number)
    assert Counter(shown(caller, phone_number=f"+1305777{n:04}") for n in range(10)) == {
        "+13055550100": 5,
        "+13055550101": 5,
    }, "and by turns, whatever the exchange is"
    assert shown(caller, phone_number="+12127770000") == "+12125550100"


def test_further_digits_than_those_of_an_area_code_say_nothing_in_north_america(caller: Caller) -> None:
    shows(caller.db, "+13055550100")
    shows(caller.db, "+13057770100")
    numbers = {shown(caller, phone_number=f"+1305777{n:04}") for n in range(2)}
    assert numbers == {"+13055550100", "+13057770100"}


def test_one_or_two_digits_of_an_area_code_are_no_nearness_in_north_america(caller: Caller) -> None:
    shows(caller.db, "+12125550100")
    shows(caller.db, "+13045550100")
    assert [shown(caller, phone_number=f"+1305777{n:04}") for n in range(4)] == ["+12125550100", "+13045550100"] * 2


@pytest.mark.parametrize(
    ("number", "nearest"),
    [
        ("+442079460000", "+442070000001"),
        ("+441223460000", "+441223000001"),
        ("+441224460000", "+441224000001"),
        ("+441229460000", None),
        ("+74951234567", "+74950000001"),
        ("+74981234567", "+74950000001"),
        ("+78121234567", None),
        ("+35315551234", None),
    ],
)
def test_elsewhere_up_to_four_digits_behind_the_country_code_count(
    caller: Caller, number: str, nearest: str | None
) -> None:
    """Six caller IDs; without a nearest one those that are as near take turns."""
    pool = ["+442070000001", "+441223000001", "+441224000001", "+74950000001", "+35361000001", "+12125550100"]
    for one in pool:
        shows(caller.db, one)
    found = [shown(caller, phone_number=f"{number}{n}") for n in range(2)]
    if nearest is None:
        assert len(set(found)) == 2
    else:
        assert found == [nearest] * 2


# --- rotation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [pytest.param(None, marks=pytest.mark.full), 200])
def test_a_thousand_calls_are_spread_evenly(caller: Caller, cap: int | None) -> None:
    pool = [f"+4930111{n}" for n in range(7)]
    for one in pool:
        shows(caller.db, one, most_per_day=cap)
    add_cases(caller.db, [{}] * 1000)
    counts: Counter[str] = Counter()
    for _ in range(10):
        cases = caller.claim(100)
        rows = caller.begin(cases)
        counts.update(row["caller_id"] for row in rows)
        caller.finish_all(
            [{"attempt_id": row["attempt_id"], "outcome": "BUSY", "steps": {"ringing": 0}} for row in rows]
        )
        assert max(counts.values()) - min(counts[one] for one in pool) <= 1
        caller.forward(minutes=5)
    assert counts.keys() == set(pool)
    assert Counter(ledger(caller)) == counts


def test_the_least_used_goes_first_then_the_one_not_used_for_longest(caller: Caller) -> None:
    shows(caller.db, "+4930111")
    assert [shown(caller) for _ in range(3)] == ["+4930111"] * 3
    shows(caller.db, "+4930222")
    shows(caller.db, "+4930333")
    assert [shown(caller) for _ in range(8)] == ["+4930222", "+4930333"] * 3 + ["+4930111", "+4930222"]
    caller.forward(hours=24)
    assert [shown(caller) for _ in range(3)] == ["+4930111", "+4930222", "+4930333"], "yesterday counts no longer"


def test_of_many_calls_the_latest_alone_decide(caller: Caller) -> None:
    """So that whoever makes very many calls does not count them each time."""
    shows(caller.db, "+4930111")
    add_cases(caller.db, [{}] * 110)
    caller.begin(caller.claim(110))
    shows(caller.db, "+4930222")
    add_cases(caller.db, [{}] * 110)
    caller.begin(caller.claim(110))
    assert Counter(ledger(caller)[110:]) == {"+4930222": 105, "+4930111": 5}


# --- the cap ----------------------------------------------------------------------------------------------------------


def test_a_caller_id_is_free_again_24_hours_after_the_call_that_is_one_too_many(caller: Caller) -> None:
    shows(caller.db, "+4930111", most_per_day=2)
    for _ in range(2):
        assert shown(caller) == "+4930111"
        caller.forward(minutes=7, microseconds=3)
    row = begin_one(caller)
    assert (row["refusal"], row["retry_at"]) == ("caller_id_limit", NOON + timedelta(hours=24))
    assert caller.db.query("SELECT * FROM dialer_claims WHERE attempt_id IS NULL") == [], "its claim is given back"
    assert caller.db.query("SELECT * FROM dialer_live WHERE attempt_id IS NULL") == []
    caller.now = NOON + timedelta(hours=24, microseconds=-1)
    assert caller.refusals(caller.claim()) == ["caller_id_limit"]
    caller.now = NOON + timedelta(hours=24)
    [case] = caller.claim()
    assert caller.begin([case])[0]["caller_id"] == "+4930111"
    assert begin_one(caller)["retry_at"] == NOON + timedelta(hours=24, minutes=7, microseconds=3)


def test_the_first_of_those_that_apply_says_when(caller: Caller) -> None:
    shows(caller.db, "+4930111", most_per_day=1, prefix="4930")
    shows(caller.db, "+4930222", most_per_day=2, prefix="49")
    shows(caller.db, "+4930333", most_per_day=1, prefix="44")
    assert shown(caller, phone_number="+4420111") == "+4930333"
    caller.forward(minutes=1)
    assert shown(caller) == "+4930111"
    caller.forward(minutes=1)
    assert [shown(caller) for _ in range(2)] == ["+4930222"] * 2
    assert begin_one(caller)["retry_at"] == NOON + timedelta(hours=24, minutes=1), "not the one for Britain"


def test_within_one_request_the_cap_holds_too(caller: Caller) -> None:
    shows(caller.db, "+4930111", most_per_day=2)
    shows(caller.db, "+4930222", most_per_day=1)
    add_cases(caller.db, [{}] * 5)
    rows = caller.begin(caller.claim(5))
    assert [row["caller_id"] for row in rows] == ["+4930111", "+4930222", "+4930111", None, None]
    assert [row["refusal"] for row in rows[3:]] == ["caller_id_limit"] * 2
    assert [row["retry_at"] for row in rows[3:]] == [NOON + timedelta(hours=24)] * 2


def test_calls_of_all_projects_count_and_the_least_cap_holds(caller: Caller) -> None:
    """However the number is written."""
    add_project(caller.db, "q")
    caller.start("q")
    execute(caller.db, "INSERT INTO dialer_numbering (project_id, country) VALUES ('', 'DE')")
    shows(caller.db, "Us <+49 30 111111>", most_per_day=5)
    shows(caller.db, "030111111", project_id="q", most_per_day=2)
    assert shown(caller) == "Us <+49 30 111111>"
    assert shown(caller, "q") == "030111111"
    assert [begin_one(caller, project)["refusal"] for project in "pq"] == ["caller_id_limit"] * 2
    assert ledger(caller) == ["+4930111111"] * 2


@pytest.mark.parametrize(
    ("outcome", "facts", "counts"),
    [
        ("FAILED", {}, False),
        ("FAILED", {"ringing": 1}, False),
        ("CANCELLED", {}, False),
        ("CANCELLED", {"ringing": 1}, True),
        ("TECHNICAL", {}, False),
        ("TECHNICAL", {"ringing": 1}, True),
        ("BUSY", {}, True),
        ("LOST", {}, True),
    ],
)
def test_calls_that_nobody_saw_do_not_count(
    caller: Caller, outcome: str, facts: dict[str, float], counts: bool
) -> None:
    shows(caller.db, "+4930111", most_per_day=1)
    row = begin_one(caller)
    assert begin_one(caller)["refusal"] == "caller_id_limit", "while it is under way it counts"
    assert caller.finish(row["attempt_id"], outcome, **facts)
    assert begin_one(caller)["refusal"] == ("caller_id_limit" if counts else None)


# --- who waits for it -------------------------------------------------------------------------------------------------


def test_a_project_whose_caller_ids_are_used_up_waits_with_the_reason(caller: Caller, dialect: Dialect) -> None:
    shows(caller.db, "+4930111", most_per_day=1)
    shows(caller.db, "+4930222", most_per_day=1, prefix="44")
    assert shown(caller, phone_number="+4420111") == "+4930222"
    caller.forward(minutes=1)
    case, first = add_case(caller.db), add_case(caller.db)
    assert caller.why(case)["reason"] == "queued"
    assert caller.claim(1) == [first]
    assert caller.refusals([first]) == [None]
    why = caller.why(case)
    assert (why["reason"], why["until_at"], why["own_reason"]) == (
        "caller_id_limit",
        NOON + timedelta(hours=24),
        None,
    )
    assert "most_per_day" in why["detail"]
    counted = query_at(
        caller.db, dialect, caller.now, "SELECT * FROM dialer_why_count WHERE reason = 'caller_id_limit'"
    )
    assert [(row["cases"], row["until_at"]) for row in counted] == [(1, NOON + timedelta(hours=24))]
    assert room(caller) == 0, "the worker does not even claim"
    assert caller.refusals(caller.claim()) == ["caller_id_limit"]
    assert caller.case(case)["not_before_at"] is None, "nobody else could go instead"
    execute(caller.db, "UPDATE dialer_caller_ids SET most_per_day = 2")
    assert caller.why(case)["reason"] == "queued"
    assert room(caller) > 1


def room(caller: Caller) -> int:
    """The room of project 'p' as a worker sees it at the caller's time."""
    rows = query_at(caller.db, caller.dialect, caller.now, caller.dialect.call("dialer_work", "default"))
    return int(next(row["room"] for row in rows if row["project_id"] == "p"))


def test_a_case_without_a_free_caller_id_steps_aside_for_others(caller: Caller) -> None:
    shows(caller.db, "+4930111", most_per_day=1, prefix="49")
    shows(caller.db, "+4930222", prefix="44")
    assert shown(caller) == "+4930111"
    case = add_case(caller.db, priority=2)
    other = add_case(caller.db, phone_number="+4420111")
    assert sorted(caller.claim()) == [case, other]
    first, second = caller.begin([case, other])
    assert (first["refusal"], first["retry_at"]) == ("caller_id_limit", NOON + timedelta(hours=24))
    assert second["caller_id"] == "+4930222"
    assert caller.case(case)["not_before_at"] == NOON + timedelta(minutes=5), "sooner: a row may be added"
    assert caller.claim() == []
    assert caller.why(case)["reason"] == "delayed"
    assert room(caller) > 1
    caller.now = NOON + timedelta(hours=24, minutes=-1)
    assert caller.refusals(caller.claim()) == ["caller_id_limit"]
    assert caller.case(case)["not_before_at"] == NOON + timedelta(hours=24)


def test_if_all_are_used_up_but_some_cases_need_none_of_them_one_at_a_time_is_tried(caller: Caller) -> None:
    shows(caller.db, "+4930111", most_per_day=1, prefix="49")
    assert shown(caller) == "+4930111"
    case = add_case(caller.db)
    assert caller.why(case)["reason"] == "caller_id_limit"
    assert room(caller) == 1
    assert caller.refusals(caller.claim()) == ["caller_id_limit"]
    assert caller.case(case)["not_before_at"] == NOON + timedelta(minutes=5)
    assert shown(caller, phone_number="+4420111") is None, "no row applies to it"


def test_a_change_of_caller_ids_wakes_the_workers(caller: Caller) -> None:
    with listen(caller.db) as ear:
        shows(caller.db, "+4930111")
        assert ear.heard() == [""]
        execute(caller.db, "UPDATE dialer_caller_ids SET most_per_day = 2")
        assert ear.heard() == [""]
        execute(caller.db, "DELETE FROM dialer_caller_ids")
        assert ear.heard() == [""]


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_figures_of_each_caller_id(caller: Caller, dialect: Dialect) -> None:
    execute(caller.db, "UPDATE dialer_params SET caller_id = '+4930999'")
    shows(caller.db, "Us <+4930111>", prefix="49", most_per_day=4)
    shows(caller.db, "+4930222", prefix="43")
    rows = [begin_one(caller) for _ in range(4)]
    caller.finish(rows[0]["attempt_id"], "ANSWERED", answered=0)
    caller.finish(rows[1]["attempt_id"], "BUSY", ringing=0)
    caller.finish(rows[2]["attempt_id"], "FAILED")
    caller.forward(minutes=1)
    for number in ("+4420111", "+4930555"):
        begin_one(caller, phone_number=number)
    found = query_at(caller.db, dialect, caller.now, "SELECT * FROM dialer_stat_caller_id ORDER BY caller_id")
    day = timedelta(hours=24)
    assert [
        (row["caller_id"], row["calls"], row["answered"], row["most_per_day"], row["last_at"], row["free_at"])
        for row in found
    ] == [
        ("+4930111", 4, 1, 4, caller.now, NOON + day),
        ("+4930222", 0, 0, None, None, None),
        ("+4930999", 1, 0, None, caller.now, None),
    ]
    rates = [None if row["answer_rate"] is None else float(row["answer_rate"]) for row in found]
    assert rates == [0.5, None, None], "of those that have ended"
    later = query_at(caller.db, dialect, caller.now + day, "SELECT * FROM dialer_stat_caller_id ORDER BY caller_id")
    assert [(row["caller_id"], row["calls"], row["free_at"]) for row in later] == [
        ("+4930111", 0, None),
        ("+4930222", 0, None),
    ]


# --- races ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(caller: Caller) -> None:
    """A second project on a trunk of its own, so that only caller IDs stand between the two."""
    add_project(caller.db, "q", trunk="second")
    add_trunk(caller.db, "second")
    caller.start("q")


@pytest.mark.usefixtures("shared")
def test_projects_that_share_caller_ids_never_make_one_call_too_many(caller: Caller) -> None:
    shows(caller.db, "+4930111", project_id=None, most_per_day=40)
    shows(caller.db, "+4930222", project_id=None, most_per_day=30)
    add_cases(caller.db, [{"project_id": project} for project in "pq" for _ in range(80)])
    cases = {project: caller.claim(80, project) for project in "pq"}

    def begin(project: str, mine: list[int]) -> list[str | None]:
        return [refusal for case in mine for refusal in caller.refusals([case], project)]

    hands = [gevent.spawn(begin, project, cases[project][number::2]) for project in "pq" for number in range(2)]
    said = Counter(refusal for hand in hands for refusal in hand.get(timeout=120))
    assert said == {None: 70, "caller_id_limit": 90}
    assert Counter(ledger(caller)) == {"+4930111": 40, "+4930222": 30}


@pytest.mark.usefixtures("shared")
def test_who_begins_waits_for_anothers_last_call(caller: Caller, other: Database, dialect: Dialect) -> None:
    shows(caller.db, "+4930111", project_id=None, most_per_day=1)
    first, second = add_case(caller.db), add_case(caller.db, project_id="q")
    assert (caller.claim(), caller.claim(project="q")) == ([first], [second])
    with other.transaction() as connection:
        assert begin_in(connection, caller, "p", first) is None
        begin = gevent.spawn(caller.refusals, [second], "q")
        wait_for_waiting(caller.db, dialect)
        assert not begin.ready()
    assert begin.get(timeout=10) == ["caller_id_limit"]


@pytest.mark.usefixtures("shared")
def test_an_edit_that_is_not_committed_keeps_nobody_waiting(caller: Caller, other: Database) -> None:
    shows(caller.db, "+4930111", project_id=None, most_per_day=1)
    case = add_case(caller.db)
    caller.claim()
    with other.transaction() as dba:
        dba.exec_driver_sql("UPDATE dialer_caller_ids SET most_per_day = 5")
        assert caller.refusals([case]) == [None]


@pytest.mark.usefixtures("shared")
def test_caller_ids_of_other_projects_are_not_waited_for(caller: Caller, other: Database) -> None:
    shows(caller.db, "+4930111", most_per_day=1)
    shows(caller.db, "+4930222", project_id="q", most_per_day=1)
    first, second = add_case(caller.db), add_case(caller.db, project_id="q")
    caller.claim()
    caller.claim(project="q")
    with other.transaction() as connection:
        assert begin_in(connection, caller, "p", first) is None
        assert caller.refusals([second], "q") == [None]
