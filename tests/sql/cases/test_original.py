"""What people's scripts for the original dialer insert is accepted as it is, and means the same."""

from __future__ import annotations

from datetime import timedelta

from tests.support.caller import Caller, at
from tests.support.dialects import Dialect, execute, rows_of
from tests.support.factories import add_trunk
from worker.db import Database

# Both printed in the original's documentation, word for word; but {lines} stands in backticks on MariaDB, and
# {scheme}, there a database, is that of the test.
CLIENTS = (
    "INSERT INTO {scheme}.dialer_clients (case_name, project_id, phone_number, priority, utc,recall, allowed_start,"
    " allowed_stop, recall_period) VALUES('Name', 'test', '1111', 1 , '+03.00h',true, '10:00:00', '18:00:00','1,1' )"
)
PARAMS = """INSERT INTO {scheme}.dialer_params
(project_id, {lines}
, call_time, case_limit, type
, exten, context)
VALUES('test', 0, 20000, 500, 'progressive', '2222', 'default')"""


def run_the_printed_inserts(db: Database, dialect: Dialect) -> None:
    for statement in (CLIENTS, PARAMS):
        execute(db, statement.format(scheme=db.schema, lines=dialect.lines))


def test_the_printed_inserts_run_as_they_are_and_mean_what_they_say(db: Database, dialect: Dialect) -> None:
    run_the_printed_inserts(db, dialect)

    case = rows_of(db, "dialer_clients")[0]
    assert (case["call_back"], case["call_back_period"]) == (True, "1,1"), "recall is call_back's old name"
    assert (case["recall"], case["recall_period"]) == (None, None), "the old names keep nothing to themselves"
    rules = db.query("SELECT * FROM dialer_rules")[0]
    assert rules["dial_seconds"] == 20
    assert (rules["lines"], rules["case_limit"], rules["type"]) == (0, 500, "progressive")
    assert (rules["exten"], rules["context"], rules["queue"]) == ("2222", "default", "test")


def test_the_printed_case_is_dialled_between_ten_and_eighteen_where_the_subscriber_is(caller: Caller) -> None:
    run_the_printed_inserts(caller.db, caller.dialect)
    add_trunk(caller.db)
    caller.start("test")
    caller.now = at(6, 59)
    assert caller.next(project="test") == []
    caller.now = at(7)
    assert len(caller.next(project="test")) == 1
    caller.now = at(15)
    assert caller.next(project="test") == []


def test_old_names_count_in_an_update_too(db: Database, dialect: Dialect) -> None:
    run_the_printed_inserts(db, dialect)
    execute(db, "UPDATE dialer_clients SET recall = false, recall_period = '5'")
    execute(db, "UPDATE dialer_params SET call_time = 30000")
    case = rows_of(db, "dialer_clients")[0]
    assert (case["call_back"], case["call_back_period"], case["recall"]) == (False, "5", None)
    assert db.query("SELECT * FROM dialer_rules")[0]["dial_seconds"] == 30


def test_only_what_the_original_required_is_required_and_its_defaults_hold(db: Database) -> None:
    execute(db, "INSERT INTO dialer_clients (case_name, project_id, phone_number) VALUES ('a', 'p', '1')")
    execute(db, "INSERT INTO dialer_params (project_id) VALUES ('p')")
    case = rows_of(db, "dialer_clients")[0]
    assert case["priority"] == 1
    assert case["utc"] is None
    assert (case["allowed_start"], case["allowed_stop"]) == ("00:00:00", "00:00:00")
    assert not any(case[name] for name in ("used", "checked", "call_back", "deferred_done"))
    assert (case["call_back_period"], case["deferred_time"]) == (None, None)
    row = db.query("SELECT CURRENT_TIMESTAMP(6) AS now, created FROM dialer_clients")[0]
    assert timedelta(0) <= row["now"] - row["created"] < timedelta(minutes=1)
    rules = db.query("SELECT * FROM dialer_rules")[0]
    assert (rules["lines"], rules["case_limit"], rules["sort"]) == (0, 500, "2:1")
    assert (rules["type"], rules["context"], rules["dial_seconds"]) == ("progressive", "default", 20)


def test_every_column_of_the_original_can_be_written(db: Database, dialect: Dialect) -> None:
    execute(
        db,
        "INSERT INTO dialer_clients (case_name, project_id, phone_number, priority, utc, used, call_back,"
        " allowed_start, allowed_stop, checked, call_back_period, deferred_time, deferred_done, created, id)"
        " VALUES ('a', 'p', '1', 7, '-03.30h', true, true, '9:00', '24:00', true, '1, 2', NULL, false,"
        " '2026-01-01 00:00:00', 12345)",
    )
    execute(
        db,
        f"INSERT INTO dialer_params (project_id, {dialect.lines}, dial_time, case_limit, sort, id, type, exten,"
        " context)"
        " VALUES ('p', 5, 15000, 20, '1:2,2:2', 77, 'autoinforming', '100', 'inform')",
    )
    execute(
        db,
        "INSERT INTO dialer_stat (id, case_name, project_id, phone_number, dial_count, ended, state)"
        " VALUES (12345, 'a', 'p', '1', 3, '2026-01-01 00:00:00', 'BUSY')",
    )
    case = rows_of(db, "dialer_clients")[0]
    assert (case["id"], case["priority"], case["used"]) == (12345, 7, True)
    assert not case["checked"], "only the dialer takes a case in hand"
    rules = db.query("SELECT * FROM dialer_rules")[0]
    assert (rules["lines"], rules["sort"], rules["dial_seconds"]) == (5, "1:2,2:2", 15)


def test_a_ring_time_under_1000_can_only_be_seconds_and_is_said_so(db: Database) -> None:
    execute(db, "INSERT INTO dialer_params (project_id, dial_time) VALUES ('p', 20)")
    assert db.query("SELECT * FROM dialer_rules")[0]["dial_seconds"] == 20
    assert [row["kind"] for row in db.query("SELECT * FROM dialer_warnings")] == ["dial_time_in_seconds"]
