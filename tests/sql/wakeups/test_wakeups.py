"""Wake-ups: who waits for work hears of it at once, and INSERTs do not pay for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, listen
from tests.support.factories import add_case, add_cases, add_project, add_trunk


@pytest.fixture
def ear(caller: Caller) -> Iterator[Any]:
    """Listens from here on; a started project with one case, used, and a worker that waits for more."""
    add_project(caller.db)
    add_trunk(caller.db)
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=add_case(caller.db))
    caller.start()
    with listen(caller.db) as ear:
        assert ear.heard() == []
        yield ear


def test_an_insert_of_many_cases_wakes_once_per_project(caller: Caller, ear: Any) -> None:
    add_project(caller.db, "q")
    add_project(caller.db, "stopped")
    caller.start("q")
    ear.heard()
    names = ["p", "q", "stopped", "nobody"]
    add_cases(caller.db, [{"project_id": names[number % 4]} for number in range(40)])
    assert sorted(ear.heard()) == ["p", "q"]


def test_each_transaction_wakes_anew(caller: Caller, ear: Any) -> None:
    for _ in range(2):
        add_case(caller.db)
        assert ear.heard() == ["p"]


def test_an_insert_wakes_nobody_while_the_worker_has_enough(caller: Caller, ear: Any) -> None:
    add_cases(caller.db, [{} for _ in range(5)])
    ear.heard()
    caller.claim(3)
    add_case(caller.db)
    assert ear.heard() == [], "three were wanted, three came"
    caller.claim(10)
    add_case(caller.db)
    assert ear.heard() == ["p"], "fewer came than were wanted"


def test_a_case_brought_back_wakes(caller: Caller, ear: Any) -> None:
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    assert ear.heard() == ["p"]


def test_a_promise_wakes(caller: Caller, ear: Any) -> None:
    execute(caller.db, "UPDATE dialer_clients SET deferred_time = :at", at=NOON)
    assert ear.heard() == ["p"]


def test_another_window_wakes_and_another_name_does_not(caller: Caller, ear: Any) -> None:
    add_case(caller.db)
    ear.heard()
    execute(caller.db, "UPDATE dialer_clients SET allowed_stop = '23:00' WHERE NOT used")
    assert ear.heard() == ["p"]
    execute(caller.db, "UPDATE dialer_clients SET case_name = 'else', priority = 2 WHERE NOT used")
    assert ear.heard() == []


def test_a_withdrawal_wakes_nobody(caller: Caller, ear: Any) -> None:
    add_case(caller.db)
    ear.heard()
    execute(caller.db, "UPDATE dialer_clients SET used = true")
    assert ear.heard() == []


def test_the_dialers_own_writes_wake_nobody(caller: Caller, ear: Any) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1", deferred_time=NOON)
    ear.heard()
    caller.claim(10)
    caller.call(case, "BUSY")
    assert ear.heard() == []


def test_parameters_wake_all(caller: Caller, ear: Any) -> None:
    """For what was found missing is looked at again, too."""
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = 5")
    assert ear.heard() == [""]
    add_project(caller.db, "new")
    assert ear.heard() == [""]
    execute(caller.db, "DELETE FROM dialer_params WHERE project_id = 'new'")
    assert ear.heard() == [""]


def test_a_trunk_wakes_all(caller: Caller, ear: Any) -> None:
    execute(caller.db, "UPDATE dialer_trunks SET max_lines = 5")
    assert ear.heard() == [""]


def test_start_and_stop_wake_once_and_only_if_they_change_something(caller: Caller, ear: Any) -> None:
    caller.stop()
    assert ear.heard() == ["p"]
    caller.stop()
    assert ear.heard() == []
    caller.start()
    caller.start()
    assert ear.heard() == ["p"]


def test_what_is_rolled_back_wakes_nobody(caller: Caller, ear: Any) -> None:
    with caller.db.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE dialer_params SET {caller.dialect.lines} = 5")
        connection.rollback()
    assert ear.heard() == []
